"""Matches of automata by dense matrices over pairs of states, in numpy alone."""

import numpy as np

from ipd_theory.automata import Automaton
from ipd_theory.games import MatrixGame

OUTCOMES = ("CC", "CD", "DC", "DD")


def chain(game: MatrixGame, first: Automaton, second: Automaton) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The moves [nm, nm] between pairs of states, what they pay both players [nm, 2], and the first pair's chances."""
    n, m = first.num_states, second.num_states
    c, d, mine, theirs = (np.asarray(x) for x in (first.cooperate, second.cooperate, first.moves, second.moves))
    payoffs = np.asarray(game.outcome_payoffs)
    moves, earned = np.zeros((n * m, n * m)), np.zeros((n * m, 2))
    for s, t in np.ndindex(n, m):
        for o, outcome in enumerate(OUTCOMES):
            chance = (c[s] if outcome[0] == "C" else 1 - c[s]) * (d[t] if outcome[1] == "C" else 1 - d[t])
            onward = np.outer(mine[s, o], theirs[t, OUTCOMES.index(outcome[::-1])])
            moves[s * m + t] += chance * onward.reshape(-1)
            earned[s * m + t] += chance * payoffs[:, o]
    return moves, earned, np.outer(first.start, second.start).reshape(-1)


def returns(
    game: MatrixGame, first: Automaton, second: Automaton, discount: float = 1.0, horizon: int | None = None
) -> np.ndarray:
    """Both players' mean payoffs a step, of a game that ends after a horizon, or never."""
    moves, earned, start = chain(game, first, second)
    if horizon is None:
        return (1 - discount) * start @ np.linalg.solve(np.eye(len(moves)) - discount * moves, earned)
    total = np.zeros(2)
    for step in range(horizon):
        total += discount**step * start @ earned
        start = start @ moves
    return total / sum(discount**step for step in range(horizon))
