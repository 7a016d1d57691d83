"""What a strategy is: Nash, subgame perfect, partner or rival, and for which discounts.

Partners and rivals: Hilbe, Traulsen & Sigmund 2015; both at once, friendly rivals: Murase & Baek 2020.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ipd_theory import strategies
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.replies.best import best_responses, gap, race, rounding_of_returns, same_from_all_sides
from ipd_theory.replies.witnesses import mistaken
from ipd_theory.strategies.tables import contexts_of_cooperation


def _slack(game: MatrixGame) -> Array:
    return rounding_of_returns(game, jnp.result_type(float))


@checked
def is_nash(game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0) -> Bool[Array, "..."]:
    """Return whether a strategy is a best reply to itself, all players playing it.

    Args:
        game: the stage game, symmetric, or a batch of them [...].
        strategy: [..., h], memory 0 to 3.
        discount: [...] γ in [0, 1]; 1 is the limit of means.

    Raises:
        ValueError: if the game is not symmetric, and as `best_responses`.
    """
    same_from_all_sides(game)
    others = (strategy,) * (game.num_players - 1)
    return gap(game, strategy, *others, discount=discount) <= _slack(game)


@checked
def is_subgame_perfect(
    game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0
) -> Bool[Array, "..."]:
    """Return whether a strategy is optimal against itself from every context, reached or not.

    Arguments and errors are those of `is_nash`.
    """
    return ~mistaken(game, strategy, discount=discount).any(-1)


@checked
def is_partner(
    game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0
) -> Bool[Array, "..."]:
    """Return whether a strategy is nice (never the first to defect) and a best reply to itself.

    Mutual cooperation then earns R, and nobody earns more than R against it (Hilbe, Traulsen & Sigmund 2015).
    Arguments and errors are those of `is_nash`.
    """
    memory = strategies.memory_of(strategy, game.num_players)
    unbroken = contexts_of_cooperation(memory, game.num_players)
    nice = (jnp.asarray(strategy)[..., unbroken] == 1).all(-1)
    return nice & is_nash(game, strategy, discount=discount)


@checked
def is_rival(game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0) -> Bool[Array, "..."]:
    """Return whether a strategy never earns less than its opponent, whatever that is (Hilbe, Traulsen & Sigmund 2015).

    Arguments and errors are those of `is_nash`, for two players.
    """
    return best_responses(race(game), strategy, discount=discount, player=1).value <= _slack(game)


@checked
def is_friendly_rival(
    game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0
) -> Bool[Array, "..."]:
    """Return whether a strategy is a partner and a rival at once (Murase & Baek 2020).

    Arguments and errors are those of `is_nash`, for two players.
    """
    return is_partner(game, strategy, discount=discount) & is_rival(game, strategy, discount=discount)


@checked
def discount_windows(
    game: MatrixGame,
    strategy: Float[ArrayLike, " _"],
    holds: Callable[..., Bool[Array, "..."]] = is_nash,
    *,
    points: int = 401,
) -> list[tuple[float, float]]:
    """Return the intervals of the discount in which something holds of a strategy, their ends to 1e-12.

    Args:
        game: the stage game.
        strategy: [h], memory 0 to 3.
        holds: `is_nash`, `is_subgame_perfect`, `is_partner` or `is_rival`, or what takes the same arguments.
        points: of the grid of discounts from 0 to 1 between which changes are looked for; narrower windows can be
            missed.

    Raises:
        ValueError: if there are fewer than two points, and as `holds`.
    """
    return windows(lambda discount: holds(game, strategy, discount=discount), points=points)


@checked
def windows(
    holds: Callable[[Float[np.ndarray, " points"]], Bool[ArrayLike, " points"]], *, points: int = 401
) -> list[tuple[float, float]]:
    """Return the intervals of the discount in which something holds, their ends to 1e-12.

    Args:
        holds: whether it does at each of an array of discounts.
        points: as for `discount_windows`.

    Raises:
        ValueError: if there are fewer than two points.
    """
    if points < 2:
        raise ValueError(f"points must be 2 or more; got {points}")
    grid = np.linspace(0.0, 1.0, points)
    here = np.asarray(holds(grid))
    changes = np.flatnonzero(here[1:] != here[:-1])
    low, high = grid[changes], grid[changes + 1]
    for _ in range(40 if changes.size else 0):
        middle = (low + high) / 2
        as_below = np.asarray(holds(middle)) == here[changes]
        low, high = np.where(as_below, middle, low), np.where(as_below, high, middle)
    # The end that belongs to the window is the one on its side.
    ends = list(np.where(here[changes], low, high))
    edges = ([0.0] if here[0] else []) + ends + ([1.0] if here[-1] else [])
    return [(float(a), float(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
