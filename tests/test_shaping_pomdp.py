"""The sampler held against the enumeration.

Statistical tests are seeded and run at a false-alarm rate of 1e-6 for each number compared.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

import ipd_theory as ipd
from ipd_theory.sampling import enumeration, estimators, learners
from ipd_theory.sampling.shaping_pomdp import MetaEpisodes, ShapingPOMDP, estimates, play

FALSE_ALARM = 1e-6
RULES = {
    "REINFORCE": learners.reinforce(2.0),
    "actor-critic": learners.policy_gradient(optax.adam(0.5), discount=0.9, critic=True, normalize_advantages=True),
}


def problem(rule, remember, start=None, game=None):
    rng = np.random.default_rng(3)
    B, M, T = 2, 2, 2
    pomdp = ShapingPOMDP(
        game or ipd.prisoners_dilemma(), RULES[rule], jnp.asarray(rng.normal(size=5)), B, M, T, remember, start
    )
    return pomdp, jnp.asarray(rng.normal(size=(M if remember else 1, 5)))


@pytest.mark.parametrize(("rule", "remember", "start"), [("REINFORCE", True, None), ("actor-critic", False, 1)])
def test_sampled_gradient_has_the_exact_mean_and_covariance(rule, remember, start):
    pomdp, logits = problem(rule, remember, start)
    N = 100_000
    played = play(jax.random.key(1), pomdp, logits, N)
    g = estimates(played, logits, estimators.coala_pg(played.ego.rewards)).reshape(N, -1)
    everything = enumeration.enumerate_meta_episodes(pomdp)
    exact = enumeration.moments(everything, logits, estimators.coala_pg(everything.episodes.ego.rewards))
    visited = np.diag(exact.covariance) > 1e-12
    z = (g.mean(0) - exact.mean)[visited] / np.sqrt(np.diag(exact.covariance)[visited] / N)
    assert np.abs(z).max() < stats.norm.isf(FALSE_ALARM / 2)
    centred = (g - exact.mean)[:, visited]
    products = centred[:, :, None] * centred[:, None]
    error = products.mean(0) - exact.covariance[np.ix_(visited, visited)]
    assert np.abs(error / (products.std(0) / np.sqrt(N))).max() < stats.norm.isf(FALSE_ALARM / 2)


def test_every_meta_episode_occurs_as_often_as_it_should():
    """A chi-square test over all 256 meta-episodes of B = 2, M = 2, T = 1."""
    rng = np.random.default_rng(0)
    pomdp = ShapingPOMDP(ipd.prisoners_dilemma(), RULES["REINFORCE"], jnp.asarray(rng.normal(size=5)), 2, 2, 1, True)
    logits, N = jnp.asarray(rng.normal(size=(1, 5))), 200_000
    played = play(jax.random.key(2), pomdp, logits, N)
    everything = enumeration.enumerate_meta_episodes(pomdp, exchangeable=False)

    def numbers(episodes: MetaEpisodes):
        outcomes = np.asarray(2 * episodes.ego.actions + episodes.learner.actions).reshape(-1, 4)
        return outcomes @ 4 ** np.arange(4)

    P = np.zeros(256)
    P[numbers(everything.episodes)] = enumeration.probabilities(everything, logits)
    counts = np.bincount(numbers(played), minlength=256)
    assert stats.chisquare(counts, N * P / P.sum()).pvalue > FALSE_ALARM


def test_recorded_steps_belong_together():
    """Rewards are the game's, contexts follow outcomes, the learner forgets, and its policies are its rule's."""
    pomdp, logits = problem("actor-critic", remember=True, game=ipd.games.battle_of_the_sexes())
    played = play(jax.random.key(3), pomdp, logits, 50)
    ego, learner, policies = played.ego, played.learner, played.learner_policies
    payoffs = np.asarray(pomdp.game.payoffs)
    np.testing.assert_array_equal(ego.rewards, payoffs[0][ego.actions, learner.actions])
    np.testing.assert_array_equal(learner.rewards, payoffs[1][ego.actions, learner.actions])
    outcome = np.asarray(2 * ego.actions + learner.actions)
    flat = np.asarray(ego.contexts).reshape(50, 2, -1)
    np.testing.assert_array_equal(flat[..., 0], 0)
    np.testing.assert_array_equal(flat[..., 1:], 1 + outcome.reshape(50, 2, -1)[..., :-1])
    np.testing.assert_array_equal(learner.contexts[..., 0], 0)
    np.testing.assert_array_equal(learner.contexts[..., 1], 1 + np.array([0, 2, 1, 3])[outcome[..., 0]])
    np.testing.assert_allclose(policies, enumeration.learner_path(pomdp, learner), atol=1e-14)


def test_estimates_are_sums_of_weighted_scores():
    """Against automatic differentiation of Σ w log π, written with the probabilities of the actions taken."""
    pomdp, logits = problem("REINFORCE", remember=True)
    played = play(jax.random.key(4), pomdp, logits, 5)
    weights = estimators.m_fos(played.ego.rewards)

    def weighted(logits, n):
        ego = jax.tree.map(lambda x: x[n], played.ego)
        p = jax.nn.sigmoid(logits)[jnp.arange(2)[:, None], ego.contexts]
        return (weights[n] * jnp.log(jnp.where(ego.actions == 0, p, 1 - p))).sum()

    wanted = jnp.stack([jax.grad(weighted)(logits, n) for n in range(5)])
    np.testing.assert_allclose(estimates(played, logits, weights), wanted, atol=1e-13)


def test_reinforce_follows_its_policy_gradient(rng):
    """One REINFORCE step against the gradient of the batch's surrogate by automatic differentiation."""
    B, T, gamma = 3, 4, 0.8
    seen = learners.Seen(
        jnp.asarray(rng.integers(0, 5, (B, T))),
        jnp.asarray(rng.integers(0, 2, (B, T))),
        jnp.asarray(rng.normal(size=(B, T))),
    )
    logits = jnp.asarray(rng.normal(size=5))
    returns = np.zeros((B, T))
    for t in reversed(range(T)):
        returns[:, t] = seen.rewards[:, t] + (gamma * returns[:, t + 1] if t + 1 < T else 0)

    def surrogate(logits):
        p = jax.nn.sigmoid(logits)[seen.contexts]
        return (returns * jnp.log(jnp.where(seen.actions == 0, p, 1 - p))).sum() / B

    rule = learners.reinforce(0.3, gamma)
    after = rule.policy(rule.update(rule.init(logits), seen))
    np.testing.assert_allclose(after, jax.nn.sigmoid(logits + 0.3 * jax.grad(surrogate)(logits)), atol=1e-14)

    critic = learners.policy_gradient(optax.sgd(0.3), discount=gamma, critic=True)
    state = critic.update(critic.init(logits), seen)
    visits = [np.asarray(seen.contexts) == c for c in range(5)]
    wanted = [0.3 * returns[v].sum() / B for v in visits]  # values start at 0 and move to the mean return
    np.testing.assert_allclose(state.parameters[1], wanted, atol=1e-14)

    returns = returns - np.asarray(wanted)[seen.contexts]
    later = critic.update(state, seen).parameters[0]  # the values are subtracted from then on
    np.testing.assert_allclose(later, state.parameters[0] + 0.3 * jax.grad(surrogate)(state.parameters[0]), atol=1e-14)


def test_bad_environments_are_named():
    game = ipd.prisoners_dilemma()
    with pytest.raises(ValueError, match="batch_size must be a whole number, 1 or more; got 0"):
        ShapingPOMDP(game, RULES["REINFORCE"], jnp.zeros(5), 0, 1, 1)
    with pytest.raises(ValueError, match="start must be None or an outcome"):
        ShapingPOMDP(game, RULES["REINFORCE"], jnp.zeros(5), 1, 1, 1, start=4)
    with pytest.raises(ValueError, match=r"game\.payoffs has shape"):
        ShapingPOMDP(ipd.prisoners_dilemma(T=jnp.array([2.0, 3.0])), RULES["REINFORCE"], jnp.zeros(5), 1, 1, 1)
    pomdp = ShapingPOMDP(game, RULES["REINFORCE"], jnp.zeros(5), 1, 2, 1)
    with pytest.raises(ValueError, match=r"must be \(1, h\) or \(M, h\)"):
        play(jax.random.key(0), pomdp, jnp.zeros((3, 5)), 1)
