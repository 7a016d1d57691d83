"""The two shortened enumerations: last episode in closed form (floats), and everything in fractions."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.sampling import enumeration, estimators, fractions, learners, prefixes
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

ADAM = learners.policy_gradient(optax.adam(0.5), critic=True, normalize_advantages=True)
SLOW = learners.reinforce_in_probabilities(Fraction(1, 32))


def floats(shape, remember, seed=0):
    rng = np.random.default_rng(seed)
    pomdp = ShapingPOMDP(ipd.prisoners_dilemma(), ADAM, jnp.asarray(rng.normal(size=5)), *shape, remember)
    return pomdp, jnp.asarray(rng.normal(size=(shape[1] if remember else 1, 5)))


@pytest.mark.parametrize("remember", [True, False])
def test_prefixes_give_the_moments_of_the_whole_enumeration(remember):
    shape = (2, 2, 2)
    pomdp, logits = floats(shape, remember)
    everything, listed = enumeration.enumerate_meta_episodes(pomdp), prefixes.enumerate_prefixes(pomdp)
    truth = enumeration.true_gradient(everything, logits)
    shorter = prefixes.true_gradient_by_prefix(listed, logits)
    np.testing.assert_allclose(shorter.current, truth.current, atol=1e-13)
    np.testing.assert_allclose(shorter.shaping, truth.shaping, atol=1e-13)
    for weights in (estimators.coala_pg, estimators.full) if remember else (estimators.batch_unaware,):
        whole = enumeration.moments(everything, logits, weights(everything.episodes.ego.rewards))
        ours = prefixes.moments_by_prefix(listed, logits, prefixes.linear_form(weights, shape))
        np.testing.assert_allclose(ours.mean, whole.mean, atol=1e-13)
        np.testing.assert_allclose(ours.covariance, whole.covariance, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2, 1), (2, 1, 2)])
def test_odd_sizes_agree_too(shape):
    pomdp, logits = floats(shape, remember=True)
    everything = enumeration.enumerate_meta_episodes(pomdp)
    weights = estimators.full
    whole = enumeration.moments(everything, logits, weights(everything.episodes.ego.rewards))
    ours = prefixes.moments_by_prefix(prefixes.enumerate_prefixes(pomdp), logits, prefixes.linear_form(weights, shape))
    np.testing.assert_allclose(ours.mean, whole.mean, atol=1e-13)
    np.testing.assert_allclose(ours.covariance, whole.covariance, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 2), (4, 2, 2)])
def test_coala_pg_is_unbiased_in_larger_batches(shape):
    pomdp, logits = floats(shape, remember=shape[1] == 3)
    listed = prefixes.enumerate_prefixes(pomdp)
    truth = prefixes.true_gradient_by_prefix(listed, logits)
    for weights in (estimators.coala_pg, estimators.batch_unaware):
        mean = prefixes.moments_by_prefix(listed, logits, prefixes.linear_form(weights, shape)).mean
        error = jnp.abs(mean - truth.total).max()
        assert error < 1e-12 if weights is estimators.coala_pg else error > 1e-3


@pytest.mark.slow
def test_eight_trajectories():
    shape = (8, 2, 2)
    pomdp, logits = floats(shape, remember=False)
    listed = prefixes.enumerate_prefixes(pomdp)
    truth = prefixes.true_gradient_by_prefix(listed, logits)
    forms = [prefixes.linear_form(w, shape) for w in (estimators.coala_pg, estimators.batch_unaware, estimators.m_fos)]
    coala, unaware, m_fos = (prefixes.moments_by_prefix(listed, logits, form).mean for form in forms)
    np.testing.assert_allclose(coala, truth.total, atol=1e-12)
    np.testing.assert_allclose(unaware, truth.current + truth.shaping / 8, atol=1e-12)
    np.testing.assert_allclose(m_fos, 8 * unaware, atol=1e-12)


@pytest.mark.parametrize(
    "weights",
    [lambda r: r**2, lambda r: r.at[..., 0, :, :].mul(2.0), lambda r: jnp.broadcast_to(r[..., :1, :, :], r.shape)],
)
def test_other_estimators_have_no_linear_form(weights):
    with pytest.raises(ValueError, match="linear in the rewards"):
        prefixes.linear_form(weights, (3, 2, 1))


def exact(shape, remember, by_episode, game=None, seed=0):
    """A problem with random fractions; probabilities stay away from 0 and 1, where the learner could leave."""
    rng = np.random.default_rng(seed)
    game = game or ipd.prisoners_dilemma()
    pomdp = ShapingPOMDP(game, SLOW, jnp.full(5, 0.5), *shape, remember)
    numbers = rng.integers(3, 8, (shape[1] + 1 if by_episode else 2, 5))
    table = np.vectorize(lambda n: Fraction(int(n), 10), [object])(numbers)
    return pomdp, table[1:], table[0], fractions.enumerate_rationally(pomdp, table[1:].shape, table[0])


EXACT = {
    "two steps, two trajectories": ((2, 2, 1), True, False, None),
    "by episode": ((2, 1, 2), False, True, ipd.games.stag_hunt()),
    "three episodes": ((1, 3, 1), True, True, None),
    "three trajectories": ((3, 2, 1), False, False, ipd.games.chicken()),
    "three episodes, two trajectories": ((2, 3, 1), True, False, ipd.games.matching_pennies()),
    "one trajectory": ((1, 2, 2), True, True, None),
}


@pytest.mark.parametrize("case", EXACT)
def test_coala_pg_and_full_are_unbiased_exactly(case):
    shape, remember, by_episode, game = EXACT[case]
    _, ego, _, everything = exact(shape, remember, by_episode, game)
    truth = fractions.true_gradient(everything, ego)
    assert any(truth)
    assert fractions.expectation(everything, ego, estimators.coala_pg) == truth
    assert fractions.expectation(everything, ego, estimators.full) == truth
    if shape[0] > 1 and shape[1] > 1:
        assert fractions.expectation(everything, ego, estimators.m_fos) != truth
        unaware = fractions.expectation(everything, ego, estimators.batch_unaware)
        m_fos = fractions.expectation(everything, ego, estimators.m_fos)
        assert (m_fos == [shape[0] * x for x in unaware]) == (not remember)


def test_coala_pg_is_unbiased_exactly_over_65536_trajectories():
    _, ego, _, everything = exact((2, 2, 2), remember=False, by_episode=False)
    truth = fractions.true_gradient(everything, ego)
    assert all(truth)
    assert fractions.expectation(everything, ego, estimators.coala_pg) == truth


def test_fractions_and_floats_agree():
    pomdp, ego, learner_table, everything = exact((2, 2, 1), remember=True, by_episode=True)
    p = jnp.asarray(ego.astype(float))
    start = jnp.asarray(learner_table.astype(float))
    rule = learners.reinforce_in_probabilities(1 / 32)
    same = ShapingPOMDP(pomdp.game, rule, start, 2, 2, 1, True)
    in_floats = enumeration.enumerate_meta_episodes(same)
    logits = jnp.log(p / (1 - p))
    truth = enumeration.true_gradient(in_floats, logits).total
    ours = np.array(fractions.true_gradient(everything, ego), float)
    np.testing.assert_allclose(ours * (p * (1 - p)).ravel(), truth, atol=1e-14)


def test_bad_rational_problems_are_refused():
    pomdp = ShapingPOMDP(
        ipd.prisoners_dilemma(), learners.reinforce_in_probabilities(Fraction(3)), jnp.full(5, 0.5), 2, 2, 1
    )
    half = fractions.exact(["1/2"] * 5)
    with pytest.raises(ValueError, match=r"left \[0, 1\]"):
        fractions.enumerate_rationally(pomdp, (1, 5), half)
    with pytest.raises(ValueError, match="summed in fractions"):
        fractions.enumerate_rationally(ShapingPOMDP(pomdp.game, SLOW, jnp.full(5, 0.5), 3, 2, 2), (1, 5), half)


def test_coala_pg_tends_to_the_gradient_through_the_expected_steps():
    """∇J̄ at batch size B is the limit plus c/B plus O(1/B²): the pair B, 2B removes c, and its rest falls fourfold."""
    rng, rate = np.random.default_rng(1), 0.5
    table, ego = (jnp.asarray(x) for x in rng.normal(size=(2, 5)))
    game, off = ipd.prisoners_dilemma(), {}
    limit = enumeration.large_batch_gradient(game, ego, table, rate, 2, 2)
    for B in (1, 2, 4):
        pomdp = ShapingPOMDP(game, learners.reinforce(rate), table, B, 2, 2)
        off[B] = prefixes.true_gradient_by_prefix(prefixes.enumerate_prefixes(pomdp), ego[None]).total - limit
    rest = {B: np.linalg.norm(2 * off[2 * B] - off[B]) for B in (1, 2)}
    assert np.linalg.norm(off[1]) > np.linalg.norm(off[2]) > np.linalg.norm(off[4]) > 1e-4
    np.testing.assert_allclose(rest[1] / rest[2], 4, rtol=0.1)
