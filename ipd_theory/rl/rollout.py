"""Meta-episodes: one ego policy with a long memory against many co-players at once.

A meta-episode is M inner episodes of T steps, played B times in parallel with each of G co-players. The game starts
anew with every inner episode. The ego's memory runs on through the whole meta-episode, and so does that of a
co-player that is another meta agent; a naive co-player forgets at the start of each inner episode and, after it,
learns from its B trajectories. All of it is one compiled scan.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ipd_theory.rl.ipd import Environment
from ipd_theory.rl.learners import Experience, Learner, Network, Policy, chosen

Carry = Any


class CoPlayers(NamedTuple):
    """G co-players: policies stacked on a leading axis, and which of them are naive learners."""

    policies: Policy
    naive: Bool[Array, " G"]


class MetaEpisode(NamedTuple):
    """What the ego saw and did in [M, T, G, B], and what both players did and got in [M, T, 2, G, B]."""

    observations: Array
    log_probabilities: Float[Array, "M T G B"]
    values: Float[Array, "M T G B"]
    actions: Int[Array, "M T 2 G B"]
    rewards: Float[Array, "M T 2 G B"]


def sample(logits: Float[Array, "*batch A"], uniform: Float[Array, "*batch"]) -> Int[Array, "*batch"]:
    """Return the action [*batch] at which the cumulative distribution passes a uniform number [*batch]."""
    below = jnp.cumsum(jax.nn.softmax(logits), -1)[..., :-1]
    return (uniform[..., None] > below).sum(-1, dtype=jnp.int32)


def play(
    environment: Environment,
    ego: Policy,
    co_players: CoPlayers,
    learner: Learner,
    key: Key[Array, ""],
    *,
    batch: int,
    inner_episodes: int,
    episode_length: int,
) -> MetaEpisode:
    """Play one meta-episode of the ego against every co-player.

    Args:
        environment: the game.
        ego: the policy of player 1, the same against everyone.
        co_players: G policies for player 2.
        learner: how the naive ones among them learn.
        key: of all randomness.
        batch: B, parallel trajectories with each co-player.
        inner_episodes: M.
        episode_length: T, steps of an inner episode.
    """
    G = co_players.naive.shape[0]
    naive_now = jnp.broadcast_to(co_players.naive[:, None], (G, batch))
    num_steps = inner_episodes * episode_length * G * batch
    acting = ego.assemble(num_steps)

    def assemble(policy: Policy) -> Network:
        return policy.assemble(batch * episode_length)

    def inner_episode(carry: Carry, inputs: tuple[Array, Array]) -> tuple[Carry, tuple[MetaEpisode, None]]:
        ego_state, policies, learner_states, co_state = carry
        key, first = inputs
        co_acting = jax.vmap(assemble)(policies)
        act_as_co_player = jax.vmap(lambda assembled, *args: assembled.step(*args))
        opening, playing, chance = jax.random.split(key, 3)
        uniforms = jax.random.uniform(playing, (episode_length, 2, G, batch), jnp.float32)

        def step(carry: Carry, inputs: tuple[Array, Array, Array]) -> tuple[Carry, tuple[MetaEpisode, Array]]:
            state, ego_state, co_state = carry
            uniform, t, key = inputs
            observation, co_observation = environment.observe(state)
            opens = t == 0
            resets = jnp.broadcast_to(opens & first, (G, batch))
            outputs, ego_state = acting.step(observation, resets, ego_state)
            co_outputs, co_state = act_as_co_player(co_acting, co_observation, opens & (naive_now | first), co_state)
            actions = jnp.stack([sample(outputs[..., :-1], uniform[0]), sample(co_outputs[..., :-1], uniform[1])])
            state, rewards = environment.step(state, actions, key)
            log_probability = chosen(jax.nn.log_softmax(outputs[..., :-1]), actions[0])
            record = MetaEpisode(observation, log_probability, outputs[..., -1], actions, rewards)
            return (state, ego_state, co_state), (record, co_observation)

        state = environment.reset(opening, (G, batch))
        steps = (uniforms, jnp.arange(episode_length), jax.random.split(chance, episode_length))
        (_, ego_state, co_state), (record, co_observations) = jax.lax.scan(step, (state, ego_state, co_state), steps)
        experience = Experience(co_observations, record.actions[:, 1], record.rewards[:, 1])
        learnt = jax.vmap(learner.update, in_axes=(0, 0, 1))(policies, learner_states, experience)
        policies, learner_states = jax.tree.map(
            lambda new, old: jnp.where(co_players.naive.reshape(-1, *(1,) * (new.ndim - 1)), new, old),
            learnt,
            (policies, learner_states),
        )
        return (ego_state, policies, learner_states, co_state), (record, None)

    start = (
        acting.initial_state(G, batch),
        co_players.policies,
        jax.vmap(learner.init)(co_players.policies),
        jax.vmap(lambda policy: assemble(policy).initial_state(batch))(co_players.policies),
    )
    episodes = (jax.random.split(key, inner_episodes), jnp.arange(inner_episodes) == 0)
    _, (record, _) = jax.lax.scan(inner_episode, start, episodes)
    return record
