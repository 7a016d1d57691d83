"""Training runs that figures show: recorded in `runs/` beside this file, or trained now into a folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ipd_theory.drawing import style
from ipd_theory.rl import runs
from ipd_theory.rl.config import PRESETS, Config, Method, with_method
from ipd_theory.rl.run_folder import CONFIG, Line, described, hold, iterations_done, read_metrics

METHODS: dict[Method, str] = {"coala": "COALA-PG", "batch_unaware": "batch-unaware", "m_fos": "M-FOS"}
COLORS = {method: style.ESTIMATORS[name] for method, name in METHODS.items()}
DASHES = {"coala": "-", "batch_unaware": "-", "m_fos": "--"}  # the two baselines often lie on each other
RECORDED = Path(__file__).with_name("runs")


def lines(
    config: Config, name: str, seeds: tuple[int, ...], folder: Path, *, checkpoint_every: int = 200
) -> list[Line]:
    """Return the metrics of a run of `config.iterations`, recorded or trained now.

    Args:
        config: the run; a recorded one must have been made with these settings.
        name: of the run, without its seeds.
        seeds: trained side by side.
        folder: where the run is kept if it is trained now.
        checkpoint_every: iterations between checkpoints.
    """
    directory = RECORDED / f"{name}-{'-'.join(map(str, seeds))}"
    if iterations_done(directory) >= config.iterations:
        hold(directory, CONFIG, described(config, seeds))
    else:
        directory = folder / directory.name
        runs.train(config, directory, seeds, log_every=10, checkpoint_every=checkpoint_every)
    return [line for line in read_metrics(directory) if line["iteration"] <= config.iterations]


def lines_of_method(
    preset: str, iterations: int, method: Method, seeds: tuple[tuple[int, ...], ...], folder: Path
) -> list[list[Line]]:
    """Return the metrics of a preset whose agents all learn by one method, of each run of seeds side by side."""
    config = replace(with_method(PRESETS[preset], method), iterations=iterations)
    return [lines(config, f"{preset}-{method}", group, folder) for group in seeds]


def series(found: list[list[Line]], kind: str, what: str) -> np.ndarray[Any, Any]:
    """Return [seeds, lines, agents, …] of one number, the seeds of all runs; NaN where there is none."""
    return np.concatenate([np.asarray([line[kind][what] for line in run], float).swapaxes(0, 1) for run in found])


def band(axis: Axes, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], method: Method, log: bool = False) -> None:
    """Draw the mean over seeds (the first axis of y) and a band of one standard deviation, of log y if so asked."""
    spread = np.log(y) if log else y
    middle, deviation = spread.mean(0), spread.std(0)
    low, middle, high = (np.exp(z) if log else z for z in (middle - deviation, middle, middle + deviation))
    axis.plot(x, middle, DASHES[method], color=COLORS[method], label=METHODS[method])
    axis.fill_between(x, low, high, color=COLORS[method], alpha=0.25, linewidth=0)
