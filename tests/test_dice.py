"""DiCE's derivatives in expectation, by enumeration, against those of the exact finite game."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import ipd_theory as ipd
from ipd_theory.sampling import dice, enumeration, learners
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

GAME, T, DISCOUNT = ipd.prisoners_dilemma(), 3, 0.9
FIXED = learners.TabularLearner(lambda x: x, jax.nn.sigmoid, lambda x, seen: x)


@pytest.fixture(scope="module", name="logits")
def _logits():
    return tuple(jnp.asarray(x) for x in np.random.default_rng(0).normal(size=(2, 5)))


@pytest.fixture(scope="module", name="trajectories")
def _trajectories(logits):
    """All 4^T trajectories of one episode, both players' views."""
    pomdp = ShapingPOMDP(GAME, FIXED, logits[1], 1, 1, T)
    return [learners.Seen(*(x[:, 0] for x in side)) for side in enumeration.meta_trajectories(pomdp)]


def exact_returns(ego, other):
    mass = (1 - DISCOUNT**T) / (1 - DISCOUNT)
    return mass * ipd.expected_returns(GAME, *map(jax.nn.sigmoid, (ego, other)), discount=DISCOUNT, horizon=T)


def derivatives(function, logits):
    """First and second derivatives in both players' logits, cross terms included."""
    flat = jnp.concatenate(logits)

    def of_flat(x):
        return function(x[:5], x[5:])

    return jax.jacfwd(of_flat)(flat), jax.jacfwd(jax.jacfwd(of_flat))(flat)


def expected(surrogate, logits, trajectories):
    """Derivatives of each trajectory's surrogate, averaged with its probability (held fixed)."""
    P = jnp.exp(dice.joint_log_probabilities(*logits, *trajectories).sum(-1))
    np.testing.assert_allclose(P.sum(), 1, rtol=1e-13)
    return derivatives(
        lambda ego, other: P @ surrogate(dice.joint_log_probabilities(ego, other, *trajectories)), logits
    )


@pytest.mark.parametrize("player", [0, 1])
def test_dice_derivatives_are_exact_in_expectation(player, logits, trajectories):
    rewards = trajectories[player].rewards
    ours = expected(lambda log_p: dice.dice(log_p, rewards, discount=DISCOUNT), logits, trajectories)
    wanted = derivatives(lambda *x: exact_returns(*x)[player], logits)
    for order in range(2):
        np.testing.assert_allclose(ours[order], wanted[order], atol=1e-13)
    assert jnp.abs(wanted[1][:5, 5:]).max() > 1e-2


def true_advantages(logits, trajectories):
    """Q(h, joint action) − V(h) of player 0 by recursion over the tree of trajectories."""
    step = jnp.exp(dice.joint_log_probabilities(*logits, *trajectories)).reshape(*(4,) * T, T)
    rewards = trajectories[0].rewards.reshape(*(4,) * T, T)
    value, out = jnp.zeros((4,) * T), []
    for t in reversed(range(T)):
        q = rewards[..., t] + DISCOUNT * value
        value = (step[..., t] * q).sum(t, keepdims=True)
        out.insert(0, q - value)
        value = jnp.broadcast_to(value, q.shape) if t else value
    return jnp.stack([jnp.broadcast_to(x, (4,) * T) for x in out], -1).reshape(-1, T)


def test_loaded_dice_with_true_advantages_is_exact_to_second_order(logits, trajectories):
    advantages = true_advantages(logits, trajectories)
    ours = expected(lambda log_p: dice.loaded_dice(log_p, advantages, discount=DISCOUNT), logits, trajectories)
    wanted = derivatives(lambda *x: exact_returns(*x)[0], logits)
    for order in range(2):
        np.testing.assert_allclose(ours[order], wanted[order], atol=1e-13)
    # Any function of the history may stand for the value: its terms cancel, for the box of the past is subtracted.
    baseline = jnp.sin(jnp.arange(4**T * T, dtype=float)).reshape(-1, T)
    baseline = jnp.stack([jnp.repeat(baseline[: 4**t, t], 4 ** (T - t)) for t in range(T)], -1)
    other = expected(
        lambda log_p: dice.loaded_dice(log_p, advantages - baseline, discount=DISCOUNT), logits, trajectories
    )
    for order in range(2):
        np.testing.assert_allclose(other[order], wanted[order], atol=1e-13)
    damped = expected(
        lambda log_p: dice.loaded_dice(log_p, advantages, discount=DISCOUNT, decay=0.5), logits, trajectories
    )
    np.testing.assert_allclose(damped[0], wanted[0], atol=1e-13)  # λ touches the second order only
    assert jnp.abs(damped[1] - wanted[1]).max() > 1e-3


def test_a_surrogate_without_the_past_is_caught(logits, trajectories):
    """The mistake DiCE mends: boxing only the present action loses second derivatives (and credit)."""

    def forgetful(log_p):
        return (DISCOUNT ** jnp.arange(T, dtype=float) * dice.magic_box(log_p) * trajectories[0].rewards).sum(-1)

    ours = expected(forgetful, logits, trajectories)
    wanted = derivatives(lambda *x: exact_returns(*x)[0], logits)
    assert jnp.abs(ours[0] - wanted[0]).max() > 1e-2
    assert jnp.abs(ours[1] - wanted[1]).max() > 1e-2


def test_sampled_lola_dice_tends_to_the_exact_gradient(logits):
    """Two look-aheads through autodiff of the exact finite game; false-alarm rate 1e-6 for each number, seeded.

    With 4,000 trajectories a batch the bias is far below the standard error of the mean over 40 estimates.
    """
    ego, other = logits
    K, rate, repeats = 2, 0.5, 40

    def exact(ego):
        q = other
        for _ in range(K):
            q = q + rate * jax.grad(lambda x: exact_returns(ego, x)[1])(q)
        return exact_returns(ego, q)[0]

    @jax.jit
    @jax.vmap
    def estimate(key):
        return dice.sampled_lola_dice(
            key,
            GAME,
            ego,
            other,
            num_look_aheads=K,
            learning_rate=rate,
            batch_size=4000,
            episode_length=T,
            discount=DISCOUNT,
        )

    found = np.asarray(estimate(jax.random.split(jax.random.key(0), repeats)))
    t = (found.mean(0) - jax.grad(exact)(ego)) / (found.std(0, ddof=1) / np.sqrt(repeats))
    assert np.abs(t).max() < stats.t.isf(0.5e-6, repeats - 1)
    naive = jax.grad(lambda x: exact_returns(x, other)[0])(ego)  # the test can tell shaping from no shaping
    t_naive = (found.mean(0) - naive) / (found.std(0, ddof=1) / np.sqrt(repeats))
    assert np.abs(t_naive).max() > 10
