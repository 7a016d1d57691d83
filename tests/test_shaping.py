"""Shaping objectives against paths walked step by step with the package's independent return gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import paths, rules, shaping
from ipd_theory.learning.play import direction, learn
from ipd_theory.learning.rules.anticipation import meta_value_weights

GAMES = [ipd.prisoners_dilemma(), ipd.games.battle_of_the_sexes(), ipd.games.matching_pennies()]


def mirrored(game):
    """The game as player 2 sees it: the players change places."""
    return ipd.MatrixGame(jnp.swapaxes(game.payoffs[::-1], -1, -2))


def walked_path(game, logits, learner_logits, discount, learning_rate, steps, scale=1.0):
    """Player 1's return in each episode, with `return_gradient` and the chain rule of the sigmoid by hand."""
    returns = []
    p, y = jax.nn.sigmoid(logits), learner_logits
    for _ in range(steps + 1):
        q = jax.nn.sigmoid(y)
        returns.append(ipd.expected_returns(game, p, q, discount=discount)[..., 0] * scale)
        gradient = ipd.return_gradient(mirrored(game), q, p, discount=discount)
        y = y + learning_rate * scale * q * (1 - q) * gradient
    return jnp.stack(returns)


def random_pair(seed, *batch):
    keys = jax.random.split(jax.random.key(seed), 2)
    return [2 * jax.random.normal(key, (*batch, 5)) for key in keys]


@pytest.mark.parametrize("game", GAMES)
def test_shaping_return_is_the_mean_over_the_walked_path(game):
    x, y = random_pair(0, 7)
    got = ipd.shaping_return(game, x, y, discount=0.9, learning_rate=2.0, num_inner_episodes=5)
    np.testing.assert_allclose(got, walked_path(game, x, y, 0.9, 2.0, 5).mean(0), rtol=1e-12)


def test_sums_take_larger_steps_and_are_larger():
    x, y = random_pair(1)
    game = GAMES[0]
    got = ipd.shaping_return(game, x, y, discount=0.9, learning_rate=0.3, num_inner_episodes=3, normalized=False)
    np.testing.assert_allclose(got, walked_path(game, x, y, 0.9, 0.3, 3, scale=10.0).mean(0), rtol=1e-12)


def test_gradient_through_the_learner_is_the_finite_difference():
    x, y = random_pair(2)
    game = GAMES[1]

    def objective(x):
        return ipd.shaping_return(game, x, y, discount=0.95, learning_rate=5.0, num_inner_episodes=6)

    eps = 1e-6
    walked = [
        (walked_path(game, x + e, y, 0.95, 5.0, 6).mean() - walked_path(game, x - e, y, 0.95, 5.0, 6).mean())
        / (2 * eps)
        for e in eps * jnp.eye(5)
    ]
    np.testing.assert_allclose(jax.grad(objective)(x), walked, rtol=1e-6, atol=1e-9)


def test_settings_broadcast_and_may_be_traced():
    x, y = random_pair(3, 4, 1)
    rates, discounts = jnp.array([0.0, 1.0, 4.0]), jnp.array([0.5, 0.9, 0.99])

    @jax.jit
    def batch(rates, discounts):
        return ipd.shaping_return(GAMES[0], x, y, discount=discounts, learning_rate=rates, num_inner_episodes=4)

    got = batch(rates, discounts)
    assert got.shape == (4, 3)
    want = walked_path(GAMES[0], x[2, 0], y[2, 0], discounts[1], rates[1], 4).mean(0)
    np.testing.assert_allclose(got[2, 1], want, rtol=1e-12)


@pytest.mark.parametrize("length", [0, 3, 101])
def test_a_checkpointed_scan_is_a_scan(length):
    def step(x, _):
        x = x + 0.1 * jnp.cos(x) ** 2 + 0.05  # comes to no rest
        return x, x**2

    def run(scan, x):
        last, outputs = scan(step, x, length=length)
        return last + (outputs * jnp.arange(1.0 * length)).sum()

    for of in (run, jax.grad(run, 1)):
        want, got = of(jax.lax.scan, jnp.array(0.3)), of(paths.checkpointed_scan, jnp.array(0.3))
        np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.zeros(4)}, "logits"),
        ({"learner_logits": np.zeros((2, 6))}, "learner_logits"),
        ({"discount": 1.5}, "discount"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"num_inner_episodes": -1}, "num_inner_episodes"),
        ({"discount": 1.0, "normalized": False}, "normalized"),
    ],
)
def test_bad_input_is_one_clear_error(change, message):
    settings = {"logits": np.zeros(5), "learner_logits": np.zeros(5), "discount": 0.9, "learning_rate": 1.0}
    settings |= {"num_inner_episodes": 2} | change
    with pytest.raises(ValueError, match=message):
        ipd.shaping_return(GAMES[0], **settings)


def test_weights_give_every_objective():
    x, y = random_pair(5, 3)
    game, settings = GAMES[1], {"discount": 0.9, "learning_rate": 2.0}
    returns = walked_path(game, x, y, 0.9, 2.0, 4)
    for weights in (np.full(5, 0.2), np.eye(5)[4], np.array(meta_value_weights(0.7, 4))):
        got = shaping.weighted_shaping_return(game, x, y, weights, **settings)
        np.testing.assert_allclose(got, weights @ np.asarray(returns), rtol=1e-11)
    assert sum(meta_value_weights(0.7, 4)) == pytest.approx(1.0)


def test_the_shaping_part_scales_with_its_weight():
    """λ = 1 is the exact gradient, λ = 0 leaves the current episodes' part, λ = 1/B lies between in proportion."""
    x, y = random_pair(6)
    game, settings = GAMES[0], {"discount": 0.9, "learning_rate": 3.0}

    def gradient(weight):
        def objective(x):
            return shaping.weighted_shaping_return(game, x, y, np.full(4, 0.25), shaping_weight=weight, **settings)

        return jax.grad(objective)(x)

    whole, current = gradient(1.0), gradient(0.0)
    exact = jax.grad(lambda x: ipd.shaping_return(game, x, y, num_inner_episodes=3, **settings))(x)
    np.testing.assert_allclose(whole, exact, rtol=1e-10)
    np.testing.assert_allclose(gradient(1 / 16), current + (whole - current) / 16, rtol=1e-10)


def test_the_learner_may_run_any_rule_and_both_may_learn():
    x, y = random_pair(7, 2)
    game, rule, sgd = GAMES[0], rules.lola_as_published(2.0), optax.sgd(2.0)
    settings = {"discount": 0.9, "learning_rate": 2.0}
    alone = learn(game, (rules.still(), rule), x, y, discount=0.9, optimizers=(sgd, sgd), steps=3).returns[..., 0]
    got = shaping.weighted_shaping_return(game, x, y, np.full(4, 0.25), learner=rule, **settings)
    np.testing.assert_allclose(got, alone.mean(-1), rtol=1e-11)
    both = learn(game, (rules.naive(), rule), x, y, discount=0.9, optimizers=(sgd, sgd), steps=3).returns[..., 0]
    both_learn = {"discount": 0.9, "num_inner_episodes": 3}
    got = shaping.meta_mapg_return(game, x, y, (rules.naive(), rule), learning_rates=(2.0, 2.0), **both_learn)
    np.testing.assert_allclose(got, both.mean(-1), rtol=1e-11)
    rates = jnp.array([0.0, 2.0])[:, None]  # an ego that does not move, and one that does
    got = shaping.meta_mapg_return(game, x, y, (rules.naive(), rule), learning_rates=(rates, 2.0), **both_learn)
    np.testing.assert_allclose(got, jnp.stack([alone, both]).mean(-1), rtol=1e-11)


def test_a_long_path_is_differentiated():
    x, y = random_pair(8)

    def objective(x):
        return ipd.shaping_return(GAMES[0], x, y, discount=0.9, learning_rate=0.5, num_inner_episodes=300)

    eps = 1e-5 * jnp.eye(5)[1]
    numeric = (objective(x + eps) - objective(x - eps)) / 2e-5
    np.testing.assert_allclose(jax.grad(objective)(x)[1], numeric, rtol=1e-6, atol=1e-9)


def test_the_good_shepherd_earns_more_than_where_it_began():
    x, learners = random_pair(9)[0], random_pair(10, 8)[1]
    settings = {"discount": 0.95, "learning_rate": 5.0, "num_inner_episodes": 10}
    trained = shaping.good_shepherd(GAMES[0], x, learners, optimizer=optax.sgd(2.0), steps=40, **settings)
    before, after = (ipd.shaping_return(GAMES[0], v, learners, **settings).mean() for v in (x, trained))
    assert after > before + 0.1
    one = shaping.good_shepherd(GAMES[0], x, learners[:1], optimizer=optax.sgd(2.0), steps=1, **settings)
    want = x + 2.0 * direction(GAMES[0], rules.coala(10, 5.0), x, learners[0], discount=0.95)
    np.testing.assert_allclose(one, want, rtol=1e-9)
