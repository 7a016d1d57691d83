"""The steps one after another, each in a process of its own; what is finished is not done again."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ipd_theory._files import written_whole
from ipd_theory.commands.console import messages, print_table, results
from ipd_theory.commands.options import Positive
from ipd_theory.rl.run_folder import read_config, read_metrics

CLI = (sys.executable, "-m", "ipd_theory")


@dataclass(frozen=True)
class Step:
    """A piece of work: its name, the share of the minutes left that it may take, its command and what it came to."""

    name: str
    share: float
    command: Callable[[Path, float], list[str]]
    summary: Callable[[Path], dict[str, Any]]


def training(preset: str, share: float, *options: str) -> Step:
    """Return a training run that stops by itself when its minutes are up, and goes on the next time."""

    def command(folder: Path, minutes: float) -> list[str]:
        return [*CLI, "train", preset, *options, "--out", str(folder), "--max-minutes", f"{minutes:.2f}"]

    def summary(folder: Path) -> dict[str, Any]:
        lines, config = read_metrics(folder), read_config(folder)[0]
        done = lines[-1]["iteration"] if lines else 0
        return {"finished": done >= config.iterations, "iterations": done, "of": config.iterations, "last": lines[-1:]}

    return Step(preset, share, command, summary)


def sweep(size: str, share: float, *options: str) -> Step:
    """Return a phase diagram, which is stopped when its minutes are up and keeps its finished blocks."""

    def summary(folder: Path) -> dict[str, Any]:
        import zarr

        finished: Any = zarr.open_group(folder / "sweep.zarr", mode="r")["finished"]
        marks = finished[:]
        return {"finished": bool(marks.all()), "blocks": int(marks.sum()), "of": len(marks)}

    return Step(
        f"phase-{size}", share, lambda folder, _: [*CLI, "phase", size, *options, "--out", str(folder)], summary
    )


def engine(*options: str) -> Step:
    """Return the measurements of the engine, which has all the time it needs."""

    def command(folder: Path, _: float) -> list[str]:
        return [sys.executable, "-m", "tests.gpu.engine", *options, "--out", str(folder / "engine.json")]

    def summary(folder: Path) -> dict[str, Any]:
        return {"finished": True, **json.loads((folder / "engine.json").read_text())}

    return Step("engine", 1.0, command, summary)


WHOLE = (
    engine(),
    sweep("paper", 0.25),
    training("ipd-shaping", 0.4),
    training("ipd-mixed", 0.5),
    training("cleanup-shaping", 1.0),
)
_FEW = ("--iterations", "10", "--meta-batch", "2", "--batch", "2", "--inner-episodes", "2", "--episode-length", "2")
TOY = (
    engine("--toy"),
    sweep("quick", 0.25, "--points", "2", "--steps", "2", "--seeds", "2", "--cpu-devices", "1"),
    training("ipd-shaping-quick", 0.4, *_FEW),
    training("ipd-mixed-quick", 0.5, *_FEW),
    training("cleanup-shaping-quick", 1.0, *_FEW),
)


def main(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    out: Path = Path("runs/gpu"),
    minutes: Positive = 30.0,
    toy: bool = False,
) -> None:
    """Measure and train on the GPU at hand; the same command goes on with what is not finished.

    Writes OUT/DEVICE/results.json: what each step came to, with the device's name and the versions.

    Args:
        names: Which steps, e.g. engine; all of them if none is named.
        out: Folder of everything.
        minutes: For all steps together; the engine's measurements, some minutes, are not cut short.
        toy: The same steps at the smallest sizes, to see that they run.
    """
    steps = TOY if toy else WHOLE
    for name in names:
        if name not in {step.name for step in steps}:
            raise SystemExit(f"step {name!r} is unknown; there are {', '.join(step.name for step in steps)}")
    end = time.monotonic() + 60 * minutes
    folder = out / re.sub(r"\W+", "_", device()).lower()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for step in steps:
        if (names and step.name not in names) or found.get(step.name, {}).get("finished"):
            continue
        messages.print(f"{step.name} …")
        found[step.name] = carried_out(step, folder / step.name, end)
        with written_whole(path) as partial:
            partial.write_text(json.dumps(found, indent=1))
    show(found)
    messages.print(f"kept {path}", soft_wrap=True)


def device() -> str:
    """Return the kind of the first device, asked in a process that then lets go of its memory."""
    asked = (sys.executable, "-c", "import jax; print(jax.devices()[0].device_kind)")
    return subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def carried_out(step: Step, folder: Path, end: float, least: float = 20.0) -> dict[str, Any]:
    """Run a step for its share of the seconds until `end`, `least` if those are fewer.

    One that fails is said, and the others go on.
    """
    folder.mkdir(exist_ok=True)
    begin = time.monotonic()
    allowed = max(least, step.share * (end - begin))
    process = subprocess.Popen(step.command(folder, allowed / 60), stdout=subprocess.DEVNULL)
    try:
        # A run that stops by itself first finishes the iteration under way.
        code = process.wait(None if step.name == "engine" else allowed + 60 * step.name.startswith(("ipd", "clean")))
    except subprocess.TimeoutExpired:
        code = ended(process)
    except BaseException:  # asked to stop: no step outlives the command
        ended(process)
        raise
    took = {"seconds": time.monotonic() - begin, "exit_status": code}
    try:
        return {**took, **step.summary(folder)}
    except (OSError, ValueError, KeyError) as error:
        return {**took, "finished": False, "error": f"{type(error).__name__}: {error}"}


def ended(process: subprocess.Popen[bytes], seconds: float = 60.0) -> int:
    """Ask a step to stop, and end it where it does not within so many seconds; return its exit status."""
    process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def show(found: dict[str, Any]) -> None:
    """Print the engine's rows and how far each other step came."""
    measured = found.get("engine", {})
    rows = [
        (row["what"], f"{row['value']:.3g} {row['unit']}", "" if row["share"] is None else f"{row['share']:.0%}")
        for row in measured.get("rows", ())
    ]
    if rows:
        print_table(("what", "measured", "of the limit"), rows)
    for name, step in found.items():
        if name != "engine":
            done = step.get("iterations", step.get("blocks", 0))
            results.print(f"{name}: {done} of {step.get('of', '?')} in {step['seconds']:.0f} s {step.get('error', '')}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tyro.cli(main)
