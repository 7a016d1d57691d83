r"""Estimators by design: how COALA-PG's two terms vary, exactly, and the least error that can be had from them.

COALA-PG is ĝ_now + ĝ_later, rewards of the current inner episode credited c/B and those of later ones f̄, unbiased for
g_cur and g_shape. Let the later term count α times. Over n independent meta-episodes the mean squared error is

    E‖ĝ(α) − ∇J̄‖² = (1 − α)² ‖g_shape‖² + (V_now + 2α V_both + α² V_later) / n,

with V the traces of the two terms' covariances and of the one between them, and it is least at

    α_n = (n ‖g_shape‖² − V_both) / (n ‖g_shape‖² + V_later),

which tends to 1 as n grows. (The batch-unaware estimator has the mean of α = 1/B.)

A baseline b(m, t, s) of inner episode, step and context may be subtracted from the weights: given what was seen before,
∇ log π has mean zero. For the same reason the scores of different steps, trajectories and contexts are uncorrelated, so
that the variance is a sum of parabolas, one for each entry, least at

    b(m, t, s) = E[S · ĝ] / E[S · S],    S = Σ_b 1[trajectory b is in s at step t of m] ∇ log π(a_{b,m,t} | s).

It is linear in ĝ: with the best baseline of each term taken off, the α above is the best one together with a baseline.

Source: Greensmith, Bartlett & Baxter 2004, "Variance reduction techniques for gradient estimates in reinforcement
learning", whose optimal constant baseline is this one for a single entry.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory import _checks, strategies
from ipd_theory.sampling._held import held
from ipd_theory.sampling.enumeration import (
    Enumeration,
    current_part,
    enumerate_meta_episodes,
    moments,
    probabilities,
    true_gradient,
)
from ipd_theory.sampling.estimators import ESTIMATORS, Claim, EgoPlay, Estimator, coala_pg
from ipd_theory.sampling.shaping_pomdp import estimates
from ipd_theory.sampling.trials import Trial, ego_play


class TermMoments(NamedTuple):
    """Means and spread of COALA-PG's two terms.

    Attributes:
        current, shaping: [d] their means, g_cur and g_shape, d ego logits in order.
        spread: [2, 2] traces of the terms' covariances and of the one between them, of one meta-episode.
    """

    current: Float[Array, " d"]
    shaping: Float[Array, " d"]
    spread: Float[Array, "2 2"]

    def mean_squared_error(self, weight: Float[ArrayLike, "..."], num_meta_episodes: int = 1) -> Float[Array, "..."]:
        """Return E‖ĝ(α) − ∇J̄‖² [...].

        Args:
            weight: α [...] of the later term.
            num_meta_episodes: n, over which ĝ is averaged.

        Raises:
            ValueError: if n is below 1.
        """
        n = _checks.whole("num_meta_episodes", num_meta_episodes, 1)
        weight = _checks.finite("weight", _checks.to_float(weight, "weight"))
        (now, both), (_, later) = self.spread
        bias = (1 - weight) ** 2 * (self.shaping @ self.shaping)
        return bias + (now + 2 * weight * both + weight**2 * later) / n

    def best_weight(self, num_meta_episodes: int = 1) -> Float[Array, ""]:
        """Return the α at which `mean_squared_error` is least; 1 where nothing depends on it."""
        n = _checks.whole("num_meta_episodes", num_meta_episodes, 1)
        signal = n * (self.shaping @ self.shaping)
        curvature = signal + self.spread[1, 1]
        return jnp.where(curvature > 0, (signal - self.spread[0, 1]) / jnp.where(curvature > 0, curvature, 1), 1.0)


@held
def term_moments(everything: Enumeration, ego_logits: Float[Array, "E h"], less_baselines: bool = False) -> TermMoments:
    """Return the exact moments of COALA-PG's two terms.

    Args:
        everything: all meta-episodes.
        ego_logits: [1, h] or [M, h].
        less_baselines: take its best baseline off each term.

    Raises:
        ValueError: if ego's memory is not the one listed.
    """
    rewards = everything.episodes.ego.rewards
    now = current_part(coala_pg)(rewards)
    both = [now, coala_pg(rewards) - now]
    if less_baselines:
        both = [_less_baseline(everything, ego_logits, weights) for weights in both]
    terms = [estimates(everything.episodes, ego_logits, weights).reshape(len(rewards), -1) for weights in both]
    P = probabilities(everything, ego_logits)
    current, shaping = (P @ g for g in terms)
    deviations = jnp.stack([terms[0] - current, terms[1] - shaping])
    return TermMoments(current, shaping, jnp.einsum("n,ind,jnd->ij", P, deviations, deviations))


@held
def best_baseline(
    everything: Enumeration, ego_logits: Float[Array, "E h"], weights: Float[Array, "N B M T"]
) -> Float[Array, "M T h"]:
    """Return the baseline b(m, t, s) that leaves an estimate Σ (w − b) ∇ log π the least variance; 0 if s never comes.

    Args:
        everything: all meta-episodes.
        ego_logits: [1, h] or [M, h].
        weights: [N, B, M, T] the estimator's.

    Raises:
        ValueError: if ego's memory is not the one listed, or `weights` has another shape.
    """
    episodes = everything.episodes
    tables = everything.ego_tables(ego_logits)
    P, g = probabilities(everything, ego_logits), estimates(episodes, ego_logits, weights)
    g = jnp.broadcast_to(g, (len(P), *tables.shape))  # the component that a score of episode m meets: [N, M, h]
    ego = episodes.ego
    visits = ego.contexts[..., None] == jnp.arange(tables.shape[-1], dtype=ego.contexts.dtype)
    scores = (ego.actions == 0).astype(tables.dtype)[..., None] - tables[:, None, :]
    S = jnp.where(visits, scores, 0).sum(1)  # [N, M, T, h]
    along, squared = jnp.einsum("n,nmth,nmh->mth", P, S, g), jnp.einsum("n,nmth->mth", P, S**2)
    return jnp.where(squared > 0, along / jnp.where(squared > 0, squared, 1), 0)


@held
def with_baseline(estimator: Estimator, baseline: Float[Array, "M T h"]) -> Estimator:
    """Return an estimator less a baseline, which claims the same mean.

    Args:
        estimator: any.
        baseline: [M, T, h] what is subtracted from the weight of each ∇ log π, by inner episode, step and context.

    Raises:
        ValueError: if it has other axes; its weights raise where M, T or h are others than in what was seen.
    """
    if baseline.ndim != 3 or 0 in baseline.shape:
        raise ValueError(f"baseline has shape {baseline.shape}; it must be (M, T, h), by episode, step and context")
    strategies.memory_of(baseline, name="baseline")

    def weights(seen: EgoPlay) -> Array:
        return estimator.on(seen) - _at(baseline, seen.contexts)

    label = f"{estimator.label} less a baseline"
    return Estimator(f"{estimator.name}-baseline", weights, estimator.claim, label=label, sees_all=True)


@held
def with_weight(weight: float) -> Estimator:
    """Return COALA-PG with its later term counted α times, which claims g_cur + α g_shape.

    Args:
        weight: α, one number.

    Raises:
        ValueError: if it is not finite.
    """
    _checks.number("weight", weight)

    def weights(rewards: Array) -> Array:
        now = current_part(coala_pg)(rewards)
        return now + weight * (coala_pg(rewards) - now)

    claim = Claim(f"g_cur + {weight:.3g} g_shape", lambda current, shaping, B: current + weight * shaping)
    return Estimator(f"coala-{weight:.3g}", weights, claim, label=f"COALA-PG, later × {weight:.3g}")


class Design(NamedTuple):
    """What the estimators cost on one problem, errors and noise in units of ‖∇J̄‖.

    An estimator whose weights a loss averages over the batch (M-FOS) is divided by B first.

    Attributes:
        num_meta_episodes: [K] n, over which an estimate is averaged.
        noise: √tr Cov of one meta-episode of each estimator.
        noise_less_baseline: the same less its best baseline, as all that follows.
        errors: [K] √E‖ĝ − ∇J̄‖² of each estimator.
        best_weight: [K] α_n.
        best_error: [K] √E‖ĝ(α_n) − ∇J̄‖².
    """

    num_meta_episodes: tuple[int, ...]
    noise: dict[str, float]
    noise_less_baseline: dict[str, float]
    errors: dict[str, Float[np.ndarray, " K"]]
    best_weight: Float[np.ndarray, " K"]
    best_error: Float[np.ndarray, " K"]


@held
def designed(problem: Trial, num_meta_episodes: Sequence[int] = (1, 10, 100, 1000, 10_000)) -> Design:
    """Return how far each estimator is from a problem's gradient, and how near the best weight and baseline bring it.

    Args:
        problem: small enough to list every meta-episode.
        num_meta_episodes: n, each 1 or more.

    Raises:
        ValueError: if an n is below 1, the problem is too large, or its gradient is zero.
    """
    counts = tuple(_checks.whole("an entry of num_meta_episodes", n, 1) for n in num_meta_episodes)
    ego_logits, B = problem.ego_logits, problem.pomdp.batch_size
    everything = enumerate_meta_episodes(problem.pomdp, ego_memory=strategies.memory_of(ego_logits))
    seen = ego_play(problem, everything.episodes)
    truth = true_gradient(everything, ego_logits).total
    size = float(jnp.linalg.norm(truth))
    if not size:
        raise ValueError(f"problem {problem.name!r} has the gradient zero, of which no error is a share")
    terms = term_moments(everything, ego_logits, less_baselines=True)
    weights = jnp.stack([terms.best_weight(n) for n in counts])
    best = [terms.mean_squared_error(a, n) for a, n in zip(weights, counts, strict=True)]
    noise, less, errors = {}, {}, {}
    for estimator in ESTIMATORS:
        w = estimator.on(seen) / (1 if estimator.sums_over_batch else B)
        plain, found = (moments(everything, ego_logits, x) for x in (w, _less_baseline(everything, ego_logits, w)))
        noise[estimator.label], less[estimator.label] = (_spread(x.covariance) / size for x in (plain, found))
        bias = float(jnp.linalg.norm(found.mean - truth)) / size
        errors[estimator.label] = np.array([np.hypot(bias, less[estimator.label] / n**0.5) for n in counts])
    return Design(counts, noise, less, errors, np.asarray(weights), np.sqrt(np.array(best)) / size)


def _spread(covariance: Float[Array, "d d"]) -> float:
    return float(jnp.sqrt(jnp.maximum(jnp.trace(covariance), 0)))


def _less_baseline(everything: Enumeration, ego_logits: Array, weights: Array) -> Array:
    return weights - _at(best_baseline(everything, ego_logits, weights), everything.episodes.ego.contexts)


def _at(baseline: Float[Array, "m t h"], contexts: Int[Array, "N B M T"]) -> Float[Array, "N B M T"]:
    M, T, h = baseline.shape
    if contexts.shape[-2:] != (M, T) or int(contexts.max()) >= h:
        seen = (*contexts.shape[-2:], int(contexts.max()) + 1)
        raise ValueError(f"baseline has shape {baseline.shape}; the play has (M, T, contexts) = {seen}")
    return baseline[jnp.arange(M)[:, None], jnp.arange(T), contexts]
