r"""The path of a naive learner in columns: `paths` for the one rule that every pool and map of phases trains against.

What is computed is `paths.path_returns` with `rules.naive()`, in a layout that compilers vectorise best: one array for
each context, all pairs on one long axis. It is 1.4 times as fast, and 2.4 times where a pool has many settings.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ipd_theory._engine import Columns, memory_one_return
from ipd_theory.learning.episodes import every_return, flat, mean_return
from ipd_theory.learning.group_path import group_path_returns, group_shaping_return
from ipd_theory.learning.views import MEMORY_ONE
from ipd_theory.strategies import CONTEXT_SWAP


def cooperation(logits: Columns, tremble: Array | None = None) -> Columns:
    """Return the probabilities of cooperating; each action is flipped with probability `tremble` [...], if given."""
    table = tuple(jax.nn.sigmoid(x) for x in logits)
    return table if tremble is None else tuple(tremble + (1 - 2 * tremble) * x for x in table)


def naive_step(
    ego: Columns,
    learner: Columns,
    payoffs: Columns,
    delta: Array,
    learning_rate: Array,
    tremble: Array | None = None,
) -> Columns:
    """Return the learner's logits after one gradient step on its own normalised return.

    Args:
        ego: five columns [...], player 1's cooperation probabilities, trembles included.
        learner: five columns, player 2's logits in player 1's order, each of the full batch shape.
        payoffs: four columns [...], player 2's payoffs after CC, CD, DC, DD.
        delta: [...] stopping rates 1 − γ.
        learning_rate: [...] the step η.
        tremble: [...] probability with which the learner's actions are flipped; never if None.
    """

    def total(logits: Columns) -> Array:
        return memory_one_return(ego, cooperation(logits, tremble), delta, payoffs).sum()

    return tuple(x + learning_rate * g for x, g in zip(learner, jax.grad(total)(learner), strict=True))


class _Path(NamedTuple):
    """A naive learner on its way against a fixed ego, over one axis of pairs.

    Args:
        ego: five columns, player 1's cooperation probabilities, trembles included.
        learner: five columns, player 2's first logits in player 1's order.
        payoffs: of each player, four columns.
        delta: stopping rates 1 − γ.
        learning_rate: the step on the normalised return.
        steps_taken: how many steps, as many as are walked if None.
        tremble: the probability of a flipped action, or None.
        weight: of what passes through the learner's steps, or None.
    """

    ego: Columns
    learner: Columns
    payoffs: tuple[Columns, Columns]
    delta: Array
    learning_rate: Array
    steps_taken: Array | None
    tremble: Array | None
    weight: Array | None

    @property
    def pairs(self) -> tuple[int, ...]:
        """The one axis of pairs."""
        return self.learner[0].shape

    def earned(self, learner: Columns, player: int = 0) -> Array:
        """Return a player's return a step where the learner has come to some logits."""
        return memory_one_return(self.ego, cooperation(learner, self.tremble), self.delta, self.payoffs[player])

    def step(self, learner: Columns, rate_of: Array) -> Columns:
        """Return the learner's logits after a step, `rate_of` times as large."""
        rate = rate_of * self.learning_rate
        return naive_step(self.ego, learner, self.payoffs[1], self.delta, rate, self.tremble)


def _path(
    logits: Array,
    learner_logits: Array,
    payoffs: Array,
    delta: Array,
    learning_rate: Array,
    steps_taken: Array | None,
    tremble: Array | None,
    weight: Array | None = None,
) -> tuple[_Path, tuple[int, ...]]:
    """Return the path over one axis of pairs, and the batch axes that were made one."""
    shapes = logits.shape[:-1], learner_logits.shape[:-1], payoffs.shape[:-2], delta.shape, learning_rate.shape
    given = (x.shape for x in (steps_taken, tremble, weight) if x is not None)
    batch = jnp.broadcast_shapes(*shapes, *given)

    def each(x: Array | None) -> Array | None:
        return None if x is None else flat(x, 0, batch)

    ego, game, error = flat(logits, 1, batch), flat(payoffs, 2, batch), each(tremble)
    learner = jnp.broadcast_to(learner_logits, (*batch, 5)).reshape(-1, 5)
    own, others = (tuple(game[..., i, j] for j in range(4)) for i in range(2))
    path = _Path(
        cooperation(tuple(ego[..., i] for i in range(5)), error),
        tuple(learner[..., i] for i in CONTEXT_SWAP),
        (own, others),
        flat(delta, 0, batch),
        flat(learning_rate, 0, batch),
        each(steps_taken),
        error,
        each(weight),
    )
    return path, batch


def naive_shaping_return(
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
    """Return J̄ [...] without checking the input; arguments as `shaping_return`, for hot loops.

    Args:
        logits: [..., h], the ego's, of any memory (`group_path` where it is not one).
        learner_logits: [..., h'], the learner's before its first step, in its own view.
        payoffs: [..., 2, 4] payoffs of both players after CC, CD, DC, DD as player 1 sees them.
        delta: [...] stopping rates 1 − γ.
        learning_rate: [...] the learner's step on its normalised return.
        num_inner_episodes: M, the number of steps, and how many are compiled where `steps_taken` are fewer.
        steps_taken: [...] where M differs over the batch, each M ≤ `num_inner_episodes`.
        shaping_weight: [...] λ, a factor on the part of the derivative that passes through the learner's steps.
        tremble: [...] probability with which any action is flipped.
    """
    arrays = (payoffs, delta, learning_rate)
    if {logits.shape[-1], learner_logits.shape[-1]} != {MEMORY_ONE}:
        return group_shaping_return(
            (logits,),
            (learner_logits,),
            *arrays,
            num_inner_episodes,
            steps_taken=steps_taken,
            shaping_weight=shaping_weight,
            tremble=tremble,
        )
    path, batch = _path(logits, learner_logits, *arrays, steps_taken, tremble, shaping_weight)
    return mean_return(path, num_inner_episodes, logits.dtype).reshape(batch)


def naive_path_returns(
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
    """Return what both players earn in each of the M + 1 episodes; arguments as `naive_shaping_return`.

    Where a pair's own M is smaller, its last episode is repeated.
    """
    arrays = (payoffs, delta, learning_rate)
    if {logits.shape[-1], learner_logits.shape[-1]} != {MEMORY_ONE}:
        players = (logits,), (learner_logits,)
        return group_path_returns(*players, *arrays, num_inner_episodes, steps_taken=steps_taken, tremble=tremble)
    path, batch = _path(logits, learner_logits, *arrays, steps_taken, tremble)
    return every_return(path, num_inner_episodes, 2, logits.dtype).reshape(-1, *batch, 2)
