"""How much of a meta agent's policy gradient comes from rewards of the current inner episode, and how much from later
ones (Meulemans et al. 2025, Figure 12)."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from ipd_theory.rl.chunks import mean_over, mean_over_chunks, sum_over
from ipd_theory.rl.config import Meta
from ipd_theory.rl.losses import by_time, by_trajectory, whole
from ipd_theory.rl.policies import Policy, along, chosen
from ipd_theory.rl.rollout import MetaEpisode
from ipd_theory.sampling.estimators import Estimator


class GradientParts(NamedTuple):
    """Norms of the policy gradient's parts: from rewards of the current inner episode, and of later ones."""

    current: Array
    future: Array


def measured(
    policy: Policy,
    record: MetaEpisode,
    naive: Bool[Array, " G"],
    estimator: Estimator,
    settings: Meta,
    axis: str | None = None,
) -> GradientParts:
    """Return the parts of the gradient against naive co-players, before the update.

    Args:
        policy: the policy that played.
        record: what it played, against G co-players.
        naive: [G] whether the co-player learns within the meta-episode.
        estimator: of the gradient.
        settings: of the learning.
        axis: the mesh axis over which devices share the co-players, if they do.
    """
    credits = credit_by_time(by_trajectory(record.rewards[..., 0, :]), naive, estimator, settings, axis)
    observations, actions = whole(record.observations), whole(record.actions[..., 0, :])
    current, future = (whole(by_time(credit)) for credit in credits)
    return norms(policy, observations, actions, (current, future), settings.trajectories_at_once, axis)


def credit_by_time(
    rewards: Float[Array, "G B M T"],
    naive: Bool[Array, " G"],
    estimator: Estimator,
    settings: Meta,
    axis: str | None = None,
) -> tuple[Float[Array, "G B M T"], Float[Array, "G B M T"]]:
    """Return what an estimator's weights owe to the current inner episode and to later ones, both zero where not naive.

    Without values, and less their means over trajectories at each step, which takes nothing from the gradient's mean
    but the share 1/(G B). Arguments are those of `losses.meta_advantages`.
    """
    B = rewards.shape[1]
    estimate = functools.partial(estimator.mean_advantages, discount=settings.discount, gae_lambda=settings.gae_lambda)
    alone = jnp.swapaxes(rewards, 1, 2)[:, :, :, None]  # each inner episode a meta-trajectory [G, M, B, 1, T]
    current = jnp.swapaxes(estimate(alone, jnp.zeros_like(alone))[:, :, :, 0], 1, 2)
    future = estimate(rewards, jnp.zeros_like(rewards)) - current
    weight = naive[:, None, None, None].astype(rewards.dtype)
    count = jnp.maximum(sum_over(axis, weight.sum()) * B, 1)

    def centred(x: Array) -> Array:
        return settings.reward_scale * weight * (x - sum_over(axis, (weight * x).sum((0, 1))) / count)

    return centred(current), centred(future)


def norms(
    policy: Policy,
    observations: Array,
    actions: Int[Array, "time N"],
    credits: tuple[Float[Array, "time N"], Float[Array, "time N"]],
    at_once: int | None = None,
    axis: str | None = None,
) -> GradientParts:
    """Return the norms of mean(weight ∇ log π) for two sets of weights.

    Args:
        policy: the policy that made the data.
        observations: [time, N, …] whole meta-trajectories.
        actions: what it did.
        credits: weights of the current part and the future part.
        at_once: how many trajectories' gradients are taken together, 0 for all, None for as many as is fast.
        axis: the mesh axis over which devices share the trajectories, if they do.
    """
    network, transpose = jax.vjp(lambda policy: policy.ready(actions.size), policy)

    def parts(chunk: tuple[Array, Array, tuple[Array, Array]]) -> tuple[Any, ...]:
        observations, actions, credits = chunk
        log_probability, pull = jax.vjp(lambda network: chosen(along(network, observations)[0], actions), network)
        return tuple(pull(weight / log_probability.size)[0] for weight in credits)

    gradients = mean_over_chunks(parts, (observations, actions, credits), at_once)
    return GradientParts(*(optax.tree.norm(mean_over(axis, *transpose(gradient))) for gradient in gradients))
