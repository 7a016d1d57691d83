r"""A game among any number of players as one of them sees it: the others together are its other player.

Rules are written for a game between an owner and another. Among n players the other of `View` is all n − 1 others: its
parameters y are all of theirs, one after the other in the order of the owner's view, and its return is the sum of
theirs, but for what they learn by it. Each of them climbs its own return by its own parameters, so that

    ∂J_other/∂y = (∂J_j/∂y_j)_j,        ∂(∂J_other/∂x)/∂y_j = ∂²J_j/∂x∂y_j,

and what is derived from the first, in x and in all of y, is its true derivative. No function has these derivatives, if
J_j depends on y_k, but a rule that reads of the others how they climb on their own is the right one for n players: the
naive gradient, LOLA with Σ_j (∂²J_j/∂x∂y_j)ᵀ ∂J_1/∂y_j, everything that is differentiated through naive steps. Rules
that see the game with the others' eyes ask for more, and are for two (`Rule.among_many`).
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import stop_gradient
from jaxtyping import Array, ArrayLike, Float

from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.learning.views import View, returns_of_all
from ipd_theory.returns import hold_sums, stopping_rate

FOR_TWO = "view must be of a game for two, which this rule sees with the other's eyes"


class GroupGame(NamedTuple):
    """A repeated game among n players who remember equally much.

    Args:
        payoffs: [n, 2^n] of all players by outcome.
        delta: the stopping rate 1 − γ.
        scale: 1 for averages a step, 1/(1 − γ) for sums.
    """

    payoffs: Float[Array, "n outcomes"]
    delta: Float[Array, ""]
    scale: Float[Array, ""]

    @property
    def ranks(self) -> tuple[int, ...]:
        """How many axes each field has in one group."""
        return 2, 0, 0

    def seats(self) -> list[View]:
        """Return the game from the side of every player."""
        return [Seat(self, i) for i in range(len(self.payoffs))]

    def earned(self, player: int, players: list[Array]) -> Array:
        """Return what one of all players earns."""
        return self.scale * returns_of_all(players, self.payoffs[player : player + 1], self.delta)[0]


class Seat(NamedTuple):
    """A game among n players from one side, a `View`.

    Args:
        game: the game.
        player: whose side, from 0.
    """

    game: GroupGame
    player: int

    def all_of(self, x: Array, y: Array) -> list[Array]:
        """Return the parameters of all players in their order."""
        others = jnp.split(y, len(self.game.payoffs) - 1)
        return [*others[: self.player], x, *others[self.player :]]

    def own(self, x: Array, y: Array) -> Array:
        """Return J_own."""
        return self.game.earned(self.player, self.all_of(x, y))

    def other(self, x: Array, y: Array) -> Array:
        """Return the sum of the others' returns, with the derivatives that the head of this module tells."""
        return _climbed(self.game, self.player, x, y)

    def swapped(self) -> View:
        """Return the game as the others see it, as far as it is one."""
        return Others(self)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _climbed(game: GroupGame, player: int, x: Array, y: Array) -> Array:
    players = Seat(game, player).all_of(x, y)
    return jnp.stack([game.earned(j, players) for j in range(len(players)) if j != player]).sum()


@_climbed.defjvp
def _climbed_jvp(player: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """Σ_j (∂J_j/∂x ẋ, of which y_k with k ≠ j is held fixed ever after, and ∂J_j/∂y_j ẏ_j)."""
    (game, x, y), (game_dot, x_dot, y_dot) = primals, tangents
    players, moved = (Seat(game, player).all_of(*both) for both in ((x, y), (x_dot, y_dot)))
    total = _climbed(game, player, x, y)
    tangent = jnp.zeros_like(total)
    for j in (j for j in range(len(players)) if j != player):
        fixed = [z if k == j else stop_gradient(z) for k, z in enumerate(players)]

        def by_owner(game: GroupGame, x: Array, j: int = j, fixed: list[Array] = fixed) -> Array:
            return game.earned(j, [*fixed[:player], x, *fixed[player + 1 :]])

        def by_itself(z: Array, j: int = j) -> Array:
            return game.earned(j, [*players[:j], z, *players[j + 1 :]])

        tangent = tangent + jax.jvp(by_owner, (game, x), (game_dot, x_dot))[1]
        tangent = tangent + jax.jvp(by_itself, (players[j],), (moved[j],))[1]
    return total, tangent


class Others(NamedTuple):
    """The game as an owner's others see it: what they climb, and no more."""

    seat: Seat

    def own(self, x: Array, y: Array) -> Array:
        """Return `Seat.other`."""
        return self.seat.other(y, x)

    def other(self, x: Array, y: Array) -> Array:
        """Raise `TypeError`: what is the other of one of several others depends on which."""
        raise TypeError(FOR_TWO)

    def swapped(self) -> View:
        """Raise `TypeError`, as `other`."""
        raise TypeError(FOR_TWO)


@checked
def group_game(game: MatrixGame, discount: ArrayLike, dtype: np.dtype, normalized: bool = True) -> GroupGame:
    """Return a repeated game among any number of players, its fields with the batch axes first.

    Args:
        game: the stage game, or a batch of them [...].
        discount: [...] γ in [0, 1].
        dtype: the floating dtype to compute in.
        normalized: returns are averages a step; otherwise sums Σ γ^t r, and γ must stay below 1.

    Raises:
        ValueError: if a discount leaves [0, 1], or sums are infinite.
    """
    if not isinstance(dtype, np.dtype | type) or not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"dtype must be a floating one, such as that of jnp.zeros(()); got {dtype!r}")
    hold_sums(discount, normalized)
    delta = stopping_rate(discount, dtype)
    scale = jnp.ones_like(delta) if normalized else 1 / delta
    return GroupGame(game.outcome_payoffs.astype(dtype), delta, scale)
