"""Estimators held against their definitions written out as sums, and the recursion against both."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ipd_theory as ipd
from ipd_theory.sampling import estimators

ESTIMATORS = estimators.ESTIMATORS
SHAPES = [(1, 1, 1), (1, 3, 2), (2, 2, 1), (2, 1, 3), (3, 2, 2), (4, 3, 5)]


def table_of_the_paper(rewards, estimator):
    """The weights with every sum of the paper's table written out; l and k count steps of the meta-trajectory."""
    B, M, T = rewards.shape
    r = rewards.reshape(B, M * T)
    w, zero = np.zeros_like(r), 0 * r[0, 0]
    for b, l in itertools.product(range(B), range(M * T)):
        end = (l // T + 1) * T
        own_now = sum((r[b, k] for k in range(l, end)), zero)
        own_later = sum((r[b, k] for k in range(end, M * T)), zero)
        all_later = sum((r[i, k] for i in range(B) for k in range(end, M * T)), zero)
        all_now = sum((r[i, k] for i in range(B) for k in range(l, end)), zero)
        w[b, l] = {
            estimators.coala_pg: own_now / B + all_later / B,
            estimators.batch_unaware: (own_now + own_later) / B,
            estimators.m_fos: own_now + all_later / B,
            estimators.full: (all_now + all_later) / B,
        }[estimator]
    return w.reshape(B, M, T)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_weights_and_recursion_are_the_papers_table(estimator, shape, rng):
    rewards = rng.normal(size=(3, *shape))  # a leading batch axis that must not mix
    wanted = np.stack([table_of_the_paper(x, estimator) for x in rewards])
    np.testing.assert_allclose(estimator(jnp.asarray(rewards)), wanted, atol=1e-13)
    without_values = estimators.advantages(jnp.asarray(rewards), jnp.zeros_like(rewards), estimator)
    np.testing.assert_allclose(without_values, wanted, atol=1e-13)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_weights_of_fractions_are_exact(estimator, rng):
    numbers = rng.integers(-9, 9, (3, 2, 2))
    rewards = np.vectorize(lambda n: Fraction(int(n), 7), otypes=[object])(numbers)
    exact = estimator(rewards)
    assert all(isinstance(w, Fraction) for w in exact.flat)
    assert (exact == table_of_the_paper(rewards, estimator)).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_coala_advantage_is_the_coala_return_minus_the_papers_baseline(shape, rng):
    B = shape[0]
    rewards, values = jnp.asarray(rng.normal(size=shape)), rng.normal(size=shape)
    after = np.concatenate([values[:, 1:, 0], np.zeros((B, 1))], 1)  # the next inner episode's first value
    others_after = (after.sum(0) - after) / B
    wanted = ipd.estimators.coala_pg(rewards) - values / B - others_after[:, :, None]
    ours = estimators.advantages(rewards, jnp.asarray(values), estimators.coala_pg)
    np.testing.assert_allclose(ours, wanted, atol=1e-13)


@pytest.mark.parametrize("final", [0.0, 1.7])
def test_lambda_returns_are_the_mixture_of_n_step_returns(final, rng):
    T, discount, decay = 6, 0.9, 0.7
    rewards, values = rng.normal(size=(1, 1, T)), rng.normal(size=(1, 1, T))
    bootstrap = np.append(values[0, 0, 1:], final)

    def n_step(t, n):
        return sum(discount**k * rewards[0, 0, t + k] for k in range(n)) + discount**n * bootstrap[t + n - 1]

    def mixture(t):
        short = sum(decay ** (n - 1) * n_step(t, n) for n in range(1, T - t))
        return (1 - decay) * short + decay ** (T - t - 1) * n_step(t, T - t)

    wanted = [mixture(t) for t in range(T)]
    rewards, values, final_values = jnp.asarray(rewards), jnp.asarray(values), jnp.full((1,), final)
    ours = estimators.lambda_returns(rewards, values, discount=discount, td_lambda=decay, final_values=final_values)
    np.testing.assert_allclose(ours[0, 0], wanted, atol=1e-13)


@given(
    discount=st.floats(0, 1),
    gae_lambda=st.floats(0, 1),
    shape=st.sampled_from([(2, 2, 2), (3, 2, 1)]),
    seed=st.integers(0, 2**31),
)
def test_independent_advantages_are_lambda_returns_minus_values(discount, gae_lambda, shape, seed):
    rewards, values = (jnp.asarray(x) for x in np.random.default_rng(seed).normal(size=(2, *shape)))
    advantages = estimators.advantages(
        rewards, values, estimators.INDEPENDENT, discount=discount, gae_lambda=gae_lambda
    )
    returns = estimators.lambda_returns(rewards, values, discount=discount, td_lambda=gae_lambda)
    np.testing.assert_allclose(advantages, returns - values, atol=1e-12)


def test_shaping_credit_shrinks_by_the_decay_of_one_inner_episode():
    """A lone reward in the last episode reaches the first one's last step scaled by (γλ)^T an episode."""
    B, M, T, discount, gae_lambda = 3, 3, 2, 0.9, 0.8
    rewards = jnp.zeros((B, M, T)).at[1, 2, 0].set(1.0)
    zeros = jnp.zeros_like(rewards)
    ours = estimators.advantages(rewards, zeros, estimators.coala_pg, discount=discount, gae_lambda=gae_lambda)
    decay = (discount * gae_lambda) ** np.array([[4, 3], [2, 1], [0, np.inf]])
    wanted = np.repeat(decay[None] / B, B, 0)
    wanted[[0, 2], 2] = 0  # in the reward's own episode only its own trajectory is credited
    np.testing.assert_allclose(ours, wanted, atol=1e-15)


def test_full_advantage_is_the_mean_over_the_batch(rng):
    rewards, values = (jnp.asarray(x) for x in rng.normal(size=(2, 4, 3, 2)))
    alone = estimators.advantages(rewards, values, estimators.INDEPENDENT, discount=0.9, gae_lambda=0.5)
    ours = estimators.advantages(rewards, values, estimators.full, discount=0.9, gae_lambda=0.5)
    np.testing.assert_allclose(ours, np.broadcast_to(alone.mean(0), alone.shape), atol=1e-13)


def test_float32_stays_float32():
    rewards = jnp.ones((2, 2, 2), jnp.float32)
    assert estimators.coala_pg(rewards).dtype == jnp.float32
    assert estimators.advantages(rewards, rewards, estimators.m_fos, discount=0.9).dtype == jnp.float32


R = np.ones((2, 3, 4))
BAD = {
    "rewards has shape": ((np.ones((2, 2)), R), {}),
    "rewards has shape .*each 1 or more": ((np.ones((2, 0, 2)), R), {}),
    "rewards must be an array of numbers": (("x", R), {}),
    "rewards holds a NaN": ((np.full((2, 3, 4), np.nan), R), {}),
    "values has shape": ((R, R[:, :2]), {}),
    "values holds a NaN or an infinity": ((R, R * np.inf), {}),
    "final_values has shape": ((R, R), {"final_values": np.zeros(3)}),
    "final_values holds": ((R, R), {"final_values": np.full(2, np.nan)}),
    "discount must be .*at least 0 and at most 1; got 2": ((R, R), {"discount": 2}),
    "discount must be .*; got nan": ((R, R), {"discount": np.nan}),
    "discount must be one finite number": ((R, R), {"discount": np.array([0.5, 0.6])}),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_arguments_are_named(message):
    (rewards, values), named = BAD[message]
    for call in (lambda *x, **y: estimators.advantages(*x, estimators.coala_pg, **y), estimators.lambda_returns):
        with pytest.raises((ValueError, TypeError), match=message):
            call(rewards, values, **named)
    if "rewards" in message and rewards is not R:
        with pytest.raises((ValueError, TypeError), match=message):
            estimators.coala_pg(rewards)


def test_bad_decays_and_estimators_are_named():
    with pytest.raises(ValueError, match=r"gae_lambda must be .*; got -0\.1"):
        estimators.advantages(R, R, estimators.INDEPENDENT, gae_lambda=-0.1)
    with pytest.raises(ValueError, match=r"td_lambda must be .*; got True"):
        estimators.lambda_returns(R, R, td_lambda=True)
    with pytest.raises(TypeError, match="credit"):
        estimators.advantages(R, R, "coala")
    mine = estimators.Estimator("mine", lambda r: r)
    with pytest.raises(ValueError, match="'mine' has no credit"):
        mine.mean_advantages(R, R)
    with pytest.raises(ValueError, match=r"name must be one of 'coala', 'full'.*; got 'mine'"):
        estimators.named("mine")
    with pytest.raises(TypeError, match="weights"):
        estimators.Estimator("mine", 3)
    with pytest.raises(TypeError, match="give `on` an EgoPlay"):
        estimators.Estimator("mine", lambda seen: seen.rewards, sees_all=True)(jnp.asarray(R))


def test_a_traced_discount_is_held_to_its_range():
    rewards = jnp.asarray(R)
    returns = jax.jit(lambda discount: estimators.lambda_returns(rewards, rewards, discount=discount))
    np.testing.assert_array_equal(returns(0.5), estimators.lambda_returns(rewards, rewards, discount=0.5))
    with pytest.raises((ValueError, jax.errors.JaxRuntimeError), match="discount holds 2"):
        jax.block_until_ready(returns(2.0))


def test_lists_and_whole_numbers_are_rewards():
    rewards = [[[1, 2], [3, 4]], [[0, 1], [1, 0]]]
    wanted = estimators.coala_pg(np.array(rewards, float))
    for array in (np.array(rewards), jnp.array(rewards)):
        np.testing.assert_array_equal(estimators.coala_pg(array), wanted)
    np.testing.assert_array_equal(estimators.coala_pg(rewards), wanted)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_losses_that_average_weigh_the_present_alike(estimator, rng):
    """M = 1: every estimator's mean over trajectories is the ordinary policy gradient, whatever B."""
    B = 3
    rewards, scores = jnp.asarray(rng.normal(size=(B, 1, 4))), jnp.asarray(rng.normal(size=(B, 1, 4)))
    ours = (estimator.mean_advantages(rewards, jnp.zeros_like(rewards)) * scores).mean(0)
    present = jnp.flip(jnp.cumsum(jnp.flip(rewards, -1), -1), -1)
    wanted = {"full": present.mean(0) * scores.sum(0)}.get(estimator.name, (present * scores).mean(0))
    np.testing.assert_allclose(ours, wanted, atol=1e-13)
