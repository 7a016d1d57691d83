r"""Chains of four states solved by folding them onto two, without a single subtraction of probabilities.

Let the states be split into two pairs, {i, j} and {k, l}. Rates are A_ab = γ M_ab (a ≠ b), every state stops at rate
δ = 1 − γ. Watch the chain only while it is in {i, j}: an excursion from i through the other pair lasts, per unit of
time in i, F_ik in k and F_il in l, by elimination of k and then l. All of these are sums of products of rates. So are

    L_i = 1 + F_ik + F_il                  time, with excursions, per unit of time in i,
    R_i = r_i + F_ik r_k + F_il r_l        what is earned in it,
    a_ij = A_ij + F_ik A_kj + F_il A_lj    rate from i into j, straight or by an excursion,
    s_i                                    probability that i is where the chain first enters the pair,

and the two states that are left are solved at sight. With Q = a_ij L_j + a_ji L_i + δ L_i L_j,

    d_i = [δ L_j s_i + (s_i + s_j) a_ji] / Q        the occupancy of i,
    w_i − w_j = (R_i L_j − R_j L_i) / Q             the difference of the values w = (I − γM)^{-1} r.

Sums of products of non-negative numbers keep their relative accuracy whatever δ (Grassmann, Taksar & Heyman 1985),
and the difference is one of average rewards R/L. It is a good one where the chain spends its time in the pair: else
L may be as large as 1/δ and the averages equal to rounding. Then the other pair's difference is good, and this one
follows from it by eliminating {i, j} instead, relative to l: with c the return from l, u_i = r_i − c + A_ik (w_k − w_l)
and e_i the rate from i out of the pair, w_i − w_j = (e_j u_i − e_i u_j) / (e_i e_j + e_i A_ji + A_ij e_j).

All of this is linear in the rewards and computed for a reward of 1 in each state alone, so that values for any rewards
and the derivatives of the occupancy are dot products of the same numbers.

The folds onto both pairs together cost about as much as one elimination of the chain, and every operation is
elementwise over the batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from ipd_theory._engine.compilation import computed_once
from ipd_theory._engine.elimination import reciprocal

Columns = tuple[Array, ...]
Pair = tuple[int, int]
Pairs = tuple[Pair, Pair]


class Fold(NamedTuple):
    """A chain folded onto a pair of states; arrays [...] over the batch, tuples of two over the pair.

    `excursions[x]` holds F_xk and F_xl, `lasting` L, `into[x]` the rate into x from its partner, `entering` s, and
    `per_pair` 1 / Q.
    """

    pair: Pair
    others: Pair
    excursions: tuple[Columns, Columns]
    lasting: Columns
    into: Columns
    entering: Columns
    per_pair: Array
    delta: Array


def rates(transitions: Sequence[Columns], delta: Array) -> list[Columns]:
    """Return γM from the rows of M; the diagonal is never read."""
    return [tuple((1 - delta) * m for m in row) for row in transitions]


def fold(start: Columns, transitions: Sequence[Columns], delta: Array, pair: Pair, others: Pair) -> Fold:
    """Fold a chain with this start distribution and these rows of M onto a pair of its states."""
    (i, j), (k, l) = pair, others
    gamma, rate = 1 - delta, rates(transitions, delta)
    leaving = rate[k][i] + rate[k][j] + delta
    per_k = reciprocal(leaving + rate[k][l])
    per_l = reciprocal(rate[l][i] + rate[l][j] + delta + rate[l][k] * (leaving * per_k))
    k_to_l = rate[k][l] * per_k

    def excursion(out: Columns) -> Columns:
        in_l = (out[l] + out[k] * k_to_l) * per_l
        return (out[k] + in_l * rate[l][k]) * per_k, in_l

    def reaching(x: int, away: Columns) -> Array:
        return away[0] * rate[k][x] + away[1] * rate[l][x]

    first, after_i, after_j = (excursion(out) for out in (start, transitions[i], transitions[j]))
    from_i, from_j = (tuple(gamma * time for time in after) for after in (after_i, after_j))
    into_i = gamma * (transitions[j][i] + reaching(i, after_j))
    into_j = gamma * (transitions[i][j] + reaching(j, after_i))
    last_i, last_j = (away[0] + away[1] + 1 for away in (from_i, from_j))
    per_pair = reciprocal(into_j * last_j + (into_i + delta * last_j) * last_i)
    entering = tuple(start[x] + reaching(x, first) for x in pair)
    columns = computed_once(((from_i, from_j), (last_i, last_j), (into_i, into_j), entering, per_pair))
    return Fold(pair, others, *columns, delta)


def _shares(folded: Fold) -> Columns:
    """Return the occupancy of the pair's two states."""
    s_i, s_j = folded.entering
    last_i, last_j = folded.lasting
    into_i, into_j = folded.into
    return (
        (s_i * (folded.delta * last_j) + (s_i + s_j) * into_i) * folded.per_pair,
        (s_j * (folded.delta * last_i) + (s_i + s_j) * into_j) * folded.per_pair,
    )


def _within(folded: Fold) -> tuple[Columns, Columns]:
    """Return w_i − w_j and the return from j, per step, for a reward of 1 in each of the four states alone."""
    (i, j), (k, l) = folded.pair, folded.others
    (ik, il), (jk, jl) = folded.excursions
    last_i, last_j = (last * folded.per_pair for last in folded.lasting)
    share_i, share_j = (into * folded.per_pair for into in folded.into)
    share_j = share_j + folded.delta * last_i
    difference = {i: last_j, j: -last_i, k: ik * last_j - jk * last_i, l: il * last_j - jl * last_i}
    from_j = {i: share_i, j: share_j, k: ik * share_i + jk * share_j, l: il * share_i + jl * share_j}
    return tuple(difference[s] for s in range(4)), tuple(from_j[s] for s in range(4))


def _from_others(
    transitions: Sequence[Columns], delta: Array, pair: Pair, others: Pair, difference: Columns, root: Columns
) -> Columns:
    """Return w_i − w_j for a reward of 1 in each state alone, from w_k − w_l and the return `root` from l."""
    (i, j), (k, l) = pair, others
    rate = rates(transitions, delta)
    out_i, out_j = rate[i][k] + rate[i][l] + delta, rate[j][k] + rate[j][l] + delta
    per_i = reciprocal(out_i + rate[i][j])
    per_j = reciprocal(out_j + rate[j][i] * (out_i * per_i))
    of_i, of_j = (out_j * per_j) * per_i, (out_i * per_j) * per_i
    to_root, through = of_j - of_i, of_i * rate[i][k] - of_j * rate[j][k]
    rows = [to_root * c + through * d for c, d in zip(root, difference, strict=True)]
    rows[i], rows[j] = rows[i] + of_i, rows[j] - of_j
    return tuple(rows)


def occupancy(start: Columns, transitions: Sequence[Columns], delta: Array, pairs: Pairs) -> Columns:
    """Return the normalised discounted occupancy of the four states."""
    shares: dict[int, Array] = {}
    for pair, others in (pairs, pairs[::-1]):
        for state, share in zip(pair, _shares(fold(start, transitions, delta, pair, others)), strict=True):
            shares[state] = share
    return tuple(shares[state] for state in range(4))


def value_differences(
    start: Columns, transitions: Sequence[Columns], delta: Array, pairs: Pairs
) -> tuple[Columns, Columns]:
    """Return w_i − w_j for both pairs (i, j), each for a reward of 1 in each of the four states alone.

    The start only tells where the time is spent, and so which of two equal expressions is used.
    """
    one, two = (fold(start, transitions, delta, *order) for order in (pairs, pairs[::-1]))
    (first, from_first), (second, from_second) = _within(one), _within(two)
    in_first = computed_once(jnp.add(*_shares(one)) >= jnp.add(*_shares(two)))  # each of the 16 results asks for it

    def chosen(in_pair: Array, within: Columns, through: Columns) -> Columns:
        return tuple(jnp.where(in_pair, a, b) for a, b in zip(within, through, strict=True))

    one_way = chosen(in_first, first, _from_others(transitions, delta, *pairs, second, from_second))
    other_way = chosen(~in_first, second, _from_others(transitions, delta, *pairs[::-1], first, from_first))
    return computed_once((one_way, other_way))
