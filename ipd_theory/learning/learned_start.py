r"""Where a learner should begin, and how far it should step, if all its later learning counts.

Two players follow their rules from (φ_0, ψ_0). Meta-MAPG's objective (`shaping.meta_mapg_return`) is what the first
earns on the way, as a function of φ_0 and of its own step η,

    J̄(φ_0, η) = E_ψ_0 [ 1/(M + 1) Σ_{m=0}^{M} J¹(φ_m, ψ_m) ],        ψ_0 ~ N(μ, σ²),

and `learn_start` ascends it, each time among new opponents. Where both rules are naive this is M-MAML.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, Key

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame
from ipd_theory.learning.optimizers import Optimizer, Transformation, checked_optimizer
from ipd_theory.learning.rules.base import Rule, checked_rules
from ipd_theory.learning.shaping import checked_step, returns_while_both_learn
from ipd_theory.learning.views import MEMORY_ONE, RepeatedGame, checked_logits, repeated_game

Learned = tuple[Array, ...]  # logits [n, 5], and the steps [n] where they are learned


class LearnedStart(NamedTuple):
    """What training came to.

    Args:
        logits: [..., 5] φ_0 after the last update.
        step: [...] the learner's own step η, 0 or more.
        returns: [..., updates] the mean return J̄ among the opponents of each update, before it.
    """

    logits: Float[Array, "... 5"]
    step: Float[Array, "..."]
    returns: Float[Array, "... updates"]


@checked
def learn_start(
    game: MatrixGame,
    logits: Float[ArrayLike, "... _"],
    rules: tuple[Rule, Rule],
    *,
    discount: float,
    learning_rates: tuple[ArrayLike, ArrayLike],
    num_inner_episodes: int,
    optimizer: Transformation,
    updates: int,
    num_opponents: int,
    key: Key[Array, ""],
    opponents_mean: Float[ArrayLike, "..."] = 0.0,
    opponents_spread: float = 1.0,
    learn_step: bool = True,
) -> LearnedStart:
    """Return where learners come to begin that ascend what they earn while they and their opponents learn.

    Args:
        game: the stage game, one; learners are player 1.
        logits: [..., 5] φ_0 before training; learners of a batch train apart from each other.
        rules: what a learner and its opponents follow from where they begin.
        discount: γ in [0, 1] of play within an episode; returns are averages a step.
        learning_rates: a learner's step, [...] or one for all, before training, and the opponents', one.
        num_inner_episodes: M, the steps of both; M + 1 episodes are played.
        optimizer: carries the ascent on φ_0 and the step, for each learner by itself.
        updates: how many.
        num_opponents: how many opponents each learner meets in an update.
        key: draws the opponents.
        opponents_mean: [5] or one number, μ of the opponents' first logits, in their own view.
        opponents_spread: σ of them, 0 or more.
        learn_step: whether the step is learned as well; it is held at 0 or more. Otherwise it stays as given.

    Raises:
        ValueError: if a shape is wrong, a discount leaves [0, 1], a step or spread is negative, a count is not whole,
            or the players' steps leave the finite numbers.

    Source: Kim et al. 2021 (Meta-MAPG); M-MAML in Cooijmans et al. 2023, with AdamW on φ_0 and the step.
    """
    pair = checked_rules("rules", rules, 2)
    episodes = _checks.whole("num_inner_episodes", num_inner_episodes, 0)
    counts = _checks.whole("updates", updates, 0), _checks.whole("num_opponents", num_opponents, 1)
    (x,) = checked_logits(logits=logits)
    step, other_step = (checked_step(f"learning_rates[{i}]", rate, x.dtype) for i, rate in enumerate(learning_rates))
    batch = x.shape[:-1]
    if game.outcome_payoffs.ndim > 2 or other_step.ndim or not _fits(step.shape, batch):
        raise ValueError(
            f"game and learning_rates[1] must be one, learning_rates[0] one or of the shape of logits but the last "
            f"axis, {batch}; got shapes {game.outcome_payoffs.shape[:-2]}, {other_step.shape} and {step.shape}"
        )
    mean = _checks.finite("opponents_mean", jnp.asarray(opponents_mean, x.dtype))
    if mean.shape not in ((), (MEMORY_ONE,)):
        raise ValueError(f"opponents_mean must be one number or one for each of 5 contexts; got shape {mean.shape}")
    spread = jnp.asarray(_checks.number("opponents_spread", opponents_spread, 0.0), x.dtype)
    learned, returns = _train(
        repeated_game(game, discount, x.dtype),
        (x.reshape(-1, MEMORY_ONE), jnp.broadcast_to(step, batch).reshape(-1)),
        (other_step, mean, spread),
        pair,
        key,
        num_inner_episodes=episodes,
        optimizer=checked_optimizer(optimizer),
        counts=counts,
        learn_step=learn_step,
    )
    returns = _checks.finite("returns while both learn", returns)
    return LearnedStart(*(a.reshape(*batch, *a.shape[1:]) for a in (*learned, returns)))


def _fits(shape: tuple[int, ...], batch: tuple[int, ...]) -> bool:
    """Return whether an array of this shape broadcasts to the batch."""
    return len(shape) <= len(batch) and all(a in (1, b) for a, b in zip(shape[::-1], batch[::-1], strict=False))


@compiled("num_inner_episodes", "optimizer", "counts", "learn_step")
def _train(
    view: RepeatedGame,
    start: tuple[Array, Array],
    opponents: tuple[Array, Array, Array],
    rules: tuple[Rule, ...],
    key: Array,
    num_inner_episodes: int,
    optimizer: Optimizer,
    counts: tuple[int, int],
    learn_step: bool,
) -> tuple[tuple[Array, Array], Array]:
    """Return logits [n, 5] and steps [n] after training, and the returns [n, updates] on the way."""
    other_step, mean, spread = opponents
    updates, num_opponents = counts

    def both(learned: Learned) -> tuple[Array, Array]:
        return learned[0], learned[1] if learn_step else start[1]

    def loss(learned: Learned, others: Array) -> tuple[Array, Array]:
        logits, step = both(learned)
        returns = returns_while_both_learn(
            view, logits[:, None], others, step[:, None], other_step, rules, num_inner_episodes
        ).mean((-2, -1))
        return -returns.sum(), returns

    def ascend(state: tuple[Learned, optax.OptState], key: Array) -> tuple[tuple[Learned, optax.OptState], Array]:
        learned, memory = state
        others = mean + spread * jax.random.normal(key, (len(start[0]), num_opponents, MEMORY_ONE), mean.dtype)
        gradient, returns = jax.grad(loss, has_aux=True)(learned, others)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counts and floats
            change, memory = jax.vmap(optimizer.update)(gradient, memory, learned)
        logits, *step = (x + dx for x, dx in zip(learned, change, strict=True))
        return ((logits, *(jnp.maximum(s, 0) for s in step)), memory), returns

    first: Learned = start if learn_step else start[:1]
    state = first, jax.vmap(optimizer.init)(first)
    (learned, _), returns = jax.lax.scan(ascend, state, jax.random.split(key, updates))
    return both(learned), returns.T
