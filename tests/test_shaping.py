"""Shaping objectives against paths walked step by step with the package's independent return gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.learning import shaping

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
        x = jnp.sin(x) + 0.5
        return x, x**2

    def run(scan, x):
        last, outputs = scan(step, x, length=length)
        return last + (outputs * jnp.arange(1.0 * length)).sum()

    for of in (run, jax.grad(run, 1)):
        want, got = of(jax.lax.scan, jnp.array(0.3)), of(shaping.checkpointed_scan, jnp.array(0.3))
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
