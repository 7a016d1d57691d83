r"""Holding an estimator to its claim: by enumeration, in fractions, and by sampling at a stated false-alarm rate.

Each estimator claims a mean. Write ∇J̄ = g_cur + g_shape; COALA-PG and full claim ∇J̄, M-FOS B g_cur + g_shape, and
for a policy without memory across inner episodes batch-unaware claims g_cur + g_shape / B, M-FOS's direction.

By enumeration the mean must equal the claim to 1e-12 of its size; in fractions, exactly. By sampling, with N
meta-episodes, sample mean x̄ and standard error s of each component, the claim μ is rejected if

    max |x̄ − μ| / s > z,    z = Φ⁻¹(1 − α / 2n),

with n the number of components compared in the whole run: all claims being true, a run gives a false alarm with
probability α at most (Bonferroni). A component that is off by (z + 2.33) s is found with probability 99 %.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from scipy import stats

from ipd_theory import games
from ipd_theory.sampling import fractions, learners
from ipd_theory.sampling.enumeration import (
    Enumeration,
    current_part,
    enumerate_meta_episodes,
    moments,
    true_gradient,
)
from ipd_theory.sampling.estimators import Estimator, Weights
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP, estimates, play

FALSE_ALARM = 1e-3
TOLERANCE = 1e-12
POWER = 0.99
CHUNK = 20_000


class Trial(NamedTuple):
    """A small shaping POMDP with an ego policy to estimate the gradient of."""

    name: str
    pomdp: ShapingPOMDP
    ego_logits: Float[Array, "E h"]


class Verdict(NamedTuple):
    """How one estimator did on one problem; gradients are compared in the Euclidean norm.

    Attributes:
        problem, estimator, claim: what was held against what; no claim is "none".
        bias: ‖E[ĝ] − ∇J̄‖ / ‖∇J̄‖.
        cosine: of E[ĝ] and ∇J̄.
        noise: √(tr Cov ĝ) / ‖E[ĝ]‖, of one meta-episode.
        shaping_to_noise: ‖E[the part that later episodes' rewards make up]‖ / √(tr Cov ĝ).
        error: the largest component of |E[ĝ] − claim|, by enumeration.
        z: the largest standardised deviation of the sample mean from the claim.
        z_limit: what `z` may be.
        detectable: the deviation, over ‖∇J̄‖, that the sample would have found in any component with 99 % power.
        exact_holds, sampled_holds: whether the claim stands; None where there is none.
    """

    problem: str
    estimator: str
    claim: str
    bias: float
    cosine: float
    noise: float
    shaping_to_noise: float
    error: float
    z: float
    z_limit: float
    detectable: float
    exact_holds: bool | None
    sampled_holds: bool | None


def trials(thorough: bool = False) -> Iterable[Trial]:
    """Yield the problems of the default run, then those of the thorough one."""
    reinforce = learners.reinforce(2.0)
    adam = learners.policy_gradient(optax.adam(0.5, eps=1e-5), discount=0.99, critic=True, normalize_advantages=True)
    prisoners, stag = games.prisoners_dilemma(), games.stag_hunt()
    plain = [
        ("prisoner's dilemma, REINFORCE", prisoners, reinforce, (2, 2, 2), False, None),
        ("prisoner's dilemma, Adam, memory", prisoners, adam, (2, 2, 2), True, None),
        ("chicken, REINFORCE", games.chicken(), reinforce, (3, 2, 1), False, None),
    ]
    more = [
        ("stag hunt, actor-critic, memory, from DD", stag, adam, (2, 2, 2), True, 3),
        ("battle of the sexes, REINFORCE", games.battle_of_the_sexes(), reinforce, (2, 3, 1), False, None),
        ("matching pennies, Adam, memory", games.matching_pennies(), adam, (4, 2, 1), True, None),
        ("prisoner's dilemma, one trajectory", prisoners, adam, (1, 3, 2), True, None),
    ]
    for number, (name, game, learner, shape, memory, start) in enumerate(plain + more * thorough):
        rng = np.random.default_rng(number)
        pomdp = ShapingPOMDP(game, learner, jnp.asarray(rng.normal(size=5)), *shape, memory, start)
        ego = jnp.asarray(rng.normal(size=(shape[1] if memory else 1, 5)))
        yield Trial(f"{name}, B M T = {' '.join(map(str, shape))}", pomdp, ego)


def checked(weights: Weights, name: str) -> Weights:
    """Return a function of rewards that raises `ValueError` unless `weights` gives real numbers of the same shape."""

    def check(rewards: Array) -> Array:
        out = jnp.asarray(weights(rewards))
        if out.shape != rewards.shape or not jnp.isrealobj(out):
            made = f"{name} returns {out.dtype}{list(out.shape)} for rewards {list(rewards.shape)}"
            raise ValueError(f"{made}; it must return real numbers of the same shape")
        return out.astype(rewards.dtype)

    return check


def treats_trajectories_alike(weights: Weights, shape: tuple[int, int, int]) -> bool:
    """Return whether exchanging trajectories exchanges their weights, tried on random rewards."""
    rewards = jnp.asarray(np.random.default_rng(0).normal(size=(8, *shape)))
    order = np.roll(np.arange(shape[0]), 1)
    return bool(jnp.allclose(weights(rewards)[:, order], weights(rewards[:, order]), atol=1e-12))


def sample(
    key: PRNGKeyArray, problem: Trial, weights: Sequence[Weights], num_meta_episodes: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the sample mean [d] and its standard error [d] for several estimators on the same meta-episodes.

    Args:
        key: a key of any generator.
        problem: what to play.
        weights: the estimators.
        num_meta_episodes: N, rounded up to whole chunks.
    """
    size = min(CHUNK, num_meta_episodes)
    d, chunks = problem.ego_logits.size, -(-num_meta_episodes // size)
    sums = np.zeros((len(weights), 2, d))
    for chunk_key in jax.random.split(key, chunks):
        played = play(chunk_key, problem.pomdp, problem.ego_logits, size)
        for i, w in enumerate(weights):
            g = np.asarray(estimates(played, problem.ego_logits, w(played.ego.rewards)), float).reshape(size, -1)
            sums[i] += g.sum(0), (g**2).sum(0)
    N = size * chunks
    mean = sums[:, 0] / N
    variance = np.maximum(sums[:, 1] / N - mean**2, 0) * N / (N - 1)
    return list(zip(mean, np.sqrt(variance / N), strict=True))


def verify(
    claims: Sequence[Estimator],
    tried: Sequence[Trial],
    num_meta_episodes: int,
    key: PRNGKeyArray,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Verdict]:
    """Hold each claim against enumeration and sampling on each problem.

    Args:
        claims: estimators with what they claim.
        tried: the problems.
        num_meta_episodes: N of the sampled check.
        key: a key of any generator.
        progress: called with the fraction done.

    Raises:
        ValueError: if an estimator's weights have another shape than the rewards.
    """
    comparisons = len(claims) * sum(p.ego_logits.size for p in tried)
    z_limit = float(stats.norm.isf(FALSE_ALARM / (2 * comparisons)))
    out = []
    for number, (problem, k) in enumerate(zip(tried, jax.random.split(key, len(tried)), strict=True)):
        weights = [checked(claim, claim.label) for claim in claims]
        alike = all(treats_trajectories_alike(w, problem.pomdp.shape) for w in weights)
        everything = enumerate_meta_episodes(problem.pomdp, exchangeable=alike)
        sampled = sample(k, problem, weights, num_meta_episodes)
        for claim, w, found in zip(claims, weights, sampled, strict=True):
            out.append(_verdict(claim, w, problem, everything, found, z_limit))
        progress((number + 1) / len(tried))
    return out


def _verdict(
    estimator: Estimator,
    weights: Weights,
    problem: Trial,
    everything: Enumeration,
    sampled: tuple[np.ndarray, np.ndarray],
    z_limit: float,
) -> Verdict:
    pomdp, ego_logits, rewards = problem.pomdp, problem.ego_logits, everything.episodes.ego.rewards
    truth = true_gradient(everything, ego_logits)
    exact = moments(everything, ego_logits, weights(rewards))
    own = moments(everything, ego_logits, current_part(weights)(rewards)).mean
    target = np.asarray(estimator.claim.mean(truth.current, truth.shaping, pomdp.batch_size))
    claims = estimator.claim.holds_with_memory or not pomdp.remember_across_episodes
    error = float(np.abs(exact.mean - target).max())
    mean, standard_error = sampled
    # A component that never varies has no sampling error; there rounding alone may differ.
    deviation = np.abs(mean - target)
    z = float((deviation / np.maximum(standard_error, TOLERANCE)).max())
    noise, size = float(jnp.sqrt(jnp.trace(exact.covariance))), float(jnp.linalg.norm(truth.total))
    length = float(jnp.linalg.norm(exact.mean))
    return Verdict(
        problem=problem.name,
        estimator=estimator.label,
        claim=estimator.claim.words if claims else "none",
        bias=float(jnp.linalg.norm(exact.mean - truth.total)) / size,
        cosine=float(exact.mean @ truth.total) / (length * size) if length else 0.0,
        noise=noise / length if length else float("inf"),
        shaping_to_noise=float(jnp.linalg.norm(exact.mean - own)) / noise if noise else 0.0,
        error=error,
        z=z,
        z_limit=z_limit,
        detectable=float((z_limit + stats.norm.ppf(POWER)) * standard_error.max()) / size,
        exact_holds=error <= TOLERANCE * max(1.0, size) if claims else None,
        sampled_holds=z <= z_limit if claims else None,
    )


def exactly_unbiased(weights: Weights, shape: tuple[int, int, int] = (2, 2, 1)) -> bool:
    """Return whether an estimator's mean equals the true gradient as a vector of fractions, on one rational problem.

    Args:
        weights: an estimator that works on arrays of fractions and treats all trajectories alike.
        shape: (B, M, T).
    """
    rule = learners.reinforce_in_probabilities(Fraction(1, 16))
    # Not a game with T − R = P − S: there an inner episode of one step cannot be shaped.
    pomdp = ShapingPOMDP(games.axelrod(), rule, jnp.full(5, 0.5), *shape, remember_across_episodes=True)
    ego = fractions.exact([["1/3", "2/5", "3/7", "1/2", "5/8"]])
    everything = fractions.enumerate_rationally(pomdp, (1, 5), fractions.exact(["1/2", "2/3", "1/3", "3/5", "2/5"]))
    return fractions.expectation(everything, ego, weights) == fractions.true_gradient(everything, ego)
