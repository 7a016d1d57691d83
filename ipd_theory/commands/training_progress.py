"""How far a run or a search is, on standard error: a bar in a terminal, and elsewhere a line now and then."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from ipd_theory.commands.console import messages

ROOM_FOR_A_BAR = 110  # columns
SECONDS_BETWEEN_LINES = 10.0


@contextlib.contextmanager
def progress(unit: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Show how far the block is; gives the function to call with how many units are done and what they showed."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns: list[Any] = [TextColumn(f"{unit} {{task.completed:.0f}}/{{task.total:.0f}}")]
    columns += [TextColumn("{task.description}", markup=False)]
    columns += [BarColumn(), TimeElapsedColumn()] if messages.width >= ROOM_FOR_A_BAR else []
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as bar:
        task = bar.add_task("compiling", total=total)
        shown: list[tuple[int, float]] = []
        said_at = [-SECONDS_BETWEEN_LINES]

        def show(done: int, words: str) -> None:
            now = time.monotonic()
            shown.append((done, now))
            first, begin = shown[0]
            if done > first:
                words += f" · {(total - done) * (now - begin) / (done - first) / 60:.1f} min left"
            bar.update(task, completed=done, description=words)
            if not messages.is_terminal and (now - said_at[0] >= SECONDS_BETWEEN_LINES or done == total):
                said_at[0] = now
                messages.print(f"{unit} {done}/{total}: {words}", soft_wrap=True)

        yield show


def memory(program: Any) -> str:
    """Write how much memory a compiled iteration takes on each device."""
    import jax

    device = jax.local_devices()[0]
    limit = (device.memory_stats() or {}).get("bytes_limit")
    of = f" of {limit / 2**20:,.0f}" if limit else ""
    devices = "the one device" if program.devices == 1 else f"each of {program.devices} devices"
    mebibytes = program.memory / 2**20
    taken = f"{mebibytes:,.1f}" if mebibytes >= 1 else f"{mebibytes:.2g}"
    return f"an iteration takes {taken}{of} MiB on {devices} ({device.device_kind})"


def rewards(line: dict[str, Any]) -> str:
    """Write an iteration's mean reward a step by kind of co-player, over seeds, agents and inner episodes."""
    parts = []
    for kind in ("naive", "meta"):
        values = [x for seed in line[f"against_{kind}"]["reward"] for agent in seed for x in agent if x is not None]
        if values:
            parts.append(f"{sum(values) / len(values):.3f} against {kind}")
    return ", ".join(parts)
