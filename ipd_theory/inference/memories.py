r"""What a player remembers, whether it looks at the other's actions alone, and whether it changes.

A hypothesis is a partition of contexts: memory n puts together what ends in the same n outcomes; reactive-n puts
together what ends in the same n actions of the other. Each player has a table of its own, so that players who differ
are not taken for players who remember.

Bayes: the chance of the play under each hypothesis, its probabilities integrated out exactly (`tables`), makes
posterior probabilities, all hypotheses equally likely before.

Likelihood-ratio tests: of a coarse partition against a finer one inside it,

    G = 2 [log L(finer) − log L(coarser)],

L the likelihood of the best table. Under the coarser one all actions in a class of contexts have one probability: in
which of its finer classes they stand is as good as drawn without replacement. Given how often each class occurs and how
many cooperations there are, G then has a distribution that can be drawn from (hypergeometric), and the p-value is the
share of draws, the play itself counted as one, in which G is no smaller. Unlike χ² it does not ask for many visits to
every class. How often a class occurs depends on earlier actions, too, and is taken as given: as for χ², this is exact
for long play (Anderson & Goodman 1957), and for short play the tests of this room hold it to its level.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory.inference.counts import count, count_by_half, labels, merged
from ipd_theory.inference.plays import Plays
from ipd_theory.inference.tables import UNIFORM, at_its_best, log_evidence

AT_ONCE = 2**21  # numbers that are drawn at a time


class RatioTest(NamedTuple):
    """A likelihood-ratio test: G, how many more probabilities the finer hypothesis has, and the p-value."""

    statistic: float
    freedom: int
    p_value: float


class MemoryComparison(NamedTuple):
    """What speaks for each hypothesis on what a player remembers.

    Args:
        hypotheses: their names, `memory 0`, `memory 1`, …, `reactive 1`, ….
        log_evidence: of each, the logarithm of the chance of the play.
        probability: of each, after the play.
        tests: of each, against the longest memory, which has no test.
        level: of the tests.
        accepted: the shortest memory that its test does not reject.
    """

    hypotheses: tuple[str, ...]
    log_evidence: Float[np.ndarray, " hypotheses"]
    probability: Float[np.ndarray, " hypotheses"]
    tests: dict[str, RatioTest]
    level: float
    accepted: int

    @property
    def likeliest(self) -> str:
        """The hypothesis with the highest probability."""
        return self.hypotheses[int(np.argmax(self.probability))]


@checked
def compare_memories(
    plays: Plays,
    longest: int = 3,
    *,
    level: float = 0.05,
    draws: int = 999,
    seed: int = 0,
    prior: tuple[float, float] = UNIFORM,
    progress: Callable[[float], None] | None = None,
) -> MemoryComparison:
    """Return what speaks for each memory up to the longest, and for reactive strategies.

    All are held to the same rounds, those whose longest context is known.

    Args:
        plays: the log; each player has a table of its own.
        longest: memory, 1 to 3.
        level: probability of the tests to reject a hypothesis that is true.
        draws: from which a p-value is found, which is no smaller than 1 / (draws + 1).
        seed: of the draws.
        prior: a and b above 0 of the Beta prior of each class of contexts.
        progress: called with the share of the tests that is done.

    Raises:
        ValueError: if a number is out of range, or no round has a known context.
    """
    _checks.whole("longest", longest, 1, strategies.MAX_MEMORY)
    _checks.number("level", level, 0, 1, open_low=True, open_high=True)
    _held(draws, seed)
    a, b = (_checks.number("prior", x, 0, open_low=True) for x in prior)
    counts = count(plays, longest)
    if not counts.any():
        raise ValueError(f"plays holds no round whose last {longest} outcomes are known")
    classes = {f"memory {n}": labels(longest, n) for n in range(longest + 1)}
    classes |= {f"reactive {n}": reactive_labels(longest, n) for n in range(1, longest + 1)}
    evidence = np.array([log_evidence(merged(counts, x), (a, b)).sum() for x in classes.values()])
    tests = {}
    for number, (name, coarse) in enumerate(list(classes.items()), 1):
        if name != f"memory {longest}":
            tests[name] = ratio_test(counts, coarse, draws=draws, seed=seed)
        if progress is not None:
            progress(number / len(classes))
    kept = [n for n in range(longest) if tests[f"memory {n}"].p_value > level]
    chances = special.softmax(evidence)
    return MemoryComparison(tuple(classes), evidence, chances, tests, level, min(kept, default=longest))


@checked
def compare_halves(
    plays: Plays,
    memory: int = 1,
    *,
    by: str = "rounds",
    draws: int = 999,
    seed: int = 0,
) -> RatioTest:
    """Return the test of whether players play the same table early and late.

    Args:
        plays: the log; each player has a table of its own.
        memory: outcomes remembered, 0 to 3.
        by: `rounds`, early is the first half of the rounds of each match, or `matches`, of a player's matches.
        draws: from which the p-value is found.
        seed: of the draws.

    Raises:
        ValueError: if a number is out of range, or `by` is something else.
    """
    _held(draws, seed)
    halves = count_by_half(plays, memory, by)  # [2, players, h, 2]
    fine = np.moveaxis(halves, 0, 2).reshape(len(plays.players), -1, 2)
    return ratio_test(fine, np.arange(halves.shape[2]).repeat(2), draws=draws, seed=seed)


@checked
def compare_players(plays: Plays, memory: int = 1, *, draws: int = 999, seed: int = 0) -> RatioTest:
    """Return the test of whether all players play the same table.

    Args:
        plays: the log.
        memory: outcomes remembered, 0 to 3.
        draws: from which the p-value is found.
        seed: of the draws.

    Raises:
        ValueError: if a number is out of range.
    """
    _held(draws, seed)
    counts = count(plays, memory)  # [players, h, 2]
    fine = np.moveaxis(counts, 0, 1).reshape(1, -1, 2)
    return ratio_test(fine, np.arange(counts.shape[1]).repeat(len(counts)), draws=draws, seed=seed)


def _held(draws: int, seed: int) -> None:
    _checks.whole("draws", draws, 1)
    _checks.whole("seed", seed, 0, 2**32 - 1)


def reactive_labels(memory: int, shorter: int) -> Int[np.ndarray, " h"]:
    """Return the class of each context of a memory by the other's last actions, of which some are not yet played."""
    contexts = ["" if c == "start" else c for c in strategies.contexts(shorter)]
    seen = ["".join(outcome[1] for outcome in c.split("·") if outcome) for c in contexts]
    return np.array([sorted(set(seen)).index(actions) for actions in seen])[labels(memory, shorter)]


def ratio_test(counts: np.ndarray, coarse: np.ndarray, *, draws: int, seed: int) -> RatioTest:
    """Return the test of whether contexts of one class have one probability, in counts [players, h, 2].

    Args:
        counts: cooperations and defections of each player in each finest context.
        coarse: [h] the class of each of them.
        draws: from which the p-value is found.
        seed: of the draws.
    """
    visits, yes = _padded(counts.sum(-1), coarse), _padded(counts[..., 0], coarse)
    total, cooperations = visits.sum(-1), yes.sum(-1)
    open_ = (np.count_nonzero(visits, -1) > 1) & (cooperations > 0) & (cooperations < total)
    visits, yes, total, cooperations = (x[open_] for x in (visits, yes, total, cooperations))
    freedom = int((np.count_nonzero(visits, -1) - 1).sum())
    if not freedom:
        return RatioTest(0.0, 0, 1.0)
    best = at_its_best(cooperations, total).sum()
    fine = at_its_best(yes, visits).sum()
    rng = np.random.default_rng(seed)
    at_once = max(1, AT_ONCE // visits.size)
    larger = 0
    for begin in range(0, draws, at_once):
        size = min(at_once, draws - begin)
        drawn = _drawn(rng, visits, cooperations, size)
        larger += int((at_its_best(drawn, visits).sum((-1, -2)) >= fine - 1e-9 * max(1.0, abs(fine))).sum())
    return RatioTest(float(2 * (fine - best)), freedom, (1 + larger) / (1 + draws))


def _padded(x: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Return numbers [players, h] by class, [players · classes, most in a class], the rest 0."""
    order = np.argsort(coarse, kind="stable")
    sizes = np.bincount(coarse)
    place = np.arange(coarse.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    by_class = np.zeros((len(x), sizes.size, sizes.max()), np.int64)
    by_class[:, coarse[order], place] = x[:, order]
    return by_class.reshape(-1, sizes.max())


def _drawn(rng: np.random.Generator, visits: np.ndarray, cooperations: np.ndarray, size: int) -> np.ndarray:
    """Return cooperations [size, groups, classes] dealt at random to the visits [groups, classes] of each group."""
    dealt = np.zeros((size, *visits.shape), np.int64)
    left, rounds = np.broadcast_to(cooperations, (size, len(visits))), visits.sum(-1)
    for k in range(visits.shape[-1]):
        dealt[..., k] = rng.hypergeometric(left, rounds - left, visits[:, k])
        left, rounds = left - dealt[..., k], rounds - visits[:, k]
    return dealt
