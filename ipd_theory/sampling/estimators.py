r"""Four estimators of the learning-aware policy gradient, as return weights and as advantages.

B trajectories of M inner episodes of T steps are played against a naive learner that, after each inner episode,
updates from all B of them. With r_{b,m,t} the reward of trajectory b at step t of inner episode m, every estimator is

    ∇J̄ ≈ Σ_b Σ_m Σ_t  w_{b,m,t} ∇ log π(a_{b,m,t} | h_{b,m,t}),      J̄ = E[(1/B) Σ_b Σ_m Σ_t r_{b,m,t}],

and they differ in the weights. Write c for the rewards from now to the end of the current inner episode and f for
those of all later ones (per trajectory), and an overbar for the mean over the batch; then w is

    COALA-PG                c/B + f̄      an action moves its own trajectory now, and all of them through the learner
    batch-unaware           (c + f)/B    as if the trajectories were independent
    M-FOS (its public code) c + f̄        the current episode counts B times too much
    full                    c̄ + f̄        unbiased too, but without the argument that spares the noise of others.

With a value function, rewards give way to temporal-difference errors δ_l = r_l + γ V_{l+1} − V_l and γ to γλ. One
recursion, backwards over the steps l of the whole meta-trajectory, serves all of them and λ-returns (Algorithm 1):

    acc ← acc_all                                  if l ends an inner episode and future episodes are averaged
    acc ← r_l / N + γ ((1 − λ) v_{l+1} + λ acc)    N = B if the current episode is normalised, else 1
    acc_all ← the mean over b of r_l + γ ((1 − λ) v_{l+1} + λ acc_all).

It starts from v after the last step, which is the bootstrap value for λ-returns. Errors δ have v = 0 and λ = 1, their
decay being in γ. Where an inner episode ends nothing is cut: V_{l+1} is then the value of the next inner episode's
first history.

A loss that averages over trajectories where ĝ sums takes weights times B. M-FOS's public code averages its weights as
they are; in a loss all estimators then weigh the rewards of the current inner episode alike (`mean_advantages`).

Source: Meulemans et al. 2025, "Multi-agent cooperation through learning-aware policy gradients", section 3 and
Algorithm 1; Lu et al. 2022 for M-FOS. Time is laid out as [..., B, M, T] throughout.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, _places
from ipd_theory._arguments import hold_fields
from ipd_theory.sampling._held import held

Weights = Callable[[Any], Any]  # rewards [..., B, M, T] to weights of the same shape


class Credit(NamedTuple):
    """What the advantage recursion does with the batch (Algorithm 1's two flags, and a third for the full estimator).

    Attributes:
        average_future_episodes: credit rewards after the current inner episode to everyone, averaged over the batch.
        normalize_current_episode: divide rewards of the current inner episode by B.
        average_current_episode: average rewards over the batch before anything else.
    """

    average_future_episodes: bool = False
    normalize_current_episode: bool = False
    average_current_episode: bool = False


INDEPENDENT = Credit()
"""Each trajectory keeps its own rewards: λ-returns, and ordinary policy gradients."""


class Claim(NamedTuple):
    """The mean that an estimator claims to have.

    Attributes:
        words: the mean as a formula to print.
        mean: the same as a function of g_cur [d], g_shape [d] (which add up to ∇J̄) and B.
        holds_with_memory: whether it extends to policies with memory across inner episodes.
    """

    words: str
    mean: Callable[[Any, Any, int], Any]
    holds_with_memory: bool = True


class EgoPlay(NamedTuple):
    """All that ego knows of its meta-trajectories, arrays [..., B, M, T]: for estimators that need more than rewards.

    Attributes:
        contexts: the entry of its table that ego read.
        actions: 0 cooperate, 1 defect.
        rewards: what it earned.
        log_probabilities: of the actions it took.
        values: V(h) of each history before its action, as a critic holds it.
    """

    contexts: Any
    actions: Any
    rewards: Any
    log_probabilities: Any
    values: Any


UNBIASED = Claim("∇J̄", lambda current, shaping, B: current + shaping)


@dataclass(frozen=True)
class Estimator:
    """One estimator of ∇J̄, all that there is to say about it: call it on rewards for its weights.

    Attributes:
        name: what commands, settings and files call it.
        weights: a function of rewards [..., B, M, T] that returns weights w of the same shape. Array methods only
            (sum, cumsum, mean) make it work on fractions too.
        claim: the mean that it claims; a new estimator claims to be unbiased.
        credit: the advantage recursion's flags that give `weights` when γ = λ = 1 and there are no values; None if none
            do, and then it cannot train with a value function.
        sums_over_batch: whether Σ_b w ∇log π is the estimate, as everywhere in this module; False if it was published
            as a mean over b, so that a loss that averages over trajectories takes its weights as they are.
        label: what tables and pictures call it; its name if not given.
        sees_all: whether `weights` is a function of an `EgoPlay` instead of rewards.
    """

    name: str
    weights: Weights
    claim: Claim = UNBIASED
    credit: Credit | None = None
    sums_over_batch: bool = True
    label: str = ""
    sees_all: bool = False

    def __post_init__(self) -> None:
        hold_fields(self)
        if not self.label:
            object.__setattr__(self, "label", self.name)

    def __call__(self, rewards: Any) -> Any:
        """Return the weights [..., B, M, T].

        Args:
            rewards: [..., B, M, T] rewards of trajectory, inner episode and step; a numpy array of `Fraction`s gives
                exact weights.

        Raises:
            ValueError: if `rewards` has fewer than three axes, none of some of them, or holds a NaN or an infinity.
            TypeError: if it is no array of numbers, or this estimator needs more than rewards.
        """
        if self.sees_all:
            raise TypeError(f"estimator {self.name!r} needs more than rewards: give `on` an EgoPlay")
        exact = isinstance(rewards, np.ndarray) and rewards.dtype == object
        rewards = rewards if exact else _as_floats(rewards)
        _three_axes(rewards)
        return self.weights(rewards)

    def on(self, seen: EgoPlay) -> Any:
        """Return the weights [..., B, M, T] from all that ego knows, of which most need the rewards alone."""
        return self.weights(seen if self.sees_all else seen.rewards)

    def batch_factor(self, batch_size: int) -> int:
        """Return what its weights are multiplied by in a loss that averages over the B trajectories: B, or 1."""
        return batch_size if self.sums_over_batch else 1

    def mean_advantages(
        self,
        rewards: Float[ArrayLike, "..."],
        values: Float[ArrayLike, "..."],
        *,
        discount: ArrayLike = 1.0,
        gae_lambda: ArrayLike = 1.0,
        final_values: Float[ArrayLike, "..."] | None = None,
    ) -> Float[Array, "*batch B M T"]:
        """Return `advantages` for a loss that averages over B, its batch factor included.

        Arguments are those of `advantages`.

        Raises:
            ValueError: where `advantages` does.
        """
        if self.sums_over_batch and self.credit == Credit(normalize_current_episode=True):  # 1/B and B cancel
            return advantages(
                rewards, values, INDEPENDENT, discount=discount, gae_lambda=gae_lambda, final_values=final_values
            )
        sums = advantages(rewards, values, self, discount=discount, gae_lambda=gae_lambda, final_values=final_values)
        return self.batch_factor(sums.shape[-3]) * sums


@held
def _as_floats(rewards: Float[ArrayLike, "..."]) -> Any:
    return rewards


def _three_axes(rewards: Any) -> None:
    if rewards.ndim < 3 or 0 in rewards.shape[-3:]:
        raise ValueError(f"rewards has shape {rewards.shape}; it must have the axes (…, B, M, T), each 1 or more long")


def check_share(name: str, x: Any) -> Any:
    """Return x, having checked that it is one number from 0 to 1."""
    if isinstance(x, jax.core.Tracer):
        return _checks.in_range(name, x, 0.0, 1.0)
    _checks.number(name, x, 0.0, 1.0)
    return x


# These use array methods only, so that the same lines run on jax arrays and on numpy arrays of fractions.


def _current(rewards: Any) -> Any:
    """Return the rewards of the same inner episode from each step on."""
    return rewards[..., ::-1].cumsum(-1)[..., ::-1]


def _future(rewards: Any) -> Any:
    """Return the rewards of all later inner episodes, the same at every step of an episode."""
    episodes = rewards.sum(-1)
    from_here = episodes[..., ::-1].cumsum(-1)[..., ::-1]
    return (from_here - episodes)[..., None] + 0 * rewards


def _batch_mean(weights: Any) -> Any:
    return weights.mean(-3)[..., None, :, :] + 0 * weights


coala_pg = Estimator(
    "coala",
    lambda r: _current(r) / r.shape[-3] + _batch_mean(_future(r)),
    credit=Credit(average_future_episodes=True, normalize_current_episode=True),
    label="COALA-PG",
)
"""Own rewards now over B, everyone's mean rewards later."""

full = Estimator(
    "full",
    lambda r: _batch_mean(_current(r) + _future(r)),
    credit=Credit(average_current_episode=True),
)
"""Every action is credited with everyone's mean rewards from then on."""

batch_unaware = Estimator(
    "batch_unaware",
    lambda r: (_current(r) + _future(r)) / r.shape[-3],
    Claim("g_cur + g_shape/B", lambda current, shaping, B: current + shaping / B, holds_with_memory=False),
    credit=Credit(normalize_current_episode=True),
    label="batch-unaware",
)
"""The policy gradient that takes the trajectories for independent."""

m_fos = Estimator(
    "m_fos",
    lambda r: _current(r) + _batch_mean(_future(r)),
    Claim("B g_cur + g_shape", lambda current, shaping, B: B * current + shaping),
    credit=Credit(average_future_episodes=True),
    sums_over_batch=False,
    label="M-FOS",
)
"""M-FOS as in its public code, which averages over the batch: own rewards now, mean rewards later."""

ESTIMATORS = (coala_pg, full, batch_unaware, m_fos)
"""All of them. What compares, trains or draws estimators takes them from here."""


def named(name: str) -> Estimator:
    """Return the estimator of `ESTIMATORS` with a name, or one's own at FILE.py:NAME.

    Args:
        name: of it, or where it stands.

    Raises:
        ValueError: if there is none.
    """
    if isinstance(name, str) and ":" in name:
        found = _places.load(name)
        if not isinstance(found, Estimator):
            raise ValueError(f"{name!r}: it must be an Estimator; got {found!r}")
        return found
    by_name = {estimator.name: estimator for estimator in ESTIMATORS}
    return by_name[_checks.one_of("name", name, by_name)]


@held
def advantages(
    rewards: Float[ArrayLike, "..."],
    values: Float[ArrayLike, "..."],
    credit: Estimator | Credit,
    *,
    discount: ArrayLike = 1.0,
    gae_lambda: ArrayLike = 1.0,
    final_values: Float[ArrayLike, "..."] | None = None,
) -> Float[Array, "*batch B M T"]:
    """Return generalised advantage estimates [..., B, M, T], to be summed (not averaged) over B against ∇ log π.

    With values zero and γ = λ = 1 they are the return weights of the estimator. With γλ < 1 the
    credit for later inner episodes shrinks by (γλ)^T for each of them, a bias against shaping.

    Args:
        rewards: [..., B, M, T] rewards.
        values: [..., B, M, T] V(h) of each history before its action, in units of return.
        credit: whose rewards count for which action: an estimator, or `INDEPENDENT`.
        discount: γ, one number.
        gae_lambda: λ, one number.
        final_values: [..., B] V after the last step; zero if not given, for a meta-trajectory that ends there.

    Raises:
        ValueError: if `values` or `final_values` does not fit `rewards`, γ or λ is no number from 0 to 1, an array
            holds a NaN or an infinity (looked for outside jit alone), or the estimator has no credit.
    """
    _checks.instance("credit", credit, (Estimator, Credit))
    if isinstance(credit, Estimator):
        if credit.credit is None:
            raise ValueError(f"estimator {credit.name!r} has no credit: it is a function of rewards, without values")
        credit = credit.credit
    discount, gae_lambda = check_share("discount", discount), check_share("gae_lambda", gae_lambda)
    rewards, values, next_values = _with_next_values(rewards, values, final_values)
    errors = rewards + discount * next_values - values
    return _accumulate(errors, jnp.zeros_like(errors), jnp.multiply(discount, gae_lambda), 1.0, credit)


@held
def lambda_returns(
    rewards: Float[ArrayLike, "..."],
    values: Float[ArrayLike, "..."],
    *,
    discount: ArrayLike = 1.0,
    td_lambda: ArrayLike = 1.0,
    final_values: Float[ArrayLike, "..."] | None = None,
) -> Float[Array, "*batch B M T"]:
    """Return the targets [..., B, M, T] of TD(λ) for a value function, each trajectory by itself.

    With λ = 1 they are Monte-Carlo returns. Arguments and errors are those of `advantages`; one inner episode
    of a naive learner is M = 1.
    """
    discount, td_lambda = check_share("discount", discount), check_share("td_lambda", td_lambda)
    rewards, _, next_values = _with_next_values(rewards, values, final_values)
    return _accumulate(rewards, next_values, discount, td_lambda, INDEPENDENT)


def _with_next_values(rewards: Any, values: Any, final_values: Any) -> tuple[Array, Array, Array]:
    """Return rewards, V_l and V_{l+1} at each step, the next inner episode's first where an inner episode ends."""
    rewards, values = jnp.asarray(rewards), jnp.asarray(values)
    _three_axes(rewards)
    if values.shape != rewards.shape:
        raise ValueError(f"values has shape {values.shape}; it must have that of rewards, {rewards.shape}")
    final = jnp.zeros_like(values[..., 0, 0]) if final_values is None else jnp.asarray(final_values)
    if final.shape != rewards.shape[:-2]:
        raise ValueError(f"final_values has shape {final.shape}; it must have the shape {rewards.shape[:-2]}")
    flat = values.reshape(*values.shape[:-2], -1)
    next_values = jnp.concatenate([flat[..., 1:], final[..., None]], -1).reshape(values.shape)
    return rewards, values, next_values


@functools.partial(jax.jit, static_argnames="credit")
def _accumulate(rewards: Array, next_values: Array, discount: ArrayLike, decay: ArrayLike, credit: Credit) -> Array:
    """Run the module's recursion backwards over the M·T steps of each meta-trajectory; `decay` is its λ."""
    *_, B, M, T = rewards.shape
    if credit.average_current_episode:
        rewards, next_values = _batch_mean(rewards), _batch_mean(next_values)
    share = 1 / B if credit.normalize_current_episode else 1.0

    def step(carry: tuple[Array, Array], l: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        acc, acc_all = carry
        r, v, ends_episode = l
        if credit.average_future_episodes:
            acc = jnp.where(ends_episode, acc_all, acc)
        acc = share * r + discount * ((1 - decay) * v + decay * acc)
        acc_all = jnp.mean(r + discount * ((1 - decay) * v + decay * acc_all), -1, keepdims=True)
        return (acc, acc_all), acc

    r, v = (jnp.moveaxis(x.reshape(*x.shape[:-2], M * T), -1, 0) for x in (rewards, next_values))
    ends_episode = jnp.arange(M * T) % T == T - 1
    _, out = jax.lax.scan(step, (v[-1], v[-1].mean(-1, keepdims=True)), (r, v, ends_episode), reverse=True)
    return jnp.moveaxis(out, 0, -1).reshape(rewards.shape)
