r"""What all pure strategies of some memory are, at once, in whole numbers where that decides.

A pure strategy is a graph: in each context of an opponent two edges leave, for its two actions, each with what it
earns. Multiply payoffs to whole numbers. In the limit of means (γ = 1), from the start on,

    Nash       if a strategy and its copy run into a cycle of L steps that earns a, no cycle within reach of an
               opponent has a positive sum of L·(own payoff) − a;
    rival      no cycle within reach has a positive sum of (the opponent's payoff) − (its own);
    perfect    no single other action followed by the strategy is worth more in any context, for every γ near 1. Values
               are V = (1 + ρ) Σ_n ρ^n y_n in the interest rate ρ = (1 − γ)/γ, n = −1, 0, …, and along the path c → c'
               of the strategy and its copy

                   y_{−1}(c) = y_{−1}(c'),    y_0(c) = r(c) − y_{−1}(c) + y_0(c'),    y_n(c) = −y_{n−1}(c) + y_n(c'),

               so that each y_n averages to 0 over a cycle; the first order at which two actions differ decides;
    partner    never first to defect, and Nash (`verdicts`).

For γ < 1 policy iteration decides, on values that are summed along the paths by doubling.

    efficient  as trembles vanish, it cooperates with its copy all the time. Let every probability be of some order ε^k;
               products add orders, sums take the least, and quotients subtract. The elimination of states by which
               stationary distributions are found uses no subtraction, so that it holds for orders, and is exact.

Sources: Karp 1978 and Puterman 1994, section 10.1 (orders of values); Freidlin & Wentzell 1984 (vanishing noise); Yi,
Baek & Choi 2017 and Murase & Baek 2020 (memory two and three).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Bool, Float, Int

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._fractions import fraction
from ipd_theory.games import MatrixGame
from ipd_theory.replies.best import same_from_all_sides
from ipd_theory.strategies.tables import contexts_of_cooperation

Flags = Bool[np.ndarray, "h n"]
Numbers = Int[np.ndarray, "h n"] | Float[np.ndarray, "h n"]
BLOCK = 4096  # strategies at a time, whose arrays stay in the processor's cache
HIGHEST_ORDER = 4  # of the values that are compared; all orders that payoffs of a few steps can differ in
NEVER = 2**20  # the order of what has no probability


class Classes(NamedTuple):
    """What each strategy is [...], and what it earns against itself, a step."""

    nash: Bool[np.ndarray, "..."]
    perfect: Bool[np.ndarray, "..."]
    partner: Bool[np.ndarray, "..."]
    rival: Bool[np.ndarray, "..."]
    efficient: Bool[np.ndarray, "..."]
    earns: Float[np.ndarray, "..."]

    @property
    def friendly_rival(self) -> Bool[np.ndarray, "..."]:
        """Partner and rival at once."""
        return self.partner & self.rival


@checked
def all_pure_of_memory(memory: int) -> Float[np.ndarray, "n h"]:
    """Return every pure strategy [2^(4^n), h] that looks at the last n = 0, 1 or 2 outcomes: 2, 16 or 65,536 of them.

    Rounds not yet played count as mutual cooperation (`strategies.memory_n`). The first cooperates always, the last
    never; defection after the last context changes fastest.
    """
    n = _checks.whole("memory", memory, 0, 2)
    digits = np.arange(2 ** (4**n))[:, None] >> np.arange(4**n)[::-1]
    responses = 1.0 - (digits & 1)
    return np.asarray(strategies.memory_n(responses)) if n else responses


@checked
def classify(
    game: MatrixGame,
    tables: Float[ArrayLike, "... h"],
    *,
    discount: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Classes:
    """Return what pure strategies are; 65,536 of memory two take seconds.

    Args:
        game: the stage game, symmetric, for two.
        tables: [..., h] pure strategies, all of one memory from 0 to 3.
        discount: γ in [0, 1]; 1 is the limit of means.
        progress: told the share done as it grows.

    Raises:
        ValueError: if the game is for more than two or not symmetric, an entry is neither 0 nor 1, or the discount
            leaves [0, 1].
    """
    gamma = _checks.number("discount", discount, 0, 1)
    _checks.two_players(game, batch=False)
    same_from_all_sides(game)
    table = np.asarray(tables)
    memory = strategies.memory_of(table, name="tables")
    if not np.isin(table, (0, 1)).all():
        raise ValueError("tables must hold pure strategies, whose entries are all 0 or 1")
    columns = table.reshape(-1, table.shape[-1]).T == 1
    blocks = range(0, columns.shape[1], BLOCK)
    found = []
    for first in blocks:
        found.append(_classified(game, columns[:, first : first + BLOCK], memory, gamma))
        if progress is not None:
            progress(min(1.0, (first + BLOCK) / columns.shape[1]))
    joined = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Classes(*(x.reshape(table.shape[:-1]) for x in joined))


@checked
def is_efficient(strategy: Float[ArrayLike, "... h"]) -> Bool[np.ndarray, "..."]:
    """Return whether a strategy and its copy cooperate all the time in the limit of trembles that vanish.

    Args:
        strategy: [..., h], memory 0 to 3, pure or not.

    Raises:
        ValueError: if the last axis has no valid length, or a probability leaves [0, 1].
    """
    memory = strategies.memory_of(strategy)
    table = np.asarray(_checks.probabilities("strategy", strategy))
    return _efficient(table.reshape(-1, table.shape[-1]).T, memory).reshape(table.shape[:-1])


class _Graphs:
    """The graphs of strategies [h, n] as player 2's, by player 1's contexts and actions.

    Args:
        own: what the strategy itself does in player 1's place.
        other: what it does in player 2's place, where player 1 sees these contexts.
        after: [h, 4] the context after each outcome.
    """

    def __init__(self, own: Flags, memory: int) -> None:
        self.own, self.other = own, own[strategies.view(memory, 1)]
        self.after = strategies.successors(memory)

    def onward(self, values: np.ndarray, action: int) -> np.ndarray:
        """Return the values [h, n] of the contexts that follow an action, 0 or 1."""
        cooperated, defected = (values[self.after[:, 2 * action + answer]] for answer in (0, 1))
        return np.where(self.other, cooperated, defected)

    def paid(self, payoffs: np.ndarray, action: int) -> np.ndarray:
        """Return payoffs of outcomes [4] or [4, n] as what an action earns [h, n]."""
        return np.where(self.other, payoffs[2 * action], payoffs[2 * action + 1])

    def path(self, policy: Flags) -> Int[np.ndarray, "h n"]:
        """Return the context [h, n] that follows each when a pure policy meets the strategy."""
        outcomes = 2 * (1 - policy.astype(np.int8)) + (1 - self.other.astype(np.int8))
        return np.take_along_axis(self.after, outcomes.astype(np.int64), 1)

    def along(self, policy: Flags, payoffs: np.ndarray) -> np.ndarray:
        """Return what a pure policy earns against the strategy in each context [h, n]."""
        return np.where(policy, self.paid(payoffs, 0), self.paid(payoffs, 1))


def _classified(game: MatrixGame, own: Flags, memory: int, gamma: float) -> Classes:
    graphs = _Graphs(own, memory)
    whole, unit = _whole(game)
    payoffs, ahead = whole[0], whole[0] - whole[1]
    nice = own[contexts_of_cooperation(memory)].all(0)
    if gamma == 1:
        length, total = _cycle(graphs, payoffs)
        earns = total / length
        nash = ~_gains(graphs, payoffs[:, None] * length - total)
        rival = ~_gains(graphs, ahead[:, None])
    else:
        slack = 1e-12 * np.abs(payoffs).max()
        earns = (1 - gamma) * _summed(graphs, payoffs, gamma, own)[0]
        nash = (1 - gamma) * _best(graphs, payoffs, gamma)[0] <= earns + slack
        rival = (1 - gamma) * _best(graphs, ahead, gamma)[0] <= slack
    perfect = _perfect(graphs, payoffs, gamma)
    return Classes(nash, perfect, nice & nash, rival, _efficient(own, memory), earns * unit)


def _whole(game: MatrixGame) -> tuple[Int[np.ndarray, "2 4"], float]:
    """Return both players' payoffs of outcomes as whole numbers, and the unit that they are counted in."""
    exact = [[fraction(x) for x in row] for row in np.asarray(game.outcome_payoffs)]
    unit = math.lcm(*(x.denominator for row in exact for x in row))
    whole = [[int(x * unit) for x in row] for row in exact]
    if max(abs(x) for row in whole for x in row) >= 2**40:
        raise ValueError(f"game's payoffs {exact[0]} have no common unit of ordinary size")
    return np.array(whole, np.int64), 1 / unit


def _cycle(graphs: _Graphs, payoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the length and the sum of payoffs [n] of the cycle that the strategy and its copy run into."""
    follows, earned = graphs.path(graphs.own), graphs.along(graphs.own, payoffs)
    h, every = len(follows), np.arange(follows.shape[1])
    here = np.zeros_like(every)
    for _ in range(h):
        here = follows[here, every]
    first, length, total = here, np.zeros_like(every), np.zeros_like(every)
    going = np.ones(len(every), bool)
    for _ in range(h):
        total += np.where(going, earned[here, every], 0)
        length += going
        here = follows[here, every]
        going &= here != first
    return length, total


def _gains(graphs: _Graphs, gains: Int[np.ndarray, "4 _"]) -> Bool[np.ndarray, " n"]:
    """Return whether a cycle with a positive sum of gains lies within reach of the start (Bellman & Ford)."""
    paid = [graphs.paid(gains, action) for action in (0, 1)]
    total = np.zeros_like(paid[0])
    for _ in range(len(total)):
        best = np.maximum(*(now + graphs.onward(total, a) for a, now in enumerate(paid)))
        total = np.maximum(best, 0)
    leads = np.maximum(*(now + graphs.onward(total, a) for a, now in enumerate(paid))) > total
    for _ in range(len(total)):
        leads = leads | graphs.onward(leads, 0) | graphs.onward(leads, 1)
    return leads[0]


def _summed(graphs: _Graphs, payoffs: np.ndarray, gamma: float, policy: Flags) -> np.ndarray:
    """Return Σ_t γ^t r_t [h, n] of a pure policy against the strategy, by doubling."""
    follows, total, weight = graphs.path(policy), graphs.along(policy, payoffs).astype(float), gamma
    while weight > 1e-18:
        total = total + weight * np.take_along_axis(total, follows, 0)
        follows, weight = np.take_along_axis(follows, follows, 0), weight**2
    return total


def _best(graphs: _Graphs, payoffs: np.ndarray, gamma: float) -> np.ndarray:
    """Return the largest Σ_t γ^t r_t [h, n] that an opponent can reach, by policy iteration."""
    policy = np.ones_like(graphs.own)
    while True:
        values = _summed(graphs, payoffs, gamma, policy)
        cooperate, defect = (graphs.paid(payoffs, a) + gamma * graphs.onward(values, a) for a in (0, 1))
        tied = np.abs(cooperate - defect) <= 1e-12 * (1 + np.abs(values).max())
        better = np.where(tied, policy, cooperate > defect)
        if (better == policy).all():
            return values
        policy = better


def _perfect(graphs: _Graphs, payoffs: np.ndarray, gamma: float) -> Bool[np.ndarray, " n"]:
    """Return whether no single other action is worth more in any context."""
    own = graphs.own
    now = np.where(own, -1.0, 1.0) * (graphs.paid(payoffs, 0) - graphs.paid(payoffs, 1))  # gained at once

    def later(values: np.ndarray) -> np.ndarray:
        """What another action gains by the values of the contexts that follow."""
        return np.where(own, -1.0, 1.0) * (graphs.onward(values, 0) - graphs.onward(values, 1))

    if gamma < 1:
        values = _summed(graphs, payoffs, gamma, own)
        gains = now + gamma * later(values) > 1e-12 * (1 + np.abs(values).max())
        return ~np.any(gains, 0)
    follows, tied, worse = graphs.path(own), np.ones_like(own), np.zeros_like(own)
    means, first = _potential(follows, graphs.along(own, payoffs).astype(float))
    for order in range(-1, HIGHEST_ORDER + 1):
        values = (means, first)[order + 1] if order < 1 else _potential(follows, -values)[1]
        gain = later(values) + (now if order == 0 else 0)
        undecided = np.abs(gain) <= 1e-12 * (1 + np.abs(values).max())
        worse |= tied & ~undecided & (gain > 0)
        tied &= undecided
    return ~np.any(worse, 0)


def _potential(follows: Int[np.ndarray, "h n"], u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean ū of u over the cycle that each context runs into, and the y = u − ū + y∘f that averages to 0."""
    on_cycle = follows
    for _ in range(len(u).bit_length()):
        on_cycle = np.take_along_axis(on_cycle, on_cycle, 0)
    mean = _around(follows, on_cycle, u)[0]
    sums, jump = u - mean, follows
    for _ in range(len(u).bit_length()):
        sums, jump = sums + np.take_along_axis(sums, jump, 0), np.take_along_axis(jump, jump, 0)
    settled = _around(follows, jump, u - mean)[1]
    return mean, sums + settled


def _around(follows: Int[np.ndarray, "h n"], first: Int[np.ndarray, "h n"], u: np.ndarray) -> tuple[Any, Any]:
    """Return the means of u, and of its sums up to each step, over the cycle through each `first`."""
    here, going = first, np.ones(first.shape, bool)
    length, total, sums = np.zeros(first.shape, int), np.zeros(first.shape), np.zeros(first.shape)
    for _ in range(len(u)):
        length += going
        sums += np.where(going, total, 0)
        total += np.where(going, np.take_along_axis(u, here, 0), 0)
        here = np.take_along_axis(follows, here, 0)
        going = going & (here != first)
        if not going.any():
            break
    return total / length, sums / length


def _efficient(columns: Float[np.ndarray, "h n"] | Flags, memory: int) -> Bool[np.ndarray, " n"]:
    """Return whether all histories but mutual cooperation are rarer by an order of the tremble."""
    full = strategies.num_contexts(memory) - 4**memory
    other = columns[strategies.view(memory, 1)]
    orders = [[np.where(x > 0, 0, 1)[full:], np.where(x < 1, 0, 1)[full:]] for x in (columns, other)]
    size = 4**memory
    rates = np.full((size, size, columns.shape[1]), NEVER, np.int32)
    for s, after in enumerate(strategies.successors(memory)[full:] - full):
        for outcome, t in enumerate(after):
            way = orders[0][outcome // 2][s] + orders[1][outcome % 2][s]
            rates[s, t] = np.minimum(rates[s, t], way)
    into = {}
    for k in range(size - 1, 0, -1):  # censor state k: only earlier ones stay
        out = rates[k, :k]
        into[k] = rates[:k, k] - out.min(0)
        rates[:k, :k] = np.minimum(rates[:k, :k], into[k][:, None] + out[None])
    share = np.zeros((size, columns.shape[1]), np.int32)
    for k in range(1, size):
        share[k] = (share[:k] + into[k]).min(0)
    return ~np.any(share[1:] <= 0, 0)
