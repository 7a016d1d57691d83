"""The Markov chain that a set of strategies spans over the contexts of player 1.

Its states are the non-empty contexts. Those shorter than the memory are passed through once, as play opens;
the chain proper runs over the K^n histories of full length. Each state pays for its most recent outcome.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ipd_theory import strategies
from ipd_theory._elimination import eliminate, occupancy, relative_values


def outcome_probabilities(tables: Sequence[Array], memory: int) -> Float[Array, "... h K"]:
    """Return [..., h, K], the probability of each joint action in each of player 1's contexts.

    Args:
        tables: each player's strategy [..., h], in its own view, all of memory `memory`.
        memory: outcomes remembered.
    """
    probabilities = jnp.ones((1, 1), tables[0].dtype)
    for player, table in enumerate(tables):
        own_view = table[..., strategies.view(memory, player, len(tables))]
        both = jnp.stack([own_view, 1 - own_view], -1)
        joint = probabilities[..., :, None] * both[..., None, :]
        probabilities = joint.reshape(*joint.shape[:-2], -1)
    return probabilities


def opening(probabilities: Array, memory: int) -> list[Array]:
    """Return the distributions [..., K], [..., K²], … over histories of length 1 … memory, as play opens."""
    K, offset = probabilities.shape[-1], 0
    level = jnp.ones((1,), probabilities.dtype)
    levels = []
    for length in range(memory):
        here = level[..., None] * probabilities[..., offset : offset + K**length, :]
        level = here.reshape(*here.shape[:-2], -1)
        levels.append(level)
        offset += K**length
    return levels


def transitions(probabilities: Array, memory: int) -> Array:
    """Return M [..., K^n, K^n]: a full history drops its oldest outcome and gains the new one."""
    K = probabilities.shape[-1]
    kept = K ** (memory - 1)
    full = probabilities[..., -(K**memory) :, :].reshape(*probabilities.shape[:-2], K, kept, 1, K)
    moves = full * jnp.eye(kept, dtype=full.dtype)[:, :, None]
    return moves.reshape(*moves.shape[:-4], K**memory, K**memory)


def by_context(payoffs: Float[Array, "... K"], memory: int) -> Float[Array, "... h_less_one"]:
    """Spread payoffs of outcomes over the non-empty contexts, each paying for its most recent outcome."""
    K = payoffs.shape[-1]
    return jnp.concatenate([payoffs[..., np.arange(K**length) % K] for length in range(1, memory + 1)], -1)


@jax.custom_jvp
def chain_return(start: Array, transitions: Array, delta: Array, payoffs: Array) -> Array:
    """Return J [...] of a chain from start [..., n], transitions [..., n, n], delta [...] and payoffs [..., n]."""
    return (occupancy(eliminate(transitions, delta), start) * payoffs).sum(-1)


@chain_return.defjvp
def _chain_return_jvp(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    start, transitions, delta, payoffs = primals
    start_dot, transitions_dot, delta_dot, payoffs_dot = tangents
    chain = eliminate(transitions, delta)
    d, (w, _) = occupancy(chain, start), relative_values(chain, payoffs)
    moves = jnp.einsum("...i,...ij,...j->...", d, transitions_dot, w)
    restarts = ((start - jnp.einsum("...i,...ij->...j", d, transitions)) * w).sum(-1)
    tangent = (d * payoffs_dot).sum(-1) + (1 - delta) * moves + delta * (start_dot * w).sum(-1) + restarts * delta_dot
    return (d * payoffs).sum(-1), tangent
