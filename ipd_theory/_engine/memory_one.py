r"""Two memory-one strategies as columns: tuples of arrays [...], one array for each context or outcome.

The policy gradient theorem (`returns`) as a derivative rule. The return depends on the values w of the outcomes only
through the gaps between outcomes that differ in one player's action, so its derivative is a sum of factor times gap,
by how often each context is visited and how its probabilities move. Nothing else is needed for any order:

    the gaps' derivative       the gaps for the payoffs γ Ṁw − δ̇ Mw + ṙ,
    the occupancy's            the transpose of payoffs ↦ gaps, applied to the factors.

`folding` computes occupancy and gaps.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from ipd_theory._engine.compilation import computed_once, in_one_loop
from ipd_theory._engine.folding import Columns, Pairs, occupancy, value_differences


def _outcomes(a: Array, b: Array) -> Columns:
    """Return the probabilities of CC, CD, DC, DD when the players cooperate with probabilities a and b."""
    return a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)


def _dot(xs: Sequence[Array], ys: Sequence[Array]) -> Array:
    return functools.reduce(jnp.add, [x * y for x, y in zip(xs, ys, strict=True)])


def _start_and_moves(p: Columns, q: Columns) -> tuple[Columns, list[Columns]]:
    start, *rows = (_outcomes(a, b) for a, b in zip(p, q, strict=True))
    return start, rows


class ValueGaps(NamedTuple):
    """Differences of player 1's values w [...], which are all that its derivatives need.

    `own` is (w_CC − w_DC, w_CD − w_DD), which player 1's action decides on; `others` (w_CC − w_CD, w_DC − w_DD).
    """

    own: tuple[Array, Array]
    others: tuple[Array, Array]

    def gains(self, a: Array, b: Array) -> tuple[Array, Array]:
        """Return Q(s, C) − Q(s, D) of player 1's and of player 2's action, where they cooperate with a and b."""
        return b * self.own[0] + (1 - b) * self.own[1], a * self.others[0] + (1 - a) * self.others[1]

    def values(self) -> Columns:
        """Return the values of CC, CD, DC, DD less that of CC."""
        return jnp.zeros_like(self.own[0]), -self.others[0], -self.own[0], -self.others[0] - self.own[1]


CONTEXT_SWAP = (0, 1, 3, 2, 4)
OWN_PAIRS = ((0, 2), (1, 3))
OTHERS_PAIRS = ((0, 1), (2, 3))
PAIRS = (OWN_PAIRS, OTHERS_PAIRS)
Tangent = Array | SymbolicZero


def _moves(*tangents: Tangent) -> bool:
    return any(not isinstance(x, SymbolicZero) for x in tangents)


def _unit_gaps(p: Columns, q: Columns, delta: Array, pairs: Pairs) -> tuple[Columns, Columns]:
    """Return the value gaps of both pairs, each for a payoff of 1 after one of the outcomes alone."""
    start, rows = _start_and_moves(p, q)
    return value_differences(start, rows, delta, pairs)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def memory_one_occupancy(p: Columns, q: Columns, delta: Array, pairs: Pairs = OTHERS_PAIRS) -> Columns:
    """Return the occupancy of CC, CD, DC, DD.

    Args:
        p: five columns [...], player 1's cooperation probabilities (start, CC, CD, DC, DD).
        q: five columns [...], player 2's, in player 1's order.
        delta: [...] stopping rates 1 − γ, above zero.
        pairs: of outcomes, onto which the chain is folded; the value gaps of the same pairs share the work.
    """
    start, rows = _start_and_moves(p, q)
    return computed_once(occupancy(start, rows, delta, pairs))


def _occupancy_jvp(
    pairs: Pairs, primals: tuple[Columns, Columns, Array], tangents: tuple[Any, Any, Any]
) -> tuple[Columns, Columns]:
    """The return's derivative is linear in the payoffs, and its factors there are those of the occupancy."""
    p, q, delta = primals
    d = memory_one_occupancy(p, q, delta, pairs)
    tangent = [jnp.zeros_like(d[0])] * 4
    for pairs, factor in zip(PAIRS, computed_once(_gap_factors(p, q, delta, d, *tangents)), strict=True):
        if factor:
            gaps = _unit_gaps(p, q, delta, pairs)
            tangent = [x + _dot(factor, [gap[s] for gap in gaps]) for s, x in enumerate(tangent)]
    return d, computed_once(tuple(tangent))


memory_one_occupancy.defjvp(_occupancy_jvp, symbolic_zeros=True)


@jax.custom_jvp
def memory_one_value_gaps(p: Columns, q: Columns, delta: Array, payoffs: Columns) -> ValueGaps:
    """Return the differences of the values of CC, CD, DC and DD, payoff of the state included.

    Args:
        p, q, delta: as for `memory_one_occupancy`.
        payoffs: four columns [...], player 1's payoffs after CC, CD, DC, DD.
    """
    (own_0, own_1), (others_0, others_1) = (_unit_gaps(p, q, delta, pairs) for pairs in PAIRS)
    own = _dot(own_0, payoffs), _dot(own_1, payoffs)
    return computed_once(ValueGaps(own, (_dot(others_0, payoffs), _dot(others_1, payoffs))))


def _value_gaps_jvp(
    primals: tuple[Columns, Columns, Array, Columns], tangents: tuple[Any, Any, Any, Any]
) -> tuple[ValueGaps, ValueGaps]:
    """ẇ are the values for the payoffs γ Ṁw − δ̇ Mw + ṙ."""
    p, q, delta, payoffs = primals
    p_dot, q_dot, delta_dot, payoffs_dot = tangents
    gaps = memory_one_value_gaps(p, q, delta, payoffs)
    rows, w = _start_and_moves(p, q)[1], gaps.values()
    sources = []
    for s in range(4):
        gain_p, gain_q = gaps.gains(p[s + 1], q[s + 1])
        terms = [((1 - delta) * gain_p, p_dot[s + 1]), ((1 - delta) * gain_q, q_dot[s + 1])]
        terms += [(-_dot(rows[s], w), delta_dot), (jnp.ones_like(delta), payoffs_dot[s])]
        sources.append(_linear(terms, jnp.zeros_like(w[0])))
    return gaps, memory_one_value_gaps(p, q, delta, computed_once(tuple(sources)))


memory_one_value_gaps.defjvp(_value_gaps_jvp, symbolic_zeros=True)


@jax.custom_jvp
def memory_one_return(p: Columns, q: Columns, delta: Array, payoffs: Columns) -> Array:
    """Return J [...] of the player with these payoffs, a step; arguments as `memory_one_value_gaps`."""
    return _dot(memory_one_occupancy(p, q, delta), payoffs)


def _return_jvp(
    primals: tuple[Columns, Columns, Array, Columns], tangents: tuple[Any, Any, Any, Any]
) -> tuple[Array, Array]:
    """The policy gradient theorem."""
    p, q, delta, payoffs = primals
    p_dot, q_dot, delta_dot, payoffs_dot = tangents
    d = memory_one_occupancy(p, q, delta, OTHERS_PAIRS if _moves(*q_dot) else OWN_PAIRS)
    tangent = _linear(zip(d, payoffs_dot, strict=True), jnp.zeros_like(d[0]))
    factors = _gap_factors(p, q, delta, d, p_dot, q_dot, delta_dot)
    for factor, gaps in zip(factors, memory_one_value_gaps(p, q, delta, payoffs), strict=True):
        if factor:
            tangent = tangent + _dot(factor, gaps)
    return _dot(d, payoffs), tangent


memory_one_return.defjvp(_return_jvp, symbolic_zeros=True)


def _linear(terms: Iterable[tuple[Array, Tangent]], zero: Array) -> Array:
    """Return the sum of factor · tangent; a tangent known to be zero costs nothing."""
    return functools.reduce(jnp.add, [x * x_dot for x, x_dot in terms if not isinstance(x_dot, SymbolicZero)], zero)


def _gap_factors(
    p: Columns, q: Columns, delta: Array, d: Columns, p_dot: Any, q_dot: Any, delta_dot: Tangent
) -> tuple[Columns, Columns]:
    """Return what the `own` and the `others` gaps are multiplied by in the return's derivative, () for nothing."""
    zero = jnp.zeros_like(d[0])
    visits = (delta, *((1 - delta) * x for x in d))

    def moving(tangents: Any, partner: Columns) -> Columns:
        if not _moves(*tangents):
            return ()
        after_c = _linear(((w * b, x) for w, b, x in zip(visits, partner, tangents, strict=True)), zero)
        after_d = _linear(((w * (1 - b), x) for w, b, x in zip(visits, partner, tangents, strict=True)), zero)
        return after_c, after_d

    own, others = moving(p_dot, q), moving(q_dot, p)
    if not isinstance(delta_dot, SymbolicZero):
        # (s_0 − Mᵀd) · w, whose factors add up to zero, in terms of gaps.
        start, rows = _start_and_moves(p, q)
        _, cd, dc, dd = ((start[j] - _dot(d, [row[j] for row in rows])) * delta_dot for j in range(4))
        own_0, own_1 = own or (zero, zero)
        others_0, others_1 = others or (zero, zero)
        own, others = (own_0 - dc, own_1 - dd), (others_0 - cd - dd, others_1)
    return own, others


def columns(x: Array, order: Sequence[int] | None = None) -> Columns:
    """Return the entries of the last axis, in this order; the batch comes last meanwhile, along which loops go."""
    batch_last = jnp.moveaxis(x, -1, 0)
    return tuple(batch_last[i] for i in order or range(x.shape[-1]))


def batch_first(entries: Sequence[Array]) -> Array:
    """Return arrays of one shape as the entries of a last axis."""
    return jnp.moveaxis(jnp.stack(entries), 0, -1)


def _ordered(p: Array, q: Array) -> tuple[Columns, Columns]:
    return columns(p), columns(q, CONTEXT_SWAP)


@jax.custom_jvp
def memory_one_returns(p: Array, q: Array, delta: Array, payoffs: Array) -> Array:
    """Return both players' J [..., 2] for whole strategies.

    Args:
        p: [..., 5] player 1's cooperation probabilities (start, CC, CD, DC, DD).
        q: [..., 5] player 2's, in its own order.
        delta: [...] stopping rates 1 − γ, above zero.
        payoffs: [..., 2, 4] each player's after CC, CD, DC, DD.
    """

    def both(p: Array, q: Array, delta: Array, payoffs: Array) -> tuple[Array, Array]:
        occupied = memory_one_occupancy(*_ordered(p, q), delta)
        one, two = (_dot(occupied, columns(payoffs[..., player, :])) for player in (0, 1))
        return one, two

    return batch_first(in_one_loop(both, p, q, delta, payoffs))


def _returns_jvp(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Any, Any, Any, Any]
) -> tuple[Array, Array]:
    """Each gradient times its tangent; the policy gradient theorem in columns where more moves than strategies."""
    *strategies_dot, delta_dot, payoffs_dot = tangents
    returns = memory_one_returns(*primals)
    if _moves(delta_dot, payoffs_dot):
        return returns, jnp.stack([_column_tangent(primals, tangents, player) for player in (0, 1)], -1)
    moving = tuple(i for i in (0, 1) if _moves(strategies_dot[i]))
    gradients = memory_one_gradients(*primals, moving)
    moved = [(slope * strategies_dot[i][..., None, :]).sum(-1) for i, slope in zip(moving, gradients, strict=True)]
    return returns, functools.reduce(jnp.add, moved)


def _column_tangent(primals: Any, tangents: Any, player: int) -> Array:
    def entries(x: Tangent, order: Sequence[int] | None = None) -> tuple[Tangent, ...]:
        if isinstance(x, SymbolicZero):
            zero = SymbolicZero(jax.core.ShapedArray(x.shape[:-1], x.dtype))
            return (zero,) * x.shape[-1]
        return columns(x, order)

    p, q, delta, payoffs = primals
    p_dot, q_dot, delta_dot, payoffs_dot = tangents
    own_dot = payoffs_dot if isinstance(payoffs_dot, SymbolicZero) else payoffs_dot[..., player, :]
    if isinstance(own_dot, SymbolicZero):
        own_dot = SymbolicZero(jax.core.ShapedArray(payoffs[..., player, :].shape, payoffs.dtype))
    column_primals = (*_ordered(p, q), delta, columns(payoffs[..., player, :]))
    column_tangents = (entries(p_dot), entries(q_dot, CONTEXT_SWAP), delta_dot, entries(own_dot))
    return _return_jvp(column_primals, column_tangents)[1]


memory_one_returns.defjvp(_returns_jvp, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(4,))
def memory_one_gradients(p: Array, q: Array, delta: Array, payoffs: Array, wrts: tuple[int, ...]) -> list[Array]:
    """Return the gradients [..., n, 5] of n returns in the probabilities of `wrts`, by the policy gradient theorem.

    Args:
        p, q, delta: as for `memory_one_returns`.
        payoffs: [..., n, 4] of those whose returns they are, after CC, CD, DC, DD.
        wrts: whose probabilities, 0 or 1; each gradient is in its owner's order.
    """

    def gaps(p: Array, q: Array, delta: Array, payoffs: Array, wrt: int) -> tuple[Array, Array]:
        return memory_one_value_gaps(*_ordered(p, q), delta, columns(payoffs))[wrt]

    def shares(p: Array, q: Array, delta: Array, half: int) -> tuple[Array, Array]:
        one, two = memory_one_occupancy(*_ordered(p, q), delta, PAIRS[wrts[0]])[2 * half : 2 * half + 2]
        return one, two

    occupied = [x for half in (0, 1) for x in in_one_loop(functools.partial(shares, half=half), p, q, delta)]
    own = [payoffs[..., i, :] for i in range(payoffs.shape[-2])]
    in_pairs = [[in_one_loop(functools.partial(gaps, wrt=wrt), p, q, delta, r) for r in own] for wrt in wrts]
    return _slopes(_ordered(p, q), delta, tuple(occupied), in_pairs, wrts)


def _slopes(
    strategies: tuple[Columns, Columns],
    delta: Array,
    occupied: Columns,
    gaps: Sequence[Sequence[tuple[Array, Array]]],
    wrts: tuple[int, ...],
) -> list[Array]:
    visits = (delta, *((1 - delta) * x for x in occupied))

    def of(wrt: int, gap: tuple[Array, Array]) -> Array:
        slopes = [w * (b * gap[0] + (1 - b) * gap[1]) for w, b in zip(visits, strategies[1 - wrt], strict=True)]
        return batch_first([slopes[i] for i in (CONTEXT_SWAP if wrt else range(5))])

    return [jnp.stack([of(wrt, gap) for gap in each], -2) for wrt, each in zip(wrts, gaps, strict=True)]


def _gradients_jvp(
    wrts: tuple[int, ...], primals: tuple[Array, ...], tangents: tuple[Tangent, ...]
) -> tuple[list[Array], list[Array]]:
    """That of the theorem in columns; what does not move costs nothing."""
    moving = {i: x for i, x in enumerate(tangents) if not isinstance(x, SymbolicZero)}

    def in_columns(*moved: Array) -> list[Array]:
        placed = dict(zip(moving, moved, strict=True))
        p, q, delta, payoffs = (placed.get(i, x) for i, x in enumerate(primals))
        ordered = _ordered(p, q)
        occupied = memory_one_occupancy(*ordered, delta, PAIRS[wrts[0]])
        own = [columns(payoffs[..., i, :]) for i in range(payoffs.shape[-2])]
        gaps = [memory_one_value_gaps(*ordered, delta, r) for r in own]
        return _slopes(ordered, delta, occupied, [[gap[wrt] for gap in gaps] for wrt in wrts], wrts)

    gradients, moved = jax.jvp(in_columns, [primals[i] for i in moving], list(moving.values()))
    return gradients, moved


memory_one_gradients.defjvp(_gradients_jvp, symbolic_zeros=True)
