"""Meta-episodes: one ego policy with a long memory against many co-players at once.

A meta-episode is M inner episodes of T steps, played B times in parallel with each of G co-players. The game starts
anew with every inner episode. The ego's memory runs on through the whole meta-episode, and so does that of a
co-player that is another meta agent; a naive co-player forgets at the start of each inner episode and, after it,
learns from its B trajectories. All of it is one compiled scan.
"""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ipd_theory._arguments import checked, hold_fields
from ipd_theory.rl.chunks import group_size, sequences_at_once
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.losses import Learner
from ipd_theory.rl.policies import Experience, Policy, ReadyNetwork, chosen, sample

Carry = Any


class CoPlayers(NamedTuple):
    """G co-players: policies stacked on a leading axis, and which of them are naive learners."""

    policies: Policy
    naive: Bool[Array, " G"]


class MetaEpisode(NamedTuple):
    """What the ego saw and did in [M, T, G, B], what both players did and got in [M, T, G, 2, B], and the means over B
    of what the environment measures."""

    observations: Array
    log_probabilities: Float[Array, "M T G B"]
    values: Float[Array, "M T G B"]
    actions: Int[Array, "M T G 2 B"]
    rewards: Float[Array, "M T G 2 B"]
    measures: dict[str, Float[Array, "M T G"]]


@dataclass(frozen=True)
class Sizes:
    """How much is played with a co-player: `batch` B trajectories of `inner_episodes` M times `episode_length` T."""

    batch: int
    inner_episodes: int
    episode_length: int

    def __post_init__(self) -> None:
        hold_fields(self)
        for name in ("batch", "inner_episodes", "episode_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more; got {getattr(self, name)}")


@checked
def play(
    environment: Environment,
    ego: Policy,
    co_players: CoPlayers,
    learner: Learner,
    key: Key[Array, ""],
    sizes: Sizes,
    at_once: int | None = 0,
) -> MetaEpisode:
    """Play one meta-episode of the ego against every co-player.

    Args:
        environment: the game.
        ego: the policy of player 1, the same against everyone.
        co_players: G policies for player 2.
        learner: how the naive ones among them learn.
        key: of all randomness.
        sizes: B, M and T.
        at_once: most co-players that play at the same time, 0 for all, None for as many as is fast; each has random
            numbers of its own, so the choice changes nothing beyond rounding.
    """
    if at_once is not None and at_once < 0:
        raise ValueError(f"at_once must be 0 or more, or None; got {at_once}")
    G = co_players.naive.shape[0]
    steps = sizes.batch * sizes.episode_length
    network = ego.ready(G * steps * sizes.inner_episodes)
    meet = functools.partial(_meet, environment, network, learner, sizes)
    everyone = (co_players, jax.random.split(key, G))
    record = jax.lax.map(
        lambda each: meet(*each), everyone, batch_size=group_size(G, sequences_at_once(at_once, steps))
    )
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 2), record)


class Memories(NamedTuple):
    """What both players remember of their histories, in B trajectories."""

    ego: Any
    co_player: Any


def play_episode(
    environment: Environment,
    players: tuple[ReadyNetwork, ReadyNetwork],
    memories: Memories,
    forget: tuple[Bool[Array, ""], Bool[Array, ""]],
    key: Key[Array, ""],
    sizes: Sizes,
) -> tuple[Memories, MetaEpisode, Experience]:
    """Play one inner episode from its start, and return memories, the ego's record and what the co-player saw.

    Args:
        environment: the game.
        players: ego and co-player, ready to evaluate.
        memories: of what came before.
        forget: whether each player forgets what came before.
        key: of all randomness.
        sizes: of which B and T count; arrays of the record have the axes [T, B], without M and G.
    """
    B, T = sizes.batch, sizes.episode_length
    ego, other = players
    opening, playing, chance = jax.random.split(key, 3)
    uniforms = jax.random.uniform(playing, (T, 2, B), jnp.float32)
    forgets = jnp.broadcast_to(jnp.stack(forget)[:, None], (2, B))

    def step(
        carry: tuple[Any, Memories], inputs: tuple[Array, Array, Array]
    ) -> tuple[tuple[Any, Memories], tuple[MetaEpisode, Array]]:
        state, memories = carry
        uniform, t, key = inputs
        observation, co_observation = environment.observe(state)
        outputs, ego_memory = ego.step(observation, forgets[0] & (t == 0), memories.ego)
        co_outputs, co_memory = other.step(co_observation, forgets[1] & (t == 0), memories.co_player)
        actions = jnp.stack([sample(outputs[..., :-1], uniform[0]), sample(co_outputs[..., :-1], uniform[1])])
        next_state, rewards = environment.step(state, actions, key)
        measures = environment.measure(state, actions, next_state)
        record = MetaEpisode(
            observation,
            chosen(jax.nn.log_softmax(outputs[..., :-1]), actions[0]),
            outputs[..., -1],
            actions.astype(jnp.int8),
            rewards,
            {name: x.astype(jnp.float32).mean(-1) for name, x in measures.items()},
        )
        return (next_state, Memories(ego_memory, co_memory)), (record, co_observation)

    steps = (uniforms, jnp.arange(T), jax.random.split(chance, T))
    (_, memories), (record, seen) = jax.lax.scan(step, (environment.reset(opening, (B,)), memories), steps)
    return memories, record, Experience(seen, record.actions[:, 1], record.rewards[:, 1])


def _meet(
    environment: Environment,
    ego: ReadyNetwork,
    learner: Learner,
    sizes: Sizes,
    co_player: CoPlayers,
    key: Key[Array, ""],
) -> MetaEpisode:
    """Play a meta-episode of B trajectories against one co-player."""

    def ready(policy: Policy) -> ReadyNetwork:
        return policy.ready(sizes.batch * sizes.episode_length)

    def inner_episode(carry: Carry, inputs: tuple[Array, Array]) -> tuple[Carry, MetaEpisode]:
        memories, policy, learner_state = carry
        key, first = inputs
        forget = (first, first | co_player.naive)
        memories, record, seen = play_episode(environment, (ego, ready(policy)), memories, forget, key, sizes)
        learnt = learner.update(policy, learner_state, seen)
        policy, learner_state = jax.tree.map(
            functools.partial(jnp.where, co_player.naive), learnt, (policy, learner_state)
        )
        return (memories, policy, learner_state), record

    policy = co_player.policies
    memories = Memories(ego.initial_state(sizes.batch), ready(policy).initial_state(sizes.batch))
    episodes = (jax.random.split(key, sizes.inner_episodes), jnp.arange(sizes.inner_episodes) == 0)
    return jax.lax.scan(inner_episode, (memories, policy, learner.init(policy)), episodes)[1]
