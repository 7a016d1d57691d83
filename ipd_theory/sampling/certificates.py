r"""A proof that an estimator is unbiased on one problem, written down so that it can be checked without this package.

With rational payoffs, step size and tables, both sides of E[ĝ] = ∇J̄ are sums of finitely many fractions. A certificate
holds the problem, both vectors, and one piece for each multiset of trajectories: in how many orders it occurs, its
probability and the estimator's weights. A reader replays the game by its rules to check the probabilities, takes the
weights (of COALA-PG and full by their definition) and adds up

    E[ĝ_i] = Σ_τ P(τ) Σ_{b,l} w_{b,l}(τ) ∂ log π(a_{b,l} | h_{b,l}) / ∂p_i    and    ∂J̄/∂p_i = Σ_τ R̄(τ) ∂P(τ)/∂p_i,

as the script `tests/check_certificate.py` does in bare Python.
"""

from fractions import Fraction
from typing import Any

import numpy as np

from ipd_theory.sampling import claims, fractions
from ipd_theory.sampling._held import held
from ipd_theory.sampling.enumeration import multisets
from ipd_theory.sampling.estimators import Estimator
from ipd_theory.sampling.fractions import Objects, RationalEnumeration
from ipd_theory.sampling.trials import RationalProblem

FORMAT = "ipd-theory certificate 1"


@held
def certificate(estimator: Estimator, problem: RationalProblem) -> dict[str, Any]:
    """Return the proof that an estimator's mean is ∇J̄ on a problem, ready to be written as JSON.

    Args:
        estimator: a function of rewards by array methods only, which treats trajectories alike.
        problem: where.

    Raises:
        ValueError: if it needs more than rewards, knows no fractions, prefers a trajectory, or its mean is another
            vector.
    """
    if estimator.sees_all:
        raise ValueError(f"estimator {estimator.name!r} sees more than rewards; a certificate holds rewards alone")
    if not claims.treats_trajectories_alike(estimator, problem.shape):
        raise ValueError(f"estimator {estimator.name!r} prefers a trajectory; a certificate lists multisets of them")
    everything = problem.enumerate()
    weights = _weights(estimator, everything)
    gradient = fractions.true_gradient(everything, problem.ego[None])
    mean = fractions.expectation(everything, problem.ego[None], lambda rewards: weights)
    if mean != gradient:
        off = max(abs(a - b) for a, b in zip(mean, gradient, strict=True))
        raise ValueError(f"the mean of {estimator.label} is not the true gradient: a component is off by {off}")
    return {
        "format": FORMAT,
        "estimator": estimator.name,
        "problem": _problem_as_text(problem),
        "gradient": _text(gradient),
        "mean": _text(mean),
        "pieces": _pieces(everything, problem, weights),
    }


def _weights(estimator: Estimator, everything: RationalEnumeration) -> Objects:
    try:
        weights = estimator(everything.rewards)
    except Exception as error:  # whatever a user's function may raise
        raise ValueError(f"estimator {estimator.name!r} fails on fractions: {error}") from error
    if not isinstance(weights, np.ndarray) or weights.shape != everything.rewards.shape:
        raise ValueError(f"estimator {estimator.name!r} gives no weights of the shape of rewards")
    if not all(isinstance(w, Fraction) for w in weights.flat):
        raise ValueError(f"estimator {estimator.name!r} turns fractions into floats; keep to sum, cumsum and mean")
    return weights


def _pieces(everything: RationalEnumeration, problem: RationalProblem, weights: Objects) -> list[dict[str, Any]]:
    """Return each multiset of trajectories, by their numbers in base 4, with its share in the sum."""
    B, M, T = problem.shape
    rows, orders = multisets(4 ** (M * T), B)
    played = np.concatenate([problem.ego, 1 - problem.ego]) ** everything.exponents
    probabilities = everything.occurs * played.prod(-1)
    return [
        {"trajectories": row.tolist(), "orders": int(n), "probability": str(P), "weights": _text(w)}
        for row, n, P, w in zip(rows, orders, probabilities, weights, strict=True)
    ]


def _problem_as_text(problem: RationalProblem) -> dict[str, Any]:
    B, M, T = problem.shape
    return {
        "payoffs": _text(fractions.exact(np.asarray(problem.game.outcome_payoffs, float))),
        "batch": B,
        "episodes": M,
        "length": T,
        "learning_rate": str(problem.learning_rate),
        "ego": _text(problem.ego),
        "learner": _text(problem.learner),
    }


def _text(x: Any) -> Any:
    """Return fractions in nested lists as texts."""
    return [_text(y) for y in x] if isinstance(x, list | np.ndarray) else str(x)
