r"""Adaptive dynamics: a population all of one strategy x moves the way its rarest and smallest mutants gain most.

A mutant y among x earns π(y, x), exactly (`returns`). The population follows the selection gradient, inside of bounds,

    ẋ = G(x),   G_i(x) = ∂π(y, x)/∂y_i at y = x,

where a coordinate that is 0 or 1 stays there while G points out. Strategies are all tables of a memory, or a family of
them: a map from coordinates in [0, 1]^k to tables, say `strategies.reactive_n`, through whose derivative G is taken.
For reactive strategies (p, q) in the donation game with benefit b and cost c, limit of means, r = p − q,

    G = (b r − c) / ((1 − r)(1 − r²)) · (q, 1 − p),

so that orbits lie on circles around tit for tat, (1 − p)² + q² = const, and more cooperation pays everywhere where
r > c/b, the cooperation-rewarding zone.

Where populations rest and what is stable: `resting`.

Sources: Nowak & Sigmund 1990 (reactive strategies); LaPorte, Hilbe & Nowak 2023 (memory one).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float
from scipy.integrate import solve_ivp

from ipd_theory import _checks, equilibria, strategies
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.returns import return_gradient

Family = Callable[[Array], Array]
MOST_TURNS = 1000  # of a trajectory at its bounds
AT_A_BOUND = 1e-9


def any_table(x: Float[Array, "... h"]) -> Float[Array, "... h"]:
    """Return the table itself: the family of all strategies of its memory."""
    return x


def _tables(x: ArrayLike, family: Family, error: float) -> tuple[Array, Callable[[Array], Array]]:
    """Return the tables of coordinates, played with trembles, and the map of their gradients to those of x."""
    coordinates = _checks.probabilities("x", x)
    tables, back = jax.vjp(lambda y: strategies.tremble(family(y), error), coordinates)
    return tables, lambda gradient: back(gradient)[0]


def _gradient(game: MatrixGame, x: Array, discount: ArrayLike, family: Family, error: float) -> Array:
    tables, back = _tables(x, family, error)
    return back(return_gradient(game, tables, tables, discount=discount))


@functools.partial(jax.jit, static_argnames=("family", "error"))
def _compiled_gradient(payoffs: Array, x: Array, discount: ArrayLike, family: Family, error: float) -> Array:
    return _gradient(MatrixGame(payoffs), x, discount, family, error)


def held_coordinates(
    x: Float[ArrayLike, "... _"], game: MatrixGame, family: Family, error: float, name: str = "x"
) -> Array:
    """Return the coordinates, having checked that they and the family make tables, the game and the error."""
    _checks.two_players(game, batch=False)
    _checks.number("error", error, 0, 0.5)
    coordinates = _checks.probabilities(name, x)
    if coordinates.ndim == 0 or coordinates.shape[-1] == 0:
        raise ValueError(
            f"{name} must have the family's coordinates on its last axis; got the shape {coordinates.shape}"
        )
    strategies.memory_of(family(coordinates), name=name)
    return coordinates


@checked
def selection_gradient(
    game: MatrixGame,
    x: Float[ArrayLike, "... _"],
    *,
    discount: float,
    family: Family = any_table,
    error: float = 0.0,
) -> Float[Array, "... k"]:
    """Return G [..., k], the slope of a rare mutant's payoff in each coordinate, in payoff units a step.

    Args:
        game: for two; its first player's payoffs are what mutants earn.
        x: [..., k] coordinates of the population, in [0, 1].
        discount: γ in [0, 1]; 1 is the limit of means.
        family: from coordinates [..., k] to tables [..., h]; all tables if not given.
        error: the probability with which any intended action is flipped, at most 1/2.

    Raises:
        ValueError: if an argument is out of range, or G does not exist: in the limit of means a payoff may jump at
            strategies that are sure.
    """
    gradient = _gradient(game, held_coordinates(x, game, family, error), discount, family, error)
    if not isinstance(gradient, jax.core.Tracer) and not np.isfinite(np.asarray(gradient)).all():
        raise ValueError(f"x must be where payoffs have a slope (discount < 1, or error > 0); they jump in {x}")
    return gradient


@checked
def rewards_cooperation(
    game: MatrixGame,
    x: Float[ArrayLike, "... _"],
    *,
    discount: float,
    family: Family = any_table,
    error: float = 0.0,
) -> Bool[Array, "..."]:
    """Return whether more cooperation pays in every coordinate [...]: the cooperation-rewarding zone.

    Arguments and errors are those of `selection_gradient`.
    """
    return (selection_gradient(game, x, discount=discount, family=family, error=error) > 0).all(-1)


@checked
def donation_gradient(
    responses: Float[ArrayLike, "... 2"], benefit: ArrayLike, cost: ArrayLike
) -> Float[Array, "... 2"]:
    """Return the closed form of G for reactive strategies p, q [..., 2] in the donation game, limit of means.

    Raises:
        ValueError: if a response is no probability, or p − q is 1 (tit for tat) or −1, where payoffs jump.
    """
    held = _checks.probabilities("responses", responses)
    if held.ndim == 0 or held.shape[-1] != 2:
        raise ValueError(f"responses must hold p and q on the last axis; got the shape {held.shape}")
    b, c = _checks.finite("benefit", _checks.to_float(benefit)), _checks.finite("cost", _checks.to_float(cost))
    p, q = held[..., 0], held[..., 1]
    r = p - q
    if not isinstance(r, jax.core.Tracer) and (np.abs(np.asarray(r)) == 1).any():
        raise ValueError(f"responses hold p − q of 1 or −1, where payoffs jump: {responses}")
    factor = (b * r - c) / ((1 - r) * (1 - r**2))
    return jnp.asarray(factor[..., None] * jnp.stack([q, 1 - p], -1))


@checked
def trajectory(
    game: MatrixGame,
    start: Float[ArrayLike, "... _"],
    times: Float[ArrayLike, " _"],
    *,
    discount: float,
    family: Family = any_table,
    error: float = 0.0,
) -> Float[np.ndarray, "... t k"]:
    """Return the coordinates [..., t, k] of populations that follow the selection gradient inside of their bounds.

    A coordinate that reaches 0 or 1 is held there exactly, from that moment until the gradient points inwards.

    Args:
        game, discount, family, error: as for `selection_gradient`.
        start: [..., k] coordinates at the first time.
        times: [t] rising times, in units of 1 / payoff.

    Raises:
        ValueError: as `selection_gradient`, or if times do not rise.
        FloatingPointError: if the integration fails, say where payoffs jump.
    """
    first = np.asarray(held_coordinates(start, game, family, error, "start"), float)
    t = equilibria.rising("times", times)

    def rate(x: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        return np.asarray(_compiled_gradient(game.payoffs, x, discount, family=family, error=error), float)

    paths = [_path(rate, x, t) for x in first.reshape(-1, first.shape[-1])]
    return np.stack(paths).reshape(*first.shape[:-1], t.size, first.shape[-1])


Rate = Callable[[Float[np.ndarray, " k"]], Float[np.ndarray, " k"]]


def outward(x: Float[np.ndarray, "... k"], gradient: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
    """Return the pull of G out of the bound that each coordinate is at, above 0 where it is held; −∞ inside."""
    return np.where(x <= 0, -gradient, np.where(x >= 1, gradient, -np.inf))


def _path(rate: Rate, start: Float[np.ndarray, " k"], times: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t k"]:
    """Integrate from one change of the coordinates that are held to the next."""
    path = np.empty((times.size, start.size))
    path[0], x, now, done = start, start.copy(), times[0], 1
    for _ in range(MOST_TURNS):
        if done == times.size:
            return path
        held = outward(x, rate(x)) >= 0
        x, now, reached = _leg(rate, x, held, now, times[done:])
        path[done : done + len(reached)] = reached
        done += len(reached)
    raise FloatingPointError(f"the trajectory turns at its bounds more than {MOST_TURNS} times; it is at {x}")


def _leg(
    rate: Rate, x: Float[np.ndarray, " k"], held: Bool[np.ndarray, " k"], now: float, times: Float[np.ndarray, " t"]
) -> tuple[Float[np.ndarray, " k"], float, Float[np.ndarray, "s k"]]:
    """Return where and when these coordinates cease to be those that are held, and the path up to then."""

    def inside(y: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        return np.where(held, x, np.clip(y, 0, 1))

    def leaves(_: float, y: Float[np.ndarray, " k"]) -> float:
        return float(np.where(held, 1.0, np.minimum(y, 1 - y)).min())

    def returns(_: float, y: Float[np.ndarray, " k"]) -> float:
        pull = np.where(held, np.where(x <= 0, -1, 1) * rate(inside(y)), fastest)
        return float(pull.min() + AT_A_BOUND * fastest)  # past the turn, so that it is let go

    fastest = float(np.abs(rate(x)).max())
    for event in (leaves, returns):
        event.terminal, event.direction = True, -1  # type: ignore[attr-defined]  # where scipy looks for them
    ends = (now, times[-1])
    done = solve_ivp(
        lambda _, y: np.where(held, 0.0, rate(inside(y))),
        ends,
        x,
        "LSODA",
        times,
        events=(leaves, returns),
        rtol=1e-9,
        atol=1e-11,
    )
    reached = inside(np.asarray(done.y, float).reshape(x.size, -1).T)
    if not done.success or not np.isfinite(reached).all():
        raise FloatingPointError(f"the trajectory could not be followed beyond {x}: {done.message}")
    if done.status == 0:
        return reached[-1], times[-1], reached
    (when,) = [t[0] for t in done.t_events if t.size]
    (where,) = [y[0] for y in done.y_events if y.size]
    there = inside(where)
    there = np.where(there < AT_A_BOUND, 0.0, np.where(there > 1 - AT_A_BOUND, 1.0, there))
    return there, when, reached
