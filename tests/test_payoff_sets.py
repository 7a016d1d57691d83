"""Payoff polygons against hulls by scipy, linear programs, paths that grim punishment sustains, and thresholds."""

import itertools

import numpy as np
import pytest
import scipy.optimize
import scipy.spatial

import ipd_theory as ipd
from ipd_theory import payoff_sets, strategies

AXELROD = ipd.games.axelrod()


def inside(points: np.ndarray, corners: np.ndarray, slack: float = 1e-9) -> np.ndarray:
    """Whether points [n, 2] are to the left of every edge."""
    edges = np.roll(corners, -1, 0) - corners
    across = points[:, None] - corners
    return (edges[:, 0] * across[..., 1] - edges[:, 1] * across[..., 0] >= -slack).all(-1)


def test_feasible_and_individually_rational_payoffs(rng: np.random.Generator) -> None:
    np.testing.assert_allclose(payoff_sets.feasible(AXELROD), [[0, 5], [1, 1], [5, 0], [3, 3]])
    corners = [[1, 1], [13 / 3, 1], [3, 3], [1, 13 / 3]]
    np.testing.assert_allclose(payoff_sets.individually_rational(AXELROD), corners, atol=1e-10)
    for _ in range(20):
        game = ipd.MatrixGame(rng.normal(size=(2, 2, 2)))
        points = np.asarray(game.outcome_payoffs).T
        hull = points[scipy.spatial.ConvexHull(points).vertices]
        found = payoff_sets.feasible(game)
        np.testing.assert_allclose(found[np.lexsort(found.T)], hull[np.lexsort(hull.T)])
        secured = payoff_sets.minimax(game)
        for player in (0, 1):  # by a linear program: the other mixes so that no action earns more than v
            matrix = np.asarray(game.payoffs[player]) if player == 0 else np.asarray(game.payoffs[player]).T
            program = scipy.optimize.linprog(
                [1, 0, 0], np.c_[-np.ones(2), matrix], np.zeros(2), [[0, 1, 1]], [1], [(None, None), (0, 1), (0, 1)]
            )
            assert secured[player] == pytest.approx(program.fun, abs=1e-9)
    np.testing.assert_allclose(payoff_sets.minimax(ipd.games.matching_pennies()), [0, 0], atol=1e-12)


def sustained(game: ipd.MatrixGame, discount: float, length: int) -> list[np.ndarray]:
    """What all periodic paths pay, by phase, from which nobody gains by a deviation that mutual defection punishes."""
    payoffs, found = np.asarray(game.outcome_payoffs).T, []
    R, S, T, P = payoffs[:, 0]
    tempted = np.array([[T - R, T - R], [P - S, 0], [0, P - S], [0, 0]])  # what each gains at once
    for cycle in itertools.product(range(4), repeat=length):
        weights = (1 - discount) / (1 - discount**length) * discount ** np.arange(length)
        paid = payoffs[list(cycle)]
        values = np.array([weights @ np.roll(paid, -t, 0) for t in range(length)])
        onward = np.roll(values, -1, 0)
        if (discount * (onward - P) >= (1 - discount) * tempted[list(cycle)] - 1e-12).all():
            found.append(values)
    return found


@pytest.mark.parametrize("discount", [0.1, 0.25, 0.3, 0.45, 0.5, 0.7, 0.9])
def test_equilibrium_payoffs_hold_what_grim_sustains_and_sustain_themselves(discount: float) -> None:
    corners = payoff_sets.perfect(AXELROD, discount=discount)
    for length in range(1, 6):
        for values in sustained(AXELROD, discount, length):
            assert inside(values, corners).all()
    # Each corner comes from an action, and payoffs inside to follow, from which nobody wants to deviate: such a set
    # holds equilibrium payoffs alone (Abreu, Pearce & Stacchetti 1990, theorem 1). By linear programs over mixtures.
    payoffs = np.asarray(AXELROD.outcome_payoffs).T
    tempted, least = np.array([[2, 2], [1, 0], [0, 1], [0, 0]]), corners.min(0)
    for corner in corners:
        ways = []
        for now, gain in zip(payoffs, tempted, strict=True):
            onward = (corner - (1 - discount) * now) / discount
            mixed = scipy.optimize.linprog(
                np.zeros(len(corners)), A_eq=np.r_[corners.T, np.ones((1, len(corners)))], b_eq=[*onward, 1]
            )
            willing = (discount * (onward - least) >= (1 - discount) * gain - 1e-8).all()
            ways.append(willing and mixed.status == 0)
        assert any(ways), corner


@pytest.mark.parametrize(
    ("payoffs", "threshold", "wanted"),
    [
        ((3, 0, 5, 1), 1 / 2, (3, 3)),  # (T − R)/(T − P)
        ((3, -1, 5, 2), 2 / 3, (3, 3)),
        ((3, 0, 5, 1), 1 / 4, (4, 1)),  # in turns, D before C: T/(1 + δ) and δT/(1 + δ) ≥ P
    ],
)
def test_thresholds_of_the_discount(payoffs: tuple[float, ...], threshold: float, wanted: tuple[float, float]) -> None:
    game = ipd.games.symmetric_game(*map(float, payoffs))
    for shift, there in ((-1e-3, False), (0.0, True), (1e-3, True)):
        corners = payoff_sets.perfect(game, discount=threshold + shift)
        least = np.array([wanted]) if wanted[0] == wanted[1] else np.array([[5 / (1 + threshold + shift), 1.0]])
        angles = np.linspace(0, 2 * np.pi, 64)
        around = np.stack([np.cos(angles), np.sin(angles)])
        assert bool(((corners @ around).max(0) >= (least @ around)[0] - 1e-7).all()) == there


def test_the_folk_theorem_and_games_without_an_equilibrium() -> None:
    near = payoff_sets.perfect(AXELROD, discount=0.95)
    corners = payoff_sets.individually_rational(AXELROD)
    np.testing.assert_allclose(near, corners, atol=1e-8)  # all of it, as soon as players are patient enough
    np.testing.assert_array_equal(payoff_sets.perfect(AXELROD, discount=0.0), [[1, 1]])
    assert payoff_sets.perfect(ipd.games.matching_pennies(), discount=0.9).shape == (0, 2)
    with pytest.raises(ValueError, match=r"discount must be one finite number at least 0 and at most 0\.999; got 1"):
        payoff_sets.perfect(AXELROD, discount=1.0)
    with pytest.raises(ValueError, match="game must be one game for two"):
        payoff_sets.feasible(ipd.games.public_goods(3, 2.0))


def test_what_memory_one_leaves_is_the_hull_of_all_pure_opponents(rng: np.random.Generator) -> None:
    every = strategies.all_pure(1)
    for discount in (0.9, 1.0):
        for strategy in (rng.random(5), np.array([1.0, 1, 0, 0, 1]), np.array([0.0, 1, 0, 1, 0])):
            found = payoff_sets.left_by(AXELROD, strategy, discount=discount)
            earned = np.asarray(ipd.expected_returns(AXELROD, strategy, every, discount=discount))
            hull = earned[scipy.spatial.ConvexHull(earned, qhull_options="QJ").vertices] if np.ptp(earned) else earned
            assert inside(earned, found, 1e-8).all()
            assert all(np.abs(hull - corner).sum(1).min() < 1e-8 for corner in found)


def test_zero_determinant_strategies_leave_a_line(rng: np.random.Generator) -> None:
    extort = payoff_sets.left_by(AXELROD, strategies.named("extort(3)", game=AXELROD))
    np.testing.assert_allclose(extort, [[1, 1], [(2 + 39) / (2 + 9), (12 + 9) / (2 + 9)]], atol=1e-9)  # ALLD and ALLC
    equal = payoff_sets.left_by(AXELROD, strategies.named("equalizer(2)", game=AXELROD))
    np.testing.assert_allclose(equal[:, 1], [2, 2], atol=1e-9)
    two = rng.random(21)
    found = payoff_sets.left_by(AXELROD, two, discount=0.95)
    others = rng.beta(0.3, 0.3, (500, 21))
    assert inside(np.asarray(ipd.expected_returns(AXELROD, two, others, discount=0.95)), found).all()
