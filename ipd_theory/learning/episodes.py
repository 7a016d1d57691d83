"""The inner episodes of naive learners, however their logits are laid out."""

import math
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ipd_theory.learning.paths import checkpointed_scan, scale_gradient


@runtime_checkable
class Episodes(Protocol):
    """Naive learners on their way against players that stand still."""

    @property
    def learner(self) -> Any:
        """Their logits before the first step, a tree of arrays."""

    @property
    def pairs(self) -> tuple[int, ...]:
        """The axes of what is earned."""

    @property
    def steps_taken(self) -> Array | None:
        """[pairs] how many steps are taken, as many as are walked if None."""

    @property
    def weight(self) -> Array | None:
        """A factor on the derivative that passes through their steps, of axes that broadcast with each array's."""

    def earned(self, learner: Any, player: int = 0) -> Array:
        """Return what a player [pairs] earns a step where the learners have come to some logits; 0 is the ego."""

    def step(self, learner: Any, rate_of: Array) -> Any:
        """Return the learners' logits after a step, `rate_of` times as large; 0 stands still."""


def flat(x: Array, rank: int, batch: tuple[int, ...]) -> Array:
    """Return an array with its batch axes as one; what is one for all pairs stays one, and is cheap to use again."""
    own = x.shape[x.ndim - rank :]
    if x.size == math.prod(own):
        return x.reshape(own)
    return jnp.broadcast_to(x, (*batch, *own)).reshape(-1, *own)


def _step(path: Episodes, learner: Any, m: Array) -> Any:
    """Return the logits after episode m; beyond its own M a learner stands still."""
    if path.steps_taken is None:
        return path.step(learner, jnp.ones((), m.dtype))
    return path.step(learner, (m < path.steps_taken.astype(m.dtype)).astype(m.dtype))


def mean_return(path: Episodes, num_inner_episodes: int, dtype: Any) -> Float[Array, "*pairs"]:
    """Return the ego's mean return over the M + 1 episodes, differentiable through the learners' steps.

    Args:
        path: the learners.
        num_inner_episodes: how many steps are walked, M or, where M differs over the pairs, the most.
        dtype: of the returns.
    """
    zero = jnp.zeros(path.pairs, dtype)
    last = jnp.asarray(num_inner_episodes if path.steps_taken is None else path.steps_taken, dtype)

    def played(m: Array, learner: Any) -> Array:
        weight = path.weight
        returns = path.earned(learner if weight is None else jax.tree.map(lambda x: scale_gradient(x, weight), learner))
        return returns if path.steps_taken is None else jnp.where(m <= last, returns, zero)

    def episode(state: tuple[Any, Array, Array], _: None) -> tuple[tuple[Any, Array, Array], None]:
        learner, total, m = state
        return (_step(path, learner, m), total + played(m, learner), m + 1), None

    first = (path.learner, zero, jnp.zeros((), dtype))
    (learner, total, m), _ = checkpointed_scan(episode, first, num_inner_episodes)
    return (total + played(m, learner)) / (last + 1)


def every_return(path: Episodes, num_inner_episodes: int, players: int, dtype: Any) -> Float[Array, "episodes ..."]:
    """Return what all players earn [M + 1, pairs, players] in each episode; a pair's last one is repeated.

    Args:
        path: the learners.
        num_inner_episodes: how many steps are walked.
        players: how many there are, the ego and the learners included.
        dtype: of the returns.
    """

    def episode(learner: Any, m: Array) -> tuple[Any, Array]:
        return _step(path, learner, m), jnp.stack([path.earned(learner, player) for player in range(players)], -1)

    return jax.lax.scan(episode, path.learner, jnp.arange(num_inner_episodes + 1, dtype=dtype))[1]
