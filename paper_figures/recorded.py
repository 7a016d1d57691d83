"""Training runs that figures show: recorded in `runs/` beside this file, or trained now."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.typing import ColorType

from ipd_theory.rl import runs
from ipd_theory.rl.config import PRESETS, Config, Method, with_method
from ipd_theory.rl.run_folder import Line, iterations_done, read_metrics

METHODS: dict[Method, str] = {"coala": "COALA-PG", "batch_unaware": "batch-unaware", "m_fos": "M-FOS"}
RECORDED = Path(__file__).with_name("runs")


def lines(config: Config, name: str, seeds: tuple[int, ...]) -> list[Line]:
    """Return the metrics of a run of `config.iterations`, recorded or trained now into the folder `runs`."""
    recorded = RECORDED / f"{name}-{'-'.join(map(str, seeds))}"
    here = recorded if iterations_done(recorded) >= config.iterations else Path("runs") / recorded.name
    found = read_metrics(runs.train(config, here, seeds, log_every=10, checkpoint_every=200))
    return [line for line in found if line["iteration"] <= config.iterations]


def lines_of_method(preset: str, iterations: int, method: Method, seeds: tuple[int, ...]) -> list[Line]:
    """Return the metrics of a preset whose agents all learn by one method."""
    config = replace(with_method(PRESETS[preset], method), iterations=iterations)
    return lines(config, f"{preset}-{method}", seeds)


def series(found: list[Line], kind: str, what: str) -> np.ndarray[Any, Any]:
    """Return [seeds, lines, agents, …] of one number; NaN where there is none."""
    return np.asarray([line[kind][what] for line in found], float).swapaxes(0, 1)


def band(axis: Axes, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], method: Method, log: bool = False) -> ColorType:
    """Draw the mean over seeds (the first axis of y) and a band of one standard deviation, of log y if so asked.

    Returns:
        The colour.
    """
    dashes = "--" if method == "m_fos" else "-"  # the two baselines often lie on each other
    spread = np.log(y) if log else y
    middle, deviation = spread.mean(0), spread.std(0)
    low, middle, high = (np.exp(z) if log else z for z in (middle - deviation, middle, middle + deviation))
    (line,) = axis.plot(x, middle, dashes, label=METHODS[method])
    colour = line.get_color()
    axis.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
    return colour
