"""Training a pool of meta agents: one iteration as a pure function of a state.

An iteration, for each meta agent φ_i: draw G co-players with replacement, each a naive initialisation with
probability p_naive and else one of the other meta agents; play a meta-episode against all of them; update φ_i. All
meta agents change at once, and what the naive co-players learnt is thrown away (Meulemans et al. 2025, section 3).
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ipd_theory.rl import build
from ipd_theory.rl.chunks import in_turn, sum_over
from ipd_theory.rl.config import Config, Meta
from ipd_theory.rl.gradient_parts import GradientParts, measured
from ipd_theory.rl.losses import (
    LearnerState,
    PPOInfo,
    Trajectories,
    a2c,
    by_time,
    by_trajectory,
    meta_advantages,
    optimizer,
    ppo_update,
    whole,
)
from ipd_theory.rl.policies import Policy
from ipd_theory.rl.rollout import CoPlayers, MetaEpisode, Sizes, play
from ipd_theory.sampling import estimators
from ipd_theory.sampling.estimators import Estimator


class TrainState(NamedTuple):
    """All of a run: P meta agents with their optimisers, K naive initialisations, the key and the iteration."""

    meta: Policy
    optimizers: LearnerState
    naive: Policy
    key: Key[Array, ""]
    iteration: Int[Array, ""]


ByEpisode = dict[str, Float[Array, "*agents M"]]


class Metrics(NamedTuple):
    """What an iteration showed: play against either kind of co-player, the losses and the gradient's parts [P].

    Play is averages over co-players, trajectories and steps by inner episode, [P, M]: `reward` and `co_player_reward`,
    unscaled, and what the environment measures; NaN where no co-player of the kind was drawn.
    The parts are those of the gradient against naive co-players before the update, NaN where they were not measured.
    """

    against_naive: ByEpisode
    against_meta: ByEpisode
    losses: PPOInfo
    gradients: GradientParts


def sizes_of(config: Config) -> Sizes:
    """Return how much is played with each co-player."""
    return Sizes(config.batch, config.inner_episodes, config.episode_length)


def initial_state(config: Config, key: Key[Array, ""]) -> TrainState:
    """Return the state before the first iteration."""
    environment = build.environment(config.environment)
    key, meta_key, naive_key = jax.random.split(key, 3)
    create = jax.vmap(lambda key: build.policy(config.network, environment, key))
    meta = create(jax.random.split(meta_key, len(config.methods)))
    naive = create(jax.random.split(naive_key, max(config.num_naive, 1)))
    transform = optimizer(config.meta.optimizer, config.meta.learning_rate, config.meta.max_gradient_norm)
    return TrainState(meta, jax.vmap(transform.init)(meta), naive, key, jnp.zeros((), jnp.int32))


def iterate(config: Config, state: TrainState, axis: str | None = None) -> tuple[TrainState, Metrics]:
    """Play and learn once; the run is this function of (config, key) repeated, so seeds can be vmapped.

    Args:
        config: of the run.
        state: before.
        axis: the mesh axis over which devices share the meta-batch, inside `jax.shard_map`; the state is the same on
            all of them.
    """
    P, meta = len(config.methods), config.meta
    key, dynamic_key, *agent_keys = jax.random.split(state.key, 2 + P)
    if config.dynamic_naive:
        K = jax.tree.leaves(state.naive)[0].shape[0]
        chosen = jax.random.randint(dynamic_key, (K,), 0, P, jnp.int32)
        state = state._replace(naive=jax.tree.map(lambda x: x[chosen], state.meta))
    if axis is not None:
        agent_keys = [jax.random.fold_in(key, jax.lax.axis_index(axis)) for key in agent_keys]
    play_keys, update_keys = jnp.moveaxis(jax.vmap(jax.random.split)(jnp.stack(agent_keys)), 1, 0)
    G = config.meta_batch // (1 if axis is None else jax.lax.axis_size(axis))

    def episode(agent: Array, policy: Policy, key: Key[Array, ""]) -> tuple[MetaEpisode, Bool[Array, " G"]]:
        draw_key, play_key = jax.random.split(key)
        co_players = draw_co_players(state, agent, draw_key, G, config.p_naive)
        return meta_episode(config, policy, co_players, play_key), co_players.naive

    record, naive = in_turn(episode, jnp.arange(P, dtype=jnp.int32), state.meta, play_keys)
    by_agent = [jax.tree.map(lambda x, i=i: x[i], (record, naive, state.meta)) for i in range(P)]
    agents = list(zip(by_agent, map(estimators.named, config.methods), strict=True))
    gradients = [
        _now_and_then(config.gradient_parts_every, state.iteration, policy, record, naive, estimator, meta, axis)
        for (record, naive, policy), estimator in agents
    ]
    data = [trajectories(record, naive, estimator, meta, axis) for (record, naive, _), estimator in agents]
    update = functools.partial(ppo_update, settings=meta, axis=axis)
    policies, optimizers, losses = in_turn(update, state.meta, state.optimizers, _stacked(data), update_keys)
    averages = jax.vmap(functools.partial(by_episode, axis=axis))
    metrics = Metrics(averages(record, naive), averages(record, ~naive), losses, _stacked(gradients))
    return TrainState(policies, optimizers, state.naive, key, state.iteration + 1), metrics


def _stacked(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *x: jnp.stack(x), *trees)


def draw_co_players(
    state: TrainState, agent: Int[Array, ""], key: Key[Array, ""], number: int, p_naive: float
) -> CoPlayers:
    """Draw co-players for one agent: naive with p_naive, else another meta agent, uniformly within each kind.

    Args:
        state: with the pool to draw from.
        agent: who will play them.
        key: of the draw.
        number: G, how many.
        p_naive: probability of a naive one.
    """
    K, P = (jax.tree.leaves(pool)[0].shape[0] for pool in (state.naive, state.meta))
    kind_key, naive_key, meta_key = jax.random.split(key, 3)
    naive = jax.random.uniform(kind_key, (number,), jnp.float32) < p_naive
    other = jax.random.randint(meta_key, (number,), 0, max(P - 1, 1), jnp.int32)
    other = other + (other >= agent).astype(jnp.int32)
    which = jnp.where(naive, jax.random.randint(naive_key, (number,), 0, K, jnp.int32), K + other)
    pool = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), state.naive, state.meta)
    return CoPlayers(jax.tree.map(lambda x: x[which], pool), naive)


def meta_episode(config: Config, ego: Policy, co_players: CoPlayers, key: Key[Array, ""]) -> MetaEpisode:
    """Play one meta-episode as the settings of a run say."""
    environment, learner = build.environment(config.environment), a2c(config.naive)
    return play(environment, ego, co_players, learner, key, sizes_of(config), config.co_players_at_once)


def trajectories(
    record: MetaEpisode, naive: Bool[Array, " G"], estimator: Estimator, settings: Meta, axis: str | None = None
) -> Trajectories:
    """Return one agent's meta-episode [M, T, G, B] as PPO's data [M T, G B], with its advantages and targets."""
    rewards, values = by_trajectory(record.rewards[..., 0, :]), by_trajectory(record.values)
    advantages, targets = meta_advantages(rewards, values, naive, estimator, settings, axis)
    actions = record.actions[..., 0, :]
    played = (record.observations, actions, record.log_probabilities, record.values)
    return Trajectories(*map(whole, (*played, by_time(advantages), by_time(targets))))


def _now_and_then(every: int, iteration: Int[Array, ""], *what: Any) -> GradientParts:
    """Measure one agent's gradient by its parts when it is time to, if ever."""
    unknown = GradientParts(jnp.float32(jnp.nan), jnp.float32(jnp.nan))
    return jax.lax.cond(iteration % every == 0, lambda: measured(*what), lambda: unknown) if every else unknown


def by_episode(record: MetaEpisode, which: Bool[Array, " G"], axis: str | None = None) -> ByEpisode:
    """Return one agent's averages [M] over the co-players in `which`; NaN if there are none."""
    mine, theirs = jnp.moveaxis(record.rewards.mean(-1), -1, 0)
    measures = {"reward": mine, "co_player_reward": theirs, **record.measures}
    weight = which.astype(jnp.float32)
    totals, count = sum_over(axis, ({name: x.mean(1) @ weight for name, x in measures.items()}, weight.sum()))
    return {name: jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan) for name, total in totals.items()}


def against_naive(config: Config, ego: Policy, naive: Policy, key: Key[Array, ""]) -> ByEpisode:
    """Play a meta-episode against naive learners drawn from their initialisations; averages [M] over all of it.

    Args:
        config: sizes, game and learning rule.
        ego: any policy for the game, trained or not.
        naive: [K] stacked initialisations.
        key: of all randomness.
    """
    draw_key, play_key = jax.random.split(key)
    K = jax.tree.leaves(naive)[0].shape[0]
    which = jax.random.randint(draw_key, (config.meta_batch,), 0, K, jnp.int32)
    return _meet(config, ego, CoPlayers(jax.tree.map(lambda x: x[which], naive), jnp.ones(which.shape, bool)), play_key)


def against_meta(config: Config, ego: Policy, other: Policy, key: Key[Array, ""]) -> ByEpisode:
    """Play a meta-episode of two policies with long memories against each other; averages [M] over all of it."""
    stacked = jax.tree.map(lambda x: jnp.broadcast_to(x, (config.meta_batch, *x.shape)), other)
    return _meet(config, ego, CoPlayers(stacked, jnp.zeros(config.meta_batch, bool)), key)


def _meet(config: Config, ego: Policy, co_players: CoPlayers, key: Key[Array, ""]) -> ByEpisode:
    record = meta_episode(config, ego, co_players, key)
    return by_episode(record, jnp.ones_like(co_players.naive))
