"""Phases over the weight of naive learners and the learner's step, at two discounts, from two starts.

From random policies pools find three phases. From near unconditional defection a pool can only leave where defection
is unstable; the black line is where the theory says so (`phases.boundaries`), which does not depend on p_naive > 0.
Leaving defection is not yet cooperation: most pools that leave it end in extortion.

At the quick preset the pools that leave defection are in all 200 cells those of which the theory says so. At the
window's lower edge, at a step of 0.6, they count as defecting all the same: they come to answer cooperation (0.18
after DC), which moves learners by less than the ⅓ that extortion takes. Agents that start at 0.01 instead of 0.001
stay at a step of 51 where p_naive is small, up to 0.03 (γ = 0.9) and 0.05 (γ = 0.98): they cooperate with each other
more often than the naive learners' weight pays for, as trembling ones do.
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

    cells: int = 10
    inner_episodes: int = 20
    discounts: tuple[float, ...] = (0.9, 0.98)
    p_naive: tuple[float, float] = (0.01, 1.0)
    learning_rate: tuple[float, float] = (0.1, 300.0)


ABOUT = About(
    "phase-step",
    OURS,
    40,
    phase_map.arrays("p_naive", "step η"),
    keeps="sweeps",
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(cells=64, seeds=32, steps=4000, meta_rate=0.01, num_learners=16),
}


def panels(settings: Settings, seed: int) -> dict[str, Sweep]:
    """Return the sweeps by title: each discount from random policies, then each from near defection."""
    axes = (
        Axis("p_naive", tuple(np.geomspace(*settings.p_naive, settings.cells).tolist())),
        Axis("learning_rate", tuple(np.geomspace(*settings.learning_rate, settings.cells).tolist())),
    )
    return {
        f"γ = {discount}, from {words}": settings.sweep(
            axes,
            Cell(discount=discount, inner_episodes=settings.inner_episodes),
            seed,
            near_defection=near,
        )
        for near, words in phase_map.STARTS
        for discount in settings.discounts
    }


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Run the four sweeps."""
    return phase_map.compute_panels("phase-step", panels(settings, seed), progress, folder)


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the four maps, with the predicted boundary of defection where pools start near it."""
    figure, grid = subplots(2, len(settings.discounts), figsize=(6.8, 5.6), sharex=True, sharey=True)
    phase_map.draw_panels(list(grid.flat), arrays, list(panels(settings, 0).items()))
    phase_maps.name_outcomes(figure, arrays["outcome"], extra=(phase_maps.PREDICTED, phase_map.LEFT))
    return figure
