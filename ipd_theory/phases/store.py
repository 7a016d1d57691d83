"""Results of sweeps: a zarr group in which runs lie block by block, read as a grid.

A block's data is written before its mark in `finished`, each of whose chunks is renamed into place whole. What has
no mark is computed again, so a store can be left at any moment. `place` says where each run lies: runs that were taken
from other stores come first, then the blocks, each a chunk of its own.
"""

import dataclasses
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.phases import outcomes
from ipd_theory.phases.grid import ABOUT, Sweep
from ipd_theory.strategies import contexts, memory_of, num_contexts

with needs("phases"):
    import xarray as xr
    import zarr

LAYOUT = 2
UNSAID = {"memory": 1}  # settings that stores name only where they have another value
OF_RUNS = ("axes", "cell", "seeds")  # settings in which sweeps may differ that have runs in common


@checked
def described(sweep: Sweep) -> dict[str, Any]:
    """Return what a store records of its sweep, and what must be the same to go on with it."""
    versions = {name: version(name) for name in ("ipd-theory", "jax")}
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(sweep)))
    plain = {name: value for name, value in plain.items() if name not in UNSAID or value != UNSAID[name]}
    plain["cell"] = {name: value for name, value in plain["cell"].items() if value is not None}
    machine = {"platform": jax.devices()[0].platform, "x64": jax.config.read("jax_enable_x64")}
    return {**plain, "largest_inner_episodes": sweep.longest, "versions": versions, **machine, "layout": LAYOUT}


@checked
def fingerprint(sweep: Sweep) -> str:
    """Return a name for a sweep that no other sweep, version or platform has."""
    return hashlib.sha256(repr(sorted(described(sweep).items())).encode()).hexdigest()[:12]


def difference(sweep: Sweep, path: Path) -> tuple[str, str] | None:
    """Return the first setting in which a store's sweep differs from this one, and words for it; None if in none.

    Settings in which sweeps may differ that have runs in common come last.
    """
    settings: Any = zarr.open_group(path, mode="r").attrs.get("settings", {})
    stored, wanted = UNSAID | settings, UNSAID | described(sweep)
    for name in sorted(wanted, key=OF_RUNS.__contains__):
        there, here = stored.get(name), wanted[name]
        if there == here:
            continue
        if name == "axes" and there:
            before, now = ({axis: len(values) for axis, values in axes} for axes in (there, here))
            if before == now:
                differing = next(a[0] for a, b in zip(there, here, strict=True) if a != b)
                return name, f"other values of {differing}"
            points = [", ".join(f"{axis} ({n} values)" for axis, n in x.items()) or "none" for x in (before, now)]
            return name, f"axes {points[0]}, not {points[1]}"
        if name == "cell" and there:
            name = next(key for key in {**here, **there} if there.get(key) != here.get(key))
            return "cell", f"{name} {there.get(name)}, not {here.get(name)}"
        return name, f"{name} {there}, not {here}"
    return None


def create(sweep: Sweep, path: Path, reuse: Iterable[Path] = ()) -> None:
    """Make a store under another name and rename it, so that none is ever half made.

    Args:
        sweep: what it is for.
        path: the store; if another process has made it meanwhile, that one stays.
        reuse: other stores; their finished runs that are also runs of this sweep are taken over.
    """
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        _lay_out(sweep, partial, _taken_over(sweep, reuse))
        os.replace(partial, path)
    except OSError:
        if not path.exists():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _lay_out(sweep: Sweep, path: Path, taken: dict[int, dict[str, Any]]) -> None:
    """Write an empty store but for the runs taken over, by their numbers."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.attrs["settings"] = described(sweep)
    group.attrs["taken_over"] = len(taken)
    for name, column in sweep.cells().items():
        group.create_array(name, data=column, dimension_names=("cell",))
    first = sweep.block * math.ceil(len(taken) / sweep.block)  # blocks begin at a chunk of their own
    new = np.setdiff1d(np.arange(sweep.num_runs), list(taken))
    place = np.zeros(sweep.num_runs, np.int64)
    place[list(taken)], place[new] = np.arange(len(taken)), first + np.arange(len(new))
    group.create_array("place", data=place.reshape(-1, sweep.seeds), dimension_names=("cell", "seed"))
    for name in ("logits", *outcomes.Measures._fields):
        names = ("agent", "context") if name == "logits" else ("agent",)
        shape = (sweep.num_agents, num_contexts(sweep.memory))[: len(names)]
        array = group.create_array(
            name,
            shape=(first + len(new), *shape),
            chunks=(sweep.block, *shape),
            dtype=sweep.dtype,
            fill_value=math.nan,
            dimension_names=("position", *names),
        )
        if taken:
            array[: len(taken)] = np.stack([run[name] for run in taken.values()])
    blocks = math.ceil(len(new) / sweep.block)
    group.create_array(
        "finished", shape=(blocks,), chunks=(1,), dtype="uint8", fill_value=0, dimension_names=("block",)
    )


def _taken_over(sweep: Sweep, stores: Iterable[Path]) -> dict[int, dict[str, Any]]:
    """Return the data of every run of this sweep that one of the stores holds, by the run's number."""
    taken: dict[int, dict[str, Any]] = {}
    columns = sweep.cells()
    cells = {settings: i for i, settings in enumerate(zip(*columns.values(), strict=True))}
    for path in stores:
        found = difference(sweep, path)
        if found is not None and found[0] not in OF_RUNS:
            continue
        group = zarr.open_group(path, mode="r")
        if ("R2" in group) != ("R2" in columns):  # agents have roles in one of the two alone
            continue
        place = np.asarray(_array(group, "place")[:])
        data = {name: np.asarray(_array(group, name)[:])[place] for name in ("logits", *outcomes.Measures._fields)}
        there = zip(*(np.asarray(_array(group, name)[:]) for name in columns), strict=True)
        done = ~np.isnan(data["among_meta"]).any(-1) & _is_finished(group, place)
        for i, settings in enumerate(there):
            for seed in np.flatnonzero(done[i]) if settings in cells else ():
                if seed < sweep.seeds:
                    taken[cells[settings] * sweep.seeds + int(seed)] = {name: x[i, seed] for name, x in data.items()}
    return dict(sorted(taken.items()))


def _is_finished(group: zarr.Group, place: Int[np.ndarray, "cells seeds"]) -> np.ndarray:
    """Return which runs [cells, seeds] are taken over or in a block with a mark."""
    settings: Any = group.attrs["settings"]
    block = settings["block"]
    taken: Any = group.attrs["taken_over"]
    marks = np.append(np.asarray(_array(group, "finished")[:]), 0)
    number = place // block - math.ceil(taken / block)
    return np.asarray((number < 0) | (marks[number] == 1))


def open_same(sweep: Sweep, path: Path) -> zarr.Group:
    """Open the store for writing, or raise `ValueError` naming the setting in which it differs from the sweep."""
    found = difference(sweep, path)
    if found is not None:
        raise ValueError(f"{path} holds a sweep with {found[1]}; use another path")
    return zarr.open_group(path, mode="r+")


def missing_blocks(group: zarr.Group) -> list[int]:
    """Return the blocks without a mark."""
    marks = np.asarray(_array(group, "finished")[:])
    return [int(i) for i in np.flatnonzero(marks == 0)]


def runs_of(group: zarr.Group, sweep: Sweep, block: int) -> Int[np.ndarray, " runs"]:
    """Return the numbers of a block's runs: cell times seeds plus seed."""
    taken: Any = group.attrs["taken_over"]
    new = np.argsort(np.asarray(_array(group, "place")[:]).reshape(-1))[taken:]
    return new[block * sweep.block : (block + 1) * sweep.block]


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def write(group: zarr.Group, sweep: Sweep, block: int, arrays: dict[str, Any]) -> None:
    """Write a block's data [runs, …], then its mark."""
    bad = ~np.isfinite(arrays["logits"]).all((1, 2))
    runs = runs_of(group, sweep, block)
    if bad.any():
        cell = {name: float(column[runs[bad.argmax()] // sweep.seeds]) for name, column in sweep.cells().items()}
        raise FloatingPointError(f"a pool's logits stopped being finite at {cell}")
    taken: Any = group.attrs["taken_over"]
    begin = sweep.block * (math.ceil(taken / sweep.block) + block)
    for name, x in arrays.items():
        _array(group, name)[begin : begin + len(x)] = x
    _array(group, "finished")[block] = 1


@checked
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
    place = long["place"].values
    data = {
        name: ((*axes, "seed", *x.dims[1:]), x.values[place].reshape(*shape, place.shape[1], *x.shape[1:]), x.attrs)
        for name, x in long.items()
        if x.dims[0] == "position"
    }
    data |= {
        name: (tuple(axes), x.values.reshape(shape)) for name, x in long.items() if name in ABOUT and name not in axes
    }
    labels = contexts(memory_of(long["logits"].values))
    grid = xr.Dataset(data, coords={**axes, "context": labels}, attrs=UNSAID | settings)
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
        "logits": {"long_name": "logits of cooperation in each context, the start first", "units": "1"},
        "context": {"long_name": "what an agent remembers, own action first, latest outcome last", "units": "1"},
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

    def payoff(name: str) -> np.ndarray:
        return np.asarray(grid[name].broadcast_like(grid["among_meta"].isel(agent=0)).values)

    player_2 = (payoff("R2"), payoff("P2")) if "R2" in grid.variables else None
    named = outcomes.classify(measures, payoff("R"), payoff("P"), player_2=player_2)
    return np.where(np.isnan(measures.among_meta).any(-1), -1, named)
