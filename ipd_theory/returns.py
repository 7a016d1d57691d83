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

A custom differentiation rule applies it wherever returns are differentiated, forward or backward; the rule is made
of d and w, which are differentiable again, so derivatives of any order follow. Longer memories and more
players give longer chains over the same formulas. `_elimination` solves the chains, for every γ including the
limit of means γ = 1.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _chains, _checks, strategies
from ipd_theory._elimination import (
    Columns,
    eliminate,
    eliminate_columns,
    occupancy,
    occupancy_columns,
    relative_value_columns,
    relative_values,
    vanishing_delta,
)
from ipd_theory.games import MatrixGame

SWAP = (0, 1, 3, 2, 4)  # memory-one contexts as the other player names them


def stopping_rate(discount: ArrayLike, dtype: np.dtype) -> Float[Array, "..."]:
    """Return δ = 1 − γ in `dtype`, never below the vanishing δ that stands for the limit of means.

    A number or numpy array is subtracted in float64 before it is rounded to `dtype`, so that a float32
    computation can be as close to γ = 1 as float64 can write.

    Args:
        discount: [...] discounts in [0, 1].
        dtype: the floating dtype of the computation.

    Raises:
        ValueError: if a discount leaves [0, 1].
    """
    if isinstance(discount, jax.Array):
        delta = jnp.asarray(1 - _checks.in_range("discount", discount, 0.0, 1.0), dtype)
    else:
        concrete = np.asarray(discount, np.float64)
        if not ((concrete >= 0) & (concrete <= 1)).all():
            raise ValueError(f"discount holds {discount}; every entry must lie in [0, 1]")
        delta = jnp.asarray(1 - concrete, dtype)
    return jnp.maximum(delta, jnp.asarray(vanishing_delta(dtype), dtype))


# Memory-one strategies: tuples of arrays, one array [...] a context or outcome.


def _outcomes(a: Array, b: Array) -> Columns:
    """Return the probabilities of CC, CD, DC, DD when the players cooperate with probabilities a and b."""
    return a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)


def _dot(xs: Sequence[Array], ys: Sequence[Array]) -> Array:
    products = [x * y for x, y in zip(xs, ys, strict=True)]
    return functools.reduce(jnp.add, products)


def memory_one_occupancy(p: Columns, q: Columns, delta: Array) -> Columns:
    """Return the occupancy of CC, CD, DC, DD; p and q are five columns each, q in player 1's order."""
    start, *rows = (_outcomes(a, b) for a, b in zip(p, q, strict=True))
    return occupancy_columns(eliminate_columns(rows, delta), start)


@jax.custom_jvp
def memory_one_return(p: Columns, q: Columns, delta: Array, payoffs: Columns) -> Array:
    """Return J [...] of the player with these payoffs, normalised, with its derivative in closed form.

    Args:
        p: five columns [...], player 1's cooperation probabilities (start, CC, CD, DC, DD).
        q: five columns [...], player 2's, in player 1's order.
        delta: [...] stopping rates 1 − γ, above zero.
        payoffs: four columns [...], the payoffs after CC, CD, DC, DD.
    """
    return _dot(memory_one_occupancy(p, q, delta), payoffs)


@memory_one_return.defjvp
def _memory_one_return_jvp(
    primals: tuple[Columns, Columns, Array, Columns], tangents: tuple[Columns, Columns, Array, Columns]
) -> tuple[Array, Array]:
    p, q, delta, payoffs = primals
    p_dot, q_dot, delta_dot, payoffs_dot = tangents
    start, *rows = (_outcomes(a, b) for a, b in zip(p, q, strict=True))
    chain = eliminate_columns(rows, delta)
    d = occupancy_columns(chain, start)
    w_cc, w_cd, w_dc, w_dd = w = relative_value_columns(chain, payoffs)

    visits = (delta, *((1 - delta) * d_s for d_s in d))
    tangent = _dot(d, payoffs_dot)
    for s in range(5):
        gain_p = q[s] * (w_cc - w_dc) + (1 - q[s]) * (w_cd - w_dd)
        gain_q = p[s] * (w_cc - w_cd) + (1 - p[s]) * (w_dc - w_dd)
        tangent = tangent + visits[s] * (gain_p * p_dot[s] + gain_q * q_dot[s])
    moved = [_dot(d, [row[j] for row in rows]) for j in range(4)]
    tangent = tangent + _dot([s - m for s, m in zip(start, moved, strict=True)], w) * delta_dot
    return _dot(d, payoffs), tangent


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


def _columns(x: Array) -> Columns:
    return tuple(x[..., i] for i in range(x.shape[-1]))


@functools.partial(jax.jit, static_argnames="memory")
def _discounted_returns(payoffs: Array, tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the normalised returns [..., n] for outcome payoffs [..., n, K]."""
    n = len(tables)
    if n == 2 and memory == 1:
        p, q = _columns(tables[0]), _columns(tables[1][..., SWAP])
        return jnp.stack([memory_one_return(p, q, delta, _columns(payoffs[..., i, :])) for i in range(n)], -1)
    probabilities = _chains.outcome_probabilities(tables, memory)
    *opening, start = _chains.opening(probabilities, memory)
    transitions, delta = _with_batch(_chains.transitions(probabilities, memory), delta, payoffs[..., 0, 0])
    last = payoffs.shape[-1] ** memory
    recent = _chains.by_context(payoffs, memory)[..., -last:]
    total = jnp.stack([_chains.chain_return(start, transitions, delta, recent[..., i, :]) for i in range(n)], -1)
    for t, level in reversed(list(enumerate(opening, 1))):
        now = _chains.by_context(payoffs, t)[..., -level.shape[-1] :]
        total = delta[..., None] * (level[..., None, :] * now).sum(-1) + (1 - delta)[..., None] * total
    return total


def _with_batch(transitions: Array, delta: Array, *others: Array) -> tuple[Array, Array]:
    """Broadcast a chain and its stopping rate to the common batch shape."""
    shape = jnp.broadcast_shapes(delta.shape, transitions.shape[:-2], *(x.shape for x in others))
    return jnp.broadcast_to(transitions, (*shape, *transitions.shape[-2:])), jnp.broadcast_to(delta, shape)


@functools.partial(jax.jit, static_argnames="memory")
def _discounted_occupancy(tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts."""
    if len(tables) == 2 and memory == 1:
        p, q = _columns(tables[0]), _columns(tables[1][..., SWAP])
        return jnp.stack(memory_one_occupancy(p, q, delta), -1)
    probabilities = _chains.outcome_probabilities(tables, memory)
    *opening, start = _chains.opening(probabilities, memory)
    transitions, delta = _with_batch(_chains.transitions(probabilities, memory), delta)
    weight = delta[..., None]
    shares = [weight * (1 - weight) ** t * level for t, level in enumerate(opening)]
    settled = (1 - weight) ** len(opening) * occupancy(eliminate(transitions, delta), start)
    return _join(shares, settled)


@functools.partial(jax.jit, static_argnames=("memory", "horizon"))
def _finite_occupancy(tables: list[Array], delta: Array, memory: int, horizon: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts over `horizon` steps of weight γ^t."""
    probabilities = _chains.outcome_probabilities(tables, memory)
    *opening, start = _chains.opening(probabilities, memory)
    transitions, delta = _with_batch(_chains.transitions(probabilities, memory), delta)
    gamma = 1 - delta[..., None]
    shares = [gamma**t * level if t < horizon else jnp.zeros_like(level) for t, level in enumerate(opening)]

    def step(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        distribution, weight, total = carry
        moved = jnp.einsum("...i,...ij->...j", distribution, transitions)
        return (moved, weight * gamma, total + weight * distribution), None

    start = jnp.broadcast_to(start, transitions.shape[:-1])
    first = (start, gamma ** len(opening), jnp.zeros_like(start))
    (_, _, settled), _ = jax.lax.scan(step, first, length=max(0, horizon - len(opening)))
    visits = _join(shares, settled)
    return visits / visits.sum(-1, keepdims=True)


def _join(shares: Sequence[Array], settled: Array) -> Array:
    batch = settled.shape[:-1]
    return jnp.concatenate([*(jnp.broadcast_to(x, (*batch, x.shape[-1])) for x in shares), settled], -1)


@functools.partial(jax.jit, static_argnames=("memory", "player"))
def _values(payoffs: Array, tables: list[Array], delta: Array, memory: int, player: int) -> tuple[Array, Array]:
    """Return normalised values [..., h] and un-normalised Q − V [..., h, 2], both in the player's own view."""
    n, K = len(tables), payoffs.shape[-1]
    probabilities = _chains.outcome_probabilities(tables, memory)
    transitions, delta = _with_batch(_chains.transitions(probabilities, memory), delta, payoffs[..., 0, 0])
    gamma = (1 - delta)[..., None]
    rewards = _chains.by_context(payoffs[..., player, :], memory)
    w, last_return = relative_values(eliminate(transitions, delta), rewards[..., -(K**memory) :])

    levels = [w]  # values of the contexts of length memory, …, 1, reward of the context included
    for length in reversed(range(1, memory)):
        first, end = strategies.num_contexts(length - 1, n), strategies.num_contexts(length, n)
        onward = (probabilities[..., first:end, :] * levels[0].reshape(*w.shape[:-1], -1, K)).sum(-1)
        levels.insert(0, rewards[..., first - 1 : end - 1] - last_return[..., None] + gamma * onward)
    # A full history and an outcome lead to the history that drops its oldest outcome.
    shifted = jnp.concatenate([w] * K, -1)
    after = jnp.concatenate([*levels, shifted], -1).reshape(*w.shape[:-1], -1, K)

    def given(action: float) -> Array:
        forced = [jnp.full_like(x, action) if i == player else x for i, x in enumerate(tables)]
        return (_chains.outcome_probabilities(forced, memory) * after).sum(-1)

    value = (probabilities * after).sum(-1)
    gains = jnp.stack([given(1.0) - value, given(0.0) - value], -1)
    own = np.argsort(strategies.view(memory, player, n))
    return (last_return[..., None] + delta[..., None] * value)[..., own], gains[..., own, :]


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
    *tables: Float[ArrayLike, "... h"],
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
    occupied = _finite_occupancy(arrays, delta, memory, horizon)
    returns = (occupied[..., None, :] * _chains.by_context(payoffs, memory)).sum(-1)
    mass = ((1 - delta)[..., None] ** np.arange(horizon)).sum(-1)
    return returns if normalized else returns * mass[..., None]


def state_occupancy(
    *tables: Float[ArrayLike, "... h"], discount: ArrayLike | None = None, horizon: int | None = None
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
    return _finite_occupancy(arrays, delta, memory, horizon)


def state_values(
    game: MatrixGame, *tables: Float[ArrayLike, "... h"], discount: ArrayLike, player: int = 0
) -> Float[Array, "... h"]:
    """Return the player's expected return from each of its contexts on, per step (times 1 − γ).

    Arguments, batching and errors are those of `expected_returns`; `player` counts from 0. The first entry,
    the value at the start, is the player's expected return.
    """
    return _values(*_value_arguments(game, tables, discount), player=player)[0]


def advantages(
    game: MatrixGame, *tables: Float[ArrayLike, "... h"], discount: ArrayLike, player: int = 0
) -> Float[Array, "... h 2"]:
    """Return Q(context, action) − V(context) for cooperating and defecting, un-normalised, in payoff units.

    Arguments, batching and errors are those of `expected_returns`; `player` counts from 0. At γ = 1 these are
    the differential advantages, finite wherever the long-run average does not depend on the context.
    """
    return _values(*_value_arguments(game, tables, discount), player=player)[1]


def _value_arguments(
    game: MatrixGame, tables: Sequence[ArrayLike], discount: ArrayLike
) -> tuple[Array, list[Array], Array, int]:
    arrays, memory = checked_strategies(tables, game.num_players)
    dtype = arrays[0].dtype
    return game.outcome_payoffs.astype(dtype), arrays, stopping_rate(discount, dtype), memory


def return_gradient(
    game: MatrixGame,
    *tables: Float[ArrayLike, "... h"],
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
    gradient = _gradient(full, payoffs, arrays, delta, memory=memory, player=player, wrt=wrt)
    return gradient if normalized else gradient / delta[..., None]


@functools.partial(jax.jit, static_argnames=("memory", "player", "wrt"))
def _gradient(
    table: Array, payoffs: Array, tables: list[Array], delta: Array, memory: int, player: int, wrt: int
) -> Array:
    def total(x: Array) -> Array:
        changed = [strategies.extend(x, memory, len(tables)) if i == wrt else t for i, t in enumerate(tables)]
        return _discounted_returns(payoffs, changed, delta, memory)[..., player].sum()

    return jax.grad(total)(table)
