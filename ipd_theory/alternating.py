r"""Players who move in turn: the alternating prisoner's dilemma, exactly.

One player moves at a time and the other's last action stands, so that after every move a pair of actions is in force
and pays both players what the stage game says. That is the repeated game with asynchronous moves (Maskin & Tirole
1988); where payoffs add up, R + P = S + T, as in a donation game, an action simply pays whenever it is taken, which is
the alternating prisoner's dilemma of Nowak & Sigmund (1994) and Frean (1994). A round is a move of each.

Play opens with both players' first actions, then the movers take turns. Who moves knows its own standing action and
the other's, so that two memory-one strategies p and q are a Markov chain over the pair in force, CC, CD, DC, DD, and
the next mover: player 1 changes the first letter, player 2 the second,

    (x y, 1) → (C y, 2) with probability p_xy,        (x y, 2) → (x C, 1) with probability q_yx.

Where chance decides who moves next, at each move anew, the chain is the mean of both over the four pairs alone.

An automaton learns of the other's move when its own turn comes, and of its own move as it makes it: the outcome that
it then takes in is its standing action with the other's newest. Two of them are a chain over both states, the mover,
and the standing action that its opponent has yet to take in.

Error correction differs from play at the same time: tit for tat passes a single mistake on for ever, win-stay,
lose-shift ends in two defections for each cooperation, and who forgives at once after mutual defection (firm but fair)
is back at cooperation after one defection of the other.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._engine import chain_returns, chains
from ipd_theory.automata import Automaton
from ipd_theory.games import MatrixGame
from ipd_theory.returns import stopping_rate

Order = Literal["turns", "random"]


@checked
def expected_returns(
    game: MatrixGame,
    p: Float[ArrayLike, "... _"],
    q: Float[ArrayLike, "... _"],
    *,
    discount: ArrayLike,
    order: Order = "turns",
    next_mover: int = 0,
) -> Float[Array, "... 2"]:
    """Return both players' exact expected returns, a move.

    Args:
        game: the stage game for two, or a batch of them [...].
        p, q: [..., h] strategies of memory 0 or 1, each in its own view; batch axes broadcast.
        discount: [...] γ in [0, 1] from one move to the next; 1 is the limit of means.
        order: whether the players take turns, or chance decides before each move who makes it.
        next_mover: who moves first after both have opened, 0 or 1, if they take turns.

    Raises:
        ValueError: if the game is not for two, a probability or discount leaves [0, 1], or a strategy remembers more.
    """
    _two(game, next_mover)
    first, second = _memory_one("p", p), _memory_one("q", q)
    dtype = np.promote_types(first.dtype, second.dtype)
    first, second, delta = first.astype(dtype), second.astype(dtype), stopping_rate(discount, dtype)
    payoffs = game.outcome_payoffs.astype(dtype)
    _checks.batch(game=payoffs.shape[:-2], p=first.shape[:-1], q=second.shape[:-1], discount=delta.shape)
    return _returns(payoffs, first, second, delta, in_turn=order == "turns", next_mover=next_mover)


def _memory_one(name: str, strategy: ArrayLike) -> Array:
    table = _checks.probabilities(name, strategy)
    memory = strategies.memory_of(table, name=name)
    if memory > 1:
        raise ValueError(f"{name} remembers {memory} rounds; where players move in turn it must be a table of 0 or 1")
    return strategies.extend(table, 1)


def _two(game: MatrixGame, next_mover: int) -> None:
    _checks.two_players(game)
    _checks.player("next_mover", next_mover, 2)


@functools.partial(jax.jit, static_argnames=("in_turn", "next_mover"))
def _returns(payoffs: Array, p: Array, q: Array, delta: Array, in_turn: bool, next_mover: int) -> Array:
    theirs = q[..., jnp.array(strategies.CONTEXT_SWAP)]  # in player 1's order
    opening = (
        jnp.stack([p[..., 0], 1 - p[..., 0]], -1)[..., :, None]
        * jnp.stack([theirs[..., 0], 1 - theirs[..., 0]], -1)[..., None, :]
    )
    opening = opening.reshape(*opening.shape[:-2], 4)
    by_first, by_second = _moved(p[..., 1:], 0), _moved(theirs[..., 1:], 1)
    by_first, by_second = jnp.broadcast_arrays(by_first, by_second)
    if in_turn:
        nothing = jnp.zeros_like(by_first)
        moves = jnp.block([[nothing, by_first], [by_second, nothing]])
        here = jnp.zeros_like(opening)
        start = jnp.concatenate([opening, here] if next_mover == 0 else [here, opening], -1)
        payoffs = jnp.concatenate([payoffs, payoffs], -1)
    else:
        moves, start = (by_first + by_second) / 2, opening
    return chain_returns(*chains.with_common_batch(start, moves, delta, payoffs))


def _moved(cooperate: Array, mover: int) -> Array:
    """Return the moves [..., 4, 4] between pairs in force that one player makes who cooperates so often [..., 4]."""
    after = jnp.array([[0, 1, 0, 1], [0, 0, 2, 2]][mover])  # the pair once it has cooperated; else 2 or 1 further on
    c = cooperate[..., :, None]
    return c * jnp.eye(4, dtype=c.dtype)[after] + (1 - c) * jnp.eye(4, dtype=c.dtype)[after + (2, 1)[mover]]


@checked
def automata_returns(
    game: MatrixGame, first: Automaton, second: Automaton, *, discount: ArrayLike, next_mover: int = 0
) -> Float[Array, "... 2"]:
    """Return both players' exact expected returns, a move, of automata that take turns.

    Args:
        game: the stage game for two, or a batch of them [...].
        first, second: the automata of player 1 and player 2; batch axes broadcast.
        discount: [...] γ in [0, 1] from one move to the next; 1 is the limit of means.
        next_mover: who moves first after both have opened, 0 or 1.

    Raises:
        ValueError: if the game is not for two, or a discount leaves [0, 1].
    """
    _two(game, next_mover)
    dtype = np.promote_types(first.cooperate.dtype, second.cooperate.dtype)
    first, second = jax.tree.map(lambda x: x.astype(dtype), (first, second))
    delta = stopping_rate(discount, dtype)
    _checks.batch(
        game=game.outcome_payoffs.shape[:-2],
        first=first.cooperate.shape[:-1],
        second=second.cooperate.shape[:-1],
        discount=delta.shape,
    )
    return _automata_returns(game.payoffs.astype(dtype), first, second, delta, next_mover=next_mover)


@functools.partial(jax.jit, static_argnames="next_mover")
def _automata_returns(payoffs: Array, first: Automaton, second: Automaton, delta: Array, next_mover: int) -> Array:
    """Its states: (s, t, y, 1), t not yet knowing player 1's newest action, and (s, t, x, 2), s not player 2's."""
    acts = [jnp.stack([a.cooperate, 1 - a.cooperate], -1) for a in (first, second)]  # [..., n, action]
    # [..., state, own action, other's action, next state]
    takes_in = [a.moves.reshape(*a.moves.shape[:-2], 2, 2, a.moves.shape[-1]) for a in (first, second)]
    # Player 1 does x; player 2 takes in (y, x), becomes u, and has x before it.
    by_first = jnp.einsum("...sx,...tyxu,si->...styiux", acts[0], takes_in[1], jnp.eye(first.num_states))
    by_second = jnp.einsum("...ty,...sxyu,ti->...stxuiy", acts[1], takes_in[0], jnp.eye(second.num_states))
    size = 2 * first.num_states * second.num_states
    by_first, by_second = (x.reshape(*x.shape[:-6], size, size) for x in (by_first, by_second))
    by_first, by_second = jnp.broadcast_arrays(by_first, by_second)
    nothing = jnp.zeros_like(by_first)
    moves = jnp.block([[nothing, by_first], [by_second, nothing]])
    ones = [jnp.ones((a.num_states,), delta.dtype) for a in (first, second)]
    earned = [
        jnp.einsum("...sx,t,...ixy->...isty", acts[0], ones[1], payoffs),
        jnp.einsum("s,...ty,...ixy->...istx", ones[0], acts[1], payoffs),
    ]
    earned = jnp.broadcast_arrays(*(x.reshape(*x.shape[:-3], size) for x in earned))
    begun = jnp.einsum("...s,...t,...sx,...ty->...stxy", first.start, second.start, *acts)
    if next_mover == 0:
        start = jnp.einsum("...stxy,...sxyu->...uty", begun, takes_in[0])
    else:
        start = jnp.einsum("...stxy,...tyxu->...sux", begun, takes_in[1])
    start = start.reshape(*start.shape[:-3], size)
    empty = jnp.zeros_like(start)
    start = jnp.concatenate([start, empty] if next_mover == 0 else [empty, start], -1)
    onward = chain_returns(*chains.with_common_batch(start, moves, delta, jnp.concatenate(earned, -1)))
    opened = jnp.einsum("...stxy,...ixy->...i", begun, payoffs)
    return delta[..., None] * opened + (1 - delta)[..., None] * onward
