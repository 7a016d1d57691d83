r"""The batched co-player shaping POMDP: one policy plays B games at once against a learner that learns from all B.

A *meta-episode* is B trajectories in parallel, each of M inner episodes of T steps. Ego player φ sees its own
trajectory; the learner, in state ψ_m during inner episode m, sees the current inner episode only and then moves,

    ψ_{m+1} = update(ψ_m, the B inner episodes m),

so that every trajectory's actions reach every trajectory's later rewards. With the learner inside, the environment is
an ordinary POMDP for ego, whose objective is the mean return J̄(φ) = E[(1/B) Σ_b Σ_m Σ_t r_{b,m,t}].

Both players are tables over contexts (see `strategies`), each in its own view. The learner forgets at the start of an
inner episode; ego forgets there too, or remembers across episodes (`remember_across_episodes`), and its table may
differ from one inner episode to the next: logits [E, h] with E = 1, or E = M.

Source: Meulemans et al. 2025, section 3 (batched co-player shaping POMDP).
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from ipd_theory import _checks, strategies
from ipd_theory.games import MatrixGame
from ipd_theory.sampling._held import held
from ipd_theory.sampling.learners import Seen, TabularLearner
from ipd_theory.strategies import OUTCOME_SWAP


@held
def _learner_table(learner_table: Float[ArrayLike, "..."]) -> Array:
    return jnp.asarray(learner_table)


class ShapingPOMDP(eqx.Module):
    """The environment that ego meets: a game, a learner with its start, and the three sizes.

    Args:
        game: a two-player game; ego is player 0.
        learner: the co-player's learning rule.
        learner_table: [h] where the learner starts at each meta-episode, in the units of its rule (logits for
            gradient learners, probabilities for those that move in probability space).
        batch_size: B, trajectories in parallel.
        num_inner_episodes: M.
        episode_length: T, steps of an inner episode.
        remember_across_episodes: whether ego's memory survives the start of an inner episode.
        start: the outcome (0 CC, 1 CD, 2 DC, 3 DD, ego's action first) that both players take for the last one as an
            inner episode starts, or None for the empty history.

    Raises:
        ValueError: if a size is below 1, the game is not one two-player game, the learner's table has no memory's
            length or holds a NaN or an infinity, or `start` is not an outcome.
        TypeError: if the game or the learner is another kind of thing.
    """

    game: MatrixGame
    learner: TabularLearner = eqx.field(static=True)
    learner_table: Float[Array, " h"] = eqx.field(converter=_learner_table)
    batch_size: int = eqx.field(static=True)
    num_inner_episodes: int = eqx.field(static=True)
    episode_length: int = eqx.field(static=True)
    remember_across_episodes: bool = eqx.field(static=True, default=False)
    start: int | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        for name in ("batch_size", "num_inner_episodes", "episode_length"):
            _checks.whole(name, getattr(self, name), 1)
        _checks.instance("game", self.game, MatrixGame)
        _checks.instance("learner", self.learner, TabularLearner, "such as learners.reinforce(2.0)")
        if self.learner_table.ndim != 1:
            raise ValueError(f"learner_table has shape {self.learner_table.shape}; it must be one table [h]")
        strategies.memory_of(self.learner_table, name="learner_table")
        if self.game.payoffs.shape != (2, 2, 2):
            raise ValueError(f"game.payoffs has shape {self.game.payoffs.shape}; one two-player game is (2, 2, 2)")
        if isinstance(self.start, bool | float) or self.start not in (None, 0, 1, 2, 3):
            raise ValueError(f"start must be None or an outcome 0 … 3; got {self.start}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, M, T)."""
        return self.batch_size, self.num_inner_episodes, self.episode_length


class MetaEpisodes(eqx.Module):
    """N meta-episodes as both players saw them.

    Attributes:
        ego: contexts, actions and rewards [N, B, M, T] of ego.
        learner: the same steps in the learner's view.
        learner_policies: [N, M, h] the learner's cooperation probabilities during each inner episode.
        ego_memory: outcomes that ego's contexts tell apart.
    """

    ego: Seen
    learner: Seen
    learner_policies: Float[Array, "N M h"]
    ego_memory: int = eqx.field(static=True)


def opening_contexts(pomdp: ShapingPOMDP, ego_memory: int, learner_memory: int) -> tuple[int, int]:
    """Return the contexts in which ego and the learner start an inner episode."""
    if pomdp.start is None:
        return 0, 0
    after_ego, after_learner = strategies.successors(ego_memory)[0], strategies.successors(learner_memory)[0]
    return int(after_ego[pomdp.start]), int(after_learner[OUTCOME_SWAP[pomdp.start]])


def ego_tables(num_inner_episodes: int, ego_logits: Float[Array, "E h"]) -> Float[Array, "M h"]:
    """Return ego's cooperation probabilities [M, h] in each of M inner episodes.

    Raises:
        ValueError: if the logits are not [1, h] or [M, h].
    """
    M = num_inner_episodes
    if ego_logits.ndim != 2 or ego_logits.shape[0] not in (1, M):
        raise ValueError(f"ego_logits has shape {ego_logits.shape}; it must be (1, h) or (M, h) = ({M}, h)")
    strategies.memory_of(ego_logits, name="ego_logits")
    return jnp.broadcast_to(jax.nn.sigmoid(ego_logits), (M, ego_logits.shape[-1]))


def check_memory(ego_logits: Float[Array, "E h"], memory: int) -> None:
    """Raise `ValueError` unless ego's logits are those of a memory that meta-episodes were played or listed with."""
    own = strategies.memory_of(ego_logits, name="ego_logits")
    if own != memory:
        raise ValueError(
            f"ego_logits has {ego_logits.shape[-1]} entries, memory {own}; the meta-episodes are those of ego_memory "
            f"{memory}"
        )


@held
@functools.partial(jax.jit, static_argnames="num_meta_episodes")
def play(
    key: PRNGKeyArray, pomdp: ShapingPOMDP, ego_logits: Float[Array, "E h"], num_meta_episodes: int
) -> MetaEpisodes:
    """Sample N independent meta-episodes.

    Args:
        key: a key of any generator; "unsafe_rbg" is the fast one on a CPU.
        pomdp: the environment.
        ego_logits: [1, h] or [M, h] logits of ego's cooperation, the same in every trajectory.
        num_meta_episodes: N.

    Raises:
        ValueError: if `ego_logits` has no such shape or is not finite, or N is below 1.
    """
    _checks.whole("num_meta_episodes", num_meta_episodes, 1)
    N, (B, M, T) = num_meta_episodes, pomdp.shape
    tables = ego_tables(M, ego_logits)
    memories = strategies.memory_of(ego_logits), strategies.memory_of(pomdp.learner_table, name="learner_table")
    after_ego = jnp.asarray(strategies.successors(memories[0]), jnp.int32)
    after_learner = jnp.asarray(strategies.successors(memories[1])[:, OUTCOME_SWAP], jnp.int32)
    opening = [jnp.full((N, B), c, jnp.int32) for c in opening_contexts(pomdp, *memories)]
    rule, payoffs = pomdp.learner, pomdp.game.outcome_payoffs.astype(tables.dtype)

    def inner_episode(
        carry: tuple[Any, Array], episode: tuple[Array, Array]
    ) -> tuple[tuple[Any, Array], tuple[Array, ...]]:
        state, ego_context = carry
        table, key = episode
        policy = jax.vmap(rule.policy)(state)

        def step(contexts: tuple[Array, Array], uniform: Array) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
            mine, theirs = contexts
            p, q = table[mine], jnp.take_along_axis(policy, theirs, 1)
            outcome = _outcome(p, q, uniform)
            return (after_ego[mine, outcome], after_learner[theirs, outcome]), (mine, theirs, outcome)

        first = ego_context if pomdp.remember_across_episodes else opening[0]
        bits = jax.random.bits(key, (T, N, B), jnp.uint32)
        # Unrolled, the small steps of several rounds fuse: half as fast again on a CPU.
        (last, _), (mine, theirs, outcome) = jax.lax.scan(step, (first, opening[1]), bits, unroll=min(T, 16))
        theirs, outcome = jnp.moveaxis(theirs, 0, -1), jnp.moveaxis(outcome, 0, -1)
        seen = Seen(theirs, outcome % 2, payoffs[1][outcome])
        state = jax.vmap(rule.update)(state, seen)
        return (state, last), (jnp.moveaxis(mine, 0, -1), outcome, *seen, policy)

    start = rule.init(pomdp.learner_table)
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (N, *jnp.shape(x))), start)
    _, record = jax.lax.scan(inner_episode, (states, opening[0]), (tables, jax.random.split(key, M)))
    *steps, policies = record
    mine, outcome, *theirs = (jnp.moveaxis(x, 0, -2) for x in steps)  # [M, N, B, T] to [N, B, M, T]
    ego = Seen(mine, outcome // 2, payoffs[0][outcome])
    return MetaEpisodes(ego, Seen(*theirs), jnp.moveaxis(policies, 0, 1), memories[0])


def _outcome(p: Array, q: Array, bits: Array) -> Array:
    """Return 0 CC, 1 CD, 2 DC, 3 DD from one random word: it is compared with the distribution function."""
    u = (bits >> 8).astype(p.dtype) * 2.0**-24  # 24 bits, which every float holds, so that u < 1
    beyond = jnp.stack([u >= p * q, u >= p, u >= p + (1 - p) * q])
    return beyond.sum(0, dtype=jnp.int32)


@held
@jax.jit
def estimates(
    episodes: MetaEpisodes, ego_logits: Float[Array, "E h"], weights: Float[Array, "N B M T"]
) -> Float[Array, "N E h"]:
    """Return each meta-episode's gradient estimate Σ w ∇ log π in the logits of ego.

    Args:
        episodes: what was played.
        ego_logits: [1, h] or [M, h] logits, of the memory that ego played with.
        weights: [N, B, M, T], for example `estimators.coala_pg(episodes.ego.rewards)`.

    Raises:
        ValueError: if the logits or the weights do not fit the meta-episodes.
    """
    ego = episodes.ego
    tables = ego_tables(ego.actions.shape[-2], ego_logits)
    check_memory(ego_logits, episodes.ego_memory)
    if weights.shape != ego.actions.shape:
        raise ValueError(f"weights has shape {weights.shape}; the meta-episodes have {ego.actions.shape}")
    visits = ego.contexts[..., None] == jnp.arange(tables.shape[-1], dtype=ego.contexts.dtype)  # [N, B, M, T, h]
    scores = (ego.actions == 0).astype(tables.dtype)[..., None] - tables[:, None, :]
    by_episode = jnp.where(visits, weights[..., None] * scores, 0).sum((-4, -2))
    return by_episode if ego_logits.shape[0] > 1 else by_episode.sum(-2, keepdims=True)
