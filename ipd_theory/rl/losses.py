r"""Policy-gradient updates on arrays: A2C for naive learners, PPO for meta agents.

    A2C    L(θ) = −mean(Â log π) + c ½ mean((V − G)²),                                  Â = G − V held fixed
    PPO    L(θ) = −mean(min(ρÂ, clip(ρ, 1 ± ε)Â)) + c ½ mean(max((V − G)², (V_clip − G)²)),   ρ = π / π_old

PPO's first step from the data is A2C, so one epoch of one minibatch is A2C. Advantages Â of meta agents are those of an
estimator of `sampling.estimators` for losses that average over its B trajectories. COALA-PG, batch-unaware and M-FOS
then weigh the rewards of the current inner episode alike.

Estimators have trajectories lead, [G, B, M, T], and play has time lead, [M, T, G, B]: `by_trajectory` and `by_time` are
the doors between them.

Sources: Mnih et al. 2016 (A2C), Schulman et al. 2017 (PPO), Meulemans et al. 2025, section 3 and Algorithm 1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from ipd_theory.rl.chunks import mean_over, mean_over_chunks, sum_over
from ipd_theory.rl.config import Meta, Naive
from ipd_theory.rl.policies import Experience, Policy, ReadyNetwork, along, chosen
from ipd_theory.sampling import estimators

LearnerState = Any


class Learner(NamedTuple):
    """A learning rule: `init(policy)` gives its state, `update(policy, state, experience)` both anew."""

    init: Callable[[Policy], LearnerState]
    update: Callable[[Policy, LearnerState, Experience], tuple[Policy, LearnerState]]


def optimizer(name: str, learning_rate: float, max_gradient_norm: float) -> optax.GradientTransformation:
    """Return Adam (ε = 1e-5) or SGD behind a clip of the gradient's norm.

    Raises:
        ValueError: if the name is neither adam nor sgd.
    """
    if name not in ("adam", "sgd"):
        raise ValueError(f"optimizer must be adam or sgd; got {name!r}")
    rule = optax.adam(learning_rate, eps=1e-5) if name == "adam" else optax.sgd(learning_rate)
    return optax.chain(optax.clip_by_global_norm(max_gradient_norm), rule)


def descend(
    transform: optax.GradientTransformation, gradient: Policy, state: LearnerState, policy: Policy
) -> tuple[Policy, LearnerState]:
    """Return the policy and the optimizer's state after one step."""
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer powers
        updates, state = transform.update(gradient, state, policy)
    return optax.apply_updates(policy, updates), state


def discounted_returns(rewards: Float[Array, "time batch"], discount: float) -> Float[Array, "time batch"]:
    """Return Monte-Carlo returns [time, batch] of one inner episode."""
    by_step = rewards.T[:, None, :]
    return estimators.lambda_returns(by_step, jnp.zeros_like(by_step), discount=discount)[:, 0, :].T


def a2c(settings: Naive) -> Learner:
    """Return the naive learner: one A2C step on one inner episode [time, B]."""
    transform = optimizer(settings.optimizer, settings.learning_rate, settings.max_gradient_norm)

    def loss(policy: Policy, experience: Experience, returns: Array) -> Array:
        log_probabilities, values = along(policy.ready(experience.actions.size), experience.observations)
        advantages = jax.lax.stop_gradient(returns - values)
        if settings.normalize_advantages:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        policy_loss = -(advantages * chosen(log_probabilities, experience.actions)).mean()
        return policy_loss + settings.value_coefficient * 0.5 * jnp.square(values - returns).mean()

    def update(policy: Policy, state: LearnerState, experience: Experience) -> tuple[Policy, LearnerState]:
        returns = discounted_returns(settings.reward_scale * experience.rewards, settings.discount)
        gradient = jax.grad(loss)(policy, experience, returns)
        return descend(transform, gradient, state, policy)

    return Learner(transform.init, update)


def by_trajectory(x: Shaped[Array, "M T G B"]) -> Shaped[Array, "G B M T"]:
    """Return what play has written as the estimators read it."""
    return jnp.transpose(x, (2, 3, 0, 1))


def by_time(x: Shaped[Array, "G B M T"]) -> Shaped[Array, "M T G B"]:
    """Return what the estimators have written as play has it."""
    return jnp.transpose(x, (2, 3, 0, 1))


def whole(x: Shaped[Array, "M T G B *rest"]) -> Shaped[Array, "time N *rest"]:
    """Return meta-trajectories from end to end, as the losses read them."""
    M, T, G, B, *rest = x.shape
    return x.reshape(M * T, G * B, *rest)


def meta_advantages(
    rewards: Float[Array, "G B M T"],
    values: Float[Array, "G B M T"],
    naive: Bool[Array, " G"],
    estimator: estimators.Estimator,
    settings: Meta,
    axis: str | None = None,
) -> tuple[Float[Array, "G B M T"], Float[Array, "G B M T"]]:
    """Return advantages and value targets [G, B, M, T] of a meta agent, for losses that average over B.

    Against a naive co-player credit goes by the estimator; against another meta agent trajectories are independent.
    Advantages are centred over each kind of co-player.

    Args:
        rewards: [G, B, M, T] unscaled rewards against G co-players.
        values: [G, B, M, T] the agent's values at the time.
        naive: [G] whether the co-player learns within the meta-episode.
        estimator: of the gradient.
        settings: discounts and scales.
        axis: the mesh axis over which devices share the co-players, if they do.
    """
    rewards = settings.reward_scale * rewards
    discount, decay = settings.discount, settings.gae_lambda
    shaping = estimator.mean_advantages(rewards, values, discount=discount, gae_lambda=decay)
    alone = estimators.INDEPENDENT
    independent = estimators.advantages(rewards, values, alone, discount=discount, gae_lambda=decay)
    advantages = jnp.where(naive[:, None, None, None], shaping, independent)
    targets = estimators.lambda_returns(rewards, values, discount=discount, td_lambda=settings.td_lambda)
    centred = jnp.where(
        naive[:, None, None, None],
        _standardise(advantages, naive, settings.normalize_advantages, axis),
        _standardise(advantages, ~naive, settings.normalize_advantages, axis),
    )
    return centred, targets


def _standardise(
    x: Float[Array, "G B M T"], which: Bool[Array, " G"], scale: bool, axis: str | None
) -> Float[Array, "G B M T"]:
    """Return x less its mean over the co-players in `which`, and over its deviation there if `scale`."""
    weight = jnp.broadcast_to(which[:, None, None, None], x.shape).astype(x.dtype)
    count = jnp.maximum(sum_over(axis, weight.sum()), 1)
    x = x - sum_over(axis, (weight * x).sum()) / count
    return x / (jnp.sqrt(sum_over(axis, (weight * x * x).sum()) / count) + 1e-8) if scale else x


class Trajectories(NamedTuple):
    """Data of one PPO iteration: arrays [time, N] over N whole meta-trajectories."""

    observations: Array
    actions: Int[Array, "time N"]
    log_probabilities: Float[Array, "time N"]
    values: Float[Array, "time N"]
    advantages: Float[Array, "time N"]
    targets: Float[Array, "time N"]


class PPOInfo(NamedTuple):
    """What the losses were, averaged over the updates of an iteration."""

    policy_loss: Array
    value_loss: Array
    gradient_norm: Array
    clipped_share: Array


def ppo_loss(network: ReadyNetwork, data: Trajectories, settings: Meta) -> tuple[Array, tuple[Array, Array, Array]]:
    """Return PPO's loss on whole trajectories, with the policy loss, the value loss and the share of clipped steps."""
    log_probabilities, values = along(network, data.observations)
    ratio = jnp.exp(chosen(log_probabilities, data.actions) - data.log_probabilities)
    clipped = jnp.clip(ratio, 1 - settings.clip, 1 + settings.clip)
    policy_loss = -jnp.minimum(ratio * data.advantages, clipped * data.advantages).mean()
    near = data.values + jnp.clip(values - data.values, -settings.clip, settings.clip)
    worse = jnp.maximum(jnp.square(values - data.targets), jnp.square(near - data.targets))
    value_loss = 0.5 * worse.mean()
    share = (jnp.abs(ratio - 1) > settings.clip).astype(ratio.dtype).mean()
    return policy_loss + settings.value_coefficient * value_loss, (policy_loss, value_loss, share)


def ppo_update(
    policy: Policy,
    state: LearnerState,
    data: Trajectories,
    key: Key[Array, ""],
    settings: Meta,
    axis: str | None = None,
) -> tuple[Policy, LearnerState, PPOInfo]:
    """Return the policy and optimizer state after all epochs of PPO over the data, and the mean losses.

    Args:
        policy: the policy that made the data.
        state: its optimizer's state.
        data: [time, N] whole meta-trajectories.
        key: shuffles trajectories into minibatches.
        settings: of the algorithm.
        axis: the mesh axis over which devices share the trajectories, if they do; each shuffles its own.
    """
    transform = optimizer(settings.optimizer, settings.learning_rate, settings.max_gradient_norm)
    columns = data.actions.shape[1]
    gradient_of_loss = jax.grad(ppo_loss, has_aux=True)
    steps = data.actions.size // settings.minibatches

    def minibatch(carry: tuple[Policy, LearnerState], members: Array) -> tuple[tuple[Policy, LearnerState], PPOInfo]:
        policy, state = carry
        part = jax.tree.map(lambda x: x[:, members], data)
        # Made ready once for all chunks: they share its tables, and its transpose.
        network, transpose = jax.vjp(lambda policy: policy.ready(steps), policy)
        network_gradient, losses = mean_over_chunks(
            lambda chunk: gradient_of_loss(network, chunk, settings), part, settings.trajectories_at_once
        )
        gradient, losses = mean_over(axis, (*transpose(network_gradient), losses))
        policy_loss, value_loss, share = losses
        info = PPOInfo(policy_loss, value_loss, optax.tree.norm(gradient), share)
        return descend(transform, gradient, state, policy), info

    orders = jax.vmap(lambda key: jax.random.permutation(key, columns))(jax.random.split(key, settings.epochs))
    members = orders.reshape(settings.epochs * settings.minibatches, -1)
    (policy, state), info = jax.lax.scan(minibatch, (policy, state), members)
    return policy, state, jax.tree.map(lambda x: x.mean(0), info)
