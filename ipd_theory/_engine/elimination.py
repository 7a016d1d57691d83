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

A loop over the states, for chains of any length; `folding` has the same for the four states of memory one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@jax.custom_jvp
def reciprocal(x: Array) -> Array:
    """Return 1 / x. Its derivative never forms x², which underflows for the pivots of a vanishing δ."""
    return 1 / x


@reciprocal.defjvp
def reciprocal_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    inverse = reciprocal(primals[0])
    return inverse, -((tangents[0] * inverse) * inverse)


def _at(x: Array, k: Array, axis: int) -> Array:
    return jax.lax.dynamic_index_in_dim(x, k, axis, keepdims=False)


class Elimination(NamedTuple):
    """A chain of n states after elimination.

    `factors[..., i, k]` is, for i > k, the rate from i into k when k was censored and, for i < k, the probability
    that the chain leaves i for k; `per_pivot[k]` = 1 / pivot_k.
    """

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
        inverse = reciprocal(row.sum(-1) + stop_k)
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
    """A chain eliminated down to the state it visits most; `order` [..., n] exchanges that one and the last."""

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
