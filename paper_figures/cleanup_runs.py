"""What Figures 6, 7, 13 and 14 share: runs on CleanUp-lite by estimator, and panels of their metrics over training.

At the quick presets (3 × 3 cells, all methods at the same settings, one seed) COALA-PG has no advantage, unlike in the
paper, which plays 100 inner episodes of 64 steps. Apples a step over the last 100 of 600 iterations, for COALA-PG,
batch-unaware and M-FOS: 0.081, 0.088 and 0.090 against naive learners, who within a meta-episode come from 0.022 to
0.025 to 0.037 to 0.042; in the mixed pool 0.114, 0.133 and 0.145 against naive learners and 0.142, 0.138 and 0.148
among meta agents. All rewards rise. Against naive learners only, all methods come to leave the cleaning to them and to
zap no one.

The runs are recorded in `paper_figures/runs/` (settings and metrics of every seed); one that is not there, or has
too few iterations, is trained, which takes minutes a seed for `quick` and a GPU for `paper`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ipd_theory.rl.config import PRESETS as TRAINING
from ipd_theory.rl.config import Config, Method, with_method
from ipd_theory.rl.run_folder import Line
from paper_figures import recorded
from paper_figures.recorded import COLORS, METHODS

Arrays = dict[str, np.ndarray[Any, Any]]
KINDS: dict[str, tuple[str, Literal["-", "--"]]] = {
    "against_naive": ("against naive learners", "-"),
    "against_meta": ("against meta agents", "--"),
}
REMARK = (
    "departs from the paper: 3 × 3 cells, short episodes and one seed, in which COALA-PG has no advantage over the "
    "baselines"
)


@dataclass(frozen=True)
class Settings:
    """Which runs to show.

    Args:
        preset: of the training runs.
        iterations: their length.
        seeds: of each method.
        tuned: whether the baselines run at the settings that the paper gives them, else at COALA-PG's.
    """

    preset: str
    iterations: int
    seeds: tuple[int, ...]
    tuned: bool = False


SHAPING = {
    "quick": Settings("cleanup-shaping-quick", 600, (0,)),
    "paper": Settings("cleanup-shaping", 3000, (0, 1, 2, 3, 4), tuned=True),
}
MIXED = {
    "quick": Settings("cleanup-mixed-quick", 600, (0,)),
    "paper": Settings("cleanup-mixed", 30000, (0, 1, 2, 3, 4), tuned=True),
}


@dataclass(frozen=True)
class Panel:
    """One measure over training.

    Args:
        title: above it.
        label: of its vertical axis, with the unit.
        value: the measure from an iteration's metrics.
    """

    title: str
    label: str
    value: Callable[[dict[str, Any]], Any]


def measured(name: str) -> Callable[[dict[str, Any]], Any]:
    """Return the reader of one measure, an array [seeds, agents, M]."""
    return lambda play: np.asarray(play[name], float)


def difference(first: str, second: str) -> Callable[[dict[str, Any]], Any]:
    """Return the reader of the difference of two measures."""
    return lambda play: measured(first)(play) - measured(second)(play)


BEHAVIOUR = (
    Panel("reward", "apples a step", measured("reward")),
    Panel(
        "cleaning discrepancy", "share of steps,\nco-player less agent", difference("co_player_cleaning", "cleaning")
    ),
    Panel("zapping", "zaps a step", measured("zaps")),
)
SURROUNDINGS = (
    Panel("co-player's reward", "apples a step", measured("co_player_reward")),
    Panel("pollution", "dirty cells", measured("dirt")),
    Panel("apples", "apples on the grid", measured("apples")),
)


def tuned(config: Config, method: Method) -> Config:
    """Return the run of a method at the settings that the paper gives it (its tables of CleanUp-lite settings)."""
    config = with_method(config, method)
    if method == "coala":
        return config
    if config.p_naive < 1:
        return replace(config, meta=replace(config.meta, learning_rate=0.03))
    rate = 3e-3 if method == "m_fos" else 1e-3
    return replace(config, meta=replace(config.meta, reward_scale=1.0, learning_rate=rate))


def lines_of(settings: Settings, method: Method, seed: int, folder: Path) -> list[Line]:
    """Return the metrics of one run, recorded or trained now."""
    config = (tuned if settings.tuned else with_method)(TRAINING[settings.preset], method)
    config = replace(config, iterations=settings.iterations)
    return recorded.lines(config, f"{settings.preset}-{method}", (seed,), folder, checkpoint_every=50)


def arrays(panels: tuple[Panel, ...]) -> dict[str, tuple[str, str]]:
    """Return the axes and units of what `compute` returns."""
    return {
        "iteration": ("line", "iterations"),
        **{f"* {panel.title}": ("seed line", panel.label.replace("\n", " ")) for panel in panels},
    }


def compute(panels: tuple[Panel, ...], settings: Settings, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Return each panel's measure [seeds, lines] by method and kind of co-player, averaged over agents and episodes."""
    mixed = TRAINING[settings.preset].p_naive < 1
    kinds = [kind for kind in KINDS if mixed or kind == "against_naive"]
    wanted = [(method, seed) for method in METHODS for seed in settings.seeds]
    series: dict[str, list[Any]] = {}
    iteration = np.zeros(0)
    for i, (method, seed) in enumerate(wanted):
        lines = lines_of(settings, method, seed, folder)
        iteration = np.array([line["iteration"] for line in lines])
        for kind in kinds:
            for panel in panels:
                over_training = [np.nanmean(panel.value(line[kind])) for line in lines]
                series.setdefault(f"{method} {kind} {panel.title}", []).append(over_training)
        progress((i + 1) / len(wanted))
    return {"iteration": iteration, **{name: np.asarray(values) for name, values in series.items()}}


def plot(panels: tuple[Panel, ...], data: Arrays, settings: Settings) -> Figure:
    """Draw a row of panels: a colour a method, solid against naive learners, dashed against meta agents."""
    figure, axes = plt.subplots(1, len(panels), figsize=(2.4 * len(panels), 2.7))
    kinds = [kind for kind in KINDS if f"coala {kind} {panels[0].title}" in data]
    for axis, panel, letter in zip(axes, panels, "ABC", strict=True):
        for method in METHODS:
            for kind in kinds:
                values = data[f"{method} {kind} {panel.title}"]
                _draw(axis, data["iteration"], values, COLORS[method], KINDS[kind][1])
        axis.set(xlabel="iteration", ylabel=panel.label, title=f"{letter}  {panel.title}")
    handles = [Line2D([], [], color=COLORS[method], label=label) for method, label in METHODS.items()]
    if len(kinds) > 1:
        handles += [Line2D([], [], color="0.4", linestyle=KINDS[kind][1], label=KINDS[kind][0]) for kind in kinds]
    several = len(settings.seeds) > 1
    title = f"mean over {len(settings.seeds)} seeds, band ± one standard deviation" if several else "one seed"
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), title=title, title_fontsize=7, handlelength=1.6
    )
    return figure


def _draw(axis: Axes, x: np.ndarray[Any, Any], values: np.ndarray[Any, Any], colour: str, style: str) -> None:
    mean, deviation = values.mean(0), values.std(0)
    axis.plot(x, mean, color=colour, linestyle=style)
    axis.fill_between(x, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0)
