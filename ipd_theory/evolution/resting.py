r"""Where adaptive dynamics rest, and whether populations come back there or mutants go on.

At a rest point of ẋ = G(x) inside of bounds (`adaptive`), with H = ∂²π/∂y∂y and C = ∂²π/∂y∂x of a mutant's payoff
π(y, x) at y = x, over the coordinates that are free,

    convergence stable      the eigenvalues of H + C, the derivative of G, have negative real parts: nearby populations
                            come back;
    evolutionarily stable   H is negative definite: no small mutant gains once the population is there.

Neither implies the other. Coordinates at a bound must be held there by G in both.

Sources: Geritz, Kisdi, Meszéna & Metz 1998; Leimar 2009.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Complex, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory.evolution.adaptive import AT_A_BOUND, Family, any_table, held_coordinates, outward
from ipd_theory.games import MatrixGame
from ipd_theory.returns import expected_returns

NEUTRAL = 1e-7  # of the payoffs' range; what is less is rounding


class RestPoints(NamedTuple):
    """Where adaptive dynamics rest, and whether they come back.

    Args:
        x: [..., k] coordinates.
        gradient: [..., k] G; 0 in a coordinate that is free.
        free: [..., k] whether a coordinate is inside of its bounds.
        eigenvalues: [..., k] of the derivative of G over free coordinates, largest real part first; a coordinate at a
            bound counts as minus the pull that holds it there; 0 where a direction is neutral.
        curvatures: [..., k] likewise of the second derivative of a mutant's payoff.
    """

    x: Float[np.ndarray, "... k"]
    gradient: Float[np.ndarray, "... k"]
    free: Bool[np.ndarray, "... k"]
    eigenvalues: Complex[np.ndarray, "... k"]
    curvatures: Float[np.ndarray, "... k"]

    @property
    def convergence_stable(self) -> Bool[np.ndarray, "..."]:
        """Whether all nearby populations come back [...]; not where a direction is neutral."""
        return self.eigenvalues.real.max(-1) < 0

    @property
    def evolutionarily_stable(self) -> Bool[np.ndarray, "..."]:
        """Whether no small mutant gains, to second order [...]; not where a direction is neutral."""
        return self.curvatures.max(-1) < 0


Derivatives = tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "n k k"], Float[np.ndarray, "n k k"]]


@functools.partial(jax.jit, static_argnames=("family", "error"))
def _compiled_derivatives(
    payoffs: Array, x: Array, discount: ArrayLike, family: Family, error: float
) -> tuple[Array, Array, Array]:
    """Return G [n, k], H and C [n, k, k]."""

    def payoff(y: Array, x: Array) -> Array:
        mutant, resident = (strategies.tremble(family(z), error) for z in (y, x))
        return expected_returns(MatrixGame(payoffs), mutant, resident, discount=discount)[..., 0]

    def slope(z: Array) -> tuple[Array, Array]:
        k = z.shape[-1] // 2
        G = jax.grad(payoff)(z[:k], z[k:])
        return G, G

    def at(x: Array) -> tuple[Array, Array, Array]:
        both, G = jax.jacfwd(slope, has_aux=True)(jnp.concatenate([x, x]))
        return G, *jnp.split(both, 2, -1)

    return jax.vmap(at)(x)


def _derivatives(
    game: MatrixGame, x: Float[np.ndarray, "n k"], discount: float, family: Family, error: float
) -> Derivatives:
    G, H, C = _compiled_derivatives(game.payoffs, jnp.asarray(x), discount, family=family, error=error)
    return np.asarray(G, float), np.asarray(H, float), np.asarray(C, float)


@checked
def stability(
    game: MatrixGame,
    x: Float[ArrayLike, "... _"],
    *,
    discount: float,
    family: Family = any_table,
    error: float = 0.0,
) -> RestPoints:
    """Return what decides the stability of populations, which need not rest for it to be asked.

    Arguments and errors are those of `selection_gradient`.
    """
    points = np.asarray(held_coordinates(x, game, family, error), float)
    flat = points.reshape(-1, points.shape[-1])
    found = _judged(flat, _derivatives(game, flat, discount, family, error), _range(game))
    return RestPoints(*(part.reshape(*points.shape[:-1], -1) for part in found))


def _range(game: MatrixGame) -> float:
    return float(np.ptp(np.asarray(game.outcome_payoffs[0]))) or 1.0


def _judged(x: Float[np.ndarray, "n k"], derivatives: Derivatives, unit: float) -> RestPoints:
    G, H, C = derivatives
    if not all(np.isfinite(part).all() for part in (G, H, C)):
        bad = x[~np.isfinite(np.concatenate([G, H.sum(-1), C.sum(-1)], -1)).all(-1)][0]
        raise ValueError(f"x holds {bad}, where payoffs jump and have no derivatives; take discount < 1 or error > 0")
    free = (x > 0) & (x < 1)
    pull = np.where(free, 0.0, -outward(x, G))
    eigenvalues, curvatures = np.zeros(x.shape, complex), np.zeros(x.shape)
    for i, inner in enumerate(free):
        block = np.ix_(inner, inner)
        values = np.concatenate([np.linalg.eigvals((H + C)[i][block]), pull[i][~inner]])
        eigenvalues[i] = values[np.argsort(-values.real, kind="stable")]
        curved = np.concatenate([np.linalg.eigvalsh(H[i][block]), pull[i][~inner]])
        curvatures[i] = -np.sort(-curved)
    rounding = NEUTRAL * unit
    eigenvalues[np.abs(eigenvalues) <= rounding], curvatures[np.abs(curvatures) <= rounding] = 0, 0
    return RestPoints(x, G, free, eigenvalues, curvatures)


@checked
def rest_points(
    game: MatrixGame,
    dimension: int,
    *,
    discount: float,
    family: Family = any_table,
    error: float = 0.0,
    starts: int = 16,
    seed: int = 0,
    tolerance: float = 1e-9,
) -> RestPoints:
    """Return rest points of the dynamics: Newton's method inside and on every face of the bounds, from random starts.

    All that are found are rest points; on a line of them, some are found. A point is listed once.

    Args:
        game, discount, family, error: as for `selection_gradient`.
        dimension: k, how many coordinates the family has, at most 6.
        starts: how many on each of the 3^k faces.
        seed: of the starts.
        tolerance: the largest slope, as a share of the payoffs' range, that counts as 0.

    Raises:
        ValueError: as `selection_gradient`.
    """
    held_coordinates(np.full(_checks.whole("dimension", dimension, 1, 6), 0.5), game, family, error, "dimension")
    _checks.whole("starts", starts, 1)
    _checks.whole("seed", seed, 0)
    _checks.number("tolerance", tolerance, 0, 1, open_low=True)
    unit = _range(game)
    faces = np.array(list(itertools.product((0.0, 1.0, np.nan), repeat=dimension)))
    face = np.repeat(faces, starts, 0)
    free = np.isnan(face)
    x = np.where(free, np.random.default_rng(seed).uniform(0.02, 0.98, face.shape), face)
    for _ in range(60):
        G, H, C = _derivatives(game, x, discount, family, error)
        slopes = np.where(free, G, 0.0)
        matrix = np.where(free[:, :, None] & free[:, None, :], H + C, 0.0)
        usable = np.isfinite(matrix).all((-2, -1)) & np.isfinite(slopes).all(-1)
        step = np.zeros_like(x)
        step[usable] = -(np.linalg.pinv(matrix[usable], rcond=1e-9) @ slopes[usable][..., None])[..., 0]
        x = np.where(free, np.clip(x + np.clip(step, -0.1, 0.1), 0, 1), face)
    G, H, C = _derivatives(game, x, discount, family, error)
    inside = np.where(free, (x > AT_A_BOUND) & (x < 1 - AT_A_BOUND), True).all(-1)
    still = (np.abs(np.where(free, G, 0.0)) <= tolerance * unit).all(-1)
    held = (np.where(free, 0.0, outward(x, G)) >= -tolerance * unit).all(-1)
    found = np.flatnonzero(inside & still & held & np.isfinite(H + C).all((-2, -1)))
    _, first = np.unique(x[found].round(6) + 0.0, axis=0, return_index=True)
    kept = found[np.sort(first)]
    return _judged(x[kept], (G[kept], H[kept], C[kept]), unit)
