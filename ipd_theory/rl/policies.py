"""What plays: policies, the networks that they become when evaluated, and policies that are tables.

A policy is a tree of parameters. Made `ready`, it is a network with outputs [..., A + 1]: A logits, then the value V.
Time leads.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ipd_theory._arguments import checked, hold_fields
from ipd_theory._checks import finite, in_range, last_axis


@runtime_checkable
class ReadyNetwork(Protocol):
    """A recurrent network ready to evaluate."""

    def initial_state(self, *batch: int) -> Any:
        """Return an empty memory for streams [*batch]; their first step is a reset."""

    def step(self, observations: Array, resets: Bool[Array, "*batch"], state: Any) -> tuple[Array, Any]:
        """Advance every stream by one step.

        Args:
            observations: [*batch] integers, or [*batch, features].
            resets: [*batch], true where the stream forgets everything before this step.
            state: the memory of the streams.

        Returns:
            Outputs [*batch, A + 1] and the new memory.
        """

    def sequence(self, observations: Array, resets: Bool[Array, "time *batch"], state: Any) -> tuple[Array, Any]:
        """Advance every stream by a whole sequence or a chunk of one.

        Args:
            observations: [time, *batch] integers, or [time, *batch, features].
            resets: [time, *batch], true where the stream forgets everything before that step.
            state: the memory of the streams before the first step.

        Returns:
            Outputs [time, *batch, A + 1] and the memory after the last step.
        """


@runtime_checkable
class Policy(Protocol):
    """A tree of parameters, say an `equinox.Module`; the floating ones are learnt."""

    def ready(self, steps: int = 1) -> ReadyNetwork:
        """Return the network ready to evaluate; gradients pass through.

        Args:
            steps: about how many steps will be evaluated with these weights, should it pay to prepare more for many.
        """


class Experience(NamedTuple):
    """What a policy saw, did and got: arrays [time, *batch]."""

    observations: Array
    actions: Int[Array, "time *batch"]
    rewards: Float[Array, "time *batch"]


def along(
    network: ReadyNetwork, observations: Array
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


def sample(logits: Float[Array, "*batch A"], uniform: Float[Array, "*batch"]) -> Int[Array, "*batch"]:
    """Return the action [*batch] at which the cumulative distribution passes a uniform number [*batch]."""
    below = jnp.cumsum(jax.nn.softmax(logits), -1)[..., :-1]
    return (uniform[..., None] > below).sum(-1, dtype=jnp.int32)


class TabularPolicy(eqx.Module):
    """A policy without memory beyond the observation: outputs [observations, A + 1], A logits and a value."""

    table: Float[Array, "*stack observations outputs"]

    def __check_init__(self) -> None:
        hold_fields(self)
        if jnp.ndim(self.table) < 2 or self.table.shape[-1] < 2:
            raise ValueError(f"table has shape {jnp.shape(self.table)}; it must be [observations, A + 1], A ≥ 1")
        finite("table", self.table)

    def ready(self, steps: int = 1) -> "TabularPolicy":
        """Return itself: a table is ready to evaluate."""
        return self

    def initial_state(self, *batch: int) -> tuple[()]:
        """Return nothing, the memory of a table."""
        return ()

    def step(self, observations: Int[Array, "*batch"], resets: Bool[Array, "*batch"], state: Any) -> tuple[Array, Any]:
        """Look up outputs [*batch, A + 1]."""
        return self.table[observations], state

    sequence = step


@checked
def playing(strategy: Float[Array, "5"], sharpness: float = 30.0) -> TabularPolicy:
    """Return a memory-one strategy as a policy with value zero.

    Args:
        strategy: [5] cooperation probabilities at the start and after CC, CD, DC, DD.
        sharpness: bound on the logits, so that probabilities 0 and 1 stay finite.

    Raises:
        ValueError: if `strategy` holds other than five probabilities, or the bound is negative.
    """
    last_axis("strategy", strategy, (5,), "start, CC, CD, DC, DD")
    if sharpness < 0:
        raise ValueError(f"sharpness must be 0 or more; got {sharpness}")
    p = in_range("strategy", jnp.asarray(strategy, jnp.float32), 0, 1)
    logits = jnp.clip(jax.scipy.special.logit(p), -sharpness, sharpness)
    return TabularPolicy(jnp.stack([logits, jnp.zeros_like(logits), jnp.zeros_like(logits)], -1))
