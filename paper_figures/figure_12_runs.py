"""Figure 12, sampled: the gradient from later inner episodes over that from the current one, in training runs.

Sequence models against naive learners, trained by each estimator: the runs of Figure 5. Both norms are those of
sampled gradients of one iteration, whose noise adds to them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures.about import PAPER, About
from paper_figures.figure_5 import PRESETS as FIGURE_5
from paper_figures.recorded import METHODS, band, lines_of_method, series
from paper_figures.run import Arrays


@dataclass(frozen=True)
class Settings:
    """Which runs to show: a preset, its iterations and its seeds, every entry one run of seeds side by side."""

    preset: str
    iterations: int
    seeds: tuple[tuple[int, ...], ...]


ABOUT = About(
    "12-runs",
    f"{PAPER}, Figure 12",
    1,
    {"iteration": ("line", "iterations"), "*": ("seed line", "1")},
    keeps="runs",
    recorded=True,
)
PRESETS = {name: Settings(runs.shaping, runs.shaping_iterations, runs.shaping_seeds) for name, runs in FIGURE_5.items()}


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Return the ratio [seeds, lines] of each method, where it was measured."""
    arrays: Arrays = {}
    for i, method in enumerate(METHODS):
        each = lines_of_method(settings.preset, settings.iterations, method, settings.seeds, folder)
        current, future = (series(each, "gradients", part)[:, :, 0] for part in ("current", "future"))
        arrays["iteration"] = np.array([line["iteration"] for line in each[0]])
        arrays[method] = future / current
        progress((i + 1) / len(METHODS))
    return arrays


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the ratio over training, geometric mean over seeds."""
    figure, axes = plt.subplots(figsize=(3.8, 2.8))
    for method in METHODS:
        band(axes, arrays["iteration"], arrays[method], method, log=True)
    axes.set_yscale("log")
    axes.set(xlabel="iteration", ylabel="future gradient over current gradient", xlim=(0, settings.iterations))
    seeds = sum(map(len, settings.seeds))
    axes.set_title(f"{settings.preset}, {seeds} seeds")
    title = "geometric mean over seeds, band one standard deviation of the logarithm"
    figure.legend(loc="outside lower center", ncols=3, title=title, title_fontsize=7)
    return figure
