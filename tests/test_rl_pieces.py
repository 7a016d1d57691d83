"""Single formulas of the training loop: memories, averages by kind, a GRU's cell, the bound on a root's slope."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.rl import lola_dice, losses, rollout, train
from ipd_theory.rl.gru import GRU
from ipd_theory.rl.hawk_layers import Linear, RMSNorm
from ipd_theory.rl.ipd import iterated
from ipd_theory.rl.policies import TabularPolicy, playing
from ipd_theory.rl.recurrence import bounded_sqrt

GAME = iterated(ipd.prisoners_dilemma())


class Novice(eqx.Module):
    """Cooperates at the first step that it remembers, and then defects."""

    unused: jax.Array

    def ready(self, steps: int = 1) -> "Novice":
        return self

    def initial_state(self, *batch: int) -> jax.Array:
        return jnp.ones(batch, bool)

    def step(self, observations: jax.Array, resets: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        toward = jnp.where(resets, 50.0, -50.0).astype(jnp.float32)
        return jnp.stack([toward, -toward, 0 * toward], -1), state

    sequence = step


def test_naive_co_players_forget_at_each_inner_episode_and_nobody_else_does() -> None:
    M, T, B = 3, 3, 2
    fixed = losses.Learner(lambda policy: (), lambda policy, state, seen: (policy, state))
    co_players = rollout.CoPlayers(Novice(jnp.zeros(2)), jnp.array([True, False]))
    sizes = rollout.Sizes(B, M, T)
    record = rollout.play(GAME, Novice(jnp.zeros(())), co_players, fixed, jax.random.key(0), sizes)
    ever, each = np.ones((M, T), int), np.ones((M, T), int)
    ever[0, 0] = 0
    each[:, 0] = 0
    for g, expected in ((0, each), (1, ever)):
        np.testing.assert_array_equal(record.actions[:, :, g, 1, 0], expected)
        np.testing.assert_array_equal(record.actions[:, :, g, 0, 0], ever)


def test_averages_are_over_the_co_players_of_one_kind() -> None:
    M, T, G, B = 2, 3, 4, 5
    rng = np.random.default_rng(0)
    rewards, measured = rng.normal(size=(M, T, G, 2, B)), rng.normal(size=(M, T, G))
    empty = jnp.zeros((M, T, G, B))
    record = rollout.MetaEpisode(
        empty.astype(jnp.int32), empty, empty, jnp.zeros((M, T, G, 2, B), jnp.int32), jnp.asarray(rewards),
        {"dirt": jnp.asarray(measured, jnp.float32)},
    )  # fmt: skip
    record = jax.tree.map(lambda x: x.astype(jnp.float32) if x.dtype == jnp.float64 else x, record)
    which = np.array([True, False, True, False])
    found = train.by_episode(record, jnp.asarray(which))
    np.testing.assert_allclose(found["reward"], rewards[:, :, which, 0].mean((1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(found["co_player_reward"], rewards[:, :, which, 1].mean((1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(found["dirt"], measured[:, :, which].mean((1, 2)), atol=1e-6)
    assert all(np.isnan(x).all() for x in train.by_episode(record, jnp.zeros(G, bool)).values())


def test_a_grus_cell_is_the_published_one() -> None:
    agent = GRU(jax.random.key(1), 5, 3, width=4)
    agent = eqx.tree_at(lambda a: a.bias, agent, jnp.linspace(-1, 1, 12, dtype=jnp.float32))
    w: Any = jax.tree.map(lambda x: np.asarray(x, np.float64), agent)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    h = np.zeros(4)
    seen = [3, 0, 4, 4, 1]
    for o in seen:
        e = np.maximum(w.embedding[o], 0)
        (xr, xu, xn), (hr, hu, hn) = np.split(e @ w.to_gates + w.bias, 3), np.split(h @ w.from_hidden, 3)
        u = sigmoid(xu + hu)
        h = u * h + (1 - u) * np.tanh(xn + sigmoid(xr + hr) * hn)
    expected = np.concatenate([np.maximum(h @ a, 0) @ b for a, b in (w.actor, w.critic)])
    resets = jnp.arange(5)[:, None] == 0
    outputs, hidden = agent.sequence(jnp.asarray(seen)[:, None], resets, agent.initial_state(1))
    np.testing.assert_allclose(hidden[0], h, atol=1e-6)
    np.testing.assert_allclose(outputs[-1, 0], expected, atol=1e-6)


@pytest.mark.parametrize(("x", "slope"), [(0.25, 1.0), (1e-8, 1000.0), (0.0, 1000.0)])
def test_a_roots_slope_is_bounded(x: float, slope: float) -> None:
    value, derivative = jax.value_and_grad(bounded_sqrt)(jnp.asarray(x))
    np.testing.assert_allclose([value, derivative], [x**0.5, slope], rtol=1e-12)


def test_the_norms_small_constant() -> None:
    x = jnp.array([1e-3, -2e-3])
    identity = Linear(jnp.eye(2), jnp.zeros(2))
    expected = 1.5 * np.asarray(x) / np.sqrt(2.5e-6 + 1e-6)
    np.testing.assert_allclose(RMSNorm(jnp.full(2, 0.5)).then(identity, x), expected, rtol=1e-12)


def test_lola_dice_weighs_later_rewards_by_the_discount() -> None:
    """At γ = 0 the first round alone counts, so that no later context has a gradient."""
    half = playing(jnp.full(5, 0.5))
    settings = lola_dice.LolaDice(look_aheads=0, batch=64, episode_length=3, discount=0.0)
    gradient, _ = lola_dice.gradient(GAME, half, half, jax.random.key(0), settings)
    assert isinstance(gradient, TabularPolicy)
    assert np.abs(gradient.table[0, :2]).min() > 0.05
    np.testing.assert_array_equal(gradient.table[1:], 0)
