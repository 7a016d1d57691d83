r"""Fixed points of a mixed pool, their stability, and the curves they trace as p_naive varies.

Two agents φ_1, φ_2 (logits) ascend what `learning.pool` describes, against a fixed, evenly spread population of naive
learners, with weight decay κ:

    dφ_1/dt = F(φ_1, φ_2; p) = p ∇J̄(φ_1) + (1 − p) ∂_1 J(φ_1, φ_2) − κφ_1,      and its mirror.

Without decay, good policies lie at infinite logits, and contexts that are never visited leave whole continua of fixed
points. Decay, which the paper's optimizer applies too, pulls the first back to probabilities of about κ|φ|/|∇| and
picks one point of the second, φ_s = 0. Every fixed point is then finite and, in general, isolated.

Agents that are alike stay alike. On φ_1 = φ_2 = φ, with A = ∂F/∂φ_1 and B = ∂F/∂φ_2, the pool's Jacobian has the
eigenvalues of A + B (the agents change together) and of A − B (they part); it is stable iff all real parts are below 0.

A curve F(x; p) = 0 is followed by pseudo-arclength: from y = (x, p) with unit tangent t, the null vector of
(F_x, F_p), Newton's method solves F(y') = 0, t · (y' − y) = Δs, which passes folds, where t_p changes its sign.
F comes from exact gradients; its Jacobian from their central differences, with an error of the order of 1e-8.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.special
from jaxtyping import Array, Complex, Float, Int
from scipy.integrate import solve_ivp
from scipy.optimize import root

from ipd_theory import _checks
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame, prisoners_dilemma
from ipd_theory.learning.naive_path import naive_shaping_return
from ipd_theory.returns import return_gradient, stopping_rate

TOLERANCE = 1e-9  # of |F| at a fixed point
DIFFERENCE = 1e-4  # the step of central differences, in logits


class Linearized(NamedTuple):
    """A field at (x, p): F [n], F_x [n, n], F_p [n], and the eigenvalues [m] that decide stability."""

    value: Float[np.ndarray, " n"]
    by_point: Float[np.ndarray, "n n"]
    by_parameter: Float[np.ndarray, " n"]
    eigenvalues: Complex[np.ndarray, " m"]


Field = Callable[[np.ndarray, float], Linearized]


class Branch(NamedTuple):
    """A curve of fixed points.

    Args:
        points: [k, n].
        parameter: [k] p along the curve.
        eigenvalues: [k, m] at each point, the largest real part first.
        folds: positions i such that the curve turns back in p between points i and i + 1.
        changes: positions i such that the number of unstable directions changes between points i and i + 1.
    """

    points: Float[np.ndarray, "k n"]
    parameter: Float[np.ndarray, " k"]
    eigenvalues: Complex[np.ndarray, "k m"]
    folds: Int[np.ndarray, " folds"]
    changes: Int[np.ndarray, " changes"]

    @property
    def unstable_directions(self) -> Int[np.ndarray, " k"]:
        """[k] how many eigenvalues have a positive real part."""
        return (self.eigenvalues.real > 0).sum(-1)


class MixedPool(eqx.Module):
    """A pool of two agents and a fixed population of naive learners.

    Args:
        learners: [n, 5] logits of the naive learners before their first step, e.g. `sobol_learners(6)`.
        discount: γ in [0, 1].
        learning_rate: the learners' step η.
        num_inner_episodes: M.
        weight_decay: κ > 0, per unit of the objective.
        game: the stage game.

    Raises:
        ValueError: if a setting is out of range.
    """

    learners: Float[Array, "n 5"] = eqx.field(converter=_checks.to_float)
    discount: float = 0.95
    learning_rate: float = 5.0
    num_inner_episodes: int = eqx.field(static=True, default=20)
    weight_decay: float = 1e-3
    game: MatrixGame = eqx.field(default_factory=prisoners_dilemma)

    def __check_init__(self) -> None:
        for name, value in (("weight_decay", self.weight_decay), ("learning_rate", self.learning_rate)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0; got {value}")
        if self.num_inner_episodes < 0:
            raise ValueError(f"num_inner_episodes must be 0 or more; got {self.num_inner_episodes}")
        stopping_rate(self.discount, self.learners.dtype)

    def linearized(self, logits: np.ndarray, p_naive: float) -> Linearized:
        """Return F, its Jacobian and the pool's spectrum where both agents have these logits [5]."""
        steps = DIFFERENCE * np.concatenate([np.eye(5), -np.eye(5)])
        moved = np.concatenate([logits[None], logits + steps])
        naive = np.asarray(_naive_gradient(self, jnp.asarray(moved)))
        meta = self._meta_gradient(moved, logits)
        meta_other = self._meta_gradient(logits, moved)

        def jacobian(gradients: np.ndarray) -> np.ndarray:
            difference: np.ndarray = (gradients[1:6] - gradients[6:]).T / (2 * DIFFERENCE)
            return difference

        own = p_naive * jacobian(naive) + (1 - p_naive) * jacobian(meta) - self.weight_decay * np.eye(5)
        other = (1 - p_naive) * jacobian(meta_other)
        spectrum = np.concatenate([np.linalg.eigvals(own + other), np.linalg.eigvals(own - other)])
        return Linearized(
            p_naive * naive[0] + (1 - p_naive) * meta[0] - self.weight_decay * logits,
            own + other,
            naive[0] - meta[0],
            spectrum.astype(complex),
        )

    def _meta_gradient(self, logits: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return ∂_1 J [..., 5] in logits."""
        p, q = (scipy.special.expit(x) for x in (logits, other))
        gradient: np.ndarray = p * (1 - p) * np.asarray(return_gradient(self.game, p, q, discount=self.discount))
        return gradient


@compiled()
def _naive_gradient(pool: MixedPool, logits: Array) -> Array:
    """Return ∇J̄ at each of several logits [k, 5]."""
    wide = (logits.shape[0], *pool.learners.shape)
    first = jnp.broadcast_to(pool.learners, wide).reshape(-1, 5)
    payoffs = pool.game.outcome_payoffs.astype(logits.dtype)
    delta, rate = stopping_rate(pool.discount, logits.dtype), jnp.asarray(pool.learning_rate, logits.dtype)

    def total(x: Array) -> Array:
        ego = jnp.broadcast_to(x[:, None], wide).reshape(-1, 5)
        earned = naive_shaping_return(ego, first, payoffs, delta, rate, pool.num_inner_episodes)
        return earned.sum() / pool.learners.shape[0]

    return jax.grad(total)(logits)


def _newton(
    function: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], start: np.ndarray, tolerance: float
) -> np.ndarray | None:
    """Return a root near `start` of a function that gives its value and Jacobian, or None."""
    found = root(function, start, jac=True, method="hybr", options={"xtol": 1e-12, "maxfev": 60})
    return found.x if np.isfinite(found.x).all() and np.abs(found.fun).max() < tolerance else None


def fixed_point(
    field: Field, start: Float[np.ndarray, " n"], parameter: float, tolerance: float = TOLERANCE
) -> Float[np.ndarray, " n"] | None:
    """Return a fixed point [n] found from `start` at this parameter, or None if the search fails.

    Args:
        field: what is to vanish, e.g. `MixedPool.linearized`.
        start: [n] where Powell's hybrid of Newton's method begins.
        parameter: p.
        tolerance: the largest entry of F that counts as 0.
    """

    def function(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = field(x, parameter)
        return here.value, here.by_point

    return _newton(function, start, tolerance)


def settled(field: Field, start: Float[np.ndarray, " n"], parameter: float, duration: float) -> Float[np.ndarray, " n"]:
    """Return where dx/dt = F(x; p) leads from `start` [n] in a time, in units of 1 / payoff (stiff solver, BDF)."""
    end = solve_ivp(
        lambda t, x: field(x, parameter).value,
        (0.0, duration),
        start,
        method="BDF",
        jac=lambda t, x: field(x, parameter).by_point,
        rtol=1e-4,
        atol=1e-6,
    )
    last: np.ndarray = end.y[:, -1]
    return last


def distinct(points: Iterable[Float[np.ndarray, " n"] | None], apart: float = 1e-3) -> list[Float[np.ndarray, " n"]]:
    """Return the points found, of those closer than `apart` in every coordinate only the first."""
    found: list[np.ndarray] = []
    for x in points:
        if x is not None and all(np.abs(x - y).max() > apart for y in found):
            found.append(x)
    return found


def follow(
    field: Field,
    start: Float[np.ndarray, " n"],
    parameter: float,
    *,
    direction: int,
    low: float = 0.0,
    high: float = 1.0,
    step: float = 0.1,
    largest_step: float = 0.5,
    max_points: int = 300,
    tolerance: float = TOLERANCE,
) -> Branch:
    """Return the curve of fixed points through a given one, until it leaves [low, high].

    Args:
        field: what vanishes along the curve.
        start: [n] a fixed point.
        parameter: p there.
        direction: 1 to set out with p rising, −1 with p falling.
        low, high: of p; the curve ends at the first point beyond.
        step: Δs of the first step, in the units of (x, p); later ones adapt.
        largest_step: of Δs.
        max_points: the curve also ends after this many, or where no step of step / 1000 succeeds.
        tolerance: the largest entry of F that counts as 0.
    """
    here = field(start, parameter)
    y, tangent = np.append(start, parameter), np.zeros(start.size + 1)
    tangent[-1] = direction
    tangent = _tangent(here, tangent)
    points, tangents, spectra, length = [y], [tangent], [_sorted(here.eigenvalues)], step
    while len(points) < max_points and low <= y[-1] <= high and length > step / 1000:
        corrected = _corrected(field, y + length * tangent, tangent, tolerance)
        if corrected is None:
            length /= 2
            continue
        here = field(corrected[:-1], float(corrected[-1]))
        turned = _tangent(here, tangent)
        if turned @ tangent < 0.9 and length > step / 100:  # a sharp turn: look closer, or a curve near by is met
            length /= 2
            continue
        y, tangent = corrected, turned
        length = min(1.4 * length, largest_step)
        points.append(y)
        tangents.append(tangent)
        spectra.append(_sorted(here.eigenvalues))
    along, turning, eigenvalues = np.array(points), np.array(tangents)[:, -1], np.array(spectra)
    unstable = (eigenvalues.real > 0).sum(-1)
    return Branch(
        along[:, :-1],
        along[:, -1],
        eigenvalues,
        np.flatnonzero(np.sign(turning[1:]) != np.sign(turning[:-1])),
        np.flatnonzero(unstable[1:] != unstable[:-1]),
    )


def _sorted(eigenvalues: np.ndarray) -> np.ndarray:
    return eigenvalues[np.argsort(-eigenvalues.real)]


def _tangent(here: Linearized, previous: np.ndarray) -> np.ndarray:
    """Return the unit null vector of (F_x, F_p) that points the way of the previous one."""
    matrix = np.column_stack([here.by_point, here.by_parameter])
    null = scipy.linalg.svd(matrix)[2][-1]
    return null if null @ previous >= 0 else -null


def _corrected(field: Field, guess: np.ndarray, tangent: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Return the point of the curve in the hyperplane through `guess` across the tangent, or None."""

    def function(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = field(y[:-1], float(y[-1]))
        jacobian = np.vstack([np.column_stack([here.by_point, here.by_parameter]), tangent])
        return np.append(here.value, tangent @ (y - guess)), jacobian

    return _newton(function, guess, tolerance)


def through(field: Field, start: Float[np.ndarray, " n"], parameter: float, **settings: Any) -> Branch:
    """Return the curve through a fixed point followed both ways; `settings` are those of `follow`."""
    back, on = (follow(field, start, parameter, direction=d, **settings) for d in (-1, 1))
    last = len(back.parameter) - 1
    joined = (np.concatenate([b[::-1], o[1:]]) for b, o in zip(back[:3], on[:3], strict=True))
    marks = (np.sort(np.append(last - 1 - b, o + last)) for b, o in zip(back[3:], on[3:], strict=True))
    return Branch(*joined, *marks)
