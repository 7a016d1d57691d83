r"""A player that keeps learning while the other's policy stands still, as one differentiable computation.

The learner starts at y_0 and takes M steps of its rule against the ego's parameters x,

    y_{m+1} = y_m + η · direction(y_m; x),        J_m(x) = J_own(x, y_m(x)),    m = 0 … M,

and every objective of a shaping agent is a weighted sum Σ_m w_m J_m: w_m = 1/(M + 1) the whole path (COALA),
all on w_M the last step (LOLA-DiCE), w_m ∝ γ^m the meta-value (Meta-Value Learning).
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Array, ArrayLike, Float

from ipd_theory.learning.rules.base import Rule
from ipd_theory.learning.views import View

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


def scale_gradient(x: Array, factor: ArrayLike) -> Array:
    """Return `x`, with its derivative multiplied by `factor`."""
    fixed = stop_gradient(x)
    return fixed + factor * (x - fixed)


def last_learner(view: View, x: Array, y: Array, learner: Rule, learning_rate: ArrayLike, num_steps: int) -> Array:
    """Return y_M, the learner's parameters after its last step.

    Args:
        view: the game from the ego's side.
        x: the ego's parameters.
        y: y_0, the learner's first parameters.
        learner: the learner's rule.
        learning_rate: η.
        num_steps: M.
    """
    step = _learner_step(view, x, learner, learning_rate)
    (y, _), _ = checkpointed_scan(lambda state, _: (step(state), None), (y, learner.init(y, x)), num_steps)
    return y


def _learner_step(view: View, x: Array, learner: Rule, learning_rate: ArrayLike) -> Callable[[Any], Any]:
    def step(state: tuple[Array, Any]) -> tuple[Array, Any]:
        y, memory = state
        direction, memory, _ = learner.update(view.swapped(), y, x, memory)
        return y + learning_rate * direction, memory

    return step


def path_returns(
    view: View,
    x: Array,
    y: Array,
    learner: Rule,
    learning_rate: ArrayLike,
    num_steps: int,
    shaping_weight: ArrayLike | None = None,
) -> Float[Array, " episodes"]:
    """Return the ego's returns J_0 … J_M along the learner's path.

    Args:
        view: the game from the ego's side.
        x: the ego's parameters.
        y: y_0, the learner's first parameters.
        learner: the learner's rule.
        learning_rate: η.
        num_steps: M.
        shaping_weight: λ, a factor on the part of the derivative that passes through the learner's steps.
    """
    step = _learner_step(view, x, learner, learning_rate)

    def earned(y: Array) -> Array:
        return view.own(x, y if shaping_weight is None else scale_gradient(y, shaping_weight))

    state, returns = checkpointed_scan(
        lambda state, _: (step(state), earned(state[0])), (y, learner.init(y, x)), num_steps
    )
    return jnp.append(returns, earned(state[0]))


def policies_returns(
    view: View, x: Float[Array, "episodes h"], y: Array, learner: Rule, learning_rate: ArrayLike
) -> Float[Array, " episodes"]:
    """Return the ego's returns J_own(x_m, y_m), where the ego plays other parameters in each episode.

    Args:
        view: the game from the ego's side.
        x: [M + 1, h] the ego's parameters, episode by episode.
        y: y_0, the learner's first parameters.
        learner: the learner's rule.
        learning_rate: η.
    """

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def episode(state: tuple[Array, Any], x: Array) -> tuple[tuple[Array, Any], Array]:
        return _learner_step(view, x, learner, learning_rate)(state), view.own(x, state[0])

    (y, _), returns = jax.lax.scan(episode, (y, learner.init(y, x[0])), x[:-1])
    return jnp.append(returns, view.own(x[-1], y))


def path_returns_of_both(
    view: View,
    x: Array,
    y: Array,
    rules: tuple[Rule, ...],
    learning_rates: tuple[ArrayLike, ArrayLike],
    num_steps: int,
) -> Float[Array, " episodes"]:
    """Return J_own(x_m, y_m), m = 0 … M, while both players learn from (x, y).

    Args:
        view: the game from the ego's side.
        x: x_0, the ego's parameters.
        y: y_0, the other's.
        rules: the ego's and the other's.
        learning_rates: the owner's step and the other's.
        num_steps: M.
    """

    def step(state: tuple[Array, Array, Any, Any], nothing: None) -> tuple[tuple[Array, Array, Any, Any], Array]:
        x, y, mine, theirs = state
        d_x, mine, _ = rules[0].update(view, x, y, mine)
        d_y, theirs, _ = rules[1].update(view.swapped(), y, x, theirs)
        return (x + learning_rates[0] * d_x, y + learning_rates[1] * d_y, mine, theirs), view.own(x, y)

    start = (x, y, rules[0].init(x, y), rules[1].init(y, x))
    (x, y, _, _), returns = checkpointed_scan(step, start, num_steps)
    return jnp.append(returns, view.own(x, y))
