"""Searches to hold replies and verdicts against: value iteration and cycles of largest mean, by names of contexts.

Nothing here comes from the package but the names of contexts.
"""

import functools
import math

import numpy as np

from ipd_theory import strategies

PAYOFFS = np.array([3.0, 0.0, 5.0, 1.0])  # Axelrod's, after CC, CD, DC, DD


@functools.cache
def contexts_after(memory: int) -> np.ndarray:
    """The context [h, 4] that follows each context after each outcome, by their names."""
    names = strategies.contexts(memory)
    after = []
    for name in names:
        history = [] if name == "start" else name.split("·")
        grown = [[*history, outcome][-memory:] for outcome in ("CC", "CD", "DC", "DD")]
        after.append([names.index("·".join(h)) for h in grown])
    return np.array(after)


@functools.cache
def as_the_other_sees(memory: int) -> np.ndarray:
    """The contexts [h] as the other player names them, by their names."""
    names = strategies.contexts(memory)
    swapped = [name if name == "start" else "·".join(o[::-1] for o in name.split("·")) for name in names]
    return np.array([names.index(name) for name in swapped])


def worth_of_actions(q: np.ndarray, memory: int, onward: np.ndarray, payoffs: np.ndarray) -> list[np.ndarray]:
    """What each action [n, h] is worth against q [n, h], in the replier's view, with values [n, h] to come."""
    worth = payoffs + onward[:, contexts_after(memory)]
    chance = q[:, as_the_other_sees(memory)]
    return [chance * worth[..., 2 * a] + (1 - chance) * worth[..., 2 * a + 1] for a in (0, 1)]


def value_iteration(
    q: np.ndarray, memory: int, gamma: float, payoffs: np.ndarray = PAYOFFS
) -> tuple[np.ndarray, np.ndarray]:
    """The values at the start [n] and what cooperation gains in each context [n, h], by repeated backups, γ < 1."""
    value = np.zeros(q.shape)
    for _ in range(math.ceil(math.log(1e-14) / math.log(gamma)) if gamma else 1):
        cooperate, defect = worth_of_actions(q, memory, gamma * value, (1 - gamma) * payoffs)
        value = np.maximum(cooperate, defect)
    return value[:, 0], cooperate - defect


def largest_average(q: np.ndarray, memory: int, payoffs: np.ndarray = PAYOFFS) -> np.ndarray:
    """The largest long-run average [n] against opponents that are sure of nothing, by relative value iteration."""
    value = np.zeros(q.shape)
    for _ in range(100_000):
        better = np.maximum(*worth_of_actions(q, memory, value, payoffs))
        gain = better - value
        value = (value + better) / 2  # which converges where play has a period as well
        value -= value[:, :1]
        if np.ptp(gain, axis=1).max() < 1e-13:
            break
    return gain.mean(1)


def largest_means(q: np.ndarray, memory: int, payoffs: np.ndarray = PAYOFFS) -> np.ndarray:
    """The largest mean payoff [n] of a cycle that the start leads to, opponents pure (Karp 1978)."""
    n, h = q.shape
    answer = 1 - q[:, as_the_other_sees(memory)].astype(int)  # what the other does, 0 C and 1 D
    rows = np.arange(n)[:, None]
    best = np.full((h + 1, n, h), -np.inf)
    best[0, :, 0] = 0.0
    for k in range(h):
        for action in (0, 1):
            outcome = 2 * action + answer
            heads = contexts_after(memory)[np.arange(h), outcome]
            np.maximum.at(best[k + 1], (np.broadcast_to(rows, heads.shape), heads), best[k] + payoffs[outcome])
    reached = np.isfinite(best[h])
    with np.errstate(invalid="ignore"):
        means = (best[h] - best[:h]) / (h - np.arange(h))[:, None, None]
    means = np.where(np.isfinite(best[:h]), means, np.inf).min(0)
    return np.where(reached, means, -np.inf).max(1)
