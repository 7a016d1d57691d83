"""How much of what could be gained from naive learners the agents of a training run gain, at least.

The share is (r − r_D)/(r* − r_D) of mean rewards a step over a whole meta-episode. What unconditional defection earns,
r_D, is played against the same learners. These learners are networks that learn from samples: how far they can be led
is not known, so that r* is the largest payoff of the game, which nobody exceeds. The true bound lies below it, and the
true efficiency of whoever gains something above what is said here. (Of tables that learn from exact gradients
`learning.bounds` and `learning.pool_efficiency` say more.)
"""

import math
from typing import NamedTuple

from ipd_theory._arguments import checked
from ipd_theory.learning.bounds import efficiency
from ipd_theory.rl.environments import EnvironmentSettings, IteratedDilemma
from ipd_theory.rl.evaluation import NAIVE, Evaluation

DEFECTOR = "always defect"  # as `scripted.by_hand` calls it


class Efficiency(NamedTuple):
    """Which share of what could be gained of naive learners each player gains at least, by name, and words for it.

    There are no shares where no bound is known; then the words say so.
    """

    shares: dict[str, float]
    words: str


@checked
def against_naive(environment: EnvironmentSettings, evaluated: Evaluation) -> Efficiency:
    """Return the efficiency of whoever met the naive learners.

    Args:
        environment: what was played.
        evaluated: of `evaluation.evaluate`.
    """
    if not isinstance(environment, IteratedDilemma):
        return Efficiency({}, f"efficiency: no bound is known of {type(environment).__name__}")
    rewards = {one.ego: float(one.averages["reward"].mean()) for one in evaluated.meetings if one.co_player == NAIVE}
    least, most = rewards[DEFECTOR], max(environment.payoffs)
    shares = {name: float(efficiency(reward, least, most)) for name, reward in rewards.items()}
    words = (
        f"efficiency: the share gained of what is between unconditional defection, {least:.3f}, and the largest "
        f"payoff, {most:g}; how far such learners can be led is not known, so that it is a lower bound"
    )
    gains = {name: share for name, share in shares.items() if not math.isnan(share)}
    return Efficiency(gains, words)
