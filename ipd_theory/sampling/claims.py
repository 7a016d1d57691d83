r"""Holding an estimator to its claim: by enumeration, in fractions, and by sampling at a stated false-alarm rate.

Each estimator claims a mean. Write ∇J̄ = g_cur + g_shape; COALA-PG and full claim ∇J̄, M-FOS B g_cur + g_shape, and
for a policy without memory across inner episodes batch-unaware claims g_cur + g_shape / B, M-FOS's direction.

By enumeration the mean must equal the claim to 1e-12 of its size or of the estimate's deviation; in fractions, exactly.
By sampling, with N meta-episodes, sample mean x̄ and standard error s of each component, the claim μ is rejected if

    max |x̄ − μ| / s > z,    z = Φ⁻¹(1 − α / 2n),

with n the number of components compared in the whole run: all claims being true, a run gives a false alarm with
probability α at most (Bonferroni). A component that is off by (z + 2.33) s is found with probability 99 %.

An estimator that gives no weights to judge (it raises, has another shape, is not finite, or answers otherwise when
asked again) fails, and its verdict says why.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.special import ndtri

from ipd_theory import _checks, strategies
from ipd_theory.sampling import fractions
from ipd_theory.sampling._held import check_each, check_sizes, held
from ipd_theory.sampling.enumeration import (
    Enumeration,
    current_part,
    enumerate_meta_episodes,
    moments,
    true_gradient,
)
from ipd_theory.sampling.estimators import EgoPlay, Estimator
from ipd_theory.sampling.shaping_pomdp import estimates, play
from ipd_theory.sampling.trials import Trial, ego_play, rational_problem

FALSE_ALARM = 1e-3
TOLERANCE = 1e-12
POWER = 0.99
CHUNK = 20_000
LEAST = 1000  # meta-episodes, for the normal approximation


class Verdict(NamedTuple):
    """How one estimator did on one problem; gradients are compared in the Euclidean norm.

    Attributes:
        problem, estimator, claim: what was held against what; no claim is "none".
        reason: why the claim does not stand, in one line; empty where it does, or where there is none.
        bias: ‖E[ĝ] − ∇J̄‖ / ‖∇J̄‖.
        cosine: of E[ĝ] and ∇J̄.
        noise: √(tr Cov ĝ) / ‖E[ĝ]‖, of one meta-episode.
        critical_batch: tr Cov ĝ / ‖E[ĝ]‖², the meta-episodes over which to average until noise is no larger than the
            mean (McCandlish et al. 2018).
        shaping_to_noise: ‖E[the part that later episodes' rewards make up]‖ / √(tr Cov ĝ).
        error: the largest component of |E[ĝ] − claim|, by enumeration.
        z: the largest standardised deviation of the sample mean from the claim.
        z_limit: what `z` may be.
        detectable: the deviation, over ‖∇J̄‖, that the sample would have found in any component with 99 % power.
        exact_holds, sampled_holds: whether the claim stands; None where there is none.
        gradient, bias_vector: ∇J̄ and E[ĝ] − ∇J̄ [d], d ego logits in order.
    """

    problem: str
    estimator: str
    claim: str
    reason: str
    bias: float
    cosine: float
    noise: float
    critical_batch: float
    shaping_to_noise: float
    error: float
    z: float
    z_limit: float
    detectable: float
    exact_holds: bool | None
    sampled_holds: bool | None
    gradient: Float[np.ndarray, " d"]
    bias_vector: Float[np.ndarray, " d"]


class UnusableError(ValueError):
    """An estimator gives no weights to judge; the message says why."""


@held
def weights_of(estimator: Estimator, seen: EgoPlay) -> Float[Array, "N B M T"]:
    """Return an estimator's weights [N, B, M, T].

    Raises:
        UnusableError: if it raises, or gives anything but finite real numbers of the same shape.
    """
    try:
        out = estimator.on(seen)
    except Exception as error:  # whatever a user's function may raise
        said = str(error).strip().splitlines() or ["no message"]
        raise UnusableError(f"it raises {type(error).__name__}: {said[0]}") from error
    shape = np.shape(seen.rewards)
    if not isinstance(out, jax.Array | np.ndarray) or out.shape != shape or out.dtype.kind not in "fiub":
        is_array = isinstance(out, jax.Array | np.ndarray)
        made = f"{out.dtype}{list(out.shape)}" if is_array else f"a {type(out).__name__}"
        raise UnusableError(f"it returns {made} for rewards {list(shape)}; weights are real numbers of the same shape")
    bad = ~np.isfinite(np.asarray(out))
    if bad.any():
        raise UnusableError(f"its weights hold {np.asarray(out)[bad][0]} in {bad.sum()} of {bad.size} places")
    return jnp.asarray(out, seen.rewards.dtype)


def _random_play(shape: tuple[int, int, int]) -> EgoPlay:
    """Eight batches that nobody played, no two numbers alike."""
    rng = np.random.default_rng(0)
    rewards, log_probabilities, values = rng.normal(size=(3, 8, *shape))
    contexts, actions = rng.integers(0, 5, (8, *shape)), rng.integers(0, 2, (8, *shape))
    floats = (jnp.asarray(x) for x in (rewards, -np.abs(log_probabilities), values))
    return EgoPlay(jnp.asarray(contexts), jnp.asarray(actions), *floats)


@held
def treats_trajectories_alike(estimator: Estimator, shape: tuple[int, int, int]) -> bool:
    """Return whether exchanging trajectories exchanges their weights, tried on random play of (B, M, T).

    Raises:
        UnusableError: if it gives no weights, or others when asked again.
    """
    shape = check_sizes(shape)
    seen, order = _random_play(shape), np.roll(np.arange(shape[0]), 1)
    weights = weights_of(estimator, seen)
    if not np.array_equal(weights, weights_of(estimator, seen)):
        raise UnusableError("it gives other weights when asked again; it must be a function of what was seen")
    exchanged = weights_of(estimator, EgoPlay(*(x[:, order] for x in seen)))
    return bool(np.allclose(weights[:, order], exchanged, atol=1e-12))


@held
def sample(
    key: PRNGKeyArray, problem: Trial, held: Sequence[Estimator], num_meta_episodes: int
) -> list[tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]]:
    """Return the sample mean [d] and its standard error [d] for several estimators on the same meta-episodes.

    Args:
        key: a key of any generator.
        problem: what to play.
        held: the estimators.
        num_meta_episodes: N, 2 or more, rounded up to whole chunks.

    Raises:
        UnusableError: if an estimator gives no weights.
    """
    check_each("held", held, Estimator)
    size = min(CHUNK, _checks.whole("num_meta_episodes", num_meta_episodes, 2))
    d, chunks = problem.ego_logits.size, -(-num_meta_episodes // size)
    sums = np.zeros((len(held), 2, d))
    for chunk_key in jax.random.split(key, chunks):
        played = play(chunk_key, problem.pomdp, problem.ego_logits, size)
        seen = ego_play(problem, played)
        for i, estimator in enumerate(held):
            g = np.asarray(estimates(played, problem.ego_logits, weights_of(estimator, seen)), float).reshape(size, -1)
            sums[i] += g.sum(0), (g**2).sum(0)
    N = size * chunks
    mean = sums[:, 0] / N
    variance = np.maximum(sums[:, 1] / N - mean**2, 0) * N / (N - 1)
    return list(zip(mean, np.sqrt(variance / N), strict=True))


@held
def verify(
    held: Sequence[Estimator],
    tried: Sequence[Trial],
    num_meta_episodes: int,
    key: PRNGKeyArray,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Verdict]:
    """Hold each estimator to its claim against enumeration and sampling on each problem.

    Args:
        held: estimators with what they claim.
        tried: the problems.
        num_meta_episodes: N of the sampled check, 1,000 or more.
        key: a key of any generator.
        progress: called with the fraction done.

    Raises:
        ValueError: if there is nothing to hold or to try, N is too small, or a problem too large to list.
    """
    _checks.whole("num_meta_episodes", num_meta_episodes, LEAST)
    check_each("held", held, Estimator)
    check_each("tried", tried, Trial)
    z_limit = -float(ndtri(FALSE_ALARM / (2 * len(held) * sum(p.ego_logits.size for p in tried))))
    out = []
    for number, (problem, k) in enumerate(zip(tried, jax.random.split(key, len(tried)), strict=True)):
        out += _try(held, problem, num_meta_episodes, k, z_limit)
        progress((number + 1) / len(tried))
    return out


def _try(
    held: Sequence[Estimator], problem: Trial, num_meta_episodes: int, key: PRNGKeyArray, z_limit: float
) -> list[Verdict]:
    """Return the verdicts on one problem."""
    reasons: list[str] = []
    alike = True
    for estimator in held:
        try:
            alike &= treats_trajectories_alike(estimator, problem.pomdp.shape)
            reasons.append("")
        except UnusableError as error:
            reasons.append(str(error))
    everything = enumerate_meta_episodes(
        problem.pomdp, ego_memory=strategies.memory_of(problem.ego_logits), exchangeable=alike
    )
    seen = ego_play(problem, everything.episodes)
    weights: list[Array | None] = []
    for i, estimator in enumerate(held):
        try:
            weights.append(None if reasons[i] else weights_of(estimator, seen))
        except UnusableError as error:
            weights.append(None)
            reasons[i] = str(error)
    usable = [estimator for estimator, w in zip(held, weights, strict=True) if w is not None]
    sampled = iter(sample(key, problem, usable, num_meta_episodes) if usable else ())
    truth = np.asarray(true_gradient(everything, problem.ego_logits).total)
    return [
        _refused(estimator, problem, truth, reason, z_limit)
        if w is None
        else _verdict(estimator, w, seen, problem, everything, next(sampled), z_limit)
        for estimator, w, reason in zip(held, weights, reasons, strict=True)
    ]


def _refused(estimator: Estimator, problem: Trial, truth: np.ndarray, reason: str, z_limit: float) -> Verdict:
    nothing = dict.fromkeys(
        ("bias", "cosine", "noise", "critical_batch", "shaping_to_noise", "error", "z", "detectable"), math.nan
    )
    return Verdict(
        problem=problem.name,
        estimator=estimator.label,
        claim=estimator.claim.words,
        reason=reason,
        z_limit=z_limit,
        exact_holds=False,
        sampled_holds=False,
        gradient=truth,
        bias_vector=np.full_like(truth, np.nan),
        **nothing,
    )


def _over(x: float, y: float) -> float:
    """Return x / y, 0 / 0 being 0."""
    return x / y if y else math.inf if x else 0.0


def _verdict(
    estimator: Estimator,
    weights: Array,
    seen: EgoPlay,
    problem: Trial,
    everything: Enumeration,
    sampled: tuple[np.ndarray, np.ndarray],
    z_limit: float,
) -> Verdict:
    pomdp, ego_logits, claim = problem.pomdp, problem.ego_logits, estimator.claim
    truth = true_gradient(everything, ego_logits)
    exact = moments(everything, ego_logits, weights)
    own = moments(everything, ego_logits, jnp.asarray(current_part(estimator.on)(seen), weights.dtype)).mean
    target = np.asarray(claim.mean(truth.current, truth.shaping, pomdp.batch_size))
    claims = claim.holds_with_memory or not pomdp.remember_across_episodes
    deviation = float(jnp.sqrt(jnp.maximum(jnp.trace(exact.covariance), 0)))
    size, length = float(jnp.linalg.norm(truth.total)), float(jnp.linalg.norm(exact.mean))
    rounding = TOLERANCE * max(size, deviation)
    error = float(np.abs(exact.mean - target).max())
    mean, standard_error = sampled
    # A component that never varies has no sampling error; there rounding alone may differ.
    z = float((np.abs(mean - target) / np.maximum(standard_error, max(rounding, np.finfo(float).tiny))).max())
    reasons = [f"its exact mean is off by {error:.1e}"] * (error > rounding)
    reasons += [f"its sample mean is off by {z:.1f} standard errors, more than {z_limit:.2f}"] * (z > z_limit)
    return Verdict(
        problem=problem.name,
        estimator=estimator.label,
        claim=claim.words if claims else "none",
        reason="; ".join(reasons) if claims else "",
        bias=_over(float(jnp.linalg.norm(exact.mean - truth.total)), size),
        cosine=float(exact.mean @ truth.total) / (length * size) if length * size else 0.0,
        noise=_over(deviation, length),
        critical_batch=_over(deviation, length) ** 2,
        shaping_to_noise=_over(float(jnp.linalg.norm(exact.mean - own)), deviation),
        error=error,
        z=z,
        z_limit=z_limit,
        detectable=_over(float((z_limit + ndtri(POWER)) * standard_error.max()), size),
        exact_holds=error <= rounding if claims else None,
        sampled_holds=z <= z_limit if claims else None,
        gradient=np.asarray(truth.total),
        bias_vector=np.asarray(exact.mean - truth.total),
    )


@held
def unbiased_in_fractions(estimator: Estimator, shape: tuple[int, int, int] = (2, 2, 1)) -> bool | None:
    """Return whether an estimator's mean equals the true gradient as a vector of fractions, on one rational problem.

    None if that cannot be said: it sees more than rewards, takes floats only, or prefers a trajectory.

    Args:
        estimator: one that is a function of rewards.
        shape: (B, M, T).
    """
    shape = check_sizes(shape)
    if estimator.sees_all:
        return None
    problem = rational_problem(shape=shape)
    everything = problem.enumerate()
    try:
        if not treats_trajectories_alike(estimator, shape):
            return None
        mean = fractions.expectation(everything, problem.ego[None], estimator)
    except Exception:  # what a user's function raises that does not know fractions
        return None
    exact = all(isinstance(x, Fraction) for x in mean)
    return mean == fractions.true_gradient(everything, problem.ego[None]) if exact else None
