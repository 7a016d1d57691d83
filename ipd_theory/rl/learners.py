r"""Policy-gradient updates on arrays: A2C for naive learners, PPO for meta agents.

A policy is a module of parameters whose `assemble(num_steps)` gives a `Network` with outputs [..., A + 1]:
A logits, then the value V. Time leads.

    A2C    L(θ) = −mean(Â log π) + c ½ mean((V − G)²),                                  Â = G − V held fixed
    PPO    L(θ) = −mean(min(ρÂ, clip(ρ, 1 ± ε)Â)) + c ½ mean(max((V − G)², (V_clip − G)²)),   ρ = π / π_old

PPO's first step from the data is A2C, so one epoch of one minibatch is A2C. Advantages Â of meta agents come from
`sampling.estimators`. The estimators sum over the batch of B trajectories where these losses average, so COALA-PG's
advantages are multiplied by B; the two baselines run as in the paper's Algorithm 1, with B times the weights of its
equation for batch-unaware (`INDEPENDENT`), and so need no factor. All three then weigh the rewards of the current
inner episode alike.

Sources: Mnih et al. 2016 (A2C), Schulman et al. 2017 (PPO), Meulemans et al. 2025, section 3 and Algorithm 1.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Key

from ipd_theory.rl.config import Meta, Method, Naive
from ipd_theory.sampling import estimators

Policy = Any
LearnerState = Any
Data = TypeVar("Data")


@runtime_checkable
class Network(Protocol):
    """A recurrent network ready to evaluate; `hawk.AssembledHawk` says what the arguments are."""

    def initial_state(self, *batch: int) -> Any:
        """Return an empty memory for streams [*batch]."""

    def step(self, observations: Array, resets: Array, state: Any) -> tuple[Array, Any]:
        """Advance every stream by one step."""

    def sequence(self, observations: Array, resets: Array, state: Any) -> tuple[Array, Any]:
        """Advance every stream by a whole sequence or a chunk of one."""


class Experience(NamedTuple):
    """What a policy saw, did and got: arrays [time, *batch]."""

    observations: Array
    actions: Int[Array, "time *batch"]
    rewards: Float[Array, "time *batch"]


class Learner(NamedTuple):
    """A learning rule: `init(policy)` gives its state, `update(policy, state, experience)` both anew."""

    init: Callable[[Policy], LearnerState]
    update: Callable[[Policy, LearnerState, Experience], tuple[Policy, LearnerState]]


def optimizer(name: str, learning_rate: float, max_gradient_norm: float) -> optax.GradientTransformation:
    """Return Adam (ε = 1e-5) or SGD behind a clip of the gradient's norm."""
    rule = optax.adam(learning_rate, eps=1e-5) if name == "adam" else optax.sgd(learning_rate)
    return optax.chain(optax.clip_by_global_norm(max_gradient_norm), rule)


def descend(
    transform: optax.GradientTransformation, gradient: Policy, state: LearnerState, policy: Policy
) -> tuple[Policy, LearnerState]:
    """Return the policy and the optimiser's state after one step."""
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer powers
        updates, state = transform.update(gradient, state, policy)
    return optax.apply_updates(policy, updates), state


def evaluate(
    network: Network, observations: Array
) -> tuple[Float[Array, "time *batch A"], Float[Array, "time *batch"]]:
    """Return log-probabilities [time, *batch, A] and values [time, *batch] along histories that open at time 0."""
    batch = observations.shape[1:] if jnp.issubdtype(observations.dtype, jnp.integer) else observations.shape[1:-1]
    resets = jnp.zeros((observations.shape[0], *batch), bool).at[0].set(True)
    outputs, _ = network.sequence(observations, resets, network.initial_state(*batch))
    return jax.nn.log_softmax(outputs[..., :-1]), outputs[..., -1]


def chosen(log_probabilities: Float[Array, "*batch A"], actions: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Return the entry [*batch] of each action."""
    picks = jax.nn.one_hot(actions, log_probabilities.shape[-1], dtype=log_probabilities.dtype)
    return (log_probabilities * picks).sum(-1)


def discounted_returns(rewards: Float[Array, "time batch"], discount: float) -> Float[Array, "time batch"]:
    """Return Monte-Carlo returns [time, batch] of one inner episode."""
    by_step = rewards.T[:, None, :]
    return estimators.lambda_returns(by_step, jnp.zeros_like(by_step), discount=discount)[:, 0, :].T


def a2c(settings: Naive) -> Learner:
    """Return the naive learner: one A2C step on one inner episode [time, B]."""
    transform = optimizer(settings.optimizer, settings.learning_rate, settings.max_gradient_norm)

    def loss(policy: Policy, experience: Experience, returns: Array) -> Array:
        log_probabilities, values = evaluate(policy.assemble(experience.actions.size), experience.observations)
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


CREDIT: dict[Method, estimators.Credit] = {
    "coala": estimators.COALA_PG,
    "batch_unaware": estimators.INDEPENDENT,
    "m_fos": estimators.M_FOS,
}


def meta_advantages(
    rewards: Float[Array, "G B M T"],
    values: Float[Array, "G B M T"],
    naive: Bool[Array, " G"],
    method: Method,
    settings: Meta,
    axis: str | None = None,
) -> tuple[Float[Array, "G B M T"], Float[Array, "G B M T"]]:
    """Return advantages and value targets [G, B, M, T] of a meta agent, for losses that average over B.

    Against a naive co-player credit goes by `method`; against another meta agent trajectories are independent.
    Advantages are centred over each kind of co-player.

    Args:
        rewards: [G, B, M, T] unscaled rewards against G co-players.
        values: [G, B, M, T] the agent's values at the time.
        naive: [G] whether the co-player learns within the meta-episode.
        method: the estimator.
        settings: discounts and scales.
        axis: the mesh axis over which devices share the co-players, if they do.
    """
    rewards = settings.reward_scale * rewards
    credit, factor = CREDIT[method], rewards.shape[1] if method == "coala" else 1
    estimate = functools.partial(
        estimators.advantages, rewards, values, discount=settings.discount, gae_lambda=settings.gae_lambda
    )
    shaping = factor * estimate(credit=credit)
    independent = estimate(credit=estimators.INDEPENDENT)
    advantages = jnp.where(naive[:, None, None, None], shaping, independent)
    targets = estimators.lambda_returns(rewards, values, discount=settings.discount, td_lambda=settings.td_lambda)
    centred = jnp.where(
        naive[:, None, None, None],
        _standardise(advantages, naive, settings.normalize_advantages, axis),
        _standardise(advantages, ~naive, settings.normalize_advantages, axis),
    )
    return centred, targets


def credit_by_time(
    rewards: Float[Array, "G B M T"],
    naive: Bool[Array, " G"],
    method: Method,
    settings: Meta,
    axis: str | None = None,
) -> tuple[Float[Array, "G B M T"], Float[Array, "G B M T"]]:
    """Return what a method's weights owe to the current inner episode and to later ones, both zero where not naive.

    Without values, and less their means over trajectories at each step, which takes nothing from the gradient's mean
    but the share 1/(G B). Arguments are those of `meta_advantages`.
    """
    B = rewards.shape[1]
    factor = settings.reward_scale * (B if method == "coala" else 1)
    estimate = functools.partial(
        estimators.advantages, credit=CREDIT[method], discount=settings.discount, gae_lambda=settings.gae_lambda
    )
    alone = jnp.swapaxes(rewards, 1, 2)[:, :, :, None]  # each inner episode a meta-trajectory [G, M, B, 1, T]
    current = jnp.swapaxes(estimate(alone, jnp.zeros_like(alone))[:, :, :, 0], 1, 2)
    future = estimate(rewards, jnp.zeros_like(rewards)) - current
    weight = naive[:, None, None, None].astype(rewards.dtype)
    count = jnp.maximum(sum_over(axis, weight.sum()) * B, 1)

    def centred(x: Array) -> Array:
        return factor * weight * (x - sum_over(axis, (weight * x).sum((0, 1))) / count)

    return centred(current), centred(future)


def _standardise(
    x: Float[Array, "G B M T"], which: Bool[Array, " G"], scale: bool, axis: str | None
) -> Float[Array, "G B M T"]:
    """Return x less its mean over the co-players in `which`, and over its deviation there if `scale`."""
    weight = jnp.broadcast_to(which[:, None, None, None], x.shape).astype(x.dtype)
    count = jnp.maximum(sum_over(axis, weight.sum()), 1)
    x = x - sum_over(axis, (weight * x).sum()) / count
    return x / (jnp.sqrt(sum_over(axis, (weight * x * x).sum()) / count) + 1e-8) if scale else x


def sum_over(axis: str | None, x: Any) -> Any:
    """Return the sum of every device's tree x along a mesh axis, or x itself without one."""
    if axis is None:
        return x
    # As one vector: on CPUs devices wait for each other once for every array.
    flat, restored = ravel_pytree(x)
    return restored(jax.lax.psum(flat, axis))


def mean_over(axis: str | None, x: Any) -> Any:
    """Return the mean of every device's tree x along a mesh axis, or x itself without one."""
    return x if axis is None else jax.tree.map(lambda total: total / jax.lax.axis_size(axis), sum_over(axis, x))


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


def ppo_loss(network: Network, data: Trajectories, settings: Meta) -> tuple[Array, tuple[Array, Array, Array]]:
    """Return PPO's loss on whole trajectories, with the policy loss, the value loss and the share of clipped steps."""
    log_probabilities, values = evaluate(network, data.observations)
    ratio = jnp.exp(chosen(log_probabilities, data.actions) - data.log_probabilities)
    clipped = jnp.clip(ratio, 1 - settings.clip, 1 + settings.clip)
    policy_loss = -jnp.minimum(ratio * data.advantages, clipped * data.advantages).mean()
    near = data.values + jnp.clip(values - data.values, -settings.clip, settings.clip)
    worse = jnp.maximum(jnp.square(values - data.targets), jnp.square(near - data.targets))
    value_loss = 0.5 * worse.mean()
    share = (jnp.abs(ratio - 1) > settings.clip).astype(ratio.dtype).mean()
    return policy_loss + settings.value_coefficient * value_loss, (policy_loss, value_loss, share)


def largest_divisor(number: int, bound: int) -> int:
    """Return the largest divisor of a number that is no larger than the bound."""
    return max(size for size in range(1, bound + 1) if number % size == 0)


def group_size(number: int, bound: int) -> int:
    """Return the size of equal groups of at most `bound`; if under half of it, the bound, with a smaller last group."""
    size = largest_divisor(number, bound) if bound else 0
    return size if 2 * size >= bound else bound


_CACHED_STEPS = 800  # at width 32, what backpropagation through these stores just fits a core's cache of 1 MiB


def sequences_at_once(wanted: int | None, steps: int) -> int:
    """Return how many sequences to learn from together, 0 for all.

    Args:
        wanted: how many, 0 for all, or None: all on a GPU, and on a CPU so few that they stay in its cache.
        steps: of a sequence.
    """
    if wanted is not None:
        return wanted
    return max(_CACHED_STEPS // steps, 4) if jax.default_backend() == "cpu" else 0


def _mean_over_chunks(function: Callable[[Data], Any], data: Data, at_once: int) -> Any:
    """Return the mean of function(chunk) over chunks of at most `at_once` columns of the arrays [time, N, …]."""
    columns = jax.tree.leaves(data)[0].shape[1]
    if at_once == 0 or at_once >= columns:
        return function(data)
    at_once = largest_divisor(columns, at_once)
    chunks = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(x.shape[0], -1, at_once, *x.shape[2:]), 1, 0), data)
    shapes = jax.eval_shape(function, jax.tree.map(lambda x: x[0], chunks))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def add(total: Any, chunk: Data) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(chunk)), None

    total, _ = jax.lax.scan(add, zeros, chunks)
    return jax.tree.map(lambda x: x * (at_once / columns), total)


class GradientParts(NamedTuple):
    """Norms of the policy gradient's parts: from rewards of the current inner episode, and of later ones."""

    current: Array
    future: Array


def gradient_parts(
    policy: Policy,
    observations: Array,
    actions: Int[Array, "time N"],
    credits: tuple[Float[Array, "time N"], Float[Array, "time N"]],
    at_once: int,
    axis: str | None = None,
) -> GradientParts:
    """Return the norms of mean(weight ∇ log π) for two sets of weights.

    Args:
        policy: the policy that made the data.
        observations: [time, N, …] whole meta-trajectories.
        actions: what it did.
        credits: weights of the current part and the future part.
        at_once: how many trajectories' gradients are taken together, 0 for all.
        axis: the mesh axis over which devices share the trajectories, if they do.
    """
    network, transpose = jax.vjp(lambda policy: policy.assemble(actions.size), policy)

    def parts(chunk: tuple[Array, Array, tuple[Array, Array]]) -> tuple[Any, ...]:
        observations, actions, credits = chunk
        log_probability, pull = jax.vjp(lambda network: chosen(evaluate(network, observations)[0], actions), network)
        return tuple(pull(weight / log_probability.size)[0] for weight in credits)

    gradients = _mean_over_chunks(parts, (observations, actions, credits), at_once)
    return GradientParts(*(optax.tree.norm(mean_over(axis, *transpose(gradient))) for gradient in gradients))


def ppo_update(
    policy: Policy,
    state: LearnerState,
    data: Trajectories,
    key: Key[Array, ""],
    settings: Meta,
    axis: str | None = None,
) -> tuple[Policy, LearnerState, PPOInfo]:
    """Return the policy and optimiser state after all epochs of PPO over the data, and the mean losses.

    Args:
        policy: the policy that made the data.
        state: its optimiser's state.
        data: [time, N] whole meta-trajectories.
        key: shuffles trajectories into minibatches.
        settings: of the algorithm.
        axis: the mesh axis over which devices share the trajectories, if they do; each shuffles its own.
    """
    transform = optimizer(settings.optimizer, settings.learning_rate, settings.max_gradient_norm)
    steps, columns = data.actions.shape
    at_once = sequences_at_once(settings.trajectories_at_once, steps)
    gradient_of_loss = jax.grad(ppo_loss, has_aux=True)
    num_steps = data.actions.size // settings.minibatches

    def minibatch(carry: tuple[Policy, LearnerState], members: Array) -> tuple[tuple[Policy, LearnerState], PPOInfo]:
        policy, state = carry
        part = jax.tree.map(lambda x: x[:, members], data)
        # Assembled once for all chunks: they share its tables, and its transpose.
        network, transpose = jax.vjp(lambda policy: policy.assemble(num_steps), policy)
        network_gradient, losses = _mean_over_chunks(
            lambda chunk: gradient_of_loss(network, chunk, settings), part, at_once
        )
        gradient, losses = mean_over(axis, (*transpose(network_gradient), losses))
        policy_loss, value_loss, share = losses
        info = PPOInfo(policy_loss, value_loss, optax.tree.norm(gradient), share)
        return descend(transform, gradient, state, policy), info

    orders = jax.vmap(lambda key: jax.random.permutation(key, columns))(jax.random.split(key, settings.epochs))
    members = orders.reshape(settings.epochs * settings.minibatches, -1)
    (policy, state), info = jax.lax.scan(minibatch, (policy, state), members)
    return policy, state, jax.tree.map(lambda x: x.mean(0), info)
