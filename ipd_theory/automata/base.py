r"""Strategies with a hidden state, and the errors that they make.

An automaton is in one of n states. In state s it cooperates with probability c_s; after the outcome o, its own action
first, it moves to state s' with probability m(s, o, s'). A table that remembers n outcomes is one whose states are its
contexts, but a few states can remember what no such table can: that there has ever been a defection (the real GRIM),
or who is in good standing (contrite tit for tat).

Errors make another automaton of it. One that slips does other than it meant, and both players see what it did: c
changes. One that misperceives takes the other's C for a D, or its D for a C, and nobody else knows what it saw: m
changes to a mean over what it may have seen, and the states of two such players no longer say the same of the past.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked

OTHER_FLIPPED = np.array([1, 0, 3, 2])  # CC, CD, DC, DD with the other's action exchanged


def _chances(name: str, x: ArrayLike) -> Array:
    return _checks.in_range(name, _checks.to_float(x), 0.0, 1.0)


class Automaton(eqx.Module):
    """A strategy of n states, or a batch [...] of them.

    Args:
        cooperate: [..., n] the probability to cooperate in each state.
        moves: [..., n, 4, n] the probability of each next state after CC, CD, DC, DD, own action first.
        start: [..., n] the probability of each state in the first round; the first state if not given.

    Raises:
        ValueError: if a shape is wrong, or something that must be a probability or add up to 1 does not.
    """

    cooperate: Float[Array, "... n"]
    moves: Float[Array, "... n 4 n"]
    start: Float[Array, "... n"]

    @checked
    def __init__(self, cooperate: ArrayLike, moves: ArrayLike, start: ArrayLike | None = None) -> None:
        self.cooperate, self.moves = _chances("cooperate", cooperate), _chances("moves", moves)
        n = self.cooperate.shape[-1] if self.cooperate.ndim else 0
        first = jnp.zeros(max(n, 1)).at[0].set(1.0)
        self.start = first.astype(self.cooperate.dtype) if start is None else _chances("start", start)

    def __check_init__(self) -> None:
        n = self.cooperate.shape[-1] if self.cooperate.ndim else 0
        if n == 0 or self.moves.shape[-3:] != (n, 4, n) or self.start.shape[-1:] != (n,):
            raise ValueError(
                "cooperate, moves and start must have the last axes (n,), (n, 4, n) and (n,); got the shapes "
                f"{self.cooperate.shape}, {self.moves.shape} and {self.start.shape}"
            )
        for name, chances in (("moves", self.moves), ("start", self.start)):
            if not isinstance(chances, jax.core.Tracer) and not np.allclose(chances.sum(-1), 1, atol=1e-6):
                raise ValueError(f"{name} must add up to 1 over its last axis; got sums {np.unique(chances.sum(-1))}")

    @property
    def num_states(self) -> int:
        """How many states it has."""
        return self.cooperate.shape[-1]


@checked
def of_table(strategy: Float[ArrayLike, "... h"]) -> Automaton:
    """Return a table [..., h] of memory 0 to 3 as an automaton whose states are its contexts.

    Raises:
        ValueError: if the last axis has no valid length, or a probability leaves [0, 1].
    """
    after = strategies.successors(strategies.memory_of(strategy))
    table = _checks.in_range("strategy", jnp.asarray(strategy), 0.0, 1.0)
    return Automaton(table, jnp.eye(len(after), dtype=table.dtype)[after])


@checked
def with_errors(
    automaton: Automaton,
    *,
    defecting: ArrayLike = 0.0,
    cooperating: ArrayLike = 0.0,
    perceiving: ArrayLike = 0.0,
    missing_cooperation: ArrayLike | None = None,
    missing_defection: ArrayLike | None = None,
) -> Automaton:
    """Return the automaton that errs in what it does and in what it sees.

    Args:
        automaton: without errors.
        defecting: [...] probability to defect where it meant to cooperate.
        cooperating: [...] probability to cooperate where it meant to defect; a tremble has both alike.
        perceiving: [...] probability to take the other's action for the opposite, whichever it was.
        missing_cooperation: [...] probability to take the other's C for a D; that of `perceiving` if not given.
        missing_defection: [...] probability to take the other's D for a C; that of `perceiving` if not given.

    Raises:
        ValueError: if a probability leaves [0, 1], or an error is so small that 1 less it rounds (see
            `strategies.tremble`).
    """
    dtype = automaton.cooperate.dtype

    def chance(name: str, x: ArrayLike) -> Array:
        return _checks.resolved(name, jnp.asarray(_checks.probabilities(name, x), dtype))

    down, up = chance("defecting", defecting)[..., None], chance("cooperating", cooperating)[..., None]
    missed = [
        chance("perceiving", perceiving) if given is None else chance(name, given)
        for name, given in (("missing_cooperation", missing_cooperation), ("missing_defection", missing_defection))
    ]
    meant = automaton.cooperate
    blind = jnp.stack([*jnp.broadcast_arrays(*missed)] * 2, -1)[..., None, :, None]  # after CC, CD, DC, DD
    moves = (1 - blind) * automaton.moves + blind * automaton.moves[..., OTHER_FLIPPED, :]
    return Automaton((1 - down) * meant + up * (1 - meant), moves, automaton.start)
