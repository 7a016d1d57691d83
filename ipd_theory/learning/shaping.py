r"""What a fixed policy earns while another player learns against it, exactly, learning included.

Player 1 (the ego) plays logits φ, player 2 learns. Episode m is played with the learner's logits ψ_m, and

    ψ_{m+1} = ψ_m + η ∂J²(φ, ψ_m)/∂ψ        (a naive learner; m = 0 … M − 1).

The path ψ_0 … ψ_M depends on φ, so φ shapes it. The shaping objective averages over the whole path,

    J̄(φ) = 1/(M + 1) Σ_{m=0}^{M} J¹(φ, ψ_m(φ)),

and is differentiated through every step of the learner.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._elimination import Columns
from ipd_theory.games import MatrixGame
from ipd_theory.returns import SWAP, memory_one_return, stopping_rate

Step = Callable[[Any, None], tuple[Any, Any]]


def checkpointed_scan(step: Step, state: Any, length: int) -> tuple[Any, Any]:
    """Return `jax.lax.scan(step, state, length=length)` that keeps little for the way back.

    Up to 64 steps keep only the state before each step and compute the rest again, which is also faster than
    reading it from memory; longer scans run in blocks of about √length and keep the states between blocks.

    Args:
        step: maps (state, None) to (next state, output).
        state: the first state, any tree of arrays.
        length: how many steps, 0 or more.
    """
    step = jax.checkpoint(step, prevent_cse=False)
    if length <= 64:
        return jax.lax.scan(step, state, length=length)
    block = math.isqrt(length)

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def run_block(state: Any, _: None) -> tuple[Any, Any]:
        return jax.lax.scan(step, state, length=block)

    state, blocks = jax.lax.scan(run_block, state, length=length // block)
    outputs = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), blocks)
    if length % block:
        state, rest = jax.lax.scan(step, state, length=length % block)
        outputs = jax.tree.map(lambda x, y: jnp.concatenate([x, y]), outputs, rest)
    return state, outputs


def _sigmoid(logits: Columns) -> Columns:
    return tuple(jax.nn.sigmoid(x) for x in logits)


def naive_step(ego: Columns, learner: Columns, payoffs: Columns, delta: Array, learning_rate: Array) -> Columns:
    """Return the learner's logits after one gradient step on its own normalised return.

    Args:
        ego: five columns [...], player 1's cooperation probabilities.
        learner: five columns, player 2's logits in player 1's order, each of the full batch shape.
        payoffs: four columns [...], player 2's payoffs after CC, CD, DC, DD.
        delta: [...] stopping rates 1 − γ.
        learning_rate: [...] the step η.
    """

    def total(logits: Columns) -> Array:
        return memory_one_return(ego, _sigmoid(logits), delta, payoffs).sum()

    return tuple(x + learning_rate * g for x, g in zip(learner, jax.grad(total)(learner), strict=True))


def naive_shaping_return(
    logits: Array, learner_logits: Array, payoffs: Array, delta: Array, learning_rate: Array, num_inner_episodes: int
) -> Array:
    """Return J̄ [...] without checking the input; arguments as `shaping_return`, for hot loops.

    Args:
        logits: [..., 5], the ego's.
        learner_logits: [..., 5], the learner's before its first step, in its own view.
        payoffs: [..., 2, 4] payoffs of both players after CC, CD, DC, DD as player 1 sees them.
        delta: [...] stopping rates 1 − γ.
        learning_rate: [...] the learner's step on its normalised return.
        num_inner_episodes: M, the number of steps.
    """
    batch = jnp.broadcast_shapes(
        logits.shape[:-1], learner_logits.shape[:-1], payoffs.shape[:-2], jnp.shape(delta), jnp.shape(learning_rate)
    )
    ego = _sigmoid(tuple(logits[..., i] for i in range(5)))
    learner = tuple(jnp.broadcast_to(learner_logits[..., i], batch) for i in SWAP)
    own, others = (tuple(payoffs[..., i, j] for j in range(4)) for i in range(2))

    def episode(state: tuple[Columns, Array], _: None) -> tuple[tuple[Columns, Array], None]:
        learner, total = state
        total = total + memory_one_return(ego, _sigmoid(learner), delta, own)
        return (naive_step(ego, learner, others, delta, learning_rate), total), None

    zero = jnp.zeros(batch, logits.dtype)
    (learner, total), _ = checkpointed_scan(episode, (learner, zero), num_inner_episodes)
    total = total + memory_one_return(ego, _sigmoid(learner), delta, own)
    return total / jnp.asarray(num_inner_episodes + 1, total.dtype)


_compiled_naive_shaping_return = jax.jit(naive_shaping_return, static_argnames="num_inner_episodes")


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
    returns = _compiled_naive_shaping_return(ego, learner, payoffs, delta, step * scale, num_inner_episodes)
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
