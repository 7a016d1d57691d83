r"""All best replies in fractions: nothing is rounded, and ties are ties.

Against fixed strategies the game is a Markov decision process over contexts, V(c) = max_a r(c, a) + γ Σ P V(c').
Policy iteration solves it from the policy that floating-point numbers found, so that mostly one solve in fractions
shows it to be optimal. States are eliminated one by one, which is cheap where few follow each, as here.

In the limit of means the optimal actions are those that are optimal for every γ near enough to 1 (Blackwell 1962).
Which of two is better is the sign of a polynomial in δ = 1 − γ, of whole coefficients up to some H, the product over
contexts of the common denominators of their probabilities (times payoffs, and some powers of 2). Such a polynomial has
no root in (0, 1/(1 + H)) (Cauchy's bound), so that one δ below decides for all smaller ones. The average itself is a
fraction with a denominator of at most H, and thereby read from its value at a δ below H^{−4}.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._fractions import fraction
from ipd_theory.games import MatrixGame

Row = dict[int, Fraction]
MOST_TURNS = 100  # of policy iteration in floating point, whose result need not be right


class ExactReplies(NamedTuple):
    """All best replies to a strategy, in fractions.

    Args:
        value: what a best reply earns, a step.
        optimal: [h, 2] whether to cooperate, and to defect, is optimal in each context, seen by the replier; in a
            finite game [horizon, h, 2].
    """

    value: Fraction
    optimal: Bool[np.ndarray, "..."]

    @property
    def strategy(self) -> Float[np.ndarray, "..."]:
        """One of them [h]: pure, cooperating wherever that is optimal."""
        return self.optimal[..., 0].astype(float)


class Process(NamedTuple):
    """A Markov decision process in fractions, by state and action: payoffs, and the probability of each next state."""

    earned: list[tuple[Fraction, Fraction]]
    moves: list[tuple[Row, Row]]


@checked
def best_responses(
    game: MatrixGame, *others: Any, discount: Any = 1, horizon: int | None = None, player: int = 0
) -> ExactReplies:
    """Return what is optimal against the other players' strategies in every context, and what it earns, exactly.

    A floating-point number stands for the simplest fraction that rounds to it, 0.1 for 1/10. Memory one and two take
    milliseconds to a second; memory three with few sure responses takes seconds, in the limit of means minutes.

    Args:
        game: the stage game.
        *others: the other players' strategies, memory 0 to 3, numbers or fractions, each in its own view, in the
            players' order.
        discount: γ in [0, 1], a number or fraction; 1 is the limit of means, where what is optimal is so for every γ
            near 1.
        horizon: if given, play ends after this many steps, and what is optimal depends on the step.
        player: who replies, from 0.

    Raises:
        ValueError: if the others are not as many as the game asks for, a probability or the discount leaves [0, 1], or
            a shape or the player is wrong.
    """
    tables = [_probabilities(f"others[{i}]", x) for i, x in enumerate(others)]
    gamma = _probabilities("discount", [discount])[0]
    _checks.player("player", player, game.num_players)
    if game.payoffs.ndim != game.num_players + 1:
        raise ValueError(f"game holds a batch of games, of shape {game.payoffs.shape}; fractions take one at a time")
    if len(tables) != game.num_players - 1:
        raise ValueError(
            f"others holds {len(tables)} strategies; the game has {game.num_players} players, "
            f"so {game.num_players - 1} others"
        )
    process = _process(game, tables, player)
    if horizon is not None:
        return _backwards(process, gamma, _checks.whole("horizon", horizon, 1))
    guess = _guess(process, min(float(gamma), 1 - 1e-6))
    if gamma < 1:
        values, optimal = solve(process, gamma, guess)
        return ExactReplies((1 - gamma) * values[0], optimal)
    bound = _height(process)
    _, optimal = solve(process, 1 - Fraction(1, 2 * bound), guess)
    policy = [0 if cooperates else 1 for cooperates in optimal[:, 0]]
    tiny = Fraction(1, 16 * len(policy) * bound**4)
    value = tiny * _values(process, 1 - tiny, policy)[0]
    return ExactReplies(value.limit_denominator(bound), optimal)


def _probabilities(name: str, entries: Any) -> list[Fraction]:
    """Return numbers from 0 to 1 as fractions."""
    try:
        found = [fraction(x) for x in (np.asarray(entries).tolist() if hasattr(entries, "dtype") else entries)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers or fractions; {error}") from None
    for x in found:
        if not 0 <= x <= 1:
            raise ValueError(f"{name} holds {x}; every entry must lie in [0, 1]")
    return found


def _process(game: MatrixGame, tables: list[list[Fraction]], player: int) -> Process:
    """Return the replier's process over its own contexts [h]."""
    n = game.num_players
    lengths = [strategies.memory_of(np.empty(len(t)), n, f"others[{i}]") for i, t in enumerate(tables)]
    memory = max(lengths)
    h = strategies.num_contexts(memory, n)
    index = [np.asarray(strategies.extend(np.arange(float(len(t))), memory, n)).astype(int) for t in tables]
    seats = [i for i in range(n) if i != player]
    cooperates = {
        seat: [table[i] for i in index_[strategies.view(memory, seat, n)]]
        for seat, table, index_ in zip(seats, tables, index, strict=True)
    }
    after = strategies.successors(memory, n)
    own_view = strategies.view(memory, player, n)  # from player 1's contexts, in which the loop runs
    payoffs = [fraction(x) for x in np.asarray(game.outcome_payoffs)[player]]
    earned: list[tuple[Fraction, Fraction]] = [(Fraction(0), Fraction(0))] * h
    moves: list[tuple[Row, Row]] = [({}, {})] * h
    for c in range(h):
        pays = [Fraction(0), Fraction(0)]
        goes: tuple[Row, Row] = ({}, {})
        for outcome in range(2**n):
            actions = [outcome >> (n - 1 - i) & 1 for i in range(n)]
            chance = math.prod(
                (1 - cooperates[i][c] if actions[i] else cooperates[i][c] for i in seats), start=Fraction(1)
            )
            if chance:
                a, onward = actions[player], int(own_view[after[c, outcome]])
                pays[a] += chance * payoffs[outcome]
                goes[a][onward] = goes[a].get(onward, Fraction(0)) + chance
        earned[own_view[c]], moves[own_view[c]] = (pays[0], pays[1]), goes
    return Process(earned, moves)


def _guess(process: Process, gamma: float) -> list[int]:
    """Return a policy that is optimal but for rounding, by policy iteration in floating point."""
    h = len(process.earned)
    earned, moves = np.array(process.earned, float), np.zeros((h, 2, h))
    for s, rows in enumerate(process.moves):
        for a, row in enumerate(rows):
            for t, p in row.items():
                moves[s, a, t] = p
    policy, states = np.zeros(h, int), np.arange(h)
    for _ in range(MOST_TURNS):
        values = np.linalg.solve(np.eye(h) - gamma * moves[states, policy], earned[states, policy])
        worth = earned + gamma * moves @ values
        gain = worth[:, 1] - worth[:, 0]
        better = np.where(np.abs(gain) < 1e-9 * (1 + np.abs(worth).max()), policy, gain > 0)
        if (better == policy).all():
            break
        policy = better
    return [int(a) for a in policy]


def solve(process: Process, gamma: Fraction, policy: Sequence[int]) -> tuple[list[Fraction], Bool[np.ndarray, "h 2"]]:
    """Return the values Σ γ^t r_t of each state and its optimal actions, by policy iteration from a policy, γ < 1."""
    while True:
        values = _values(process, gamma, policy)
        worth = _worth(process, gamma, values)
        better = [a if w[a] == max(w) else 1 - a for a, w in zip(policy, worth, strict=True)]
        if better == list(policy):
            return values, _best_of(worth)
        policy = better


def _worth(process: Process, gamma: Fraction, onward: Sequence[Fraction]) -> list[list[Fraction]]:
    """Return what each action is worth in each state, with these values to come."""
    return [
        [r + gamma * sum(p * onward[t] for t, p in row.items()) for r, row in zip(pays, rows, strict=True)]
        for pays, rows in zip(process.earned, process.moves, strict=True)
    ]


def _best_of(worth: list[list[Fraction]]) -> Bool[np.ndarray, "h 2"]:
    return np.array([[w[0] >= w[1], w[1] >= w[0]] for w in worth])


def _values(process: Process, gamma: Fraction, policy: Sequence[int]) -> list[Fraction]:
    """Return the values of a policy: states are eliminated from the last on, then found from the first on."""
    rest = [pays[a] for a, pays in zip(policy, process.earned, strict=True)]
    rows = [{t: gamma * p for t, p in row[a].items()} for a, row in zip(policy, process.moves, strict=True)]
    sources: list[set[int]] = [set() for _ in rows]
    for s, row in enumerate(rows):
        for t in row:
            sources[t].add(s)
    for k in range(len(rows) - 1, -1, -1):
        stays = 1 / (1 - rows[k].pop(k, Fraction(0)))
        rest[k] *= stays
        rows[k] = {t: p * stays for t, p in rows[k].items()}
        for s in [s for s in sources[k] if s < k]:
            share = rows[s].pop(k)
            rest[s] += share * rest[k]
            for t, p in rows[k].items():
                rows[s][t] = rows[s].get(t, Fraction(0)) + share * p
                sources[t].add(s)
    values: list[Fraction] = []
    for k, row in enumerate(rows):
        values.append(rest[k] + sum(p * values[t] for t, p in row.items()))
    return values


def _height(process: Process) -> int:
    """Return H, which bounds the coefficients of the polynomials that decide between actions."""
    states = zip(process.earned, process.moves, strict=True)
    scale = 1
    pays = [r for both in process.earned for r in both]
    for _, rows in states:
        scale *= 4 * math.lcm(*(p.denominator for row in rows for p in row.values()))
    unit = math.lcm(*(r.denominator for r in pays))
    return 64 * scale * unit * (1 + math.ceil(max(abs(r) for r in pays)))


def _backwards(process: Process, gamma: Fraction, horizon: int) -> ExactReplies:
    """Solve a finite game, the last step first."""
    values, steps = [Fraction(0)] * len(process.earned), []
    for _ in range(horizon):
        worth = _worth(process, gamma, values)
        values = [max(w) for w in worth]
        steps.append(_best_of(worth))
    return ExactReplies(values[0] / sum(gamma**t for t in range(horizon)), np.array(steps[::-1]))
