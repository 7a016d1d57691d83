"""The closed-form gradient against finite differences and differentiation of an independent solve, to any order."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ipd_theory as ipd
from ipd_theory import games, strategies
from ipd_theory._engine.memory_one import memory_one_value_gaps
from tests.strategies_for_tests import tables

AXELROD = games.axelrod()
SWAP = jnp.array([0, 1, 3, 2, 4])


def by_linear_solve(p, q, delta, payoffs):
    """Player 1's return by a dense solve, the way it is usually written; jax differentiates it."""
    q = q[SWAP]
    rows = jnp.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    values = jnp.linalg.solve(jnp.eye(4) - (1 - delta) * rows[1:], payoffs)
    return delta * rows[0] @ values


def by_elimination(p, q, delta, payoffs):
    game = ipd.MatrixGame(jnp.stack([payoffs, payoffs[jnp.array([0, 2, 1, 3])]]).reshape(2, 2, 2))
    return ipd.expected_returns(game, p, q, discount=1 - delta)[0]


@given(tables(2, 5), st.sampled_from([0.9, 0.5, 0.05, 0.01]))
@settings(max_examples=30)
def test_first_and_second_derivatives_in_everything(pair, delta):
    """Forward over reverse and reverse over forward, in both strategies, the discount and the payoffs; corners too."""
    arguments = (jnp.asarray(pair[0]), jnp.asarray(pair[1]), jnp.asarray(delta), AXELROD.outcome_payoffs[0])
    for expected, got in zip(ORDERS["solve"](*arguments), ORDERS["elimination"](*arguments), strict=True):
        for x, y in zip(jax.tree.leaves(expected), jax.tree.leaves(got), strict=True):
            np.testing.assert_allclose(y, x, rtol=1e-7, atol=1e-7 / delta**2)


def _orders(function):
    everything = (0, 1, 2, 3)

    @jax.jit
    def orders(*arguments):
        gradient = jax.grad(function, everything)(*arguments)
        forward = jax.jacfwd(function, everything)(*arguments)
        hessian = jax.hessian(function, everything)(*arguments)
        backward = jax.jacrev(jax.jacfwd(function, 0), 1)(*arguments)
        return gradient, forward, hessian, backward

    return orders


ORDERS = {"solve": _orders(by_linear_solve), "elimination": _orders(by_elimination)}


def test_the_third_derivative(rng):
    p, q = jnp.asarray(rng.random((2, 5)))
    payoffs = AXELROD.outcome_payoffs[0]

    def third(function):
        return jax.jacfwd(jax.hessian(function))(p, q, jnp.asarray(0.1), payoffs)

    np.testing.assert_allclose(third(by_elimination), third(by_linear_solve), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("player", "wrt"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("gamma", [0.5, 0.99])
def test_the_closed_form_equals_finite_differences(player, wrt, gamma, rng):
    """At random points and next to the corners, five-point stencils inside [0, 1]."""
    inner = rng.random((6, 2, 5)) * 0.98 + 0.01
    inner[3:] = np.where(rng.random((3, 2, 5)) < 0.5, 0.011, 0.989)
    p, q = inner[:, 0], inner[:, 1]
    gradient = ipd.return_gradient(AXELROD, p, q, discount=gamma, player=player, wrt=wrt)
    step, stencil = 5e-4, {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    for context in range(5):
        slope = 0.0
        for k, weight in stencil.items():
            both = [p.copy(), q.copy()]
            both[wrt][:, context] += k * step
            slope += weight * ipd.expected_returns(AXELROD, *both, discount=gamma)[:, player] / step
        np.testing.assert_allclose(gradient[:, context], slope, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("memory", "players"), [(1, 2), (2, 2), (1, 3)])
def test_the_gradient_is_occupancy_times_advantage(memory, players, rng):
    """∂J/∂p_c = (share of time after which c is the context) × [Q(c, C) − Q(c, D)], for every player."""
    game = games.public_goods(players, 1.5) if players == 3 else AXELROD
    all_tables = rng.random((players, strategies.num_contexts(memory, players)))
    gamma = 0.9
    for player in range(players):
        gradient = ipd.return_gradient(game, *all_tables, discount=gamma, player=player, wrt=player)
        advantage = ipd.advantages(game, *all_tables, discount=gamma, player=player)
        cooperates = all_tables[player][:, None] * [1, 0] + (1 - all_tables[player][:, None]) * [0, 1]
        np.testing.assert_allclose((advantage * cooperates).sum(-1), 0, atol=1e-13)
        occupancy = np.concatenate([[1 - gamma], gamma * ipd.state_occupancy(*all_tables, discount=gamma)])
        seen = strategies.view(memory, player, players)
        own_occupancy = np.empty_like(occupancy)
        own_occupancy[seen] = occupancy
        np.testing.assert_allclose(gradient, own_occupancy * (advantage[:, 0] - advantage[:, 1]), atol=1e-13)


@pytest.mark.parametrize(("memory", "players"), [(1, 2), (2, 2), (1, 3)])
def test_values_solve_bellman_s_equation(memory, players, rng):
    """The value at a context is the return of the game that begins there."""
    game = games.public_goods(players, 1.5) if players == 3 else AXELROD
    all_tables = rng.random((players, strategies.num_contexts(memory, players)))
    for player in range(players):
        values = ipd.state_values(game, *all_tables, discount=0.9, player=player)
        returns = ipd.expected_returns(game, *all_tables, discount=0.9)
        assert float(values[0]) == pytest.approx(float(returns[player]), abs=1e-14)
    full = 2**players
    from_context = []
    for context in range(full):  # full memory-one contexts: start the game as if this outcome had just been seen
        begun = all_tables.copy()
        for i in range(players):
            names = strategies.view(1, i, players)
            begun[i, 0] = all_tables[i, names[1 + context]] if memory == 1 else begun[i, 0]
        from_context.append(ipd.expected_returns(game, *begun, discount=0.9)[0])
    if memory == 1:
        values = ipd.state_values(game, *all_tables, discount=0.9)
        np.testing.assert_allclose(values[1:], from_context, atol=1e-13)


def test_gradients_in_the_limit_of_means(rng):
    """Of irreducible chains they are the limit of discounted ones, in float64 and to order three."""
    p, q = rng.random((2, 5)) * 0.8 + 0.1
    for order in (jax.grad, jax.hessian, lambda f: jax.jacfwd(jax.hessian(f))):

        def derivative(gamma, memory, order=order):
            def payoff(x):
                return ipd.expected_returns(AXELROD, strategies.extend(x, memory), q, discount=gamma)[0]

            return order(payoff)(jnp.asarray(p))

        limit = derivative(1.0, 1)
        assert np.isfinite(limit).all()
        np.testing.assert_allclose(limit, derivative(1 - 1e-9, 1), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(limit, derivative(1.0, 2), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        jax.grad(lambda x: ipd.expected_returns(AXELROD, x, q, discount=1.0)[0])(jnp.asarray(p))[0], 0, atol=1e-150
    )


@pytest.mark.parametrize("delta", [0.5, 0.05, 1e-4, 1e-8, 1e-10])
def test_float32_gradients_keep_their_digits(delta, rng):
    """Relative to the largest advantage. (Next to a reducible chain values far exceed their differences.)"""
    p, q = (0.02 + 0.96 * rng.random((2, 5000, 5))).astype(np.float32)
    fine = ipd.return_gradient(AXELROD, p.astype(float), q.astype(float), discount=1 - delta)
    coarse = ipd.return_gradient(AXELROD, p, q, discount=1 - delta)
    gains = ipd.advantages(AXELROD, p.astype(float), q.astype(float), discount=1 - delta)
    scale = 1 + np.abs(gains).max((-1, -2))[:, None]
    np.testing.assert_array_less(np.abs(np.asarray(coarse) - np.asarray(fine)) / np.asarray(scale), 2e-5)


@pytest.mark.parametrize("delta", [1e-3, 1e-6, 1e-8])
def test_float32_advantages_keep_their_digits_where_the_last_context_is_left_for_good(delta, rng):
    """With memory two: both are nice, so that play ends in CC for ever. Relative to DD·DD 1/δ digits would be lost."""
    p, q = rng.uniform(0.2, 0.8, (2, 21))
    for table in (p, q):
        table[[0, 1, 5]] = 1  # the start, CC, CC·CC
    fine = ipd.advantages(AXELROD, p, q, discount=1 - delta)
    coarse = ipd.advantages(AXELROD, p.astype(np.float32), q.astype(np.float32), discount=1 - delta)
    np.testing.assert_allclose(coarse, fine, atol=2e-5)


def test_one_rule_serves_both_modes_under_vmap_and_jit(rng):
    p, q = jnp.asarray(rng.random((2, 7, 5)))

    def payoff(x, y):
        return ipd.expected_returns(AXELROD, x, y, discount=0.9)[0]

    forward = jax.jit(jax.vmap(jax.jacfwd(payoff)))(p, q)
    backward = jax.jit(jax.vmap(jax.jacrev(payoff)))(p, q)
    batched = ipd.return_gradient(AXELROD, p, q, discount=0.9)
    np.testing.assert_allclose(forward, backward, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(batched, backward, rtol=1e-13, atol=1e-14)


def test_the_gradient_of_sums_is_scaled(rng):
    p, q = rng.random((2, 5))
    average = ipd.return_gradient(AXELROD, p, q, discount=0.9)
    np.testing.assert_allclose(ipd.return_gradient(AXELROD, p, q, discount=0.9, normalized=False), average * 10)


def gaps_in_fractions(p, q, delta, payoffs):
    """Return the four value gaps from w = (I − γM)^{-1} r, eliminated in exact arithmetic."""
    rate = 1 - Fraction(delta)
    p, q = ([Fraction(x) for x in table[1:]] for table in (p, q))
    rows = []
    for i, (a, b) in enumerate(zip(p, q, strict=True)):
        moves = (a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b))
        rows.append([Fraction(i == j) - rate * move for j, move in enumerate(moves)] + [Fraction(payoffs[i])])
    for c in range(4):
        rows[c] = [x / rows[c][c] for x in rows[c]]  # strictly dominant: no pivot vanishes
        rows = [
            row if i == c else [x - row[c] * y for x, y in zip(row, rows[c], strict=True)] for i, row in enumerate(rows)
        ]
    w = [row[4] for row in rows]
    return np.array([float(w[i] - w[j]) for i, j in ((0, 2), (1, 3), (0, 1), (2, 3))])


def test_value_gaps_keep_their_digits_where_a_pair_is_hardly_visited():
    """Near the corners and down to 1 − γ = 1e-10; relative to one fixed pair a million times more would be lost."""
    rng, payoffs = np.random.default_rng(0), (1.0, -1.0, 2.0, 0.0)
    for _ in range(40):
        p, q = (np.abs(rng.integers(0, 2, 5) - rng.random(5) * 10.0 ** rng.uniform(-7, -1)) for _ in range(2))
        delta = 10.0 ** rng.uniform(-10, -1)
        columns = (tuple(map(jnp.asarray, table)) for table in (p, q))
        gaps = memory_one_value_gaps(*columns, jnp.asarray(delta), tuple(map(jnp.asarray, payoffs)))
        want = gaps_in_fractions(p.tolist(), q.tolist(), delta, payoffs)
        np.testing.assert_allclose([*gaps.own, *gaps.others], want, rtol=0, atol=1e-12 * np.abs(want).max())


@pytest.mark.parametrize("wrt", [0, 1])
def test_many_pairs_are_many_single_pairs(wrt):
    """More pairs than fit a block, and not a multiple of it; some settings differ over the pairs, others do not."""
    rng, shape = np.random.default_rng(1), (2, 2**13 + 3)
    p, q = rng.random((*shape, 5)), rng.random((shape[1], 5))
    discount, player = rng.random((2, 1)), 1 - wrt
    got = ipd.return_gradient(AXELROD, p, q, discount=discount, player=player, wrt=wrt)
    assert got.shape == (*shape, 5)
    for i, j in [(0, 0), (0, 2**13 + 2), (1, 2**13 - 4), (1, 2**13 - 3), (1, 2**13 + 2)]:
        alone = ipd.return_gradient(AXELROD, p[i, j], q[j], discount=discount[i, 0], player=player, wrt=wrt)
        np.testing.assert_allclose(got[i, j], alone, rtol=1e-12, atol=1e-15)
