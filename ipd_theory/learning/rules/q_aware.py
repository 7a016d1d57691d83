r"""Rules that take the other's policy for a softmax of its action values.

If the other cooperates in context s with logit y_s = β Q_2(s, C) − β Q_2(s, D) + …, then moving x moves it through
Q_2, and the owner's gradient gains a shaping term (LOQA, Aghajohari et al. 2024):

    ∇_x J_1(x, ŷ(x)),   ŷ_s(x) = y_s + β [Δ_s(x) − Δ_s fixed],   Δ_s = Q_2(s, C) − Q_2(s, D).

By the policy gradient theorem the same term is a sum over pairs of times k ≤ t (Advantage Alignment, Duque et
al. 2025),

    β Σ_t γ^t E[∇ log π_1(a_t | s_t) A2_t Σ_{k ≤ t} A1_k],

with A1_k averaged over the owner's action and A2_t of the joint action. The derivation drops k = t, where the
owner's own simultaneous action moves Q_2(s_t, b_t). The published algorithm also takes A1_k of the joint action
actually played, and weighs it by γ^{t−k} and the whole term by γ once more.
Advantages and values are sums Σ γ^t r here, whatever the scale of the returns.
"""

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Array

from ipd_theory._engine import censored, memory_one_occupancy, memory_one_value_gaps
from ipd_theory.learning.rules.base import Number, Published, Rule, ascent, number
from ipd_theory.learning.views import RepeatedGame, View, as_repeated_game
from ipd_theory.strategies import CONTEXT_SWAP


def others_value_gaps(view: RepeatedGame, x: Array, y: Array) -> Array:
    """Return Δ [5], the other's Q(s, C) − Q(s, D) in each of its own contexts."""
    p, q = view.columns(x, y)
    gaps = memory_one_value_gaps(p, q, view.delta, tuple(view.other_payoffs[i] for i in range(4)))
    return jnp.stack([gaps.gains(p[i], q[i])[1] for i in CONTEXT_SWAP])


def _loqa(view: View, x: Array, y: Array, beta: Number) -> Array:
    game = as_repeated_game(view)
    fixed = stop_gradient(others_value_gaps(game, x, y))

    def anticipated(x: Array) -> Array:
        return view.own(x, y + beta * (others_value_gaps(game, x, y) - fixed))

    return jax.grad(anticipated)(x)


def loqa(beta: Number) -> Rule:
    """Return exact LOQA: the other's logits are taken to follow its action-value gaps with slope β.

    Args:
        beta: inverse temperature of the other's softmax, per unit of payoff, 0 or more.
    """
    return ascent("loqa", _loqa, beta=number("beta", beta))


def alignment_term(view: RepeatedGame, x: Array, y: Array, same_step: bool, as_published: bool) -> Array:
    """Return Σ_t γ^t E{∇ log π_1(a_t | s_t) A2_t Σ_k κ^{t−k} A1_k}, [5], over k < t, or k ≤ t with `same_step`.

    Args:
        view: the game from the owner's side.
        x: [5] the owner's logits.
        y: [5] the other's.
        same_step: whether k = t counts.
        as_published: κ = γ and A1 of the joint action; otherwise κ = 1 and A1 averaged over the owner's action.
    """
    columns = view.columns(x, y)
    occupied = memory_one_occupancy(*columns, view.delta)
    p, q = (jnp.stack(side) for side in columns)
    joint = jnp.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    gamma = 1 - view.delta
    visits = jnp.stack([jnp.ones_like(view.delta), *(gamma / view.delta * d for d in occupied)])
    w1, w2 = (
        jnp.stack(memory_one_value_gaps(*columns, view.delta, tuple(payoffs[i] for i in range(4))).values())
        for payoffs in (view.own_payoffs, view.other_payoffs)
    )
    A1, A2 = (w[None, :] - (joint @ w)[:, None] for w in (w1, w2))  # [5 contexts, 4 joint actions]

    if not as_published:
        mean = p[:, None] * A1[:, :2] + (1 - p[:, None]) * A1[:, 2:]
        A1 = jnp.concatenate([mean, mean], -1)

    # trace_s = Σ_t γ^t E[1{s_t = s} Σ_{k<t} κ^{t−k} A1_k] solves a chain with discount γκ.
    kappa = gamma if as_published else jnp.ones_like(gamma)
    inflow = gamma * kappa * (visits[:, None] * joint * A1).sum(0)
    slower = 1 - gamma * kappa
    trace = censored((1 - slower) * joint[1:], jnp.full(4, slower)).flows(inflow[None])[0]
    trace = jnp.concatenate([jnp.zeros_like(trace[:1]), trace])

    others = jnp.stack([q, 1 - q], -1)
    weight = trace[:, None] + (visits[:, None] * A1 if same_step else 0)
    gain = (weight * A2).reshape(5, 2, 2)
    return p * (1 - p) * ((gain[:, 0] - gain[:, 1]) * others).sum(-1)


def _advantage_alignment(view: View, x: Array, y: Array, beta: Number, same_step: bool, as_published: bool) -> Array:
    game = as_repeated_game(view)
    aligned = alignment_term(game, x, y, same_step, as_published)
    factor = beta * (1 - game.delta) if as_published else beta
    return jax.grad(view.own)(x, y) + factor * game.delta * game.scale * aligned


def advantage_alignment(beta: Number, same_step: bool = False, as_published: bool = True) -> Rule:
    """Return exact Advantage Alignment; `advantage_alignment(beta, True, False)` is exact LOQA.

    Args:
        beta: weight of the alignment term, the other's inverse temperature, 0 or more.
        same_step: keep the term k = t that the derivation drops.
        as_published: the published weights of earlier advantages, or those that the derivation gives.
    """
    switches = {"same_step": bool(same_step), "as_published": bool(as_published)}
    return ascent("advantage_alignment", _advantage_alignment, beta=number("beta", beta), **switches)


BY_NAME = {"loqa": Published(loqa, (1.0,)), "advantage-alignment": Published(advantage_alignment, (1.0,))}
