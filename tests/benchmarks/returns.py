"""Exact returns, gradients and the training loop of Figure 3C against the usual linear solve."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import ipd_theory as ipd
from ipd_theory.learning import pool as pools
from tests.benchmarks import Row, compare, limits

PAIRS = 2**20
PEER_BLOCK = 2**12  # beyond 2^14 pairs in one call jax's batched solve may never return on two cores
SWAP = np.array([0, 1, 3, 2, 4])
GAME = ipd.prisoners_dilemma()


def run() -> list[Row]:
    """Time all three, in float32 and float64."""
    rows = []
    with jax.enable_x64(True):
        for dtype, target in ((np.float32, 10.0), (np.float64, 5.0)):
            rows += _returns(np.dtype(dtype), target)
            rows += _gradients(np.dtype(dtype))
    rows += [_memory(), _training("quick", 8, 16, 20), _training("paper", 32, 64, 2)]
    return rows


def _pairs(dtype: np.dtype, count: int = PAIRS) -> tuple[np.ndarray, np.ndarray]:
    p, q = np.random.default_rng(0).random((2, count, 5)).astype(dtype)
    return p, q


def _chain(xp, p, q):
    q = q[..., SWAP]
    rows = xp.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    return rows[..., 0, :], rows[..., 1:, :]


def numpy_returns(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Both players' returns at γ = 0.95 by numpy's batched solve."""
    start, transitions = _chain(np, p, q)
    payoffs = np.asarray(GAME.outcome_payoffs, p.dtype)
    delta = p.dtype.type(0.05)
    values = np.linalg.solve(np.eye(4, dtype=p.dtype) - (1 - delta) * transitions, payoffs.T)
    return delta * np.einsum("...s,...sk->...k", start, values)


def jax_return(p: jax.Array, q: jax.Array, delta: jax.Array, payoffs: jax.Array) -> jax.Array:
    """One player's return by jax's solve."""
    start, transitions = _chain(jnp, p, q)
    matrix = jnp.eye(4, dtype=p.dtype) - (1 - delta) * transitions
    values = jnp.linalg.solve(matrix, jnp.broadcast_to(payoffs, transitions.shape[:-1])[..., None])
    return delta * (start * values[..., 0]).sum(-1)


def _returns(dtype: np.dtype, target: float) -> list[Row]:
    p, q = _pairs(dtype)
    on_device = jnp.asarray(p), jnp.asarray(q)

    def ours(p: jax.Array, q: jax.Array) -> jax.Array:
        return ipd.expected_returns(GAME, p, q, discount=0.95)

    return [
        compare(
            f"returns of 2^20 pairs, {dtype.name}, {where}numpy.linalg.solve",
            functools.partial(called, *on_device),
            lambda: numpy_returns(p, q),
            target,
        )._replace(limit=_least(jax.jit(ours), 2, *on_device))
        for where, called in (("", ours), ("inside jax.jit; ", jax.jit(ours)))
    ]


def _least(function: Any, results: int, p: jax.Array, q: jax.Array) -> float:
    """Return the least time for a function of pairs, each with so many results: what it computes, once each."""
    operations = function.lower(p, q).compile().cost_analysis()["flops"]
    moved = p.nbytes + q.nbytes + results * p[..., 0].nbytes
    return limits.least_seconds(moved, operations, p.dtype)


def _gradients(dtype: np.dtype) -> list[Row]:
    """One call of 2^12 pairs, and 2^17 pairs: in one call of ours, in calls of 2^12 of the peer, its best size."""
    delta, payoffs = jnp.asarray(0.05, dtype), GAME.outcome_payoffs[0].astype(dtype)
    peer = jax.jit(jax.vmap(jax.grad(jax_return), (0, 0, None, None)))

    def ours(p: jax.Array, q: jax.Array) -> jax.Array:
        return ipd.return_gradient(GAME, p, q, discount=0.95)

    def row(log_pairs: int, where: str, called: Callable[[jax.Array, jax.Array], jax.Array]) -> Row:
        p, q = (jnp.asarray(x) for x in _pairs(dtype, 2**log_pairs))
        blocks = [(p[i : i + PEER_BLOCK], q[i : i + PEER_BLOCK]) for i in range(0, len(p), PEER_BLOCK)]
        return compare(
            f"gradients of 2^{log_pairs} pairs, {dtype.name}, {where}vmap(grad) of jax's solve",
            lambda: called(p, q),
            lambda: [peer(*block, delta, payoffs) for block in blocks],
            10.0,
        )._replace(limit=_least(jax.jit(ours), 5, p, q))

    calls = (("", ours), ("inside jax.jit; ", jax.jit(ours)))
    return [row(size, where, called) for size in (12, 17) for where, called in calls]


def _memory() -> Row:
    """Peak bytes of a batch over the bytes of its inputs and outputs; the promise is at most 4."""
    p, q = (jnp.asarray(x) for x in _pairs(np.dtype(np.float32)))
    delta = jnp.asarray(0.05, jnp.float32)
    compiled = ipd.returns._discounted_returns.lower(GAME.outcome_payoffs, [p, q], delta, 1).compile()
    stats = compiled.memory_analysis()
    inout = stats.argument_size_in_bytes + stats.output_size_in_bytes
    ratio = (inout + stats.temp_size_in_bytes) / inout
    return Row("peak memory of 2^20 returns over inputs and outputs (bytes)", inout * ratio, inout, ratio, 4.0)


INNER = 20
P_NAIVE = (0.25, 0.0, 1.0)


def peer_training(key: jax.Array, logits: jax.Array, p_naive: jax.Array, steps: int, num_learners: int) -> jax.Array:
    """Figure 3C's loop for one seed as it is usually written: vmap, grad and a linear solve; logits [2, 5]."""
    delta, payoffs = jnp.float32(0.05), GAME.outcome_payoffs.astype(jnp.float32)
    optimizer = optax.adamw(0.005)

    def payoff(x, y, r):
        return jax_return(jax.nn.sigmoid(x), jax.nn.sigmoid(y), delta, r)

    def shaped(x, y):
        def episode(y, _):
            return y + 5.0 * jax.grad(payoff, 1)(x, y, payoffs[1]), payoff(x, y, payoffs[0])

        return jax.lax.scan(episode, y, length=INNER + 1)[1].mean()

    def gradient(logits, learners):
        def objective(x, other, own_learners):
            naive = jax.vmap(shaped, (None, 0))(x, own_learners).mean()
            return p_naive * naive + (1 - p_naive) * payoff(x, other, payoffs[0])

        return jax.vmap(jax.grad(objective))(logits, logits[::-1], learners)

    def step(carry, key):
        logits, state = carry
        learners = jax.random.normal(key, (2, num_learners, 5), jnp.float32)
        updates, state = optimizer.update(-gradient(logits, learners), state, logits)
        return (optax.apply_updates(logits, updates), state), None

    return jax.lax.scan(step, (logits, optimizer.init(logits)), jax.random.split(key, steps))[0][0]


def _training(preset: str, seeds: int, num_learners: int, steps: int) -> Row:
    with jax.enable_x64(False):
        keys, p_naive = jax.random.split(jax.random.key(0), seeds), jnp.array(P_NAIVE)
        pool = pools.Pool(p_naive[:, None], num_learners=num_learners, num_inner_episodes=INNER)
        state = pools.init(pool, keys)
        loop = functools.partial(peer_training, steps=steps, num_learners=num_learners)
        peer = jax.jit(jax.vmap(jax.vmap(loop, (0, 0, None)), (None, 0, 0)))
        return compare(
            f"{steps} steps of Figure 3C's training, {preset} preset, the loop with jax's solve",
            lambda: pools.advance(pool, jnp.float32(0.05), state, steps).logits,
            lambda: peer(keys, state.logits, p_naive),
            8.0,
            repeats=3,
        )
