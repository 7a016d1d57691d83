"""Logs that are made: two strategies play each other, round by round, many matches at once."""

import numpy as np
from jaxtyping import ArrayLike, Float, Int

from ipd_theory import _checks, automata, strategies
from ipd_theory._arguments import checked
from ipd_theory.automata import Automaton


@checked
def play_out(
    first: Float[ArrayLike, "... _"] | Automaton,
    second: Float[ArrayLike, "... _"] | Automaton,
    *,
    matches: int,
    rounds: int,
    seed: int,
) -> Int[np.ndarray, "matches rounds 2"]:
    """Return what two strategies play, drawn at random: [matches, rounds, 2], 0 to cooperate.

    Args:
        first, second: tables of memory 0 to 3 or automata, one or one for each match [matches, …].
        matches: how many.
        rounds: of each match.
        seed: of the draws.

    Raises:
        ValueError: if a number is out of range, or strategies are not as many as matches.
    """
    for name, number in (("matches", matches), ("rounds", rounds)):
        _checks.whole(name, number, 1)
    _checks.whole("seed", seed, 0, 2**32 - 1)
    sides = [_parts(name, x, matches) for name, x in (("first", first), ("second", second))]
    rng, everyone = np.random.default_rng(seed), np.arange(matches)
    states = [_drawn(np.broadcast_to(start, (matches, start.shape[-1])), rng) for _, _, start in sides]
    actions = np.zeros((matches, rounds, 2), np.int8)
    for t in range(rounds):
        for i, (cooperate, _, _) in enumerate(sides):
            match = (everyone,) if cooperate.ndim > 1 else ()
            actions[:, t, i] = rng.random(matches) >= cooperate[(*match, states[i])]
        outcome = 2 * actions[:, t, 0] + actions[:, t, 1]
        seen = outcome, np.array(strategies.OUTCOME_SWAP)[outcome]
        for i, (_, moves, _) in enumerate(sides):
            match = (everyone,) if moves.ndim > 3 else ()
            states[i] = _drawn(moves[(*match, states[i], seen[i])], rng)
    return actions


def _parts(name: str, strategy: ArrayLike | Automaton, matches: int) -> list[np.ndarray]:
    if isinstance(strategy, Automaton):
        machine = strategy
    else:
        table = _checks.probabilities(name, _checks.to_float(strategy, name))
        strategies.memory_of(table, name=name)
        machine = automata.of_table(table)
    parts = [np.asarray(x, float) for x in (machine.cooperate, machine.moves, machine.start)]
    for x, rank in zip(parts, (1, 3, 1), strict=True):
        if x.ndim > rank and x.shape[:-rank] != (matches,):
            raise ValueError(f"{name} must be one strategy or one for each of {matches} matches; got {x.shape[:-rank]}")
    return parts


def _drawn(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a state for each row of chances; none are drawn where all are sure."""
    if ((chances == 0) | (chances == 1)).all():
        return chances.argmax(-1)
    return (rng.random((len(chances), 1)) >= chances.cumsum(-1)[:, :-1]).sum(-1)
