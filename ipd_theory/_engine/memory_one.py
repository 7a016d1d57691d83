r"""Two memory-one strategies as columns: tuples of arrays [...], one array for each context or outcome.

The policy gradient theorem (`returns`) as a derivative rule. The return depends on the values w of the outcomes only
through the gaps between outcomes that differ in one player's action, so its derivative is a sum of factor times gap,
by how often each context is visited and how its probabilities move. Nothing else is needed for any order:

    the gaps' derivative       the gaps for the payoffs γ Ṁw − δ̇ Mw + ṙ,
    the occupancy's            the transpose of payoffs ↦ gaps, applied to the factors.

Both are linear, by the gaps for a payoff of 1 after one of the outcomes alone. `folding` computes occupancy and gaps,
two columns in each compiled loop over the batch (`compilation.in_one_loop`).
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from ipd_theory._engine.compilation import in_one_loop
from ipd_theory._engine.folding import Columns, Pairs, fold, rates, shares, value_differences


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


OWN_PAIRS = ((0, 2), (1, 3))
OTHERS_PAIRS = ((0, 1), (2, 3))
PAIRS = (OWN_PAIRS, OTHERS_PAIRS)
Tangent = Array | SymbolicZero


def _moves(*tangents: Tangent) -> bool:
    return any(not isinstance(x, SymbolicZero) for x in tangents)


def _shares(pairs: Pairs, p: Columns, q: Columns, delta: Array) -> Columns:
    start, rows = _start_and_moves(p, q)
    return shares(fold(start, rates(rows, delta), delta, *pairs))


def _differences(pairs: Pairs, p: Columns, q: Columns, delta: Array, payoffs: Columns) -> tuple[Array, Array]:
    start, rows = _start_and_moves(p, q)
    return value_differences(start, rates(rows, delta), delta, payoffs, pairs)


def _returns(p: Columns, q: Columns, delta: Array, payoffs: tuple[Columns, ...]) -> tuple[Array, ...]:
    d = [x for order in _ORDERS for x in _shares(order, p, q, delta)]
    return tuple(_dot(d, of_player) for of_player in payoffs)


_ORDERS = (OTHERS_PAIRS, OTHERS_PAIRS[::-1])
_SHARES = [in_one_loop(functools.partial(_shares, order)) for order in _ORDERS]
_DIFFERENCES = [in_one_loop(functools.partial(_differences, pairs)) for pairs in PAIRS]
_RETURNS = in_one_loop(_returns)


@jax.custom_jvp
def memory_one_occupancy(p: Columns, q: Columns, delta: Array) -> Columns:
    """Return the occupancy of CC, CD, DC, DD.

    Args:
        p: five columns [...], player 1's cooperation probabilities (start, CC, CD, DC, DD).
        q: five columns [...], player 2's, in player 1's order.
        delta: [...] stopping rates 1 − γ, above zero.
    """
    return _SHARES[0](p, q, delta) + _SHARES[1](p, q, delta)


def _occupancy_jvp(primals: tuple[Columns, Columns, Array], tangents: tuple[Any, Any, Any]) -> tuple[Columns, Columns]:
    """The return's derivative is linear in the payoffs, and its factors there are those of the occupancy."""
    p, q, delta = primals
    d = memory_one_occupancy(p, q, delta)
    factors = _gap_factors(p, q, delta, d, *tangents)
    tangent = [jnp.zeros_like(d[0])] * 4
    for s, unit in enumerate(_unit_gaps(p, q, delta)):
        for factor, gaps in zip(factors, unit, strict=True):
            tangent[s] = tangent[s] + _dot(factor, gaps) if factor else tangent[s]
    return d, tuple(tangent)


memory_one_occupancy.defjvp(_occupancy_jvp, symbolic_zeros=True)


@jax.custom_jvp
def memory_one_value_gaps(p: Columns, q: Columns, delta: Array, payoffs: Columns) -> ValueGaps:
    """Return the differences of the values of CC, CD, DC and DD, payoff of the state included.

    Args:
        p, q, delta: as for `memory_one_occupancy`.
        payoffs: four columns [...], player 1's payoffs after CC, CD, DC, DD.
    """
    return ValueGaps(*(differences(p, q, delta, payoffs) for differences in _DIFFERENCES))


def _unit_gaps(p: Columns, q: Columns, delta: Array) -> list[ValueGaps]:
    """Return the value gaps for a payoff of 1 after one of the outcomes alone."""
    zero, one = jnp.zeros_like(delta), jnp.ones_like(delta)
    return [memory_one_value_gaps(p, q, delta, tuple(one if s == t else zero for t in range(4))) for s in range(4)]


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
    units = _unit_gaps(p, q, delta)
    return gaps, jax.tree.map(lambda *of_unit: _dot(of_unit, sources), *units)


memory_one_value_gaps.defjvp(_value_gaps_jvp, symbolic_zeros=True)


@jax.custom_jvp
def memory_one_returns(p: Columns, q: Columns, delta: Array, payoffs: tuple[Columns, ...]) -> tuple[Array, ...]:
    """Return J [...], a step, of the one or two players with these payoffs; arguments as `memory_one_value_gaps`."""
    return _RETURNS(p, q, delta, payoffs)


def _returns_jvp(
    primals: tuple[Columns, Columns, Array, tuple[Columns, ...]], tangents: tuple[Any, Any, Any, Any]
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """The policy gradient theorem."""
    p, q, delta, payoffs = primals
    *moving, payoffs_dot = tangents
    d = memory_one_occupancy(p, q, delta)
    factors = _gap_factors(p, q, delta, d, *moving)
    returns = [_dot(d, of_player) for of_player in payoffs]
    tangent = [
        _linear(zip(d, moved, strict=True), jnp.zeros_like(j)) for j, moved in zip(returns, payoffs_dot, strict=True)
    ]
    for k, of_player in enumerate(payoffs):
        for factor, gaps in zip(factors, memory_one_value_gaps(p, q, delta, of_player), strict=True):
            tangent[k] = tangent[k] + _dot(factor, gaps) if factor else tangent[k]
    return tuple(returns), tuple(tangent)


memory_one_returns.defjvp(_returns_jvp, symbolic_zeros=True)


def memory_one_return(p: Columns, q: Columns, delta: Array, payoffs: Columns) -> Array:
    """Return J [...] of the player with these payoffs, a step; arguments as `memory_one_value_gaps`."""
    return memory_one_returns(p, q, delta, (payoffs,))[0]


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
