r"""Strategies that play each other as a Markov chain: occupancy, values, returns and their exact derivatives.

Two strategies p and q turn the repeated game into a chain over outcomes s ∈ {CC, CD, DC, DD}, player 1's action
first, with start distribution s_0 and transition matrix M,

    M(s → CC) = p_s q_s,    M(s → CD) = p_s (1−q_s),    M(s → DC) = (1−p_s) q_s,    M(s → DD) = (1−p_s)(1−q_s),

where q is read in player 1's order (CD and DC swapped). With payoffs r_s and δ = 1 − γ,

    d = δ s_0ᵀ (I − γM)^{-1}        occupancy: the share of (discounted) time in each state,
    J = d · r                       return: the average payoff a step,
    w = (I − γM)^{-1} r             values, of which only differences are used.

The policy gradient theorem is the closed form of the derivative (ω_s = γ d_s, and δ at the start):

    ∂J/∂p_s = ω_s [Q(s, C) − Q(s, D)],   Q(s, C) − Q(s, D) = q_s (w_CC − w_DC) + (1 − q_s)(w_CD − w_DD).

A custom differentiation rule (`_engine.memory_one`) applies it wherever returns are differentiated, in both modes.
The rule is made of d and w, whose derivatives are again solves of the same chain with another right-hand side, so
derivatives of any order follow. Longer memories and more players give longer chains over the same formulas
(`_engine.chains`). `_engine.folding` and `_engine.elimination` solve them, for every γ, the limit of means γ = 1
included.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._discount import stopping_rate as stopping_rate
from ipd_theory._engine import (
    Columns,
    chains,
    compiled,
    computed_once,
    memory_one_occupancy,
    memory_one_return,
)
from ipd_theory.games import MatrixGame


def checked_strategies(tables: Sequence[ArrayLike], num_players: int | None = None) -> tuple[list[Array], int]:
    """Return the strategies as checked arrays of one dtype and one memory (1 at least), and that memory."""
    arrays = [jnp.asarray(x) for x in tables]
    floats = [x.dtype for x in arrays if jnp.issubdtype(x.dtype, jnp.floating)]
    dtype = functools.reduce(np.promote_types, floats, np.dtype(np.float32))
    n = len(arrays)
    if n < 2 or (num_players is not None and n != num_players):
        raise ValueError(f"strategies: got {n} of them; the game has {num_players or 'two or more'} players")
    names = [f"strategies[{i}]" for i in range(n)]
    memory = max(1, *(strategies.memory_of(x, n, name) for x, name in zip(arrays, names, strict=True)))
    checked = [_checks.in_range(name, x.astype(dtype), 0.0, 1.0) for x, name in zip(arrays, names, strict=True)]
    return [strategies.extend(x, memory, n) for x in checked], memory


def _columns(x: Array, order: Sequence[int] | None = None) -> Columns:
    return tuple(x[..., i] for i in order or range(x.shape[-1]))


@functools.partial(jax.jit, static_argnames="memory")
def _discounted_returns(payoffs: Array, tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the normalised returns [..., k] for k players' outcome payoffs [..., k, K]."""
    if len(tables) != 2 or memory != 1:
        return chains.discounted_returns(payoffs, tables, delta, memory)
    # One more axis, over the players whose returns are asked for, keeps all of it one elementwise loop.
    p, q = _columns(tables[0][..., None, :]), _columns(tables[1][..., None, :], strategies.CONTEXT_SWAP)
    return memory_one_return(p, q, delta[..., None], _columns(payoffs))


@functools.partial(jax.jit, static_argnames="memory")
def _discounted_occupancy(tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts."""
    if len(tables) != 2 or memory != 1:
        return chains.discounted_occupancy(tables, delta, memory)
    return jnp.stack(memory_one_occupancy(_columns(tables[0]), _columns(tables[1], strategies.CONTEXT_SWAP), delta), -1)


def _chosen_discount(discount: ArrayLike | None, horizon: int | None, normalized: bool = True) -> ArrayLike:
    if horizon is None and discount is None:
        raise ValueError("discount is None; give a discount in [0, 1], a horizon, or both")
    if horizon is not None and (not isinstance(horizon, int) or horizon < 1):
        raise ValueError(f"horizon must be a whole number of steps, 1 or more; got {horizon}")
    if (
        not normalized
        and horizon is None
        and not isinstance(discount, jax.core.Tracer)
        and np.any(np.asarray(discount) == 1)
    ):
        raise ValueError("discount holds 1.0, where un-normalised returns are infinite; use normalized=True")
    return 1.0 if discount is None else discount


def expected_returns(
    game: MatrixGame,
    *tables: Float[ArrayLike, "... _"],
    discount: ArrayLike | None = None,
    horizon: int | None = None,
    normalized: bool = True,
) -> Float[Array, "... n"]:
    """Return every player's exact expected return, in payoff units a step.

    Args:
        game: the stage game, or a batch of them [...].
        *tables: each player's strategy [..., h], memory 0 to 3, in its own view; batch axes broadcast.
        discount: [...] γ in [0, 1]; 1 is the limit of means from the given start.
        horizon: if given, play ends after this many steps.
        normalized: return the average a step, Σ γ^t r / Σ γ^t; otherwise the sum Σ γ^t r.

    Returns:
        [..., n] returns, one for each player, differentiable to any order in everything.

    Raises:
        ValueError: if a probability or discount leaves [0, 1], a shape is wrong, or the sum is infinite.
    """
    gamma = _chosen_discount(discount, horizon, normalized)
    arrays, memory = checked_strategies(tables, game.num_players)
    payoffs = game.outcome_payoffs.astype(arrays[0].dtype)
    delta = stopping_rate(gamma, arrays[0].dtype)
    if horizon is None:
        returns = _discounted_returns(payoffs, arrays, delta, memory)
        return returns if normalized else returns / delta[..., None]
    occupied = chains.finite_occupancy(arrays, delta, memory, horizon)
    returns = (occupied[..., None, :] * chains.by_context(payoffs, memory)).sum(-1)
    mass = ((1 - delta)[..., None] ** np.arange(horizon, dtype=delta.dtype)).sum(-1)
    return returns if normalized else returns * mass[..., None]


def state_occupancy(
    *tables: Float[ArrayLike, "... _"], discount: ArrayLike | None = None, horizon: int | None = None
) -> Float[Array, "... states"]:
    """Return the share of (discounted) time spent in each state, as player 1 sees it.

    Args:
        *tables: each player's strategy [..., h], memory 0 to 3, in its own view.
        discount: [...] γ in [0, 1]; 1 is the limit of means from the given start.
        horizon: if given, play ends after this many steps.

    Returns:
        [..., h − 1], the non-empty contexts: (CC, CD, DC, DD) at memory one. Sums to 1.

    Raises:
        ValueError: if a probability or discount leaves [0, 1], or a shape is wrong.
    """
    gamma = _chosen_discount(discount, horizon)
    arrays, memory = checked_strategies(tables)
    delta = stopping_rate(gamma, arrays[0].dtype)
    if horizon is None:
        return _discounted_occupancy(arrays, delta, memory)
    return chains.finite_occupancy(arrays, delta, memory, horizon)


def state_values(
    game: MatrixGame, *tables: Float[ArrayLike, "... _"], discount: ArrayLike, player: int = 0
) -> Float[Array, "... h"]:
    """Return the player's expected return from each of its contexts on, per step (times 1 − γ).

    Arguments, batching and errors are those of `expected_returns`; `player` counts from 0. The first entry,
    the value at the start, is the player's expected return.
    """
    return chains.values(*_value_arguments(game, tables, discount), player=player)[0]


def advantages(
    game: MatrixGame, *tables: Float[ArrayLike, "... _"], discount: ArrayLike, player: int = 0
) -> Float[Array, "... h 2"]:
    """Return Q(context, action) − V(context) for cooperating and defecting, un-normalised, in payoff units.

    Arguments, batching and errors are those of `expected_returns`; `player` counts from 0. At γ = 1 these are
    the differential advantages, finite wherever the long-run average does not depend on the context.
    """
    return chains.values(*_value_arguments(game, tables, discount), player=player)[1]


def _value_arguments(
    game: MatrixGame, tables: Sequence[ArrayLike], discount: ArrayLike
) -> tuple[Array, list[Array], Array, int]:
    arrays, memory = checked_strategies(tables, game.num_players)
    dtype = arrays[0].dtype
    return game.outcome_payoffs.astype(dtype), arrays, stopping_rate(discount, dtype), memory


def return_gradient(
    game: MatrixGame,
    *tables: Float[ArrayLike, "... _"],
    discount: ArrayLike,
    player: int = 0,
    wrt: int = 0,
    normalized: bool = True,
) -> Float[Array, "... h"]:
    """Return the gradient of one player's return in one player's probabilities, by the policy gradient theorem.

    Args:
        game: the stage game, or a batch of them [...].
        *tables: each player's strategy [..., h], in its own view; batch axes broadcast.
        discount: [...] γ in [0, 1]. At γ = 1 the gradient exists where the chain is irreducible.
        player: whose return, from 0.
        wrt: whose strategy, from 0.
        normalized: of the average a step, or of the sum (see `expected_returns`).

    Returns:
        [..., h], in the order of the strategy `tables[wrt]`.

    Raises:
        ValueError: as `expected_returns`, or if `player` or `wrt` is not a player of the game.
    """
    for name, index in (("player", player), ("wrt", wrt)):
        if index not in range(len(tables)):
            raise ValueError(f"{name} must be one of 0 … {len(tables) - 1}; got {index}")
    _chosen_discount(discount, None, normalized)
    arrays, memory = checked_strategies(tables, game.num_players)
    payoffs = game.outcome_payoffs.astype(arrays[0].dtype)
    delta = stopping_rate(discount, arrays[0].dtype)
    shape = jnp.broadcast_shapes(payoffs.shape[:-2], delta.shape, *(x.shape[:-1] for x in arrays))
    table = jnp.asarray(tables[wrt], arrays[0].dtype)
    full = jnp.broadcast_to(table, (*shape, table.shape[-1]))
    if len(tables) == 2 and memory == 1 and table.shape[-1] == 5:
        gradient = _memory_one_gradient(full, payoffs[..., player, :], arrays[1 - wrt], delta, wrt)
    else:
        gradient = _gradient(full, payoffs[..., player : player + 1, :], arrays, delta, memory=memory, wrt=wrt)
    return gradient if normalized else gradient / delta[..., None]


@functools.partial(jax.jit, static_argnames=("memory", "wrt"))
def _gradient(table: Array, payoffs: Array, tables: list[Array], delta: Array, memory: int, wrt: int) -> Array:
    def total(x: Array) -> Array:
        changed = [strategies.extend(x, memory, len(tables)) if i == wrt else t for i, t in enumerate(tables)]
        return _discounted_returns(payoffs, changed, delta, memory).sum()

    return jax.grad(total)(table)


_BLOCK_BYTES = 2**17  # of a column; what a block of pairs needs then stays in a processor's cache


@compiled("wrt")
def _memory_one_gradient(table: Array, payoffs: Array, other: Array, delta: Array, wrt: int) -> Array:
    """The same for two memory-one strategies, many pairs block by block; only `table` has all batch axes."""
    order, partner_order = (None, strategies.CONTEXT_SWAP) if wrt == 0 else (strategies.CONTEXT_SWAP, None)

    def gradient(table: Array, payoffs: Array, other: Array, delta: Array) -> Array:
        own, partner = computed_once((_columns(table, order), _columns(other, partner_order)))

        def total(columns: Columns) -> Array:
            p, q = (columns, partner) if wrt == 0 else (partner, columns)
            return memory_one_return(p, q, delta, _columns(payoffs)).sum()

        columns = computed_once(jax.grad(total)(own))
        return jnp.stack([columns[i] for i in order or range(5)], -1)

    operands, ranks = (table, payoffs, other, delta), (1, 1, 1, 0)
    block = _BLOCK_BYTES // table.dtype.itemsize
    if table.size <= 5 * block:
        return gradient(*operands)
    varies = [x.ndim > rank for x, rank in zip(operands, ranks, strict=True)]
    flat = [
        jnp.broadcast_to(x, (*table.shape[:-1], *x.shape[x.ndim - rank :])).reshape(-1, *x.shape[x.ndim - rank :])
        for x, rank, batched in zip(operands, ranks, varies, strict=True)
        if batched
    ]

    def one(pair: list[Array]) -> Array:
        rest = iter(pair)
        return gradient(*(next(rest) if batched else x for x, batched in zip(operands, varies, strict=True)))

    return jax.lax.map(one, flat, batch_size=block).reshape(table.shape)
