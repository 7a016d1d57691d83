"""Phases over the payoffs T and S of four classic games: prisoner's dilemma, stag hunt, chicken and harmony.

R = 1 and P = 0. The left map is of mixed pools from random policies, the middle one of meta agents alone, the right
one of mixed pools that start near unconditional defection; its black line is where the theory says that defection
becomes unstable (`phases.boundaries`). At the quick preset all of the edge of what leaves defection lies within a cell
of it. Two cells of the stag hunt and one of chicken leave against the theory, which holds at p = 0: of those of the
stag hunt, agents that start at 10⁻⁵ instead of 0.001 stay.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing import phase_maps
from ipd_theory.phases.grid import Axis, Cell, Sweep
from paper_figures import phase_map
from paper_figures.about import OURS, About
from paper_figures.run import Arrays


@dataclasses.dataclass(frozen=True)
class Settings(phase_map.MapTraining):
    """A map's size and the training of its pools."""

    cells: int = 10
    temptation: tuple[float, float] = (0.1, 1.9)
    sucker: tuple[float, float] = (-0.9, 0.9)
    p_naive: float = 0.25


ABOUT = About(
    "phase-payoffs",
    OURS,
    25,
    phase_map.arrays("payoff T", "payoff S"),
    keeps="sweeps",
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(cells=64, seeds=32, steps=4000, meta_rate=0.01, num_learners=16),
}


def panels(settings: Settings, seed: int) -> dict[str, Sweep]:
    """Return the sweeps by title."""
    axes = (
        Axis("T", tuple(np.linspace(*settings.temptation, settings.cells).tolist())),
        Axis("S", tuple(np.linspace(*settings.sucker, settings.cells).tolist())),
    )
    return {
        title: settings.sweep(
            axes,
            Cell(p_naive=p_naive),
            seed,
            near_defection=near,
        )
        for title, p_naive, near in (
            (f"p_naive = {settings.p_naive}, from random policies", settings.p_naive, False),
            ("meta agents alone, from random policies", 0.0, False),
            (f"p_naive = {settings.p_naive}, from near defection", settings.p_naive, True),
        )
    }


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Run the three sweeps."""
    return phase_map.compute_panels("phase-payoffs", panels(settings, seed), progress, folder)


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three maps with the names of the games in their quarters."""
    figure, grid = subplots(1, 3, figsize=(6.8, 2.9), sharey=True)
    phase_map.draw_panels(list(grid), arrays, list(panels(settings, 0).items()))
    for axes in grid:
        name_games(axes)
    phase_maps.name_outcomes(figure, arrays["outcome"], extra=(phase_maps.PREDICTED, phase_map.LEFT))
    return figure


def name_games(axes: Axes) -> None:
    """Divide the map into the four games."""
    axes.axvline(1, color="white", linewidth=0.8)
    axes.axhline(0, color="white", linewidth=0.8)
    for x, y, name in (
        (1.45, -0.45, "prisoner's\ndilemma"),
        (0.55, -0.45, "stag hunt"),
        (1.45, 0.45, "chicken"),
        (0.55, 0.45, "harmony"),
    ):
        axes.text(x, y, name, ha="center", va="center", fontsize=6, bbox={"color": "white", "alpha": 0.7, "pad": 1})
