r"""Grids of pools, many seeds a cell, trained exactly over all devices of all processes, and stored as they finish.

The cells of a grid times its seeds are runs. Runs are computed in blocks of one fixed size, the only program that is
compiled. Processes share the blocks out, and each of a process's devices works on a block of its own. No number of one
run enters another's, and all arithmetic is elementwise over runs, so a cell comes out the same, bit for bit, whatever
shares its block and however many devices and processes take part; a single run is the same program with one cell.
That is why every device runs the program that one device would run: a program partitioned over several devices is
compiled differently, and on processors its results differ in the last bit.

Seed s of every cell sees the same random numbers (first policies and naive learners), so that neighbouring cells
differ by their settings alone.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Array, Int

from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory._extras import needs
from ipd_theory.learning import pool as pools
from ipd_theory.phases import outcomes, store
from ipd_theory.phases.grid import Sweep
from ipd_theory.returns import stopping_rate

with needs("phases"):
    import xarray as xr


@functools.partial(jax.jit, static_argnames="start")
def _begin(pool: pools.Pool, index: Array, seed: Array, start: float | None) -> pools.PoolState:
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(index)
    logits = None
    if start is not None:
        logits = jnp.full((pool.num_agents, pool.contexts), math.log(start / (1 - start)), pool.p_naive.dtype)
    return pools.init(pool, keys, logits)


@compiled("judges")
def _measure(pool: pools.Pool, delta: Array, state: pools.PoolState, judges: int) -> outcomes.Measures:
    keys = jax.vmap(lambda key: jax.random.fold_in(key, 1))(state.key)
    return outcomes.measure(dataclasses.replace(pool, num_learners=judges), delta, state.logits, keys)


class _Block(NamedTuple):
    """A block on its device: settings [runs], stopping rates and the pools in training."""

    pool: pools.Pool
    delta: Array
    state: pools.PoolState


def _prepare(sweep: Sweep, runs: Int[np.ndarray, " runs"], device: jax.Device) -> _Block:
    """Put runs on a device; the block is filled up with the last of them."""
    filled = runs[np.minimum(np.arange(sweep.block), len(runs) - 1)]
    settings = {name: column[filled // sweep.seeds] for name, column in sweep.cells().items()}

    def put(x: Any) -> Array:
        array = np.asarray(x)
        floating = np.issubdtype(array.dtype, np.floating)
        return jax.device_put(array.astype(sweep.dtype) if floating else array, device)

    pool = jax.tree.map(put, sweep.pool(settings))
    delta = put(stopping_rate(settings["discount"], np.dtype(sweep.dtype)))
    index = put((filled % sweep.seeds).astype(np.int32))
    return _Block(pool, delta, _begin(pool, index, put(np.uint32(sweep.seed)), sweep.start))


def _collect(sweep: Sweep, count: int, on: _Block) -> dict[str, np.ndarray]:
    """Return the arrays [count, …] of a trained block's first runs."""
    arrays = {"logits": on.state.logits, **_measure(on.pool, on.delta, on.state, sweep.num_judges)._asdict()}
    return {name: np.asarray(x)[:count] for name, x in arrays.items()}


def _run_blocks(
    sweep: Sweep, blocks: list[Int[np.ndarray, " runs"]], report: Callable[[float], None]
) -> list[dict[str, np.ndarray]]:
    """Train a block on each of some devices, side by side, and return their arrays; steps are only queued here."""
    on = [_prepare(sweep, runs, device) for runs, device in zip(blocks, jax.local_devices(), strict=False)]
    stride = max(1, min(sweep.steps // 8, 100))
    for done in range(0, sweep.steps, stride):
        steps = np.int32(min(stride, sweep.steps - done))
        on = [x._replace(state=pools.advance(x.pool, x.delta, x.state, steps)) for x in on]
        jax.block_until_ready([x.state for x in on])
        report((done + int(steps)) / sweep.steps)
    return [_collect(sweep, len(runs), x) for runs, x in zip(blocks, on, strict=True)]


def _wait_for_all(what: str) -> None:
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


@checked
def run(
    sweep: Sweep, path: Path, progress: Callable[[float], None] = lambda done: None, *, reuse: Iterable[Path] = ()
) -> xr.Dataset:
    """Compute the blocks that the store lacks and return the whole grid.

    Several processes (after `jax.distributed.initialize`) share the blocks and need a common file system.

    Args:
        sweep: the grid.
        path: the store, a folder; made if there is none.
        progress: called with the fraction done, 0 to 1.
        reuse: stores of other sweeps. Where they differ in axes, cells or seeds alone, a new store takes over the runs
            that are the same, bit for bit.

    Raises:
        ValueError: if the store holds a sweep with other settings, versions or platform.
        FloatingPointError: if a run ends in NaN; the message names its cell.
    """
    if sweep.dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise ValueError("dtype is float64, which jax has switched off; set jax_enable_x64")
    if jax.process_index() == 0 and not path.exists():
        store.create(sweep, path, reuse)
    _wait_for_all("the store exists")
    group = store.open_same(sweep, path)
    missing = store.missing_blocks(group)
    _wait_for_all("the missing blocks are listed")
    mine = missing[jax.process_index() :: jax.process_count()]
    before = 1 - len(missing) * sweep.block / max(sweep.num_runs, len(missing) * sweep.block)
    side_by_side = jax.local_device_count()
    for first in range(0, len(mine), side_by_side):
        blocks = mine[first : first + side_by_side]

        def report(done: float, first: int = first, count: int = len(blocks)) -> None:
            progress(before + (1 - before) * (first + done * count) / len(mine))

        runs = [store.runs_of(group, sweep, block) for block in blocks]
        for block, arrays in zip(blocks, _run_blocks(sweep, runs, report), strict=True):
            store.write(group, sweep, block, arrays)
    _wait_for_all("every block is written")
    return store.load(path)
