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

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._engine import Columns, compiled, memory_one_return
from ipd_theory.games import MatrixGame
from ipd_theory.learning.play import over_pairs
from ipd_theory.learning.rules.base import PAIR_RANKS, RepeatedGame, Rule, repeated_game
from ipd_theory.learning.rules.gradients import naive
from ipd_theory.learning.rules.paths import checkpointed_scan, path_returns, path_returns_of_both, scale_gradient
from ipd_theory.returns import stopping_rate
from ipd_theory.strategies import CONTEXT_SWAP


def cooperation(logits: Columns, tremble: Array | None = None) -> Columns:
    """Return the probabilities of cooperating; each action is flipped with probability `tremble` [...], if given."""
    table = tuple(jax.nn.sigmoid(x) for x in logits)
    return table if tremble is None else tuple(tremble + (1 - 2 * tremble) * x for x in table)


def naive_step(
    ego: Columns,
    learner: Columns,
    payoffs: Columns,
    delta: Array,
    learning_rate: Array,
    tremble: Array | None = None,
) -> Columns:
    """Return the learner's logits after one gradient step on its own normalised return.

    Args:
        ego: five columns [...], player 1's cooperation probabilities, trembles included.
        learner: five columns, player 2's logits in player 1's order, each of the full batch shape.
        payoffs: four columns [...], player 2's payoffs after CC, CD, DC, DD.
        delta: [...] stopping rates 1 − γ.
        learning_rate: [...] the step η.
        tremble: [...] probability with which the learner's actions are flipped; never if None.
    """

    def total(logits: Columns) -> Array:
        return memory_one_return(ego, cooperation(logits, tremble), delta, payoffs).sum()

    return tuple(x + learning_rate * g for x, g in zip(learner, jax.grad(total)(learner), strict=True))


def naive_shaping_return(
    logits: Array,
    learner_logits: Array,
    payoffs: Array,
    delta: Array,
    learning_rate: Array,
    num_inner_episodes: int,
    *,
    steps_taken: Array | None = None,
    shaping_weight: Array | None = None,
    tremble: Array | None = None,
) -> Array:
    """Return J̄ [...] without checking the input; arguments as `shaping_return`, for hot loops.

    Args:
        logits: [..., 5], the ego's.
        learner_logits: [..., 5], the learner's before its first step, in its own view.
        payoffs: [..., 2, 4] payoffs of both players after CC, CD, DC, DD as player 1 sees them.
        delta: [...] stopping rates 1 − γ.
        learning_rate: [...] the learner's step on its normalised return.
        num_inner_episodes: M, the number of steps, and how many are compiled where `steps_taken` are fewer.
        steps_taken: [...] where M differs over the batch, each M ≤ `num_inner_episodes`.
        shaping_weight: [...] λ, a factor on the part of the derivative that passes through the learner's steps.
        tremble: [...] probability with which any action is flipped.
    """
    batch = jnp.broadcast_shapes(
        logits.shape[:-1], learner_logits.shape[:-1], payoffs.shape[:-2], jnp.shape(delta), jnp.shape(learning_rate)
    )
    ego = cooperation(tuple(logits[..., i] for i in range(5)), tremble)
    learner = tuple(jnp.broadcast_to(learner_logits[..., i], batch) for i in CONTEXT_SWAP)
    own, others = (tuple(payoffs[..., i, j] for j in range(4)) for i in range(2))

    def earned(learner: Columns) -> Array:
        if shaping_weight is not None:
            learner = tuple(scale_gradient(x, shaping_weight) for x in learner)
        return memory_one_return(ego, cooperation(learner, tremble), delta, own)

    zero = jnp.zeros(batch, logits.dtype)
    last = jnp.asarray(num_inner_episodes if steps_taken is None else steps_taken, zero.dtype)

    def played(m: Array, learner: Columns) -> Array:
        return earned(learner) if steps_taken is None else jnp.where(m <= last, earned(learner), zero)

    def episode(state: tuple[Columns, Array, Array], _: None) -> tuple[tuple[Columns, Array, Array], None]:
        learner, total, m = state
        # Beyond its own M a learner stands still, and what is earned does not count.
        step = learning_rate if steps_taken is None else jnp.where(m < last, learning_rate, zero)
        total = total + played(m, learner)
        return (naive_step(ego, learner, others, delta, step, tremble), total, m + 1), None

    first = (learner, zero, jnp.zeros((), zero.dtype))
    (learner, total, m), _ = checkpointed_scan(episode, first, num_inner_episodes)
    return (total + played(m, learner)) / (last + 1)


_compiled_naive_shaping_return = compiled("num_inner_episodes", ranks=(1, 1, 2, 0, 0))(naive_shaping_return)


def shaping_return(
    game: MatrixGame,
    logits: Float[ArrayLike, "... _"],
    learner_logits: Float[ArrayLike, "... _"],
    *,
    discount: ArrayLike,
    learning_rate: ArrayLike,
    num_inner_episodes: int,
    normalized: bool = True,
) -> Float[Array, "..."]:
    """Return the ego's average return while a naive learner takes gradient steps against it.

    Args:
        game: the stage game, or a batch of them [...]; the ego is player 1, the learner player 2.
        logits: [..., 5] of the ego's cooperation probabilities (start, CC, CD, DC, DD).
        learner_logits: [..., 5] of the learner before its first step, in its own view.
        discount: [...] γ in [0, 1] of play within an episode; 1 is the limit of means.
        learning_rate: [...] the learner's step η, 0 or more.
        num_inner_episodes: M, how many steps the learner takes; M + 1 episodes are played.
        normalized: returns, those the learner ascends included, are averages a step; otherwise sums Σ γ^t r,
            which makes the learner's steps 1/(1 − γ) times as large.

    Returns:
        [...] the mean over the M + 1 episodes, differentiable in everything, through the learner's steps.

    Raises:
        ValueError: if a shape is wrong, a discount leaves [0, 1], γ = 1 with sums, or M is not a whole number ≥ 0.

    Source: Meulemans et al., ICLR 2025, section 3 (the sum of the episodes' returns; here their mean).
    """
    ego, learner, payoffs, delta, step = checked_shaping_arguments(
        game, logits, learner_logits, discount, learning_rate, num_inner_episodes
    )
    scale = jnp.ones_like(delta) if normalized else _sum_scale(discount, delta)
    arguments = (ego, learner, payoffs, delta, step * scale)
    returns = _compiled_naive_shaping_return(*arguments, num_inner_episodes=num_inner_episodes)
    return returns * scale


def _sum_scale(discount: ArrayLike, delta: Array) -> Array:
    if not isinstance(discount, jax.core.Tracer) and bool((np.asarray(discount) == 1).any()):
        raise ValueError("discount holds 1.0, where un-normalised returns are infinite; use normalized=True")
    return 1 / delta


def checked_shaping_arguments(
    game: MatrixGame,
    logits: ArrayLike,
    learner_logits: ArrayLike,
    discount: ArrayLike,
    learning_rate: ArrayLike,
    num_inner_episodes: int,
) -> tuple[Array, Array, Array, Array, Array]:
    """Return checked logits, learner logits, outcome payoffs, stopping rate and learning rate, of one dtype."""
    arrays = [jnp.asarray(x) for x in (logits, learner_logits)]
    for name, x in zip(("logits", "learner_logits"), arrays, strict=True):
        _checks.last_axis(name, x, (5,), "the contexts of memory one")
    if game.num_players != 2:
        raise ValueError(f"game must have two players; it has {game.num_players}")
    if not isinstance(num_inner_episodes, int) or num_inner_episodes < 0:
        raise ValueError(f"num_inner_episodes must be a whole number, 0 or more; got {num_inner_episodes}")
    dtype = np.result_type(np.float32, *(x.dtype for x in arrays))
    step = _checks.in_range("learning_rate", jnp.asarray(learning_rate, dtype), 0.0, math.inf)
    ego, learner = (x.astype(dtype) for x in arrays)
    return ego, learner, game.outcome_payoffs.astype(dtype), stopping_rate(discount, dtype), step


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
        logits: [..., 5] of the ego.
        learner_logits: [..., 5] of the learner before its first step, in its own view.
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
    w = np.asarray(weights)
    view, x, y = _checked_view(game, logits, learner_logits, discount, learning_rate, max(w.size - 1, 0))
    if w.ndim != 1 or w.size == 0:
        raise ValueError(f"weights must be a list of one or more; got shape {w.shape}")
    returns = _episode_returns(
        view,
        x,
        y,
        learner=learner or naive(),
        learning_rate=learning_rate,
        num_steps=w.size - 1,
        shaping_weight=shaping_weight,
    )
    return _finite(returns) @ jnp.asarray(w, returns.dtype)


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

    Source: Kim et al. 2021. Trained as M-MAML in Cooijmans et al. 2023 (both naive, γ 0.96, M = 300, Adam on φ_0 and
    the ego's step), 20 initialisations earn −1.235 ± 0.069 against each other; published −1.224, on 10 and 10.
    """
    view, x, y = _checked_view(game, logits, other_logits, discount, learning_rates[0], num_inner_episodes)
    step, other_step = (jnp.asarray(rate, x.dtype) for rate in learning_rates)
    return _finite(_both_returns(view, x, y, step, other_step, rules, num_inner_episodes)).mean(-1)


def good_shepherd(
    game: MatrixGame,
    logits: Float[ArrayLike, "... _"],
    learner_logits: Float[ArrayLike, "... learners _"],
    *,
    discount: float,
    learning_rate: float,
    num_inner_episodes: int,
    optimiser: optax.GradientTransformation,
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
        optimiser: carries the ascent on the mean shaping return over learners.
        steps: how many steps of ascent.

    Raises:
        ValueError: as `shaping_return`.

    Source: Balaguer et al. 2022.
    """
    ego, learners, payoffs, delta, step = checked_shaping_arguments(
        game, logits, learner_logits, discount, learning_rate, num_inner_episodes
    )
    return _shepherd(ego, learners, payoffs, delta, step, num_inner_episodes, optimiser, steps)


@compiled("num_inner_episodes", "optimiser", "steps")
def _shepherd(
    ego: Array,
    learners: Array,
    payoffs: Array,
    delta: Array,
    step: Array,
    num_inner_episodes: int,
    optimiser: optax.GradientTransformation,
    steps: int,
) -> Array:
    def loss(ego: Array) -> Array:
        earned = naive_shaping_return(ego[..., None, :], learners, payoffs, delta, step, num_inner_episodes)
        return -earned.mean(-1).sum()

    def ascend(state: tuple[Array, optax.OptState], _: None) -> tuple[tuple[Array, optax.OptState], None]:
        ego, memory = state
        change, memory = optimiser.update(jax.grad(loss)(ego), memory, ego)
        return (ego + change, memory), None

    (ego, _), _ = jax.lax.scan(ascend, (ego, optimiser.init(ego)), length=steps)
    return ego


def _checked_view(
    game: MatrixGame, logits: ArrayLike, other: ArrayLike, discount: ArrayLike, rate: ArrayLike, episodes: int
) -> tuple[RepeatedGame, Array, Array]:
    x, y, *_ = checked_shaping_arguments(game, logits, other, discount, rate, episodes)
    return repeated_game(game, discount, x.dtype), x, y


def _finite(returns: Array) -> Array:
    """Return the returns of every episode, or raise: a learner whose step is undefined has no return to speak of."""
    largest = float(jnp.finfo(returns.dtype).max)
    return _checks.in_range("returns along the learner's path", returns, -largest, largest)


@compiled("learner", "learning_rate", "num_steps", "shaping_weight", ranks=PAIR_RANKS)
def _episode_returns(
    view: RepeatedGame,
    x: Array,
    y: Array,
    learner: Rule,
    learning_rate: float,
    num_steps: int,
    shaping_weight: float | None,
) -> Array:
    def of_pair(view: RepeatedGame, x: Array, y: Array) -> Array:
        return path_returns(view, x, y, learner, learning_rate, num_steps, shaping_weight)

    return over_pairs(of_pair, view, x, y)


@compiled("rules", "num_steps")
def _both_returns(
    view: RepeatedGame, x: Array, y: Array, step: Array, other_step: Array, rules: tuple[Rule, Rule], num_steps: int
) -> Array:
    def of_pair(view: RepeatedGame, x: Array, y: Array) -> Array:
        return path_returns_of_both(view, x[1:], y[1:], rules, (x[0], y[0]), num_steps)

    def with_step(step: Array, logits: Array) -> Array:
        batch = jnp.broadcast_shapes(step.shape, logits.shape[:-1])
        return jnp.concatenate(
            [jnp.broadcast_to(step[..., None], (*batch, 1)), jnp.broadcast_to(logits, (*batch, 5))], -1
        )

    return over_pairs(of_pair, view, with_step(step, x), with_step(other_step, y))
