"""Games to and from Nashpy, which has two players."""

from typing import Any

import nashpy
import numpy as np

from ipd_theory import games
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame


@checked
def to_nashpy(game: MatrixGame) -> nashpy.Game:
    """Return a two-player game, no batch, as Nashpy's.

    Raises:
        ValueError: if it is a batch or not for two.
    """
    if game.payoffs.ndim != 3:
        raise ValueError(f"game must be one for 2 players; got payoffs of the shape {game.payoffs.shape}")
    return nashpy.Game(*(np.asarray(matrix) for matrix in game.bimatrix()))


def from_nashpy(game: Any) -> MatrixGame:
    """Return Nashpy's game as ours.

    Raises:
        ValueError: if a player has other than two actions.
    """
    if not isinstance(game, nashpy.Game):
        raise TypeError(f"game must be a game of Nashpy's; got {game!r}")
    return games.bimatrix(*game.payoff_matrices)
