"""The path of naive learners in tables: any memory, and any number of players, each by its own gradient.

Of n players the first, the ego, and maybe others stand still; the rest learn, all from the same parameters at once,

    y_j ← y_j + η ∂J_j(x, y)/∂y_j        for every learner j.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ipd_theory.learning.episodes import every_return, flat, mean_return
from ipd_theory.learning.views import returns_of_all

Players = tuple[Float[Array, "... _"], ...]  # logits [..., h] of each, in its own view, of any memory


class _Path(NamedTuple):
    """Naive learners on their way; a player's seat is its place among those that stand still, then the learners."""

    still: Players
    learner: Players
    payoffs: Array
    delta: Array
    learning_rate: Array
    steps_taken: Array | None
    tremble: Array | None
    weight: Array | None

    @property
    def pairs(self) -> tuple[int, ...]:
        """The one axis of groups."""
        return self.learner[0].shape[:-1]

    def earned(self, learner: Players, player: int = 0) -> Array:
        """Return what the player in a seat earns a step."""
        payoffs = self.payoffs[..., player : player + 1, :]
        return returns_of_all((*self.still, *learner), payoffs, self.delta, self.tremble)[..., 0]

    def step(self, learner: Players, rate_of: Array) -> Players:
        """Return the learners' logits after a step of each on its own return, `rate_of` times as large."""

        def slope(i: int) -> Array:
            def own(y: Array) -> Array:
                return self.earned((*learner[:i], y, *learner[i + 1 :]), len(self.still) + i).sum()

            return jax.grad(own)(learner[i])

        rate = (rate_of * self.learning_rate)[..., None]
        return tuple(y + rate * slope(i) for i, y in enumerate(learner))


def _path(
    still: Players,
    learners: Players,
    payoffs: Array,
    delta: Array,
    learning_rate: Array,
    steps_taken: Array | None,
    tremble: Array | None,
    weight: Array | None = None,
) -> tuple[_Path, tuple[int, ...]]:
    """Return the path over one axis of groups, and the batch axes that were made one."""
    shapes = [x.shape[:-1] for x in (*still, *learners)] + [payoffs.shape[:-2], delta.shape, learning_rate.shape]
    batch = jnp.broadcast_shapes(*shapes, *(x.shape for x in (steps_taken, tremble, weight) if x is not None))

    def each(x: Array | None) -> Array | None:
        return None if x is None else flat(x, 0, batch)

    path = _Path(
        tuple(flat(x, 1, batch) for x in still),
        tuple(jnp.broadcast_to(y, (*batch, y.shape[-1])).reshape(-1, y.shape[-1]) for y in learners),
        flat(payoffs, 2, batch),
        flat(delta, 0, batch),
        flat(learning_rate, 0, batch),
        each(steps_taken),
        each(tremble),
        None if weight is None else flat(weight, 0, batch)[..., None],
    )
    return path, batch


def group_shaping_return(
    still: Players,
    learners: Players,
    payoffs: Float[Array, "... n outcomes"],
    delta: Float[Array, "..."],
    learning_rate: Float[Array, "..."],
    num_inner_episodes: int,
    *,
    steps_taken: Array | None = None,
    shaping_weight: Array | None = None,
    tremble: Array | None = None,
) -> Float[Array, "..."]:
    """Return J̄ [...] of the first of n players; the other arguments as `naive_path.naive_shaping_return`.

    Args:
        still: the logits of those that stand still, the ego's first.
        learners: those of the rest before their first step.
        payoffs: [..., n, 2^n] of all players by outcome.
        delta, learning_rate, num_inner_episodes, steps_taken, shaping_weight, tremble: as there.
    """
    path, batch = _path(still, learners, payoffs, delta, learning_rate, steps_taken, tremble, shaping_weight)
    return mean_return(path, num_inner_episodes, still[0].dtype).reshape(batch)


def group_path_returns(
    still: Players,
    learners: Players,
    payoffs: Float[Array, "... n outcomes"],
    delta: Float[Array, "..."],
    learning_rate: Float[Array, "..."],
    num_inner_episodes: int,
    *,
    steps_taken: Array | None = None,
    tremble: Array | None = None,
) -> Float[Array, "episodes ... n"]:
    """Return what all players earn in each of the M + 1 episodes; arguments as `group_shaping_return`."""
    path, batch = _path(still, learners, payoffs, delta, learning_rate, steps_taken, tremble)
    players = len(still) + len(learners)
    return every_return(path, num_inner_episodes, players, still[0].dtype).reshape(-1, *batch, players)
