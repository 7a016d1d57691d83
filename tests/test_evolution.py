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


def whole_chain(A: list[list[Fraction]], N: int, s: Fraction, mu: Fraction, process: str) -> list[Fraction]:
    """The stationary distribution of the chain over 0 … N, player by player, from its linear equations in fractions."""
    move = sympy.zeros(N + 1, N + 1)
    for i in range(N + 1):
        play = [0] * i + [1] * (N - i)
        rest = Fraction(1, N - 1)
        earned = [sum(A[play[x]][play[y]] for y in range(N) if y != x) * rest for x in range(N)]
        fitness = [1 - s + s * pay for pay in earned]
        for x, y in itertools.product(range(N), range(N)):
            if process == "moran":  # y has a child that takes the place of x
                chance, turned = fitness[y] / sum(fitness) / N, mu
                ways = [(chance * (1 - turned), play[y]), (chance * turned, 1 - play[y])]
            elif x != y:  # x looks at y; β = log 2 · s keeps exp(β difference) a fraction where payoffs are whole
                adopts = 1 / (1 + Fraction(2) ** int((earned[x] - earned[y]) * s))
                chance = Fraction(1, N * (N - 1))
                ways = [(chance * (1 - mu) * adopts, play[y]), (chance * mu, 1 - play[x])]
                ways.append((chance * (1 - mu) * (1 - adopts), play[x]))
            else:
                continue
            for probability, new in ways:
                move[i, i + play[x] - new] += sympy.Rational(probability)
    assert all(sum(move[i, :]) == 1 for i in range(N + 1))
    equations = (move.T - sympy.eye(N + 1)).row_insert(0, sympy.ones(1, N + 1))[: N + 1, :]
    return [float(x) for x in equations.LUsolve(sympy.Matrix([1] + [0] * N))]


@pytest.mark.parametrize("process", ["moran", "fermi"])
@pytest.mark.parametrize("mu", [Fraction(1, 100), Fraction(1, 3), Fraction(1)])
def test_counts_are_distributed_as_in_the_whole_chain_in_fractions(process: Any, mu: Fraction) -> None:
    for seed, N in ((0, 2), (1, 4), (2, 5)):
        A = [[Fraction(int(x)) for x in row] for row in np.random.default_rng(seed).integers(0, 6, (2, 2))]
        s = Fraction(1, 3) if process == "moran" else Fraction(N - 1)  # so that powers of 2 stay whole
        exact = whole_chain(A, N, s, mu, process)
        intensity = float(s) if process == "moran" else float(s) * np.log(2)
        found = evolution.count_distribution(np.array(A, float), N, intensity, float(mu), process=process)
        np.testing.assert_allclose(found, exact, rtol=1e-11)
        up, down = evolution.transition_probabilities(np.array(A, float), N, intensity, float(mu), process=process)
        np.testing.assert_allclose(found[:-1] * up[:-1], found[1:] * down[1:], rtol=1e-11)
        assert up[-1] == down[0] == 0


@pytest.mark.parametrize("process", ["moran", "fermi"])
def test_as_mutants_become_rare_the_distribution_is_that_of_rare_mutation(process: Any) -> None:
    A = np.array([[3.0, 0.0], [5.0, 1.0]])
    found = evolution.count_distribution(A, 12, 0.3, 1e-12, process=process)
    rare = evolution.rare_mutation(A, 12, 0.3, process=process)
    np.testing.assert_allclose(found[[-1, 0]], rare, rtol=1e-9)
    # Mutants that are sure forget everything: Moran's children are then all of the other strategy, symmetric about N/2.
    even = evolution.count_distribution(np.ones((2, 2)), 12, 0.3, [0.2, 0.9], process=process)
    np.testing.assert_allclose(even, even[:, ::-1], rtol=1e-12)


def test_populations_of_a_million_neither_overflow_nor_lose_digits() -> None:
    N = 1_000_000
    # Where strategy 0 always earns one more, ρ = (1 − e^−β) / (1 − e^−βN), and its mirror e^−β(N−1) of it.
    better = np.array([[2.0, 2.0], [1.0, 1.0]])
    logs = evolution.log_fixation_probability(np.stack([better, better[::-1, ::-1]]), N, 0.5, process="fermi")
    np.testing.assert_allclose(logs, np.log1p(-np.exp(-0.5)) - np.array([0, 0.5 * (N - 1)]), rtol=1e-12)
    np.testing.assert_allclose(evolution.fixation_probability(np.zeros((2, 2)), N, 0.0), 1 / N, rtol=1e-12)
    shares = evolution.rare_mutation(better, N, 0.5, process="fermi")
    np.testing.assert_array_equal(shares, [1, 0])


def test_batches_are_the_single_answers(rng: np.random.Generator) -> None:
    A, intensity = rng.uniform(0, 3, (3, 1, 4, 4)), np.array([0.0, 0.2])
    fixed = evolution.fixation_matrix(A, 15, intensity)
    shares = evolution.rare_mutation(A, 15, intensity)
    assert fixed.shape == (3, 2, 4, 4)
    np.testing.assert_allclose(fixed[:, 0], 1 / 15, rtol=1e-12)
    np.testing.assert_allclose(shares[:, 0], 1 / 4, rtol=1e-12)
    pair = A[1, 0][np.ix_([2, 0], [2, 0])]
    alone = evolution.fixation_probability(pair, 15, 0.2)  # one of strategy 2 among 0
    np.testing.assert_allclose(fixed[1, 1, 0, 2], alone, rtol=1e-12)
    np.testing.assert_allclose(shares[2, 1], evolution.rare_mutation(A[2, 0], 15, 0.2), rtol=1e-12)


def test_shares_are_kept_where_rates_are_no_floats() -> None:
    # Three strategies in a cycle, where each beats the next by 10 per encounter: rates of 1 and of exp(−9990).
    A = np.array([[0.0, 10, -10], [-10, 0, 10], [10, -10, 0]])
    np.testing.assert_allclose(evolution.rare_mutation(A, 1000, 1.0, process="fermi"), 1 / 3, rtol=1e-9)


def test_states_that_are_left_for_good_have_no_share_in_whatever_order_they_stand(rng: np.random.Generator) -> None:
    # 0 and 1 lead on to 2 and 3, which exchange players at the rates 1 and 3.
    rates = np.array([[0.0, 1, 1, 0], [1, 0, 0, 2], [0, 0, 0, 1], [0, 0, 3, 0]])
    orders = np.array([rng.permutation(4) for _ in range(20)])
    found = evolution.stationary(np.stack([rates[np.ix_(order, order)] for order in orders]))
    np.testing.assert_allclose(found, np.array([0, 0, 3 / 4, 1 / 4])[orders], rtol=1e-14)
    np.testing.assert_array_equal(evolution.stationary([[0.0, 1, 1], [1, 0, 1], [0, 0, 0]]), [0, 0, 1])
    with pytest.raises(ValueError, match="rates must lead from all states to some common one"):
        evolution.stationary([[0.0, 1, 1], [0, 0, 0], [0, 0, 0]])


def test_selection_by_payoffs_alone_asks_nothing_of_a_strategy_that_nobody_plays() -> None:
    A, N, mu = np.array([[3.0, 1], [5, 2]]), 5, 0.1
    up, down = evolution.transition_probabilities(A, N, 1.0, mu)
    i = np.arange(1, N)
    mine, theirs = (i - 1) * 3 + (N - i) * 1, i * 5 + (N - i - 1) * 2
    first = i * mine / (i * mine + (N - i) * theirs)
    np.testing.assert_allclose(up[1:-1], (N - i) / N * ((1 - mu) * first + mu * (1 - first)), rtol=1e-12)
    np.testing.assert_allclose([up[0], up[-1], down[0], down[-1]], [mu, 0, 0, mu], rtol=1e-12)
    near = evolution.count_distribution(A, N, 1 - 1e-12, mu)
    np.testing.assert_allclose(evolution.count_distribution(A, N, 1.0, mu), near, rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.eye(3), 10, 0.1), "A must be 2 by 2; got the shape"),
        ((np.eye(2), 1, 0.1), "population must be a whole number, 2 or more; got 1"),
        ((np.eye(2), 10, 1.5), r"intensity must lie in \[0, 1\]"),
        ((-9 * np.eye(2), 10, 0.9), "it must be above 0"),
        ((np.full((2, 2), np.nan), 10, 0.1), "A must be finite"),
    ],
)
def test_bad_input_is_named(arguments: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evolution.fixation_probability(*arguments)
