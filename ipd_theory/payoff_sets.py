r"""Sets of payoffs to two players, as convex polygons: what is feasible, what equilibria pay, what a strategy leaves.

Anything in the convex hull of the payoffs of the four outcomes is feasible. Player i can always secure its minimax
payoff min_{q} max_{a} E g_i(a, q). The folk theorem says that as γ → 1 subgame perfect equilibria pay what is feasible
and gives everyone more than that (Fudenberg & Maskin 1986).

At a discount γ, with a public signal to choose by, the payoffs of subgame perfect equilibria in pure actions are the
largest set W with W = co ∪_a B_a(W), where with v_i = min {w_i : w ∈ W} and what player i gains at once by a deviation
from a, h_i(a) = max_{a_i'} g_i(a_i', a_{−i}) − g_i(a),

    B_a(W) = { (1 − γ) g(a) + γ w : w ∈ W, γ (w_i − v_i) ≥ (1 − γ) h_i(a) for both i }:

a is played, and w follows, unless someone deviates and gets v_i (Abreu, Pearce & Stacchetti 1990). Applied again and
again to the feasible set, the map comes down to W; its steps shrink as γ^k.

A strategy leaves its opponents the payoffs of all that they can do. These are a polygon too, since what is best in each
direction is one of finitely many pure replies. A zero-determinant strategy leaves a line (Press & Dyson 2012).
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, strategies, zero_determinant
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.replies import best_responses
from ipd_theory.returns import expected_returns

Polygon = Float[np.ndarray, "_ 2"]
ROUNDING = 1e-13  # of payoffs that go from 0 to 1
INDIFFERENT = 1e-10  # what a deviation may gain, so that equilibria at thresholds are found
DIRECTIONS = 64  # in which opponents are asked for at a time
MOST_STEPS = 200_000


@checked
def feasible(game: MatrixGame) -> Polygon:
    """Return the corners of the payoffs that are feasible, counter-clockwise from the lowest, leftmost one first.

    Args:
        game: one stage game for two.

    Raises:
        ValueError: if there are more players, or a batch of games.
    """
    return _hull(_outcomes(game), _scale(game))


@checked
def minimax(game: MatrixGame) -> Float[np.ndarray, "2"]:
    """Return what each player can secure, the other mixing its actions so as to keep it down.

    Arguments and errors are those of `feasible`.
    """
    A, B = np.split(_outcomes(game).T.reshape(2, 2, 2), 2)
    return np.array([_least_maximum(A[0]), _least_maximum(B[0].T)])


@checked
def individually_rational(game: MatrixGame) -> Polygon:
    """Return the corners of the feasible payoffs that give both players at least their minimax payoffs.

    Arguments and errors are those of `feasible`.
    """
    return _above(feasible(game), minimax(game), _scale(game))


@checked
def perfect(game: MatrixGame, *, discount: float) -> Polygon:
    """Return the corners of the payoffs of subgame perfect equilibria in pure actions, with public randomization.

    Args:
        game: one stage game for two.
        discount: γ in [0, 0.999], where it takes a quarter of a minute; the limit is `individually_rational`.

    Raises:
        ValueError: if there are more players, a batch of games, or the discount leaves [0, 0.999].

    Returns:
        Corners [k, 2], counter-clockwise; none if no equilibrium in pure actions exists.
    """
    gamma = _checks.number("discount", discount, 0, 0.999)
    payoffs, scale = _outcomes(game), _scale(game)
    table = payoffs.T.reshape(2, 2, 2)
    gains = np.stack([table[0].max(0, keepdims=True) - table[0], table[1].max(1, keepdims=True) - table[1]], -1)
    now, owed = (1 - gamma) * payoffs, (1 - gamma) * gains.reshape(4, 2)
    if gamma == 0:
        return _hull(payoffs[(owed == 0).all(1)], scale)
    found = _hull(payoffs, scale)
    for _ in range(MOST_STEPS):
        least = found.min(0)
        parts = [g + gamma * _above(found, least + h / gamma, scale) for g, h in zip(now, owed, strict=True)]
        onward = _hull(np.concatenate(parts), scale)
        if len(onward) == 0 or np.abs(_reach(onward) - _reach(found)).max() < 10 * ROUNDING * scale:
            return _hull(onward, scale, slack=1e-8)
        found = onward
    raise RuntimeError(f"the payoffs of equilibria at discount {discount} have not settled after {MOST_STEPS} steps")


@checked
def left_by(game: MatrixGame, strategy: Float[ArrayLike, " _"], *, discount: float = 1.0) -> Polygon:
    """Return the corners of the payoffs (the strategy's, its opponent's) that all opponents together can bring about.

    Args:
        game: one stage game for two.
        strategy: [h] player 1's, memory 0 to 3.
        discount: γ in [0, 1]; 1 is the limit of means.

    Raises:
        ValueError: if there are more players, a batch of games, and as `replies.best_responses`.

    Returns:
        Corners [k, 2], counter-clockwise; two for a line.
    """
    scale = _scale(game)
    directions, found, asked = _around(), np.empty((0, 2)), set()
    while len(directions):
        points = _farthest(game, np.asarray(strategy), directions, discount)
        found = _hull(np.concatenate([found, points]), scale, slack=1e-10)
        normals: list[tuple[float, float]] = []
        for a, b in zip(found, np.roll(found, -1, 0), strict=True):
            edge = tuple(np.round(np.concatenate([a, b]) / scale, 8) + 0.0)
            if edge not in asked and len(found) > 1 and len(normals) < DIRECTIONS:
                asked.add(edge)
                normals.append((b[1] - a[1], a[0] - b[0]))
        directions = np.array(normals)
    return found


@checked
def enforced_line(game: MatrixGame, strategy: Float[ArrayLike, " h"], discount: float) -> tuple[float, float] | None:
    """Return s and l of the line s (π_1 − l) = π_2 − l that a memory-one strategy enforces, None if it does not.

    Where s = 1 any l says the same, and the payoff of mutual defection is taken.

    Args:
        game: the stage game for two.
        strategy: [h] player 1's, memory 0 to 3; none that remembers other than one round is found to enforce a line.
        discount: γ in [0, 1]; 1 is the limit of means.

    Raises:
        ValueError: as `zero_determinant.relation`.
    """
    if strategies.memory_of(strategy) != 1 or discount == 0:
        return None
    relation = zero_determinant.relation(game, strategy, discount)
    scale = float(np.ptp(np.asarray(game.outcome_payoffs)))
    own, other = float(relation.own) * scale, float(relation.other) * scale
    if float(relation.residual) > 1e-18 or abs(other) < 1e-9:
        return None
    even = abs(own + other) < 1e-9
    return -own / other, float(game.outcome_payoffs[0, 3]) if even else float(relation.baseline)


def _farthest(game: MatrixGame, strategy: np.ndarray, directions: np.ndarray, discount: float) -> np.ndarray:
    """Return the payoffs [k, 2] farthest in each direction [k, 2] that an opponent can bring about."""
    payoffs = _outcomes(game)
    k = np.arange(DIRECTIONS) % len(directions)  # one shape, so that it compiles once
    aims = (directions / np.linalg.norm(directions, axis=1, keepdims=True) @ payoffs.T)[k].reshape(-1, 1, 2, 2)
    toward = MatrixGame(jnp.asarray(np.repeat(aims, 2, 1)))
    reply = best_responses(toward, strategy, discount=discount, player=1).strategy
    return np.asarray(expected_returns(game, strategy, reply, discount=discount))[: len(directions)]


def _around() -> Float[np.ndarray, "directions 2"]:
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    return np.stack([np.cos(angles), np.sin(angles)], -1)


def _reach(corners: Polygon) -> Float[np.ndarray, " directions"]:
    """Return how far a polygon reaches in each direction."""
    return (corners @ _around().T).max(0)


def _outcomes(game: MatrixGame) -> Float[np.ndarray, "4 2"]:
    """Return both players' payoffs after CC, CD, DC, DD."""
    _checks.two_players(game, batch=False)
    return np.asarray(game.outcome_payoffs, float).T


def _scale(game: MatrixGame) -> float:
    return float(np.ptp(_outcomes(game), axis=0).max()) or 1.0


def _least_maximum(payoffs: Float[np.ndarray, "2 2"]) -> float:
    """Return min_q max_a of payoffs [own action, other's action], q the other's probability to cooperate."""
    slopes = payoffs[:, 0] - payoffs[:, 1]
    candidates = [0.0, 1.0]
    if slopes[0] != slopes[1]:
        candidates.append(float(np.clip((payoffs[1, 1] - payoffs[0, 1]) / (slopes[0] - slopes[1]), 0, 1)))
    return min(float((payoffs[:, 1] + q * slopes).max()) for q in candidates)


def _hull(points: Float[np.ndarray, "n 2"], scale: float, slack: float = ROUNDING) -> Polygon:
    """Return the corners of the convex hull, counter-clockwise, without those that are on an edge but for rounding."""
    ordered: list[np.ndarray] = []
    for point in points[np.lexsort(points.T[::-1])]:
        if not ordered or np.abs(point - ordered[-1]).max() > ROUNDING * scale:
            ordered.append(point)

    def chain(sequence: list[np.ndarray]) -> list[np.ndarray]:
        kept: list[np.ndarray] = []
        for point in sequence:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= slack * scale**2:
                kept.pop()
            kept.append(point)
        return kept

    if len(ordered) < 2:
        return np.array(ordered).reshape(-1, 2)
    corners = [*chain(ordered)[:-1], *chain(ordered[::-1])[:-1]]
    for i in range(len(corners) - 1, -1, -1):  # the chains keep their ends, be they corners or not
        if len(corners) > 2 and _turn(corners[i - 1], corners[i], corners[(i + 1) % len(corners)]) <= slack * scale**2:
            del corners[i]
    return np.array(corners)


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Return twice the area to the left of a → b → c."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _above(corners: Polygon, least: Float[np.ndarray, "2"], scale: float) -> Polygon:
    """Return the corners of the part of a polygon above both limits (Sutherland & Hodgman)."""
    for i in (0, 1):
        limit, kept = least[i] - INDIFFERENT * scale, []
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
            if a[i] >= limit:
                kept.append(a)
            if (a[i] >= limit) != (b[i] >= limit):
                kept.append(a + (b - a) * min(max((least[i] - a[i]) / (b[i] - a[i]), 0.0), 1.0))
        corners = np.array(kept).reshape(-1, 2)
    return _hull(corners, scale)
