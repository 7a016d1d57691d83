r"""The exact mean and covariance of an estimator: a sum over every meta-episode there is.

A meta-trajectory of M·T steps is one of K = 4^{MT} strings of outcomes, a meta-episode a B-tuple of them. The ego
policy, the learner's path and hence the probability of a tuple are known in closed form, so with weights w(τ)

    ĝ(τ) = Σ_{b,l} w_{b,l}(τ) ∇ log π(a_{b,l} | h_{b,l}),    E[ĝ] = Σ_τ P_φ(τ) ĝ(τ),

and likewise its covariance. The truth is found another way: J̄(φ) = Σ_τ P_φ(τ) R̄(τ) is a polynomial in ego's
probabilities and is differentiated as one. It has two parts: in g_cur only the probabilities of a reward's own inner
episode are varied, in g_shape those of the earlier ones, through which the learner is shaped.

Trajectories are exchangeable: a learner sees its batch as a set, and the estimators treat all alike. So it is enough
to visit multisets, K choose B with repetition of them, each with its multinomial count.
"""

import functools
import itertools
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ipd_theory import _checks, strategies
from ipd_theory.games import MatrixGame
from ipd_theory.returns import expected_returns
from ipd_theory.sampling._held import held
from ipd_theory.sampling.estimators import EgoPlay, Weights
from ipd_theory.sampling.learners import Seen
from ipd_theory.sampling.shaping_pomdp import (
    MetaEpisodes,
    ShapingPOMDP,
    check_memory,
    ego_tables,
    estimates,
    opening_contexts,
)
from ipd_theory.strategies import OUTCOME_SWAP

MAX_TUPLES = 1 << 22


class Moments(NamedTuple):
    """The mean [d] and covariance [d, d] of a gradient estimate, d = E·h ego logits in order."""

    mean: Float[Array, " d"]
    covariance: Float[Array, "d d"]


class TrueGradient(NamedTuple):
    """The exact gradient of J̄ [d] in two parts, own episode and shaping, which add up to it."""

    current: Float[Array, " d"]
    shaping: Float[Array, " d"]

    @property
    def total(self) -> Float[Array, " d"]:
        """∇J̄."""
        return self.current + self.shaping


class Enumeration(eqx.Module):
    """Every meta-episode of an environment up to order: what was seen, and in how many orders it occurs."""

    pomdp: ShapingPOMDP
    episodes: MetaEpisodes  # arrays [N, B, M, T]; policies [N, M, h]
    orders: Float[Array, " N"]

    def ego_tables(self, ego_logits: Float[Array, "E h"]) -> Float[Array, "M h"]:
        """Return ego's cooperation probabilities [M, h], having checked that they have the memory listed."""
        check_memory(ego_logits, self.episodes.ego_memory)
        return ego_tables(self.pomdp.num_inner_episodes, ego_logits)


def meta_trajectories(pomdp: ShapingPOMDP, ego_memory: int = 1, learner_memory: int = 1) -> tuple[Seen, Seen]:
    """Return all K = 4^{MT} meta-trajectories as ego and the learner see them, arrays [K, M, T].

    The first outcome is the most significant digit of a trajectory's number.
    """
    _, M, T = pomdp.shape
    digits = np.indices((4,) * (M * T)).reshape(M * T, -1).T.reshape(-1, M, T)
    payoffs = pomdp.game.outcome_payoffs
    opening = opening_contexts(pomdp, ego_memory, learner_memory)
    remember = pomdp.remember_across_episodes
    ego = _contexts(digits, strategies.successors(ego_memory), opening[0], remember)
    learner = _contexts(np.array(OUTCOME_SWAP)[digits], strategies.successors(learner_memory), opening[1], False)
    ego_seen = Seen(jnp.asarray(ego), jnp.asarray(digits // 2), payoffs[0][digits])
    return ego_seen, Seen(jnp.asarray(learner), jnp.asarray(digits % 2), payoffs[1][digits])


def _contexts(outcomes: np.ndarray, after: np.ndarray, opening: int, remember: bool) -> Int[np.ndarray, "K M T"]:
    contexts = np.full(outcomes.shape, opening)
    flat, seen = contexts.reshape(len(outcomes), -1), outcomes.reshape(len(outcomes), -1)
    T = outcomes.shape[-1]
    for l in range(1, flat.shape[1]):
        if remember or l % T:
            flat[:, l] = after[flat[:, l - 1], seen[:, l - 1]]
    return contexts


def multisets(num_kinds: int, size: int) -> tuple[Int[np.ndarray, "N size"], Float[np.ndarray, " N"]]:
    """Return every multiset of `size` out of `num_kinds` as sorted rows, and the number of orders of each."""
    count = math.comb(num_kinds + size - 1, size)
    chosen = itertools.chain.from_iterable(itertools.combinations_with_replacement(range(num_kinds), size))
    rows = np.fromiter(chosen, np.int64, count * size).reshape(count, size)
    run = np.ones(count)
    repeats = np.ones(count)  # the product of the factorials of the counts, built up run by run
    for i in range(1, size):
        run = np.where(rows[:, i] == rows[:, i - 1], run + 1, 1)
        repeats *= run
    return rows, math.factorial(size) / repeats


def _tuples(num_kinds: int, size: int, exchangeable: bool) -> tuple[np.ndarray, np.ndarray]:
    count = math.comb(num_kinds + size - 1, size) if exchangeable else num_kinds**size
    if count > MAX_TUPLES:
        raise ValueError(f"there are {count} meta-episodes to sum over; at most {MAX_TUPLES} are listed at once")
    if exchangeable:
        return multisets(num_kinds, size)
    rows = np.indices((num_kinds,) * size).reshape(size, -1).T
    return rows, np.ones(len(rows))


@held
def enumerate_meta_episodes(pomdp: ShapingPOMDP, ego_memory: int = 1, exchangeable: bool = True) -> Enumeration:
    """List every meta-episode, with the learner's policies along it.

    Args:
        pomdp: the environment.
        ego_memory: outcomes that ego's table remembers; tables of another are refused later on.
        exchangeable: list multisets of trajectories instead of tuples; right for every estimator that treats the
            trajectories of a batch alike.

    Raises:
        ValueError: if there are more than 2^22 of them, ego's memory is not from 0 to 3, or the learner leaves [0, 1].
    """
    _checks.whole("ego_memory", ego_memory, 0, strategies.MAX_MEMORY)
    B, M, T = pomdp.shape
    rows, orders = _tuples(4 ** (M * T), B, exchangeable)
    learner_memory = strategies.memory_of(pomdp.learner_table, name="learner_table")
    kinds = meta_trajectories(pomdp, ego_memory, learner_memory)
    ego, learner = (Seen(*(x[rows] for x in side)) for side in kinds)
    policies = learner_path(pomdp, learner)
    check_path(policies)
    return Enumeration(pomdp, MetaEpisodes(ego, learner, policies, ego_memory), jnp.asarray(orders, policies.dtype))


@jax.jit
def learner_path(pomdp: ShapingPOMDP, learner: Seen) -> Float[Array, "N M h"]:
    """Return the learner's policy [N, M, h] in each inner episode, given what it saw, arrays [N, B, M, T]."""

    def one(seen: Seen) -> Array:
        state, policies = pomdp.learner.init(pomdp.learner_table), []
        for m in range(pomdp.num_inner_episodes):
            policies.append(pomdp.learner.policy(state))
            state = pomdp.learner.update(state, Seen(*(x[:, m] for x in seen)))
        return jnp.stack(policies)

    return jax.vmap(one)(learner)


def check_path(policies: Array) -> None:
    """Raise `ValueError` if a rule that moves in probability space has left [0, 1]."""
    if not bool(((policies >= 0) & (policies <= 1)).all()):
        raise ValueError("the learner left [0, 1]; give it a smaller learning rate or a start farther inside")


def taken(cooperation: Array, actions: Array) -> Array:
    """Return the probability of each action, given that of cooperating."""
    return jnp.where(actions == 0, cooperation, 1 - cooperation)


def _ego_factors(tables: Float[Array, "M h"], ego: Seen) -> Float[Array, "N M"]:
    """Return the probability of ego's actions in each inner episode, all trajectories together."""
    episode = jnp.arange(tables.shape[0])[:, None]
    return taken(tables[episode, ego.contexts], ego.actions).prod((-3, -1))


def _learner_factors(everything: Enumeration) -> Float[Array, "N M"]:
    learner, policies = everything.episodes.learner, everything.episodes.learner_policies
    cooperation = jnp.take_along_axis(policies[:, None], learner.contexts, -1)
    return taken(cooperation, learner.actions).prod((-3, -1))


@held
@jax.jit
def probabilities(everything: Enumeration, ego_logits: Float[Array, "E h"]) -> Float[Array, " N"]:
    """Return the probability [N] of each meta-episode, all its orders together."""
    factors = _ego_factors(everything.ego_tables(ego_logits), everything.episodes.ego) * _learner_factors(everything)
    return everything.orders * factors.prod(-1)


def _mean_return(everything: Enumeration, before: Array, now: Array) -> Float[Array, ""]:
    """Return J̄ as a polynomial; a reward's own episode is played by the table `now`, the others by `before`."""
    ego = everything.episodes.ego
    other, own = _ego_factors(before, ego), _ego_factors(now, ego)
    occurs = everything.orders * _learner_factors(everything).prod(-1)
    total = jnp.zeros((), own.dtype)
    for m in range(own.shape[-1]):
        factors = [own[:, j] if j == m else other[:, j] for j in range(own.shape[-1])]
        reward = ego.rewards[:, :, m].sum(-1).mean(-1)
        total = total + (occurs * functools.reduce(jnp.multiply, factors) * reward).sum()
    return total


@held
@jax.jit
def true_gradient(everything: Enumeration, ego_logits: Float[Array, "E h"]) -> TrueGradient:
    """Return the gradient of J̄ in ego's logits by differentiating the polynomial, split into own episode and shaping.

    Args:
        everything: all meta-episodes.
        ego_logits: [1, h] or [M, h].

    Raises:
        ValueError: if ego's memory is not the one listed.
    """

    def polynomial(before: Array, now: Array) -> Array:
        return _mean_return(everything, everything.ego_tables(before), everything.ego_tables(now))

    shaping, current = jax.grad(polynomial, (0, 1))(ego_logits, ego_logits)
    return TrueGradient(current.ravel(), shaping.ravel())


@held
@jax.jit
def expected_return(everything: Enumeration, ego_logits: Float[Array, "E h"]) -> Float[Array, ""]:
    """Return J̄, the expected sum of ego's rewards over a meta-trajectory."""
    tables = everything.ego_tables(ego_logits)
    return _mean_return(everything, tables, tables)


@held
@jax.jit
def moments(everything: Enumeration, ego_logits: Float[Array, "E h"], weights: Float[Array, "N B M T"]) -> Moments:
    """Return the exact mean and covariance of an estimate Σ w ∇ log π.

    Args:
        everything: all meta-episodes.
        ego_logits: [1, h] or [M, h].
        weights: [N, B, M, T] the estimator's weights in each meta-episode, for example
            `estimators.coala_pg(everything.episodes.ego.rewards)`; they may use all that was seen.

    Raises:
        ValueError: if ego's memory is not the one listed, or `weights` has another shape.
    """
    P = probabilities(everything, ego_logits)
    g = estimates(everything.episodes, ego_logits, weights).reshape(P.size, -1)
    mean = P @ g
    return Moments(mean, (P[:, None] * (g - mean)).T @ (g - mean))


@held
def current_part(weights: Weights) -> Weights:
    """Return the part of an estimator that is left when no reward comes after the current inner episode.

    Args:
        weights: a function of rewards [..., B, M, T], or of an `EgoPlay`, that returns weights of the same shape.
    """

    def current(seen: Array | EgoPlay) -> Array:
        rewards = seen.rewards if isinstance(seen, EgoPlay) else seen
        M = rewards.shape[-2]

        def so_far(m: int) -> Array:
            kept = jnp.where(jnp.arange(M)[:, None] <= m, rewards, 0)
            return weights(seen._replace(rewards=kept) if isinstance(seen, EgoPlay) else kept)[..., m, :]

        return jnp.stack([so_far(m) for m in range(M)], -2)

    return current


@held
def large_batch_gradient(
    game: MatrixGame,
    ego_logits: Float[Array, " h"],
    learner_logits: Float[Array, " h"],
    learning_rate: float,
    num_inner_episodes: int,
    episode_length: int,
) -> Float[Array, " h"]:
    """Return what ∇J̄ tends to as B → ∞ with a REINFORCE learner: the gradient through its expected steps.

    The learner then moves along ψ_{m+1} = ψ_m + η ∂J²/∂ψ, J the expected sum over an inner episode, and nothing is
    random but the play inside an episode.

    Args:
        game: the stage game; ego is player 0.
        ego_logits: [h], without memory across inner episodes.
        learner_logits: [h] where the learner starts.
        learning_rate: η.
        num_inner_episodes: M.
        episode_length: T.

    Raises:
        ValueError: if a number is out of range.
    """
    strategies.memory_of(ego_logits, name="ego_logits")
    strategies.memory_of(learner_logits, name="learner_logits")
    T = _checks.whole("episode_length", episode_length, 1)
    _checks.whole("num_inner_episodes", num_inner_episodes, 1)
    _checks.number("learning_rate", learning_rate, 0.0)

    def sums(ego: Array, learner: Array) -> Array:
        return T * expected_returns(game, jax.nn.sigmoid(ego), jax.nn.sigmoid(learner), horizon=T)

    def total(ego: Array) -> Array:
        def episode(learner: Array, _: None) -> tuple[Array, Array]:
            theirs = jax.grad(lambda x: sums(ego, x)[1])(learner)
            return learner + learning_rate * theirs, sums(ego, learner)[0]

        return jax.lax.scan(episode, learner_logits, length=num_inner_episodes)[1].sum()

    return jax.grad(total)(ego_logits)
