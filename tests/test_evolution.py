"""Fixation and rare mutation against absorbing chains, in fractions, and closed forms."""

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as draw

from ipd_theory import evolution


def absorbed(A: list[list[Fraction]], N: int, w: Fraction) -> Fraction:
    """The probability that one of strategy 0 takes over, from the whole chain's linear equations in fractions."""

    def fitness(i: int) -> tuple[Fraction, Fraction]:
        mine = ((i - 1) * A[0][0] + (N - i) * A[0][1]) / (N - 1)
        theirs = (i * A[1][0] + (N - i - 1) * A[1][1]) / (N - 1)
        return 1 - w + w * mine, 1 - w + w * theirs

    system, right = sympy.zeros(N - 1, N - 1), sympy.zeros(N - 1, 1)
    for i in range(1, N):
        f, g = (sympy.Rational(x) for x in fitness(i))
        total = i * f + (N - i) * g
        up, down = i * f / total * sympy.Rational(N - i, N), (N - i) * g / total * sympy.Rational(i, N)
        system[i - 1, i - 1] = up + down
        if i > 1:
            system[i - 1, i - 2] = -down
        if i < N - 1:
            system[i - 1, i] = -up
        else:
            right[i - 1] = up
    solution = system.LUsolve(right)[0]
    return Fraction(int(solution.p), int(solution.q))


payoff = draw.integers(0, 6).map(Fraction)


@given(draw.lists(payoff, min_size=4, max_size=4), draw.integers(2, 6), draw.sampled_from(["0", "1/3", "9/10"]))
def test_fixation_equals_the_absorbing_chain_in_fractions(entries: list[Fraction], N: int, w: str) -> None:
    A = [entries[:2], entries[2:]]
    exact = absorbed(A, N, Fraction(w))
    found = evolution.fixation_probability(np.array(A, float), N, float(Fraction(w)))
    assert found == pytest.approx(float(exact), rel=1e-12)


def test_fixation_in_closed_form() -> None:
    A = np.array([[3.0, 0.0], [5.0, 1.0]])
    assert evolution.fixation_probability(A, 17, 0.0) == pytest.approx(1 / 17, rel=1e-14)
    # Constant fitness r: (1 − 1/r) / (1 − 1/r^N).
    r, N = 1.3, 50
    constant = evolution.fixation_probability(np.array([[r, r], [1.0, 1.0]]), N, 1.0)
    assert constant == pytest.approx((1 - 1 / r) / (1 - r**-N), rel=1e-12)
    # Pairwise comparison with the same payoff difference everywhere is a geometric sum.
    beta, N = 0.7, 30
    fermi = evolution.fixation_probability(np.array([[2.0, 2.0], [1.0, 1.0]]), N, beta, process="fermi")
    assert fermi == pytest.approx((1 - np.exp(-beta)) / (1 - np.exp(-beta * N)), rel=1e-12)
    hopeless = evolution.fixation_probability(np.array([[0.0, 0.0], [9.0, 9.0]]), 1000, 10.0, process="fermi")
    assert hopeless == 0.0 or hopeless < 1e-300


def test_rare_mutation_of_two_strategies_is_the_ratio_of_fixation_probabilities() -> None:
    A = np.array([[3.0, 0.0], [5.0, 1.0]])
    mine = evolution.fixation_probability(A, 20, 0.1)
    theirs = evolution.fixation_probability(A[::-1, ::-1], 20, 0.1)
    np.testing.assert_allclose(evolution.rare_mutation(A, 20, 0.1), [mine / (mine + theirs), theirs / (mine + theirs)])


@given(draw.integers(2, 5), draw.integers(0, 2**32 - 1))
def test_stationary_shares_balance_and_keep_relative_accuracy(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = 10.0 ** rng.uniform(-60, 0, (n, n))
    exact = sympy.Matrix(n, n, lambda i, j: sympy.Rational(float(rates[j, i])) if i != j else 0)
    for i in range(n):
        exact[i, i] = -sum(exact[k, i] for k in range(n) if k != i)
    exact[n - 1, :] = sympy.ones(1, n)
    right = exact.LUsolve(sympy.Matrix([0] * (n - 1) + [1]))
    np.testing.assert_allclose(evolution.stationary(rates), [float(x) for x in right], rtol=1e-12)


def test_relabelled_strategies_get_relabelled_shares(rng: np.random.Generator) -> None:
    A = rng.uniform(0, 5, (4, 4))
    shares = evolution.rare_mutation(A, 25, 0.2)
    for order in itertools.islice(itertools.permutations(range(4)), 0, 24, 5):
        swapped = evolution.rare_mutation(A[np.ix_(order, order)], 25, 0.2)
        np.testing.assert_allclose(swapped, shares[list(order)], rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.eye(3), 10, 0.1), "A must be 2 by 2; got the shape"),
        ((np.eye(2), 1, 0.1), "population must be 2 or more; got 1"),
        ((np.eye(2), 10, 1.5), r"intensity must lie in \[0, 1\]"),
        ((-9 * np.eye(2), 10, 0.9), "it must be above 0"),
        ((np.full((2, 2), np.nan), 10, 0.1), "A must be finite"),
    ],
)
def test_bad_input_is_named(arguments: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evolution.fixation_probability(*arguments)
