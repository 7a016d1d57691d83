"""A game between two learners as one of them sees it: its own parameters first, its own return first.

Both players hold parameters, x their own and y the other's, and a view gives both returns J_own(x, y), J_other(x, y).
Whatever is written for the owner of a view serves both players, each with the view from its side.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._engine import Columns, computed_once, memory_one_return
from ipd_theory._engine.chains import discounted_returns
from ipd_theory.games import MatrixGame
from ipd_theory.returns import hold_sums, stopping_rate
from ipd_theory.strategies import CONTEXT_SWAP, OUTCOME_SWAP, extend, memory_of

MEMORY_ONE = 5  # contexts
PAIR_RANKS = (1, 1, 0, 0, 1, 1)  # axes of the arrays of a `RepeatedGame` and of two players' logits, for one pair


@runtime_checkable
class View(Protocol):
    """A game between two learners, from one side; both functions take (own, other) parameters."""

    def own(self, x: Array, y: Array) -> Array:
        """Return J_own, a number."""

    def other(self, x: Array, y: Array) -> Array:
        """Return J_other, a number."""

    def swapped(self) -> "View":
        """Return the same game from the other side."""


class RepeatedGame(NamedTuple):
    """A repeated 2×2 game between players of any memory given by logits, from one side.

    Args:
        own_payoffs: [4] after CC, CD, DC, DD, own action first.
        other_payoffs: [4] the other's, in the same order.
        delta: the stopping rate 1 − γ.
        scale: 1 for averages a step, 1/(1 − γ) for sums.
    """

    own_payoffs: Float[Array, "4"]
    other_payoffs: Float[Array, "4"]
    delta: Float[Array, ""]
    scale: Float[Array, ""]

    @property
    def ranks(self) -> tuple[int, ...]:
        """How many axes each field has for one pair."""
        return PAIR_RANKS[:4]

    def seats(self) -> list[View]:
        """Return the game from both sides, the owner's first."""
        return [self, self.swapped()]

    def columns(self, x: Array, y: Array) -> tuple[Columns, Columns]:
        """Return both memory-one players' cooperation probabilities as columns, in the owner's order."""
        for name, logits in (("own logits", x), ("other's logits", y)):
            _checks.last_axis(name, logits, (MEMORY_ONE,), "memory one, whose values this rule reads")
        # `split` has `concatenate` for its transpose; indexing would pad and add five arrays on the way back.
        p, q = (computed_once(tuple(jax.nn.sigmoid(u[0]) for u in jax.lax.split(v, (1,) * 5))) for v in (x, y))
        return p, tuple(q[i] for i in CONTEXT_SWAP)

    def _return(self, x: Array, y: Array, payoffs: Array) -> Array:
        if {len(x), len(y)} != {MEMORY_ONE}:
            return self.scale * returns_of_all((x, y), payoffs[None], self.delta)[0]
        p, q = self.columns(x, y)
        return self.scale * memory_one_return(p, q, self.delta, tuple(payoffs[i] for i in range(4)))

    def own(self, x: Array, y: Array) -> Array:
        """Return J_own."""
        return self._return(x, y, self.own_payoffs)

    def other(self, x: Array, y: Array) -> Array:
        """Return J_other."""
        return self._return(x, y, self.other_payoffs)

    def swapped(self) -> "OtherSide":
        """Return the game from the other side."""
        return OtherSide(self)

    def exchanged(self) -> "RepeatedGame":
        """Return the game in which the owner has the other's role."""
        swap = np.array(OUTCOME_SWAP)
        return RepeatedGame(self.other_payoffs[swap], self.own_payoffs[swap], self.delta, self.scale)


def returns_of_all(
    players: Sequence[Float[Array, "... _"]],
    payoffs: Float[Array, "... k outcomes"],
    delta: Float[Array, "..."],
    tremble: Float[Array, "..."] | None = None,
) -> Float[Array, "... k"]:
    """Return what k of two or more players earn a step, whose actions may be flipped.

    Args:
        players: each player's logits [..., h], of any memory, in its own view.
        payoffs: [..., k, 2^n] by outcome.
        delta: [...] stopping rates 1 − γ.
        tremble: [...] probability of a flipped action; 0 if None.
    """
    n = len(players)
    memory = max(1, *(memory_of(x, n) for x in players))
    tables = [jax.nn.sigmoid(x) for x in players]
    if tremble is not None:
        tables = [tremble[..., None] + (1 - 2 * tremble[..., None]) * x for x in tables]
    return discounted_returns(payoffs, [extend(x, memory, n) for x in tables], delta, memory)


class OtherSide(NamedTuple):
    """A game as the other player sees it; what both sides compute is the same expression, and computed once."""

    view: View

    def own(self, x: Array, y: Array) -> Array:
        """Return J_own."""
        return self.view.other(y, x)

    def other(self, x: Array, y: Array) -> Array:
        """Return J_other."""
        return self.view.own(y, x)

    def swapped(self) -> View:
        """Return the game from the first side."""
        return self.view


def as_repeated_game(view: View) -> RepeatedGame:
    """Return the repeated game that the owner of a view plays, for rules that need more of it than its returns.

    Raises:
        TypeError: if the view is of another kind of game.
    """
    if isinstance(view, OtherSide):
        return as_repeated_game(view.view).exchanged()
    if isinstance(view, RepeatedGame):
        return view
    raise TypeError(f"view must be of a repeated game, whose values this rule reads; got {type(view).__name__}")


@checked
def repeated_game(game: MatrixGame, discount: ArrayLike, dtype: np.dtype, normalized: bool = True) -> RepeatedGame:
    """Return player 1's view of a game, every field with the game's and the discount's batch axes first.

    Args:
        game: a two-player game, or a batch of them [...].
        discount: [...] γ in [0, 1].
        dtype: the floating dtype to compute in.
        normalized: returns are averages a step; otherwise sums Σ γ^t r, and γ must stay below 1.

    Raises:
        ValueError: if the game has not two players, a discount leaves [0, 1], or sums are infinite.
    """
    if not isinstance(dtype, np.dtype | type) or not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"dtype must be a floating one, such as that of jnp.zeros(()); got {dtype!r}")
    _checks.two_players(game)
    hold_sums(discount, normalized)
    payoffs = game.outcome_payoffs.astype(dtype)
    delta = stopping_rate(discount, dtype)
    scale = jnp.ones_like(delta) if normalized else 1 / delta
    return RepeatedGame(payoffs[..., 0, :], payoffs[..., 1, :], delta, scale)


def checked_last_axes(name: str, x: Array, *last: int | None) -> Array:
    """Return logits, or raise `ValueError` unless they are finite and have these last axes; None is any length."""
    ends = jnp.shape(x)[-len(last) :]
    if [want or length for want, length in zip(last, ends, strict=False)] != list(ends) or len(ends) < len(last):
        meant = ", ".join(str(want or "learners") for want in last)
        raise ValueError(f"{name} has shape {jnp.shape(x)}; its last axes must be ({meant}): agents, …, contexts")
    return _checks.finite(name, x)


def checked_logits(*, any_memory: bool = False, num_players: int = 2, **named: ArrayLike) -> list[Array]:
    """Return logits [..., h] as arrays of one floating dtype; whole numbers take that of the others, or the default.

    Args:
        any_memory: h may be that of any memory; otherwise 5, memory one.
        num_players: among how many players, on which h depends.
        named: the logits.

    Raises:
        ValueError: if a last axis has no valid length, an entry is not finite or batch axes do not fit; it names those.
    """
    arrays = {name: jnp.asarray(x) for name, x in named.items()}
    for name, x in arrays.items():
        if any_memory:
            memory_of(x, num_players, name)
        else:
            _checks.last_axis(name, x, (MEMORY_ONE,), "the contexts of memory one")
    floats = [x.dtype for x in arrays.values() if jnp.issubdtype(x.dtype, jnp.floating)] or [jnp.zeros(()).dtype]
    dtype = np.result_type(np.float32, *floats)
    _checks.batch(**{name: x.shape[:-1] for name, x in arrays.items()})
    return [_checks.finite(name, x.astype(dtype)) for name, x in arrays.items()]
