"""Sampled LOLA-DiCE with the training pipeline's policies, against the exact finite game."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import ipd_theory as ipd
from ipd_theory.rl import lola_dice
from ipd_theory.rl.hawk import Hawk
from ipd_theory.rl.ipd import iterated
from ipd_theory.rl.lola_dice import LolaDice
from ipd_theory.rl.policies import TabularPolicy

GAME, T = ipd.prisoners_dilemma(), 3


def table(logits: np.ndarray) -> TabularPolicy:
    return TabularPolicy(jnp.asarray(np.stack([logits, 0 * logits, 0 * logits], -1), jnp.float32))


def returns(logits: jax.Array, other_logits: jax.Array) -> jax.Array:
    p, q = jax.nn.sigmoid(logits), jax.nn.sigmoid(other_logits)
    return T * ipd.expected_returns(GAME, p, q, horizon=T)


def test_the_estimate_is_the_exact_gradient_through_two_look_aheads() -> None:
    """False-alarm rate 1e-6 for each number, seeded; at 4,000 trajectories the bias is far below the standard error.

    A table has a logit for each action, so a step moves their difference twice as far.
    """
    rng = np.random.default_rng(0)
    ego, other = rng.normal(size=(2, 5))
    rate, repeats = 0.25, 40
    settings = LolaDice(look_aheads=2, step_size=rate, batch=4000, episode_length=T, discount=1.0)

    def exact(ego: jax.Array) -> jax.Array:
        moved = jnp.asarray(other)
        for _ in range(2):
            moved = moved + 2 * rate * jax.grad(lambda x: returns(ego, x)[1])(moved)
        return returns(ego, moved)[0]

    estimate = functools.partial(lola_dice.gradient, iterated(GAME), table(ego), table(other), settings=settings)
    keys = jax.random.split(jax.random.key(1), repeats)
    found, reward = jax.jit(lambda keys: jax.lax.map(estimate, keys))(keys)
    tables = np.asarray(found.table, np.float64)
    np.testing.assert_allclose(tables[..., 0], -tables[..., 1], atol=1e-5)
    error = tables[..., 0].std(0, ddof=1) / np.sqrt(repeats)
    distance = np.abs(tables[..., 0].mean(0) - jax.grad(exact)(jnp.asarray(ego))) / error
    assert distance.max() < stats.t.isf(0.5e-6, repeats - 1)
    naive = jax.grad(lambda x: returns(x, jnp.asarray(other))[0])(jnp.asarray(ego))
    assert (np.abs(tables[..., 0].mean(0) - naive) / error).max() > 10
    rewards = np.asarray(reward, np.float64)
    spread = rewards.std(ddof=1) / np.sqrt(repeats)
    assert abs(rewards.mean() - exact(jnp.asarray(ego)) / T) / spread < stats.t.isf(0.5e-6, repeats - 1)


@pytest.mark.slow
def test_sequence_models_differentiate_through_a_look_ahead() -> None:
    """Every weight of the ego gets a gradient but the readout of its value, which no return depends on."""
    ego, other = (
        jax.tree.map(lambda x: x + jnp.array([0.5, -0.5, 0.3], x.dtype) if x.shape[-1] == 3 else x, hawk)
        for hawk in (Hawk(jax.random.key(k), 5, 3, width=4, expanded_width=4) for k in range(2))
    )
    settings = LolaDice(look_aheads=1, step_size=5.0, batch=16, episode_length=T)
    estimate = jax.jit(lambda key: lola_dice.gradient(iterated(GAME), ego, other, key, settings)[0])
    gradient = estimate(jax.random.key(2))
    assert all(np.isfinite(leaf).all() and np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient))
    np.testing.assert_array_equal(gradient.decoder.readout.bias[2], 0)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="look_aheads must be 0 or more"):
        LolaDice(look_aheads=-1)
