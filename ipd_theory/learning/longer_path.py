"""The path of a naive learner where a player remembers more than one outcome: `naive_path` in tables."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ipd_theory.learning.paths import checkpointed_scan, scale_gradient
from ipd_theory.learning.views import returns_of_both


def _path(
    logits: Array,
    learner_logits: Array,
    payoffs: Array,
    delta: Array,
    learning_rate: Array,
    steps_taken: Array | None,
    tremble: Array | None,
) -> tuple[Array, Callable[[Array], Array], Callable[[Array, Array], Array]]:
    """Return the learner's first logits with all batch axes, what both earn at some, and the step after episode m."""
    given = [x.shape for x in (steps_taken, tremble) if x is not None]
    shapes = logits.shape[:-1], learner_logits.shape[:-1], payoffs.shape[:-2], delta.shape, learning_rate.shape
    first = jnp.broadcast_to(learner_logits, (*jnp.broadcast_shapes(*shapes, *given), learner_logits.shape[-1]))

    def earned(learner: Array) -> Array:
        return returns_of_both(logits, learner, payoffs, delta, tremble)

    def step(learner: Array, m: Array) -> Array:
        slope = jax.grad(lambda y: earned(y)[..., 1].sum())(learner)
        rate = learning_rate
        if steps_taken is not None:
            rate = jnp.where(m < steps_taken.astype(m.dtype), rate, jnp.zeros((), learner.dtype))
        return learner + rate[..., None] * slope

    return first, earned, step


def longer_shaping_return(
    logits: Float[Array, "... h"],
    learner_logits: Float[Array, "... h2"],
    payoffs: Float[Array, "... 2 4"],
    delta: Float[Array, "..."],
    learning_rate: Float[Array, "..."],
    num_inner_episodes: int,
    *,
    steps_taken: Array | None = None,
    shaping_weight: Array | None = None,
    tremble: Array | None = None,
) -> Float[Array, "..."]:
    """Return J̄ [...] for players of any memory; arguments as `naive_path.naive_shaping_return`."""
    first, earned, step = _path(logits, learner_logits, payoffs, delta, learning_rate, steps_taken, tremble)
    zero = jnp.zeros(first.shape[:-1], first.dtype)
    last = jnp.asarray(num_inner_episodes if steps_taken is None else steps_taken, first.dtype)

    def played(m: Array, learner: Array) -> Array:
        scaled = learner if shaping_weight is None else scale_gradient(learner, shaping_weight[..., None])
        returns = earned(scaled)[..., 0]
        return returns if steps_taken is None else jnp.where(m <= last, returns, zero)

    def episode(state: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        learner, total, m = state
        return (step(learner, m), total + played(m, learner), m + 1), None

    state = (first, zero, jnp.zeros((), first.dtype))
    (learner, total, m), _ = checkpointed_scan(episode, state, num_inner_episodes)
    return (total + played(m, learner)) / (last + 1)


def longer_path_returns(
    logits: Float[Array, "... h"],
    learner_logits: Float[Array, "... h2"],
    payoffs: Float[Array, "... 2 4"],
    delta: Float[Array, "..."],
    learning_rate: Float[Array, "..."],
    num_inner_episodes: int,
    *,
    steps_taken: Array | None = None,
    tremble: Array | None = None,
) -> Float[Array, "episodes ... 2"]:
    """Return what players of any memory earn in each of the M + 1 episodes; as `naive_path.naive_path_returns`."""
    first, earned, step = _path(logits, learner_logits, payoffs, delta, learning_rate, steps_taken, tremble)

    def episode(learner: Array, m: Array) -> tuple[Array, Array]:
        return step(learner, m), earned(learner)

    return jax.lax.scan(episode, first, jnp.arange(num_inner_episodes + 1))[1]
