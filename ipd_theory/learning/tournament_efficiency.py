"""How much of what could be gained from the naive learner the other rules of a tournament gain.

The share is (J − J_D)/(J* − J_D), each the mean over the tournament's first policies and over its last steps: what the
rule's owner earns of the naive learner, what unconditional defection would have earned of the same, and the ceiling
that nobody exceeds who plays a policy of memory one at each step (`bounds.ceilings`), as every rule's owner does. The
ceiling is proved, not found, and in long matches hardly below the largest payoff: shares are what is gained at least.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame, bimatrix
from ipd_theory.learning import bounds
from ipd_theory.learning.rules.base import distinct_rules
from ipd_theory.learning.rules.gradients import naive
from ipd_theory.learning.tournament import SolvedTournament
from ipd_theory.strategies import num_contexts


class AgainstNaive(NamedTuple):
    """What is earned of the naive learner at the end of a tournament, in role 0 and 1, averages a step.

    Args:
        value: [2, n] by each rule's owner; NaN for disowned rules.
        defection: [2] by unconditional defection.
        ceiling: [2] what nobody exceeds.
    """

    value: Float[np.ndarray, "2 n"]
    defection: Float[np.ndarray, "2"]
    ceiling: Float[np.ndarray, "2"]

    @property
    def efficiency(self) -> Float[np.ndarray, " n"]:
        """[n] the share of what could be gained over defection in both roles that a rule gains; NaN where unknown."""
        known = np.isfinite(self.value)
        shares = bounds.efficiency(np.where(known, self.value, 0.0).sum(0), self.defection.sum(), self.ceiling.sum())
        return np.where(known.all(0), shares, np.nan)


@checked
def against_naive(
    game: MatrixGame,
    played: SolvedTournament,
    *,
    discount: float,
    step: float,
    steps: int,
    tail: int,
    every: tuple[int, ...] = (),
    seed: int = 0,
) -> AgainstNaive | None:
    """Return what every rule earned of the naive learner, and what could be earned; None if it took no part.

    Args:
        game: the stage game.
        played: the tournament.
        discount, step, steps, tail, every, seed: that it was played with.

    Raises:
        ValueError: if a number is out of range, or `every` is not one for each rule.
    """
    last = _checks.whole("tail", tail, 1, _checks.whole("steps", steps, 1))
    rules = tuple(entrant.rule for entrant in played.entrants)
    there = [i for i, which in enumerate(distinct_rules((naive(), *rules))[1][1:]) if which == 0]
    if every and len(every) != len(rules):
        raise ValueError(f"every must be one number for each of {len(rules)} rules; got {len(every)}")
    if not there:
        return None
    who = there[0]
    turn = _checks.whole(f"every[{who}]", every[who], 1) if every else 1
    times = np.arange(steps - last + 1, steps + 1)
    moves = -(-times // turn)  # of the learner before each time
    scores = np.asarray(played.outcome.scores)[:, :, who].mean(-1)
    key = jax.random.key(_checks.whole("seed", seed, 0, 2**32 - 1))
    first = jax.random.normal(key, (played.outcome.scores.shape[-1], 2, num_contexts(1)))
    settings: Any = {"discount": discount, "learning_rate": step, "num_inner_episodes": int(moves.max())}
    A, B = game.bimatrix()
    sides = (game, first[:, 1]), (bimatrix(B.T, A.T), first[:, 0])
    defection = [bounds.earned(own, np.zeros(num_contexts(1)), of, **settings)[moves].mean() for own, of in sides]
    ceiling = [bounds.ceilings(own, of, **settings)[moves].mean() for own, of in sides]
    value = np.where(played.table.disowned, np.nan, scores)
    return AgainstNaive(value, np.array(defection), np.array(ceiling))
