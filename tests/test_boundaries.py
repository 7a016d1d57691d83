"""Instability of defection: in symbols, by differentiating exact returns, and in closed form where there is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

import ipd_theory as ipd
from ipd_theory import symbolic
from ipd_theory.phases import boundaries, stability
from ipd_theory.phases.drift import AFTER_DC, Drift, defection_drift, from_probabilities, sobol_learners

GAME = ipd.prisoners_dilemma()


def exact_objective(game, table, learner, to_table, discount, rate, episodes, tremble):
    """Mean of the agent's exact return along the learner's path, as a function of the agent's table."""
    ego = ipd.strategies.tremble(table, tremble)

    def returns(x):
        return ipd.expected_returns(game, ego, ipd.strategies.tremble(to_table(x), tremble), discount=discount)

    total = returns(learner)[..., 0]
    for _ in range(episodes):
        learner = learner + rate * jax.grad(lambda x: returns(x)[..., 1].sum())(learner)
        total = total + returns(learner)[..., 0]
    return total / (episodes + 1)


@pytest.mark.parametrize(
    ("game", "tremble", "episodes"),
    [(GAME, 0.0, 2), (ipd.games.chicken(), 0.07, 1)],
)
def test_the_drift_is_the_derivative_of_the_exact_objective(game, tremble, episodes):
    """Central differences of the exact returns from p = 0, one entry at a time (ε = 0: one-sided, second order)."""
    learners = sobol_learners(2, std=1.5)
    drift = defection_drift(
        game, learners, discount=0.9, learning_rate=3.0, num_inner_episodes=episodes, tremble=tremble
    )

    @jax.jit
    def objective(table):
        rate = jnp.asarray(3.0)
        return exact_objective(game, table, learners, jax.nn.sigmoid, 0.9, rate, episodes, tremble).mean()

    h = 1e-4
    for s in range(5):
        at = [float(objective(k * h * jnp.eye(5)[s])) for k in range(4)]
        forward = (-11 * at[0] + 18 * at[1] - 9 * at[2] + 2 * at[3]) / (6 * h)
        np.testing.assert_allclose(drift.against_naive()[s], forward, rtol=1e-7, atol=1e-9)


def test_the_drift_of_the_current_episodes_holds_the_learner_still():
    """Against `return_gradient` on a path walked with it; ε enters through what is played."""
    learner, tremble, rate = jnp.array([0.3, -1.0, 0.8, 0.2, -0.4]), 0.05, 4.0
    agent = ipd.strategies.tremble(jnp.zeros(5), tremble)
    total, x = jnp.zeros(5), learner
    for _ in range(3):
        q = ipd.strategies.tremble(jax.nn.sigmoid(x), tremble)
        total = total + ipd.return_gradient(GAME, agent, q, discount=0.9)
        slope = ipd.return_gradient(GAME, agent, q, discount=0.9, player=1, wrt=1)
        x = x + rate * (1 - 2 * tremble) * jax.nn.sigmoid(x) * (1 - jax.nn.sigmoid(x)) * slope
    drift = defection_drift(
        GAME, learner[None], discount=0.9, learning_rate=rate, num_inner_episodes=2, tremble=tremble
    )
    np.testing.assert_allclose(drift.current, (1 - 2 * tremble) * total / 3, rtol=1e-12)
    among = ipd.return_gradient(GAME, agent, agent, discount=0.9)
    np.testing.assert_allclose(drift.among_meta, (1 - 2 * tremble) * among, rtol=1e-12)
    cost = -(1 - 2 * tremble) * 0.9 * tremble * (1 - tremble)  # here T − R = P − S = 1
    np.testing.assert_allclose(drift.among_meta[AFTER_DC], cost, rtol=1e-12)


def random_settings(rng, count, episodes):
    """Learners, discounts, steps and payoffs (of any order) with which the learner stays in [0, 1]."""
    while True:
        q, discount = rng.uniform(size=(4 * count, 5)), rng.uniform(0, 0.995, 4 * count)
        rate = np.exp(rng.uniform(np.log(0.01), np.log(30), 4 * count))
        R, S, T, P = rng.uniform(-3, 3, (4, 4 * count))
        moved = q.copy()
        inside = np.ones(4 * count, bool)
        for _ in range(episodes):
            D = 1 - discount * (moved[:, 2] - moved[:, 4])
            c = ((1 - discount) * moved[:, 0] + discount * moved[:, 4]) / D
            step = np.stack([1 - discount, 0 * c, discount * c, 0 * c, discount * (1 - c)], -1) / D[:, None]
            moved = moved + (rate * (S - P))[:, None] * step
            inside &= ((moved >= 0) & (moved <= 1)).all(-1)
        kept = np.flatnonzero(inside)[:count]
        if kept.size == count:
            return q[kept], discount[kept], rate[kept], *(x[kept] for x in (R, S, T, P))


@pytest.mark.parametrize("episodes", [1, 2])
def test_the_symbolic_condition_has_the_sign_of_the_differentiated_objective(episodes, rng):
    """At 10,000 settings; autodiff goes through exact returns and the learner's own exact gradients."""
    q, discount, rate, R, S, T, P = random_settings(rng, 10_000, episodes)
    game = ipd.games.symmetric_game(R, S, T, P)

    @jax.jit
    def slope(table, learner):
        def total(table):
            return exact_objective(
                game, table, learner, lambda x: x, discount, jnp.asarray(rate)[:, None], episodes, 0.0
            ).sum()

        return jax.grad(total)(table)

    exact = np.asarray(slope(jnp.zeros((10_000, 5)), jnp.asarray(q)))[:, AFTER_DC]
    values = dict(zip(symbolic.Q_SYMBOLS, q.T, strict=True)) | dict(zip(symbolic.PAYOFFS, (R, S, T, P), strict=True))
    values |= {symbolic.DISCOUNT: discount, stability.LEARNING_RATE: rate}
    drift = stability.stability_condition(episodes).evaluate(values)
    np.testing.assert_allclose(drift / (episodes + 1), exact, rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(np.sign(drift), np.sign(exact))
    assert 0.05 < np.mean(drift > 0) < 0.95  # both signs are met


def test_the_window_of_a_learner_at_one_half_is_a_quadratic():
    """M = 1, payoffs 1, −1, 2, 0: γ²(3γ² − 4γ + 2)η² − (17γ² − 20γ + 10)η + 2 < 0, in symbols and in numbers."""
    condition = stability.stability_condition(1)
    values = dict.fromkeys(symbolic.Q_SYMBOLS, sympy.Rational(1, 2)) | dict(
        zip(symbolic.PAYOFFS, (1, -1, 2, 0), strict=True)
    )
    g, eta = symbolic.DISCOUNT, stability.LEARNING_RATE
    quadratic = g**2 * (3 * g**2 - 4 * g + 2) * eta**2 - (17 * g**2 - 20 * g + 10) * eta + 2
    assert sympy.factor(condition.substituted(values) + g * quadratic / 2) == 0

    roots = [float(x) for x in sympy.Poly(quadratic.subs(g, sympy.Rational(9, 10)), eta).nroots()]

    def after_dc(rate):
        drift = defection_drift(
            GAME,
            np.full((1, 5), 0.5),
            discount=0.9,
            learning_rate=rate,
            num_inner_episodes=1,
            table=from_probabilities,
        )
        return np.asarray(drift.against_naive()[..., AFTER_DC])

    (window,) = boundaries.sign_windows(after_dc, 0.01, 100.0, 24)
    np.testing.assert_allclose(window, sorted(roots), rtol=1e-9)


def test_what_a_condition_prints():
    text = stability.stability_condition(1).latex()
    assert text.count("&=") == 6
    assert r"q_{0}' &= q_{0} + \frac{\eta" in text
    assert (text.count(r"0 &<"), text.count(r"&\quad")) == (1, 4)  # five terms, each on a line of its own
    c = stability.cooperation_rate()
    q, g = symbolic.Q_SYMBOLS, symbolic.DISCOUNT
    assert sympy.simplify(c - ((1 - g) * q[0] + g * q[4]) / (1 - g * (q[2] - q[4]))) == 0
    with pytest.raises(ValueError, match="num_inner_episodes must be 0 or more; got -1"):
        stability.stability_condition(-1)


def test_windows_agree_at_two_resolutions():
    """Twice the grid and another scrambling of 512 learners move the ends by less than a twentieth."""
    coarse, fine = (
        boundaries.learning_rate_windows(
            GAME,
            sobol_learners(9, seed=seed),
            discount=0.95,
            num_inner_episodes=5,
            low=0.1,
            high=1000.0,
            points=points,
        )
        for points, seed in ((16, 0), (32, 1))
    )
    assert len(coarse) == len(fine) == 1
    np.testing.assert_allclose(coarse, fine, rtol=0.05)
    (low, high) = fine[0]
    assert 7 < 5 * low < 8.5  # about 7/M at a discount near 1
    assert 40 < high < 60


def test_windows_of_a_known_function():
    found = boundaries.sign_windows(lambda x: (x - 1) * (x - 3) * (20 - x), 0.1, 100.0, 40)
    np.testing.assert_allclose(found, [(0.1, 1.0), (3.0, 20.0)], rtol=1e-9)
    np.testing.assert_allclose(boundaries.sign_windows(lambda x: x, 0.1, 2.0, 5), [(0.1, 2.0)])
    assert boundaries.sign_windows(lambda x: -x, 0.1, 2.0, 5) == []
    with pytest.raises(ValueError, match="0 < low < high"):
        boundaries.sign_windows(lambda x: x, 0.0, 2.0, 5)


def test_critical_values_are_where_the_drift_vanishes():
    learners, tremble = sobol_learners(5), np.array([0.0, 0.01, 0.1])
    settings = {"discount": 0.95, "learning_rate": 5.0, "num_inner_episodes": 5}
    drift = defection_drift(GAME, learners, tremble=tremble, **settings)
    batch, threshold = drift.critical_batch_size(), drift.critical_p_naive()
    np.testing.assert_allclose(drift.against_naive(batch)[:, AFTER_DC], 0, atol=1e-14)
    np.testing.assert_allclose(drift.of_pool(threshold)[:, AFTER_DC], 0, atol=1e-14)
    assert threshold[0] == 0
    for factor, unstable in ((0.9, False), (1.1, True)):
        got = boundaries.defection_unstable(
            GAME, learners, p_naive=np.array([1e-6, *(factor * threshold[1:])]), tremble=tremble, **settings
        )
        np.testing.assert_array_equal(got, [True, unstable, unstable])
    assert (drift.against_naive(0.9 * batch)[:, AFTER_DC] > 0).all()
    still = Drift(*(jnp.zeros(5) - x for x in (1.0, 1.0, 0.0)))
    assert float(still.critical_batch_size()) == 0
    assert float(still.critical_p_naive()) == np.inf


def test_where_cooperating_with_a_defector_pays_defection_is_left_at_once():
    """S > P: against another that always defects ∂J/∂p after DD is γ(S − P), and without naive learners that is all."""
    games = ipd.games.symmetric_game(R=1.0, S=jnp.array([-0.5, 0.5]), T=0.5, P=0.0)
    got = boundaries.defection_unstable(
        games, sobol_learners(3), p_naive=0.0, discount=0.9, learning_rate=1.0, num_inner_episodes=2
    )
    np.testing.assert_array_equal(got, [False, True])


def test_a_pool_has_left_where_an_agent_answers_a_defector_more_kindly_than_at_first():
    """Against tables written by hand: logits equal to the start have not moved, those after CC and CD are not met."""
    start = float(jax.nn.sigmoid(-3.0))
    logits = np.full((7, 2, 5), -3.0)
    logits[0] -= 1.0
    logits[1, :, 1:3] = 5.0
    for row, context in ((2, 0), (3, AFTER_DC), (4, 4)):
        logits[row] = -9.0
        logits[row, 1, context] = -2.9
    logits[5] = 5.0
    for dtype in (np.float32, np.float64):
        left = boundaries.left_defection(logits.astype(dtype) + dtype(1e-6), start)
        np.testing.assert_array_equal(left, [False, True, True, True, True, True, True])
        left = boundaries.left_defection(logits.astype(dtype) - dtype(1e-6), start)
        np.testing.assert_array_equal(left, [False, False, True, True, True, True, False])
    with pytest.raises(ValueError, match=r"start must lie in \(0, 1\); got 0\.0"):
        boundaries.left_defection(logits, 0.0)


def test_agreement_counts_boundary_cells():
    measured = np.zeros((6, 8), bool)
    measured[:, 4:] = True
    assert boundaries.boundary_cells(measured).sum() == 12
    for first, share in ((4, 1.0), (5, 1.0), (6, 0.5), (7, 0.0)):  # columns 3 and 4 against first − 1 and first
        predicted = np.zeros_like(measured)
        predicted[:, first:] = True
        assert boundaries.boundary_agreement(predicted, measured) == share
    nothing = np.zeros_like(measured)
    assert boundaries.boundary_agreement(nothing, measured) == 0.0
    assert boundaries.boundary_agreement(nothing, nothing) == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learners": np.zeros(5)}, r"learners has shape \(5,\)"),
        ({"learners": np.zeros((2, 4))}, "learners has shape"),
        ({"discount": -0.1}, "discount holds -0.1"),
        ({"learning_rate": -1.0}, "learning_rate holds -1.0"),
        ({"num_inner_episodes": -1}, "num_inner_episodes must be a whole number, 0 or more; got -1"),
        ({"tremble": 0.6}, "tremble holds 0.6"),
        ({"game": ipd.games.public_goods(3, 2.0)}, "game must be for two players; it is for 3"),
    ],
)
def test_bad_input_is_named(change, message):
    settings = {"game": GAME, "learners": np.zeros((1, 5)), "discount": 0.9, "learning_rate": 1.0}
    settings |= {"num_inner_episodes": 1} | change
    game, learners = settings.pop("game"), settings.pop("learners")
    with pytest.raises(ValueError, match=message):
        defection_drift(game, learners, **settings)
