r"""DiCE: one surrogate whose derivatives of every order estimate those of a return, and sampled LOLA-DiCE.

The magic box □(x) = exp(x − stop(x)) is worth 1 and differentiates to ∇x, so that with log-probabilities of all actions
that could have influenced a reward, of both players,

    S(τ) = Σ_t γ^t □(Σ_{k≤t} log π(a_k)) r_t,        E[∇ⁿ S] = ∇ⁿ E[Σ_t γ^t r_t]   for every order n.

Loaded DiCE puts advantages in place of rewards, from any value function that does not see the present action, and
discounts old scores by λ ≤ 1, with less variance and, for λ < 1, some bias:

    S(τ) = Σ_t γ^t A_t [□(Σ_{k≤t} λ^{t−k} log π(a_k)) − □(Σ_{k<t} λ^{t−k} log π(a_k))].

LOLA-DiCE plays a batch, lets the opponent take a step on its own surrogate, plays again against the moved opponent and
differentiates ego's surrogate through that step.

Source: Foerster et al. 2018, "DiCE"; Farquhar, Whiteson & Foerster 2019, "Loaded DiCE".
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from ipd_theory import _checks, strategies
from ipd_theory.games import MatrixGame
from ipd_theory.sampling import estimators, learners
from ipd_theory.sampling._held import held
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP, play


@held
def magic_box(x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Return exp(x − stop(x)): the value 1, with the derivatives of exp(x) at 0."""
    return jnp.exp(x - jax.lax.stop_gradient(x))


def _same_steps(log_probabilities: Array, **others: Array) -> None:
    for name, x in others.items():
        if x.ndim < 1 or x.shape != log_probabilities.shape:
            raise ValueError(f"{name} has shape {x.shape}; log_probabilities has {log_probabilities.shape}, [..., T]")


def _steps(x: Array) -> Array:
    return jnp.arange(x.shape[-1], dtype=x.dtype)


@held
def dice(
    log_probabilities: Float[Array, "*batch T"], rewards: Float[Array, "*batch T"], *, discount: ArrayLike = 1.0
) -> Float[Array, "*batch"]:
    """Return the DiCE surrogate [...] of each trajectory; its value is the return, un-normalised.

    Args:
        log_probabilities: [..., T] the log-probability of the joint action at each step, differentiable.
        rewards: [..., T].
        discount: γ, one number.

    Raises:
        ValueError: if the shapes differ, something is not finite, or γ lies outside [0, 1].
    """
    _same_steps(log_probabilities, rewards=rewards)
    estimators.check_share("discount", discount)
    box = magic_box(jnp.cumsum(log_probabilities, -1))
    return (jnp.power(discount, _steps(rewards)) * box * rewards).sum(-1)


@held
def loaded_dice(
    log_probabilities: Float[Array, "*batch T"],
    advantages: Float[Array, "*batch T"],
    *,
    discount: ArrayLike = 1.0,
    decay: ArrayLike = 1.0,
) -> Float[Array, "*batch"]:
    """Return the loaded DiCE surrogate [...] of each trajectory: its value is 0, its derivatives those of the return.

    Args:
        log_probabilities: [..., T] the log-probability of the joint action at each step, differentiable.
        advantages: [..., T], for unbiased derivatives of every order Q(h_t, a_t) − V(h_t), or the returns to go minus a
            baseline for the first order.
        discount: γ, one number.
        decay: λ, one number; 1 is unbiased.

    Raises:
        ValueError: if the shapes differ, something is not finite, or γ or λ lies outside [0, 1].
    """
    _same_steps(log_probabilities, advantages=advantages)
    estimators.check_share("discount", discount)
    estimators.check_share("decay", decay)
    scores: list[Array] = []
    total = jnp.zeros_like(log_probabilities[..., 0])
    for t in range(log_probabilities.shape[-1]):  # one term a step; T is the length of an inner episode
        total = jnp.multiply(decay, total)
        scores.append(magic_box(total + log_probabilities[..., t]) - magic_box(total))
        total = total + log_probabilities[..., t]
    return (jnp.power(discount, _steps(advantages)) * advantages * jnp.stack(scores, -1)).sum(-1)


@held
def log_probabilities(logits: Float[Array, " h"], seen: learners.Seen) -> Float[Array, "*batch T"]:
    """Return one player's log-probability [..., T] of each action it took, differentiable in its logits."""
    strategies.memory_of(logits, name="logits")
    toward = jnp.where(seen.actions == 0, logits[seen.contexts], -logits[seen.contexts])
    return jax.nn.log_sigmoid(toward)


@held
def joint_log_probabilities(
    ego_logits: Float[Array, " h"],
    other_logits: Float[Array, " h"],
    ego: learners.Seen,
    other: learners.Seen,
) -> Float[Array, "*batch T"]:
    """Return the log-probability [..., T] of both players' actions, differentiable in both logits."""
    strategies.memory_of(ego_logits, name="ego_logits")
    strategies.memory_of(other_logits, name="other_logits")
    return log_probabilities(ego_logits, ego) + log_probabilities(other_logits, other)


@held
def sampled_lola_dice(
    key: PRNGKeyArray,
    game: MatrixGame,
    ego_logits: Float[Array, "5"],
    other_logits: Float[Array, "5"],
    *,
    num_look_aheads: int,
    learning_rate: ArrayLike,
    batch_size: int,
    episode_length: int,
    discount: float = 1.0,
) -> Float[Array, "5"]:
    """Return a sampled estimate of ∇_φ J¹(φ, ψ_K), with ψ_{k+1} = ψ_k + η ∇_ψ J²(φ, ψ_k), through the opponent's steps.

    Returns J are un-normalised sums over one episode. At a finite batch the estimate is biased by the noise of the
    look-ahead steps, by O(1 / batch_size).

    Args:
        key: a key of any generator.
        game: the stage game; ego is player 0.
        ego_logits: [5] φ.
        other_logits: [5] ψ_0.
        num_look_aheads: K, steps the opponent is imagined to take.
        learning_rate: η.
        batch_size: trajectories in each batch.
        episode_length: T.
        discount: γ.

    Raises:
        ValueError: if a number is out of range, or logits are not finite.
    """
    _checks.last_axis("ego_logits", ego_logits, (5,), "the contexts of memory one")
    _checks.last_axis("other_logits", other_logits, (5,), "the contexts of memory one")
    _checks.whole("num_look_aheads", num_look_aheads, 0)
    estimators.check_share("discount", discount)
    if not isinstance(learning_rate, jax.core.Tracer):
        _checks.number("learning_rate", learning_rate, 0.0)

    def batch(key: Array, ego: Array, other: Array) -> tuple[learners.Seen, learners.Seen]:
        fixed = learners.TabularLearner(lambda x: x, jax.nn.sigmoid, lambda x, seen: x)
        pomdp = ShapingPOMDP(game, fixed, jax.lax.stop_gradient(other), batch_size, 1, episode_length)
        played = play(key, pomdp, jax.lax.stop_gradient(ego)[None], 1)
        return jax.tree.map(lambda x: x[0, :, 0], (played.ego, played.learner))

    def objective(key: Array, ego: Array, other: Array, player: int) -> Array:
        sides = batch(key, ego, other)
        joint = joint_log_probabilities(ego, other, *sides)
        return dice(joint, sides[player].rewards, discount=discount).mean()

    def shaped(ego: Array) -> Array:
        other, *keys = other_logits, *jax.random.split(key, num_look_aheads + 1)
        for k in keys[:-1]:
            other = other + learning_rate * jax.grad(objective, 2)(k, ego, other, 1)
        return objective(keys[-1], ego, other, 0)

    return jax.grad(shaped)(ego_logits)
