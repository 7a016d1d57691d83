r"""Volumes of basins: from which share of all pairs of memory-one strategies does learning lead to cooperation?

Both players' five first probabilities are a point of the cube [0, 1]^10. The basin of an outcome is the set of starts
from which learning ends in it; its volume V is estimated from R independent scramblings of n Sobol points,

    V ≈ mean_r f_r,    f_r the share of replicate r,    half-width t_{R−1} s / √R,    s² = var_r f_r,

which needs no assumption on how even the points are. Evenly spread points leave less to chance than as many random
ones the smoother the basin's border is. A replicate holds a power of two of points, as Sobol sequences ask for.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Float
from scipy.stats import qmc, t

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.learning.optimizers import checked_optimizers
from ipd_theory.learning.play import Learning, Optimizers, learn
from ipd_theory.learning.rules import Rule
from ipd_theory.learning.rules.base import checked_rules

EDGE = 1e-9  # probabilities are kept this far from 0 and 1, where logits are infinite

Subset = Callable[[Float[np.ndarray, "points dimensions"]], Bool[np.ndarray, " points"]]
Criterion = Callable[[Learning], Bool[np.ndarray, " starts"]]


class Volume(NamedTuple):
    """A share of the cube: `mean`, the `half_width` of its confidence interval, and the `replicates` [r]."""

    mean: float
    half_width: float
    replicates: Float[np.ndarray, " r"]


@checked
def volume(
    inside: Subset,
    dimensions: int,
    *,
    log2_points: int,
    replicates: int,
    seed: int,
    confidence: float = 0.95,
    progress: Callable[[float], None] = lambda done: None,
) -> Volume:
    """Return the volume of a subset of the unit cube, with a confidence interval from independent scramblings.

    Args:
        inside: maps points [n, dimensions] to whether each belongs to the subset.
        dimensions: of the cube.
        log2_points: a replicate has 2^log2_points points.
        replicates: R, 2 or more.
        seed: of the scramblings.
        confidence: of the interval, between 0 and 1.
        progress: called with the fraction done.

    Raises:
        ValueError: if there are fewer than two replicates, or the confidence is not between 0 and 1.

    Source: Owen 1997 (randomised quasi-Monte Carlo); the interval is Student's.
    """
    _checks.whole("dimensions", dimensions, 1, qmc.Sobol.MAXDIM)
    _checks.whole("log2_points", log2_points, 0, 30)
    _checks.whole("seed", seed, 0)
    if replicates < 2:
        raise ValueError(f"replicates must be 2 or more, or there is no interval; got {replicates}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    shares = []
    for i, child in enumerate(np.random.SeedSequence(seed).spawn(replicates)):
        points = qmc.Sobol(dimensions, rng=np.random.default_rng(child)).random_base2(log2_points)
        shares.append(float(np.mean(inside(points))))
        progress((i + 1) / replicates)
    f = np.array(shares)
    width = t.ppf((1 + confidence) / 2, replicates - 1) * f.std(ddof=1) / np.sqrt(replicates)
    return Volume(float(f.mean()), float(width), f)


@checked
def cooperation(game: MatrixGame, share: float = 0.9) -> Criterion:
    """Return the test whether both players end with returns near mutual cooperation.

    Args:
        game: a symmetric game.
        share: both returns must be at least P + share · (R − P), and no more than R + (1 − share) · |R − P|.
    """
    R, _, _, P = (float(x) for x in game.outcome_payoffs[0])
    least, most = P + share * (R - P), R + (1 - share) * abs(R - P)

    def reached(learning: Learning) -> np.ndarray:
        last = np.asarray(learning.returns[..., -1, :])
        return np.asarray(((last >= least) & (last <= most)).all(-1))

    return reached


@checked
def basin(
    game: MatrixGame,
    learning_rules: tuple[Rule, Rule],
    reached: Criterion,
    *,
    discount: ArrayLike,
    optimizers: Optimizers,
    steps: int,
) -> Subset:
    """Return the set of starts in [0, 1]^10 from which two rules learn to an outcome, for `volume`.

    Args:
        game: the stage game.
        learning_rules: the rules of player 1 and player 2.
        reached: which of the pairs, after the last step, count, e.g. `cooperation(game)`.
        discount: γ in [0, 1].
        optimizers: what turns each rule's direction into a step.
        steps: how many steps; a pair that is still under way counts as where it is.

    Raises:
        ValueError: if a setting is out of range.
    """

    checked_rules("learning_rules", learning_rules, 2)
    checked_optimizers(optimizers, 2)
    _checks.in_range("discount", _checks.to_float(discount), 0.0, 1.0)
    _checks.whole("steps", steps, 1)

    def inside(points: np.ndarray) -> np.ndarray:
        kept = np.clip(points, EDGE, 1 - EDGE)
        logits = jnp.asarray(np.log(kept) - np.log1p(-kept))
        first, second = logits[:, :5], logits[:, 5:]
        return reached(
            learn(game, learning_rules, first, second, discount=discount, optimizers=optimizers, steps=steps)
        )

    return inside
