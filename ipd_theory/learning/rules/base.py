r"""What a learning rule is, and the repeated game as one player sees it.

Two players hold parameters x (own) and y (other) and returns J_own(x, y), J_other(x, y). A rule is a pair

    init(x, y) -> state,     update(view, x, y, state) -> (direction, state, info),

and `direction` is what its owner ascends: plain gradient steps x ← x + α·direction give the published update.
Rules are written for one pair, in vectors; `learn` and `direction` batch them over leading axes. Each sees the
game from its own side, so any two rules can meet; sources that write losses L = −J have the signs turned here.
"""

import enum
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory import _checks
from ipd_theory._engine import Columns, computed_once, memory_one_return
from ipd_theory.games import MatrixGame
from ipd_theory.returns import stopping_rate
from ipd_theory.strategies import CONTEXT_SWAP, OUTCOME_SWAP

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
    """A repeated 2×2 game between memory-one players given by logits, from one side.

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

    def columns(self, x: Array, y: Array) -> tuple[Columns, Columns]:
        """Return both players' cooperation probabilities as columns, in the owner's order."""
        # `split` has `concatenate` for its transpose; indexing would pad and add five arrays on the way back.
        p, q = (computed_once(tuple(jax.nn.sigmoid(u[0]) for u in jax.lax.split(v, (1,) * 5))) for v in (x, y))
        return p, tuple(q[i] for i in CONTEXT_SWAP)

    def _return(self, x: Array, y: Array, payoffs: Array) -> Array:
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


class Problem(enum.IntEnum):
    """What can go wrong in an update."""

    NONE = 0
    NOT_FINITE = 1  # a step overflowed or was undefined: the pair stops there
    SINGULAR = 2  # a linear system could not be solved
    UNCONVERGED = 3  # an inner solver stopped above its tolerance


class Info(NamedTuple):
    """What an update reports about itself: an inner solver's residual (0 where there is none) and a `Problem`."""

    residual: Float[Array, ""]
    problem: Int[Array, ""]


Update = Callable[[Any, Array, Array, Any], tuple[Array, Any, Info]]


class Rule(NamedTuple):
    """A learning rule: (init, update)."""

    init: Callable[[Array, Array], Any]
    update: Update


def no_state(x: Array, y: Array) -> tuple[()]:
    """Return the state of a rule that remembers nothing."""
    return ()


def nothing_wrong(x: Array) -> Info:
    """Return the info of an update that solves nothing."""
    return Info(jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32))


def stateless(field: Callable[[Any, Array, Array], Array]) -> Rule:
    """Return the rule that ascends `field(view, x, y)`."""

    def update(view: Any, x: Array, y: Array, state: Any) -> tuple[Array, Any, Info]:
        return field(view, x, y), state, nothing_wrong(x)

    return Rule(no_state, update)


def solving(field: Callable[[Any, Array, Array], tuple[Array, Info]]) -> Rule:
    """Return the rule that ascends the first result of `field(view, x, y)` and reports the second."""

    def update(view: Any, x: Array, y: Array, state: Any) -> tuple[Array, Any, Info]:
        direction, info = field(view, x, y)
        return direction, state, info

    return Rule(no_state, update)


@functools.cache
def still() -> Rule:
    """Return the rule that never moves: a fixed policy."""
    return stateless(lambda view, x, y: jnp.zeros_like(x))


@functools.cache
def mixture(rules: tuple[Rule, ...], weights: tuple[float, ...]) -> Rule:
    """Return the rule whose direction is the weighted sum of others'.

    Args:
        rules: the rules to mix.
        weights: one for each.
    """

    def init(x: Array, y: Array) -> Any:
        return tuple(rule.init(x, y) for rule in rules)

    def update(view: Any, x: Array, y: Array, states: Any) -> tuple[Array, Any, Info]:
        updates = [rule.update(view, x, y, state) for rule, state in zip(rules, states, strict=True)]
        direction = sum((w * d for w, (d, _, _) in zip(weights, updates, strict=True)), jnp.zeros_like(x))
        infos = [info for _, _, info in updates]
        info = Info(
            jnp.stack([i.residual for i in infos]).max(), jnp.stack([jnp.asarray(i.problem) for i in infos]).max()
        )
        return direction, tuple(state for _, state, _ in updates), info

    return Rule(init, update)


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
    if game.num_players != 2:
        raise ValueError(f"game must have two players; it has {game.num_players}")
    if not normalized and not isinstance(discount, jax.core.Tracer) and bool((np.asarray(discount) == 1).any()):
        raise ValueError("discount holds 1.0, where un-normalised returns are infinite; use normalized=True")
    payoffs = game.outcome_payoffs.astype(dtype)
    delta = stopping_rate(discount, dtype)
    scale = jnp.ones_like(delta) if normalized else 1 / delta
    return RepeatedGame(payoffs[..., 0, :], payoffs[..., 1, :], delta, scale)


def checked_logits(**named: ArrayLike) -> list[Array]:
    """Return logits [..., 5] as arrays of one floating dtype, or raise `ValueError` naming the one at fault."""
    arrays = {name: jnp.asarray(x) for name, x in named.items()}
    for name, x in arrays.items():
        _checks.last_axis(name, x, (5,), "the contexts of memory one")
    floats = [x.dtype for x in arrays.values() if jnp.issubdtype(x.dtype, jnp.floating)]
    return [x.astype(np.result_type(np.float32, *floats)) for x in arrays.values()]
