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

A loop over the states, for any chain: it compiles fast. `folding` has the same for the four states of memory one, and
`panels` for many chains of longer histories at once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


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


def _chosen(which: Array, x: Array) -> Array:
    """Return x [*which.shape, ...] where `which` holds, else 0."""
    return jnp.where(which.reshape(*which.shape, *(1,) * (x.ndim - which.ndim)), x, 0)


class Elimination(NamedTuple):
    """A chain of n states after elimination, the batch last.

    `factors[i, k]` is, for i > k, the rate from i into k when k was censored and, for i < k, the probability that the
    chain leaves i for k; `per_pivot[k]` = 1 / pivot_k.
    """

    factors: Float[Array, "n n *batch"]
    per_pivot: Float[Array, "n *batch"]

    def flows(self, sources: Float[Array, "k n *batch"]) -> Float[Array, "k n *batch"]:
        """Return f with f(I − γM) = s for each source s: time in each state of what starts there."""
        n = len(self.per_pivot)
        state = jnp.arange(n)

        def forward(k: Array, entering: Array) -> Array:
            return entering + _at(entering, k, 1)[:, None] * _chosen(state > k, _at(self.factors, k, 0))

        def backward(i: Array, flow: Array) -> Array:
            k = n - 1 - i
            f_k = (_at(flow, k, 1) * _at(self.per_pivot, k, 0))[:, None]
            further = flow + f_k * _chosen(state < k, _at(self.factors, k, 0))  # the rates out of k, into j < k
            return jax.lax.dynamic_update_slice_in_dim(further, f_k, k, 1)

        return jax.lax.fori_loop(0, n, backward, jax.lax.fori_loop(0, n, forward, sources))

    def values(self, rewards: Float[Array, "k n *batch"]) -> Float[Array, "k n *batch"]:
        """Return w with (I − γM)w = r for each r: what is earned from each state on until the chain stops."""
        n = len(self.per_pivot)
        state = jnp.arange(n)

        def forward(k: Array, earned: Array) -> Array:
            scaled = (_at(earned, k, 1) * _at(self.per_pivot, k, 0))[:, None]
            return earned + _chosen(state > k, _at(self.factors, k, 1)) * scaled

        def backward(i: Array, values: Array) -> Array:
            k = n - 1 - i
            out = _chosen(state < k, _at(self.factors, k, 1))  # the probabilities to leave j < k for k
            return values + out * _at(values, k, 1)[:, None]

        earned = jax.lax.fori_loop(0, n, forward, rewards)
        return jax.lax.fori_loop(0, n, backward, earned * self.per_pivot)


def censored(rates: Float[Array, "n n *batch"], stop: Float[Array, "n *batch"]) -> Elimination:
    """Censor the states of a chain one by one.

    Args:
        rates: from each state to each other; the diagonal is not read.
        stop: the rate at which the chain stops in each.
    """
    n = len(stop)
    state = jnp.arange(n)
    off_diagonal = state[:, None] != state

    def censor(k: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        rate, stop, per_pivot = carry
        row, into = (_chosen(state > k, _at(rate, k, axis)) for axis in (0, 1))
        stop_k = _at(stop, k, 0)
        inverse = reciprocal(row.sum(0) + stop_k)
        out = row * inverse
        rate = rate + _chosen(off_diagonal, into[:, None] * out)
        kept = _at(rate, k, 0)  # left of the diagonal are the rates into states censored before
        upper = jnp.where((state > k).reshape(-1, *(1,) * (kept.ndim - 1)), out, kept)
        rate = jax.lax.dynamic_update_slice_in_dim(rate, upper[None], k, 0)
        per_pivot = jax.lax.dynamic_update_slice_in_dim(per_pivot, inverse[None], k, 0)
        return rate, stop + into * (stop_k * inverse), per_pivot

    rate, _, per_pivot = jax.lax.fori_loop(0, n, censor, (_chosen(off_diagonal, rates), stop, jnp.zeros_like(stop)))
    return Elimination(rate, per_pivot)
