"""Phases of pools whose agents remember one outcome, and two: does longer memory widen cooperation?

Both maps have the same cells, the same seeds and the same training; naive learners remember one outcome in both. Above,
what became of the pools, below, what agents earn among each other. The titles say in what share of the cells pools end
in cooperation, which is not exploitable (`phases.outcomes`): the mean over seeds ± their standard deviation. Training
is short: of the quick preset's pools, 1,000 steps in place of 600 bring 14% and 31% to cooperation.
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing import phase_maps
from ipd_theory.phases import store
from ipd_theory.phases import sweep as sweeps
from ipd_theory.phases.grid import ABOUT as SETTINGS
from ipd_theory.phases.grid import Axis, Cell, Sweep
from ipd_theory.phases.outcomes import Outcome
from paper_figures.about import OURS, About
from paper_figures.pools import part
from paper_figures.run import Arrays

LANES = 16
X, Y = "p_naive", "learning_rate"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The maps' cells and how their pools are trained."""

    memories: tuple[int, ...] = (1, 2)
    p_naive: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    learning_rate: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0, 256.0)
    inner_episodes: int = 10
    seeds: int = 4
    steps: int = 600
    meta_rate: float = 0.05
    num_learners: int = 2

    def sweep(self, memory: int, seed: int) -> Sweep:
        """Return the sweep of one memory."""
        runs = len(self.p_naive) * len(self.learning_rate) * self.seeds
        return Sweep(
            (Axis(X, self.p_naive), Axis(Y, self.learning_rate)),
            Cell(inner_episodes=self.inner_episodes),
            seeds=self.seeds,
            steps=self.steps,
            meta_rate=self.meta_rate,
            memory=memory,
            num_learners=self.num_learners,
            block=LANES * math.ceil(min(runs, 1024) / LANES),
            seed=seed,
        )


ABOUT = About(
    "phase-memory",
    OURS,
    130,
    {
        "x": ("x", "p_naive, weight of naive learners"),
        "y": ("y", "learner's step η"),
        "outcome": ("memory x y seed", "number of the Outcome"),
        "among_meta": ("memory x y", "payoff a step"),
    },
    remark="at these settings it does: of 100 pools 11 end in cooperation with memory one and 25 with memory two (26 "
    "where sums are rounded otherwise), more in three of the four seeds, up to η = 16 and up to η = 256; in 2 and in 4 "
    "of the 25 cells most seeds do, in 6 and in 13 at least one. Extortion takes 46 and 42, defection 42 and 23. With "
    "p_naive of 0.7 and more neither cooperates, but for two pools.",
    keeps="phases",
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(
        p_naive=tuple(np.linspace(0.05, 0.95, 10).round(3).tolist()),
        learning_rate=tuple(np.geomspace(0.5, 500, 10).round(3).tolist()),
        inner_episodes=20,
        seeds=8,
        steps=2000,
        meta_rate=0.02,
        num_learners=8,
    ),
}


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Run a sweep for each memory."""
    grids = []
    for i, memory in enumerate(settings.memories):
        sweep, n = settings.sweep(memory, seed), len(settings.memories)
        path = folder / f"phase-memory-{store.fingerprint(sweep)}.zarr"
        grids.append(sweeps.run(sweep, path, part(progress, i / n, (i + 1) / n)))
    return {
        "x": np.asarray(settings.p_naive),
        "y": np.asarray(settings.learning_rate),
        "outcome": np.stack([grid.outcome.values for grid in grids]),
        "among_meta": np.stack([grid.among_meta.mean(("seed", "agent")).values for grid in grids]),
    }


def cooperative(outcomes: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the share of cells whose pool ends in cooperation, the mean over seeds and their standard deviation.

    Args:
        outcomes: [x, y, seeds] of `Outcome`.
    """
    shares = (outcomes == int(Outcome.COOPERATION)).mean((0, 1))
    return float(shares.mean()), float(shares.std(ddof=1)) if len(shares) > 1 else 0.0


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw a column of maps for each memory."""
    x, y = arrays["x"], arrays["y"]
    figure, grid = subplots(2, len(settings.memories), figsize=(6.4, 5.0), sharex=True, sharey=True, squeeze=False)
    low, high = min(0.0, arrays["among_meta"].min()), max(1.0, arrays["among_meta"].max())
    borders = [phase_maps.edges(values, phase_maps.is_log(values)) for values in (x, y)]
    for i, memory in enumerate(settings.memories):
        above, below = grid[:, i]
        phase_maps.draw_outcomes(above, x, y, arrays["outcome"][i])
        mean, deviation = cooperative(arrays["outcome"][i])
        above.set_title(f"memory {memory}: cooperation in {mean:.0%} ± {deviation:.0%}", fontsize=8)
        drawn = below.pcolormesh(*borders, arrays["among_meta"][i].T, cmap="cividis", vmin=low, vmax=high)
        below.set_title(f"return among agents: {arrays['among_meta'][i].mean():.2f} on average", fontsize=8)
        below.set_xlabel(SETTINGS[X]["long_name"])
    for axes in grid[:, 0]:
        axes.set_ylabel(SETTINGS[Y]["long_name"])
    figure.colorbar(drawn, ax=list(grid[1]), label="payoff a step")
    phase_maps.name_outcomes(figure, arrays["outcome"], ncol=4)
    return figure
