"""Games to and from QuantEcon, with any number of players."""

from typing import Any

import numpy as np

from ipd_theory import games
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.games import MatrixGame

with needs("peers"):
    from quantecon.game_theory import NormalFormGame


@checked
def to_quantecon(game: MatrixGame) -> NormalFormGame:
    """Return a game, no batch, as QuantEcon's.

    Raises:
        ValueError: if it is a batch.
    """
    if game.payoffs.ndim != game.num_players + 1:
        raise ValueError(f"game must be one, no batch; got payoffs of the shape {game.payoffs.shape}")
    return NormalFormGame(np.moveaxis(np.asarray(game.payoffs, np.float64), 0, -1))


def from_quantecon(game: Any) -> MatrixGame:
    """Return QuantEcon's game as ours.

    Raises:
        ValueError: if a player has other than two actions.
    """
    if not isinstance(game, NormalFormGame):
        raise TypeError(f"game must be a game of QuantEcon's in normal form; got {game!r}")
    return games.from_cells(game.payoff_profile_array)
