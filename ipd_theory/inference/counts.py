"""How often a player cooperated and defected in each context that it may remember."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory.inference.plays import Plays

BLOCK = 2**19  # rounds that are placed at a time


class Placed(NamedTuple):
    """Rounds that follow each other, each with the run it is of, the context before it and the player's own action.

    `known` says where the context is: after a gap as many rounds have to pass as are remembered.
    """

    run: Int[np.ndarray, " n"]
    position: Int[np.ndarray, " n"]
    context: Int[np.ndarray, " n"]
    own: Int[np.ndarray, " n"]
    known: Bool[np.ndarray, " n"]


def placed(plays: Plays, memory: int) -> Iterator[Placed]:
    """Yield all rounds in blocks, with their contexts of a memory, in the order of `strategies.contexts`."""
    starts, rounds = plays.starts, plays.num_rounds
    for low in range(0, rounds, BLOCK):
        high = min(low + BLOCK, rounds)
        runs = np.arange(np.searchsorted(starts, low, "right") - 1, np.searchsorted(starts, high, "left"))
        ends = starts[runs] + plays.lengths[runs]
        run = np.repeat(runs, np.minimum(ends, high) - np.maximum(starts[runs], low))
        position = np.arange(low, high) - starts[run]
        begun = max(low - memory, 0)
        past = np.zeros(memory + high - low, np.int64)
        past[memory - (low - begun) :] = plays.outcomes[begun:high]
        context, code = np.zeros(high - low, np.int64), np.zeros(high - low, np.int64)
        for back in range(1, memory + 1):
            code += 4 ** (back - 1) * past[memory - back : memory - back + high - low]
            context = np.where(position >= back, strategies.num_contexts(back - 1) + code, context)
        known = (plays.first[run] == 0) | (position >= memory)
        yield Placed(run, position, context, past[memory:] >> 1, known)


@checked
def count(plays: Plays, memory: int = 1) -> Int[np.ndarray, "players h 2"]:
    """Return each player's cooperations and defections [players, h, 2] in each context.

    Rounds after a gap count once as many have been seen as are remembered.

    Args:
        plays: the log.
        memory: outcomes remembered, 0 to 3.

    Raises:
        ValueError: if the memory is longer.
    """
    return _counted(plays, memory, np.zeros(plays.lengths.size, int), np.zeros(plays.lengths.size, int), 1)[0]


@checked
def count_by_half(plays: Plays, memory: int = 1, by: str = "rounds") -> Int[np.ndarray, "2 players h 2"]:
    """Return what `count` does of the earlier and the later half of what each player played.

    Args:
        plays: the log.
        memory: outcomes remembered, 0 to 3.
        by: `rounds`, the first half of the rounds of each match, or `matches`, the first half of a player's matches,
            in the order of the log; the middle one of an odd number is late.

    Raises:
        ValueError: if the memory is longer, or `by` is something else.
    """
    _checks.one_of("by", by, ("rounds", "matches"))
    of_match, inverse = np.unique(np.stack([plays.player, plays.match]), axis=1, return_inverse=True)
    inverse = inverse.reshape(-1)
    if by == "rounds":
        last = np.zeros(of_match.shape[1], np.int64)
        np.maximum.at(last, inverse, plays.first + plays.lengths)
        turn = last[inverse] // 2 - plays.first  # the position in its run from which a round is late
    else:
        begin = np.searchsorted(of_match[0], np.arange(len(plays.players)))
        many = np.bincount(of_match[0], minlength=len(plays.players))
        rank = np.arange(of_match.shape[1]) - begin[of_match[0]]
        late = (rank >= many[of_match[0]] // 2)[inverse]
        turn = np.where(late, 0, plays.lengths)
    return _counted(plays, memory, turn, plays.lengths, 2)


def _counted(plays: Plays, memory: int, turn: np.ndarray, end: np.ndarray, parts: int) -> np.ndarray:
    """Return counts [parts, players, h, 2]; rounds from the position `turn` of their run on are of the last part."""
    _checks.whole("memory", memory, 0, strategies.MAX_MEMORY)
    h, players = strategies.num_contexts(memory), len(plays.players)
    total = np.zeros(parts * players * h * 2, np.int64)
    for rounds in placed(plays, memory):
        late = (rounds.position >= turn[rounds.run]) & (parts > 1)
        where = ((late * players + plays.player[rounds.run]) * h + rounds.context) * 2 + rounds.own
        total += np.bincount(where[rounds.known], minlength=total.size)
    return total.reshape(parts, players, h, 2)


@checked
def shortened(counts: Int[np.ndarray, "*batch h 2"], memory: int) -> Int[np.ndarray, "*batch h2 2"]:
    """Return counts of a longer memory as those of a shorter one.

    Args:
        counts: [..., h, 2] of some memory.
        memory: the shorter one.

    Raises:
        ValueError: if it is longer, or the counts are of no memory.
    """
    length = np.shape(counts)[-2] if np.ndim(counts) >= 2 else 0
    longer = strategies.memory_of(np.zeros(length), name="counts")
    _checks.whole("memory", memory, 0, longer)
    return merged(np.asarray(counts), labels(longer, memory))


def merged(counts: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return counts [..., h, 2] by class of contexts, [..., classes, 2]."""
    into = np.eye(classes.max() + 1, dtype=counts.dtype)[classes]  # [h, classes]
    return np.einsum("...ha,hc->...ca", counts, into)


def labels(memory: int, shorter: int) -> Int[np.ndarray, " h"]:
    """Return which context of a shorter memory each context of a memory is one of."""
    numbers = np.arange(float(strategies.num_contexts(shorter)))
    return np.rint(np.asarray(strategies.extend(numbers, memory))).astype(int)
