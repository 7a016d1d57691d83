r"""Linear estimators, exactly, for larger batches: a sum over all inner episodes but the last.

An estimator that is linear in the rewards and treats all trajectories alike has weights (r_b a vector of M·T rewards)

    w_b = K r_b + (1/B) Σ_{b'} L r_{b'},

and with the score matrices s_b and L = Σ_q x_q y_qᵀ its gradient estimate is

    ĝ = Σ_b u_b + (1/B) Σ_{b≠b'} Σ_q α_{bq} β_{b'q},    u_b = s_bᵀ (K + L/B) r_b,  α_{bq} = s_bᵀx_q,  β_{bq} = y_qᵀr_b.

Given the *prefix*, the first M − 1 inner episodes of all trajectories, the learner's last policy is known and the
trajectories of the last episode are independent, each over Y = 4^T outcomes. So with ᾱ_b, β̄_b the means given the
prefix and Ā, B̄ their sums over b, ĝ − E[ĝ | prefix] falls into uncorrelated parts (Hoeffding 1948),

    Σ_b (ℓ_b − ℓ̄_b),   ℓ_b = u_b + (1/B) Σ_q [α_{bq} (B̄_q − β̄_{bq}) + (Ā_q − ᾱ_{bq}) β_{bq}],
    (1/B) Σ_{b≠b'} Σ_q (α_{bq} − ᾱ_{bq}) (β_{b'q} − β̄_{b'q}),

whose covariances are sums over b and y only. Prefixes are exchangeable, so multisets of them are enough: B = 8, M = 2,
T = 2 takes 490,314 of them instead of 4^32 meta-episodes.
"""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ipd_theory import strategies
from ipd_theory.sampling._held import check_sizes, held
from ipd_theory.sampling.enumeration import (
    Moments,
    TrueGradient,
    check_path,
    learner_path,
    meta_trajectories,
    multisets,
    taken,
)
from ipd_theory.sampling.estimators import Weights
from ipd_theory.sampling.learners import Seen
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP, ego_tables

CHUNK = 1024
MAX_PREFIXES = 1 << 24


class LinearForm(eqx.Module):
    """Weights w_b = own r_b + (1/B) left Σ_b' right r_b'; the inner size is the rank of what is shared."""

    own: Float[Array, "L L"]
    left: Float[Array, "L q"]
    right: Float[Array, "q L"]
    shape: tuple[int, int, int] = eqx.field(static=True)  # (B, M, T), for which alone it holds


@held
def linear_form(weights: Weights, shape: tuple[int, int, int]) -> LinearForm:
    """Return the matrices of a linear estimator that treats all trajectories alike.

    Args:
        weights: a function of rewards [..., B, M, T] that returns weights of the same shape.
        shape: (B, M, T).

    Raises:
        ValueError: if it is not linear, or not alike for all trajectories; or `shape` is no three sizes.
    """
    B, M, T = shape = check_sizes(shape)
    unit = jnp.zeros((M * T, B, M * T)).at[:, 0].set(jnp.eye(M * T))
    response = weights(unit.reshape(-1, B, M, T)).reshape(M * T, B, M * T)
    shared = B * response[:, 1].T if B > 1 else jnp.zeros((M * T, M * T))
    columns, sizes, rows = np.linalg.svd(np.asarray(shared))
    rank = int((sizes > 1e-12).sum())
    left, right = jnp.asarray(columns[:, :rank] * sizes[:rank]), jnp.asarray(rows[:rank])
    form = LinearForm(response[:, 0].T - shared / B, left, right, shape)
    rewards = jnp.asarray(np.random.default_rng(0).normal(size=(4, B, M * T)))
    wanted = rewards @ form.own.T + rewards.mean(1, keepdims=True) @ shared.T
    if not np.allclose(weights(rewards.reshape(4, B, M, T)).reshape(4, B, -1), wanted, atol=1e-9):
        raise ValueError("weights must be linear in the rewards and the same function for every trajectory")
    return form


class _Kinds(NamedTuple):
    """Tables over the K meta-trajectories, last episode fastest."""

    scores: Float[Array, "K L d"]
    rewards: Float[Array, "K L"]
    probabilities: Float[Array, "K M"]  # of ego's actions in each inner episode


class _Chunks(NamedTuple):
    """Multisets of first M − 1 inner episodes, cut into chunks; padding has no orders."""

    rows: Int[Array, "*chunks size B"]
    orders: Float[Array, "*chunks size"]
    learner: Float[Array, "*chunks size"]  # the probability of the learner's actions
    last_policies: Float[Array, "*chunks size h"]


class Prefixes(eqx.Module):
    """Every prefix of an environment up to order, with the learner's policy after it; for egos of any memory."""

    pomdp: ShapingPOMDP
    chunks: _Chunks


@held
def enumerate_prefixes(pomdp: ShapingPOMDP) -> Prefixes:
    """List the prefixes of an environment with the learner's policy after each.

    Raises:
        ValueError: if there are more than 2^24, or the learner leaves [0, 1].
    """
    B, M, T = pomdp.shape
    kinds = 4 ** ((M - 1) * T)
    if kinds**B > MAX_PREFIXES * np.prod(np.arange(1.0, B + 1)):
        raise ValueError(f"batch_size={B}, num_inner_episodes={M}, episode_length={T}: too many prefixes to sum over")
    rows, orders = multisets(kinds, B)
    size = min(CHUNK, len(rows))
    padding = -len(rows) % size
    rows = np.pad(rows, ((0, padding), (0, 0))).reshape(-1, size, B)
    weights = jnp.asarray(np.pad(orders, (0, padding)).reshape(-1, size))
    learner_memory = strategies.memory_of(pomdp.learner_table, name="learner_table")
    _, seen = meta_trajectories(pomdp, 0, learner_memory)
    probabilities, policies = _paths(pomdp, seen, jnp.asarray(rows))
    check_path(policies)
    return Prefixes(pomdp, _Chunks(jnp.asarray(rows), weights, probabilities, policies[:, :, -1]))


@jax.jit
def _paths(pomdp: ShapingPOMDP, seen: Seen, rows: Array) -> tuple[Array, Array]:
    """Return the probability of the learner's actions in each prefix, and its policies up to and after it."""
    M, T = pomdp.num_inner_episodes, pomdp.episode_length

    def chunk(rows: Array) -> tuple[Array, Array]:
        experience = Seen(*(x[rows * 4**T] for x in seen))
        policies = learner_path(pomdp, experience)
        q = jnp.take_along_axis(policies[:, None], experience.contexts, -1)
        return taken(q, experience.actions)[..., : M - 1, :].prod((-3, -2, -1)), policies

    return jax.lax.map(chunk, rows)


@jax.jit
def _kinds(pomdp: ShapingPOMDP, ego_logits: Array, tables: Array) -> _Kinds:
    M = pomdp.num_inner_episodes
    ego, _ = meta_trajectories(pomdp, strategies.memory_of(ego_logits), strategies.memory_of(pomdp.learner_table))
    episode, h = jnp.arange(M)[:, None], tables.shape[-1]
    p = tables[episode, ego.contexts]
    at = (ego.contexts[..., None] == jnp.arange(h)).astype(p.dtype)
    at = at[..., None, :] * jnp.eye(M, dtype=p.dtype)[:, None, :, None] if ego_logits.shape[0] > 1 else at[..., None, :]
    scores = ((ego.actions == 0).astype(p.dtype) - p)[..., None, None] * at  # [K, M, T, E, h]
    K = len(ego.rewards)
    return _Kinds(scores.reshape(K, -1, ego_logits.size), ego.rewards.reshape(K, -1), taken(p, ego.actions).prod(-1))


def _last_episode(pomdp: ShapingPOMDP, policies: Array) -> Float[Array, "N Y"]:
    """Return the probability of the learner's actions in each string of T outcomes."""
    _, seen = meta_trajectories(pomdp, 0, strategies.memory_of(pomdp.learner_table))
    Y = 4**pomdp.episode_length
    contexts, actions = seen.contexts[:Y, -1], seen.actions[:Y, -1]
    return taken(policies[:, contexts], actions).prod(-1)


@held
@jax.jit
def moments_by_prefix(listed: Prefixes, ego_logits: Float[Array, "E h"], form: LinearForm) -> Moments:
    """Return the exact mean and covariance of a linear estimator.

    Args:
        listed: all prefixes.
        ego_logits: [1, h] or [M, h].
        form: the estimator, from `linear_form`.

    Raises:
        ValueError: if the estimator's form is that of another (B, M, T).
    """
    pomdp = listed.pomdp
    B, M, T = pomdp.shape
    if form.shape != pomdp.shape:
        raise ValueError(f"form is that of (B, M, T) = {form.shape}; the prefixes are those of {pomdp.shape}")
    tables = ego_tables(M, ego_logits)
    kinds = _kinds(pomdp, ego_logits, tables)
    own = jnp.einsum("kld,lj,kj->kd", kinds.scores, form.own + form.left @ form.right / B, kinds.rewards)
    alphas, betas = jnp.einsum("kld,lq->kqd", kinds.scores, form.left), kinds.rewards @ form.right.T
    d, Y = ego_logits.size, 4**T

    def one(row: Array, occurs: Array, last: Array) -> tuple[Array, Array, Array]:
        index = row[:, None] * Y + jnp.arange(Y)
        pi = kinds.probabilities[index, -1] * last  # [B, Y]
        P = occurs * kinds.probabilities[row * Y, : M - 1].prod()
        u, alpha, beta = own[index], alphas[index], betas[index]
        u_, alpha_, beta_ = (jnp.einsum("by,by...->b...", pi, x) for x in (u, alpha, beta))
        rest_alpha, rest_beta = alpha_.sum(0) - alpha_, beta_.sum(0) - beta_
        mean = u_.sum(0) + jnp.einsum("bqd,bq->d", alpha_, rest_beta) / B

        linear = u + (jnp.einsum("byqd,bq->byd", alpha, rest_beta) + jnp.einsum("bqd,byq->byd", rest_alpha, beta)) / B
        linear = linear - jnp.einsum("by,byd->bd", pi, linear)[:, None]
        covariance = jnp.einsum("by,byd,bye->de", pi, linear, linear)

        alpha, beta = alpha - alpha_[:, None], beta - beta_[:, None]
        bb = jnp.einsum("by,byq,byr->bqr", pi, beta, beta)
        ab = jnp.einsum("by,byqd,byr->bqdr", pi, alpha, beta)
        others_bb, others_ab = bb.sum(0) - bb, ab.sum(0) - ab
        weighted = jnp.einsum("byqd,bqr->byrd", alpha, others_bb)
        both = jnp.einsum("by,byrd,byre->de", pi, weighted, alpha)
        crossed = jnp.einsum("bqdr,breq->de", ab, others_ab)
        covariance = covariance + (both + crossed) / B**2
        return P, mean, covariance + mean[:, None] * mean

    def chunk(carry: tuple[Array, Array], part: _Chunks) -> tuple[tuple[Array, Array], None]:
        last = _last_episode(pomdp, part.last_policies)
        P, mean, second = jax.vmap(one)(part.rows, part.orders * part.learner, last)
        return (carry[0] + P @ mean, carry[1] + jnp.einsum("n,nde->de", P, second)), None

    zero = jnp.zeros((d,), tables.dtype)
    (mean, second), _ = jax.lax.scan(chunk, (zero, zero[:, None] * zero), listed.chunks)
    return Moments(mean, second - mean[:, None] * mean)


def _mean_return(pomdp: ShapingPOMDP, before: Array, now: Array, part: _Chunks) -> Array:
    """Return a chunk's share of J̄; a reward's own episode is played with the logits `now`, the others with `before`."""
    M, Y = pomdp.num_inner_episodes, 4**pomdp.episode_length
    roles = [_kinds(pomdp, x, ego_tables(M, x)) for x in (before, now)]
    other, own = (x.probabilities[part.rows * Y, : M - 1].prod(1) for x in roles)  # [size, M − 1]
    rewards = roles[0].rewards.reshape(len(roles[0].rewards), M, -1).sum(-1)
    occurs = part.orders * part.learner
    total = jnp.zeros((), other.dtype)
    for m in range(M - 1):
        factors = [own[:, j] if j == m else other[:, j] for j in range(M - 1)]
        total += (occurs * functools.reduce(jnp.multiply, factors) * rewards[part.rows * Y, m].mean(1)).sum()
    index = part.rows[..., None] * Y + jnp.arange(Y)
    last = roles[1].probabilities[index, -1] * _last_episode(pomdp, part.last_policies)[:, None]
    return total + (occurs * other.prod(1) * (last * rewards[index, -1]).sum(-1).mean(1)).sum()


@held
@jax.jit
def true_gradient_by_prefix(listed: Prefixes, ego_logits: Float[Array, "E h"]) -> TrueGradient:
    """Return the gradient of J̄ by differentiating its polynomial, with the last episode's mean reward in closed form.

    Arguments are those of `moments_by_prefix`.
    """
    slopes = jax.grad(functools.partial(_mean_return, listed.pomdp), (0, 1))
    shaping, current = jax.lax.map(lambda part: slopes(ego_logits, ego_logits, part), listed.chunks)
    return TrueGradient(current.sum(0).ravel(), shaping.sum(0).ravel())
