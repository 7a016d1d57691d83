"""Discounted Markov chains solved without a single subtraction.

Write δ = 1 − γ. A chain with transition matrix M moves from state i to j ≠ i at rate A_ij = γ M_ij and stops
at rate σ_i = δ. Censoring state k (watching the chain only while it is elsewhere) leaves a smaller chain:

    pivot_k = Σ_j A_kj + σ_k                 over the states j not yet censored,
    A_ij ← A_ij + A_ik · A_kj / pivot_k,     σ_i ← σ_i + A_ik · σ_k / pivot_k,     s_j ← s_j + s_k · A_kj / pivot_k.

Every quantity is a sum of products of non-negative numbers, so each keeps its relative accuracy whatever δ and
however close the chain is to reducible (Grassmann, Taksar & Heyman 1985; Alfa, Xue & Ye 2002). The diagonal of M
is never read. The limit of means is the same computation with a vanishing δ.

Values grow as 1/δ while only their differences matter, so they are computed relative to one state, the root: with
J the normalised return from the root, w_i − w_root solves the chain with rewards r − J and w_root = 0. The root must
be a state that the chain keeps coming back to. From a transient one, rounding in J is added up over 1/δ steps:
in float32 and for δ = 1e-10 that loses everything. So a first elimination finds where the time is spent, and a
second one, with that state last, is used for values.

Each solve has two forms: columns (tuples of arrays, one per state, unrolled so that XLA fuses everything into
one elementwise loop over the batch) for chains of few states, and arrays (a loop over states) for longer ones.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Columns = tuple[Array, ...]


def vanishing_delta(dtype: np.dtype) -> float:
    """Return a stopping rate that stands for zero: the limit of means, exact to rounding in this dtype."""
    return 1e-200 if np.finfo(dtype).bits == 64 else 1e-30


@jax.custom_jvp
def _reciprocal(x: Array) -> Array:
    """Return 1 / x. Its derivative never forms x², which underflows for the pivots of a vanishing δ."""
    return 1 / x


@_reciprocal.defjvp
def _reciprocal_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    inverse = _reciprocal(primals[0])
    return inverse, -((tangents[0] * inverse) * inverse)


class ColumnElimination(NamedTuple):
    """A chain of n states after elimination; entries are arrays [...] over the batch.

    `into[i][k]` is the rate from i > k into k when k was censored, `out[k][j]` the probability that the chain
    leaves k for j > k, `per_pivot[k]` = 1 / pivot_k, and `last` the stopping rate of the only state left.
    """

    into: list[list[Array]]
    out: list[list[Array]]
    per_pivot: list[Array]
    last: Array
    delta: Array


def eliminate_columns(transitions: Sequence[Sequence[Array]], delta: Array) -> ColumnElimination:
    """Censor the states of a small chain one by one; `transitions[i][j]` and `delta` are arrays [...]."""
    n = len(transitions)
    rate = [[(1 - delta) * m for m in row] for row in transitions]
    stop = [delta] * n
    out: list[list[Array]] = [[delta] * n for _ in range(n)]
    per_pivot = []
    for k in range(n - 1):
        later = range(k + 1, n)
        pivot = stop[k]
        for j in later:
            pivot = pivot + rate[k][j]
        per_pivot.append(_reciprocal(pivot))
        stops = stop[k] * per_pivot[k]
        for j in later:
            out[k][j] = rate[k][j] * per_pivot[k]
        for i in later:
            stop[i] = stop[i] + rate[i][k] * stops
            for j in later:
                if i != j:
                    rate[i][j] = rate[i][j] + rate[i][k] * out[k][j]
    return ColumnElimination(rate, out, per_pivot, stop[-1], delta)


def occupancy_columns(chain: ColumnElimination, start: Columns) -> Columns:
    """Return the normalised discounted occupancy of each state, from the start distribution."""
    n = len(start)
    entering = list(start)
    for k in range(n - 1):
        for j in range(k + 1, n):
            entering[j] = entering[j] + entering[k] * chain.out[k][j]
    occupancy = [entering[-1] * (chain.delta * _reciprocal(chain.last))] * n
    for k in reversed(range(n - 1)):
        flow = chain.delta * entering[k]
        for i in range(k + 1, n):
            flow = flow + occupancy[i] * chain.into[i][k]
        occupancy[k] = flow * chain.per_pivot[k]
    return tuple(occupancy)


class RootedColumns(NamedTuple):
    """A chain eliminated down to the state it visits most, which has traded places with the last.

    `is_root[k]` [...] tells whether that was state k < n − 1.
    """

    chain: ColumnElimination
    is_root: tuple[Array, ...]


def eliminate_columns_to_root(start: Columns, transitions: Sequence[Sequence[Array]], delta: Array) -> RootedColumns:
    """Censor all states but the one visited most: values relative to a transient one would lose 1/δ digits."""
    n = len(transitions)
    visits = occupancy_columns(eliminate_columns(transitions, delta), start)
    most = functools.reduce(jnp.maximum, visits)
    is_root: list[Array] = []
    found = visits[-1] == most
    for k in range(n - 1):
        is_root.append((visits[k] == most) & ~found)
        found = found | is_root[-1]
    rows = [_trade_places(row, is_root) for row in transitions]
    columns = [_trade_places(column, is_root) for column in zip(*rows, strict=True)]
    return RootedColumns(eliminate_columns(list(zip(*columns, strict=True)), delta), tuple(is_root))


def _trade_places(xs: Sequence[Array], is_root: Sequence[Array]) -> Columns:
    """Exchange the root's entry with the last."""
    *others, last = xs
    root = functools.reduce(lambda x, k: jnp.where(is_root[k], others[k], x), range(len(others)), last)
    return (*(jnp.where(here, last, x) for here, x in zip(is_root, others, strict=True)), root)


def relative_value_columns(rooted: RootedColumns, rewards: Columns) -> Columns:
    """Return each state's un-normalised value minus that of the root."""
    chain, rewards = rooted.chain, _trade_places(rewards, rooted.is_root)
    n = len(rewards)
    zero = jnp.zeros_like(chain.last)
    from_last = occupancy_columns(chain, (zero,) * (n - 1) + (zero + 1,))
    last_return = sum((d * r for d, r in zip(from_last, rewards, strict=True)), zero)
    surplus = [r - last_return for r in rewards]
    for k in range(n - 1):
        for i in range(k + 1, n - 1):
            surplus[i] = surplus[i] + chain.into[i][k] * (surplus[k] * chain.per_pivot[k])
    values = [zero] * n
    for k in reversed(range(n - 1)):
        values[k] = surplus[k] * chain.per_pivot[k]
        for j in range(k + 1, n - 1):
            values[k] = values[k] + chain.out[k][j] * values[j]
    return _trade_places(values, rooted.is_root)


def _at(x: Array, k: Array, axis: int) -> Array:
    return jax.lax.dynamic_index_in_dim(x, k, axis, keepdims=False)


class Elimination(NamedTuple):
    """The same for a longer chain: `factors[..., i, k]` is into (i > k) below and out (k < j) above the diagonal."""

    factors: Float[Array, "*batch n n"]
    per_pivot: Float[Array, "*batch n"]
    delta: Float[Array, "*#batch"]


def eliminate(transitions: Float[Array, "*batch n n"], delta: Float[Array, "*#batch"]) -> Elimination:
    """Censor the states one by one in a loop; `per_pivot[..., -1]` is 1 / the last state's stopping rate."""
    n = transitions.shape[-1]
    state = jnp.arange(n)
    off_diagonal = state[:, None] != state[None, :]
    rate = jnp.where(off_diagonal, (1 - delta)[..., None, None] * transitions, 0)
    stop = jnp.broadcast_to(delta[..., None], rate.shape[:-1])

    def censor(k: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        rate, stop, per_pivot = carry
        row = jnp.where(state > k, _at(rate, k, -2), 0)
        into = jnp.where(state > k, _at(rate, k, -1), 0)
        stop_k = _at(stop, k, -1)
        inverse = _reciprocal(row.sum(-1) + stop_k)
        out = row * inverse[..., None]
        rate = rate + jnp.where(off_diagonal, into[..., :, None] * out[..., None, :], 0)
        rate = jnp.where((state[:, None] == k) & (state[None, :] > k), out[..., None, :], rate)
        stop = stop + into * (stop_k * inverse)[..., None]
        return rate, stop, jnp.where(state == k, inverse[..., None], per_pivot)

    rate, _, per_pivot = jax.lax.fori_loop(0, n, censor, (rate, stop, jnp.zeros_like(stop)))
    return Elimination(rate, per_pivot, delta)


def occupancy(chain: Elimination, start: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
    """Return the normalised discounted occupancy [..., n] from the start distribution [..., n]."""
    n = chain.factors.shape[-1]
    state = jnp.arange(n)

    def forward(k: Array, entering: Array) -> Array:
        out = jnp.where(state > k, _at(chain.factors, k, -2), 0)
        return entering + _at(entering, k, -1)[..., None] * out

    def backward(i: Array, flow: Array) -> Array:
        k = n - 1 - i
        d_k = _at(flow, k, -1) * _at(chain.per_pivot, k, -1)
        into = jnp.where(state < k, _at(chain.factors, k, -2), 0)  # the rates out of k, into j < k
        return jnp.where(state == k, d_k[..., None], flow + d_k[..., None] * into)

    start = jnp.broadcast_to(start, chain.per_pivot.shape)
    entering = jax.lax.fori_loop(0, n, forward, start)
    return jax.lax.fori_loop(0, n, backward, chain.delta[..., None] * entering)


class Rooted(NamedTuple):
    """As `RootedColumns`: `order` [..., n] exchanges the root and the last state."""

    chain: Elimination
    order: Int[Array, "*batch n"]


def eliminate_to_root(
    start: Float[Array, "*#batch n"], transitions: Float[Array, "*batch n n"], delta: Float[Array, "*#batch"]
) -> Rooted:
    """Censor all states but the one visited most: values relative to a transient one would lose 1/δ digits."""
    state = jnp.arange(transitions.shape[-1])
    last = state[-1]
    visits = occupancy(eliminate(transitions, delta), start)
    root = jnp.argmax(visits, -1, keepdims=True)
    order = jnp.where(state == root, last, jnp.where(state == last, root, state))
    rows = jnp.take_along_axis(transitions, order[..., :, None], -2)
    return Rooted(eliminate(jnp.take_along_axis(rows, order[..., None, :], -1), delta), order)


def relative_values(rooted: Rooted, rewards: Float[Array, "*#batch n"]) -> Float[Array, "*batch n"]:
    """Return each state's un-normalised value [..., n] minus that of the root."""
    chain, order = rooted
    n = chain.factors.shape[-1]
    rewards = jnp.take_along_axis(jnp.broadcast_to(rewards, order.shape), order, -1)
    state = jnp.arange(n)
    from_last = occupancy(chain, (state == n - 1).astype(chain.factors.dtype))
    last_return = (from_last * rewards).sum(-1)

    def forward(k: Array, surplus: Array) -> Array:
        scaled = _at(surplus, k, -1) * _at(chain.per_pivot, k, -1)
        return surplus + jnp.where(state > k, _at(chain.factors, k, -1), 0) * scaled[..., None]

    def backward(i: Array, values: Array) -> Array:
        k = n - 2 - i
        w_k = _at(values, k, -1)
        out = jnp.where(state < k, _at(chain.factors, k, -1), 0)  # the probabilities to leave j < k for k
        return values + out * w_k[..., None]

    surplus = jax.lax.fori_loop(0, n - 1, forward, rewards - last_return[..., None])
    values = surplus * jnp.where(state < n - 1, chain.per_pivot, 0)
    return jnp.take_along_axis(jax.lax.fori_loop(0, n - 1, backward, values), order, -1)
