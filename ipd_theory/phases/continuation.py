r"""Fixed points of a field F(x; p), their stability, and the curves they trace as the parameter p varies.

A curve F(x; p) = 0 is followed by pseudo-arclength: from y = (x, p) with unit tangent t, the null vector of
(F_x, F_p), Newton's method solves F(y') = 0, t · (y' − y) = Δs, which passes folds, where t_p changes its sign.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Complex, Float, Int
from scipy.integrate import solve_ivp
from scipy.optimize import root

from ipd_theory._arguments import checked

TOLERANCE = 1e-9  # of |F| at a fixed point


class Linearized(NamedTuple):
    """A field at (x, p): F [n], F_x [n, n], F_p [n], and the eigenvalues [m] that decide stability."""

    value: Float[np.ndarray, " n"]
    by_point: Float[np.ndarray, "n n"]
    by_parameter: Float[np.ndarray, " n"]
    eigenvalues: Complex[np.ndarray, " m"]


VectorField = Callable[[np.ndarray, float], Linearized]


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


def _newton(
    function: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], start: np.ndarray, tolerance: float
) -> np.ndarray | None:
    """Return a root near `start` of a function that gives its value and Jacobian, or None."""
    found = root(function, start, jac=True, method="hybr", options={"xtol": 1e-12, "maxfev": 60})
    return found.x if np.isfinite(found.x).all() and np.abs(found.fun).max() < tolerance else None


def _checked_start(field: VectorField, start: np.ndarray, parameter: float) -> None:
    if np.ndim(start) != 1 or np.size(start) == 0 or not np.isfinite(start).all():
        raise ValueError(f"start must be [n] finite numbers, one or more; got {start}")
    try:
        length = len(field(start, parameter).value)
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"field is not defined at start = {start}: {error}") from error
    if length != len(start):
        raise ValueError(f"start has {len(start)} entries; it must have those of the field, {length}")


@checked
def fixed_point(
    field: VectorField, start: Float[np.ndarray, " n"], parameter: float, tolerance: float = TOLERANCE
) -> Float[np.ndarray, " n"] | None:
    """Return a fixed point [n] found from `start` at this parameter, or None if the search fails.

    Args:
        field: what is to vanish, e.g. `mixed_pool.MixedPool.linearized`.
        start: [n] where Powell's hybrid of Newton's method begins.
        parameter: p.
        tolerance: the largest entry of F that counts as 0.
    """

    _checked_start(field, start, parameter)

    def function(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = field(x, parameter)
        return here.value, here.by_point

    return _newton(function, start, tolerance)


@checked
def settled(
    field: VectorField, start: Float[np.ndarray, " n"], parameter: float, duration: float
) -> Float[np.ndarray, " n"]:
    """Return where dx/dt = F(x; p) leads from `start` [n] in a time, in units of 1 / payoff (stiff solver, BDF)."""
    _checked_start(field, start, parameter)
    if not 0 <= duration <= 1e9:
        raise ValueError(f"duration must lie in [0, 1e9]; got {duration}")
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


@checked
def distinct(points: Iterable[Float[np.ndarray, " n"] | None], apart: float = 1e-3) -> list[Float[np.ndarray, " n"]]:
    """Return the points found, of those closer than `apart` in every coordinate only the first."""
    found: list[np.ndarray] = []
    for x in points:
        if x is not None and all(np.abs(x - y).max() > apart for y in found):
            found.append(x)
    return found


@checked
def follow(
    field: VectorField,
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
    _checked_start(field, start, parameter)
    if direction not in (-1, 1):
        raise ValueError(f"direction must be 1 or -1; got {direction}")
    if max_points < 1:
        raise ValueError(f"max_points must be 1 or more; got {max_points}")
    if not (step > 0 and largest_step > 0):
        raise ValueError(f"step and largest_step must be above 0; got {step} and {largest_step}")
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


def _corrected(field: VectorField, guess: np.ndarray, tangent: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Return the point of the curve in the hyperplane through `guess` across the tangent, or None."""

    def function(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = field(y[:-1], float(y[-1]))
        jacobian = np.vstack([np.column_stack([here.by_point, here.by_parameter]), tangent])
        return np.append(here.value, tangent @ (y - guess)), jacobian

    return _newton(function, guess, tolerance)


@checked
def through(field: VectorField, start: Float[np.ndarray, " n"], parameter: float, **settings: Any) -> Branch:
    """Return the curve through a fixed point followed both ways; `settings` are those of `follow`."""
    back, on = (follow(field, start, parameter, direction=d, **settings) for d in (-1, 1))
    last = len(back.parameter) - 1
    joined = (np.concatenate([b[::-1], o[1:]]) for b, o in zip(back[:3], on[:3], strict=True))
    marks = (np.sort(np.append(last - 1 - b, o + last)) for b, o in zip(back[3:], on[3:], strict=True))
    return Branch(*joined, *marks)
