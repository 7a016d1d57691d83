r"""What automata earn from each other: exact returns, occupancies and gradients.

Two automata are a Markov chain over pairs of states,

    M[(s, t) → (s', t')] = Σ_o P(o | s, t) m(s, o, s') m'(t, ō, t'),    r(s, t) = Σ_o P(o | s, t) payoff(o),

ō the outcome as the other names it; each sees the outcome with errors of its own, which m and m' hold. It is solved by
the elimination that tables use, so that returns are exact for every discount, the limit of means included, and
differentiable in everything. With occupancy d and values w (`returns`), the policy gradient theorem gives

    ∂J/∂c_s = Σ_t d(s, t) Σ_b P(b | t) [Q(s, t; C, b) − Q(s, t; D, b)],
    ∂J/∂m(s, o, s') = γ Σ_t d(s, t) P(o | s, t) Σ_t' m'(t, ō, t') w(s', t'),

Q the payoff of the outcome and γ times the value of where it leads. Probabilities that add up to 1 cannot change one
at a time; what is returned is the derivative along (1 − ε) m + ε [s'], the mean over the row taken off.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._engine import chain_occupancy, chain_returns, chains
from ipd_theory.automata.base import Automaton
from ipd_theory.games import MatrixGame
from ipd_theory.returns import chosen_discount, stopping_rate


class Gradient(NamedTuple):
    """How a return rises with each probability of an automaton.

    Args:
        cooperate: [..., n] per unit of the probability to cooperate.
        moves: [..., n, 4, n] per unit of probability that goes to a next state, from all of them in proportion.
        start: [..., n] likewise for the first state.
    """

    cooperate: Float[Array, "... n"]
    moves: Float[Array, "... n 4 n"]
    start: Float[Array, "... n"]


def _fitting(game: MatrixGame, first: Automaton, second: Automaton, discount: ArrayLike) -> None:
    shapes = {"game": game.outcome_payoffs.shape[:-2], "discount": np.shape(discount)}
    for name, automaton in (("first", first), ("second", second)):
        inner = automaton.cooperate.shape[:-1], automaton.moves.shape[:-3], automaton.start.shape[:-1]
        shapes[name] = _checks.batch(**{f"{name}'s parts": np.broadcast_shapes(*inner)})
    _checks.batch(**shapes)


def _joint(first: Automaton, second: Automaton) -> tuple[Array, Array, Array]:
    """Return the chance of each outcome [..., n, m, 4], the chain's moves [..., nm, nm] and its start [..., nm]."""
    p, q = first.cooperate[..., :, None], second.cooperate[..., None, :]
    chances = jnp.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    seen = second.moves[..., np.array(strategies.OUTCOME_SWAP), :]
    moves = jnp.einsum("...sto,...soa,...tob->...stab", chances, first.moves, seen)
    size = chances.shape[-3] * chances.shape[-2]
    start = first.start[..., :, None] * second.start[..., None, :]
    return chances, moves.reshape(*moves.shape[:-4], size, size), start.reshape(*start.shape[:-2], size)


def _chain(payoffs: Array, first: Automaton, second: Automaton, delta: Array) -> tuple[Array, Array, Array, Array]:
    """Return start, moves, δ and both players' payoffs [..., 2, nm] of the chain, with the common batch axes."""
    chances, moves, start = _joint(first, second)
    earned = jnp.einsum("...sto,...io->...ist", chances, payoffs)
    earned = earned.reshape(*earned.shape[:-2], start.shape[-1])
    return chains.with_common_batch(start, moves, delta, earned)


@checked
def expected_returns(
    game: MatrixGame,
    first: Automaton,
    second: Automaton,
    *,
    discount: ArrayLike | None = None,
    horizon: int | None = None,
) -> Float[Array, "... 2"]:
    """Return both players' exact expected returns, a step.

    Args:
        game: the stage game for two, or a batch of them [...].
        first, second: the automata of player 1 and player 2; batch axes broadcast.
        discount: [...] γ in [0, 1]; 1 is the limit of means from the start.
        horizon: if given, play ends after this many steps; without a discount all weigh alike.

    Raises:
        ValueError: if the game is not for two, a discount leaves [0, 1], the horizon is no step, or neither is given.
    """
    arguments = _arguments(game, first, second, discount, horizon)
    return _returns(*arguments) if horizon is None else _finite_returns(*arguments, horizon=horizon)


def _arguments(
    game: MatrixGame, first: Automaton, second: Automaton, discount: ArrayLike | None, horizon: int | None = None
) -> tuple[Array, Automaton, Automaton, Array]:
    _checks.two_players(game)
    gamma = chosen_discount(discount, horizon)
    _fitting(game, first, second, gamma)
    dtype = np.promote_types(first.cooperate.dtype, second.cooperate.dtype)
    first, second = (jax.tree.map(lambda x: x.astype(dtype), a) for a in (first, second))
    return game.outcome_payoffs.astype(dtype), first, second, stopping_rate(gamma, dtype)


@jax.jit
def _returns(payoffs: Array, first: Automaton, second: Automaton, delta: Array) -> Array:
    return chain_returns(*_chain(payoffs, first, second, delta))


@functools.partial(jax.jit, static_argnames="horizon")
def _finite_returns(payoffs: Array, first: Automaton, second: Automaton, delta: Array, horizon: int) -> Array:
    start, moves, delta, earned = _chain(payoffs, first, second, delta)
    gamma = (1 - delta)[..., None]
    visits = chains.chain_visits(start, moves, gamma, jnp.ones_like(gamma), horizon)
    return (earned * (visits / visits.sum(-1, keepdims=True))[..., None, :]).sum(-1)


@checked
def occupancy(first: Automaton, second: Automaton, *, discount: ArrayLike) -> Float[Array, "... n m"]:
    """Return the share of (discounted) time that two automata spend in each pair of their states.

    Args:
        first, second: the automata; batch axes broadcast.
        discount: [...] γ in [0, 1]; 1 is the limit of means from the start.

    Raises:
        ValueError: if a discount leaves [0, 1].
    """
    nothing = MatrixGame(jnp.zeros((2, 2, 2), first.cooperate.dtype))
    start, moves, delta, _ = _chain(*_arguments(nothing, first, second, discount))
    shares = _occupied(start, moves, delta)
    return shares.reshape(*shares.shape[:-1], first.num_states, second.num_states)


_occupied = jax.jit(chain_occupancy)


@checked
def return_gradient(
    game: MatrixGame, first: Automaton, second: Automaton, *, discount: ArrayLike, player: int = 0, wrt: int = 0
) -> Gradient:
    """Return the gradient of one player's return in the probabilities of one player's automaton.

    Args:
        game: the stage game for two, or a batch of them [...].
        first, second: the automata of player 1 and player 2; batch axes broadcast.
        discount: [...] γ in [0, 1]; at 1 it exists where the long-run average does not depend on the state.
        player: whose return, from 0.
        wrt: whose automaton, from 0.

    Raises:
        ValueError: as `expected_returns`, or if `player` or `wrt` is not a player of the game.
    """
    for name, index in (("player", player), ("wrt", wrt)):
        _checks.player(name, index, 2)
    return Gradient(*_gradient(*_arguments(game, first, second, discount), player=player, wrt=wrt))


@functools.partial(jax.jit, static_argnames=("player", "wrt"))
def _gradient(
    payoffs: Array, first: Automaton, second: Automaton, delta: Array, player: int, wrt: int
) -> tuple[Array, Array, Array]:
    start, _, delta, _ = _chain(payoffs, first, second, delta)
    own = (first, second)[wrt]
    whole = jax.tree.map(
        lambda x, rank: jnp.broadcast_to(x, (*start.shape[:-1], *x.shape[x.ndim - rank :])),
        (own.cooperate, own.moves, own.start),
        (1, 3, 1),
    )

    def total(parts: tuple[Array, Array, Array]) -> Array:
        changed: Automaton = jax.tree.unflatten(jax.tree.structure(own), parts)
        one, other = (changed, second) if wrt == 0 else (first, changed)
        begun, moves, rates, earned = _chain(payoffs, one, other, delta)
        return chains.chain_return(begun, moves, rates, earned[..., player, :]).sum()

    cooperate, moves, begun = jax.grad(total)(whole)
    towards = [g - (g * x).sum(-1, keepdims=True) for g, x in ((moves, whole[1]), (begun, whole[2]))]
    return cooperate, towards[0], towards[1]
