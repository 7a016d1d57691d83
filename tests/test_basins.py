"""Volumes: of bodies known exactly, and of a basin whose border is found by quadrature."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

import ipd_theory as ipd
from ipd_theory.learning import rules
from ipd_theory.learning.play import Learning
from ipd_theory.phases.basins import basin, cooperation, volume

SGD = optax.sgd(0.5)


def test_known_volumes_lie_in_their_intervals():
    """A simplex (1/24) and a ball (π²/32 of the cube) in four dimensions: at 99.9 % each, 0.2 % false alarms in all."""
    settings = {"log2_points": 10, "replicates": 16, "seed": 5, "confidence": 0.999}
    simplex = volume(lambda x: x.sum(-1) < 1, 4, **settings)
    ball = volume(lambda x: ((x - 0.5) ** 2).sum(-1) < 0.25, 4, **settings)
    for found, truth in ((simplex, 1 / 24), (ball, np.pi**2 / 32)):
        assert abs(found.mean - truth) < found.half_width
        random_points = np.sqrt(truth * (1 - truth) / (16 * 1024))
        assert found.half_width < 4.1 * random_points  # 4.1: Student's t, 15 degrees of freedom, at 99.9 %


def test_intervals_cover_as_often_as_they_say():
    """Of 200 intervals at 90 %, 180 should hold the truth; 163 or fewer do with probability 0.0004."""
    held = 0
    for seed in range(200):
        found = volume(lambda x: x[:, 0] * x[:, 1] < 0.3, 2, log2_points=5, replicates=8, seed=seed, confidence=0.9)
        held += abs(found.mean - 0.3 * (1 - np.log(0.3))) < found.half_width
    assert held > 163


def test_the_interval_is_student_s_of_the_replicates():
    found = volume(lambda x: x[:, 0] * x[:, 1] < 0.3, 2, log2_points=4, replicates=3, seed=1, confidence=0.9)
    low, high = stats.t.interval(0.9, 2, loc=found.replicates.mean(), scale=stats.sem(found.replicates))
    np.testing.assert_allclose([found.mean - found.half_width, found.mean + found.half_width], [low, high], rtol=1e-12)


def stag_hunt_basin(a, b):
    """The basin of cooperation of ṗ_1 = p_1²(1−p_1)²(a p_2 − b) and its mirror, by its conserved quantity.

    G(p_1) − G(p_2) with G' = (a p − b)/(p²(1−p)²) is constant, so the border through (b/a, b/a) has G(p_1) = G(p_2),
    p_1 on the one and p_2 on the other side of b/a.
    """

    def conserved(p):
        # ∫ a p/(p²(1−p)²) = a [ln(p/(1−p)) + 1/(1−p)],  ∫ b/(p²(1−p)²) = b [2 ln(p/(1−p)) + 1/(1−p) − 1/p]
        log_odds = np.log(p / (1 - p))
        return a * (log_odds + 1 / (1 - p)) - b * (2 * log_odds + 1 / (1 - p) - 1 / p)

    def border(p):
        side = (b / a, 1 - 1e-12) if p < b / a else (1e-12, b / a)
        return brentq(lambda x: conserved(x) - conserved(p), *side)

    return 1 - sum(quad(border, *ends, epsabs=1e-7)[0] for ends in ((1e-6, b / a), (b / a, 1 - 1e-6)))


@pytest.mark.parametrize(("payoffs", "truth"), [((4.0, 0.0, 3.0, 2.0), None), ((2.0, 0.0, 1.0, 1.0), 0.5)])
def test_the_basin_of_the_one_shot_stag_hunt(payoffs, truth):
    """γ = 0: only the starts matter. Quadrature against simulation, and 1/2 by symmetry where both stakes are equal.

    At 99.9 % a false alarm has probability 0.001; Euler's steps of 0.5 move the border by less than that.
    """
    R, S, T, P = payoffs
    expected = stag_hunt_basin(R - T + P - S, P - S)
    if truth is not None:
        np.testing.assert_allclose(expected, truth, atol=1e-5)
    game = ipd.games.symmetric_game(*payoffs)
    naive = (rules.naive(), rules.naive())
    reached = basin(game, naive, cooperation(game, 0.9), discount=0.0, optimizers=(SGD, SGD), steps=500)
    found = volume(reached, 10, log2_points=9, replicates=8, seed=11, confidence=0.999)
    assert abs(found.mean - expected) < found.half_width
    assert found.half_width < 0.05


def test_cooperation_means_both_near_the_reward():
    game = ipd.prisoners_dilemma()
    last = np.array([[1.0, 1.0], [0.95, 0.91], [1.2, 0.95], [0.95, 0.2], [0.0, 0.0]])
    nothing = jnp.zeros((5, 2), jnp.int32)
    ended = Learning(jnp.zeros((5, 2, 5)), jnp.asarray(last[:, None, :]), nothing, nothing - 1, jnp.zeros((5, 2)))
    np.testing.assert_array_equal(cooperation(game)(ended), [True, True, False, False, False])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"replicates": 1}, "replicates must be 2 or more"), ({"confidence": 1.0}, "confidence must lie between 0 and 1")],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        volume(lambda x: x[:, 0] < 0.5, 1, **({"log2_points": 3, "replicates": 2, "seed": 0} | change))


@pytest.mark.parametrize("discount", [0.9, 0.96, 0.99])
@pytest.mark.parametrize("chi", [1.5, 3.0, 6.0])
def test_extortioners_leave_a_learner_only_gains_from_cooperating(chi, discount, rng):
    """Every partial derivative of the other's return in its own table is above 0, at 500 tables of its own.

    Extortion ties the other's surplus to the extortioner's, which grows with the other's cooperation (Press & Dyson).
    """
    game = ipd.prisoners_dilemma()
    low, high = ipd.zero_determinant.phi_range(game, 1 / chi, 0.0, discount)
    for share in (0.1, 0.6, 1.0):
        phi = float(low + share * (high - low)) / chi
        extortioner = ipd.zero_determinant.extortion(game, chi, phi, discount)
        own = rng.uniform(size=(500, 5))
        gradient = ipd.return_gradient(game, extortioner, own, discount=discount, player=1, wrt=1)
        assert extortioner[0] == 0
        assert float(gradient.min()) > 0
