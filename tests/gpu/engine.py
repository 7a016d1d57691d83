"""Returns, gradients and pools against the limits of the device at hand: `python -m tests.gpu.engine --help`.

Each input must be read once and each result written once, so that the bytes over a measured bandwidth are a bound
from below for the time; so are the operations over the rate of elementwise ones, measured by a chain of them in
registers.
"""

import functools
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import ipd_theory as ipd
from ipd_theory.learning import pool as pools
from tests.benchmarks.returns import GAME, jax_return

REPEATS = 7
CHAIN = 512  # multiply-adds for each element loaded


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Return the median time of a call that waits for its result, after one that compiles."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def row(what: str, value: float, unit: str, share: float | None = None) -> dict[str, Any]:
    """Return one measurement; `share` of what the device can do at most."""
    return {"what": what, "value": value, "unit": unit, "share": share}


def bandwidth(size: int) -> float:
    """Return bytes a second of a copy, read and written."""
    x = jnp.ones(size, jnp.float32)
    return 2 * x.nbytes / seconds(jax.jit(lambda x: x + 1), x)


def elementwise_rate(dtype: np.dtype[Any], size: int) -> float:
    """Return elementwise operations a second, a multiplication and an addition counted as two."""

    @jax.jit
    def chain(x: jax.Array) -> jax.Array:
        y = x
        for _ in range(CHAIN):
            y = y * x + x
        return y

    return 2 * CHAIN * size / seconds(chain, jnp.full(size, 0.5, dtype))


def pairs(dtype: np.dtype[Any], count: int, contexts: int = 5) -> tuple[jax.Array, jax.Array]:
    """Return random strategies [count, contexts] for both players, drawn on the device."""
    keys = jax.random.split(jax.random.key(0))
    p, q = (jax.random.uniform(key, (count, contexts), dtype) for key in keys)
    return p, q


def closed_forms(dtype: np.dtype[Any], count: int, bytes_a_second: float, rate: float) -> Iterator[dict[str, Any]]:
    """Yield returns and gradients of memory one, called eagerly and inside compiled code, and jax's batched solve."""
    p, q = pairs(dtype, count)
    name = f"{count:,} pairs, {dtype.name}"

    def returns(p: jax.Array, q: jax.Array) -> jax.Array:
        return ipd.expected_returns(GAME, p, q, discount=0.95)

    def gradient(p: jax.Array, q: jax.Array) -> jax.Array:
        return ipd.return_gradient(GAME, p, q, discount=0.95)

    for what, function, numbers in (("returns", returns, 12), ("gradients", gradient, 15)):
        inside = jax.jit(function)
        costs = inside.lower(p, q).compile().cost_analysis() or {}
        least = max(numbers * dtype.itemsize * count / bytes_a_second, costs.get("flops", 0.0) / rate)
        for how, call in (("eager", function), ("inside jit", inside)):
            took = seconds(call, p, q)
            yield row(f"{what} of {name}, {how}", count / took, "pairs/s", least / took)
    few = count // 16
    delta, payoffs = jnp.asarray(0.05, dtype), GAME.outcome_payoffs[0].astype(dtype)
    for what, peer in (("returns", jax.vmap(jax_return, (0, 0, None, None))),
                       ("gradients", jax.vmap(jax.grad(jax_return), (0, 0, None, None)))):  # fmt: skip
        took = seconds(jax.jit(peer), p[:few], q[:few], delta, payoffs)
        yield row(f"{what} of {few:,} pairs, {dtype.name}, jax's batched solve", few / took, "pairs/s")


def long_chains(dtype: np.dtype[Any], count: int) -> Iterator[dict[str, Any]]:
    """Yield returns of memory two and three."""
    for memory, contexts, fewer in ((2, 21, 4), (3, 85, 64)):
        p, q = pairs(dtype, count // fewer, contexts)
        took = seconds(jax.jit(lambda p, q: ipd.expected_returns(GAME, p, q, discount=0.95)), p, q)
        yield row(f"returns of {len(p):,} pairs of memory {memory}, {dtype.name}", len(p) / took, "pairs/s")


def training(seeds: int, num_learners: int, steps: int) -> Iterator[dict[str, Any]]:
    """Yield the training steps a second of Figure 3C's pools, three shares of naive learners at once."""
    keys, p_naive = jax.random.split(jax.random.key(0), seeds), jnp.array((0.25, 0.0, 1.0))
    pool = pools.Pool(p_naive[:, None], num_learners=num_learners, num_inner_episodes=20)
    state = pools.init(pool, keys)
    took = seconds(functools.partial(pools.advance, pool, jnp.float32(0.05), state, steps))
    what = f"Figure 3C's pools, 3 × {seeds} seeds, {num_learners} learners"
    yield row(what, 3 * seeds * steps / took, "pool steps/s")


def measured(out: Path, toy: bool = False) -> None:
    """Measure, and write the device, its versions and all rows as JSON.

    Args:
        out: File to write.
        toy: At the smallest sizes, to see that it runs.
    """
    size, count = (2**16, 2**10) if toy else (2**28, 2**24)
    moved = bandwidth(size)
    rows = [row("copy", moved, "bytes/s")]
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        with jax.enable_x64(dtype == np.float64):
            rate = elementwise_rate(dtype, size // 16)
            rows.append(row(f"elementwise, {dtype.name}", rate, "operations/s"))
            rows += closed_forms(dtype, count, moved, rate)
            rows += long_chains(dtype, count // 16)
    rows += training(*((2, 2, 2) if toy else (32, 64, 20)))
    about = {"device": jax.devices()[0].device_kind, "jax": jax.__version__, "python": platform.python_version()}
    out.write_text(json.dumps({**about, "rows": rows}, indent=1))


if __name__ == "__main__":
    tyro.cli(measured)
