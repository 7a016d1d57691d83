"""Curves of fixed points: normal forms with known folds and stability, and the pool's own field and spectrum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory.learning import pool as pools
from ipd_theory.phases import continuation
from ipd_theory.phases.continuation import Linearized
from ipd_theory.phases.drift import sobol_learners
from ipd_theory.phases.mixed_pool import MixedPool
from ipd_theory.returns import return_gradient


def fold(x, p):
    """F = p − x², on a circle's worth of other directions that decay: stable for x > 0."""
    value = np.array([p - x[0] ** 2, -x[1]])
    jacobian = np.diag([-2 * x[0], -1.0])
    return Linearized(value, jacobian, np.array([1.0, 0.0]), np.linalg.eigvals(jacobian).astype(complex))


def cubic(x, p):
    """F = p + x − x³: two folds at x = ±1/√3, p = ∓2/(3√3)."""
    slope = np.array([[1 - 3 * x[0] ** 2]])
    return Linearized(np.array([p + x[0] - x[0] ** 3]), slope, np.ones(1), slope[0].astype(complex))


def pitchfork(x, p):
    """F = px − x³: along x = 0 stability is lost at p = 0, where another curve crosses."""
    slope = np.array([[p - 3 * x[0] ** 2]])
    return Linearized(np.array([p * x[0] - x[0] ** 3]), slope, np.array(x), slope[0].astype(complex))


def test_a_fold_is_passed_and_marked():
    branch = continuation.follow(fold, np.array([1.0, 0.0]), 1.0, direction=-1, low=-1.0)
    np.testing.assert_allclose(branch.points[:, 0] ** 2, branch.parameter, atol=1e-8)
    assert branch.points[-1, 0] < -1  # round the fold and out at p > 1
    (i,), (j,) = branch.folds, branch.changes
    assert i == j
    assert branch.points[i, 0] > 0 > branch.points[i + 1, 0]
    np.testing.assert_array_equal(branch.unstable_directions, branch.points[:, 0] < 0)


def test_an_s_shaped_curve_from_its_middle():
    branch = continuation.through(cubic, np.array([0.0]), 0.0, low=-2.0, high=2.0, largest_step=0.05)
    assert branch.parameter[0] > 2  # on the middle part p falls as x rises, and the curve sets out with p falling
    assert branch.parameter[-1] < -2
    assert (np.diff(branch.points[:, 0]) < 0).all()
    np.testing.assert_array_equal(branch.folds, branch.changes)
    np.testing.assert_allclose(branch.points[branch.folds, 0], [3**-0.5, -(3**-0.5)], atol=0.05)
    np.testing.assert_allclose(branch.parameter[branch.folds], [-2 / 27**0.5, 2 / 27**0.5], atol=0.01)


def nose_above_a_line(x, p):
    """F = (p − 4x²)(p + 0.3): a curve that turns sharply, and a line that a long step meets instead."""
    nose, line = p - 4 * x[0] ** 2, p + 0.3
    slope = np.array([[-8 * x[0] * line]])
    return Linearized(np.array([nose * line]), slope, np.array([nose + line]), slope[0].astype(complex))


def test_a_sharp_turn_is_followed_and_not_left_for_a_curve_near_by():
    branch = continuation.follow(
        nose_above_a_line, np.array([-0.5]), 1.0, direction=-1, low=-1.0, step=0.2, largest_step=0.5
    )
    np.testing.assert_allclose(branch.parameter, 4 * branch.points[:, 0] ** 2, atol=1e-8)
    assert branch.points[-1, 0] > 0.5
    assert branch.folds.size == 1


def test_a_sharp_turn_is_looked_at_closer():
    """With long steps too the fold is where it is."""
    branch = continuation.follow(cubic, np.array([0.0]), 0.0, direction=1, low=-2.0, high=2.0, largest_step=2.0)
    np.testing.assert_allclose(branch.parameter[branch.folds], [2 / 27**0.5], atol=0.01)


def test_a_crossing_changes_stability_without_a_fold():
    branch = continuation.follow(pitchfork, np.array([0.0]), -1.0, direction=1, low=-2.0, largest_step=0.07)
    np.testing.assert_allclose(branch.points, 0, atol=1e-8)
    assert branch.folds.size == 0
    assert branch.changes.size == 1
    assert branch.parameter[branch.changes[0]] < 0 < branch.parameter[branch.changes[0] + 1]


def test_where_nothing_vanishes_nothing_is_found():
    def never(x, p):
        return Linearized(1 + x**2, np.diag(2 * x), np.ones(1), np.ones(1, complex))

    assert continuation.fixed_point(never, np.array([0.3]), 0.0) is None
    points = continuation.distinct([None, np.zeros(2), np.full(2, 1e-5), np.ones(2)])
    np.testing.assert_array_equal(points, [[0, 0], [1, 1]])


@pytest.fixture(scope="module")
def problem():
    return MixedPool(sobol_learners(2), discount=0.9, learning_rate=3.0, num_inner_episodes=2, weight_decay=0.01)


def test_meta_agents_alone_have_the_spectrum_of_both_agents_jacobian(problem):
    """Without naive learners F is the policy gradient less the decay; the spectrum is that of the 10 × 10 Jacobian."""
    logits, h = np.array([0.4, 1.0, -0.7, 0.2, -1.5]), 1e-5

    def field(both):
        p, q = np.moveaxis(1 / (1 + np.exp(-both)), -2, 0)
        mine, theirs = (return_gradient(problem.game, *pair, discount=0.9) for pair in ((p, q), (q, p)))
        return np.stack([p * (1 - p) * mine, q * (1 - q) * theirs], -2) - 0.01 * both

    both, steps = np.stack([logits, logits]), h * np.eye(10).reshape(10, 2, 5)
    moved = field(np.concatenate([both + steps, both - steps])).reshape(2, 10, 10)
    expected = np.linalg.eigvals((moved[0] - moved[1]).T / (2 * h))
    here = problem.linearized(logits, 0.0)
    np.testing.assert_allclose(here.value, field(both)[0], rtol=1e-9)
    for one, other in ((here.eigenvalues, expected), (expected, here.eigenvalues)):
        assert max(np.abs(other - x).min() for x in one) < 1e-7


@pytest.mark.slow
def test_the_pool_s_field_and_spectrum(problem):
    """F against the objective that pools ascend; the spectrum against the whole 10 × 10 Jacobian of two agents."""
    settings = pools.Pool(0.3, discount=0.9, learning_rate=jnp.asarray(3.0), num_inner_episodes=2, num_learners=4)
    logits = np.array([0.4, 1.0, -0.7, 0.2, -1.5])
    learners = jnp.broadcast_to(problem.learners, (2, 4, 5))

    @jax.jit
    def field(both):
        def total(x):
            return pools.objective(settings, jnp.asarray(0.1), x, both, learners).sum()

        return jax.grad(total)(both) - 0.01 * both

    both, h = jnp.asarray(np.stack([logits, logits])), 1e-5
    here = problem.linearized(logits, 0.3)
    np.testing.assert_allclose(field(both), [here.value] * 2, rtol=1e-9, atol=1e-12)
    columns = []
    for e in np.eye(10).reshape(10, 2, 5):
        columns.append(np.asarray(field(both + h * e) - field(both - h * e)).reshape(-1) / (2 * h))
    expected = np.linalg.eigvals(np.array(columns).T)
    got = here.eigenvalues
    for x in expected:
        assert np.abs(got - x).min() < 1e-7
    for x in got:
        assert np.abs(expected - x).min() < 1e-7
    by_parameter = (problem.linearized(logits, 0.3 + h).value - problem.linearized(logits, 0.3 - h).value) / (2 * h)
    np.testing.assert_allclose(here.by_parameter, by_parameter, atol=1e-9)


def test_a_settled_pool_stands_still_and_its_curve_is_one_of_fixed_points(problem):
    field = problem.linearized
    point = continuation.fixed_point(field, continuation.settled(field, np.zeros(5), 0.5, 2000.0), 0.5)
    assert (field(point, 0.5).eigenvalues[:5].real < 0).all()  # the flow of like agents led here
    branch = continuation.follow(field, point, 0.5, direction=1, high=0.6)
    assert branch.parameter[-1] > 0.6
    for x, p in zip(branch.points, branch.parameter, strict=True):
        np.testing.assert_allclose(field(x, p).value, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_decay": 0.0}, "weight_decay must be one finite number above 0; got 0.0"),
        ({"learning_rate": -1.0}, "learning_rate must be one finite number above 0"),
        ({"num_inner_episodes": -1}, "num_inner_episodes must be a whole number, 0 or more"),
        ({"discount": 1.5}, "discount"),
        ({"learners": np.full((1, 5), np.nan)}, "learners holds nan"),
        ({"learners": np.zeros((2, 3))}, r"learners has shape \(2, 3\)"),
    ],
)
def test_bad_pools_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        MixedPool(**({"learners": np.zeros((1, 5))} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": np.array([np.nan])}, "start must be"),
        ({"direction": 0}, "direction must be 1 or -1; got 0"),
        ({"max_points": 0}, "max_points must be 1 or more; got 0"),
        ({"step": 0.0}, "step and largest_step must be above 0"),
    ],
)
def test_bad_curves_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        continuation.follow(cubic, **({"start": np.zeros(1), "parameter": 0.0, "direction": 1} | change))
