"""Who shows that a strategy is not what it might be: a reply that earns more, an opponent that gets ahead, a context.

Each verdict of `verdicts` that is no has such a witness, which anybody can check by letting the two play.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.replies.best import best_responses, race, same_from_all_sides
from ipd_theory.returns import expected_returns


class Witness(NamedTuple):
    """An opponent, and what comes of meeting it.

    Args:
        strategy: [..., h] the opponent, pure.
        earns: [...] what it earns, a step.
        other_earns: [...] what the strategy earns against it.
        lead: [...] how much more it earns than it should: than the strategy against itself, or than the strategy that
            it meets; 0 or less if the verdict stands.
    """

    strategy: Float[Array, "..."]
    earns: Float[Array, "..."]
    other_earns: Float[Array, "..."]
    lead: Float[Array, "..."]


class Path(NamedTuple):
    """What two pure strategies do: the outcomes of the opening, and those of the cycle that repeats for ever."""

    opening: tuple[str, ...]
    cycle: tuple[str, ...]


@checked
def challenger(game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0) -> Witness:
    """Return the opponent that earns most against a strategy; a positive lead shows that it is not Nash.

    Args:
        game: the stage game for two, symmetric, or a batch of them [...].
        strategy: [..., h], memory 0 to 3.
        discount: [...] γ in [0, 1]; 1 is the limit of means.

    Raises:
        ValueError: if the game is not for two, and as `best_responses`.
    """
    _checks.two_players(game)
    best = best_responses(game, strategy, discount=discount)
    earned = expected_returns(game, best.strategy, strategy, discount=discount)
    itself = expected_returns(game, strategy, strategy, discount=discount)[..., 0]
    return Witness(best.strategy, earned[..., 0], earned[..., 1], best.value - itself)


@checked
def overtaker(game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0) -> Witness:
    """Return the opponent that gets farthest ahead of a strategy; a positive lead shows that it is no rival.

    Arguments and errors are those of `challenger`.
    """
    best = best_responses(race(game), strategy, discount=discount)
    earned = expected_returns(game, best.strategy, strategy, discount=discount)
    return Witness(best.strategy, earned[..., 0], earned[..., 1], best.value)


@checked
def mistaken(
    game: MatrixGame, strategy: Float[ArrayLike, "... _"], *, discount: ArrayLike = 1.0
) -> Bool[Array, "... h"]:
    """Return the contexts [..., h] in which a strategy does, perhaps, what is not optimal against itself.

    None is exactly what makes it subgame perfect. Arguments and errors are those of `verdicts.is_nash`.
    """
    same_from_all_sides(game)
    others = (strategy,) * (game.num_players - 1)
    optimal = best_responses(game, *others, discount=discount).optimal
    table = jnp.asarray(strategy)
    return (~optimal[..., 0] & (table > 0)) | (~optimal[..., 1] & (table < 1))


@checked
def path(first: Float[ArrayLike, " _"], second: Float[ArrayLike, " _"]) -> Path:
    """Return what two pure strategies do when they meet, the first one's action first.

    Args:
        first, second: [h] pure strategies, memory 0 to 3, each in its own view.

    Raises:
        ValueError: if an entry is neither 0 nor 1, or a shape is wrong.
    """
    tables = {"first": np.asarray(first), "second": np.asarray(second)}
    memory = max(strategies.memory_of(x, name=name) for name, x in tables.items())
    for name, table in tables.items():
        if not np.isin(table, (0, 1)).all():
            raise ValueError(f"{name} must be a pure strategy, whose entries are all 0 or 1; got {table}")
    ours, theirs = (np.asarray(strategies.extend(x, memory)) for x in tables.values())
    theirs, after = theirs[strategies.view(memory, 1)], strategies.successors(memory)
    seen: dict[int, int] = {}
    outcomes: list[str] = []
    here = 0
    while here not in seen:
        seen[here] = len(outcomes)
        outcome = 2 * int(ours[here] == 0) + int(theirs[here] == 0)
        outcomes.append(("CC", "CD", "DC", "DD")[outcome])
        here = int(after[here, outcome])
    opening, cycle = outcomes[: seen[here]], outcomes[seen[here] :]
    while opening and opening[-1] == cycle[-1]:  # outcomes repeat before contexts do
        cycle = [opening.pop(), *cycle[:-1]]
    period = next(n for n in range(1, len(cycle) + 1) if cycle == cycle[n:] + cycle[:n])
    return Path(tuple(opening), tuple(cycle[:period]))
