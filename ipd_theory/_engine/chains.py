"""The Markov chain that a set of strategies spans over the contexts of player 1.

Its states are the non-empty contexts. Those shorter than the memory are passed through once, as play opens;
the chain proper runs over the K^n histories of full length. Each state pays for its most recent outcome.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ipd_theory import strategies
from ipd_theory._engine.elimination import eliminate, eliminate_to_root, occupancy, relative_values


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


def opening_levels(probabilities: Array, memory: int) -> list[Array]:
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


def transition_matrix(probabilities: Array, memory: int) -> Array:
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
def chain_occupancy(start: Array, transitions: Array, delta: Array) -> Array:
    """Return d [..., n] for start [..., n], transitions [..., n, n] and stopping rates delta [...]."""
    return occupancy(eliminate(transitions, delta), start)


@chain_occupancy.defjvp
def _chain_occupancy_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    """ḋ = bᵀ(I − γM)^{-1} with b = δ ṡ_0 + γ Ṁᵀd + δ̇ (s_0 − Mᵀd), whose entries add up to zero."""
    start, transitions, delta = primals
    start_dot, transitions_dot, delta_dot = tangents
    chain = eliminate(transitions, delta)
    d, delta = occupancy(chain, start), delta[..., None]
    source = (
        delta * start_dot
        + (1 - delta) * jnp.einsum("...i,...ij->...j", d, transitions_dot)
        + (start - jnp.einsum("...i,...ij->...j", d, transitions)) * delta_dot[..., None]
    )
    # For a source that adds up to zero, this solve is the transpose of the one for relative values.
    rooted = eliminate_to_root(start, transitions, delta[..., 0])
    _, solve = jax.vjp(functools.partial(relative_values, rooted), d)
    return d, solve(source)[0]


@jax.custom_jvp
def chain_values(start: Array, transitions: Array, delta: Array, payoffs: Array) -> Array:
    """Return w [..., n], payoff of the state included, less the value of the state visited most from the start."""
    return relative_values(eliminate_to_root(start, transitions, delta), payoffs)


@chain_values.defjvp
def _chain_values_jvp(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    """ẇ are the values for the payoffs γ Ṁw − δ̇ Mw + ṙ."""
    start, transitions, delta, payoffs = primals
    _, transitions_dot, delta_dot, payoffs_dot = tangents
    rooted = eliminate_to_root(start, transitions, delta)
    w = relative_values(rooted, payoffs)
    source = (1 - delta)[..., None] * jnp.einsum("...ij,...j->...i", transitions_dot, w) + payoffs_dot
    source = source - delta_dot[..., None] * jnp.einsum("...ij,...j->...i", transitions, w)
    return w, relative_values(rooted, source)


@jax.custom_jvp
def chain_return(start: Array, transitions: Array, delta: Array, payoffs: Array) -> Array:
    """Return J [...] of the chain for payoffs [..., n]; the other arguments as `chain_occupancy`."""
    return (chain_occupancy(start, transitions, delta) * payoffs).sum(-1)


@chain_return.defjvp
def _chain_return_jvp(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    """The policy gradient theorem: J̇ = d·ṙ + γ dᵀṀw + δ ṡ_0·w + δ̇ (s_0 − Mᵀd)·w."""
    start, transitions, delta, payoffs = primals
    start_dot, transitions_dot, delta_dot, payoffs_dot = tangents
    d, w = chain_occupancy(start, transitions, delta), chain_values(start, transitions, delta, payoffs)
    moves = jnp.einsum("...i,...ij,...j->...", d, transitions_dot, w)
    restarts = ((start - jnp.einsum("...i,...ij->...j", d, transitions)) * w).sum(-1)
    tangent = (d * payoffs_dot).sum(-1) + (1 - delta) * moves + delta * (start_dot * w).sum(-1) + restarts * delta_dot
    return (d * payoffs).sum(-1), tangent


def chain_returns(start: Array, transitions: Array, delta: Array, payoffs: Array) -> Float[Array, "... k"]:
    """Return J [..., k] of the chain for each of k players' payoffs [..., k, n]; the others as `chain_occupancy`."""
    each = [chain_return(start, transitions, delta, payoffs[..., i, :]) for i in range(payoffs.shape[-2])]
    return jnp.stack(each, -1)


def chain_visits(start: Array, transitions: Array, gamma: Array, weight: Array, num_steps: int) -> Array:
    """Return how often each state [..., n] is visited in `num_steps` steps, the t-th counted `weight` γ^t [..., 1]."""

    def step(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        distribution, weight, total = carry
        moved = jnp.einsum("...i,...ij->...j", distribution, transitions)
        return (moved, weight * gamma, total + weight * distribution), None

    (_, _, visits), _ = jax.lax.scan(step, (start, weight, jnp.zeros_like(start)), length=num_steps)
    return visits


def with_common_batch(
    start: Array, transitions: Array, delta: Array, payoffs: Array
) -> tuple[Array, Array, Array, Array]:
    """Broadcast start [..., n], transitions, stopping rates and payoffs [..., k, n] to their common batch axes."""
    shape = jnp.broadcast_shapes(start.shape[:-1], transitions.shape[:-2], delta.shape, payoffs.shape[:-2])
    return (
        jnp.broadcast_to(start, (*shape, *start.shape[-1:])),
        jnp.broadcast_to(transitions, (*shape, *transitions.shape[-2:])),
        jnp.broadcast_to(delta, shape),
        jnp.broadcast_to(payoffs, (*shape, *payoffs.shape[-2:])),
    )


def discounted_returns(payoffs: Array, tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the normalised returns [..., k] for k players' outcome payoffs [..., k, K]."""
    probabilities = outcome_probabilities(tables, memory)
    *opening, start = opening_levels(probabilities, memory)
    transitions, delta = _with_batch(transition_matrix(probabilities, memory), delta, payoffs[..., 0, 0])
    last = payoffs.shape[-1] ** memory
    recent = by_context(payoffs, memory)[..., -last:]
    total = chain_returns(start, transitions, delta, recent)
    for t, level in reversed(list(enumerate(opening, 1))):
        now = by_context(payoffs, t)[..., -level.shape[-1] :]
        total = delta[..., None] * (level[..., None, :] * now).sum(-1) + (1 - delta)[..., None] * total
    return total


def _with_batch(transitions: Array, delta: Array, *others: Array) -> tuple[Array, Array]:
    """Broadcast a chain and its stopping rate to the common batch shape."""
    shape = jnp.broadcast_shapes(delta.shape, transitions.shape[:-2], *(x.shape for x in others))
    return jnp.broadcast_to(transitions, (*shape, *transitions.shape[-2:])), jnp.broadcast_to(delta, shape)


def discounted_occupancy(tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts."""
    probabilities = outcome_probabilities(tables, memory)
    *opening, start = opening_levels(probabilities, memory)
    transitions, delta = _with_batch(transition_matrix(probabilities, memory), delta)
    weight = delta[..., None]
    shares = [weight * (1 - weight) ** t * level for t, level in enumerate(opening)]
    settled = (1 - weight) ** len(opening) * chain_occupancy(start, transitions, delta)
    return _join(shares, settled)


@functools.partial(jax.jit, static_argnames=("memory", "horizon"))
def finite_occupancy(tables: list[Array], delta: Array, memory: int, horizon: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts over `horizon` steps of weight γ^t."""
    probabilities = outcome_probabilities(tables, memory)
    *opening, start = opening_levels(probabilities, memory)
    transitions, delta = _with_batch(transition_matrix(probabilities, memory), delta)
    gamma = 1 - delta[..., None]
    shares = [gamma**t * level if t < horizon else jnp.zeros_like(level) for t, level in enumerate(opening)]

    start = jnp.broadcast_to(start, transitions.shape[:-1])
    settled = chain_visits(start, transitions, gamma, gamma ** len(opening), max(0, horizon - len(opening)))
    visits = _join(shares, settled)
    return visits / visits.sum(-1, keepdims=True)


def _join(shares: Sequence[Array], settled: Array) -> Array:
    batch = settled.shape[:-1]
    return jnp.concatenate([*(jnp.broadcast_to(x, (*batch, x.shape[-1])) for x in shares), settled], -1)


@functools.partial(jax.jit, static_argnames=("memory", "player"))
def values(payoffs: Array, tables: list[Array], delta: Array, memory: int, player: int) -> tuple[Array, Array]:
    """Return normalised values [..., h] and un-normalised Q − V [..., h, 2], both in the player's own view."""
    n, K = len(tables), payoffs.shape[-1]
    probabilities = outcome_probabilities(tables, memory)
    start = opening_levels(probabilities, memory)[-1]
    transitions, delta = _with_batch(transition_matrix(probabilities, memory), delta, payoffs[..., 0, 0])
    gamma = (1 - delta)[..., None]
    rewards = by_context(payoffs[..., player, :], memory)
    settled = rewards[..., -(K**memory) :]
    w = chain_values(start, transitions, delta, settled)
    last_state = (jnp.arange(K**memory) == K**memory - 1).astype(w.dtype)
    # The return from the state that w is relative to: there w is 0.
    root_return = chain_return(last_state, transitions, delta, settled) - delta * w[..., -1]

    levels = [w]  # values of the contexts of length memory, …, 1, reward of the context included
    for length in reversed(range(1, memory)):
        first, end = strategies.num_contexts(length - 1, n), strategies.num_contexts(length, n)
        onward = (probabilities[..., first:end, :] * levels[0].reshape(*w.shape[:-1], -1, K)).sum(-1)
        levels.insert(0, rewards[..., first - 1 : end - 1] - root_return[..., None] + gamma * onward)
    # A full history and an outcome lead to the history that drops its oldest outcome.
    shifted = jnp.concatenate([w] * K, -1)
    after = jnp.concatenate([*levels, shifted], -1).reshape(*w.shape[:-1], -1, K)

    def given(action: float) -> Array:
        forced = [jnp.full_like(x, action) if i == player else x for i, x in enumerate(tables)]
        return (outcome_probabilities(forced, memory) * after).sum(-1)

    value = (probabilities * after).sum(-1)
    gains = jnp.stack([given(1.0) - value, given(0.0) - value], -1)
    own = np.argsort(strategies.view(memory, player, n))
    return (root_return[..., None] + delta[..., None] * value)[..., own], gains[..., own, :]
