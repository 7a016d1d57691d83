r"""Heterogeneous populations of reactive strategies: defectors rise, tit for tat brings them down, generosity follows.

A reactive strategy cooperates with probability p after the other's cooperation and q after its defection. Of 100 in
equal shares, 99 are drawn evenly from the unit square and one is nearly tit for tat, (0.99, 0.01); each generation they
grow in proportion to what they earn in the limit of means (`infinite.ecological`). At first those near ALLD, (0, 0),
feed on the gullible; when these are gone, tit for tat can grow, if it is there, and gives way to more generous
strategies, p near 1 and q near the 1/3 of Axelrod's payoffs. Without it defection stays.

Source: Nowak & Sigmund 1992, "Tit for tat in heterogeneous populations".
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, games, strategies
from ipd_theory._arguments import checked
from ipd_theory.evolution.infinite import ecological
from ipd_theory.games import MatrixGame
from ipd_theory.returns import expected_returns

NEARLY_TIT_FOR_TAT = (0.99, 0.01)


class Succession(NamedTuple):
    """What became of a population.

    Args:
        responses: [..., n, 2] p and q of each strategy.
        shares: [..., generations + 1, n].
        mean_responses: [..., generations + 1, 2] averages of p and q over the population.
        mean_payoff: [..., generations + 1] what a player earns on average, a step.
    """

    responses: Float[np.ndarray, "... n 2"]
    shares: Float[np.ndarray, "... t n"]
    mean_responses: Float[np.ndarray, "... t 2"]
    mean_payoff: Float[np.ndarray, "... t"]


@checked
def random_reactive(
    seed: int, *, size: int = 100, nearly_tit_for_tat: bool = True, lowest: float = 0.0, highest: float = 1.0
) -> Float[np.ndarray, "n 2"]:
    """Return responses p, q [size, 2] drawn evenly from a square, the last replaced by nearly tit for tat.

    Args:
        seed: of the draw; the same strategies are drawn with tit for tat and without.
        size: how many strategies, 1 or more.
        nearly_tit_for_tat: whether the last is (0.99, 0.01); otherwise there is one strategy less.
        lowest: the least probability that is drawn, in [0, 1].
        highest: the largest, `lowest` to 1.

    Raises:
        ValueError: if an argument is out of range.
    """
    _checks.whole("seed", seed, 0)
    _checks.whole("size", size, 2)
    _checks.number("lowest", lowest, 0, 1)
    _checks.number("highest", highest, lowest, 1)
    drawn = np.random.default_rng(seed).uniform(lowest, highest, (size - 1, 2))
    return np.vstack([drawn, NEARLY_TIT_FOR_TAT]) if nearly_tit_for_tat else drawn


@checked
def succession(
    responses: Float[ArrayLike, "... _ _"],
    generations: int = 1000,
    *,
    game: MatrixGame | None = None,
    discount: float = 1.0,
    start: Float[ArrayLike, "... _"] | None = None,
) -> Succession:
    """Return what becomes of a population of reactive strategies, exactly.

    Args:
        responses: [..., n, 2] p and q of each strategy; it opens with p.
        generations: how many follow the first.
        game: for two, with payoffs of 0 or more; Axelrod's if not given.
        discount: γ of the repeated game in [0, 1]; 1, the limit of means, as published.
        start: [..., n] shares of the first generation; equal if not given.

    Raises:
        ValueError: if a response is no probability, or as `infinite.ecological`.
    """
    table = np.asarray(responses, float)
    if table.ndim < 2 or table.shape[-1] != 2 or table.size == 0:
        raise ValueError(f"responses must be n by 2, p and q of each strategy; got the shape {table.shape}")
    n, played = table.shape[-2], games.axelrod() if game is None else game
    rows = strategies.reactive_n(_checks.probabilities("responses", table))
    pairs = expected_returns(played, rows[..., :, None, :], rows[..., None, :, :], discount=discount)
    A = np.asarray(pairs[..., 0])
    shares = ecological(A, np.full(n, 1 / n) if start is None else start, generations)
    earned = ((shares @ np.swapaxes(A, -1, -2)) * shares).sum(-1)
    return Succession(table, shares, shares @ table, earned)
