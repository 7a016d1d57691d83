r"""Zero-determinant strategies: what one player's table enforces whatever the other does.

Write v for the occupancy of (CC, CD, DC, DD), A and B for the payoffs of the two players after them, δ = 1 − γ,
and p_0, p for player 1's cooperation probabilities at the start and after the four outcomes. The share of time in
which player 1 cooperates is v · (1, 1, 0, 0); it is also δ p_0 + γ v · p. Hence, against every opponent (Akin 2012;
Hilbe, Traulsen & Sigmund 2015),

    v · p̃ = 0,    p̃ = γ p + δ p_0 − (1, 1, 0, 0).

A strategy with p̃ = α A + β B + κ therefore enforces α π_1 + β π_2 + κ = 0 (Press & Dyson 2012, for γ = 1). The
lines s (π_1 − l) = π_2 − l of slope s and baseline l come from p̃ = φ [s (A − l) − (B − l)] with any φ ≠ 0 that
keeps p a table of probabilities (Hilbe, Nowak & Traulsen 2013). Three families have names:

    extortion   l = P, s = 1/χ     π_1 − P = χ (π_2 − P): of the surplus, χ times the other's share
    generous    l = R, s = 1/χ     π_1 − R = χ (π_2 − R): of the loss, χ times the other's share
    equalizer   s = 0              π_2 = l

Extortion and generosity are scaled as by Press & Dyson: p̃ = φ [(A − l) − χ (B − l)] / (P − S).

Extortioners are linear in (a, b) = (φ, φχ), so the nearest one to a table is a least-squares problem.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._discount import stopping_rate
from ipd_theory._polygon import candidates, solve, within
from ipd_theory.games import MatrixGame

REPEAT = (1.0, 1.0, 0.0, 0.0)  # cooperates exactly where player 1 just did: its own last action, repeated


class Relation(NamedTuple):
    """The line α π_1 + β π_2 + κ = 0 nearest to what a strategy enforces; residual 0 if it does enforce it.

    `own`, `other`, `constant` are α, β, κ [...]; `residual` [...] is |p̃ − (α A + β B + κ)|².
    """

    own: Float[Array, "..."]
    other: Float[Array, "..."]
    constant: Float[Array, "..."]
    residual: Float[Array, "..."]

    @property
    def slope(self) -> Float[Array, "..."]:
        """The slope s [...] of s (π_1 − l) = π_2 − l."""
        return -self.own / self.other

    @property
    def baseline(self) -> Float[Array, "..."]:
        """The baseline l [...] of s (π_1 − l) = π_2 − l, in payoff units."""
        return -self.constant / (self.own + self.other)


class ExtortionFit(NamedTuple):
    """The extortion strategy nearest to a table: χ [...], φ [...], and the squared distance of p̃ [...] to it."""

    chi: Float[Array, "..."]
    phi: Float[Array, "..."]
    residual: Float[Array, "..."]


class PhiRange(NamedTuple):
    """The φ [...] from `low` to `high` keep every probability in [0, 1]; none where low > high; 0 enforces nothing."""

    low: Float[Array, "..."]
    high: Float[Array, "..."]


def _payoffs(game: MatrixGame) -> tuple[Array, Array]:
    """Return both players' payoffs [..., 4] after CC, CD, DC, DD."""
    _checks.two_players(game)
    outcomes = game.outcome_payoffs
    return outcomes[..., 0, :], outcomes[..., 1, :]


def _named_payoffs(game: MatrixGame) -> tuple[Array, Array, Array, Array]:
    """Return R, S, T, P [...] of a symmetric game with T > R > P > S."""
    own, other = _payoffs(game)
    R, S, T, P = (own[..., i] for i in range(4))
    if not isinstance(own, jax.core.Tracer):
        mirrored = bool((other == own[..., np.array([0, 2, 1, 3])]).all())
        if not (mirrored and bool(((T > R) & (R > P) & (P > S)).all())):
            raise ValueError(f"game must be a symmetric prisoner's dilemma (T > R > P > S); its payoffs are {own}")
    return R, S, T, P


def _positive_discount(discount: ArrayLike, dtype: np.dtype) -> tuple[Array, Array]:
    """Return γ and δ [...] in this dtype; γ = 0 leaves nothing to enforce."""
    delta = stopping_rate(discount, dtype)
    if not isinstance(delta, jax.core.Tracer) and bool((delta >= 1).any()):
        raise ValueError(f"discount holds {discount}; a strategy enforces something only for a discount above 0")
    return 1 - delta, delta


def _surplus(game: MatrixGame, slope: ArrayLike, baseline: ArrayLike) -> Array:
    """Return s (A − l) − (B − l) [..., 4]."""
    own, other = _payoffs(game)
    s = _checks.finite("slope", jnp.asarray(slope, own.dtype))[..., None]
    l = _checks.finite("baseline", jnp.asarray(baseline, own.dtype))[..., None]
    return s * (own - l) - (other - l)


def _rounding(dtype: np.dtype) -> float:
    return 64 * float(jnp.finfo(dtype).eps)


@checked
def enforcing(
    game: MatrixGame,
    own: ArrayLike,
    other: ArrayLike,
    constant: ArrayLike,
    discount: ArrayLike = 1.0,
    start: ArrayLike = 0.0,
) -> Float[Array, "... 5"]:
    """Return the memory-one strategy that enforces own · π_1 + other · π_2 + constant = 0.

    Args:
        game: a two-player game, or a batch of them [...].
        own, other, constant: [...] α, β and κ; only small enough multiples of the same three give probabilities.
        discount: [...] γ in (0, 1]; 1 is the limit of means.
        start: [...] the probability to cooperate in the first round.

    Raises:
        ValueError: if no table of probabilities has this p̃, or γ = 0. (Press & Dyson 2012, eq. 5-7.)
    """
    A, B = _payoffs(game)
    given = (("own", own), ("other", other), ("constant", constant))
    α, β, κ = (_checks.finite(name, jnp.asarray(x, A.dtype))[..., None] for name, x in given)
    return _table(α * A + β * B + κ, discount, start)


def _table(enforced: Float[Array, "... 4"], discount: ArrayLike, start: ArrayLike) -> Float[Array, "... 5"]:
    """Return the strategy with p̃ = `enforced`."""
    dtype = enforced.dtype
    gamma, delta = _positive_discount(discount, dtype)
    p_0 = _checks.in_range("start", jnp.asarray(start, dtype), 0.0, 1.0)
    table, slack = _unbounded_table(enforced, gamma, delta, p_0), _rounding(dtype)
    return jnp.clip(_checks.in_range("the table for these arguments", table, -slack, 1 + slack), 0, 1)


@jax.jit
def _unbounded_table(enforced: Array, gamma: Array, delta: Array, p_0: Array) -> Array:
    p = (enforced + jnp.asarray(REPEAT, enforced.dtype) - (delta * p_0)[..., None]) / gamma[..., None]
    return jnp.stack(jnp.broadcast_arrays(p_0, *jnp.moveaxis(p, -1, 0)), -1)


def _range(direction: Array, discount: ArrayLike, start: ArrayLike) -> PhiRange:
    """Return the φ for which some table has p̃ = φ · direction [..., 4]."""
    dtype = direction.dtype
    gamma, delta = _positive_discount(discount, dtype)
    return _bounds_of_phi(direction, gamma, delta, _checks.in_range("start", jnp.asarray(start, dtype), 0.0, 1.0))


@jax.jit
def _bounds_of_phi(direction: Array, gamma: Array, delta: Array, p_0: Array) -> PhiRange:
    dtype = direction.dtype
    least = (delta * p_0)[..., None] - jnp.asarray(REPEAT, dtype)
    bounds = jnp.stack(jnp.broadcast_arrays(least, least + gamma[..., None], direction)[:2])
    fixed = direction == 0  # such a row allows every φ, or none
    possible = (bounds[0] <= _rounding(dtype)) & (bounds[1] >= -_rounding(dtype))
    at = jnp.sort(bounds / jnp.where(fixed, 1, direction), axis=0)
    low = jnp.where(fixed, jnp.where(possible, -jnp.inf, jnp.inf), at[0])
    high = jnp.where(fixed, jnp.inf, at[1])
    return PhiRange(low.max(-1) + 0.0, high.min(-1) + 0.0)  # no -0.0


def _along(direction: Array, phi: ArrayLike, discount: ArrayLike, start: ArrayLike) -> Array:
    """Return the strategy with p̃ = φ · direction [..., 4]."""
    scale = _checks.finite("phi", jnp.asarray(phi, direction.dtype))
    low, high = _range(direction, discount, start)
    slack = _rounding(direction.dtype)
    fits = (scale != 0) & (scale >= low - slack * jnp.abs(low)) & (scale <= high + slack * jnp.abs(high))
    if not isinstance(fits, jax.core.Tracer) and not bool(fits.all()):
        allowed = f"it must not be 0 and lie in [{low}, {high}]"
        if bool((low > high).any()):
            allowed = f"with discount {discount} and start {start} no value gives probabilities on this line"
        raise ValueError(f"phi holds {phi}; {allowed}")
    return _table(scale[..., None] * direction, discount, start)


@checked
def phi_range(
    game: MatrixGame, slope: ArrayLike, baseline: ArrayLike, discount: ArrayLike = 1.0, start: ArrayLike = 0.0
) -> PhiRange:
    """Return the scales φ for which `linear` is a table of probabilities.

    Args:
        game: a two-player game, or a batch of them [...].
        slope, baseline: [...] s and l of the enforced line s (π_1 − l) = π_2 − l.
        discount: [...] γ in (0, 1].
        start: [...] the probability to cooperate in the first round.

    Raises:
        ValueError: if γ = 0.
    """
    return _range(_surplus(game, slope, baseline), discount, start)


@checked
def linear(
    game: MatrixGame,
    slope: ArrayLike,
    baseline: ArrayLike,
    phi: ArrayLike,
    discount: ArrayLike = 1.0,
    start: ArrayLike = 0.0,
) -> Float[Array, "... 5"]:
    """Return the memory-one strategy [..., 5] that enforces s (π_1 − l) = π_2 − l.

    Args:
        game: a two-player game, or a batch of them [...].
        slope: [...] s; 1 is fair, 0 fixes the other's return.
        baseline: [...] l, in payoff units.
        phi: [...] φ ≠ 0, per payoff unit, within `phi_range`; how strongly the strategy reacts.
        discount: [...] γ in (0, 1]; 1 is the limit of means.
        start: [...] the probability to cooperate in the first round.

    Raises:
        ValueError: if φ is outside its range, or γ = 0. (Hilbe, Nowak & Traulsen 2013, eq. 5.)
    """
    return _along(_surplus(game, slope, baseline), phi, discount, start)


@checked
def extortion(
    game: MatrixGame, chi: ArrayLike, phi: ArrayLike, discount: ArrayLike = 1.0, start: ArrayLike = 0.0
) -> Float[Array, "... 5"]:
    """Return the extortioner [..., 5] that enforces π_1 − P = χ (π_2 − P).

    Args:
        game: a symmetric prisoner's dilemma, or a batch of them [...].
        chi: [...] the extortion factor χ ≥ 1; 1 is fair.
        phi: [...] φ, a number in (0, (P − S) / ((P − S) + χ (T − P))] for the default payoffs and γ = 1.
        discount: [...] γ in (0, 1]; below 1 only start = 0 and a narrower range of φ are possible.
        start: [...] the probability to cooperate in the first round.

    Raises:
        ValueError: if χ < 1, φ is outside its range, or the game is no prisoner's dilemma. (Press & Dyson 2012,
            eq. 12; the COALA-PG paper, Figure 8.)
    """
    _, S, _, P = _named_payoffs(game)
    return _along(_press_dyson(game, chi, P, P - S), phi, discount, start)


@checked
def generous(
    game: MatrixGame, chi: ArrayLike, phi: ArrayLike, discount: ArrayLike = 1.0, start: ArrayLike = 1.0
) -> Float[Array, "... 5"]:
    """Return the generous strategy [..., 5] that enforces π_1 − R = χ (π_2 − R): it bears χ times the loss.

    Args:
        game: a symmetric prisoner's dilemma, or a batch of them [...].
        chi: [...] the factor χ ≥ 1.
        phi: [...] φ > 0, a number, scaled as for `extortion`.
        discount: [...] γ in (0, 1]; below 1 only start = 1 is possible.
        start: [...] the probability to cooperate in the first round.

    Raises:
        ValueError: as `extortion`. (Stewart & Plotkin 2013.)
    """
    R, S, _, P = _named_payoffs(game)
    return _along(_press_dyson(game, chi, R, P - S), phi, discount, start)


def _press_dyson(game: MatrixGame, chi: ArrayLike, baseline: Array, unit: Array) -> Array:
    """Return [(A − l) − χ (B − l)] / unit [..., 4]."""
    factor = _checks.finite("chi", jnp.asarray(chi, unit.dtype))
    if not isinstance(factor, jax.core.Tracer) and not bool((factor >= 1).all()):
        raise ValueError(f"chi holds {chi}; every entry must be 1 or more")
    return _surplus(game, 1 / factor, baseline) * (factor / unit)[..., None]


@checked
def equalizer(
    game: MatrixGame, payoff: ArrayLike, phi: ArrayLike, discount: ArrayLike = 1.0, start: ArrayLike = 1.0
) -> Float[Array, "... 5"]:
    """Return the equaliser [..., 5] that sets the other's return to `payoff`, whatever the other does.

    Args:
        game: a two-player game, or a batch of them [...].
        payoff: [...] the other's return, in payoff units; in a prisoner's dilemma from P to R.
        phi: [...] φ ≠ 0, per payoff unit.
        discount: [...] γ in (0, 1].
        start: [...] the probability to cooperate in the first round.

    Raises:
        ValueError: if φ is outside its range, or γ = 0. (Boerlijst, Nowak & Sigmund 1997; Press & Dyson 2012, eq. 9.)
    """
    return linear(game, 0.0, payoff, phi, discount, start)


@checked
def autocratic_vector(strategy: Float[ArrayLike, "... h"], discount: ArrayLike = 1.0) -> Float[Array, "... 4"]:
    """Return p̃ [..., 4] = γ p + δ p_0 − (1, 1, 0, 0), to which every opponent's occupancy is orthogonal.

    Args:
        strategy: [..., 5] cooperation probabilities (start, CC, CD, DC, DD).
        discount: [...] γ in (0, 1]; at 1 the start does not enter.

    Raises:
        ValueError: if a probability leaves [0, 1], the last axis is not 5, or γ = 0. (Hilbe et al. 2015, lemma 1.)
    """
    _checks.last_axis("strategy", strategy, (5,), "a memory-one strategy: start, CC, CD, DC, DD")
    table = _checks.probabilities("strategy", strategy)
    gamma, delta = (x[..., None] for x in _positive_discount(discount, table.dtype))
    return gamma * table[..., 1:] + delta * table[..., :1] - jnp.asarray(REPEAT, table.dtype)


@checked
def relation(game: MatrixGame, strategy: Float[ArrayLike, "... h"], discount: ArrayLike = 1.0) -> Relation:
    """Return the linear relation nearest to what a strategy enforces, and how far it is from enforcing it.

    Args:
        game: a two-player game, or a batch of them [...].
        strategy: [..., 5] cooperation probabilities.
        discount: [...] γ in (0, 1].

    Raises:
        ValueError: if a probability leaves [0, 1], the last axis is not 5, or γ = 0. (Press & Dyson 2012, eq. 7.)
    """
    return _nearest_relation(*_payoffs(game), autocratic_vector(strategy, discount))


@jax.jit
def _nearest_relation(A: Array, B: Array, target: Array) -> Relation:
    least = jnp.minimum(A, B).min(-1, keepdims=True)
    spread = jnp.maximum(A, B).max(-1, keepdims=True) - least
    unit = jnp.where(spread == 0, 1, spread)  # payoffs from 0 to 1: no unit or offset enters the solution
    basis = jnp.stack([(A - least) / unit, (B - least) / unit, jnp.ones_like(A)], -1).astype(target.dtype)
    coefficients = (jnp.linalg.pinv(basis) * target[..., None, :]).sum(-1)
    error = target - (basis * coefficients[..., None, :]).sum(-1)
    own, other = (coefficients[..., i] / unit[..., 0].astype(target.dtype) for i in range(2))
    constant = coefficients[..., 2] - (own + other) * least[..., 0].astype(target.dtype)
    return Relation(own, other, constant, (error**2).sum(-1))


@checked
def fit(
    game: MatrixGame, strategy: Float[ArrayLike, "... h"], discount: ArrayLike = 1.0, constrained: bool = False
) -> ExtortionFit:
    """Return the least-squares fit of a strategy to the extortion family, in p̃.

    Args:
        game: a symmetric prisoner's dilemma, or a batch of them [...].
        strategy: [..., 5] cooperation probabilities.
        discount: [...] γ in (0, 1]. At 1 the fit is of the four probabilities after CC, CD, DC, DD.
        constrained: keep to χ ≥ 1 and φ ≥ 0 that give probabilities; otherwise the fit is linear and may leave
            the family (χ < 1, φ < 0 or too large).

    Returns:
        χ, φ and the squared distance |p̃ − p̃(χ, φ)|², each [...]. χ is enforced only if the distance is 0, and is
        infinite where φ = 0. The distance is infinite where the constrained family is empty (γ too small).

    Raises:
        ValueError: if a probability leaves [0, 1], a shape is wrong, γ = 0, or the game is no prisoner's dilemma.
            (The COALA-PG paper, Figure 8; Knight et al. 2024 for the distance at γ = 1.)
    """
    target = autocratic_vector(strategy, discount)
    R, S, T, P = (x.astype(target.dtype) for x in _named_payoffs(game))
    k, rho = (T - P) / (P - S), (R - P) / (P - S)
    zero = jnp.zeros_like(k)
    x = jnp.stack([rho, zero - 1, k, zero], -1)  # (A − P) / (P − S)
    y = jnp.stack([-rho, -k, zero + 1, zero], -1)  # −(B − P) / (P − S)
    basis = jnp.stack([x, y], -1)
    gram = jnp.swapaxes(basis, -1, -2) @ basis
    points = solve(gram, (basis * target[..., None]).sum(-2))[..., None, :]
    allowed = jnp.ones((1,), bool)
    if constrained:
        gamma, delta = _positive_discount(discount, target.dtype)
        limits = _family_limits(k, rho, gamma, delta)
        points = candidates(points, gram, *limits)
        allowed = within(points, *limits, _rounding(target.dtype))
    predicted = (points[..., None, :] * basis[..., None, :, :]).sum(-1)
    distance = jnp.where(allowed, ((target[..., None, :] - predicted) ** 2).sum(-1), jnp.inf)
    nearest = jnp.argmin(distance, -1, keepdims=True)
    residual = jnp.take_along_axis(distance, nearest, -1)[..., 0]
    a, b = (jnp.take_along_axis(points[..., i], nearest, -1)[..., 0] for i in range(2))
    phi = jnp.where(jnp.isfinite(residual) & (jnp.abs(a) > _rounding(a.dtype)), a, 0)
    return ExtortionFit(jnp.where(phi == 0, jnp.inf, b / jnp.where(phi == 0, 1, phi)), phi, residual)


def _family_limits(k: Array, rho: Array, gamma: Array, delta: Array) -> tuple[Array, Array]:
    """Return N [..., 4, 2] and c [..., 4]: (a, b) = (φ, φχ) is an extortioner, start 0, iff N (a, b) ≤ c.

    The rows are φ ≥ 0 and p_CC ≤ 1 (at γ = 1: χ ≥ 1), p_CD ≥ 0, p_DC ≤ 1; the other bounds follow.
    """
    k, rho, gamma, delta = jnp.broadcast_arrays(k, rho, gamma, delta)
    one, zero = jnp.ones_like(k), jnp.zeros_like(k)
    rows = [(-one, zero), (one, -one), (one, k), (k, one)]
    normals = jnp.stack([jnp.stack(row, -1) for row in rows], -2)
    return normals, jnp.stack([zero, -delta / rho, one, gamma], -1)
