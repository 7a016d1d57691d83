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

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory import _checks
from ipd_theory._checks import to_float

MAX_MEMORY = 3
# Memory-one contexts, and outcomes, of two players as the other one names them: CD and DC exchanged.
CONTEXT_SWAP = (0, 1, 3, 2, 4)
OUTCOME_SWAP = (0, 2, 1, 3)


def num_contexts(memory: int, num_players: int = 2) -> int:
    """Return h, the number of contexts of a memory-`memory` strategy among `num_players` players."""
    return sum((2**num_players) ** length for length in range(memory + 1))


def memory_of(strategy: Float[ArrayLike, "... h"], num_players: int = 2, name: str = "strategy") -> int:
    """Return how many outcomes a strategy [..., h] remembers.

    Raises:
        ValueError: naming `name`, if the last axis has no valid length.
    """
    lengths = tuple(num_contexts(n, num_players) for n in range(MAX_MEMORY + 1))
    _checks.last_axis(name, strategy, lengths, f"the contexts of memory 0 to {MAX_MEMORY}")
    return lengths.index(jnp.shape(strategy)[-1])


def contexts(memory: int, num_players: int = 2) -> list[str]:
    """Return the contexts in order as text: `start`, `CC`, …, `CC·CD`, … (oldest outcome first)."""
    outcomes = ["".join(actions) for actions in itertools.product("CD", repeat=num_players)]
    histories = itertools.chain.from_iterable(
        itertools.product(outcomes, repeat=length) for length in range(memory + 1)
    )
    return ["·".join(history) or "start" for history in histories]


def view(memory: int, player: int, num_players: int = 2) -> Int[np.ndarray, " h"]:
    """Return the swap of view [h]: entry c is the index, for `player`, of the context that player 1 calls c.

    `strategy[..., view(…)]` is player `player`'s table in player 1's order. For two players and memory one
    it is (0, 1, 3, 2, 4).

    Args:
        memory: outcomes remembered.
        player: 0 for player 1 (the identity), up to num_players − 1.
        num_players: how many players there are.
    """
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


def successors(memory: int, num_players: int = 2) -> Int[np.ndarray, "h K"]:
    """Return the context [h, K] that follows each context after each outcome, the outcome in the player's own view.

    Args:
        memory: outcomes remembered.
        num_players: how many players there are.
    """
    if memory == 0:
        return np.zeros((1, 2**num_players), int)
    K = 2**num_players
    levels = [np.arange(K**length)[:, None] * K + np.arange(K) for length in range(memory)]
    levels.append(np.arange(K**memory)[:, None] % K ** (memory - 1) * K + np.arange(K))
    starts = [num_contexts(min(length + 1, memory) - 1, num_players) for length in range(memory + 1)]
    return np.concatenate([start + level for start, level in zip(starts, levels, strict=True)])


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
    if old > memory:
        raise ValueError(f"memory={memory} is shorter than the strategy's own memory of {old}")
    if old == memory:
        return jnp.asarray(strategy)
    index = [np.arange(num_contexts(old, num_players))]
    for length in range(old + 1, memory + 1):
        index.append(num_contexts(old, num_players) - K**old + np.arange(K**length) % K**old)
    return jnp.asarray(strategy)[..., np.concatenate(index)]


def tremble(strategy: Float[ArrayLike, "... h"], error: ArrayLike) -> Float[Array, "... h"]:
    """Return the strategy [..., h] whose every intended action is flipped with probability `error` [...].

    Raises:
        ValueError: if `error` leaves [0, 1].
    """
    table = to_float(strategy)
    flip = _checks.in_range("error", jnp.asarray(error, table.dtype), 0.0, 1.0)[..., None]
    return (1 - flip) * table + flip * (1 - table)


def all_pure(memory: int = 1, num_players: int = 2) -> Float[Array, "n h"]:
    """Return every deterministic strategy [2^h, h] of the given memory (0 or 1 for two players: 2 or 32 rows).

    Raises:
        ValueError: if there are more than 2^20 of them.
    """
    h = num_contexts(memory, num_players)
    if h > 20:
        raise ValueError(f"memory={memory} has 2^{h} pure strategies; at most 2^20 are listed")
    return jnp.asarray(list(itertools.product([1.0, 0.0], repeat=h)), float)


def memory_one(start: ArrayLike, cc: ArrayLike, cd: ArrayLike, dc: ArrayLike, dd: ArrayLike) -> Float[Array, "... 5"]:
    """Return [..., 5] from the cooperation probabilities [...] at the start and after CC, CD, DC, DD."""
    return jnp.stack(jnp.broadcast_arrays(*(jnp.asarray(x, float) for x in (start, cc, cd, dc, dd))), -1)


def reactive(start: ArrayLike, p: ArrayLike, q: ArrayLike) -> Float[Array, "... 5"]:
    """Return [..., 5]: cooperate with probability p [...] after the other's C and q [...] after its D."""
    return memory_one(start, p, q, p, q)


def _last_actions(memory: int, player: int) -> Int[np.ndarray, " h"]:
    """Return what a player (0 oneself, 1 the other) last did in each context [h], as a number.

    Its digits are the last `memory` actions, oldest first, 0 for C and 1 for D; rounds not yet played count as C.
    """
    numbers = [np.zeros(1, int)]
    for _ in range(memory):
        acted = np.array([0, 0, 1, 1] if player == 0 else [0, 1, 0, 1])
        numbers.append((2 * numbers[-1][:, None] + acted).reshape(-1))
    return np.concatenate(numbers)


def _remembered(name: str, responses: Array, lengths: dict[int, int]) -> int:
    allowed = tuple(lengths)
    _checks.last_axis(name, responses, allowed, f"for memory {', '.join(map(str, lengths.values()))}")
    return lengths[responses.shape[-1]]


_POWERS = {2**memory: memory for memory in range(1, MAX_MEMORY + 1)}


def reactive_n(p: Float[ArrayLike, "... responses"]) -> Float[Array, "... h"]:
    """Return the strategy [..., h] that looks only at what the other did in the last n rounds, n = 1, 2 or 3.

    Args:
        p: [..., 2^n] probability to cooperate after the other's last n actions, oldest first, C before D (CC, CD, DC,
            DD for n = 2); rounds not yet played count as C.

    Raises:
        ValueError: if the last axis is not 2, 4 or 8 long, or a probability leaves [0, 1].
    """
    responses = _checks.in_range("p", to_float(p), 0.0, 1.0)
    return responses[..., _last_actions(_remembered("p", responses, _POWERS), 1)]


def self_reactive_n(p: Float[ArrayLike, "... responses"]) -> Float[Array, "... h"]:
    """Return the strategy [..., h] that looks only at what it did itself in the last n rounds; p as in `reactive_n`.

    Against a reactive strategy some best reply is of this kind (Glynatsi, Akin, Nowak & Hilbe 2024).
    """
    responses = _checks.in_range("p", to_float(p), 0.0, 1.0)
    return responses[..., _last_actions(_remembered("p", responses, _POWERS), 0)]


def counting_n(r: Float[ArrayLike, "... counts"]) -> Float[Array, "... h"]:
    """Return the strategy [..., h] that counts how often the other cooperated in the last n rounds, n = 1, 2 or 3.

    Args:
        r: [..., n + 1] probability to cooperate after 0, 1, …, n cooperations; rounds not yet played count as C.

    Raises:
        ValueError: if the last axis is not 2, 3 or 4 long, or a probability leaves [0, 1].
    """
    responses = _checks.in_range("r", to_float(r), 0.0, 1.0)
    n = _remembered("r", responses, {memory + 1: memory for memory in range(1, MAX_MEMORY + 1)})
    defections = np.array([bin(number).count("1") for number in _last_actions(n, 1)])
    return responses[..., n - defections]


def random(p: ArrayLike = 0.5) -> Float[Array, "... 5"]:
    """Return [..., 5]: cooperate with probability p [...] whatever happened."""
    return memory_one(p, p, p, p, p)


def always_cooperate() -> Float[Array, "5"]:
    """Return ALLC [5]."""
    return random(1.0)


def always_defect() -> Float[Array, "5"]:
    """Return ALLD [5]."""
    return random(0.0)


def tit_for_tat() -> Float[Array, "5"]:
    """Return TFT [5]: cooperate, then do what the other did."""
    return reactive(1.0, 1.0, 0.0)


def suspicious_tit_for_tat() -> Float[Array, "5"]:
    """Return STFT [5]: tit for tat that opens with defection."""
    return reactive(0.0, 1.0, 0.0)


def generous_tit_for_tat(q: ArrayLike = 1 / 3) -> Float[Array, "... 5"]:
    """Return GTFT [..., 5]: tit for tat that forgives a defection with probability q [...]."""
    return reactive(1.0, 1.0, q)


def win_stay_lose_shift() -> Float[Array, "5"]:
    """Return WSLS [5], Pavlov: cooperate exactly after CC and DD (Nowak & Sigmund 1993)."""
    return memory_one(1.0, 1.0, 0.0, 0.0, 1.0)


def grim() -> Float[Array, "5"]:
    """Return GRIM [5]: cooperate until anyone has defected, then defect for good."""
    return memory_one(1.0, 1.0, 0.0, 0.0, 0.0)


def firm_but_fair() -> Float[Array, "5"]:
    """Return FBF [5]: cooperate except after having been the sucker (Frean 1994)."""
    return memory_one(1.0, 1.0, 0.0, 1.0, 1.0)


def tit_for_two_tats() -> Float[Array, "21"]:
    """Return TF2T [21], memory two: defect only after two defections of the other in a row."""
    defected = [context.split("·") for context in contexts(2)]
    return jnp.asarray([float([o[1:] for o in c[-2:]] != ["D", "D"]) for c in defected])


def two_tits_for_tat() -> Float[Array, "21"]:
    """Return 2TFT [21], memory two: defect twice after each defection of the other."""
    recent = [context.split("·") for context in contexts(2)]
    return jnp.asarray([float(c == ["start"] or all(o[1] == "C" for o in c[-2:])) for c in recent])
