"""The losses and advantages held against plain float64 numpy, every clip active and every λ another."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory.rl import losses, train
from ipd_theory.rl.config import Meta, Naive
from ipd_theory.rl.policies import Experience, TabularPolicy
from ipd_theory.rl.rollout import MetaEpisode
from ipd_theory.sampling import estimators

Array = np.ndarray[Any, Any]
TIME, N = 7, 6


def heads(table: Array, observations: Array, actions: Array) -> tuple[Array, Array]:
    """Log-probabilities of the actions and values, of a table of two logits and a value."""
    logits, values = table[..., :2], table[..., 2]
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return log_p[observations, actions], values[observations]


def slope(loss: Any, table: Array, step: float = 1e-6) -> Array:
    """Central differences of a loss of a table."""
    gradient = np.zeros_like(table)
    for place in np.ndindex(*table.shape):
        move = np.zeros_like(table)
        move[place] = step
        gradient[place] = (loss(table + move) - loss(table - move)) / (2 * step)
    return gradient


def shortened(gradient: Array, length: float) -> Array:
    return gradient * min(1.0, length / np.sqrt((gradient**2).sum()))


@pytest.fixture(scope="module")
def data() -> losses.Trajectories:
    """Play of an old policy, values and probabilities far enough from the new one that every clip bites somewhere."""
    rng = np.random.default_rng(0)
    observations, actions = rng.integers(0, 5, (TIME, N)), rng.integers(0, 2, (TIME, N))
    old = np.log(rng.uniform(0.2, 0.9, (TIME, N)))
    values, advantages, targets = rng.normal(size=(3, TIME, N))
    return losses.Trajectories(*map(jnp.asarray, (observations, actions, old, values, advantages, targets)))


TABLE = np.random.default_rng(1).normal(size=(5, 3))


def numpy_ppo(table: Array, data: Any, clip: float, coefficient: float) -> tuple[float, float, float, float]:
    """Schulman et al. 2017, equation 7, and the value loss that is clipped alike; entry by entry."""
    data = jax.tree.map(np.asarray, data)
    log_p, values = heads(table, data.observations, data.actions)
    policy_loss, value_loss, share, number = 0.0, 0.0, 0.0, log_p.size
    for place in np.ndindex(*log_p.shape):
        ratio, advantage = np.exp(log_p[place] - data.log_probabilities[place]), data.advantages[place]
        if advantage > 0:
            policy_loss -= min(ratio, 1 + clip) * advantage / number
        else:
            policy_loss -= max(ratio, 1 - clip) * advantage / number
        old, target = data.values[place], data.targets[place]
        near = min(max(values[place], old - clip), old + clip)
        value_loss += 0.5 * max((values[place] - target) ** 2, (near - target) ** 2) / number
        share += (ratio > 1 + clip or ratio < 1 - clip) / number
    return policy_loss + coefficient * value_loss, policy_loss, value_loss, share


def test_every_branch_of_ppos_loss_is_taken(data: losses.Trajectories) -> None:
    log_p, values = heads(TABLE, np.asarray(data.observations), np.asarray(data.actions))
    ratio, advantage = np.exp(log_p - data.log_probabilities), np.asarray(data.advantages)
    for away in (ratio > 1.2, ratio < 0.8, np.abs(ratio - 1) < 0.2):
        assert (away & (advantage > 0)).any()
        assert (away & (advantage < 0)).any()
    moved, wrong = values - data.values, values - data.targets
    for away in (moved > 0.2, moved < -0.2):
        assert (away & (wrong > 0)).any()
        assert (away & (wrong < 0)).any()


def test_ppos_loss_and_its_gradient(data: losses.Trajectories) -> None:
    settings = Meta(clip=0.2, value_coefficient=0.7)
    loss = jax.value_and_grad(lambda policy: losses.ppo_loss(policy, data, settings), has_aux=True)
    (total, parts), gradient = loss(TabularPolicy(jnp.asarray(TABLE)))
    np.testing.assert_allclose([total, *parts], numpy_ppo(TABLE, data, 0.2, 0.7), rtol=1e-12)
    expected = slope(lambda table: numpy_ppo(table, data, 0.2, 0.7)[0], TABLE)
    np.testing.assert_allclose(gradient.table, expected, atol=1e-8)


def test_an_iteration_of_ppo_is_its_steps_on_its_minibatches(data: losses.Trajectories) -> None:
    """Two epochs of three minibatches, gradients taken over chunks and shortened, by plain descent."""
    settings = Meta(
        optimizer="sgd", learning_rate=0.3, epochs=2, minibatches=3, clip=0.2, value_coefficient=0.7,
        max_gradient_norm=0.2, trajectories_at_once=1,
    )  # fmt: skip
    policy, key = TabularPolicy(jnp.asarray(TABLE)), jax.random.key(2)
    state = losses.optimizer("sgd", 0.3, 0.2).init(policy)
    after, _, info = losses.ppo_update(policy, state, data, key, settings)
    table, seen = TABLE, []
    for epoch in jax.random.split(key, 2):
        for members in np.asarray(jax.random.permutation(epoch, N)).reshape(3, -1):
            part = jax.tree.map(lambda x, members=members: np.asarray(x)[:, members], data)
            gradient = slope(lambda table, part=part: numpy_ppo(table, part, 0.2, 0.7)[0], table)
            seen.append([*numpy_ppo(table, part, 0.2, 0.7)[1:], np.sqrt((gradient**2).sum())])
            table = table - 0.3 * shortened(gradient, 0.2)
    assert max(norm for *_, norm in seen) > 0.2
    np.testing.assert_allclose(after.table, table, atol=1e-7)
    policy_loss, value_loss, share, norm = np.mean(seen, 0)
    np.testing.assert_allclose(info, [policy_loss, value_loss, norm, share], atol=1e-7)


@pytest.mark.parametrize(("normalize", "optimizer"), [(True, "adam"), (False, "sgd")])
def test_a_naive_learners_step(normalize: bool, optimizer: Any) -> None:
    """Monte-Carlo returns of scaled rewards, advantages held fixed, the gradient shortened; then Adam's first step."""
    settings = Naive(
        learning_rate=0.1, optimizer=optimizer, discount=0.8, value_coefficient=0.7, normalize_advantages=normalize,
        reward_scale=0.3, max_gradient_norm=0.05,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    observations, actions = rng.integers(0, 5, (TIME, N)), rng.integers(0, 2, (TIME, N))
    rewards = rng.normal(size=(TIME, N))
    weights = 0.8 ** np.subtract.outer(np.arange(TIME), np.arange(TIME)).T.astype(float)
    returns = np.triu(weights) @ (0.3 * rewards)
    fixed = returns - heads(TABLE, observations, actions)[1]
    if normalize:
        fixed = (fixed - fixed.mean()) / fixed.std()

    def loss(table: Array) -> float:
        log_p, values = heads(table, observations, actions)
        return float(-(fixed * log_p).mean() + 0.7 * 0.5 * ((values - returns) ** 2).mean())

    gradient = slope(loss, TABLE)
    assert np.sqrt((gradient**2).sum()) > 0.05
    gradient = shortened(gradient, 0.05)
    step = gradient / (np.abs(gradient) + 1e-5) if optimizer == "adam" else gradient
    learner, policy = losses.a2c(settings), TabularPolicy(jnp.asarray(TABLE))
    after, _ = learner.update(
        policy, learner.init(policy), Experience(*map(jnp.asarray, (observations, actions, rewards)))
    )
    np.testing.assert_allclose(after.table, TABLE - 0.1 * step, atol=1e-6 if optimizer == "adam" else 1e-9)


G, B, M, T = 3, 4, 3, 2
GAMMA, GAE, TD = 0.9, 0.7, 0.4
META = Meta(discount=GAMMA, gae_lambda=GAE, td_lambda=TD, reward_scale=0.5)


@pytest.fixture(scope="module")
def record() -> MetaEpisode:
    rng = np.random.default_rng(4)
    numbers = [jnp.asarray(rng.normal(size=(M, T, G, B))) for _ in range(2)]
    return MetaEpisode(
        jnp.asarray(rng.integers(0, 5, (M, T, G, B))), *numbers,
        jnp.asarray(rng.integers(0, 2, (M, T, G, 2, B))), jnp.asarray(rng.normal(size=(M, T, G, 2, B))), {},
    )  # fmt: skip


def numpy_advantages(record: MetaEpisode, naive: Array, scaled: bool) -> tuple[Array, Array]:
    """Sums written out, [M T, G, B]: COALA-PG against naive co-players, GAE against others; TD(λ)'s mixture of
    n-step returns as targets; each kind of co-player centred, and scaled if asked, by itself."""
    L = M * T
    r = 0.5 * np.asarray(record.rewards)[..., 0, :].reshape(L, G, B)
    v = np.concatenate([np.asarray(record.values).reshape(L, G, B), np.zeros((1, G, B))])
    errors = r + GAMMA * v[1:] - v[:-1]
    advantages, targets = np.zeros((2, L, G, B))
    for l in range(L):
        end = (l // T + 1) * T
        for k in range(l, L):
            everyone = np.broadcast_to(errors[k].sum(-1, keepdims=True), (G, B))  # a mean, times the factor B
            credit = errors[k] if k < end else np.where(naive[:, None], everyone, errors[k])
            advantages[l] += (GAMMA * GAE) ** (k - l) * credit
        n_step = [sum(GAMMA**i * r[l + i] for i in range(n)) + GAMMA**n * v[l + n] for n in range(1, L - l + 1)]
        shares = [(1 - TD) * TD ** (n - 1) for n in range(1, L - l)] + [TD ** (L - l - 1)]
        targets[l] = sum(share * x for share, x in zip(shares, n_step, strict=True))
    for kind in (naive, ~naive):
        advantages[:, kind] -= advantages[:, kind].mean()
        advantages[:, kind] /= advantages[:, kind].std() if scaled else 1
    return advantages, targets


@pytest.mark.parametrize("scaled", [False, True])
def test_what_ppo_learns_from_is_laid_out_and_credited_as_written(record: MetaEpisode, scaled: bool) -> None:
    naive = np.array([True, False, True])
    settings = replace(META, normalize_advantages=scaled)
    data = train.trajectories(record, jnp.asarray(naive), estimators.coala_pg, settings)
    advantages, targets = numpy_advantages(record, naive, scaled)
    np.testing.assert_allclose(data.advantages, advantages.reshape(M * T, -1), atol=1e-7 if scaled else 1e-12)
    np.testing.assert_allclose(data.targets, targets.reshape(M * T, -1), atol=1e-12)
    for got, played in (
        (data.observations, record.observations),
        (data.actions, record.actions[..., 0, :]),
        (data.log_probabilities, record.log_probabilities),
        (data.values, record.values),
    ):
        np.testing.assert_array_equal(got, np.asarray(played).reshape(M * T, -1))
