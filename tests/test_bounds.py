"""Bounds on what shaping earns: best replies where nobody learns, and nobody above them elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import bounds, rules, shaping
from ipd_theory.phases.drift import sobol_learners

GAME = ipd.prisoners_dilemma()
LEARNERS = sobol_learners(2)
SETTINGS = {"discount": 0.9, "learning_rate": 5.0, "num_inner_episodes": 4}


@pytest.fixture(scope="module")
def fixed():
    return bounds.fixed_policy(GAME, LEARNERS, **SETTINGS, starts=8)


@pytest.fixture(scope="module")
def controlled():
    return bounds.open_loop(GAME, LEARNERS, **SETTINGS, starts=4)


@pytest.mark.parametrize("game", [GAME, ipd.games.axelrod(), ipd.games.chicken()], ids=["pd", "axelrod", "chicken"])
def test_where_nobody_learns_every_bound_is_the_best_reply(game):
    learner = sobol_learners(0)
    still = {"discount": 0.9, "learning_rate": 5.0, "num_inner_episodes": 0}
    best = ipd.replies.best_responses(game, jax.nn.sigmoid(learner[0]), discount=0.9, player=1)
    reply = float(ipd.expected_returns(game, best.strategy, jax.nn.sigmoid(learner[0]), discount=0.9)[0])
    for found in (bounds.fixed_policy, bounds.open_loop):
        assert found(game, learner, **still, starts=4).value == pytest.approx(reply, abs=1e-9)
    assert bounds.ceiling(game, learner, **still) == pytest.approx(reply, abs=1e-12)
    assert bounds.ceiling(game, learner, **still, any_agent=True) == pytest.approx(reply, abs=1e-12)


def test_no_policy_is_above_the_bounds(fixed, controlled):
    """A thousand random ones, all pure ones and the named, by the shaping return that pools and maps train with."""
    rng = np.random.default_rng(0)
    pure = np.where(np.asarray(ipd.strategies.all_pure(1)) > 0, 30.0, -30.0)
    policies = np.concatenate([rng.normal(size=(1000, 5)) * rng.choice([1, 3, 10], (1000, 1)), pure])
    earned = np.asarray(shaping.shaping_return(GAME, policies[:, None], LEARNERS, **SETTINGS)).mean(1)
    ceiling = bounds.ceiling(GAME, LEARNERS, **SETTINGS)
    assert earned.max() < fixed.value < controlled.value < ceiling
    trained = shaping.good_shepherd(
        GAME, policies[earned.argmax()], LEARNERS, **SETTINGS, optimizer=optax.sgd(5.0), steps=50
    )
    shepherd = float(shaping.shaping_return(GAME, trained, LEARNERS, **SETTINGS).mean())
    assert earned.max() < shepherd <= fixed.value + 1e-9
    assert fixed.value - shepherd < 0.05


def test_the_best_policies_earn_what_is_said(fixed, controlled):
    logits = jax.scipy.special.logit(jnp.asarray(fixed.policy))
    earned = shaping.shaping_return(GAME, logits, LEARNERS, **SETTINGS).mean()
    np.testing.assert_allclose(earned, fixed.value, rtol=1e-9)
    np.testing.assert_allclose(fixed.returns.mean(), fixed.value, rtol=1e-12)
    assert controlled.policy.shape == (5, 5)
    learners, returns = LEARNERS, []
    for table in controlled.policy:  # walked with the definition

        def of_both(y, table=table):
            return ipd.expected_returns(GAME, table, jax.nn.sigmoid(y), discount=0.9)

        returns.append(float(of_both(learners)[..., 0].mean()))
        learners = learners + 5.0 * jax.grad(lambda y: of_both(y)[..., 1].sum())(learners)
    np.testing.assert_allclose(controlled.returns, returns, rtol=1e-8)


def test_seeds_agree_and_nothing_near_the_best_is_better(fixed, controlled):
    for found, again in ((fixed, bounds.fixed_policy), (controlled, bounds.open_loop)):
        other = again(GAME, LEARNERS, **SETTINGS, starts=4, seed=7)
        assert other.value == pytest.approx(found.value, abs=1e-4)
    rng = np.random.default_rng(1)
    near = np.clip(fixed.policy + 1e-3 * rng.normal(size=(200, 5)), 1e-12, 1 - 1e-12)
    earned = shaping.shaping_return(GAME, np.log(near / (1 - near))[:, None], LEARNERS, **SETTINGS)
    assert np.asarray(earned).mean(1).max() <= fixed.value + 1e-12


def test_no_step_moves_a_logit_farther_than_is_said():
    """Of 20,000 pairs, near corners too; some come near it."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 20_000, 5)) * rng.choice([0.3, 1, 4, 12], (20_000, 1))
    for game, discount, least in ((GAME, 0.9, 0.3), (ipd.games.axelrod(), 0.99, 0.3), (ipd.games.chicken(), 0.0, 0.2)):
        p, q = jax.nn.sigmoid(x), jax.nn.sigmoid(y)
        slopes = ipd.return_gradient(game, p, q, discount=discount, player=1, wrt=1) * q * (1 - q)
        farthest = bounds.largest_step(game.outcome_payoffs[1], 1.0)
        assert least * farthest < np.abs(slopes).max() <= farthest


def test_a_longer_memory_and_another_learner():
    few = {"discount": 0.9, "learning_rate": 5.0, "num_inner_episodes": 2, "starts": 2}
    one = bounds.fixed_policy(GAME, LEARNERS[:1], **few)
    two = bounds.fixed_policy(GAME, LEARNERS[:1], **few, memory=2)
    assert two.policy.shape == (21,)
    assert two.value > one.value - 1e-9
    assert two.value <= bounds.ceiling(
        GAME, LEARNERS[:1], discount=0.9, learning_rate=5.0, num_inner_episodes=2, any_agent=True
    )
    still = bounds.fixed_policy(GAME, LEARNERS[:1], **few, learner=rules.still())
    reply = bounds.fixed_policy(GAME, LEARNERS[:1], **(few | {"num_inner_episodes": 0}))
    assert still.value == pytest.approx(reply.value, abs=1e-9)


def test_what_is_sustainable_and_efficient():
    assert bounds.sustainable(GAME) == pytest.approx(1.5)  # on the edge from (1, 1) to (2, −1), where the other has 0
    assert bounds.sustainable(ipd.games.axelrod()) == pytest.approx(3 + 4 / 3)  # from (3, 3) to (5, 0), where it has 1
    shares = bounds.efficiency([0.2, 1.0, 0.6, 0.0], 0.2, [1.0, 1.0, 1.0, 0.2])
    np.testing.assert_allclose(shares, [0, 1, 0.5, np.nan], rtol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory": 3}, "memory must"),
        ({"starts": 0}, "starts must"),
        ({"seed": -1}, "seed must"),
        ({"discount": 1.5}, "discount must"),
        ({"learning_rate": -1.0}, "learning_rate holds"),
        ({"num_inner_episodes": -1}, "num_inner_episodes must"),
        ({"learner_logits": jnp.zeros((0, 5))}, "learner_logits must"),
        ({"learner_logits": jnp.zeros((2, 3, 5))}, "learner_logits must"),
        ({"learner_logits": jnp.zeros(4)}, "learner_logits has shape"),
        ({"game": ipd.games.public_goods(3, 2.0)}, "two players"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"game": GAME, "learner_logits": LEARNERS, **SETTINGS} | change
    with pytest.raises(ValueError, match=message):
        bounds.fixed_policy(**arguments)
