"""Who is ahead in a tournament: scores, wins, what is stable, and what evolution keeps."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import equilibria
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame, is_symmetric
from ipd_theory.tournaments.pairs import round_robin


class Standings(NamedTuple):
    """A tournament of n strategies.

    Args:
        names: of the strategies, in the order of rows.
        payoffs: [n, n] what the row earns a step, as player 1, against the column.
        scores: [n] what each earns a step on average over all opponents, itself among them, by role where roles differ.
        wins: [n] how many opponents earn less than it does in their match.
        stable: [n] whether it is evolutionarily stable among these strategies; None where roles differ.
        survivors: [n] shares that replicator dynamics reach from equal ones; None where roles differ.
    """

    names: tuple[str, ...]
    payoffs: Float[np.ndarray, "n n"]
    scores: Float[np.ndarray, " n"]
    wins: np.ndarray
    stable: np.ndarray | None
    survivors: Float[np.ndarray, " n"] | None

    @property
    def ranking(self) -> np.ndarray:
        """[n] rows from the highest score to the lowest; equal ones as they entered."""
        return np.argsort(-np.round(self.scores, 12), kind="stable")


@checked
def tournament(
    game: MatrixGame,
    entrants: Mapping[str, Any],
    *,
    discount: ArrayLike | None = None,
    horizon: int | None = None,
    error: float = 0.0,
    misperception: float = 0.0,
    in_turn: bool = False,
) -> Standings:
    """Let every strategy meet every strategy, itself included, and say who is ahead.

    Args:
        game: the stage game for two.
        entrants: tables [h] and automata by name, see `line_up`.
        discount, horizon, error, misperception, in_turn: as for `round_robin`.

    Raises:
        ValueError: as `round_robin`.
    """

    if not isinstance(entrants, Mapping):
        raise TypeError(f"entrants must be a dictionary of strategies by name; got {entrants!r}")

    def played(stage: MatrixGame) -> Float[np.ndarray, "n n"]:
        table = round_robin(
            stage,
            list(entrants.values()),
            discount=discount,
            horizon=horizon,
            error=error,
            misperception=misperception,
            in_turn=in_turn,
        )
        return np.asarray(table)

    payoffs = played(game)
    return ranked(tuple(entrants), payoffs, None if is_symmetric(game) else played(_exchanged(game)))


@checked
def ranked(
    names: tuple[str, ...],
    payoffs: Float[np.ndarray, "n n"],
    as_second: Float[np.ndarray, "n n"] | None = None,
) -> Standings:
    """Return who is ahead in a tournament that was played.

    Args:
        names: of the strategies.
        payoffs: [n, n] what the row earns, as player 1, against the column.
        as_second: [n, n] what the row earns as player 2; the same if not given.

    Raises:
        ValueError: if shapes do not fit.
    """
    n, mirrored = len(names), as_second is None
    second = payoffs if as_second is None else as_second
    for name, table in (("payoffs", payoffs), ("as_second", second)):
        if np.shape(table) != (n, n) or not np.isfinite(table).all():
            raise ValueError(f"{name} must be finite, of the shape ({n}, {n}) for {n} names; got {table}")
    slack = 1e-9 * max(1e-300, float(np.abs(payoffs).max()))
    # In a match the row, as player 1, meets the column, as player 2, who earns second[column, row].
    wins = (payoffs - second.T > slack).sum(1)
    return Standings(
        names=names,
        payoffs=payoffs,
        scores=(payoffs + second).mean(1) / 2,
        wins=wins if mirrored else wins + (second - payoffs.T > slack).sum(1),
        stable=np.array([bool(equilibria.is_ess(payoffs, i)) for i in range(n)]) if mirrored else None,
        survivors=equilibria.survivors(payoffs) if mirrored else None,
    )


def _exchanged(game: MatrixGame) -> MatrixGame:
    """Return the game as player 2 sees it."""
    A, B = game.bimatrix()
    return MatrixGame(jnp.stack([B.T, A.T]))
