"""Games to and from Nashpy, which has two players."""

from typing import Any

import nashpy
import numpy as np

from ipd_theory import _checks, games
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame


@checked
def to_nashpy(game: MatrixGame) -> nashpy.Game:
    """Return a two-player game, no batch, as Nashpy's.

    Raises:
        ValueError: if it is a batch or not for two.
    """
    _checks.two_players(game, batch=False)
    return nashpy.Game(*(np.asarray(matrix) for matrix in game.bimatrix()))


def from_nashpy(game: Any) -> MatrixGame:
    """Return Nashpy's game as ours.

    Raises:
        ValueError: if a player has other than two actions.
    """
    if not isinstance(game, nashpy.Game):
        raise TypeError(f"game must be a game of Nashpy's; got {game!r}")
    return games.bimatrix(*game.payoff_matrices)
