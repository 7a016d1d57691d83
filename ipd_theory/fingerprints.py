r"""Fingerprints: what a strategy earns against tit for tat, disturbed in every way that a die can disturb it.

The Joss–Ann transform JA(Q; x, y) of a probe Q cooperates with probability x, defects with probability y, and does what
Q would otherwise. A strategy's fingerprint is its score against it over the triangle x, y ≥ 0, x + y ≤ 1; beyond it the
dual Q' of the probe (which does the opposite after every history) stands in, JA(Q'; 1 − y, 1 − x) (Ashlock & Kim 2008).
For the probe tit for tat both are one family: on the whole square the opponent cooperates with probability

    1 − y  at the start and after a cooperation,    x  after a defection,

whichever side of x + y = 1 it lies on. A fingerprint is thus the exact return against all reactive strategies; corners:
(0, 0) tit for tat, (1, 0) always cooperate, (0, 1) always defect, (1, 1) its dual, which does the opposite.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, automata, strategies
from ipd_theory._arguments import checked
from ipd_theory.automata import Automaton
from ipd_theory.games import MatrixGame
from ipd_theory.returns import expected_returns


class Fingerprint(NamedTuple):
    """Scores [..., y, x] of a strategy against the probe, and the coordinates [points] of both axes."""

    scores: Float[Array, "..."]
    axis: Float[np.ndarray, " points"]


@checked
def fingerprint(
    game: MatrixGame, strategy: Float[ArrayLike, "... _"] | Automaton, *, discount: float = 1.0, points: int = 33
) -> Fingerprint:
    """Return what a strategy earns, a step, against the disturbed tit for tat over a grid of the unit square.

    Args:
        game: the stage game for two.
        strategy: [..., h] a table of memory 0 to 3, or an automaton.
        discount: γ in [0, 1]; 1 is the limit of means.
        points: along each axis, 2 or more.

    Raises:
        ValueError: if there are fewer points, and as `returns.expected_returns`.
    """
    axis = np.linspace(0.0, 1.0, _checks.whole("points", points, 2))
    y, x = np.meshgrid(axis, axis, indexing="ij")
    probes = strategies.reactive(1 - y, 1 - y, x)
    if isinstance(strategy, Automaton):
        earned = automata.expected_returns(game, strategy, automata.of_table(probes), discount=discount)
    else:
        strategies.memory_of(strategy)
        table = jnp.asarray(strategy)[..., None, None, :]
        earned = expected_returns(game, table, probes, discount=discount)
    return Fingerprint(earned[..., 0], axis)
