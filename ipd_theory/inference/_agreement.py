"""How often a player did what strategies meant to do there: all that the likelihood of their mixtures depends on."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ipd_theory import strategies
from ipd_theory.automata import Automaton
from ipd_theory.inference.counts import count
from ipd_theory.inference.plays import Plays

SEGMENT = 2**10  # rounds that an automaton is led through one by one, many such stretches at a time


class Agreement(NamedTuple):
    """Rounds by the probability with which a strategy meant to do what was done in them.

    Args:
        meant: [u] those probabilities, of all strategies.
        rounds: [players, K, u] in how many rounds of a player a strategy meant what was done with each of them.
    """

    meant: Float[np.ndarray, " u"]
    rounds: Float[np.ndarray, "players K u"]


def agreement(plays: Plays, meant: Mapping[str, np.ndarray | Automaton]) -> Agreement:
    """Return how far the play of whole matches agrees with tables and automata without chance in their moves."""
    counted = []
    for strategy in meant.values():
        if isinstance(strategy, Automaton):
            counted.append((np.asarray(strategy.cooperate, float), count_states(plays, strategy)))
        else:
            counted.append((np.asarray(strategy, float), count(plays, strategies.memory_of(strategy))))
    chances = [np.round(np.stack([c, 1 - c], -1).reshape(-1), 12) for c, _ in counted]
    values = np.unique(np.concatenate(chances))
    rounds = [
        counts.reshape(len(counts), -1) @ (own[:, None] == values).astype(float)
        for own, (_, counts) in zip(chances, counted, strict=True)
    ]
    return Agreement(values, np.stack(rounds, 1))


def whole_matches(plays: Plays) -> Plays:
    """Return the play without what follows a gap, where nobody knows what state an automaton is in.

    Raises:
        ValueError: if nothing is left.
    """
    runs = np.asarray(plays.first) == 0
    if not runs.any():
        raise ValueError("plays holds no match whose first round is recorded")
    outcomes = plays.outcomes[np.repeat(runs, plays.lengths)]
    return Plays(outcomes, plays.lengths[runs], plays.first[runs], plays.match[runs], plays.player[runs], plays.players)


def is_sure(machine: Automaton) -> bool:
    """Return whether the state follows from what was played: whether no move and no start is left to chance."""
    return all(bool(((x == 0) | (x == 1)).all()) for x in map(np.asarray, (machine.moves, machine.start)))


def count_states(plays: Plays, machine: Automaton) -> Int[np.ndarray, "players n 2"]:
    """Return each player's cooperations and defections in each state that the automaton is in, whole matches given.

    A long match is cut into stretches: first from every state at once, to learn where each of them leads, then from
    the state that the stretches before lead to.
    """
    n, segments = machine.num_states, _Segments.of(plays)
    moves = np.asarray(machine.moves).argmax(-1).astype(np.int16)
    state = np.full(segments.begin.size, np.asarray(machine.start).argmax(), np.int16)
    if segments.turn.max() > 0:
        lead = np.tile(np.arange(n, dtype=np.int16), (segments.begin.size, 1))
        for alive, at in segments.steps():
            lead[:alive] = moves[lead[:alive], plays.outcomes[at][:, None]]
        for turn in range(1, segments.turn.max() + 1):
            here = np.flatnonzero(segments.turn == turn)
            before = segments.previous[here]
            state[here] = lead[before, state[before]]
    counts = np.zeros((segments.begin.size, n, 2), np.int32)
    everyone = np.arange(segments.begin.size)
    for alive, at in segments.steps():
        outcome = plays.outcomes[at]
        counts[everyone[:alive], state[:alive], outcome >> 1] += 1
        state[:alive] = moves[state[:alive], outcome]
    total = np.zeros((len(plays.players), n, 2), np.int64)
    np.add.at(total, plays.player[segments.run], counts)
    return total


class _Segments(NamedTuple):
    """Stretches of runs, the longest first: where each begins, its length, its run, its turn, and which is before."""

    begin: np.ndarray
    length: np.ndarray
    run: np.ndarray
    turn: np.ndarray
    previous: np.ndarray

    @classmethod
    def of(cls, plays: Plays) -> "_Segments":
        many = -(-plays.lengths // SEGMENT)
        run = np.repeat(np.arange(many.size), many)
        turn = np.arange(run.size) - np.repeat(np.cumsum(many) - many, many)
        length = np.minimum(plays.lengths[run] - SEGMENT * turn, SEGMENT)
        order = np.argsort(-length, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        previous = place[np.maximum(order - 1, 0)]
        begin = plays.starts[run] + SEGMENT * turn
        return cls(begin[order], length[order], run[order], turn[order], previous)

    def steps(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield, round by round, how many stretches go on, and where their rounds stand."""
        for t in range(int(self.length[0])):
            alive = int(np.searchsorted(-self.length, -t))
            yield alive, self.begin[:alive] + t
