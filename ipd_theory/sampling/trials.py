"""Problems small enough to list every meta-episode, on which estimators are held to their claims."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, games
from ipd_theory.games import MatrixGame
from ipd_theory.sampling import fractions, learners
from ipd_theory.sampling._held import check_sizes, held
from ipd_theory.sampling.estimators import EgoPlay
from ipd_theory.sampling.fractions import Objects, RationalEnumeration
from ipd_theory.sampling.learners import Seen, TabularLearner
from ipd_theory.sampling.shaping_pomdp import MetaEpisodes, ShapingPOMDP, ego_tables

REINFORCE = learners.reinforce(2.0)
ACTOR_CRITIC = learners.policy_gradient(
    optax.adam(0.5, eps=1e-5), discount=0.99, critic=True, normalize_advantages=True
)


class Trial(NamedTuple):
    """A small shaping POMDP with an ego policy to estimate the gradient of, and what a critic might hold.

    `values` [M, h] is what estimators of everything see as V: any function of inner episode and context will do.
    """

    name: str
    pomdp: ShapingPOMDP
    ego_logits: Float[Array, "E h"]
    values: Float[Array, "M h"]


@held
def trial(
    name: str,
    game: MatrixGame,
    learner: TabularLearner,
    shape: tuple[int, int, int],
    *,
    ego_logits: Float[ArrayLike, "E h"] | None = None,
    remember_across_episodes: bool = False,
    start: int | None = None,
    seed: int = 0,
) -> Trial:
    """Return a problem to hold estimators against; what is not given is drawn, logits standard normal.

    Args:
        name: what tables call it.
        game: a two-player game; ego is player 0.
        learner: the co-player's rule; it starts from five logits that are drawn.
        shape: (B, M, T), small: there are 4^{BMT} meta-episodes.
        ego_logits: [1, h] or [M, h]; drawn if not given, [M, 5] with memory across episodes and else [1, 5].
        remember_across_episodes: whether ego's memory survives the start of an inner episode.
        start: as in `ShapingPOMDP`.
        seed: of what is drawn.

    Raises:
        ValueError: as `ShapingPOMDP`, and if the logits are not finite or have another shape.
    """
    check_sizes(shape)
    rng = np.random.default_rng(_checks.whole("seed", seed, 0))
    pomdp = ShapingPOMDP(game, learner, jnp.asarray(rng.normal(size=5)), *shape, remember_across_episodes, start)
    drawn = jnp.asarray(rng.normal(size=(shape[1] if remember_across_episodes else 1, 5)))
    ego = drawn if ego_logits is None else _checks.finite("ego_logits", _checks.to_float(ego_logits))
    tables = ego_tables(pomdp.num_inner_episodes, ego)
    return Trial(name, pomdp, ego, jnp.asarray(rng.normal(size=tables.shape), tables.dtype))


def trials(thorough: bool = False) -> Iterable[Trial]:
    """Yield the problems of the default run, then those of the thorough one."""
    prisoners, stag = games.prisoners_dilemma(), games.stag_hunt()
    plain = [
        ("prisoner's dilemma, REINFORCE", prisoners, REINFORCE, (2, 2, 2), False, None),
        ("prisoner's dilemma, Adam, memory", prisoners, ACTOR_CRITIC, (2, 2, 2), True, None),
        ("chicken, REINFORCE", games.chicken(), REINFORCE, (3, 2, 1), False, None),
    ]
    more = [
        ("stag hunt, actor-critic, memory, from DD", stag, ACTOR_CRITIC, (2, 2, 2), True, 3),
        ("battle of the sexes, REINFORCE", games.battle_of_the_sexes(), REINFORCE, (2, 3, 1), False, None),
        ("matching pennies, Adam, memory", games.matching_pennies(), ACTOR_CRITIC, (4, 2, 1), True, None),
        ("prisoner's dilemma, one trajectory", prisoners, ACTOR_CRITIC, (1, 3, 2), True, None),
    ]
    for seed, (name, game, learner, shape, memory, start) in enumerate(plain + more * thorough):
        named = f"{name}, B M T = {' '.join(map(str, shape))}"
        yield trial(named, game, learner, shape, remember_across_episodes=memory, start=start, seed=seed)


@held
def ego_play(problem: Trial, episodes: MetaEpisodes) -> EgoPlay:
    """Return all that ego knows of meta-episodes, arrays [N, B, M, T]."""
    return _known(episodes.ego, ego_tables(problem.pomdp.num_inner_episodes, problem.ego_logits), problem.values)


@jax.jit
def _known(ego: Seen, tables: Float[Array, "M h"], values: Float[Array, "M h"]) -> EgoPlay:
    episode = jnp.arange(tables.shape[0])[:, None]
    p = tables[episode, ego.contexts]
    log_probabilities = jnp.log(jnp.where(ego.actions == 0, p, 1 - p))
    return EgoPlay(*ego, log_probabilities, values[episode, ego.contexts])


class RationalProblem(NamedTuple):
    """A shaping problem in fractions: ego remembers across inner episodes, its learner is REINFORCE in probabilities.

    Attributes:
        game: a two-player game; its payoffs count at their exact values.
        shape: (B, M, T).
        learning_rate: η, the learner's.
        ego, learner: [5] cooperation probabilities at the start and after CC, CD, DC, DD, ego's inside (0, 1).
    """

    game: MatrixGame
    shape: tuple[int, int, int]
    learning_rate: Fraction
    ego: Objects
    learner: Objects

    def enumerate(self) -> RationalEnumeration:
        """List every meta-episode with its exact probability, ego's part left out."""
        rule = learners.reinforce_in_probabilities(self.learning_rate)
        start = jnp.full(self.learner.size, 0.5)  # only its size counts
        pomdp = ShapingPOMDP(self.game, rule, start, *self.shape, remember_across_episodes=True)
        return fractions.enumerate_rationally(pomdp, (1, self.ego.size), self.learner)


@held
def rational_problem(
    game: MatrixGame | None = None,
    shape: tuple[int, int, int] = (2, 2, 1),
    *,
    learning_rate: Any = "1/16",
    ego: Any = ("1/3", "2/5", "3/7", "1/2", "5/8"),
    learner: Any = ("1/2", "2/3", "1/3", "3/5", "2/5"),
) -> RationalProblem:
    """Return a problem whose numbers are fractions.

    Args:
        game: Axelrod's prisoner's dilemma if not given; with T − R = P − S one step cannot be shaped.
        shape: (B, M, T), small: there are 4^{MT} trajectories, taken B at a time.
        learning_rate: η of the learner, a number or a text such as "1/16", small enough to keep it in [0, 1].
        ego: [5] numbers or texts strictly between 0 and 1.
        learner: [5] numbers or texts from 0 to 1, where it starts.

    Raises:
        ValueError: if a number is no fraction or out of range, or the game has not two players.
    """
    game = games.axelrod() if game is None else game
    _checks.two_players(game, batch=False)
    tables = {"ego": fractions.exact(ego, "ego"), "learner": fractions.exact(learner, "learner")}
    for name, table in tables.items():
        if table.shape != (5,) or not all(0 <= p <= 1 for p in table):
            raise ValueError(f"{name} must be [5] probabilities; got {[str(x) for x in table.flat]}")
    rate = fractions.exact(learning_rate, "learning_rate")
    if rate.shape or not rate.item() >= 0:
        raise ValueError(f"learning_rate must be one number, 0 or more; got {learning_rate!r}")
    return RationalProblem(game, check_sizes(shape), rate.item(), tables["ego"], tables["learner"])
