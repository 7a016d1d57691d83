"""Pools: the objective's gradient, batching, and the paper's three findings."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.learning import pool as pools
from paper_figures import figure_3a, figure_3c
from paper_figures import pools as figures

GAME = ipd.prisoners_dilemma()


def small(**changes):
    settings = {"p_naive": 0.3, "discount": 0.9, "num_inner_episodes": 2, "num_learners": 3}
    return pools.Pool(**{**settings, **changes})


def logit_return(x, y, player, discount, scale):
    return scale * ipd.expected_returns(GAME, jax.nn.sigmoid(x), jax.nn.sigmoid(y), discount=discount)[player]


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("self_play", [True, False])
def test_the_objective_is_what_the_paper_writes(normalized, self_play, rng):
    """Against a direct evaluation with jax.grad for the learner's steps, value and gradient."""
    pool = small(normalized=normalized, self_play=self_play, learning_rate=jnp.asarray(0.7))
    logits, learners = jnp.asarray(rng.normal(size=(2, 5))), jnp.asarray(rng.normal(size=(2, 3, 5)))
    scale = 1.0 if normalized else 10.0

    def naive(x, y):
        total = 0.0
        for _ in range(3):
            total += logit_return(x, y, 0, 0.9, scale) / 3
            y = y + 0.7 * jax.grad(lambda z: logit_return(x, z, 1, 0.9, scale))(y)
        return total

    def expected(x, agent):
        opponent = logits[agent] if self_play else logits[1 - agent]
        against_naive = sum(naive(x, learners[agent, k]) for k in range(3)) / 3
        return 0.3 * against_naive + 0.7 * logit_return(x, opponent, 0, 0.9, scale)

    delta = jnp.asarray(0.1)
    got = pools.objective(pool, delta, logits, logits, learners)
    gradient = jax.grad(lambda x: pools.objective(pool, delta, x, logits, learners).sum())(logits)
    for agent in range(2):
        value, slope = jax.value_and_grad(expected)(logits[agent], agent)
        np.testing.assert_allclose(got[agent], value, rtol=1e-12)
        np.testing.assert_allclose(gradient[agent], slope, rtol=1e-9, atol=1e-12)


def test_a_column_of_settings_equals_single_pools():
    """Several p_naive, discounts and seeds in one call give what each gives alone."""
    p_naive, discounts = jnp.array([0.0, 0.5, 1.0])[:, None], np.array([0.5, 0.9])
    keys = jax.random.split(jax.random.key(3), 2)
    together = small(p_naive=p_naive, discount=discounts)
    final, history = pools.train(together, pools.init(together, keys), 6, 3)
    assert final.logits.shape == (3, 2, 2, 5)
    assert history.returns.against_naive.shape == (3, 3, 2, 2)
    for i in range(3):
        for j in range(2):
            alone = small(p_naive=p_naive[i, 0], discount=discounts[j])
            single, _ = pools.train(alone, pools.init(alone, keys[j]), 6, 6)
            np.testing.assert_allclose(final.logits[i, j], single.logits, rtol=1e-10, atol=1e-12)


def test_every_setting_may_differ_between_the_pools_of_a_batch(rng):
    """M, λ, trembles and payoffs of three pools in one program, each against a direct evaluation with jax.grad."""
    M, weight, error = np.array([0, 2, 1]), np.array([1.0, 0.5, 0.0]), np.array([0.0, 0.02, 0.1])
    temptation = np.array([2.0, 1.5, 0.5])
    game = ipd.games.symmetric_game(R=1.0, S=-1.0, T=temptation, P=0.0)
    pool = small(
        num_inner_episodes=2,
        num_learners=2,
        inner_episodes=jnp.asarray(M),
        shaping_weight=jnp.asarray(weight),
        tremble=jnp.asarray(error),
        game=game,
        sum_episodes=True,
    )
    logits, learners = jnp.asarray(rng.normal(size=(3, 2, 5))), jnp.asarray(rng.normal(size=(3, 2, 2, 5)))

    def earned(i, x, y, player):
        p, q = (ipd.strategies.tremble(jax.nn.sigmoid(z), error[i]) for z in (x, y))
        return ipd.expected_returns(ipd.MatrixGame(game.payoffs[i]), p, q, discount=0.9)[player]

    def episodes(i, x, y, fixed):
        returns = []
        for _ in range(M[i] + 1):
            returns.append(earned(i, x, jax.lax.stop_gradient(y) if fixed else y, 0))
            y = y + 5.0 * jax.grad(lambda z, y=y: earned(i, x, z, 1))(y)
        return sum(returns)

    def expected(x, i, agent):
        naive = [
            weight[i] * episodes(i, x, y, False) + (1 - weight[i]) * episodes(i, x, y, True) for y in learners[i, agent]
        ]
        return 0.3 * sum(naive) / 2 + 0.7 * earned(i, x, logits[i, 1 - agent], 0)

    delta = jnp.full(3, 0.1)
    got = pools.objective(pool, delta, logits, logits, learners)
    gradient = jax.grad(lambda x: pools.objective(pool, delta, x, logits, learners).sum())(logits)
    slow = jax.value_and_grad(expected)
    for i in range(3):
        value, slope = slow(logits[i, 1], i, 1)
        np.testing.assert_allclose(got[i, 1], value, rtol=1e-12)
        np.testing.assert_allclose(gradient[i, 1], slope, rtol=1e-9, atol=1e-12)

    path = pools.naive_path(pool, logits, learners)
    for i in range(3):
        alone = small(
            num_learners=2,
            num_inner_episodes=int(M[i]),
            tremble=error[i] * jnp.ones(()),
            game=ipd.MatrixGame(game.payoffs[i]),
        )
        single = pools.naive_path(alone, logits[i], learners[i])
        np.testing.assert_allclose(path[: M[i] + 1, i], single, rtol=1e-12)
        np.testing.assert_array_equal(path[M[i] :, i], np.broadcast_to(path[M[i], i], path[M[i] :, i].shape))
        np.testing.assert_allclose(pools.episode_mean(pool, path)[i], single.mean(0), rtol=1e-12)


def test_training_goes_on_where_it_stopped():
    pool = small()
    state = pools.init(pool, jax.random.key(0))
    whole, _ = pools.train(pool, state, 8, 4)
    half, _ = pools.train(pool, state, 4, 4)
    rest, _ = pools.train(pool, half, 4, 4)
    np.testing.assert_array_equal(whole.logits, rest.logits)
    stepped = state
    for _ in range(8):
        stepped = pools.update(pool, stepped)
    np.testing.assert_allclose(stepped.logits, whole.logits, rtol=1e-10)


def test_naive_learners_defect_on_each_other():
    """Agents that ascend their own return against each other, and nothing else, fall into mutual defection."""
    pool = small(p_naive=0.0, discount=0.95)
    keys = jax.random.split(jax.random.key(1), 8)
    _, history = pools.train(pool, pools.init(pool, keys), 1000, 1000)
    assert float(jnp.median(history.returns.among_meta[-1])) < 0.1


def test_naive_path_follows_the_learner(rng):
    pool = small(learning_rate=jnp.asarray(2.0))
    logits, learners = jnp.asarray(rng.normal(size=(2, 5))), jnp.asarray(rng.normal(size=(2, 3, 5)))
    path = pools.naive_path(pool, logits, learners)
    assert path.shape == (3, 2, 3, 2)
    learner = learners[1, 2]
    for episode in range(3):
        for player in range(2):
            expected = logit_return(logits[1], learner, player, 0.9, 1.0)
            np.testing.assert_allclose(path[episode, 1, 2, player], expected, rtol=1e-12)
        learner = learner + 2.0 * jax.grad(lambda y: logit_return(logits[1], y, 1, 0.9, 1.0))(learner)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p_naive": 1.5}, r"p_naive holds 1\.5"),
        ({"discount": -0.1}, r"discount holds -0\.1"),
        ({"num_agents": 1}, "num_agents must be 2 or more .* got 1"),
        ({"num_learners": 0}, "num_learners must be 1 or more .* got 0"),
        ({"learning_rate": jnp.asarray(-1.0)}, r"learning_rate holds -1\.0"),
        ({"tremble": jnp.asarray(0.6)}, r"tremble holds 0\.6"),
        ({"inner_episodes": jnp.asarray([1, 3])}, r"inner_episodes holds 3\.0"),
        ({"discount": 1.0, "normalized": False}, "un-normalised returns are infinite"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_bad_training_is_named():
    pool = small()
    with pytest.raises(ValueError, match=r"logits has shape \(3, 5\); its last axes must be \(2, 5\)"):
        pools.init(pool, jax.random.key(0), jnp.zeros((3, 5)))
    with pytest.raises(ValueError, match="num_steps must be a multiple of record_every=3; got 7"):
        pools.train(pool, pools.init(pool, jax.random.key(0)), 7, 3)
    with pytest.raises(ValueError, match="logits holds nan"):
        pools.init(pool, jax.random.key(0), jnp.full((2, 5), jnp.nan))
    broken = pools.init(pool, jax.random.key(0))
    broken = broken._replace(logits=jnp.full((2, 5), jnp.nan))
    with pytest.raises(FloatingPointError, match="logits stopped being finite"):
        pools.train(pool, broken, 2, 1)


@pytest.fixture(scope="module")
def findings():
    """Figure 3C's quick preset: p_naive 0.25, 0 and 1 from random policies."""
    settings = dataclasses.replace(figure_3c.PRESETS["quick"], record_every=500)
    return figure_3c.compute(settings, 0, lambda done: None)


def test_the_three_findings_on_the_quick_preset(findings):
    """Means over 8 seeds. Naive only: extortion; mixed: cooperation; meta agents only: defection."""
    against_naive, among_meta = (findings[name][-1].mean((-1, -2)) for name in ("against_naive", "among_meta"))
    mixed, meta_only, naive_only = range(3)
    assert against_naive[naive_only] > 0.9
    assert among_meta[naive_only] < 0.2
    assert among_meta[mixed] > 0.85
    assert among_meta[meta_only] < 0.1


def test_extortion_grows_out_of_pure_defection():
    """Figure 3A's quick preset: above 0.9 against naive learners, below 0.2 between two such agents."""
    settings = dataclasses.replace(figure_3a.PRESETS["quick"], record_every=1500)
    arrays = figure_3a.compute(settings, 0, lambda done: None)
    assert arrays["against_naive"][-1].mean() > 0.9
    assert arrays["of_naive"][-1].mean() < 0.5
    pool = figures.pool_of(settings, 1.0)
    pairs = jnp.asarray(arrays["logits"][-1]).reshape(-1, 2, 5)
    keys = jax.random.split(jax.random.key(0), len(pairs))
    assert float(pools.evaluate(pool, pairs, keys).among_meta.mean()) < 0.2
