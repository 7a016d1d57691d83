r"""Naive learners: tabular players that follow their own policy gradient, estimated from the batch they just played.

From B episodes of T steps with contexts c, actions a, rewards r and G_t = Σ_{k≥t} γ^{k−t} r_k, a learner moves along

    (1/B) Σ_b Σ_t A_{b,t} ∇ log π(a_{b,t} | c_{b,t}),

with A = G (REINFORCE), A = G − V(c) (actor-critic with Monte-Carlo returns), or either brought to mean 0 and standard
deviation 1 over the batch. A learner is three functions: `init(table)` makes its state from a start table [h],
`policy(state)` gives its cooperation probabilities [h], and `update(state, seen)` is one step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from ipd_theory import _checks
from ipd_theory.sampling import estimators
from ipd_theory.sampling._held import held


class Seen(NamedTuple):
    """What one player saw, did (0 cooperate, 1 defect) and got, step by step."""

    contexts: Int[Array, "*batch T"]
    actions: Int[Array, "*batch T"]
    rewards: Float[Array, "*batch T"]


class TabularLearner(NamedTuple):
    """A learning rule; `update` sees the B episodes [B, T] of one inner episode."""

    init: Callable[[Any], Any]
    policy: Callable[[Any], Any]
    update: Callable[[Any, Seen], Any]


class _GradientState(NamedTuple):
    parameters: tuple[Array, Array]  # logits [h] and values [h]
    optimizer: Any


@held
def policy_gradient(
    optimizer: optax.GradientTransformation,
    *,
    discount: float = 1.0,
    critic: bool = False,
    value_coefficient: float = 0.5,
    normalize_advantages: bool = False,
) -> TabularLearner:
    """Return REINFORCE, or actor-critic with Monte-Carlo returns, in logits, under any optax optimizer.

    Args:
        optimizer: what turns gradients into steps, for example `optax.sgd(1.0)` or `optax.adam(0.05)`.
        discount: γ of the learner's returns.
        critic: whether to learn a value for each context, from 0, and subtract it.
        value_coefficient: the weight of the squared value error (V − G)² in the loss.
        normalize_advantages: whether to bring the advantages of the batch to mean 0 and standard deviation 1.

    Raises:
        TypeError: if the optimizer is none of optax's.
        ValueError: if γ lies outside [0, 1], or the coefficient below 0.
    """
    _checks.instance("optimizer", optimizer, optax.GradientTransformation, "such as optax.sgd(1.0)")
    _checks.number("discount", discount, 0.0, 1.0)
    _checks.number("value_coefficient", value_coefficient, 0.0)

    def init(logits: Array) -> _GradientState:
        parameters = (jnp.asarray(logits), jnp.zeros_like(logits))
        return _GradientState(parameters, optimizer.init(parameters))

    def policy(state: _GradientState) -> Array:
        return jax.nn.sigmoid(state.parameters[0])

    def update(state: _GradientState, seen: Seen) -> _GradientState:
        logits, values = state.parameters
        B = seen.rewards.shape[0]
        rewards = seen.rewards[:, None, :]  # one inner episode: M = 1
        returns = estimators.lambda_returns(rewards, jnp.zeros_like(rewards), discount=discount)[:, 0]
        advantages = returns - values[seen.contexts] if critic else returns
        if normalize_advantages:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        every_context = jnp.arange(logits.size, dtype=seen.contexts.dtype)
        visits = (seen.contexts[..., None] == every_context).astype(logits.dtype)
        scores = (seen.actions == 0).astype(logits.dtype) - jax.nn.sigmoid(logits)[seen.contexts]
        to_ascend = jnp.einsum("bt,bth->h", advantages * scores, visits) / B
        errors = values[seen.contexts] - returns
        to_descend = 2 * value_coefficient * jnp.einsum("bt,bth->h", errors, visits) / B
        gradients = (-to_ascend, to_descend if critic else jnp.zeros_like(values))
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer powers
            updates, optimizer_state = optimizer.update(gradients, state.optimizer, state.parameters)
        return _GradientState(optax.apply_updates(state.parameters, updates), optimizer_state)

    return TabularLearner(init, policy, update)


@held
def reinforce(learning_rate: float, discount: float = 1.0) -> TabularLearner:
    """Return plain REINFORCE by gradient ascent on logits.

    Args:
        learning_rate: η, 0 or more.
        discount: γ of the learner's returns.

    Raises:
        ValueError: if either is out of range.
    """
    _checks.number("learning_rate", learning_rate, 0.0)
    return policy_gradient(optax.sgd(learning_rate), discount=discount)


def reinforce_in_probabilities(learning_rate: Any) -> TabularLearner:
    """Return REINFORCE that steps in probability space: p_c += η (1/B) Σ G (1[cooperated] − p_c) over visits of c.

    It uses array methods only and a rational learning rate keeps rational probabilities rational. Nothing keeps them
    in [0, 1] but a small enough η.

    Args:
        learning_rate: η, a number or a `Fraction`, 0 or more.

    Raises:
        ValueError: if it is anything else.
    """
    _checks.number("learning_rate", learning_rate, 0.0)

    def update(p: Any, seen: Seen) -> Any:
        B = seen.rewards.shape[0]
        returns = seen.rewards[:, ::-1].cumsum(-1)[:, ::-1]
        with jax.numpy_dtype_promotion("standard"):  # truth values count as 0 and 1
            visits = seen.contexts[..., None] == np.arange(p.size)
            pushes = returns[..., None] * ((seen.actions == 0)[..., None] - p)
            return p + learning_rate * (visits * pushes).sum((0, 1)) / B

    return TabularLearner(lambda p: p, lambda p: p, update)
