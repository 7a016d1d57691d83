r"""A table of each memory, by counting.

After c cooperations and d defections in a context the most likely probability of cooperation is c / (c + d). With a
Beta(a, b) prior, uniform unless said, the posterior is Beta(c + a, d + b); contexts are independent, so that the chance
of what was played, the probabilities integrated out, is a product of Beta functions,

    P(play | memory) = Π B(c + a, d + b) / B(a, b).

A credible interval leaves the same probability on either side, but reaches to 1 where nothing but cooperation was seen,
and to 0 where nothing but defection was, and leaves all of it on the other side: so it can hold a pure strategy's
probabilities (Brown, Cai & DasGupta 2001).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Bool, Float, Int
from scipy import special, stats

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory.inference.counts import count
from ipd_theory.inference.plays import Plays, from_rollout

UNIFORM = (1.0, 1.0)


class TableFit(NamedTuple):
    """A memory-n table as it was read from play, for all players together [h], or for each [players, h].

    Args:
        memory: outcomes remembered.
        counts: [..., h, 2] cooperations and defections in each context.
        estimate: [..., h] the most likely probability of cooperation, NaN where a context was never visited.
        low, high: [..., h] ends of the credible interval.
        level: probability that the interval holds.
        prior: a and b of the Beta prior.
    """

    memory: int
    counts: Int[np.ndarray, "... h 2"]
    estimate: Float[np.ndarray, "... h"]
    low: Float[np.ndarray, "... h"]
    high: Float[np.ndarray, "... h"]
    level: float
    prior: tuple[float, float]

    @property
    def visited(self) -> Bool[np.ndarray, "... h"]:
        """Whether each context occurred at all."""
        return self.counts.sum(-1) > 0

    @property
    def mean(self) -> Float[np.ndarray, "... h"]:
        """The posterior mean, the probability that the next action in the context is cooperation."""
        after = self.counts + np.array(self.prior)
        return after[..., 0] / after.sum(-1)

    @property
    def log_likelihood(self) -> Float[np.ndarray, "..."]:
        """The logarithm of the chance of all actions under the most likely table."""
        return log_likelihood(self.counts)


@checked
def fit_table(
    plays: Plays,
    memory: int = 1,
    *,
    by_player: bool = False,
    level: float = 0.95,
    prior: tuple[float, float] = UNIFORM,
) -> TableFit:
    """Return the table that players played, with its uncertainty.

    Args:
        plays: the log.
        memory: outcomes remembered, 0 to 3.
        by_player: a table for each player, instead of one for all.
        level: probability that each credible interval holds, between 0 and 1.
        prior: a and b above 0 of the Beta prior of each context.

    Raises:
        ValueError: if a number is out of range.
    """
    counts = count(plays, memory)
    return fit_counts(counts if by_player else counts.sum(0), level=level, prior=prior)


@checked
def fit_counts(
    counts: Int[np.ndarray, "... h 2"], *, level: float = 0.95, prior: tuple[float, float] = UNIFORM
) -> TableFit:
    """Return the table of counts [..., h, 2] of cooperations and defections.

    Arguments and errors are those of `fit_table`.
    """
    held = np.asarray(counts)
    if held.ndim < 2 or held.shape[-1] != 2 or (held < 0).any():
        raise ValueError(f"counts must be [..., h, 2] cooperations and defections, 0 or more; got {held!r}")
    memory = strategies.memory_of(np.zeros(held.shape[-2]), name="counts")
    _checks.number("level", level, 0, 1, open_low=True, open_high=True)
    a, b = (_checks.number("prior", x, 0, open_low=True) for x in prior)
    visits = held.sum(-1)
    with np.errstate(invalid="ignore"):
        estimate = held[..., 0] / visits
    low, high = interval(held[..., 0], held[..., 1], level, (a, b))
    return TableFit(memory, held, estimate, low, high, level, (a, b))


@checked
def fit_episodes(
    actions: Int[ArrayLike, "M T *axes 2 batch"],
    memory: int = 1,
    *,
    player: int = 0,
    level: float = 0.95,
    prior: tuple[float, float] = UNIFORM,
) -> TableFit:
    """Return the table that one side of rollouts played in each inner episode, [M, h], all trajectories together.

    An agent that remembers more, or who it plays with, plays different tables with different co-players: this is what
    it does on average, in contexts as often as they occur.

    Args:
        actions: [M, T, …, 2, B], as `rl.rollout.MetaEpisode.actions` and `rl.evaluation.play_of` have them.
        memory: outcomes remembered, 0 to 3.
        player: whose, 0 for the ego and 1 for the co-player.
        level, prior: as for `fit_table`.

    Raises:
        ValueError: as `from_rollout` and `fit_table`.
    """
    played = np.asarray(actions)
    if played.ndim < 4 or len(played) == 0:
        raise ValueError(f"actions must have the shape [M, T, ..., 2, B]; got {played.shape}")
    counts = np.stack([count(from_rollout(episode, player), memory).sum(0) for episode in played])
    return fit_counts(counts, level=level, prior=prior)


def interval(
    yes: np.ndarray, no: np.ndarray, level: float, prior: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the credible interval of a probability after so many of each; weights need not be whole."""
    after = stats.beta(yes + prior[0], no + prior[1])
    outside = 1 - level
    seen = yes + no > 0
    low = np.where(seen & (no == 0), after.ppf(outside), after.ppf(outside / 2))
    high = np.where(seen & (yes == 0), after.ppf(1 - outside), after.ppf(1 - outside / 2))
    return np.where(seen & (yes == 0), 0.0, low), np.where(seen & (no == 0), 1.0, high)


def log_likelihood(counts: np.ndarray) -> np.ndarray:
    """Return the logarithm of the chance of counts [..., h, 2] under their most likely table."""
    return np.asarray(at_its_best(counts[..., 0], counts.sum(-1)).sum(-1))


def at_its_best(yes: np.ndarray, visits: np.ndarray) -> np.ndarray:
    """Return the logarithm of the chance of so many cooperations in so many visits, at their likeliest probability."""
    no = visits - yes
    return np.asarray(special.xlogy(yes, yes) + special.xlogy(no, no) - special.xlogy(visits, visits))


def log_evidence(counts: np.ndarray, prior: tuple[float, float] = UNIFORM) -> np.ndarray:
    """Return the logarithm of the chance of counts [..., h, 2], the probabilities integrated out."""
    after = special.betaln(counts[..., 0] + prior[0], counts[..., 1] + prior[1])
    return np.asarray((after - special.betaln(*prior)).sum(-1))


@checked
def posterior_tables(fit: TableFit, number: int = 1000, seed: int = 0) -> Float[np.ndarray, "number ... h"]:
    """Return tables [number, ..., h] drawn from the posterior.

    Args:
        fit: of `fit_table`.
        number: how many.
        seed: of the draws.

    Raises:
        ValueError: if a number is out of range.
    """
    _checks.whole("number", number, 1)
    _checks.whole("seed", seed, 0, 2**32 - 1)
    after = fit.counts + np.array(fit.prior)
    return np.random.default_rng(seed).beta(after[..., 0], after[..., 1], (number, *after.shape[:-1]))
