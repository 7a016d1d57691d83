"""Equilibria against exact vertices, replicator dynamics against logarithms of ratios; any scale, offset and sign."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ipd_theory import equilibria

SCALES = (1.0, 1e-12, 1e12)


def vertices(rows: np.ndarray) -> list[tuple[tuple[Fraction, ...], frozenset[int]]]:
    """The vertices z ≠ 0 of {z ≥ 0, rows · z ≤ 1}, in fractions, with the constraints that hold with equality.

    Labels are 0 … n − 1 for z_i = 0 and n + j for row j.
    """
    m, n = rows.shape
    left = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)] + [[Fraction(int(x)) for x in r] for r in rows]
    right = [Fraction(0)] * n + [Fraction(1)] * m
    found: dict[tuple[Fraction, ...], frozenset[int]] = {}
    for tight in itertools.combinations(range(n + m), n):
        z = solution([[*left[i], right[i]] for i in tight])
        if z is None or not any(z) or min(z) < 0:
            continue
        slack = [sum(a * x for a, x in zip(left[n + j], z, strict=True)) for j in range(m)]
        if max(slack) <= 1:
            found[z] = frozenset([i for i in range(n) if z[i] == 0] + [n + j for j in range(m) if slack[j] == 1])
    return list(found.items())


def solution(system: list[list[Fraction]]) -> tuple[Fraction, ...] | None:
    """The solution of an augmented system in fractions, None if it is singular."""
    n = len(system)
    for k in range(n):
        pivot = next((i for i in range(k, n) if system[i][k]), None)
        if pivot is None:
            return None
        system[k], system[pivot] = system[pivot], system[k]
        system[k] = [x / system[k][k] for x in system[k]]
        for i in range(n):
            if i != k and system[i][k]:
                system[i] = [x - system[i][k] * y for x, y in zip(system[i], system[k], strict=True)]
    return tuple(row[n] for row in system)


def extreme_equilibria(A: np.ndarray, B: np.ndarray) -> set[tuple[Fraction, ...]]:
    """All extreme equilibria of an integer game: pairs of vertices of the polytopes whose labels are all there are."""
    n, m = A.shape
    positive_A, positive_B = A - A.min() + 1, B - B.min() + 1
    equilibria = set()
    for x, labels in vertices(positive_B.T):  # labels: 0 … n − 1 unplayed rows, n + j best replies j
        for y, others in vertices(positive_A):  # 0 … m − 1 unplayed columns, m + i best replies i
            seen = labels | {n + j if j < m else j - m for j in others}
            if len(seen) == n + m:
                equilibria.add((*(v / sum(x) for v in x), *(v / sum(y) for v in y)))
    return equilibria


def random_games(count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Integer games of two to four strategies a side with few different payoffs, so that many are degenerate."""
    rng = np.random.default_rng(seed)
    games = []
    for _ in range(count):
        shape, largest = rng.integers(2, 5, 2), rng.integers(1, 6)
        games.append(tuple(rng.integers(-largest, largest + 1, shape).astype(float) for _ in range(2)))
    return games


def check_complete(games: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for i, (A, B) in enumerate(games):
        expected = sorted(tuple(map(float, e)) for e in extreme_equilibria(A, B))
        scale = SCALES[i % len(SCALES)]
        offset = 1e6 if i % 5 == 0 and scale == 1 else 0.0
        found = equilibria.nash_equilibria(scale * A + offset, B / scale)
        for e in found:
            for mixture in (e.row, e.column):
                assert mixture.min() >= 0
                assert mixture.sum() == pytest.approx(1, abs=1e-15)
        listed = sorted(tuple(np.concatenate([e.row, e.column]).round(9)) for e in found)
        assert len(listed) == len(expected), (i, A, B)
        np.testing.assert_allclose(np.array(sorted(listed)), np.array(sorted(expected)).round(9), atol=1e-7)


def test_all_extreme_equilibria_of_random_games() -> None:
    check_complete(random_games(120, seed=0))


@pytest.mark.slow
def test_all_extreme_equilibria_of_a_thousand_random_games() -> None:
    check_complete(random_games(1000, seed=1))


@pytest.mark.parametrize(
    ("A", "B", "count"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), 4),
        (-np.ones((2, 2)), -np.ones((2, 2)), 4),
        (np.array([[1.0, 2], [2, 0]]), np.array([[2.0, 2], [0, 0]]), 4),
    ],
)
def test_games_without_strict_preferences_keep_all_equilibria(A: np.ndarray, B: np.ndarray, count: int) -> None:
    found = equilibria.nash_equilibria(A, B)
    if A[0, 1] == 2:
        assert [e for e in found if np.allclose(e.row, [0, 1]) and np.allclose(e.column, [2 / 3, 1 / 3])]
    assert len(found) == count


@pytest.mark.parametrize(
    ("A", "end"),
    [
        ([[-1.0, -3], [0, -2]], [0, 1]),
        ([[-1.0, -3], [0, -10]], [7 / 8, 1 / 8]),
        ([[0.0, -2, 1], [1, 0, -2], [-2, 1, 0]], [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_survivors_of_games_with_losses(A: list[list[float]], end: list[float]) -> None:
    for scale in (1.0, 1e-12, 1e12):
        np.testing.assert_allclose(equilibria.survivors(scale * np.array(A)), end, atol=1e-6)


def test_replicator_equals_the_ratios_of_shares_in_logarithms() -> None:
    rng = np.random.default_rng(2)
    for i in range(60):
        n = int(rng.integers(2, 5))
        A, start = rng.normal(0, 3, (n, n)) + rng.normal(0, 5), rng.dirichlet(np.ones(n))
        times = np.linspace(0, 4, 5)

        def ratios(_: float, z: np.ndarray, A: np.ndarray = A) -> np.ndarray:
            x = np.exp(np.append(z, 0) - max(z.max(), 0))
            payoffs = A @ (x / x.sum())
            return payoffs[:-1] - payoffs[-1]

        z = solve_ivp(ratios, (0, 4), np.log(start[:-1] / start[-1]), "DOP853", times, rtol=1e-11, atol=1e-11).y
        x = np.exp(np.vstack([z, np.zeros(5)]) - np.maximum(z.max(0), 0))
        path = equilibria.replicator(A + (1e6 if i % 3 == 0 else 0), start, times)
        np.testing.assert_allclose(path, (x / x.sum(0)).T, atol=1e-6 if i % 3 == 0 else 1e-8)
        np.testing.assert_allclose(path.sum(1), 1, atol=1e-14)
        assert path.min() >= 0


def test_the_published_mix_of_tit_for_tat_and_its_prey() -> None:
    """TFT, ALLC, ALLD over 100 rounds, Axelrod's payoffs: equal shares end at .774143, .225857, 0."""
    A = np.array([[300.0, 300, 99], [300, 300, 0], [104, 500, 100]])
    end = equilibria.survivors(A)
    np.testing.assert_allclose(end, [0.774143, 0.225857, 0], atol=2e-6)
    np.testing.assert_allclose(equilibria.survivors(A + np.array([7.0, -3, 1])), end, atol=1e-5)


@pytest.mark.parametrize(
    ("start", "times", "words"),
    [
        ([1.0, 2.0], [0.0, 1.0], "start must be shares"),
        ([0.5, 0.4], [0.0, 1.0], "start must be shares"),
        ([-0.5, 1.5], [0.0, 1.0], "start must be shares"),
        ([0.5, 0.5], [1.0, 0.0], "times must be finite and rise"),
        ([1.0], [0.0, 1.0], r"start must have the shape \(2,\)"),
    ],
)
def test_starts_that_are_no_shares_are_refused(start: list[float], times: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        equilibria.replicator(np.eye(2), np.array(start), np.array(times))


def test_strict_dominance_only() -> None:
    A = np.array([[1.0, 1.0], [1.0, 0.0]])  # row 2 is weakly dominated and stays
    assert equilibria.undominated(A, np.zeros((2, 2))) == ([0, 1], [0, 1])
    assert equilibria.undominated(A - np.array([[0.0], [1.0]]), np.zeros((2, 2)))[0] == [0]


def test_evolutionary_stability() -> None:
    hawk_dove = np.array([[-1.0, 4], [0, 2]])  # neither pure strategy resists the other
    assert not equilibria.is_ess(hawk_dove, 0)
    assert not equilibria.is_ess(hawk_dove, 1)
    # ALLD, TFT, ALLC over ten rounds: TFT ties with ALLC, which drifts in; ALLD is strict.
    A = np.array([[10.0, 14, 50], [9, 30, 30], [0, 30, 30]])
    assert [equilibria.is_ess(A, i) for i in range(3)] == [True, False, False]
    assert [equilibria.is_neutrally_stable(A, i) for i in range(3)] == [True, True, False]
    # Equal against the resident, worse against itself: the mutant dies out.
    assert equilibria.is_ess(np.array([[1.0, 3], [1, 2]]), 0)
    assert equilibria.is_ess(1e-12 * A, 0)
    with pytest.raises(ValueError, match="i must lie in 0 to 2; got 3"):
        equilibria.is_ess(A, 3)
