"""Estimators held against the gradient of the exact return, by summing over every meta-episode."""

import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.sampling import enumeration, estimators, learners, prefixes, shaping_pomdp
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

REINFORCE = learners.reinforce(2.0)
ADAM = learners.policy_gradient(optax.adam(0.5, eps=1e-5), discount=0.9, critic=True, normalize_advantages=True)
WEIGHTS = [estimators.coala_pg, estimators.full, estimators.batch_unaware, estimators.m_fos]


class Case(NamedTuple):
    shape: tuple[int, int, int]
    learner: learners.TabularLearner = REINFORCE
    game: ipd.MatrixGame = ipd.prisoners_dilemma()
    remember: bool = False
    by_episode: bool = False  # ego's table depends on the inner episode
    ego_memory: int = 1
    start: int | None = None


CASES = {
    "REINFORCE": Case((2, 2, 2)),
    "Adam, normalised": Case((2, 2, 2), ADAM, remember=True, by_episode=True),
    "one step, by episode": Case((2, 2, 1), ADAM, ipd.games.stag_hunt(), by_episode=True),
    "one trajectory": Case((1, 3, 2), ADAM, ipd.games.chicken(), remember=True),
    "three trajectories": Case((3, 2, 1), REINFORCE, ipd.games.matching_pennies(), remember=True, start=2),
    "memory two": Case((2, 3, 1), ADAM, ipd.games.battle_of_the_sexes(), remember=True, ego_memory=2),
    "start after CD": Case((2, 1, 2), REINFORCE, start=1),
}


def environment(case, seed=0):
    rng = np.random.default_rng(seed)
    game, (B, M, T) = case.game, case.shape
    pomdp = ShapingPOMDP(game, case.learner, jnp.asarray(rng.normal(size=5)), B, M, T, case.remember, case.start)
    h = ipd.strategies.num_contexts(case.ego_memory)
    logits = jnp.asarray(rng.normal(size=(M if case.by_episode else 1, h)))
    return pomdp, logits, enumeration.enumerate_meta_episodes(pomdp, case.ego_memory)


@pytest.fixture(scope="module", params=CASES, name="solved")
def _solved(request):
    case = CASES[request.param]
    pomdp, logits, everything = environment(case)
    rewards = everything.episodes.ego.rewards
    means = {w: enumeration.moments(everything, logits, w(rewards)).mean for w in WEIGHTS}
    return case, pomdp, logits, everything, enumeration.true_gradient(everything, logits), means


def test_probabilities_sum_to_one(solved):
    _, _, logits, everything, _, _ = solved
    np.testing.assert_allclose(enumeration.probabilities(everything, logits).sum(), 1.0, rtol=1e-13)


@pytest.mark.parametrize("weights", [estimators.coala_pg, estimators.full])
def test_coala_pg_and_full_are_unbiased(solved, weights):
    *_, truth, means = solved
    assert jnp.abs(truth.total).max() > 1e-2
    np.testing.assert_allclose(means[weights], truth.total, atol=1e-12)


def test_baselines_are_biased_as_the_decomposition_says(solved):
    """Without memory across episodes: E[batch-unaware] = g_cur + g_shape / B and E[M-FOS] = B · E[batch-unaware]."""
    case, *_, truth, means = solved
    (B, M, _), wanted = case.shape, truth.current + truth.shaping / case.shape[0]
    if not case.remember or B == 1:
        np.testing.assert_allclose(means[estimators.batch_unaware], wanted, atol=1e-12)
        np.testing.assert_allclose(means[estimators.m_fos], B * means[estimators.batch_unaware], atol=1e-12)
    else:  # a counterexample each
        assert jnp.abs(means[estimators.batch_unaware] - wanted).max() > 1e-4
        assert jnp.abs(means[estimators.m_fos] - B * means[estimators.batch_unaware]).max() > 1e-4
    if B > 1 and M > 1:
        assert jnp.abs(means[estimators.batch_unaware] - truth.total).max() > 1e-4


def test_own_episode_part_is_the_own_part_of_the_gradient(solved):
    _, _, logits, everything, truth, _ = solved
    weights = enumeration.current_part(estimators.coala_pg)(everything.episodes.ego.rewards)
    mean = enumeration.moments(everything, logits, weights).mean
    np.testing.assert_allclose(mean, truth.current, atol=1e-12)


def test_true_gradient_is_that_of_finite_differences():
    _, logits, everything = environment(CASES["Adam, normalised"])
    truth, step = enumeration.true_gradient(everything, logits).total, 1e-4
    for i in range(logits.size):
        e = step * jnp.eye(logits.size)[i].reshape(logits.shape)
        ends = [enumeration.expected_return(everything, logits + s * e) for s in (1, -1)]
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), truth[i], atol=1e-6)


def test_one_inner_episode_is_the_finite_game():
    """M = 1: the sum of T steps has the exact mean and gradient of the finite repeated game."""
    case = CASES["start after CD"]._replace(start=None)
    pomdp, logits, everything = environment(case)
    q, T = jax.nn.sigmoid(pomdp.learner_table), case.shape[2]

    def exact(logits):
        return T * ipd.expected_returns(pomdp.game, jax.nn.sigmoid(logits[0]), q, horizon=T)[0]

    np.testing.assert_allclose(enumeration.expected_return(everything, logits), exact(logits), rtol=1e-13)
    truth = enumeration.true_gradient(everything, logits)
    np.testing.assert_allclose(truth.total, jax.grad(exact)(logits)[0], atol=1e-13)
    assert not truth.shaping.any()


def test_multisets_stand_for_all_tuples():
    case = CASES["three trajectories"]
    pomdp, logits, everything = environment(case)
    ordered = enumeration.enumerate_meta_episodes(pomdp, exchangeable=False)
    assert len(ordered.orders) == 4**6
    assert len(everything.orders) == math.comb(16 + 2, 3)
    np.testing.assert_allclose(everything.orders.sum(), 4**6)
    for weights in WEIGHTS:
        few, all_ = (
            enumeration.moments(listed, logits, weights(listed.episodes.ego.rewards))
            for listed in (everything, ordered)
        )
        np.testing.assert_allclose(few.mean, all_.mean, atol=1e-13)
        np.testing.assert_allclose(few.covariance, all_.covariance, atol=1e-13)


def test_any_value_function_leaves_the_coala_advantage_unbiased(rng):
    """V is an arbitrary function of a trajectory's whole history so far; at γλ < 1 the bias is measured."""
    _, logits, everything = environment(CASES["Adam, normalised"])
    ego = everything.episodes.ego
    history = [jnp.zeros(ego.rewards[..., 0, 0].shape, int)]
    outcomes = 2 * ego.actions + everything.episodes.learner.actions
    for l in range(outcomes[0, 0].size):
        history.append(4 * history[-1] + outcomes.reshape(*outcomes.shape[:2], -1)[..., l] + 1)  # one number a history
    values = jnp.asarray(3 * rng.normal(size=400))[jnp.stack(history[:-1], -1)].reshape(ego.rewards.shape)
    truth = enumeration.true_gradient(everything, logits).total

    def bias(credit, gae_lambda=1.0):
        weights = estimators.advantages(ego.rewards, values, credit, gae_lambda=gae_lambda)
        return jnp.abs(enumeration.moments(everything, logits, weights).mean - truth).max()

    assert bias(estimators.coala_pg) < 1e-12
    assert bias(estimators.full) < 1e-12
    assert bias(estimators.batch_unaware) > 1e-3
    assert bias(estimators.m_fos) > 1e-3
    biases = [float(bias(estimators.coala_pg, gae_lambda)) for gae_lambda in (0.99, 0.9, 0.5)]
    assert 1e-4 < biases[0] < biases[1] < biases[2]


def test_contexts_are_histories_written_out():
    """Ego's memory-two contexts across an inner boundary, against the names in `strategies.contexts`."""
    pomdp, _, everything = environment(CASES["memory two"])
    names = ipd.strategies.contexts(2)
    outcomes = 2 * everything.episodes.ego.actions + everything.episodes.learner.actions
    for n, b in itertools.product((0, 77, 901, len(outcomes) - 1), range(2)):
        played = [["CC", "CD", "DC", "DD"][o] for o in outcomes[n, b, :, 0]]
        wanted = ["start", played[0], "·".join(played[:2])]
        assert [names[c] for c in everything.episodes.ego.contexts[n, b, :, 0]] == wanted
    assert not everything.episodes.learner.contexts.any()  # T = 1: the learner always starts afresh
    assert pomdp.remember_across_episodes


def test_a_learner_that_leaves_the_unit_interval_is_refused():
    B, M, T = 2, 2, 1
    rule = learners.reinforce_in_probabilities(5.0)
    pomdp = ShapingPOMDP(ipd.prisoners_dilemma(), rule, jnp.full(5, 0.5), B, M, T)
    with pytest.raises(ValueError, match=r"left \[0, 1\]"):
        enumeration.enumerate_meta_episodes(pomdp)


def test_too_many_meta_episodes_are_refused():
    pomdp = ShapingPOMDP(ipd.prisoners_dilemma(), REINFORCE, jnp.zeros(5), 4, 3, 3)
    with pytest.raises(ValueError, match="meta-episodes to sum over"):
        enumeration.enumerate_meta_episodes(pomdp)


def test_a_table_of_another_memory_is_refused():
    """Listed for memory one, a table of memory two would silently be another problem."""
    pomdp, logits, everything = environment(CASES["one step, by episode"])
    two, weights = jnp.zeros((1, 21)), everything.episodes.ego.rewards
    for call in (
        lambda: enumeration.probabilities(everything, two),
        lambda: enumeration.true_gradient(everything, two),
        lambda: enumeration.expected_return(everything, two),
        lambda: enumeration.moments(everything, two, weights),
        lambda: shaping_pomdp.estimates(everything.episodes, two, weights),
    ):
        with pytest.raises(ValueError, match=r"ego_logits has 21 entries, memory 2; .* ego_memory 1"):
            call()
    form = prefixes.linear_form(estimators.coala_pg, (2, 2, 2))
    with pytest.raises(ValueError, match=r"form is that of \(B, M, T\) = \(2, 2, 2\); the prefixes"):
        prefixes.moments_by_prefix(prefixes.enumerate_prefixes(pomdp), logits, form)
