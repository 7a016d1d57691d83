"""The Schelling diagram of a game for two in which one may clean: what one gets by what the other does.

Source: Schelling 1973; for sequential dilemmas Hughes et al. 2018, whose inequalities are `is_dilemma`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ipd_theory._arguments import checked
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.losses import Learner
from ipd_theory.rl.policies import Policy
from ipd_theory.rl.rollout import CoPlayers, Sizes, play

NO_LEARNING = Learner(lambda policy: (), lambda policy, state, experience: (policy, state))


class Schelling(NamedTuple):
    """Rewards a step of one who cleans and of one who rides, while 0 or 1 others clean, and their standard errors."""

    cleans: Float[np.ndarray, "2"]
    rides: Float[np.ndarray, "2"]
    cleans_error: Float[np.ndarray, "2"]
    rides_error: Float[np.ndarray, "2"]


@checked
def diagram(
    environment: Environment, cleaner: Policy, rider: Policy, key: Key[Array, ""], games: int, episode_length: int
) -> Schelling:
    """Play a cleaner and a free rider against each other and themselves.

    Args:
        environment: the game.
        cleaner: who cleans.
        rider: who does not.
        key: of all randomness.
        games: independent ones, over which errors are taken; 2 or more.
        episode_length: T, steps of each from its start.

    Raises:
        ValueError: if there are fewer than two games, or no steps.
    """
    if games < 2:
        raise ValueError(f"games must be 2 or more; got {games}")
    sizes = Sizes(games, 1, episode_length)

    @jax.jit
    def meet(ego: Policy, other: Policy, key: Key[Array, ""]) -> Float[Array, "2 games"]:
        co_player = CoPlayers(jax.tree.map(lambda x: x[None], other), jnp.zeros(1, bool))
        return play(environment, ego, co_player, NO_LEARNING, key, sizes).rewards[0, :, 0].mean(0)

    of = dict(zip(("both", "one", "none"), jax.random.split(key, 3), strict=True))
    both = np.asarray(meet(cleaner, cleaner, of["both"])).mean(0)
    one = np.asarray(meet(cleaner, rider, of["one"]))
    none = np.asarray(meet(rider, rider, of["none"])).mean(0)
    rewards = np.stack([one[0], both, none, one[1]])
    means, errors = rewards.mean(1), rewards.std(1, ddof=1) / np.sqrt(games)
    return Schelling(means[:2], means[2:], errors[:2], errors[2:])


@checked
def is_dilemma(found: Schelling, errors: float = 3.0) -> bool:
    """Return whether, by so many standard errors, both cleaning beats both riding and being left alone to clean, and
    riding pays, out of greed or out of fear.

    Args:
        found: a diagram.
        errors: how many standard errors of a difference it has to be away from none.
    """

    def above(a: float, b: float, a_error: float, b_error: float) -> bool:
        return bool(a - b > errors * np.hypot(a_error, b_error))

    c, r, c_error, r_error = (numbers.tolist() for numbers in found)
    worth = above(c[1], r[0], c_error[1], r_error[0]) and above(c[1], c[0], c_error[1], c_error[0])
    greed, fear = above(r[1], c[1], r_error[1], c_error[1]), above(r[0], c[0], r_error[0], c_error[0])
    return worth and (greed or fear)
