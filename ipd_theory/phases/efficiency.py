"""How much of what could be gained from naive learners the agents of a stored sweep gain; further measures of its grid.

What could be gained belongs to a cell, not to a run: the best fixed policy against the cell's learners, whoever was
trained there. It is looked for once a cell (`learning.pool_efficiency`), against learners that are evenly spread and
the same in every cell, and every agent of the cell is held to it against these very learners. `against_naive`, which is
measured against learners that are drawn, is not compared with it.

A cell's agents play fixed policies, and the best is looked for among those of their memory: none is above it, but for
what ascent may miss.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.learning import pool_efficiency
from ipd_theory.phases import store
from ipd_theory.phases.drift import sobol_learners
from ipd_theory.phases.grid import Sweep

with needs("phases"):
    import xarray as xr
    import zarr

TOGETHER = 64  # cells, at most, whose best policies are looked for side by side
LAST = "best_even"  # is written, so that a cell that has it has all else; an efficiency may be NaN for good
ABOUT = {  # long name and units of each measure
    "against_even": ("return of an agent against evenly spread naive learners, over their whole path", "payoff"),
    "defector_even": ("return of ALLD against evenly spread naive learners, over their whole path", "payoff"),
    "best_even": ("return of the best fixed policy against evenly spread naive learners, over their path", "payoff"),
    "efficiency": ("share that an agent gains of what the best fixed policy gains over ALLD", "1"),
}


@checked
def measure(
    sweep: Sweep,
    path: Path,
    progress: Callable[[float], None] = lambda done: None,
    *,
    log2_learners: int = 4,
    starts: int = 6,
    steps: int = 80,
) -> xr.Dataset:
    """Return a stored sweep's grid with its agents' efficiency, which the store keeps; what it has is not found again.

    Args:
        sweep: the grid.
        path: its store, all of whose runs are computed.
        progress: called with the fraction done, 0 to 1.
        log2_learners: 2^k learners are led.
        starts: of ascent in each cell.
        steps: of ascent.

    Raises:
        ValueError: if the store holds another sweep or lacks some of its runs, or a number is out of range.
    """
    learners = sobol_learners(_checks.whole("log2_learners", log2_learners, 0, 12))
    how = {"log2_learners": log2_learners, "starts": _checks.whole("starts", starts, 2, 64)}
    how |= {"steps": _checks.whole("steps", steps, 0)}
    if not path.exists():
        raise ValueError(f"path must be a store, which sweep.run makes; there is no {path}")
    group = store.open_same(sweep, path)
    if store.missing_blocks(group):
        raise ValueError(f"path must be a store that is finished; {path} lacks runs, which sweep.run computes")
    place, logits = (np.asarray(group[name]) for name in ("place", "logits"))
    kept = {name: _array(group, name, logits, how) for name in ABOUT}
    found = {name: np.asarray(array) for name, array in kept.items()}
    unknown = np.logical_or.reduce([np.isnan(found[name]) for name in ABOUT if name != "efficiency"])
    owed = np.flatnonzero(unknown[place].any((1, 2)))
    for first in range(0, len(owed), TOGETHER):
        cells = owed[first : first + TOGETHER]
        for name, values in _of_cells(sweep, cells, logits[place[cells]], learners, starts, steps).items():
            found[name][place[cells]] = values
        for name in sorted(kept, key=LAST.__eq__):
            kept[name][:] = found[name]
        progress((first + len(cells)) / len(owed))
    return store.load(path)


def _array(group: zarr.Group, name: str, logits: np.ndarray, how: dict[str, int]) -> Any:
    """Return the store's array of a measure, made anew unless it was measured in this way."""
    if name in group and group[name].attrs.get("measured") == how:
        return group[name]
    long_name, units = ABOUT[name]
    return group.create_array(
        name,
        shape=logits.shape[:2],
        dtype=logits.dtype,
        fill_value=np.nan,
        dimension_names=("position", "agent"),
        attributes={"long_name": long_name, "units": units, "measured": how},
        overwrite=True,
    )


def _of_cells(
    sweep: Sweep,
    cells: Int[np.ndarray, " cells"],
    logits: Float[np.ndarray, "cells seeds agents h"],
    learners: Any,
    starts: int,
    steps: int,
) -> dict[str, Float[np.ndarray, "cells seeds agents"]]:
    """Return every measure of some cells' agents; the block is filled up with the last, for one program serves all."""
    filled = np.minimum(np.arange(min(TOGETHER, math.prod(sweep.shape))), len(cells) - 1)
    pool = sweep.pool({name: column[cells[filled]] for name, column in sweep.cells().items()})
    by_seed = np.moveaxis(logits[filled], 1, 0)
    shares = pool_efficiency.shares_of(pool, by_seed, learners, starts=starts, steps=steps)
    values = (shares.value, shares.defection, shares.bound, shares.efficiency)
    return {name: np.moveaxis(np.asarray(x), 0, 1)[: len(cells)] for name, x in zip(ABOUT, values, strict=True)}
