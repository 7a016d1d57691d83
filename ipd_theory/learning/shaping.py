r"""What a fixed policy earns while another player learns against it, exactly, learning included.

Player 1 (the ego) plays logits φ, player 2 learns. Episode m is played with the learner's logits ψ_m, and

    ψ_{m+1} = ψ_m + η ∂J²(φ, ψ_m)/∂ψ        (a naive learner; m = 0 … M − 1).

The path ψ_0 … ψ_M depends on φ, so φ shapes it. The shaping objective averages over the whole path,

    J̄(φ) = 1/(M + 1) Σ_{m=0}^{M} J¹(φ, ψ_m(φ)),

and is differentiated through every step of the learner. The other objectives of the field weigh the episodes
differently, Σ_m w_m J¹(φ, ψ_m): all on m = M is LOLA-DiCE's last step, (1 − γ)γ^m the meta-value of Meta-Value
Learning. A factor λ on the part of the gradient that passes through ψ_m gives what the batch-unaware and M-FOS
estimators follow on average (λ = 1/B). Where the ego learns along the path as well, so that φ is only where it
begins, the objective is Meta-MAPG's; a policy that maximises J̄ and then stays fixed is the Good Shepherd's.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame
from ipd_theory.learning.batching import over_pairs
from ipd_theory.learning.group_path import group_shaping_return
from ipd_theory.learning.naive_path import naive_shaping_return
from ipd_theory.learning.optimizers import Optimizer, Transformation, checked_optimizer
from ipd_theory.learning.paths import path_returns, path_returns_of_both
from ipd_theory.learning.rules.base import Rule, checked_rules
from ipd_theory.learning.rules.gradients import naive
from ipd_theory.learning.views import PAIR_RANKS, RepeatedGame, checked_logits, repeated_game
from ipd_theory.returns import hold_sums, stopping_rate

_compiled_naive_shaping_return = compiled("num_inner_episodes", ranks=(1, 1, 2, 0, 0))(naive_shaping_return)
_compiled_group_shaping_return = compiled("num_inner_episodes")(group_shaping_return)


@checked
def shaping_return(
    game: MatrixGame,
    logits: Float[ArrayLike, "... _"],
    learner_logits: Float[ArrayLike, "... _"],
    *more_learners: Float[ArrayLike, "... _"],
    discount: ArrayLike,
    learning_rate: ArrayLike,
    num_inner_episodes: int,
    normalized: bool = True,
) -> Float[Array, "..."]:
    """Return the ego's average return while a naive learner, or several, take gradient steps against it.

    Args:
        game: the stage game, or a batch of them [...]; the ego is player 1, the learners are the others.
        logits: [..., h] of the ego's cooperation probabilities (start, CC, CD, DC, DD, …), of any memory.
        learner_logits: [..., h'] of the learner before its first step, in its own view, of any memory.
        *more_learners: [..., h''] of players 3, 4, … where there are more than two; all learners step at once, each on
            its own return.
        discount: [...] γ in [0, 1] of play within an episode; 1 is the limit of means.
        learning_rate: [...] the learners' step η, 0 or more.
        num_inner_episodes: M, how many steps the learners take; M + 1 episodes are played.
        normalized: returns, those the learners ascend included, are averages a step; otherwise sums Σ γ^t r,
            which makes the learners' steps 1/(1 − γ) times as large.

    Returns:
        [...] the mean over the M + 1 episodes, differentiable in everything, through the learners' steps.

    Raises:
        ValueError: if learners are not one fewer than the game's players, a shape is wrong, a discount leaves [0, 1],
            γ = 1 with sums, or M is not a whole number ≥ 0.

    Source: Meulemans et al., ICLR 2025, section 3 (the sum of the episodes' returns; here their mean).
    """
    n = game.num_players
    if len(more_learners) != n - 2:
        raise ValueError(f"more_learners must be {n - 2}, for the game has {n} players; got {len(more_learners)}")
    ego, learner, payoffs, delta, step = checked_shaping_arguments(
        game, logits, learner_logits, discount, learning_rate, num_inner_episodes, any_memory=True, more=more_learners
    )
    hold_sums(discount, normalized)
    scale = jnp.ones_like(delta) if normalized else 1 / delta
    if n > 2:
        group = ((ego,), learner, payoffs, delta, step * scale)
        return _compiled_group_shaping_return(*group, num_inner_episodes=num_inner_episodes) * scale
    arguments = (ego, learner, payoffs, delta, step * scale)
    returns = _compiled_naive_shaping_return(*arguments, num_inner_episodes=num_inner_episodes)
    return returns * scale


def checked_shaping_arguments(
    game: MatrixGame,
    logits: ArrayLike,
    learner_logits: ArrayLike,
    discount: ArrayLike,
    learning_rate: ArrayLike,
    num_inner_episodes: int,
    other_name: str = "learner_logits",
    any_memory: bool = False,
    more: tuple[ArrayLike, ...] = (),
) -> tuple[Array, Any, Array, Array, Array]:
    """Return checked logits, learner logits, outcome payoffs, stopping rate and learning rate, of one dtype.

    Where there are `more` learners, those of a game for more than two, the learners' logits are a tuple.
    """
    if not more:
        _checks.two_players(game)
    _checks.whole("num_inner_episodes", num_inner_episodes, 0)
    others = {other_name: learner_logits} | {f"more_learners[{i}]": y for i, y in enumerate(more)}
    named = {"logits": logits, **others}
    ego, *learners = checked_logits(any_memory=any_memory, num_players=game.num_players, **named)
    step = checked_step("learning_rate", learning_rate, ego.dtype)
    payoffs, delta = game.outcome_payoffs.astype(ego.dtype), stopping_rate(discount, ego.dtype)
    _checks.batch(
        logits=ego.shape[:-1],
        **{name: y.shape[:-1] for name, y in zip(others, learners, strict=True)},
        game=payoffs.shape[:-2],
        discount=delta.shape,
        learning_rate=step.shape,
    )
    return ego, tuple(learners) if more else learners[0], payoffs, delta, step


def checked_step(name: str, step: ArrayLike, dtype: np.dtype) -> Array:
    """Return a learner's step [...] in this dtype, or raise `ValueError` unless it is a finite number, 0 or more."""
    return _checks.in_range(name, jnp.asarray(step, dtype), 0.0, float(jnp.finfo(dtype).max))


@checked
def weighted_shaping_return(
    game: MatrixGame,
    logits: Float[ArrayLike, "... _"],
    learner_logits: Float[ArrayLike, "... _"],
    weights: Float[ArrayLike, " _"],
    *,
    discount: ArrayLike,
    learning_rate: float,
    learner: Rule | None = None,
    shaping_weight: float | None = None,
) -> Float[Array, "..."]:
    """Return Σ_m w_m J¹(φ, ψ_m), the ego's average return a step in each episode, weighted.

    Args:
        game: the stage game, or a batch of them [...].
        logits: [..., h] of the ego, of any memory.
        learner_logits: [..., h'] of the learner before its first step, in its own view, of any memory.
        weights: [M + 1] of the episodes. Equal ones give `shaping_return`, (0, …, 0, 1) LOLA-DiCE's last step,
            `anticipation.meta_value_weights(γ, M)` the meta-value.
        discount: [...] γ in [0, 1] of play within an episode.
        learning_rate: the learner's step η on its rule's direction.
        learner: the learner's rule, any of `learning.rules`; the naive gradient if None.
        shaping_weight: λ, a factor on the part of the gradient that passes through the learner's steps.

    Raises:
        ValueError: if a shape is wrong, a discount leaves [0, 1], or the learner's steps leave the finite numbers.

    Source: Foerster et al. 2018 (LOLA-DiCE), Cooijmans et al. 2023 (meta-value), Meulemans et al. 2025 (λ, section 2).
    """
    w = _checks.finite("weights", _checks.to_float(weights))
    if w.ndim != 1 or w.size == 0:
        raise ValueError(f"weights must be a list of one or more; got shape {w.shape}")
    view, x, y = _checked_view(game, logits, learner_logits, discount, learning_rate, w.size - 1, any_memory=True)
    (rule,) = checked_rules("learner", (naive() if learner is None else learner,))
    rate = jnp.asarray(learning_rate, x.dtype)
    weight = None if shaping_weight is None else jnp.asarray(shaping_weight, x.dtype)
    returns = _episode_returns(
        view, x, y, learner=rule, learning_rate=rate, num_steps=w.size - 1, shaping_weight=weight
    )
    return _finite(returns) @ w.astype(returns.dtype)


@checked
def meta_mapg_return(
    game: MatrixGame,
    logits: Float[ArrayLike, "... _"],
    other_logits: Float[ArrayLike, "... _"],
    rules: tuple[Rule, Rule],
    *,
    discount: ArrayLike,
    learning_rates: tuple[ArrayLike, ArrayLike],
    num_inner_episodes: int,
) -> Float[Array, "..."]:
    """Return the mean of J¹(φ_m, ψ_m) while both players learn, as a function of where they begin (Meta-MAPG).

    Args:
        game: the stage game, or a batch of them [...].
        logits: [..., 5] φ_0, the ego's learned initialisation.
        other_logits: [..., 5] ψ_0, in its own view.
        rules: what the ego and the other follow from there.
        discount: [...] γ in [0, 1] of play within an episode.
        learning_rates: [...] the ego's step and the other's, which may be learned as well.
        num_inner_episodes: M steps.

    Raises:
        ValueError: if a shape is wrong, a discount leaves [0, 1], M is not a whole number ≥ 0, or the players' steps
            leave the finite numbers.

    Source: Kim et al. 2021. `learned_start.learn_start` ascends it.
    """
    pair = checked_rules("rules", rules, 2)
    num_inner_episodes = _checks.whole("num_inner_episodes", num_inner_episodes, 0)
    if not isinstance(learning_rates, tuple | list) or len(learning_rates) != 2:
        raise ValueError(f"learning_rates must be two, the ego's and the other's; got {learning_rates!r}")
    view, x, y = _checked_view(game, logits, other_logits, discount, 0.0, num_inner_episodes, "other_logits")
    step, other_step = (checked_step(f"learning_rates[{i}]", rate, x.dtype) for i, rate in enumerate(learning_rates))
    return _finite(returns_while_both_learn(view, x, y, step, other_step, pair, num_inner_episodes)).mean(-1)


@checked
def good_shepherd(
    game: MatrixGame,
    logits: Float[ArrayLike, "... _"],
    learner_logits: Float[ArrayLike, "... learners _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    optimizer: Transformation,
    steps: int,
) -> Float[Array, "... 5"]:
    """Return logits [..., 5] of a policy trained to be held fixed while each of a set of naive learners learns.

    Args:
        game: the stage game.
        logits: [..., 5] where training starts.
        learner_logits: [..., learners, 5] the learners it is trained on.
        discount: γ of play within an episode.
        learning_rate: the learners' step.
        num_inner_episodes: M, the learners' steps.
        optimizer: carries the ascent on the mean shaping return over learners.
        steps: how many steps of ascent.

    Raises:
        ValueError: as `shaping_return`.

    Source: Balaguer et al. 2022.
    """
    ego, learners, payoffs, delta, step = checked_shaping_arguments(
        game, logits, learner_logits, discount, learning_rate, num_inner_episodes
    )
    count = _checks.whole("steps", steps, 0)
    if learners.ndim < 2 or payoffs.ndim > 2 or delta.ndim or step.ndim:
        raise ValueError(f"learner_logits must be (…, learners, 5), all else one; got shape {learners.shape}")
    _checks.batch(logits=ego.shape[:-1], learner_logits=learners.shape[:-2])
    optimized = checked_optimizer(optimizer)
    return _shepherd(ego, learners, payoffs, delta, step, num_inner_episodes, optimized, count)


@compiled("num_inner_episodes", "optimizer", "steps")
def _shepherd(
    ego: Array,
    learners: Array,
    payoffs: Array,
    delta: Array,
    step: Array,
    num_inner_episodes: int,
    optimizer: Optimizer,
    steps: int,
) -> Array:
    def loss(ego: Array) -> Array:
        earned = naive_shaping_return(ego[..., None, :], learners, payoffs, delta, step, num_inner_episodes)
        return -earned.mean(-1).sum()

    def ascend(state: tuple[Array, optax.OptState], _: None) -> tuple[tuple[Array, optax.OptState], None]:
        ego, memory = state
        change, memory = optimizer.update(jax.grad(loss)(ego), memory, ego)
        return (ego + change, memory), None

    (ego, _), _ = jax.lax.scan(ascend, (ego, optimizer.init(ego)), length=steps)
    return ego


def _checked_view(
    game: MatrixGame,
    logits: ArrayLike,
    other: ArrayLike,
    discount: ArrayLike,
    rate: ArrayLike,
    episodes: int,
    other_name: str = "learner_logits",
    any_memory: bool = False,
) -> tuple[RepeatedGame, Array, Array]:
    x, y, *_ = checked_shaping_arguments(game, logits, other, discount, rate, episodes, other_name, any_memory)
    return repeated_game(game, discount, x.dtype), x, y


def _finite(returns: Array) -> Array:
    """Return the returns of every episode, or raise: a learner whose step is undefined has no return to speak of."""
    return _checks.finite("returns along the learner's path", returns)


@compiled("num_steps", ranks=PAIR_RANKS)
def _episode_returns(
    view: RepeatedGame,
    x: Array,
    y: Array,
    learner: Rule,
    learning_rate: Array,
    num_steps: int,
    shaping_weight: Array | None,
) -> Array:
    def of_pair(view: RepeatedGame, x: Array, y: Array) -> Array:
        return path_returns(view, x, y, learner, learning_rate, num_steps, shaping_weight)

    return over_pairs(of_pair, view, x, y)


@compiled("num_steps")
def returns_while_both_learn(
    view: RepeatedGame,
    x: Float[Array, "... 5"],
    y: Float[Array, "... 5"],
    step: Float[Array, "..."],
    other_step: Float[Array, "..."],
    rules: tuple[Rule, ...],
    num_steps: int,
) -> Float[Array, "... episodes"]:
    """Return J_own(x_m, y_m), m = 0 … M, while both players learn; all leading axes broadcast.

    Args:
        view: the game from the ego's side.
        x: the ego's first logits.
        y: the other's.
        step: the ego's.
        other_step: the other's.
        rules: the ego's and the other's.
        num_steps: M.
    """

    def of_pair(view: RepeatedGame, x: Array, y: Array) -> Array:
        return path_returns_of_both(view, x[1:], y[1:], rules, (x[0], y[0]), num_steps)

    def with_step(step: Array, logits: Array) -> Array:
        batch = jnp.broadcast_shapes(step.shape, logits.shape[:-1])
        return jnp.concatenate(
            [jnp.broadcast_to(step[..., None], (*batch, 1)), jnp.broadcast_to(logits, (*batch, 5))], -1
        )

    return over_pairs(of_pair, view, with_step(step, x), with_step(other_step, y))
