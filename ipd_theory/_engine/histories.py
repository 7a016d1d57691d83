"""Play of strategies that remember, as a chain over histories; all arrays have the batch as their last axes.

The states of the chain are the non-empty contexts of player 1. Those shorter than the memory are passed through once,
as play opens; the chain proper runs over the K^n histories of full length. Each state pays for its most recent outcome.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def _sum(x: Array, axis: int) -> Array:
    """Return the sum over a short axis, written out: compiled code then runs along the batch."""
    if x.shape[axis] > 16:
        return x.sum(axis)
    return functools.reduce(jnp.add, [jax.lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis])])


def seen_by(table: Float[Array, "h *batch"], memory: int, player: int, num_players: int) -> Float[Array, "h *batch"]:
    """Return a player's table in player 1's order (`strategies.view`); moving axes is cheap, and to differentiate."""
    order = (*range(1, player + 1), 0, *range(player + 1, num_players))  # the player's own action back to its place
    return _reordered(table, memory, order)


def in_own_order(x: Float[Array, "h *batch"], memory: int, player: int, num_players: int) -> Float[Array, "h *batch"]:
    """Return entries by player 1's contexts in a player's own order, the inverse of `seen_by`."""
    order = (player, *(i for i in range(num_players) if i != player))
    return _reordered(x, memory, order)


def _reordered(x: Array, memory: int, order: tuple[int, ...]) -> Array:
    """Return entries by context with the players' actions in each outcome in another order."""
    n, batch = len(order), x.shape[1:]
    if order == tuple(range(n)):
        return x
    levels, first = [], 0
    for length in range(memory + 1):
        level = x[first : first + 2 ** (n * length)]
        axes = [outcome * n + action for outcome in range(length) for action in order]
        axes += [n * length + i for i in range(len(batch))]
        levels.append(level.reshape(*(2,) * (n * length), *batch).transpose(axes).reshape(level.shape))
        first += len(level)
    return jnp.concatenate(levels)


def joint(tables: Sequence[Float[Array, "h *batch"]]) -> Float[Array, "h K *batch"]:
    """Return the probability of each outcome in each context, from tables in player 1's order."""
    probabilities = jnp.ones_like(tables[0])[:, None]
    for table in tables:
        both = jnp.stack([table, 1 - table], 1)
        product = probabilities[:, :, None] * both[:, None]
        probabilities = product.reshape(len(table), 2 * probabilities.shape[1], *table.shape[1:])
    return probabilities


def outcome_probabilities(tables: Sequence[Array], memory: int) -> Float[Array, "h K *batch"]:
    """Return the probability of each joint action in each of player 1's contexts, from tables in their own views."""
    return joint([seen_by(x, memory, player, len(tables)) for player, x in enumerate(tables)])


def opening_levels(probabilities: Float[Array, "h K *batch"], memory: int) -> list[Array]:
    """Return the distributions [K, …], [K², …], … over histories of length 1 … memory, as play opens."""
    K, first, levels = probabilities.shape[1], 0, [jnp.ones_like(probabilities[:1, 0])]
    for length in range(memory):
        level = levels[-1][:, None] * probabilities[first : first + K**length]
        levels.append(level.reshape(K ** (length + 1), *level.shape[2:]))
        first += K**length
    return levels[1:]


def with_opening(
    opening: Sequence[Array], settled: Float[Array, "k *batch"], payoffs: Float[Array, "k K *batch"], delta: Array
) -> Float[Array, "k *batch"]:
    """Return returns from the start, from those of play once every history has its full length."""
    total, K = settled, payoffs.shape[1]
    for length, level in reversed(list(enumerate(opening, 1))):
        last = _sum(level.reshape(len(level) // K, K, *level.shape[1:]), 0) if length > 1 else level
        total = delta * _sum(last * payoffs, 1) + (1 - delta) * total
    return total


def visits(opening: Sequence[Array], settled: Float[Array, "n *batch"], delta: Array) -> Float[Array, "h *batch"]:
    """Return how often a decision is taken in each context: in all, discounted, and times δ."""
    gamma, start = 1 - delta, delta[None] * jnp.ones_like(settled[:1])
    weights = [start, *(delta * gamma**t * level for t, level in enumerate(opening, 1))]
    return jnp.concatenate([*weights, gamma ** (len(opening) + 1) * settled])


def values_after(
    w: Float[Array, "n *batch"],
    payoffs: Float[Array, "K *batch"],
    root_return: Float[Array, "*batch"],
    probabilities: Float[Array, "h K *batch"],
    delta: Float[Array, "*batch"],
    memory: int,
) -> Float[Array, "h K *batch"]:
    """Return the value of what follows each context and outcome, that outcome's payoff included.

    Args:
        w: values of the histories of full length, relative to the root.
        payoffs: after each outcome.
        root_return: what is earned a step from the root.
        probabilities: of each outcome in each context.
        delta: the stopping rate.
        memory: outcomes remembered.
    """
    K, levels = len(payoffs), [w]
    for length in reversed(range(1, memory)):
        first, end = (sum(K**i for i in range(n)) for n in (length, length + 1))
        onward = _sum(probabilities[first:end] * levels[0].reshape(end - first, K, *w.shape[1:]), 1)
        now = jnp.tile(payoffs, (K ** (length - 1), *(1,) * (payoffs.ndim - 1)))
        levels.insert(0, now - root_return + (1 - delta) * onward)
    # A full history and an outcome lead to the history that drops its oldest outcome.
    return jnp.concatenate([*levels, *[w] * K]).reshape(len(probabilities), K, *w.shape[1:])


def gains(
    after: Float[Array, "h K *batch"], tables: Sequence[Float[Array, "h *batch"]], memory: int, player: int
) -> Float[Array, "h *batch"]:
    """Return Q(context, C) − Q(context, D) of a player's action, in player 1's order."""
    n = len(tables)
    signed = [seen_by(x, memory, i, n) for i, x in enumerate(tables)]
    others = joint(signed[:player] + signed[player + 1 :])
    before, behind = 2**player, 2 ** (n - 1 - player)
    split = after.reshape(len(after), before, 2, behind, *after.shape[2:])
    difference = (split[:, :, 0] - split[:, :, 1]).reshape(others.shape)
    return _sum(others * difference, 1)
