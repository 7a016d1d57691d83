"""Games to and from Gambit, with any number of players."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.games import MatrixGame

with needs("peers"):
    import pygambit


@checked
def to_pygambit(game: MatrixGame, title: str = "ipd_theory") -> Any:
    """Return a game, no batch, as Gambit's in strategic form.

    Args:
        game: the game.
        title: that Gambit shows.

    Raises:
        ValueError: if it is a batch.
    """
    if game.payoffs.ndim != game.num_players + 1:
        raise ValueError(f"game must be one, no batch; got payoffs of the shape {game.payoffs.shape}")
    return pygambit.StrategicGame.from_arrays(*np.asarray(game.payoffs, np.float64), title=title)


def from_pygambit(game: Any) -> MatrixGame:
    """Return Gambit's game as ours, by its strategies: those of an extensive game are the plans of its players.

    Raises:
        ValueError: if a player has other than two strategies.
    """
    if not hasattr(game, "to_arrays"):
        raise TypeError(f"game must be a game of Gambit's; got {game!r}")
    arrays = [np.asarray(array, np.float64) for array in game.to_arrays(dtype=float)]
    if any(array.shape != (2,) * len(arrays) for array in arrays):
        raise ValueError(f"game has strategies of the numbers {arrays[0].shape}; every player must have 2")
    return MatrixGame(jnp.asarray(np.stack(arrays)), num_players=len(arrays))
