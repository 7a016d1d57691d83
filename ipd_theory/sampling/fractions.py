r"""Unbiasedness as an equality of fractions: the enumeration with rational probabilities, nothing rounded.

Ego's table p holds fractions, and the learner moves in probability space with a rational step size, so that the
learner's part c(τ) of a meta-episode's probability is a fraction too. Grouping meta-episodes by how often ego
cooperated, n_i, and defected, d_i, in each entry i of its table,

    J̄(p) = Σ_{n,d} C_{n,d} Π_i p_i^{n_i} (1 − p_i)^{d_i},    C_{n,d} = Σ_τ c(τ) R̄(τ),

a polynomial with known coefficients, which sympy differentiates. On the other side stands the estimator's mean,

    E[ĝ_i] = Σ_τ P(τ) (W⁺_i(τ) / p_i − W⁻_i(τ) / (1 − p_i)),

with W± the weights of the steps at which ego cooperated or defected in entry i. Both are exact vectors of fractions, in
probability space: ∇ is the derivative in p, where ∇ log π is rational.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import sympy
from jaxtyping import Shaped

from ipd_theory import strategies
from ipd_theory.sampling._held import held
from ipd_theory.sampling.enumeration import meta_trajectories, multisets
from ipd_theory.sampling.estimators import Weights
from ipd_theory.sampling.learners import Seen
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

Objects = Shaped[np.ndarray, "..."]  # of fractions or whole numbers
MAX_META_EPISODES = 40_000


class RationalEnumeration(NamedTuple):
    """Every meta-episode up to order, N of them, with B trajectories of L = M·T steps and a table of d entries."""

    entries: Objects  # [N, B, L] which entry of ego's table was read
    actions: Objects  # [N, B, L] 0 cooperate, 1 defect
    rewards: Objects  # [N, B, M, T] fractions
    occurs: Objects  # [N] fractions: orders times the probability of the learner's actions
    exponents: Objects  # [N, 2d] how often ego cooperated in each entry, then how often it defected
    ego_shape: tuple[int, int]  # of the table


def exact(x: Any, name: str = "x") -> Objects:
    """Return numbers or texts such as "1/3" as an array of fractions of the same shape; floats by their exact value.

    Raises:
        ValueError: if an entry is no finite number.
    """

    def fraction(number: Any) -> Fraction:
        try:
            return Fraction(number if isinstance(number, str | Fraction) else float(number))
        except (TypeError, ValueError, OverflowError, ZeroDivisionError):
            raise ValueError(f"{name} holds {number!r}, which is no finite number and no fraction") from None

    return np.vectorize(fraction, [object])(np.asarray(x, object))


@held
def enumerate_rationally(pomdp: ShapingPOMDP, ego_shape: tuple[int, int], learner_table: Any) -> RationalEnumeration:
    """List every meta-episode with its exact probability, ego's part left out.

    Args:
        pomdp: the environment; its learner must work on arrays of fractions, as `reinforce_in_probabilities` does.
        ego_shape: (1, h) or (M, h), the shape of ego's table.
        learner_table: [h] fractions, where the learner starts (used instead of `pomdp.learner_table`).

    Raises:
        ValueError: if there are too many, a shape is none of those named, the learner leaves [0, 1], or its rule knows
            no fractions.
    """
    learner_table = exact(learner_table, "learner_table")
    if learner_table.ndim != 1 or not all(0 <= q <= 1 for q in learner_table):
        raise ValueError(f"learner_table must be [h] probabilities; got {learner_table.tolist()}")
    if not isinstance(ego_shape, tuple) or len(ego_shape) != 2 or ego_shape[0] not in (1, pomdp.num_inner_episodes):
        raise ValueError(f"ego_shape must be (1, h) or (M, h) with M = {pomdp.num_inner_episodes}; got {ego_shape!r}")
    (B, M, T), (E, h) = pomdp.shape, ego_shape
    memory, learner_memory = (
        strategies.memory_of(np.zeros(n), name=name)
        for name, n in (("ego_shape", h), ("learner_table", learner_table.size))
    )
    count = math.comb(4 ** (M * T) + B - 1, B)
    if count > MAX_META_EPISODES:
        raise ValueError(f"there are {count:.3g} meta-episodes; at most {MAX_META_EPISODES} are summed in fractions")
    rows, orders = multisets(4 ** (M * T), B)
    sides = meta_trajectories(pomdp, memory, learner_memory)
    ego, seen = ([np.asarray(x) for x in side] for side in sides)
    episode = np.arange(M)[:, None] if E > 1 else 0
    entries, actions = (x.reshape(-1, M * T)[rows] for x in (ego[0] + h * episode, ego[1]))
    exponents = np.zeros((len(rows), 2 * E * h), int)
    np.add.at(exponents, (np.arange(len(rows))[:, None, None], entries + E * h * actions), 1)
    probabilities = _learner_probabilities(pomdp, [*seen[:2], exact(seen[2])], learner_table, rows)
    occurs = probabilities * exact(orders)
    return RationalEnumeration(entries, actions, exact(ego[2])[rows], occurs, exponents, ego_shape)


def _learner_probabilities(pomdp: ShapingPOMDP, seen: list[Any], table: Objects, rows: Objects) -> Objects:
    """Return the probability [N] of the learner's actions, following its path once for each prefix."""
    (_, M, T), rule = pomdp.shape, pomdp.learner
    last_contexts, last_actions = (x[: 4**T, -1] for x in seen[:2])
    factors: dict[bytes, tuple[Fraction, Objects]] = {}

    def taken(q: Objects, contexts: Objects, actions: Objects) -> Objects:
        return np.where(actions == 0, q[contexts], 1 - q[contexts]).prod(-1)

    def follow(prefix: Objects) -> tuple[Fraction, Objects]:
        state, probability = rule.init(table), Fraction(1)
        for m in range(M - 1):
            contexts, actions, rewards = (x[prefix * 4**T, m] for x in seen)
            probability *= taken(rule.policy(state), contexts, actions).prod()
            state = rule.update(state, Seen(contexts, actions, rewards))
            if not all(0 <= q <= 1 for q in rule.policy(state)):
                raise ValueError("the learner left [0, 1]; give it a smaller learning rate or a start farther inside")
        return probability, taken(rule.policy(state), last_contexts, last_actions)

    out = []
    for row in rows:
        prefix, last = np.divmod(row, 4**T)
        if prefix.tobytes() not in factors:
            factors[prefix.tobytes()] = follow(prefix)
        probability, of_last = factors[prefix.tobytes()]
        out.append(probability * of_last[last].prod())
    return np.array(out, object)


def _ego(everything: RationalEnumeration, ego: Any) -> Objects:
    """Return ego's table [d] in fractions, having checked that it is one that the meta-episodes were listed for."""
    ego = exact(ego, "ego")
    if ego.shape != everything.ego_shape:
        raise ValueError(f"ego has shape {ego.shape}; the meta-episodes were listed for {everything.ego_shape}")
    if not all(0 < p < 1 for p in ego.flat):
        raise ValueError(
            f"ego must lie strictly between 0 and 1, where ∇log π exists; got {[str(p) for p in ego.flat]}"
        )
    return ego.ravel()


def _group(exponents: Objects, terms: Objects) -> tuple[Objects, Objects]:
    """Return the distinct exponents [G, 2d] and the sums of the terms [N, …] that share them, [G, …]."""
    distinct, which = np.unique(exponents, axis=0, return_inverse=True)
    sums = np.full((len(distinct), *terms.shape[1:]), Fraction(0), object)
    np.add.at(sums, which.ravel(), terms)
    return distinct, sums


@held
def true_gradient(everything: RationalEnumeration, ego: Any) -> list[Fraction]:
    """Return ∂J̄/∂p, exactly, by differentiating J̄ as a polynomial.

    Args:
        everything: all meta-episodes.
        ego: [1, h] or [M, h] fractions strictly between 0 and 1, ego's cooperation probabilities.

    Raises:
        ValueError: if `ego` is no such table.
    """
    B, p = everything.rewards.shape[1], _ego(everything, ego)
    returns = everything.rewards.sum((1, 2, 3)) / B
    exponents, coefficients = _group(everything.exponents, everything.occurs * returns)
    cooperate, defect = (sympy.symbols(f"{letter}:{p.size}") for letter in "pq")
    terms = {tuple(map(int, e)): sympy.Rational(c) for e, c in zip(exponents, coefficients, strict=True) if c}
    J = sympy.Poly(terms, *cooperate, *defect)
    at = [sympy.Rational(x) for x in (*p, *(1 - p))]
    slopes = [J.diff(c)(*at) - J.diff(d)(*at) for c, d in zip(cooperate, defect, strict=True)]
    return [Fraction(int(x.p), int(x.q)) for x in slopes]


@held
def expectation(everything: RationalEnumeration, ego: Any, weights: Weights) -> list[Fraction]:
    """Return the mean of the estimate Σ w ∇ log π in probability space, exactly.

    Args:
        everything: all meta-episodes.
        ego: [1, h] or [M, h] fractions strictly between 0 and 1.
        weights: an estimator that works on arrays of fractions [N, B, M, T], as those of `estimators` do.
    """
    p, N = _ego(everything, ego), len(everything.occurs)
    w = weights(everything.rewards).reshape(everything.entries.shape)
    sums = np.full((N, 2 * p.size), Fraction(0), object)
    np.add.at(sums, (np.arange(N)[:, None, None], everything.entries + p.size * everything.actions), w)
    exponents, sums = _group(everything.exponents, everything.occurs[:, None] * sums)
    monomials = (np.concatenate([p, 1 - p]) ** exponents).prod(-1)
    cooperate, defect = np.split(monomials @ sums, 2)
    return list(cooperate / p - defect / (1 - p))
