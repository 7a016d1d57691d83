"""Metrics for dashboards: TensorBoard events if tensorboardX is installed, Weights & Biases if wandb is."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipd_theory.rl.checkpoint import silent_threads
from ipd_theory.rl.run_folder import Line, read_config


def scalars(line: Line, seeds: tuple[int, ...]) -> dict[str, float]:
    """Return a line of metrics as named numbers by seed and agent, averaged over inner episodes."""
    named = {"steps_per_second": float(line["steps_per_second"])}
    for kind in ("against_naive", "against_meta", "losses", "gradients"):
        for what, by_seed in line[kind].items():
            for seed, by_agent in zip(seeds, by_seed, strict=True):
                for agent, value in enumerate(by_agent):
                    numbers = [x for x in (value if isinstance(value, list) else [value]) if x is not None]
                    if numbers:
                        named[f"{kind}/{what}/seed_{seed}/agent_{agent}"] = sum(numbers) / len(numbers)
    return named


def has_tensorboard() -> bool:
    """Return whether TensorBoard events can be written."""
    return importlib.util.find_spec("tensorboardX") is not None


@contextmanager
def trackers(directory: Path, wandb_project: str | None = None) -> Iterator[Callable[[Line], None]]:
    """Give a function that writes a line of metrics to every tracker there is, for `runs.train`'s `report`.

    Args:
        directory: of the run; TensorBoard events go to its subfolder `events`.
        wandb_project: Weights & Biases project; None for no tracking there.

    Raises:
        ValueError: if a project is named and wandb is not installed.
    """
    if wandb_project is not None and not importlib.util.find_spec("wandb"):
        raise ValueError(f"wandb_project={wandb_project!r} needs the package wandb, which is not installed")
    writers: list[Callable[[int, dict[str, float]], None]] = []
    closers: list[Callable[[], Any]] = []

    def begin() -> None:
        if has_tensorboard():
            events = importlib.import_module("tensorboardX").SummaryWriter(str(directory / "events"))

            def add_scalars(step: int, named: dict[str, float]) -> None:
                for name, x in named.items():
                    events.add_scalar(name, x, step)

            def close_events() -> None:
                try:
                    events.close()
                except OSError:  # a full disk; what trains says so, and tensorboardX would try once more at the end
                    events.file_writer.event_writer.close = lambda: None

            writers.append(add_scalars)
            closers.append(close_events)
        if wandb_project is not None:
            run = importlib.import_module("wandb").init(project=wandb_project, name=directory.name, dir=str(directory))
            writers.append(lambda step, named: run.log(named, step=step))
            closers.append(run.finish)

    seeds: list[tuple[int, ...]] = []

    def write(line: Line) -> None:
        if not seeds:  # only now is it sure that the folder is this run's
            seeds.append(read_config(directory)[1])
            begin()
        named = scalars(line, seeds[0])
        for writer in writers:
            writer(line["iteration"], named)

    try:
        with silent_threads("tensorboardX"):
            yield write
    finally:
        for close in closers:
            close()
