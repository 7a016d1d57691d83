r"""Four estimators of the learning-aware policy gradient, as return weights and as advantages.

B trajectories of M inner episodes of T steps are played against a naive learner that, after each inner episode,
updates from all B of them. With r_{b,m,t} the reward of trajectory b at step t of inner episode m, every estimator is

    ∇J̄ ≈ Σ_b Σ_m Σ_t  w_{b,m,t} ∇ log π(a_{b,m,t} | h_{b,m,t}),      J̄ = E[(1/B) Σ_b Σ_m Σ_t r_{b,m,t}],

and they differ in the weights. Write c for the rewards from now to the end of the current inner episode and f for
those of all later ones (per trajectory), and an overbar for the mean over the batch; then w is

    COALA-PG                c/B + f̄      an action moves its own trajectory now, and all of them through the learner
    batch-unaware           (c + f)/B    as if the trajectories were independent
    M-FOS (its public code) c + f̄        the current episode counts B times too much
    full                    c̄ + f̄        unbiased too, but without the argument that spares the noise of others.

With a value function, rewards give way to temporal-difference errors δ_l = r_l + γ V_{l+1} − V_l and γ to γλ. One
recursion, backwards over the steps l of the whole meta-trajectory, serves all of them and λ-returns (Algorithm 1):

    acc ← acc_all                                  if l ends an inner episode and future episodes are averaged
    acc ← r_l / N + γ ((1 − λ) v_{l+1} + λ acc)    N = B if the current episode is normalised, else 1
    acc_all ← the mean over b of r_l + γ ((1 − λ) v_{l+1} + λ acc_all).

It starts from v after the last step, which is the bootstrap value for λ-returns and zero for errors δ. Where an inner
episode ends nothing is cut: V_{l+1} is then the value of the next inner episode's first history.

Source: Meulemans et al. 2025, "Multi-agent cooperation through learning-aware policy gradients", section 3 and
Algorithm 1; Lu et al. 2022 for M-FOS. Time is laid out as [..., B, M, T] throughout.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Shaped

Rewards = Shaped[Array, "*batch B M T"] | Shaped[np.ndarray, "*batch B M T"]
Weights = Callable[[Any], Any]  # an estimator: rewards [..., B, M, T] to weights of the same shape


def coala_pg(rewards: Rewards) -> Rewards:
    """Return the weights of COALA-PG [..., B, M, T]: own rewards now over B, everyone's mean rewards later.

    Args:
        rewards: [..., B, M, T] rewards of trajectory, inner episode and step; a numpy array of `Fraction`s gives
            exact weights (here and below).

    Raises:
        ValueError: if `rewards` has fewer than three axes.
    """
    _three_axes(rewards)
    return _current(rewards) / rewards.shape[-3] + _batch_mean(_future(rewards))


def batch_unaware(rewards: Rewards) -> Rewards:
    """Return the weights [..., B, M, T] of the policy gradient that takes the trajectories for independent.

    Arguments and errors are those of `coala_pg`.
    """
    _three_axes(rewards)
    return (_current(rewards) + _future(rewards)) / rewards.shape[-3]


def m_fos(rewards: Rewards) -> Rewards:
    """Return the weights of M-FOS [..., B, M, T] as in its public code: own rewards now, mean rewards later.

    Arguments and errors are those of `coala_pg`.
    """
    _three_axes(rewards)
    return _current(rewards) + _batch_mean(_future(rewards))


def full(rewards: Rewards) -> Rewards:
    """Return the weights [..., B, M, T] that credit every action with everyone's mean rewards from then on.

    Arguments and errors are those of `coala_pg`.
    """
    _three_axes(rewards)
    return _batch_mean(_current(rewards) + _future(rewards))


def _three_axes(rewards: Any) -> None:
    if rewards.ndim < 3:
        raise ValueError(f"rewards has shape {rewards.shape}; it must have the axes (…, B, M, T)")


# These use array methods only, so that the same lines run on jax arrays and on numpy arrays of fractions.


def _current(rewards: Any) -> Any:
    """Return the rewards of the same inner episode from each step on."""
    return rewards[..., ::-1].cumsum(-1)[..., ::-1]


def _future(rewards: Any) -> Any:
    """Return the rewards of all later inner episodes, the same at every step of an episode."""
    episodes = rewards.sum(-1)
    from_here = episodes[..., ::-1].cumsum(-1)[..., ::-1]
    return (from_here - episodes)[..., None] + 0 * rewards


def _batch_mean(weights: Any) -> Any:
    return weights.mean(-3)[..., None, :, :] + 0 * weights


class Credit(NamedTuple):
    """What the advantage recursion does with the batch (Algorithm 1's two flags, and a third for `FULL`).

    Attributes:
        average_future_episodes: credit rewards after the current inner episode to everyone, averaged over the batch.
        normalize_current_episode: divide rewards of the current inner episode by B.
        average_current_episode: average rewards over the batch before anything else.
    """

    average_future_episodes: bool = False
    normalize_current_episode: bool = False
    average_current_episode: bool = False


INDEPENDENT = Credit()
"""Each trajectory keeps its own rewards: λ-returns, ordinary policy gradients, and B times `BATCH_UNAWARE`."""
COALA_PG = Credit(average_future_episodes=True, normalize_current_episode=True)
BATCH_UNAWARE = Credit(normalize_current_episode=True)
M_FOS = Credit(average_future_episodes=True)
FULL = Credit(average_current_episode=True)


def advantages(
    rewards: Float[Array, "*batch B M T"],
    values: Float[Array, "*batch B M T"],
    credit: Credit,
    *,
    discount: ArrayLike = 1.0,
    gae_lambda: ArrayLike = 1.0,
    final_values: Float[Array, "*batch B"] | None = None,
) -> Float[Array, "*batch B M T"]:
    """Return generalised advantage estimates [..., B, M, T], to be summed (not averaged) over B against ∇ log π.

    With values zero and γ = λ = 1 they are the return weights of the estimator that `credit` names. With γλ < 1 the
    credit for later inner episodes shrinks by (γλ)^T for each of them, a bias against shaping.

    Args:
        rewards: [..., B, M, T] rewards.
        values: [..., B, M, T] V(h) of each history before its action, in units of return.
        credit: `COALA_PG`, `BATCH_UNAWARE`, `M_FOS`, `FULL` or `INDEPENDENT`; the paper runs its batch-unaware
            baseline with `INDEPENDENT` (Algorithm 1 with both flags off), B times the weights of its equation.
        discount: γ, one number.
        gae_lambda: λ, one number.
        final_values: [..., B] V after the last step; zero if not given, for a meta-trajectory that ends there.

    Raises:
        ValueError: if `values` or `final_values` does not fit `rewards`.
    """
    next_values = _next_values(rewards, values, final_values)
    errors = rewards + discount * next_values - values
    return _accumulate(errors, jnp.zeros_like(errors), jnp.multiply(discount, gae_lambda), 1.0, credit)


def lambda_returns(
    rewards: Float[Array, "*batch B M T"],
    values: Float[Array, "*batch B M T"],
    *,
    discount: ArrayLike = 1.0,
    td_lambda: ArrayLike = 1.0,
    final_values: Float[Array, "*batch B"] | None = None,
) -> Float[Array, "*batch B M T"]:
    """Return the targets [..., B, M, T] of TD(λ) for a value function, each trajectory by itself.

    With λ = 1 they are Monte-Carlo returns. Arguments and errors are those of `advantages`; one inner episode
    of a naive learner is M = 1.
    """
    next_values = _next_values(rewards, values, final_values)
    return _accumulate(rewards, next_values, discount, td_lambda, INDEPENDENT)


def _next_values(rewards: Array, values: Array, final_values: Array | None) -> Array:
    """Return V_{l+1} at each step, the next inner episode's first where an inner episode ends."""
    _three_axes(rewards)
    if values.shape != rewards.shape:
        raise ValueError(f"values has shape {values.shape}; it must have that of rewards, {rewards.shape}")
    final = jnp.zeros_like(values[..., 0, 0]) if final_values is None else final_values
    if final.shape != rewards.shape[:-2]:
        raise ValueError(f"final_values has shape {final.shape}; it must have the shape {rewards.shape[:-2]}")
    flat = values.reshape(*values.shape[:-2], -1)
    return jnp.concatenate([flat[..., 1:], final[..., None]], -1).reshape(values.shape)


@functools.partial(jax.jit, static_argnames="credit")
def _accumulate(rewards: Array, next_values: Array, discount: ArrayLike, decay: ArrayLike, credit: Credit) -> Array:
    """Run the module's recursion backwards over the M·T steps of each meta-trajectory; `decay` is its λ."""
    *_, B, M, T = rewards.shape
    if credit.average_current_episode:
        rewards, next_values = _batch_mean(rewards), _batch_mean(next_values)
    share = 1 / B if credit.normalize_current_episode else 1.0

    def step(carry: tuple[Array, Array], l: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        acc, acc_all = carry
        r, v, ends_episode = l
        if credit.average_future_episodes:
            acc = jnp.where(ends_episode, acc_all, acc)
        acc = share * r + discount * ((1 - decay) * v + decay * acc)
        acc_all = jnp.mean(r + discount * ((1 - decay) * v + decay * acc_all), -1, keepdims=True)
        return (acc, acc_all), acc

    r, v = (jnp.moveaxis(x.reshape(*x.shape[:-2], M * T), -1, 0) for x in (rewards, next_values))
    ends_episode = jnp.arange(M * T) % T == T - 1
    _, out = jax.lax.scan(step, (v[-1], v[-1].mean(-1, keepdims=True)), (r, v, ends_episode), reverse=True)
    return jnp.moveaxis(out, 0, -1).reshape(rewards.shape)
