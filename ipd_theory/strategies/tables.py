"""Memory-n strategies as tables of cooperation probabilities.

After t rounds a player has seen the outcomes o_1, …, o_t; an outcome is a joint action, written own action
first (CC, CD, DC, DD for two players). A memory-n strategy cooperates with a probability that depends on the
last n outcomes, or on all of them while there are fewer: its *contexts*. With K = 2^players outcomes there are

    h = 1 + K + … + K^n        contexts: the empty history, then length 1, then length 2, …

in that order; within one length the oldest outcome is the most significant digit, so a memory-two player's
contexts run start; CC, CD, DC, DD; CC·CC, CC·CD, …, DD·DD. A strategy is an array [..., h]; memory-one is
(start, CC, CD, DC, DD). Every player sees histories from its own side: player i's outcome lists its own action
first and then the others' in order, so for two players CD and DC are swapped.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory import _checks
from ipd_theory._arguments import checked

MAX_MEMORY = 3
MAX_PLAYERS, MAX_BITS = 20, 24  # longer tables of contexts are refused: they have more than 2²⁴ rows
# Memory-one contexts, and outcomes, of two players as the other one names them: CD and DC exchanged.
CONTEXT_SWAP = (0, 1, 3, 2, 4)
OUTCOME_SWAP = (0, 2, 1, 3)


@checked
def num_contexts(memory: int, num_players: int = 2) -> int:
    """Return h, the number of contexts of a memory-`memory` strategy among `num_players` players."""
    _checks.whole("num_players", num_players, 1, MAX_PLAYERS)
    _checks.whole("memory", memory, 0, MAX_BITS // num_players)
    return sum((2**num_players) ** length for length in range(memory + 1))


@functools.cache
def _lengths(num_players: int) -> tuple[int, ...]:
    """Return the number of contexts of each memory, 0 to the longest."""
    longest = min(MAX_MEMORY, MAX_BITS // num_players)
    return tuple(num_contexts(memory, num_players) for memory in range(longest + 1))


@checked
def memory_of(strategy: Float[ArrayLike, "... h"], num_players: int = 2, name: str = "strategy") -> int:
    """Return how many outcomes a strategy [..., h] remembers.

    Raises:
        ValueError: naming `name`, if the last axis has no valid length.
    """
    lengths = _lengths(_checks.whole("num_players", num_players, 1, MAX_PLAYERS))
    _checks.last_axis(name, strategy, lengths, f"the contexts of memory 0 to {len(lengths) - 1}")
    return lengths.index(jnp.shape(strategy)[-1])


@checked
def contexts(memory: int, num_players: int = 2) -> list[str]:
    """Return the contexts in order as text: `start`, `CC`, …, `CC·CD`, … (oldest outcome first)."""
    _checks.whole("memory", memory, 0)
    num_contexts(memory, num_players)  # which checks both
    outcomes = ["".join(actions) for actions in itertools.product("CD", repeat=num_players)]
    histories = itertools.chain.from_iterable(
        itertools.product(outcomes, repeat=length) for length in range(memory + 1)
    )
    return ["·".join(history) or "start" for history in histories]


@checked
def contexts_of_cooperation(memory: int, num_players: int = 2) -> Int[np.ndarray, " lengths"]:
    """Return the contexts [memory + 1] in which nobody has defected, the shortest first: the start, CC, CC·CC, …"""
    _checks.whole("memory", memory, 0)
    return np.array([0, *(num_contexts(length, num_players) for length in range(memory))])


@checked
def view(memory: int, player: int, num_players: int = 2) -> Int[np.ndarray, " h"]:
    """Return the swap of view [h]: entry c is the index, for `player`, of the context that player 1 calls c.

    `strategy[..., view(…)]` is player `player`'s table in player 1's order. For two players and memory one
    it is (0, 1, 3, 2, 4).

    Args:
        memory: outcomes remembered.
        player: 0 for player 1 (the identity), up to num_players − 1.
        num_players: how many players there are.
    """
    num_contexts(memory, num_players)  # which checks both
    _checks.player("player", player, num_players)
    K = 2**num_players
    bits = (np.arange(K)[:, None] >> np.arange(num_players)[::-1]) & 1  # player 1's action first
    own_first = [player, *(j for j in range(num_players) if j != player)]
    seen_as = (bits[:, own_first] << np.arange(num_players)[::-1]).sum(1)
    level, tables, offset = np.zeros(1, int), [np.zeros(1, int)], 1
    for length in range(1, memory + 1):
        level = (level[:, None] * K + seen_as[None, :]).reshape(-1)
        tables.append(level + offset)
        offset += K**length
    return np.concatenate(tables)


@checked
def successors(memory: int, num_players: int = 2) -> Int[np.ndarray, "h K"]:
    """Return the context [h, K] that follows each context after each outcome, the outcome in the player's own view.

    Args:
        memory: outcomes remembered.
        num_players: how many players there are.

    Raises:
        ValueError: if memory is negative or there is no player.
    """
    num_contexts(memory, num_players)  # which checks both
    if memory == 0:
        return np.zeros((1, 2**num_players), int)
    K = 2**num_players
    levels = [np.arange(K**length)[:, None] * K + np.arange(K) for length in range(memory)]
    levels.append(np.arange(K**memory)[:, None] % K ** (memory - 1) * K + np.arange(K))
    starts = [num_contexts(min(length + 1, memory) - 1, num_players) for length in range(memory + 1)]
    return np.concatenate([start + level for start, level in zip(starts, levels, strict=True)])


@checked
def extend(strategy: Float[ArrayLike, "... h"], memory: int, num_players: int = 2) -> Float[Array, "... h2"]:
    """Return the same behaviour [..., h'] written as a table with a longer memory.

    Args:
        strategy: [..., h] cooperation probabilities.
        memory: how many outcomes the new table remembers, at least as many as the old.
        num_players: how many players there are.

    Raises:
        ValueError: if the strategy remembers more than `memory` outcomes.
    """
    old, K = memory_of(strategy, num_players), 2**num_players
    num_contexts(memory, num_players)  # which checks both
    if old > memory:
        raise ValueError(f"memory={memory} is shorter than the strategy's own memory of {old}")
    if old == memory:
        return jnp.asarray(strategy)
    index = [np.arange(num_contexts(old, num_players))]
    for length in range(old + 1, memory + 1):
        index.append(num_contexts(old, num_players) - K**old + np.arange(K**length) % K**old)
    return _entries(jnp.asarray(strategy), tuple(np.concatenate(index).tolist()))


@functools.partial(jax.jit, static_argnames="index", inline=True)
def _entries(table: Array, index: tuple[int, ...]) -> Array:
    return table[..., np.array(index)]


@checked
def tremble(strategy: Float[ArrayLike, "... h"], error: ArrayLike) -> Float[Array, "... h"]:
    """Return the strategy [..., h] whose every intended action is flipped with probability `error` [...].

    Raises:
        ValueError: if a probability of the strategy or `error` leaves [0, 1], or `error` is so small that 1 − error
            rounds in the strategy's dtype (below 1e-6 in float32): cooperators alone would then err less often.
    """
    table = _checks.probabilities("strategy", strategy)
    flip = jnp.asarray(_checks.probabilities("error", error), table.dtype)
    return _trembling(table, _checks.resolved("error", flip))


@jax.jit
def _trembling(table: Array, error: Array) -> Array:
    flip = error[..., None]
    return (1 - flip) * table + flip * (1 - table)


@checked
def all_pure(memory: int = 1, num_players: int = 2) -> Float[Array, "n h"]:
    """Return every deterministic strategy [2^h, h] of the given memory (0 or 1 for two players: 2 or 32 rows).

    Raises:
        ValueError: if there are more than 2^20 of them.
    """
    h = num_contexts(memory, num_players)
    if h > 20:
        raise ValueError(f"memory={memory} has 2^{h} pure strategies; at most 2^20 are listed")
    return jnp.asarray(list(itertools.product([1.0, 0.0], repeat=h)), float)
