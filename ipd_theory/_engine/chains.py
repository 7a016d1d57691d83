"""Returns, occupancies and values of strategies of any memory and any number of players, and their derivatives.

`histories` says what the chain of play is, `solutions` solves it. Where only strategies move, the derivative of a
return is the policy gradient theorem in its closed form: how often a context is visited, times what cooperating gains
there. Where more moves, and for derivatives of higher order, the same steps are differentiated one by one.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from ipd_theory._engine import histories
from ipd_theory._engine.solutions import (
    Rooted,
    chain_occupancy,
    chain_returns,
    entered,
    in_parts,
    occupied,
    over_batch,
    solution,
)


def _batch_last(x: Array, own_axes: int) -> Array:
    """Return an array whose own axes come last with its batch last."""
    return jnp.moveaxis(x, range(x.ndim - own_axes, x.ndim), range(own_axes))


def _batch_first(x: Array, own_axes: int) -> Array:
    """Return an array whose batch comes last with its batch first."""
    return jnp.moveaxis(x, range(own_axes), range(x.ndim - own_axes, x.ndim))


def outcome_probabilities(tables: Sequence[Array], memory: int) -> Float[Array, "... h K"]:
    """Return [..., h, K], the probability of each joint action in each of player 1's contexts.

    Args:
        tables: each player's strategy [..., h], in its own view, all of memory `memory`.
        memory: outcomes remembered.
    """
    shape = jnp.broadcast_shapes(*(x.shape for x in tables))
    return _batch_first(
        histories.outcome_probabilities([_batch_last(jnp.broadcast_to(x, shape), 1) for x in tables], memory), 2
    )


def by_context(payoffs: Float[Array, "... K"], memory: int) -> Float[Array, "... h_less_one"]:
    """Spread payoffs of outcomes over the non-empty contexts, each paying for its most recent outcome."""
    K = payoffs.shape[-1]
    return jnp.concatenate([payoffs[..., np.arange(K**length) % K] for length in range(1, memory + 1)], -1)


def chain_values(start: Array, moves: Array, delta: Array, payoffs: Array) -> Array:
    """Return w [..., n], payoff of the state included, less the value of the state visited most from the start."""
    return solution(*with_common_batch(start, moves, delta, payoffs[..., None, :]))[1][..., 0, :]


def chain_return(start: Array, moves: Array, delta: Array, payoffs: Array) -> Array:
    """Return J [...] of the chain for payoffs [..., n]."""
    return chain_returns(*with_common_batch(start, moves, delta, payoffs[..., None, :]))[..., 0]


def chain_visits(start: Array, moves: Array, gamma: Array, weight: Array, num_steps: int) -> Array:
    """Return how often each state [..., n] is visited in `num_steps` steps, the t-th counted `weight` γ^t [..., 1]."""

    def step(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        distribution, weight, total = carry
        return (entered(moves, distribution), weight * gamma, total + weight * distribution), None

    (_, _, visits), _ = jax.lax.scan(step, (start, weight, jnp.zeros_like(start)), length=num_steps)
    return visits


def with_common_batch(start: Array, moves: Array, delta: Array, payoffs: Array) -> tuple[Array, Array, Array, Array]:
    """Broadcast start [..., n], moves [..., n, K], stopping rates and payoffs [..., k, n] to common batch axes."""
    shape = jnp.broadcast_shapes(start.shape[:-1], moves.shape[:-2], delta.shape, payoffs.shape[:-2])
    return (
        jnp.broadcast_to(start, (*shape, *start.shape[-1:])),
        jnp.broadcast_to(moves, (*shape, *moves.shape[-2:])),
        jnp.broadcast_to(delta, shape),
        jnp.broadcast_to(payoffs, (*shape, *payoffs.shape[-2:])),
    )


class _Play:
    """Strategies at play, the batch last: everything that is asked of them, from the parts of a chain's solution."""

    def __init__(self, payoffs: Array, tables: Sequence[Array], delta: Array, memory: int) -> None:
        self.payoffs, self.tables, self.delta, self.memory = payoffs, tables, delta, memory
        self.probabilities = histories.outcome_probabilities(tables, memory)
        *self.opening, self.start = histories.opening_levels(self.probabilities, memory)
        self.moves = self.probabilities[-len(self.start) :]

    @property
    def settled_payoffs(self) -> Array:
        """The payoffs [k, n, …] after the histories of full length."""
        repeats = len(self.start) // self.payoffs.shape[1]
        return jnp.tile(self.payoffs, (1, repeats, *(1,) * (self.payoffs.ndim - 2)))

    def returns(self, settled: Array) -> Array:
        """Return J [k, …] from the returns of the chain proper."""
        return histories.with_opening(self.opening, settled, self.payoffs, self.delta)

    def after(self, d: Array, w: Array, k: int) -> tuple[Array, Array]:
        """Return values [h, K, …] after each context and outcome relative to the root, and what is earned there."""
        earned = (d * self.settled_payoffs[k]).sum(0) - self.delta * (self.start * w[k]).sum(0)
        rest = (self.payoffs[k], earned, self.probabilities, self.delta, self.memory)
        return histories.values_after(w[k], *rest), earned

    def gradients(self, d: Array, w: Array, wrts: tuple[int, ...]) -> list[Array]:
        """Return the gradients [k, h, …] in the tables of `wrts`, each in its owner's order."""
        visits = histories.visits(self.opening, d, self.delta)
        after = [self.after(d, w, k)[0] for k in range(len(w))]

        def slope(k: int, wrt: int) -> Array:
            gains = histories.gains(after[k], self.tables, self.memory, wrt)
            return histories.in_own_order(visits * gains, self.memory, wrt, len(self.tables))

        return [jnp.stack([slope(k, wrt) for k in range(len(w))]) for wrt in wrts]


def _play(payoffs: Array, tables: Sequence[Array], delta: Array, memory: int) -> _Play:
    """Return strategies at play from arrays with the batch first."""
    axes = jnp.broadcast_shapes(payoffs.shape[:-2], delta.shape, *(x.shape[:-1] for x in tables))
    tables = [_batch_last(jnp.broadcast_to(x, (*axes, x.shape[-1])), 1) for x in tables]
    payoffs = _batch_last(jnp.broadcast_to(payoffs, (*axes, *payoffs.shape[-2:])), 2)
    return _Play(payoffs, tables, jnp.broadcast_to(delta, axes), memory)


def _chain(play: _Play) -> tuple[Array, Array, Array, Array]:
    """Return start, moves, δ and payoffs of the chain proper, the batch first."""
    return _batch_first(play.start, 1), _batch_first(play.moves, 2), play.delta, _batch_first(play.settled_payoffs, 2)


def _stepwise_returns(payoffs: Array, tables: Sequence[Array], delta: Array, memory: int) -> Array:
    play = _play(payoffs, tables, delta, memory)
    return _batch_first(play.returns(_batch_last(chain_returns(*_chain(play)), 1)), 1)


def _stepwise_gradients(
    payoffs: Array, tables: Sequence[Array], delta: Array, memory: int, wrts: tuple[int, ...]
) -> list[Array]:
    play = _play(payoffs, tables, delta, memory)
    d, w = solution(*_chain(play))
    return [_batch_first(x, 2) for x in play.gradients(_batch_last(d, 1), _batch_last(w, 2), wrts)]


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def discounted_returns(payoffs: Array, tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the normalised returns [..., k] for k players' outcome payoffs [..., k, K]."""

    def part(payoffs: Array, delta: Array, *tables: Array) -> Array:
        play = _Play(payoffs, tables, delta, memory)
        settled = (occupied(play.start, play.moves, delta) * play.settled_payoffs).sum(1)
        return play.returns(settled)

    returns: Array = _in_lanes(part, payoffs, tables, delta, memory)
    return returns


def _in_lanes(part: Any, payoffs: Array, tables: Sequence[Array], delta: Array, memory: int) -> Any:
    """Return what a function of payoffs [k, K, lanes], δ and tables makes of a batch, in parts that stay in cache."""
    K = payoffs.shape[-1]

    @over_batch((2, 0, *(1,) * len(tables)))
    def whole(payoffs: Array, delta: Array, *tables: Array) -> Any:
        return in_parts(part, (K**memory, K), payoffs, delta, *tables)

    return whole(payoffs, delta, *tables)


def _varies(x: Any) -> bool:
    """Return whether any part of a tangent may differ from zero."""
    return any(not isinstance(leaf, SymbolicZero) for leaf in jax.tree.leaves(x, is_leaf=_is_zero))


def _is_zero(x: Any) -> bool:
    return isinstance(x, SymbolicZero)


def _returns_jvp(
    memory: int, primals: tuple[Array, list[Array], Array], tangents: tuple[Any, Any, Any]
) -> tuple[Array, Array]:
    payoffs_dot, tables_dot, delta_dot = tangents
    if _varies((payoffs_dot, delta_dot)):
        return _stepwise_jvp(functools.partial(_stepwise_returns, memory=memory), primals, tangents)
    moving = tuple(i for i, x in enumerate(tables_dot) if _varies(x))
    slopes = table_gradients(*primals, memory, moving)
    moved = [(slope * tables_dot[i][..., None, :]).sum(-1) for i, slope in zip(moving, slopes, strict=True)]
    return discounted_returns(*primals, memory), functools.reduce(jnp.add, moved)


def _stepwise_jvp(function: Any, primals: Any, tangents: Any) -> Any:
    """Return a function's result and its derivative; what does not move costs nothing."""
    leaves, tree = jax.tree.flatten(primals)
    dots = jax.tree.leaves(tangents, is_leaf=_is_zero)
    moving = [i for i, x in enumerate(dots) if not _is_zero(x)]

    def of(*moved: Array) -> Any:
        placed = dict(zip(moving, moved, strict=True))
        return function(*jax.tree.unflatten(tree, [placed.get(i, x) for i, x in enumerate(leaves)]))

    return jax.jvp(of, [leaves[i] for i in moving], [dots[i] for i in moving])


discounted_returns.defjvp(_returns_jvp, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def table_gradients(
    payoffs: Array, tables: list[Array], delta: Array, memory: int, wrts: tuple[int, ...]
) -> list[Array]:
    """Return the gradients [..., k, h] of k returns in the tables of `wrts`, by the policy gradient theorem.

    Args:
        payoffs: [..., k, K] of those whose returns they are, after each outcome.
        tables: each player's strategy [..., h], in its own view, all of memory `memory`.
        delta: [...] stopping rates.
        memory: outcomes remembered.
        wrts: whose probabilities; each gradient is in its owner's order.
    """

    def part(payoffs: Array, delta: Array, *tables: Array) -> list[Array]:
        play = _Play(payoffs, tables, delta, memory)
        d = occupied(play.start, play.moves, delta)
        w = Rooted(play.moves, delta, jnp.argmax(d, 0)).values(play.settled_payoffs)
        return play.gradients(d, w, wrts)

    slopes: list[Array] = _in_lanes(part, payoffs, tables, delta, memory)
    return slopes


def _gradients_jvp(
    memory: int, wrts: tuple[int, ...], primals: tuple[Array, list[Array], Array], tangents: tuple[Any, Any, Any]
) -> Any:
    return _stepwise_jvp(functools.partial(_stepwise_gradients, memory=memory, wrts=wrts), primals, tangents)


table_gradients.defjvp(_gradients_jvp, symbolic_zeros=True)


def discounted_occupancy(tables: list[Array], delta: Array, memory: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts."""
    play = _play(jnp.zeros((0, 2 ** len(tables)), delta.dtype), tables, delta, memory)
    settled = _batch_last(chain_occupancy(*_chain(play)[:3]), 1)
    gamma = 1 - play.delta
    shares = [play.delta * gamma**t * level for t, level in enumerate(play.opening)]
    return _batch_first(jnp.concatenate([*shares, gamma ** len(play.opening) * settled]), 1)


@functools.partial(jax.jit, static_argnames=("memory", "horizon"))
def finite_occupancy(tables: list[Array], delta: Array, memory: int, horizon: int) -> Array:
    """Return the occupancy [..., h − 1] of the non-empty contexts over `horizon` steps of weight γ^t."""
    play = _play(jnp.zeros((0, 2 ** len(tables)), delta.dtype), tables, delta, memory)
    start, moves, _, _ = _chain(play)
    gamma = (1 - play.delta)[..., None]
    shares = [gamma**t * _batch_first(x, 1) * float(t < horizon) for t, x in enumerate(play.opening)]
    steps = max(0, horizon - len(play.opening))
    visits = jnp.concatenate([*shares, chain_visits(start, moves, gamma, gamma ** len(play.opening), steps)], -1)
    return visits / visits.sum(-1, keepdims=True)


@functools.partial(jax.jit, static_argnames=("memory", "player"))
def values(payoffs: Array, tables: list[Array], delta: Array, memory: int, player: int) -> tuple[Array, Array]:
    """Return normalised values [..., h] and un-normalised Q − V [..., h, 2], both in the player's own view."""
    play = _play(payoffs[..., player : player + 1, :], tables, delta, memory)
    d, w = solution(*_chain(play))
    after, root_return = play.after(_batch_last(d, 1), _batch_last(w, 2), 0)
    value = (play.probabilities * after).sum(1)
    gain = histories.gains(after, play.tables, memory, player)
    n = len(tables)
    own = play.tables[player]
    value, gain = (_batch_first(histories.in_own_order(x, memory, player, n), 1) for x in (value, gain))
    p = _batch_first(own, 1)
    advantages = jnp.stack([(1 - p) * gain, -p * gain], -1)
    return _batch_first(root_return, 0)[..., None] + play.delta[..., None] * value, advantages
