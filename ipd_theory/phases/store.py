"""Results of sweeps: a zarr group with one long axis `cell`, written block by block and read as a grid.

A block's data is written before its mark in `finished`, each of whose chunks is renamed into place whole. What has
no mark is computed again, so a store can be left at any moment.
"""

import dataclasses
import json
import math
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from ipd_theory._extras import needs
from ipd_theory.phases import outcomes
from ipd_theory.phases.grid import ABOUT, Sweep

with needs("phases"):
    import xarray as xr
    import zarr


def described(sweep: Sweep) -> dict[str, Any]:
    """Return what a store records of its sweep, and what must be the same to go on with it."""
    versions = {name: version(name) for name in ("ipd-theory", "jax")}
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(sweep)))
    machine = {"platform": jax.devices()[0].platform, "x64": jax.config.read("jax_enable_x64")}
    return {**plain, "versions": versions, **machine}


def create(sweep: Sweep, path: Path) -> None:
    """Make an empty store under another name and rename it, so that none is ever half made."""
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    group = zarr.open_group(partial, mode="w", zarr_format=3)
    group.attrs["settings"] = described(sweep)
    cells = sweep.cells()
    count, per_block = len(cells["p_naive"]), sweep.cells_per_block
    for name, column in cells.items():
        group.create_array(name, data=column, dimension_names=("cell",))
    for name in ("logits", *outcomes.Measures._fields):
        names = ("agent", "context") if name == "logits" else ("agent",)
        shape = (sweep.num_agents, 5)[: len(names)]
        group.create_array(
            name,
            shape=(count, sweep.seeds, *shape),
            chunks=(per_block, sweep.seeds, *shape),
            dtype=sweep.dtype,
            fill_value=math.nan,
            dimension_names=("cell", "seed", *names),
        )
    group.create_array(
        "finished", shape=(sweep.num_blocks,), chunks=(1,), dtype="uint8", fill_value=0, dimension_names=("block",)
    )
    os.replace(partial, path)


def open_same(sweep: Sweep, path: Path) -> zarr.Group:
    """Open the store for writing, or raise `ValueError` naming the setting in which it differs from the sweep."""
    group = zarr.open_group(path, mode="r+")
    stored: Any = group.attrs.get("settings", {})
    wanted = described(sweep)
    for name, value in wanted.items():
        if stored.get(name) != value:
            raise ValueError(f"{path} holds a sweep with {name} {stored.get(name)}, not {value}; use another path")
    return group


def missing_blocks(group: zarr.Group) -> list[int]:
    """Return the blocks without a mark."""
    marks = np.asarray(_array(group, "finished")[:])
    return [int(i) for i in np.flatnonzero(marks == 0)]


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def write(group: zarr.Group, sweep: Sweep, block: int, arrays: dict[str, Any]) -> None:
    """Write a block's data, then its mark."""
    begin = block * sweep.cells_per_block
    bad = ~np.isfinite(arrays["logits"]).all((1, 2, 3))
    if bad.any():
        cell = {name: column[begin + bad.argmax()] for name, column in sweep.cells().items()}
        raise FloatingPointError(f"a pool's logits stopped being finite at {cell}")
    for name, x in arrays.items():
        _array(group, name)[begin : begin + len(x)] = x
    _array(group, "finished")[block] = 1


def load(path: Path) -> xr.Dataset:
    """Return a store's grid: measures and logits over (axes…, seed, agent), NaN where not yet computed.

    The Dataset has the `Outcome` of every run as `outcome` (−1 where not yet computed), the sweep's settings as
    attributes, and a long name, units and, for outcomes, the names of the values with every variable (CF conventions).
    """
    with xr.open_zarr(path, consolidated=False, chunks=None) as opened:
        long = opened.load()
    settings = long.attrs["settings"]
    axes = {name: np.asarray(values) for name, values in settings["axes"]}
    shape = tuple(len(values) for values in axes.values())
    data = {
        name: ((*axes, *x.dims[1:]), x.values.reshape(*shape, *x.shape[1:]))
        for name, x in long.items()
        if x.dims[0] == "cell" and name not in axes
    }
    grid = xr.Dataset(data, coords=axes, attrs=settings)
    grid = grid.assign(outcome=((*axes, "seed"), _outcome_of(grid)))
    for name, about in _described_variables().items():
        if name in grid.variables:
            grid[name].attrs |= about
    return grid


def _described_variables() -> dict[str, dict[str, Any]]:
    """Return the attributes of every variable of a grid."""
    measures = {name: {"long_name": words, "units": units} for name, (words, units) in outcomes.ABOUT.items()}
    kinds = list(outcomes.Outcome)
    return {
        **ABOUT,
        **measures,
        "logits": {"long_name": "logits of cooperation at the start and after CC, CD, DC, DD", "units": "1"},
        "outcome": {
            "long_name": "what became of the pool",
            "units": "1",
            "flag_values": np.array(kinds, dtype=np.int64),
            "flag_meanings": " ".join(kind.label for kind in kinds),
        },
    }


def _outcome_of(grid: xr.Dataset) -> Int[np.ndarray, "..."]:
    """Return the `Outcome` of every run, −1 where it is not yet computed."""
    measures = outcomes.Measures(*(grid[name].values for name in outcomes.Measures._fields))
    R, P = (grid[name].broadcast_like(grid["among_meta"].isel(agent=0)).values for name in "RP")
    return np.where(np.isnan(measures.among_meta).any(-1), -1, outcomes.classify(measures, R, P))
