"""Derivatives in the limit of means, where they exist and where they do not, over all pairs of pure strategies."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import games, strategies
from tests.pure_slopes import slope

AXELROD = games.axelrod()
PURE = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
P, Q = (np.ascontiguousarray(x).reshape(-1, 5) for x in np.broadcast_arrays(PURE[:, None], PURE[None]))


def returns(z, discount=1.0):
    return ipd.expected_returns(AXELROD, z[..., :5], z[..., 5:], discount=discount)


PAIRS = np.concatenate([P, Q], -1)
REVERSE = jax.jit(jax.vmap(jax.jacrev(returns)))
FORWARD = jax.jit(jax.vmap(jax.jacfwd(returns)))
TRACED = jax.jit(lambda z, discount: jax.vmap(jax.jacrev(returns), (0, None))(z, discount))


def moved(entries, steps):
    """Return player 1's returns of all pairs with these entries moved into the cube."""
    z = PAIRS.copy()
    for entry, step in zip(entries, steps, strict=True):
        z[:, entry] += step * (1 - 2 * PAIRS[:, entry])
    return np.asarray(returns(z))[..., 0]


@pytest.mark.parametrize("jacobian", [REVERSE, FORWARD, lambda z: TRACED(z, 1.0)], ids=["reverse", "forward", "traced"])
def test_derivatives_are_infinite_where_returns_jump_and_slopes_elsewhere(jacobian):
    got = np.asarray(jacobian(PAIRS))[:, 0]
    at = moved((), ())
    for entry in range(10):
        near = moved((entry,), (1e-6,)) - at
        jumps = np.abs(near) > 1e-3
        inwards = 1 - 2 * PAIRS[:, entry]
        np.testing.assert_array_equal(got[jumps, entry], np.copysign(np.inf, near * inwards)[jumps])
        np.testing.assert_allclose(got[~jumps, entry], (near * inwards)[~jumps] / 1e-6, rtol=1e-4, atol=1e-4)


def test_second_derivatives_are_right_or_no_number():
    """Of the entries that are numbers each is the second difference; none is where the limit depends on the start."""
    got = np.asarray(jax.jit(jax.vmap(jax.hessian(lambda z: returns(z)[0])))(PAIRS))
    assert 0.5 < np.isfinite(got).mean() < 0.6
    step, at = 1e-4, moved((), ())
    once = [moved((i,), (step,)) for i in range(10)]
    for i, j in itertools.combinations(range(10), 2):
        bent = (moved((i, j), (step, step)) - once[i] - once[j] + at) / step**2
        bent = bent * (1 - 2 * PAIRS[:, i]) * (1 - 2 * PAIRS[:, j])
        known = np.isfinite(got[:, i, j])
        np.testing.assert_allclose(got[known, i, j], bent[known], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e6])
def test_jumps_do_not_depend_on_units_or_precision(unit):
    game = games.prisoners_dilemma(3 * unit, 0.0, 5 * unit, unit)
    for dtype in (np.float32, np.float64):
        tit_for_tat = jnp.asarray(strategies.tit_for_tat(), dtype)
        for jacobian in (jax.jacrev, jax.jacfwd):
            slope = jacobian(lambda p: ipd.expected_returns(game, p, p, discount=1.0)[0])(tit_for_tat)
            np.testing.assert_array_equal(np.isinf(slope), [False, True, False, False, False])


@pytest.mark.parametrize("memory", [1, 2])
def test_the_derivative_in_the_discount_at_one(memory, rng):
    p, q = rng.random((2, strategies.num_contexts(memory, 2)))
    got = jax.grad(lambda d: ipd.expected_returns(AXELROD, p, q, discount=d)[0])(jnp.asarray(1.0))
    step = 1e-5
    one, near, far = (float(ipd.expected_returns(AXELROD, p, q, discount=1 - k * step)[0]) for k in range(3))
    assert float(got) == pytest.approx((3 * one - 4 * near + far) / (2 * step), rel=1e-5)


SIBLINGS = (
    lambda z, discount=1.0: ipd.state_occupancy(z[..., :5], z[..., 5:], discount=discount),
    lambda z, discount=1.0: ipd.state_values(AXELROD, z[..., :5], z[..., 5:], discount=discount),
)


@pytest.mark.parametrize("mode", [jax.jacrev, jax.jacfwd])
@pytest.mark.parametrize("function", SIBLINGS[:1], ids=["occupancy"])
def test_shares_jump_as_returns_do(function, mode):
    """Where play does not depend on where it begins, and where it does: no number where they differ."""
    got, at = np.asarray(jax.jit(jax.vmap(mode(function)))(PAIRS)), np.asarray(function(PAIRS))
    for entry in range(10):
        z = PAIRS.copy()
        z[:, entry] += 1e-6 * (1 - 2 * PAIRS[:, entry])
        near = np.asarray(function(z)) - at
        jumps = np.abs(near) > 1e-3
        assert jumps.any() == (entry not in (0, 5))  # how play opens is no rare event
        assert np.isinf(got[..., entry][jumps]).all()
        assert np.isfinite(got[..., entry][~jumps]).all()


@pytest.mark.parametrize("function", [returns, *SIBLINGS], ids=["returns", "occupancy", "values"])
def test_many_discounts_with_one_among_them(function, rng):
    """One pair against all discounts is each discount alone."""
    z, discounts = jnp.asarray(rng.random(10)), jnp.array([0.3, 0.9, 1.0])

    def total(z, discount):
        return (function(z, discount) ** 2).sum()

    slope = jax.jit(jax.grad(total))
    want = sum(slope(z, d) for d in discounts)
    np.testing.assert_allclose(slope(z, discounts), want, rtol=1e-9, atol=1e-12)


DECIMALS = [("3", "0", "5", "1"), ("0.3", "0", "0.5", "0.1"), ("0.2", "-0.1", "0.3", "0"), ("0.7", "0.1", "0.4", "0.4")]


def summed(long, memory):
    """Return the sum over the contexts of a longer memory that share a probability at memory one."""
    shared = np.asarray(strategies.extend(jnp.arange(5.0), memory)).astype(int)
    return np.stack([long[:, shared == entry].sum(-1) for entry in range(5)], -1)


@pytest.mark.parametrize("wrt", [0, 1])
def test_the_gradient_is_the_slope_of_the_limit_of_means_in_fractions(wrt):
    """In all 10,240 probabilities of all pure pairs, alike when they are written with memory two.

    Many ways of playing earn the same in tenths, and are not the same in binary: no jump, and no slope.
    """
    tables = [x.astype(int).tolist() for x in (P, Q)]
    longer = [np.asarray(strategies.extend(x, 2)) for x in (P, Q)]
    mixed = (P, longer[1]) if wrt == 0 else (longer[0], Q)
    for cells in DECIMALS:
        payoffs, game = [Fraction(x) for x in cells], games.symmetric_game(*map(float, cells))
        want = np.array([[slope(pair, payoffs, wrt, x) for x in range(5)] for pair in zip(*tables, strict=True)], float)
        by_two = ipd.return_gradient(game, *longer, discount=1.0, wrt=wrt)
        for got in (
            ipd.return_gradient(game, P, Q, discount=1.0, wrt=wrt),
            ipd.return_gradient(game, *mixed, discount=1.0, wrt=wrt),
            summed(np.asarray(by_two), 2),
        ):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
        coarse = ipd.return_gradient(game, P.astype(np.float32), Q.astype(np.float32), discount=1.0, wrt=wrt)
        np.testing.assert_allclose(coarse, want, rtol=1e-4, atol=1e-4)
    assert 0.01 < np.isinf(want).mean() < 0.5
