"""Phases over how long play lasts and how often the naive learner steps, from two starts.

The horizontal axis is the expected number of rounds 1/(1 − γ). On normalised returns the learner's steps do not grow
with it, and what counts is the number M of steps that an agent can shape. The black line is where the theory says that
unconditional defection becomes unstable (`phases.boundaries`). At the quick preset all of the edge of what leaves
defection lies within a cell of it. Leaving is not yet extorting: with M of 2 or 3, or play of 1.5 rounds, agents answer
cooperation after DC (0.13, 0.23 and 1 of the time), but a learner that moves so little, or is met so shortly, yields
less than the ⅓ that extortion takes. At M = 2 two cells leave against the theory, with 4 and 6.5 rounds. There the
drift is −0.010 and −0.001, at p = 0; agents that start at 10⁻⁵ instead of 0.001 stay.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
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

    rounds: tuple[float, ...] = (1.5, 2.5, 4.0, 6.5, 10.0, 16.0, 27.0, 45.0, 75.0, 120.0)
    inner_episodes: tuple[int, ...] = (1, 2, 3, 4, 6, 9, 13, 20, 30)
    p_naive: float = 0.25
    learning_rate: float = 5.0


ABOUT = About(
    "phase-episodes",
    OURS,
    30,
    phase_map.arrays("rounds", "inner episodes"),
    keeps="sweeps",
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(
        rounds=tuple(np.geomspace(1.2, 300, 64).round(4).tolist()),
        inner_episodes=tuple(range(1, 65)),
        seeds=32,
        steps=4000,
        meta_rate=0.01,
        num_learners=16,
    ),
}


def panels(settings: Settings, seed: int) -> dict[str, Sweep]:
    """Return the sweeps by title: from random policies and from near defection."""
    axes = (
        Axis("discount", tuple(1 - 1 / rounds for rounds in settings.rounds)),
        Axis("inner_episodes", settings.inner_episodes),
    )
    return {
        f"from {words}": settings.sweep(
            axes,
            Cell(p_naive=settings.p_naive, learning_rate=settings.learning_rate),
            seed,
            near_defection=near,
        )
        for near, words in phase_map.STARTS
    }


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Run both sweeps."""
    arrays = phase_map.compute_panels("phase-episodes", panels(settings, seed), progress, folder)
    return {**arrays, "x": np.array(settings.rounds)}


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw both maps over the expected number of rounds."""
    figure, grid = subplots(1, 2, figsize=(6.8, 3.3), sharey=True)
    phase_map.draw_panels(list(grid), arrays, list(panels(settings, 0).items()))
    for axes in grid:
        axes.set_xlabel("expected rounds 1/(1 − γ)")
    phase_maps.name_outcomes(figure, arrays["outcome"], extra=(phase_maps.PREDICTED, phase_map.LEFT))
    return figure
