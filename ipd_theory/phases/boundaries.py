r"""Where a phase ends: the steps η at which defection gains or loses stability, and how well a map agrees with it.

The windows of η are the intervals on which the drift after DC at unconditional defection (`drift`) is
positive. Of pools that were trained from near defection, those count as having left it in which an agent now answers
more cooperatively in a context that a defector comes to; that is what the sign of the drift predicts, and it is less
than ending in another phase. A predicted map of cells is held against a measured one by their boundary cells, those
that share an edge with a cell of the other kind.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Shaped
from scipy.optimize import brentq
from scipy.special import logit

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame, bimatrix
from ipd_theory.phases.drift import AFTER_DC, defection_drift, sobol_learners
from ipd_theory.phases.grid import Sweep, game_of

MET = np.array([0, AFTER_DC, 4])  # the contexts that an agent comes to that always defects


@checked
def defection_unstable(
    game: MatrixGame,
    learners: Float[ArrayLike, "... _"],
    *,
    p_naive: ArrayLike,
    discount: ArrayLike,
    learning_rate: ArrayLike,
    num_inner_episodes: int,
    batch_size: ArrayLike = 1.0,
    tremble: ArrayLike = 0.0,
) -> Bool[Array, "..."]:
    """Return whether a pool near unconditional defection begins to cooperate anywhere that it comes to.

    That is at the start, after DC or after DD; in a prisoner's dilemma only after DC.

    Args:
        game: the stage game, or a batch of them [...].
        learners: [..., n, 5] logits of the naive learners, e.g. `sobol_learners(8)`.
        p_naive: [...] weight of the naive learners in the pool's objective.
        discount, learning_rate, num_inner_episodes, tremble: as for `defection_drift`.
        batch_size: [...] B by which the shaping part is divided; 1 is the true gradient.

    Raises:
        ValueError: as `defection_drift`.
    """
    weight = _checks.in_range("p_naive", _checks.to_float(p_naive), 0.0, 1.0)
    _checks.in_range("batch_size", _checks.finite("batch_size", _checks.to_float(batch_size)), 1.0, np.inf)
    drift = defection_drift(
        game,
        learners,
        discount=discount,
        learning_rate=learning_rate,
        num_inner_episodes=num_inner_episodes,
        tremble=tremble,
    )
    return (drift.of_pool(weight, batch_size)[..., MET] > 0).any(-1)


@checked
def unstable_cells(sweep: Sweep, log2_learners: int = 7) -> Bool[np.ndarray, "*shape"]:
    """Return for every cell of a sweep whether theory says that pools leave unconditional defection there.

    Where agents have roles, it is enough that those of one role do.

    Args:
        sweep: the grid; how its pools are trained does not matter but for what they ascend.
        log2_learners: naive learners are 2^k evenly spread ones.

    Raises:
        ValueError: if agents remember more than one outcome, of whom the theory says nothing.
    """
    if sweep.memory != 1:
        raise ValueError(f"sweep must have memory 1, of which the theory is; got memory {sweep.memory}")
    _checks.whole("log2_learners", log2_learners, 0, 30)
    cells = sweep.cells()
    unstable = np.zeros(len(cells["p_naive"]), bool)
    spread = sobol_learners(log2_learners)
    for M, std in {*zip(cells["inner_episodes"].tolist(), cells["learner_std"].tolist(), strict=True)}:
        these = (cells["inner_episodes"] == M) & (cells["learner_std"] == std)
        at = {name: column[these] for name, column in cells.items()}
        weight = at["p_naive"]
        if sweep.sum_episodes:  # the same sign as with the mean over episodes and a larger weight
            weight = weight * (M + 1) / (weight * (M + 1) + 1 - weight)
        for game in _sides(game_of(at), sweep.roles):
            unstable[these] |= np.asarray(
                defection_unstable(
                    game,
                    std * spread,
                    p_naive=weight,
                    discount=at["discount"],
                    learning_rate=at["learning_rate"],
                    num_inner_episodes=int(M),
                    batch_size=at["batch_size"],
                    tremble=at["tremble"],
                )
            )
    return unstable.reshape(sweep.shape)


def _sides(game: MatrixGame, roles: bool) -> list[MatrixGame]:
    """Return the game as its agents see it who are player 1, and with roles also as those do who are player 2."""
    if not roles:
        return [game]
    A, B = game.bimatrix()
    return [game, bimatrix(jnp.swapaxes(B, -1, -2), jnp.swapaxes(A, -1, -2))]


@checked
def left_defection(logits: Shaped[np.ndarray, "... agents 5"], start: float) -> Bool[np.ndarray, "..."]:
    """Return whether an agent of each pool [...] cooperates more than at first in a context that a defector comes to.

    Args:
        logits: [..., agents, 5] after training; float32 or float64.
        start: the probability of cooperation, in every context, from which all agents started, between 0 and 1.

    Raises:
        ValueError: if the start is not between 0 and 1.
    """
    _checks.last_axis("logits", logits, (5,), "the contexts of memory one")
    _checks.finite("logits", jnp.asarray(logits))
    if logits.ndim < 2:
        raise ValueError(f"logits has shape {logits.shape}; it must be [..., agents, 5]")
    if not 0 < start < 1:
        raise ValueError(f"start must lie in (0, 1); got {start}")
    return np.asarray((logits[..., MET] > logit(np.asarray(start, logits.dtype))).any((-2, -1)))


@checked
def sign_windows(
    function: Callable[[np.ndarray], np.ndarray], low: float, high: float, points: int
) -> list[tuple[float, float]]:
    """Return the intervals of [low, high] on which a function is positive, their ends found by Brent's method.

    Args:
        function: maps an array [n] of positive numbers to values [n].
        low, high: the range searched; a window may end there for no other reason.
        points: of the logarithmic grid between which signs are compared; narrower windows can be missed.

    Raises:
        ValueError: if not 0 < low < high, or there are fewer than two points.
    """
    if not (0 < low < high and points >= 2):
        raise ValueError(f"low, high and points must have 0 < low < high and points ≥ 2; got {low}, {high}, {points}")
    grid = np.geomspace(low, high, points)
    positive = np.asarray(function(grid)) > 0

    def at(log_x: float) -> float:
        return float(function(np.exp(np.array([log_x])))[0])

    ends = [low] if positive[0] else []
    for i in np.flatnonzero(positive[1:] != positive[:-1]):
        ends.append(float(np.exp(brentq(at, np.log(grid[i]), np.log(grid[i + 1]), rtol=1e-12))))
    ends += [high] if positive[-1] else []
    return list(zip(ends[::2], ends[1::2], strict=True))


@checked
def learning_rate_windows(
    game: MatrixGame,
    learners: Float[ArrayLike, "... _"],
    *,
    discount: float,
    num_inner_episodes: int,
    batch_size: float = 1.0,
    low: float = 1e-3,
    high: float = 1e4,
    points: int = 64,
) -> list[tuple[float, float]]:
    """Return the intervals of the learner's step η for which defection is unstable after DC.

    Args:
        game: the stage game.
        learners: [n, 5] logits of the naive learners.
        discount: γ in [0, 1].
        num_inner_episodes: M.
        batch_size: B by which the shaping part is divided.
        low, high, points: the steps searched, as for `sign_windows`.

    Raises:
        ValueError: as `defection_drift` and `sign_windows`.
    """

    def after_dc(rates: np.ndarray) -> np.ndarray:
        drift = defection_drift(
            game, learners, discount=discount, learning_rate=rates, num_inner_episodes=num_inner_episodes
        )
        return np.asarray(drift.against_naive(batch_size)[..., AFTER_DC])

    return sign_windows(after_dc, low, high, points)


def _checked_map(name: str, cells: Any) -> None:
    if np.ndim(cells) != 2 or np.asarray(cells).dtype != bool:
        raise ValueError(
            f"{name} must be [rows, columns] of truth values; got {np.asarray(cells).dtype} of shape {np.shape(cells)}"
        )


@checked
def boundary_cells(inside: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Return the cells [rows, columns] of a map that share an edge with a cell of the other kind."""
    _checked_map("inside", inside)
    edge = np.zeros_like(inside)
    for cells, across in ((edge, inside), (edge.T, inside.T)):
        change = across[1:] != across[:-1]
        cells[1:] |= change
        cells[:-1] |= change
    return edge


@checked
def boundary_agreement(
    predicted: Bool[np.ndarray, "rows columns"], measured: Bool[np.ndarray, "rows columns"], distance: int = 1
) -> float:
    """Return the share of the measured map's boundary cells with a predicted boundary cell near by.

    Args:
        predicted, measured: [rows, columns] maps of the same cells.
        distance: how many cells away counts as near, diagonals included.

    Returns:
        A number in [0, 1]; 1 where neither map has a boundary, 0 where only the predicted one has none.
    """
    _checked_map("predicted", predicted)
    _checked_map("measured", measured)
    if predicted.shape != measured.shape:
        raise ValueError(f"predicted has shape {predicted.shape}, measured {measured.shape}; they must be the same")
    _checks.whole("distance", distance, 0)
    here, there = boundary_cells(measured), boundary_cells(predicted)
    if not here.any():
        return float(not there.any())
    rows, columns = np.nonzero(there)
    if rows.size == 0:
        return 0.0
    r, c = np.nonzero(here)
    near = np.maximum(np.abs(r[:, None] - rows), np.abs(c[:, None] - columns)).min(1) <= distance
    return float(near.mean())
