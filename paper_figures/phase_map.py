"""What the phase diagrams share: sweeps kept on disk, the map of outcomes, and its preview in a terminal.

The theory of `phases.drift` says from where agents leave unconditional defection, and not where they end. So its
line is held against the pools that have left it (`phases.boundaries.left_defection`). Cells most of whose pools have
left and still count as defecting, because they gain less than ⅓ by shaping (`phases.outcomes`), have a dot.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ipd_theory.drawing import phase_maps
from ipd_theory.phases import store
from ipd_theory.phases import sweep as sweeps
from ipd_theory.phases.boundaries import boundary_agreement, left_defection, unstable_cells
from ipd_theory.phases.grid import ABOUT, Axis, Cell, Sweep
from ipd_theory.phases.outcomes import Outcome, majority
from paper_figures.pools import part
from paper_figures.run import Arrays

Array = np.ndarray[Any, Any]

BLOCK = 224  # runs in a block of a figure's sweep: a whole map of a quick preset, seven cells of a paper one
LEFT = Line2D([], [], color="white", mec="black", marker="o", ms=4, lw=0, label="left it, gains < ⅓ by shaping")


@dataclasses.dataclass(frozen=True)
class MapTraining:
    """How the pools of a map are trained; `start` is the probability of cooperation near defection.

    Agents that start at `start` cooperate with each other as often, like trembling ones (`phases.drift`), which
    at first asks for more than a small p_naive: from 0.01, cells with p_naive of 0.01 to 0.05 stayed that leave from
    0.001.
    """

    seeds: int = 2
    steps: int = 1000
    meta_rate: float = 0.02
    num_learners: int = 4
    start: float = 0.001

    def sweep(self, axes: tuple[Axis, ...], cell: Cell, seed: int, *, near_defection: bool) -> Sweep:
        """Return the sweep of a map, from random policies or from near defection."""
        return Sweep(
            axes,
            cell,
            seeds=self.seeds,
            steps=self.steps,
            meta_rate=self.meta_rate,
            num_learners=self.num_learners,
            start=self.start if near_defection else None,
            block=BLOCK,
            seed=seed,
        )


STARTS = ((False, "random policies"), (True, "near defection"))


def arrays(x: str, y: str) -> dict[str, tuple[str, str]]:
    """Return the axes and units of what `compute_panels` returns, of maps over x and y."""
    return {
        "x": ("x", x),
        "y": ("y", y),
        "outcome": ("panel x y seed", "number of the Outcome"),
        "among_meta": ("panel x y", "payoff a step"),
        "unstable": ("panel x y", "truth value"),
        "left": ("panel x y seed", "truth value"),
    }


def compute_panels(name: str, panels: dict[str, Sweep], progress: Callable[[float], None], folder: Path) -> Arrays:
    """Run the sweeps of a figure, all over the same two axes, and predict where defection is unstable in each.

    Args:
        name: of the figure, for the stores.
        panels: the sweeps by their titles.
        progress: called with the fraction done.
        folder: where the sweeps are kept, so that a kill loses nothing.

    Returns:
        `x` [n] and `y` [m], `outcome` [panels, n, m, seeds], `among_meta` [panels, n, m], `unstable` [panels, n, m]
        and `left` [panels, n, m, seeds], which is False where pools do not start near defection.
    """
    grids = []
    for i, sweep in enumerate(panels.values()):
        share = part(progress, i / len(panels), (i + 1) / len(panels))
        # Of the versions and the platform as well: a store that others made is left alone, not an error.
        grids.append(sweeps.run(sweep, folder / f"{name}-{store.fingerprint(sweep)}.zarr", share))
    x, y = (axis.name for axis in next(iter(panels.values())).axes)
    return {
        "x": grids[0][x].values,
        "y": grids[0][y].values,
        "outcome": np.stack([grid.outcome.values for grid in grids]),
        "among_meta": np.stack([grid.among_meta.mean(("seed", "agent")).values for grid in grids]),
        "unstable": np.stack([unstable_cells(sweep) for sweep in panels.values()]),
        "left": np.stack([_left(grid, sweep.start) for grid, sweep in zip(grids, panels.values(), strict=True)]),
    }


def _left(grid: xr.Dataset, start: float | None) -> Array:
    return np.zeros(grid.outcome.shape, bool) if start is None else left_defection(grid.logits.values, start)


def agreement(unstable: Array, left: Array) -> float:
    """Return the share of the measured boundary's cells within one cell of the predicted one.

    Args:
        unstable: [n, m] where the theory predicts that defection is left.
        left: [n, m, seeds] which pools left it; a cell did where most of its seeds did.
    """
    return boundary_agreement(unstable, left.mean(-1) > 0.5)


def draw_panels(grid: list[Axes], arrays: Arrays, panels: list[tuple[str, Sweep]]) -> None:
    """Draw the maps of `compute_panels`; those that start near defection with its predicted boundary.

    Dots mark cells most of whose pools left defection and still count as that phase: they shape learners too little.

    Args:
        grid: an axes for each panel.
        arrays: what `compute_panels` returned.
        panels: titles and sweeps.
    """
    x, y = arrays["x"], arrays["y"]
    for i, (axes, (title, sweep)) in enumerate(zip(grid, panels, strict=True)):
        outcomes = arrays["outcome"][i]
        phase_maps.draw_outcomes(axes, x, y, outcomes)
        x_name, y_name = (ABOUT[axis.name]["long_name"] for axis in sweep.axes)
        axes.set(xlabel=x_name, ylabel=y_name)
        if sweep.start is not None:
            left = arrays["left"][i]
            phase_maps.outline(axes, x, y, arrays["unstable"][i])
            columns, rows = np.nonzero((left.mean(-1) > 0.5) & (majority(outcomes)[0] == int(Outcome.DEFECTION)))
            axes.plot(x[columns], y[rows], "o", color="white", ms=1.8)
            title += f"\nedge within a cell of theory: {agreement(arrays['unstable'][i], left):.0%}"
        axes.set_title(title, fontsize=7)
        axes.label_outer()
