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
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._discount import chosen_discount as chosen_discount
from ipd_theory._discount import hold_sums as hold_sums
from ipd_theory._discount import rate_for_compiled as rate_for_compiled
from ipd_theory._discount import stopping_rate as stopping_rate
from ipd_theory._discount import vanishing_delta
from ipd_theory._engine import (
    argument_of_jumps,
    batch_first,
    chains,
    columns,
    jump_scale,
    memory_one_gradients,
    memory_one_occupancy,
    memory_one_returns,
    once_differentiable,
    result_of_jumps,
    slopes_or_jumps,
)
from ipd_theory.games import MatrixGame

Known = Array | np.ndarray


def checked_strategies(tables: Sequence[ArrayLike], num_players: int | None = None) -> tuple[list[Known], int]:
    """Return the strategies as checked arrays of one dtype and one memory (1 at least), and that memory."""
    arrays, memory, alarms = _watched_strategies(tables, num_players)
    return [x if alarm is None else x + alarm for x, alarm in zip(arrays, alarms, strict=True)], memory


def _watched_strategies(
    tables: Sequence[ArrayLike], num_players: int | None = None
) -> tuple[list[Known], int, list[Array | None]]:
    """Return what `checked_strategies` does, and the zeros that check traced ones."""
    n = len(tables)
    if n < 2 or (num_players is not None and n != num_players):
        hint = "; a discount goes by name, discount=…" if n and not np.ndim(tables[-1]) else ""
        raise ValueError(f"strategies: got {n} of them; the game has {num_players or 'two or more'} players{hint}")
    arrays = {f"strategies[{i}]": _checks.floating(x) for i, x in enumerate(tables)}
    dtype = functools.reduce(np.promote_types, (x.dtype for x in arrays.values()), np.dtype(np.float32))
    memories = [strategies.memory_of(x, n, name) for name, x in arrays.items()]
    memory = max(1, *memories)
    cast = [x if x.dtype == dtype else x.astype(dtype) for x in arrays.values()]
    alarms = [_checks.alarm(name, x) for name, x in zip(arrays, cast, strict=True)]
    full = [x if own == memory else strategies.extend(x, memory, n) for x, own in zip(cast, memories, strict=True)]
    return full, memory, alarms


def _watched_rate(discount: ArrayLike, dtype: np.dtype, alarms: Sequence[Array | None]) -> Known:
    """Return δ, on which the checks of the strategies hang."""
    return functools.reduce(operator.add, [x for x in alarms if x is not None], rate_for_compiled(discount, dtype))


def _fitting(tables: Sequence[ArrayLike], discount: ArrayLike, game: MatrixGame | None = None) -> tuple[int, ...]:
    """Return the shape to which the batch axes of all arguments broadcast."""
    axes = {f"strategies[{i}]": np.shape(x)[:-1] for i, x in enumerate(tables)} | {"discount": np.shape(discount)}
    return _checks.batch(**axes) if game is None else _checks.batch(game=game.batch_axes, **axes)


@functools.partial(jax.jit, static_argnames=("memory", "normalized", "may_jump"))
def _returns_of_game(
    game: MatrixGame, tables: list[Array], delta: Array, memory: int, normalized: bool, may_jump: bool
) -> Array:
    payoffs = game.outcome_payoffs.astype(delta.dtype)
    returns = (_jumping_returns if may_jump else _discounted_returns)(payoffs, tables, delta, memory)
    return returns if normalized else returns / delta[..., None]


@functools.partial(jax.jit, static_argnames="memory")
def _discounted_returns(payoffs: Array, tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the normalised returns [..., k] for k players' outcome payoffs [..., k, K]."""
    if len(tables) != 2 or memory != 1:
        return chains.discounted_returns(payoffs, tables, delta, memory)
    return memory_one_returns(*tables, delta, payoffs)


def _jumping_returns(payoffs: Array, tables: list[Array], delta: Array, memory: int) -> Array:
    """Return `_discounted_returns` whose derivatives are infinite or NaN where they do not exist."""
    payoffs, unit = _in_ordinary_units(payoffs)
    least, rate = vanishing_delta(delta.dtype), delta[..., None]
    one = once_differentiable(tables, delta, memory, least)
    returns = _discounted_returns(payoffs, _marked(tables, delta, least, unit), delta, memory)
    return result_of_jumps(returns, jump_scale(returns, rate, least, 1.0), one[..., None]) * unit[..., None]


def _marked(tables: list[Array], delta: Array, least: float, unit: Array) -> list[Array]:
    """Return the tables, whose cotangents become infinite where they are vast; each with all batch axes."""
    axes = [jnp.broadcast_shapes(x.shape[:-1], delta.shape, unit.shape) for x in tables]
    full = [jnp.broadcast_to(x, (*shape, x.shape[-1])) for x, shape in zip(tables, axes, strict=True)]
    return [argument_of_jumps(x, jump_scale(x, delta[..., None], least, unit[..., None])) for x in full]


@functools.partial(jax.jit, static_argnames="memory")
def _jumping_occupancy(tables: list[Array], delta: Array, memory: int) -> Array:
    """Return `_discounted_occupancy` whose derivatives are infinite or NaN where they do not exist."""
    least, one = vanishing_delta(delta.dtype), once_differentiable(tables, delta, memory, vanishing_delta(delta.dtype))
    shares = _discounted_occupancy(_marked(tables, delta, least, jnp.ones((), delta.dtype)), delta, memory)
    return result_of_jumps(shares, jump_scale(shares, delta[..., None], least, 1.0), one[..., None])


@functools.partial(jax.jit, static_argnames="memory")
def _discounted_occupancy(tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts."""
    if len(tables) != 2 or memory != 1:
        return chains.discounted_occupancy(tables, delta, memory)
    return batch_first(memory_one_occupancy(columns(tables[0]), columns(tables[1], strategies.CONTEXT_SWAP), delta))


def _may_vanish(discount: ArrayLike) -> bool:
    """Return whether a discount may be 1, where derivatives may not exist."""
    return isinstance(discount, jax.core.Tracer) or bool((np.asarray(discount) == 1).any())


@checked
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
        [..., n] returns, one for each player, differentiable to any order in everything. At γ = 1 a derivative is
        infinite where the return jumps; where a probability of 0 or 1 leads for good to other play that earns the
        same, rounding decides it (`return_gradient` knows better). Higher ones are NaN where the limit of means is not
        the same from every context.

    Raises:
        ValueError: if a probability or discount leaves [0, 1], a shape is wrong, or the sum is infinite.
        TypeError: if an argument is of another kind.
    """
    arrays, memory, alarms = _watched_strategies(tables, game.num_players)
    gamma = chosen_discount(discount, horizon, normalized)
    _fitting(tables, gamma, game)
    delta = _watched_rate(gamma, arrays[0].dtype, alarms)
    if horizon is None:
        asked = {"memory": memory, "normalized": normalized, "may_jump": _may_vanish(gamma)}
        return _returns_of_game(game, arrays, delta, **asked)
    return _finite_returns(game, arrays, delta, memory=memory, horizon=horizon, normalized=normalized)


@functools.partial(jax.jit, static_argnames=("memory", "horizon", "normalized"))
def _finite_returns(
    game: MatrixGame, tables: list[Array], delta: Array, memory: int, horizon: int, normalized: bool
) -> Array:
    occupied = chains.finite_occupancy(tables, delta, memory, horizon)
    payoffs = game.outcome_payoffs.astype(delta.dtype)
    returns = (occupied[..., None, :] * chains.by_context(payoffs, memory)).sum(-1)
    mass = ((1 - delta)[..., None] ** np.arange(horizon, dtype=delta.dtype)).sum(-1)
    return returns if normalized else returns * mass[..., None]


@checked
def state_occupancy(
    *tables: Float[ArrayLike, "... _"], discount: ArrayLike | None = None, horizon: int | None = None
) -> Float[Array, "... states"]:
    """Return the share of (discounted) time spent in each state, as player 1 sees it.

    Args:
        *tables: each player's strategy [..., h], memory 0 to 3, in its own view.
        discount: [...] γ in [0, 1]; 1 is the limit of means from the given start.
        horizon: if given, play ends after this many steps.

    Returns:
        [..., h − 1], the non-empty contexts: (CC, CD, DC, DD) at memory one. Sums to 1. Derivatives are as those
        of `expected_returns`.

    Raises:
        ValueError: if a probability or discount leaves [0, 1], or a shape is wrong.
    """
    arrays, memory, alarms = _watched_strategies(tables)
    gamma = chosen_discount(discount, horizon)
    _fitting(tables, gamma)
    delta = _watched_rate(gamma, arrays[0].dtype, alarms)
    if horizon is None:
        return (_jumping_occupancy if _may_vanish(gamma) else _discounted_occupancy)(arrays, delta, memory=memory)
    return chains.finite_occupancy(arrays, delta, memory, horizon)


@checked
def state_values(
    game: MatrixGame, *tables: Float[ArrayLike, "... _"], discount: ArrayLike, player: int = 0
) -> Float[Array, "... h"]:
    """Return the player's expected return from each of its contexts on, per step (times 1 − γ).

    Arguments, batching and errors are those of `expected_returns`; `player` counts from 0. The first entry,
    the value at the start, is the player's expected return. At γ = 1 derivatives are those of a
    vanishing 1 − γ: vast, not infinite, where a value jumps.
    """
    return _values(*_value_arguments(game, tables, discount, player), player=player)[0]


@checked
def advantages(
    game: MatrixGame, *tables: Float[ArrayLike, "... _"], discount: ArrayLike, player: int = 0
) -> Float[Array, "... h 2"]:
    """Return Q(context, action) − V(context) for cooperating and defecting, un-normalised, in payoff units.

    Arguments, batching and errors are those of `expected_returns`; `player` counts from 0. At γ = 1 these are
    the differential advantages, finite wherever the long-run average does not depend on the context, and only
    there they have derivatives.
    """
    return _values(*_value_arguments(game, tables, discount, player), player=player)[1]


def _value_arguments(
    game: MatrixGame, tables: Sequence[ArrayLike], discount: ArrayLike, player: int
) -> tuple[MatrixGame, list[Known], Known, int]:
    _checks.player("player", player, game.num_players)
    arrays, memory, alarms = _watched_strategies(tables, game.num_players)
    _fitting(tables, discount, game)
    return game, arrays, _watched_rate(discount, arrays[0].dtype, alarms), memory


@functools.partial(jax.jit, static_argnames=("memory", "player"))
def _values(game: MatrixGame, tables: list[Array], delta: Array, memory: int, player: int) -> tuple[Array, Array]:
    payoffs, unit = _in_ordinary_units(game.outcome_payoffs.astype(delta.dtype))
    values, gains = chains.values(payoffs, tables, delta, memory, player)
    return values * unit[..., None], gains * unit[..., None, None]


@jax.jit
def _in_ordinary_units(payoffs: Array) -> tuple[Array, Array]:
    """Return payoffs [..., n, K] in units of a power of two [...], and that: 1 unless they are huge or tiny.

    Values of a vanishing δ would overflow else; no digit of a result changes.
    """
    size = jax.lax.stop_gradient(jnp.abs(payoffs).max((-2, -1)))
    ordinary = (size == 0) | ((size > 1e-6) & (size < 1e6))
    unit = jnp.ldexp(jnp.ones_like(size), jnp.where(ordinary, 0, jnp.frexp(size)[1]))
    return payoffs / unit[..., None, None], unit


@checked
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
        discount: [...] γ in [0, 1]. At γ = 1 an entry is the slope of the limit of means in that probability, of the
            one side where it is 0 or 1: infinite where the return jumps, as where an error, however rare, leads out
            of what play would never leave; 0 where it leads to play that earns the same (up to rounding).
        player: whose return, from 0.
        wrt: whose strategy, from 0.
        normalized: of the average a step, or of the sum (see `expected_returns`).

    Returns:
        [..., h], in the order of the strategy `tables[wrt]`. If that remembers less than another, an entry is the sum
        over the contexts that share the probability, each moved alone.

    Raises:
        ValueError: as `expected_returns`, or if `player` or `wrt` is not a player of the game.
    """
    for name, index in (("player", player), ("wrt", wrt)):
        _checks.player(name, index, game.num_players)
    chosen_discount(discount, None, normalized)
    arrays, memory, alarms = _watched_strategies(tables, game.num_players)
    _fitting(tables, discount, game)
    table, delta = _checks.floating(tables[wrt]), _watched_rate(discount, arrays[0].dtype, alarms)
    asked = {"player": player, "wrt": wrt, "may_jump": _may_vanish(discount), "normalized": normalized}
    return _gradient_of_game(game, table, arrays, delta, memory=memory, **asked)


_ASKED = ("memory", "player", "wrt", "may_jump", "normalized")


@functools.partial(jax.jit, static_argnames=_ASKED)
def _gradient_of_game(
    game: MatrixGame,
    table: Array,
    tables: list[Array],
    delta: Array,
    memory: int,
    player: int,
    wrt: int,
    may_jump: bool,
    normalized: bool,
) -> Array:
    payoffs, table = game.outcome_payoffs.astype(delta.dtype), table.astype(delta.dtype)
    # Only a vanishing δ needs ordinary units and can bring a jump; otherwise two passes over the batch are saved.
    payoffs, unit = _in_ordinary_units(payoffs) if may_jump else (payoffs, None)
    axes = jnp.broadcast_shapes(game.batch_axes, delta.shape, *(x.shape[:-1] for x in tables))
    full, shorten = jax.vjp(
        lambda x: strategies.extend(x, memory, len(tables)), jnp.broadcast_to(table, (*axes, table.shape[-1]))
    )

    def of(payoffs: Array) -> Array:
        if len(tables) == 2 and memory == 1:
            p, q = (full, tables[1]) if wrt == 0 else (tables[0], full)
            return memory_one_gradients(p, q, delta, payoffs[..., None, :], (wrt,))[0][..., 0, :]
        changed = [full if i == wrt else x for i, x in enumerate(tables)]
        return chains.table_gradients(payoffs[..., None, :], changed, delta, memory, (wrt,))[0][..., 0, :]

    gradient = of(payoffs[..., player, :])
    if unit is not None:
        slopes = slopes_or_jumps(gradient, payoffs[..., player, :], of, delta, vanishing_delta(delta.dtype))
        gradient = slopes * unit[..., None]
    (gradient,) = shorten(gradient)
    return gradient if normalized else gradient / delta[..., None]
