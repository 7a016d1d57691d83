r"""Best replies in the repeated game and equilibria of meta-games, each with a certificate.

Against a memory-one strategy the repeated game is a Markov decision process over the last outcome, so some pure
memory-one strategy is a best reply among all strategies whatever (Press & Dyson 2012; Akin 2016). There are 2^5 of
them: the best reply is found by listing them.

A meta-game is a bimatrix game whose strategies are themselves ways to play or learn. A pair of mixtures (x, y) is an
ε-equilibrium with

    ε = max( max_i (Ay)_i − xᵀAy,  max_j (xᵀB)_j − xᵀBy ),

the best-response gap. Solvers propose; the gap, computed here, is what certifies. Nothing here runs under jit.
"""

import itertools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.returns import expected_returns

Matrix = Float[np.ndarray, "n m"]
ROUNDING = 1e-9  # what shares may lack of adding up to 1
ROUNDING_OF_PAYOFFS = 1e-14


class BestResponse(NamedTuple):
    """A pure memory-one best reply [..., 5] (of several, one that cooperates where it may) and its return [...]."""

    strategy: Float[Array, "... 5"]
    value: Float[Array, "..."]


@checked
def best_response(
    game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike, player: int = 0
) -> BestResponse:
    """Return a best reply of `player` to the other's memory-one strategy, exact by enumeration.

    Args:
        game: a two-player game, or a batch of them [...].
        strategy: [..., 5] (or [..., 1]) what the other plays, in its own view.
        discount: [...] γ in [0, 1]; returns are averages a step, the limit of means at 1.
        player: who replies, 0 or 1.

    Raises:
        ValueError: if the game is not for two, the strategy has a longer memory, a probability or discount leaves
            [0, 1], batch axes do not fit, or `player` is neither 0 nor 1.
    """
    _checks.two_players(game)
    _checks.player("player", player, 2)
    other = _checks.to_float(strategy)
    _checks.last_axis("strategy", other, (1, 5), "the contexts of memory zero or one")
    _checks.batch(game=game.batch_axes, strategy=other.shape[:-1], discount=np.shape(discount))
    pure = strategies.all_pure(1).astype(other.dtype)
    others = other[..., None, :]
    pair = (pure, others) if player == 0 else (others, pure)
    expanded = MatrixGame(game.payoffs[..., None, :, :, :])
    gamma = jnp.asarray(discount)[..., None] if np.ndim(discount) else discount
    returns = expected_returns(expanded, *pair, discount=gamma)[..., player]
    return _first_of_the_best(pure, returns)


@jax.jit
def _first_of_the_best(pure: Array, returns: Array) -> BestResponse:
    """Return the best of the pure strategies [n, 5] and what it earns, for what each earns, [..., n]."""
    value = returns.max(-1)
    # Replies that differ where play never comes earn the same but for rounding; the first of them is taken.
    rounding = 64 * jnp.finfo(returns.dtype).eps * jnp.abs(returns).max(-1)
    best = (returns >= (value - rounding)[..., None]).argmax(-1)
    return BestResponse(pure[best], value)


class Equilibrium(NamedTuple):
    """Mixtures of the row player [n] and the column player [m], and their best-response gap."""

    row: Float[np.ndarray, " n"]
    column: Float[np.ndarray, " m"]
    gap: float


@checked
def best_response_gap(
    A: Float[np.ndarray, "_ _"],
    B: Float[np.ndarray, "_ _"],
    row: Float[np.ndarray, " _"],
    column: Float[np.ndarray, " _"],
) -> float:
    """Return ε [a number, payoff units]: the most that either player gains by deviating.

    Args:
        A: [n, m] the row player's payoffs.
        B: [n, m] the column player's.
        row: [n] mixture.
        column: [m] mixture.

    Raises:
        ValueError: if the payoffs are not finite or a mixture is no distribution over their rows or columns.
    """
    A, B = _bimatrix(A, B)
    x, y = distribution("row", row, A.shape[0]), distribution("column", column, A.shape[1])
    return float(max((A @ y).max() - x @ A @ y, (x @ B).max() - x @ B @ y))


def _bimatrix(A: Float[np.ndarray, "_ _"], B: Float[np.ndarray, "_ _"]) -> tuple[Matrix, Matrix]:
    A, B = np.asarray(A, float), np.asarray(B, float)
    for name, matrix in (("A", A), ("B", B)):
        if matrix.ndim != 2 or matrix.size == 0 or matrix.shape != A.shape:
            raise ValueError(f"{name} must be a matrix, A and B of one shape; got the shapes {A.shape} and {B.shape}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"{name} must be finite; got {matrix}")
    return A, B


def distribution(name: str, x: Float[ArrayLike, " n"], size: int) -> Float[np.ndarray, " n"]:
    """Return shares [size], having checked that they are 0 or more and add up to 1, but for rounding."""
    shares = np.asarray(x, float)
    if shares.shape != (size,):
        raise ValueError(f"{name} must have the shape ({size},); got {shares.shape}")
    if not ((shares >= -ROUNDING).all() and abs(shares.sum() - 1) <= ROUNDING * size):
        raise ValueError(f"{name} must be shares, 0 or more, that add up to 1; got {shares}")
    return _proper(shares)


def rising(name: str, times: Float[ArrayLike, " t"]) -> Float[np.ndarray, " t"]:
    """Return times [t], having checked that they are finite and rise."""
    t = np.asarray(times, float)
    if t.ndim != 1 or t.size == 0 or not np.isfinite(t).all() or (np.diff(t) <= 0).any():
        raise ValueError(f"{name} must be finite and rise; got {t}")
    return t


def _proper(shares: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return nearly a distribution as one."""
    clipped = np.clip(shares, 0, 1)
    return clipped / clipped.sum()


@checked
def undominated(A: Float[np.ndarray, "_ _"], B: Float[np.ndarray, "_ _"]) -> tuple[list[int], list[int]]:
    """Return the rows and columns that survive iterated elimination of strategies strictly dominated by a pure one.

    Args:
        A: [n, m] the row player's payoffs.
        B: [n, m] the column player's.

    Raises:
        ValueError: if the payoffs are not finite or differ in shape.
    """
    A, B = _bimatrix(A, B)
    rows, columns = list(range(A.shape[0])), list(range(A.shape[1]))
    while True:
        mine, theirs = A[np.ix_(rows, columns)], B[np.ix_(rows, columns)].T
        left = [[k for k, v in enumerate(M) if not (v < M).all(1).any()] for M in (mine, theirs)]
        if len(left[0]) == len(rows) and len(left[1]) == len(columns):
            return rows, columns
        rows, columns = [rows[k] for k in left[0]], [columns[k] for k in left[1]]


def _from_one_to_two(payoffs: Matrix) -> Matrix:
    """Return one player's payoffs, moved and scaled to [1, 2], which changes no equilibrium.

    The polytopes of best responses need payoffs above 0, and the tolerances of those who list their vertices ordinary
    sizes.
    """
    spread = np.ptp(payoffs)
    return 1 + (payoffs - payoffs.min()) / (spread if spread > 0 else 1)


def _proposals(A: Matrix, B: Matrix, by_vertices: bool) -> list[tuple[Any, Any]]:
    """Return nashpy's candidate equilibria; its warnings about degenerate games are answered by the gap."""
    import nashpy  # here, and scipy below: they take longer to load than best replies, which need neither

    game = nashpy.Game(A, B)
    n, m = A.shape
    pure = [(np.eye(n)[i], np.eye(m)[j]) for i, j in itertools.product(range(n), range(m))]
    if min(n, m) == 1:
        return pure
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if by_vertices:
            return pure + list(game.vertex_enumeration())
        return pure + [game.lemke_howson(initial_dropped_label=label) for label in range(n + m)]


@checked
def nash_equilibria(
    A: Float[np.ndarray, "_ _"], B: Float[np.ndarray, "_ _"], *, tolerance: float = 1e-8, most_by_vertices: int = 6
) -> list[Equilibrium]:
    """Return equilibria of a bimatrix game, each certified by its best-response gap.

    All pure equilibria are found. After elimination of dominated strategies, games of up to `most_by_vertices`
    strategies a side are solved by vertex enumeration (all extreme equilibria), larger ones by Lemke–Howson from
    every label (some of the mixed ones). Support enumeration is not used: it loses equilibria of degenerate games.

    Args:
        A: [n, m] the row player's payoffs.
        B: [n, m] the column player's.
        tolerance: the largest gap, as a share of the range of that player's payoffs, of what counts as an equilibrium.
        most_by_vertices: see above.

    Raises:
        ValueError: if the payoffs are not finite or differ in shape, or the tolerance is not above 0.
    """
    A, B = _bimatrix(A, B)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1; got {tolerance}")
    if most_by_vertices < 0:
        raise ValueError(f"most_by_vertices must be 0 or more; got {most_by_vertices}")
    scaled_A, scaled_B = _from_one_to_two(A), _from_one_to_two(B)
    rows, columns = undominated(scaled_A, scaled_B)
    inner = np.ix_(rows, columns)
    found: list[Equilibrium] = []
    small = max(len(rows), len(columns)) <= most_by_vertices
    for row, column in _proposals(scaled_A[inner], scaled_B[inner], small):
        if row is None or row.shape != (len(rows),) or column.shape != (len(columns),):
            continue  # Lemke–Howson may return the wrong shape on a degenerate game
        x, y = np.zeros(A.shape[0]), np.zeros(A.shape[1])
        x[rows], y[columns] = row, column
        nearly = np.isfinite(x).all() and np.isfinite(y).all() and min(x.min(), y.min()) > -tolerance
        if not nearly or abs(x.sum() - 1) + abs(y.sum() - 1) > 1e-6:
            continue
        x, y = _proper(x), _proper(y)
        known = any(np.allclose(x, e.row, atol=1e-6) and np.allclose(y, e.column, atol=1e-6) for e in found)
        if not known and best_response_gap(scaled_A, scaled_B, x, y) <= tolerance:
            found.append(Equilibrium(x, y, best_response_gap(A, B, x, y)))
    return found


def _against_mutants(A: Float[np.ndarray, "_ _"], i: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return what strategy i earns more than each other one [n − 1] against i, and against that other one.

    Differences that are rounding are none.
    """
    A, _ = _bimatrix(A, A)
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"A must be square; got the shape {A.shape}")
    if not 0 <= i < len(A):
        raise ValueError(f"i must lie in 0 to {len(A) - 1}; got {i}")
    others = [j for j in range(len(A)) if j != i]
    at_home, away = A[i, i] - A[others, i], A[i, others] - A[others, others]
    least = ROUNDING * np.ptp(A)
    return np.where(np.abs(at_home) <= least, 0, at_home), np.where(np.abs(away) <= least, 0, away)


@checked
def is_ess(A: Float[np.ndarray, "_ _"], i: int) -> bool:
    """Return whether a strategy is evolutionarily stable among those of a matrix, each of them the mutant alone.

    It earns more against itself than any mutant does, or as much and then more against the mutant than that does
    (Maynard Smith & Price 1973).

    Args:
        A: [n, n] payoff of row against column.
        i: which strategy, from 0.

    Raises:
        ValueError: if A is not square and finite, or has no strategy i.
    """
    at_home, away = _against_mutants(A, i)
    return bool(((at_home > 0) | ((at_home == 0) & (away > 0))).all())


@checked
def is_neutrally_stable(A: Float[np.ndarray, "_ _"], i: int) -> bool:
    """Return whether no mutant among those of a matrix does better than a strategy: `is_ess`, ties allowed."""
    at_home, away = _against_mutants(A, i)
    return bool(((at_home > 0) | ((at_home == 0) & (away >= 0))).all())


@checked
def replicator(
    A: Float[np.ndarray, "_ _"], start: Float[np.ndarray, " _"], times: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "t n"]:
    """Return shares [t, n] of n strategies in one population under ẋ_i = x_i((Ax)_i − xᵀAx).

    Integrated in the logarithms u of the shares, u̇ = Ax and x = softmax(u), so that shares stay shares whatever the
    payoffs' signs; a constant added to a column of A changes nothing and is taken out first. Where no strategy does
    better than the mean but for rounding, the population rests.

    Args:
        A: [n, n] payoff of row against column.
        start: [n] shares at time 0, which add up to 1.
        times: [t] rising times, the first that of `start`, in units of 1 / payoff.

    Raises:
        ValueError: if A is not square and finite, `start` no shares, or `times` do not rise.
        FloatingPointError: if the integration fails.
    """
    A, _ = _bimatrix(A, A)
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"A must be square; got the shape {A.shape}")
    shares, t = distribution("start", start, len(A)), rising("times", times)
    from scipy.special import softmax

    alive = np.flatnonzero(shares)
    payoffs = (A - A.min(0))[np.ix_(alive, alive)]
    least = ROUNDING_OF_PAYOFFS * max(np.abs(A).max(), np.finfo(float).tiny)

    def growth(_: float, u: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        x = softmax(u)
        ahead = payoffs @ x
        ahead = ahead - x @ ahead
        return np.where(np.abs(ahead) <= least, 0.0, ahead)

    path = np.zeros((t.size, len(A)))
    path[0] = shares
    path[1:, alive] = softmax(integrated(growth, np.log(shares[alive]), t), axis=1)[1:]
    return path


def integrated(
    rate: Callable[[float, Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    start: Float[np.ndarray, " n"],
    times: Float[np.ndarray, " t"],
) -> Float[np.ndarray, "t n"]:
    """Return u [t, n] at rising times under u̇ = rate(t, u), u = start at the first of them.

    Raises:
        FloatingPointError: if the integration fails.
    """
    if times.size == 1:
        return start[None]
    from scipy.integrate import solve_ivp

    done = solve_ivp(rate, (times[0], times[-1]), start, "LSODA", times, rtol=1e-10, atol=1e-10)
    if not done.success or not np.isfinite(done.y).all():
        raise FloatingPointError(f"the dynamics could not be integrated: {done.message}")
    return done.y.T


@checked
def survivors(A: Float[np.ndarray, "_ _"], *, time: float = 1e4, least: float = 1e-3) -> Float[np.ndarray, " n"]:
    """Return the shares [n] that replicator dynamics reach from equal shares; below `least` counts as extinct (0).

    Args:
        A: [n, n] payoff of row against column; its range sets the unit of time.
        time: how long, in units of 1 / (range of A), above 0.
        least: the smallest share that survives, 0 to 1 / n.

    Raises:
        ValueError: as `replicator`, or if `time` or `least` is out of range.
    """
    A, _ = _bimatrix(A, A)
    if time <= 0:
        raise ValueError(f"time must be above 0; got {time}")
    if not 0 <= least <= 1 / len(A):
        raise ValueError(f"least must lie in 0 to 1 / n = {1 / len(A):g}; got {least}")
    spread = np.ptp(A)
    scaled = (A - A.min()) / (spread if spread > 0 else 1)
    end = replicator(scaled, np.full(len(A), 1 / len(A)), np.array([0.0, time]))[-1]
    return _proper(np.where(end < least, 0.0, end))
