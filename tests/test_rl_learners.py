"""The sampled pipeline against the exact theory: advantages, gradients, and what the learners learn."""

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.rl import chunks, gradient_parts, losses, policies, rollout, train
from ipd_theory.rl.config import Meta, Naive
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.hawk import Hawk
from ipd_theory.rl.ipd import iterated
from ipd_theory.rl.policies import TabularPolicy, playing
from ipd_theory.sampling import enumeration
from ipd_theory.sampling.estimators import ESTIMATORS, named
from ipd_theory.sampling.learners import reinforce
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

PLAIN = Meta(reward_scale=1.0, value_coefficient=0.0)
GAME = ipd.prisoners_dilemma()
FIXED = losses.Learner(lambda policy: (), lambda policy, state, seen: (policy, state))


def random_rewards(seed: int, G: int = 3, B: int = 4, M: int = 3, T: int = 2) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    rewards, values = rng.normal(size=(2, G, B, M, T)).astype(np.float32)
    return jnp.asarray(rewards), jnp.asarray(values)


@pytest.mark.parametrize("method", [e.name for e in ESTIMATORS if e.credit is not None])
def test_advantages_are_the_estimators_weights(method: str) -> None:
    """To 1e-12 in float64 and, relative to the largest weight, to 1e-6 in float32; their parts by time as well."""
    naive = jnp.array([True, False, True])
    for dtype, tolerance in ((jnp.float64, 1e-12), (jnp.float32, 1e-6)):
        rewards = jnp.asarray(random_rewards(0)[0], dtype)
        got, targets = losses.meta_advantages(rewards, 0 * rewards, naive, named(method), PLAIN)
        exact, B = np.asarray(rewards, np.float64), rewards.shape[1]
        weights = {
            "coala": lambda r: B * ipd.estimators.coala_pg(r),  # noqa: B023  (called at once)
            "batch_unaware": lambda r: B * ipd.estimators.batch_unaware(r),  # noqa: B023  (called at once)
            "m_fos": ipd.estimators.m_fos,
            "full": lambda r: B * ipd.estimators.full(r),  # noqa: B023  (called at once)
        }[method](exact)
        independent = B * ipd.estimators.batch_unaware(exact)
        atol = tolerance * float(np.abs(weights).max())
        assert got.dtype == dtype
        for kind, expected in ((naive, weights), (~naive, independent)):
            chosen = expected[np.asarray(kind)]
            np.testing.assert_allclose(got[kind], chosen - chosen.mean(), atol=atol)
        np.testing.assert_allclose(targets, independent, atol=atol)

        current, future = gradient_parts.credit_by_time(rewards, naive, named(method), PLAIN)
        now = exact[..., ::-1].cumsum(-1)[..., ::-1]
        now = now.sum(1, keepdims=True) + 0 * now if method == "full" else now
        for part, expected in ((current, now), (future, weights - now)):
            chosen = expected[np.asarray(naive)]
            np.testing.assert_allclose(part[naive], chosen - chosen.mean((0, 1)), atol=atol)
            assert not np.asarray(part[~naive]).any()
        assert np.abs(future[:, :, -1]).max() < atol  # nothing comes after the last episode


@pytest.mark.parametrize("at_once", [0, 2])
def test_norms_of_the_gradients_parts(at_once: int) -> None:
    """Of a table: the gradient of log π is the one-hot action less the probabilities, in the row of the observation."""
    rng = np.random.default_rng(14)
    table, time, N = rng.normal(size=(5, 3)), 6, 4
    observations, actions = rng.integers(0, 5, (time, N)), rng.integers(0, 2, (time, N))
    credits = rng.normal(size=(2, time, N))
    p = np.exp(table[:, :2]) / np.exp(table[:, :2]).sum(1, keepdims=True)
    scores = np.eye(2)[actions] - p[observations]
    expected = np.zeros((2, 5, 2))
    for part in range(2):
        np.add.at(expected[part], observations, credits[part][..., None] * scores / (time * N))
    policy = TabularPolicy(jnp.asarray(table, jnp.float32))
    seen = (jnp.asarray(observations, jnp.int32), jnp.asarray(actions, jnp.int32))
    weights = (jnp.asarray(credits[0], jnp.float32), jnp.asarray(credits[1], jnp.float32))
    got = gradient_parts.norms(policy, *seen, weights, at_once)
    np.testing.assert_allclose(got, np.sqrt((expected**2).sum((1, 2))), rtol=1e-5)


def test_coala_advantages_telescope_to_the_papers_form() -> None:
    """Â = B [c/B + f̄] − V(h_l^b) − Σ_{b'≠b} V(h^{b'}) at the end of the episode, and 0 after the last."""
    rewards, values = random_rewards(1)
    got, _ = losses.meta_advantages(rewards, values, jnp.array([True] * 3), ipd.estimators.coala_pg, PLAIN)
    v, B = np.asarray(values, np.float64), rewards.shape[1]
    at_end = np.concatenate([v[:, :, 1:, 0], np.zeros_like(v[:, :, :1, 0])], -1)  # first values of the next episode
    others = (at_end.sum(1, keepdims=True) - at_end)[..., None]
    expected = B * np.asarray(ipd.estimators.coala_pg(rewards), np.float64) - v - others
    np.testing.assert_allclose(got, expected - expected.mean(), atol=2e-5)


def test_advantages_are_centred_and_scaled_within_each_kind() -> None:
    rewards, values = random_rewards(2, G=6)
    naive = jnp.array([True, False, True, True, False, True])
    settings = dataclasses.replace(PLAIN, normalize_advantages=True)
    got, _ = losses.meta_advantages(rewards, values, naive, ipd.estimators.coala_pg, settings)
    for kind in (naive, ~naive):
        np.testing.assert_allclose([got[kind].mean(), got[kind].std()], [0, 1], atol=1e-5)


def tabular_reinforce(learning_rate: float) -> losses.Learner:
    """REINFORCE on a table's logits, the learner of the enumerated theory, from this package's generic pieces."""

    def loss(policy: TabularPolicy, seen: policies.Experience) -> jax.Array:
        log_probabilities, _ = policies.along(policy.ready(), seen.observations)
        returns = losses.discounted_returns(seen.rewards, 1.0)
        B = seen.rewards.shape[1]
        return -(returns * policies.chosen(log_probabilities, seen.actions)).sum() / B

    def update(policy: TabularPolicy, state: Any, seen: policies.Experience) -> tuple[TabularPolicy, Any]:
        gradient = jax.grad(loss)(policy, seen).table.at[:, 1:].set(0)  # only the cooperation logit is a parameter
        return TabularPolicy(policy.table - learning_rate * gradient), state

    return losses.Learner(lambda policy: (), update)


def test_the_pipelines_gradient_is_the_exact_shaping_gradient() -> None:
    """COALA-PG's mean over 200 batches of 128 meta-episodes lies within 4.5 standard errors of the truth in each of
    five logits (a false alarm in 30,000 seeds), and batch-unaware's within as much of its own expectation,
    g_cur + g_shape / B, and outside of the truth."""
    B, M, T, rate, G = 2, 2, 2, 3.0, 128
    rng = np.random.default_rng(3)
    ego_logits, learner_logits = rng.normal(size=(2, 5))
    pomdp = ShapingPOMDP(GAME, reinforce(rate), jnp.asarray(learner_logits), B, M, T)
    everything = enumeration.enumerate_meta_episodes(pomdp)
    truth = enumeration.true_gradient(everything, jnp.asarray(ego_logits)[None])

    def table(logits: np.ndarray) -> TabularPolicy:
        return TabularPolicy(jnp.asarray(np.stack([logits, 0 * logits, 0 * logits], -1), jnp.float32))

    ego, everyone = table(ego_logits), jnp.ones(G, bool)
    co_players = rollout.CoPlayers(TabularPolicy(jnp.tile(table(learner_logits).table, (G, 1, 1))), everyone)
    learner = tabular_reinforce(rate)

    def estimates(key: jax.Array) -> tuple[jax.Array, ...]:
        record = rollout.play(iterated(GAME), ego, co_players, learner, key, rollout.Sizes(B, M, T))
        gradients = []
        for estimator in (ipd.estimators.coala_pg, ipd.estimators.batch_unaware):
            data = train.trajectories(record, everyone, estimator, PLAIN)
            gradient = jax.grad(lambda policy, data=data: losses.ppo_loss(policy, data, PLAIN)[0])(ego)
            gradients.append(-M * T * gradient.table[:, 0])  # the loss is a mean over the M T steps
        return tuple(gradients)

    keys = jax.random.split(jax.random.key(4), 200)
    coala, unaware = (np.asarray(x, np.float64) for x in jax.jit(functools.partial(jax.lax.map, estimates))(keys))

    def distance(sample: np.ndarray, expected: jax.Array) -> np.ndarray:
        return np.abs(sample.mean(0) - np.asarray(expected)) / (sample.std(0, ddof=1) / np.sqrt(len(sample)))

    assert distance(coala, truth.total).max() < 4.5
    assert distance(unaware, truth.current + truth.shaping / B).max() < 4.5
    assert distance(unaware, truth.total).max() > 9
    assert distance(coala, truth.current).max() > 9


def small_hawk(key: int, outputs: int = 3) -> Hawk:
    return Hawk(jax.random.key(key), 5, outputs, width=8, expanded_width=8)


def opinionated(hawk: Hawk) -> Hawk:
    """Fill the readout, which starts at zero, so that outputs depend on everything before it."""
    rng = np.random.default_rng(15)
    weight = jnp.asarray(rng.normal(size=hawk.decoder.readout.weight.shape), jnp.float32)
    return eqx.tree_at(lambda h: h.decoder.readout.weight, hawk, weight)


def test_the_egos_memory_runs_through_and_rewards_are_the_games() -> None:
    """What play recorded step by step is what one pass over the whole history gives."""
    M, T, G, B = 3, 4, 2, 3
    ego = opinionated(small_hawk(0))
    stacked = jax.tree.map(lambda *x: jnp.stack(x), small_hawk(1), small_hawk(2))
    co_players = rollout.CoPlayers(stacked, jnp.array([True, False]))

    @jax.jit
    def both(ego: Hawk, key: jax.Array) -> tuple[rollout.MetaEpisode, jax.Array, jax.Array]:
        learner = losses.a2c(Naive(learning_rate=0.05))
        record = rollout.play(iterated(GAME), ego, co_players, learner, key, rollout.Sizes(B, M, T))
        whole = record.observations.reshape(M * T, G * B)
        return record, *policies.along(ego.ready(whole.size), whole)

    record, log_probabilities, values = both(ego, jax.random.key(5))
    flat = policies.chosen(log_probabilities, record.actions[..., 0, :].reshape(M * T, G * B))
    np.testing.assert_allclose(record.log_probabilities.reshape(M * T, -1), flat, atol=1e-5)
    np.testing.assert_allclose(record.values.reshape(M * T, -1), values, atol=1e-5)
    payoffs, actions = np.asarray(GAME.payoffs), np.asarray(record.actions)
    np.testing.assert_allclose(record.rewards[..., 0, :], payoffs[0][actions[..., 0, :], actions[..., 1, :]], atol=0)
    np.testing.assert_allclose(record.rewards[..., 1, :], payoffs[1][actions[..., 0, :], actions[..., 1, :]], atol=0)
    outcomes = 1 + 2 * actions[..., 0, :] + actions[..., 1, :]
    assert not np.asarray(record.observations)[:, 0].any()
    np.testing.assert_array_equal(record.observations[:, 1:], outcomes[:, :-1])


@pytest.mark.parametrize("G", [6, 7])
def test_co_players_in_turns_play_what_they_play_together(G: int) -> None:
    """Random numbers and learning belong to each co-player; means of the measures are the record's own."""
    rng = np.random.default_rng(12)
    ego, *others = (TabularPolicy(jnp.asarray(rng.normal(size=(5, 3)), jnp.float32)) for _ in range(1 + G))
    everyone = jax.tree.map(lambda *x: jnp.stack(x), *others)
    co_players = rollout.CoPlayers(everyone, jnp.arange(G) % 3 > 0)
    learner = tabular_reinforce(3.0)
    play = functools.partial(rollout.play, iterated(GAME), ego, co_players, learner, sizes=rollout.Sizes(4, 3, 2))
    whole, turns = (jax.jit(functools.partial(play, at_once=n))(key=jax.random.key(13)) for n in (0, 4))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(turns), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    actions = np.asarray(whole.actions, float).mean(-1)
    for i, name in enumerate(("defection", "co_player_defection")):
        np.testing.assert_allclose(whole.measures[name], actions[..., i], atol=1e-6)


def test_only_naive_co_players_learn() -> None:
    """Against an always-defector a quick learner soon defects; a meta agent's policy stays as it was, an even coin."""
    stacked = jax.tree.map(lambda *x: jnp.stack(x), small_hawk(1), small_hawk(1))
    co_players = rollout.CoPlayers(stacked, jnp.array([True, False]))
    play = jax.jit(
        lambda key: rollout.play(
            iterated(GAME),
            playing(ipd.strategies.always_defect()),
            co_players,
            losses.a2c(Naive(learning_rate=0.05)),
            key,
            rollout.Sizes(batch=32, inner_episodes=15, episode_length=5),
        )
    )
    defections = np.asarray(play(jax.random.key(6)).actions[..., 1, :], float).mean((1, 3))  # [M, G]
    assert defections[-3:, 0].mean() > 0.9
    assert abs(defections[:, 1].mean() - 0.5) < 4.5 * 0.5 / np.sqrt(15 * 5 * 32)


def test_gradients_over_chunks_are_the_whole_gradient_and_ppo_starts_as_a2c() -> None:
    rng = np.random.default_rng(7)
    time, N = 12, 8
    policy = opinionated(small_hawk(3))
    observations = jnp.asarray(rng.integers(0, 5, (time, N)), jnp.int32)
    actions = jnp.asarray(rng.integers(0, 2, (time, N)), jnp.int32)
    log_probabilities, values = policies.along(policy.ready(), observations)
    advantages, targets = (jnp.asarray(rng.normal(size=(time, N)), jnp.float32) for _ in range(2))
    now = policies.chosen(log_probabilities, actions)
    data = losses.Trajectories(observations, actions, now, values, advantages, targets)
    settings = Meta(optimizer="sgd", learning_rate=1.0, epochs=1, minibatches=1, max_gradient_norm=1e9)

    def a2c_loss(policy: Hawk) -> jax.Array:
        log_probabilities, values = policies.along(policy.ready(), observations)
        policy_loss = -(advantages * policies.chosen(log_probabilities, actions)).mean()
        return policy_loss + 0.5 * 0.5 * jnp.square(values - targets).mean()

    gradient = jax.jit(jax.grad(a2c_loss))(policy)
    for at_once in (0, 3):
        chosen = dataclasses.replace(settings, trajectories_at_once=at_once)
        update = jax.jit(functools.partial(losses.ppo_update, settings=chosen))
        state = losses.optimizer("sgd", 1.0, 1e9).init(policy)
        after, _, _ = update(policy, state, data, jax.random.key(8))
        moved = jax.tree.map(lambda a, b: a - b, policy, after)
        for a, b in zip(jax.tree.leaves(moved), jax.tree.leaves(gradient), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-6)


def test_on_a_cpu_few_sequences_at_once_unless_told_otherwise() -> None:
    few = jax.default_backend() == "cpu"
    chosen = [chunks.sequences_at_once(None, steps) for steps in (100, 200, 6400)]
    assert chosen == ([8, 4, 4] if few else [0, 0, 0])
    assert [chunks.sequences_at_once(n, 100) for n in (0, 16)] == [0, 16]


@pytest.mark.parametrize(
    ("number", "bound", "size"), [(64, 5, 4), (6, 4, 3), (7, 4, 4), (3, 8, 8), (7, 1, 1), (7, 0, 0)]
)
def test_groups_are_equal_unless_that_makes_them_small(number: int, bound: int, size: int) -> None:
    assert chunks.group_size(number, bound) == size


def test_naive_learners_alone_fall_into_defection() -> None:
    """Two A2C learners, 16 pairs of them: every pair ends up defecting in more than nine rounds out of ten."""
    learner, swap = losses.a2c(Naive()), jnp.array([0, 1, 3, 2, 4], jnp.int32)

    def episode(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        agents, states = carry
        first, second = (jax.tree.map(lambda x, i=i: x[i], agents) for i in range(2))
        co_players = rollout.CoPlayers(jax.tree.map(lambda x: x[None], second), jnp.array([False]))
        record = rollout.play(iterated(GAME), first, co_players, FIXED, key, rollout.Sizes(16, 1, 10))
        seen = record.observations[0, :, 0]
        both = policies.Experience(
            jnp.stack([seen, swap[seen]]), jnp.moveaxis(record.actions[0, :, 0], 1, 0),
            jnp.moveaxis(record.rewards[0, :, 0], 1, 0),
        )  # fmt: skip
        return jax.vmap(learner.update)(agents, states, both), both.actions.astype(jnp.float32).mean()

    def pair(key: jax.Array) -> jax.Array:
        start, play = jax.random.split(key)
        agents = jax.vmap(lambda key: Hawk(key, 5, 3, width=8, expanded_width=8))(jax.random.split(start))
        carry = (agents, jax.vmap(learner.init)(agents))
        return jax.lax.scan(episode, carry, jax.random.split(play, 300))[1]

    defection = np.asarray(jax.jit(jax.vmap(pair))(jax.random.split(jax.random.key(9), 16)))
    assert (defection[:, -30:].mean(1) > 0.9).all()
    assert abs(defection[:, 0].mean() - 0.5) < 0.06


def recall_task(batch: int) -> Environment:
    """Half of the inner episodes show a cue (observation 1 or 2), the others (0) pay 1 for the action it named."""
    cue = jnp.arange(batch, dtype=jnp.int32) % 2

    def reset(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.bernoulli(key, 0.5, shape)

    def observe(shown: jax.Array) -> tuple[jax.Array, jax.Array]:
        observation = jnp.where(shown, 1 + cue, 0)
        return observation, observation

    def step(shown: jax.Array, actions: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        right = (actions[0] == cue).astype(jnp.float32) * (~shown).astype(jnp.float32)
        return shown, jnp.stack([right, jnp.zeros_like(right)])

    return Environment(2, 3, True, reset, observe, step, lambda state, actions, next_state: {})


def test_ppo_recalls_a_cue_across_inner_episodes() -> None:
    """Without memory half of the tests come out right. With it, of the tests in the last of 5 episodes all but those
    before which no cue was shown (1/16) can: 0.97; asked for is 0.85."""
    G, B, M, T = 2, 32, 5, 2
    environment = recall_task(B)
    settings = Meta(learning_rate=3e-3, reward_scale=1.0, minibatches=2, epochs=4)
    nobody = rollout.CoPlayers(TabularPolicy(jnp.zeros((G, 3, 3), jnp.float32)), jnp.zeros(G, bool))
    policy = Hawk(jax.random.key(10), 3, 3, width=16, expanded_width=16)

    def iteration(carry: Any, key: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        record = rollout.play(environment, carry[0], nobody, FIXED, key, rollout.Sizes(B, M, T))
        data = train.trajectories(record, nobody.naive, ipd.estimators.batch_unaware, settings)
        policy, state, _ = losses.ppo_update(*carry, data, key, settings)
        tested = (record.observations[-1] == 0).astype(jnp.float32)
        return (policy, state), (record.rewards[-1, ..., 0, :].sum(), tested.sum())

    state = losses.optimizer("adam", 3e-3, 1.0).init(policy)
    run = jax.jit(lambda carry, keys: jax.lax.scan(iteration, carry, keys)[1])
    right, tested = run((policy, state), jax.random.split(jax.random.key(11), 120))
    right, tested = np.asarray(right, float), np.asarray(tested, float)
    assert abs(right[:5].sum() / tested[:5].sum() - 0.5) < 0.15
    assert right[-10:].sum() / tested[-10:].sum() > 0.85
