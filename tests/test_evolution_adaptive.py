"""Adaptive dynamics against closed forms in fractions, symmetries, conserved circles, finite differences."""

import functools

import jax
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as draw

import ipd_theory as ipd
from ipd_theory import evolution, strategies
from ipd_theory.evolution import adaptive
from ipd_theory.strategies import reactive_n

DONATION = ipd.games.donation_game(3.0, 1.0)
AXELROD = ipd.games.axelrod()
probability = draw.fractions(min_value=0, max_value=1, max_denominator=50)


@settings(max_examples=25)
@given(probability, probability, draw.fractions(min_value="1/2", max_value=5, max_denominator=9))
def test_reactive_strategies_have_the_published_gradient_in_fractions(p, q, b) -> None:
    """Derived anew from the shares of cooperation s = (q + r q') / (1 − r r') of two reactive strategies."""
    if abs(p - q) == 1:
        return
    P, Q, p0, q0 = sympy.symbols("P Q p q")
    mine = (Q + (P - Q) * q0) / (1 - (P - Q) * (p0 - q0))
    theirs = (q0 + (p0 - q0) * Q) / (1 - (P - Q) * (p0 - q0))
    payoff = sympy.Rational(b) * theirs - mine
    here = {P: sympy.Rational(p), Q: sympy.Rational(q), p0: sympy.Rational(p), q0: sympy.Rational(q)}
    exact = [float(payoff.diff(x).subs(here)) for x in (P, Q)]
    x = np.array([float(p), float(q)])
    np.testing.assert_allclose(evolution.donation_gradient(x, float(b), 1.0), exact, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_the_engine_is_the_closed_form_and_the_zone_that_rewards_cooperation_is_r_above_c_over_b(rng):
    x = rng.uniform(size=(200, 2))
    found = evolution.selection_gradient(DONATION, x, discount=1.0, family=reactive_n)
    np.testing.assert_allclose(found, evolution.donation_gradient(x, 3.0, 1.0), rtol=1e-9, atol=1e-12)
    zone = evolution.rewards_cooperation(DONATION, x, discount=1.0, family=reactive_n)
    np.testing.assert_array_equal(zone, x[:, 0] - x[:, 1] > 1 / 3)
    slipped = evolution.selection_gradient(DONATION, x, discount=1.0, family=reactive_n, error=0.1)
    np.testing.assert_allclose(slipped, 0.8 * evolution.donation_gradient(0.1 + 0.8 * x, 3.0, 1.0), rtol=1e-9)


def flipped(memory: int) -> np.ndarray:
    """The context in which every action is the other one, for each context."""
    contexts = strategies.contexts(memory)
    return np.array([contexts.index(c if c == "start" else c.translate(str.maketrans("CD", "DC"))) for c in contexts])


@pytest.mark.parametrize("memory", [1, 2])
@pytest.mark.parametrize("discount", [0.7, 1.0])
def test_adaptive_dynamics_of_the_donation_game_run_backwards_in_the_mirror(memory: int, discount: float, rng) -> None:
    """F(φp) at a context is F(p) at the flipped one, φp = 1 − p there (LaPorte, Hilbe & Nowak)."""
    p = rng.uniform(0.05, 0.95, (20, strategies.num_contexts(memory)))
    mirror = flipped(memory)
    F = functools.partial(evolution.selection_gradient, DONATION, discount=discount)
    np.testing.assert_allclose(F(1 - p[:, mirror]), np.asarray(F(p))[:, mirror], rtol=1e-7, atol=1e-12)
    unlike = ipd.prisoners_dilemma(R=3.0, S=0.0, T=5.0, P=1.0)  # T + S differs from R + P: no such mirror
    G = functools.partial(evolution.selection_gradient, unlike, discount=discount)
    assert np.abs(np.asarray(G(1 - p[:, mirror])) - np.asarray(G(p))[:, mirror]).max() > 1e-3


def test_counting_strategies_stay_counting_strategies(rng: np.random.Generator) -> None:
    """Memory-one strategies that count cooperators are an invariant subspace (LaPorte, Hilbe & Nowak 2023)."""
    p = rng.uniform(0.05, 0.95, (50, 5))
    p[:, 3] = p[:, 2]
    F = np.asarray(evolution.selection_gradient(DONATION, p, discount=1.0))
    np.testing.assert_allclose(F[:, 2], F[:, 3], rtol=1e-9)
    assert np.abs(F[:, 2]).min() > 1e-6


def test_orbits_are_circles_around_tit_for_tat_until_they_meet_a_bound() -> None:
    start = np.array([[0.9, 0.3], [0.5, 0.4], [0.3, 0.2], [0.6, 0.1]])
    path = evolution.trajectory(DONATION, start, np.linspace(0, 40, 9), discount=1.0, family=reactive_n)
    assert path.shape == (4, 9, 2)
    np.testing.assert_array_equal(path[:, 0], start)
    radius = np.hypot(1 - path[..., 0], path[..., 1])
    np.testing.assert_allclose(radius, radius[:, :1].repeat(9, 1), atol=1e-7)
    np.testing.assert_array_equal(path[[0, 3], -1, 0], 1)  # full cooperation, where r > c/b; circles end there
    np.testing.assert_allclose(path[[0, 3], -1, 1], radius[[0, 3], 0], atol=1e-7)
    assert path[2, -1, 1] == 0
    np.testing.assert_allclose(path[2, -1, 0], 1 - radius[2, 0], atol=1e-7)
    np.testing.assert_allclose(path[1, -1], path[1, -2], atol=1e-6)


def test_coordinates_are_held_at_their_bounds_and_let_go_in_time() -> None:
    """ẋ = (y − 1/2, 1/2) from 0, 0: x waits until y is 1/2 at t = 1, y is held at 1 from t = 2, x from t = 3.5 on."""
    times = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0])
    path = adaptive._path(lambda x: np.array([x[1] - 0.5, 0.5]), np.zeros(2), times)
    exact = [0, 0, 0, 1 / 16, 1 / 4, 1 / 2, 3 / 4, 1, 1]
    np.testing.assert_allclose(path[:, 0], exact, atol=1e-7)
    np.testing.assert_allclose(path[:, 1], np.minimum(times / 2, 1), atol=1e-9)
    np.testing.assert_array_equal(path[-1], 1)
    assert path[1, 0] == 0


@pytest.mark.parametrize("discount", [0.75, 0.9, 0.99])
def test_full_cooperation_is_lost_where_generosity_exceeds_its_limit(discount: float) -> None:
    """On the edge p = 1 mutants with p below 1 gain just where q > 1 − (T − R) / (γ (R − S)); in the limit 1/3."""
    edge = 1 - (5 - 3) / (discount * (3 - 0))
    x = np.array([[1.0, edge - 1e-3], [1.0, edge], [1.0, edge + 1e-3]])
    G = np.asarray(evolution.selection_gradient(AXELROD, x, discount=discount, family=reactive_n))
    assert G[0, 0] > 1e-5
    assert G[2, 0] < -1e-5
    np.testing.assert_allclose(G[1], 0, atol=1e-12)
    np.testing.assert_allclose(G[:, 1], 0, atol=1e-12)  # nobody ever defects first


def test_rest_points_of_axelrods_game() -> None:
    """With trembles of 0.1 % generous tit for tat, q near 1/3, rests on the edge; ALLD is stable in both senses."""
    rest = evolution.rest_points(AXELROD, 2, discount=1.0, family=reactive_n, error=0.001, starts=4)
    at = {name: np.abs(rest.x - point).max(-1).argmin() for name, point in (("GTFT", [1, 1 / 3]), ("ALLD", [0, 0]))}
    np.testing.assert_allclose(rest.x[at["GTFT"]], [1, 1 / 3], atol=5e-4)
    np.testing.assert_array_equal(rest.x[at["ALLD"]], [0, 0])
    assert rest.convergence_stable[at["ALLD"]]
    assert rest.evolutionarily_stable[at["ALLD"]]
    assert np.abs(rest.gradient[rest.free]).max() < 1e-7
    assert (np.where(rest.x == 0, rest.gradient, 0) <= 1e-8).all()
    assert (np.where(rest.x == 1, rest.gradient, 0) >= -1e-8).all()
    inner = rest.free.all(-1)
    assert inner.any()  # a curve of them, along which populations may drift
    assert not rest.convergence_stable[inner].any()


def test_mixed_populations_of_chicken_and_stag_hunt() -> None:
    """Unconditional strategies: π is bilinear, so H is 0 and the mixed rest point comes back in chicken alone."""
    for game, comes_back in ((ipd.games.chicken(), True), (ipd.games.stag_hunt(), False)):
        A = np.asarray(game.payoffs[0])
        slope = A[0, 0] - A[0, 1] - A[1, 0] + A[1, 1]
        mixed = (A[1, 1] - A[0, 1]) / slope
        rest = evolution.rest_points(game, 1, discount=0.9, starts=4)
        (inner,) = np.flatnonzero(rest.free.all(-1))
        np.testing.assert_allclose(rest.x[inner], mixed, atol=1e-9)
        np.testing.assert_allclose(rest.eigenvalues[inner], slope, rtol=1e-9)
        np.testing.assert_array_equal(rest.curvatures[inner], 0)
        assert rest.convergence_stable[inner] == comes_back
        assert not rest.evolutionarily_stable[inner]
        assert len(rest.x) == (1 if comes_back else 3)


def test_derivatives_are_those_of_finite_differences(rng: np.random.Generator) -> None:
    x, step = rng.uniform(0.2, 0.8, 2), 1e-5
    found = evolution.stability(AXELROD, x, discount=0.9, family=reactive_n)
    shifts = step * np.eye(2)
    G = functools.partial(evolution.selection_gradient, AXELROD, discount=0.9, family=reactive_n)
    jacobian = np.stack([(G(x + d) - G(x - d)) / (2 * step) for d in shifts], -1)
    np.testing.assert_allclose(
        np.sort_complex(found.eigenvalues), np.sort_complex(np.linalg.eigvals(jacobian)), rtol=1e-6
    )

    def slope(y: np.ndarray) -> np.ndarray:
        gradient = ipd.return_gradient(AXELROD, reactive_n(y), reactive_n(x), discount=0.9)
        return np.asarray(jax.vjp(reactive_n, y)[1](gradient)[0])

    curvature = np.stack([(slope(x + d) - slope(x - d)) / (2 * step) for d in shifts], -1)
    np.testing.assert_allclose(np.sort(found.curvatures), np.linalg.eigvalsh(curvature), rtol=1e-6)
    np.testing.assert_allclose(found.gradient, G(x), rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: evolution.selection_gradient(DONATION, [1.0, 0.0], discount=1.0, family=reactive_n),
            "x must be where",
        ),
        (lambda: evolution.selection_gradient(DONATION, [1.5, 0.0], discount=1.0, family=reactive_n), "x holds 1.5"),
        (lambda: evolution.donation_gradient([1.0, 0.0], 3.0, 1.0), "responses hold p − q of 1 or −1"),
        (lambda: evolution.trajectory(DONATION, [0.5], [1.0, 0.0], discount=1.0), "times must be finite and rise"),
        (lambda: evolution.rest_points(DONATION, 9, discount=1.0), "dimension must be a whole number, from 1 to 6"),
        (lambda: evolution.stability(ipd.games.public_goods(3, 2.0), [0.5], discount=1.0), "game must be one game"),
    ],
)
def test_bad_input_is_named(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
