"""Agents of a training run at play: against naive learners, against each other, one game to watch, one move at a time.

An agent is looked up by the run's folder; its weights come from a checkpoint, the latest if none is named.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key, Shaped

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.rl import build, run_folder, runs, train
from ipd_theory.rl.config import Config
from ipd_theory.rl.environments import IteratedDilemma
from ipd_theory.rl.policies import Policy
from ipd_theory.rl.rollout import CoPlayers
from ipd_theory.rl.scripted import by_hand

NAIVE = "naive learners"


class Meeting(NamedTuple):
    """Who played whom, and averages by inner episode, [M], of rewards a step and of what the environment measures."""

    ego: str
    co_player: str
    averages: dict[str, Float[np.ndarray, " M"]]


class Evaluation(NamedTuple):
    """The iteration that agents were evaluated after, and every meeting."""

    iteration: int
    meetings: list[Meeting]


@checked
def evaluate(
    run: str | Path,
    iteration: int | None = None,
    *,
    meta_episodes: int = 4,
    seed: int = 0,
    progress: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> Evaluation:
    """Play the agents of a run against fresh naive learners, and against each other.

    Players by hand against the same learners (`scripted.by_hand`) stand beside them, and say what shaping is worth;
    teachers wait for half of the meta-episode.

    Args:
        run: the run's folder.
        iteration: which checkpoint; the latest if not given.
        meta_episodes: meta-episodes of each meeting, each against the run's meta-batch of co-players.
        seed: of the play.
        progress: goes through the meetings; it may show how far it is.

    Raises:
        ValueError: if the folder holds no run or no such checkpoint, or there are no meta-episodes.
    """
    _checks.whole("seed", seed, 0, 2**32 - 1)
    if meta_episodes < 1:
        raise ValueError(f"meta_episodes must be 1 or more; got {meta_episodes}")
    config, seeds = run_folder.read_config(Path(run))
    states = runs.read_states(Path(run), iteration)
    keys = jax.random.split(jax.random.key(seed), meta_episodes)
    naive = jax.jit(lambda ego, inits: jax.lax.map(lambda key: train.against_naive(config, ego, inits, key), keys))
    meta = jax.jit(lambda ego, other: jax.lax.map(lambda key: train.against_meta(config, ego, other, key), keys))
    pairs: list[tuple[str, str, Callable[[], train.ByEpisode]]] = []
    for s, label in enumerate(seeds):
        agents = [_agent(states, s, i) for i in range(len(config.methods))]
        names = [f"{method} {i}, seed {label}" for i, method in enumerate(config.methods)]
        inits = jax.tree.map(lambda x, s=s: x[s], states.naive)
        everyone = list(zip(names, agents, strict=True))
        pairs += [(name, NAIVE, functools.partial(naive, ego, inits)) for name, ego in everyone]
        for i, (name, ego) in enumerate(everyone):
            pairs += [(name, other, functools.partial(meta, ego, agent)) for other, agent in everyone[i + 1 :]]
        if s == 0:
            hands = by_hand(config.environment, config.inner_episodes * config.episode_length // 2).items()
            pairs += [(name, NAIVE, functools.partial(naive, ego, inits)) for name, ego in hands]
    meetings = [
        Meeting(ego, other, {name: np.asarray(x.mean(0)) for name, x in meet().items()})
        for ego, other, meet in progress(pairs)
    ]
    return Evaluation(int(states.iteration[0]), meetings)


def _agent(states: train.TrainState, seed: int, agent: int) -> Policy:
    policy: Policy = jax.tree.map(lambda x: x[seed, agent], states.meta)
    return policy


class Watched(NamedTuple):
    """One meta-episode of an agent and one co-player: what the agent saw, and what both did and got."""

    observations: Shaped[np.ndarray, "M T ..."]
    actions: Int[np.ndarray, "M T 2"]
    rewards: Float[np.ndarray, "M T 2"]


@checked
def watch(
    run: str | Path,
    agent: int = 0,
    against: Literal["naive", "meta"] = "naive",
    iteration: int | None = None,
    seed: int = 0,
) -> Watched:
    """Let an agent of a run's first seed play a meta-episode with one co-player.

    Args:
        run: the run's folder.
        agent: which meta agent, counted from 0.
        against: a fresh naive learner, which learns after every inner episode, or the next meta agent of the pool.
        iteration: which checkpoint; the latest if not given.
        seed: of the play, and, counted around, which naive initialisation.

    Raises:
        ValueError: if the folder holds no run or no such checkpoint, or there is no such agent or co-player.
    """
    _checks.whole("seed", seed, 0, 2**32 - 1)
    config, _ = run_folder.read_config(Path(run))
    _in_pool(config, agent)
    if against == "meta" and len(config.methods) < 2:
        raise ValueError(f"against='meta' needs a pool of two meta agents or more; run {run} has one")
    states = jax.tree.map(lambda x: x[0], runs.read_states(Path(run), iteration))
    pool, other = (states.naive, seed) if against == "naive" else (states.meta, agent + 1)
    other %= jax.tree.leaves(pool)[0].shape[0]
    co_player = CoPlayers(jax.tree.map(lambda x: x[other][None], pool), jnp.array([against == "naive"]))
    ego = jax.tree.map(lambda x: x[agent], states.meta)
    meet = jax.jit(lambda ego, co, key: train.meta_episode(config, ego, co, key))
    record = jax.tree.map(np.asarray, meet(ego, co_player, jax.random.key(seed)))
    return Watched(record.observations[:, :, 0, 0], record.actions[:, :, 0, :, 0], record.rewards[:, :, 0, :, 0])


@checked
def play_of(
    run: str | Path,
    agent: int = 0,
    against: Literal["naive", "meta"] = "naive",
    iteration: int | None = None,
    *,
    meta_episodes: int = 4,
    seed: int = 0,
) -> Int[np.ndarray, "M T E G 2 B"]:
    """Return what an agent of a run's first seed and its co-players do, by inner episode: 0 to cooperate.

    Args:
        run: the run's folder, of agents with two actions.
        agent: which meta agent, counted from 0.
        against: fresh naive learners drawn from their initialisations, or the next meta agent of the pool.
        iteration: which checkpoint; the latest if not given.
        meta_episodes: E, each against the run's meta-batch of G co-players.
        seed: of the play.

    Raises:
        ValueError: if the folder holds no run or no such checkpoint, there is no such agent or co-player, or no
            meta-episode, or its environment is another than the iterated dilemma.
    """
    _checks.whole("seed", seed, 0, 2**32 - 1)
    _checks.whole("meta_episodes", meta_episodes, 1)
    config, _ = run_folder.read_config(Path(run))
    _in_pool(config, agent)
    if not isinstance(config.environment, IteratedDilemma):
        raise ValueError(f"run {run} plays {type(config.environment).__name__}; it must play IteratedDilemma")
    if against == "meta" and len(config.methods) < 2:
        raise ValueError(f"against='meta' needs a pool of two meta agents or more; run {run} has one")
    states = jax.tree.map(lambda x: x[0], runs.read_states(Path(run), iteration))
    pool = states.naive if against == "naive" else states.meta
    size = jax.tree.leaves(pool)[0].shape[0]

    def episode(key: Key[Array, ""]) -> Int[Array, "M T G 2 B"]:
        draw_key, play_key = jax.random.split(key)
        fresh = jax.random.randint(draw_key, (config.meta_batch,), 0, size, jnp.int32)
        which = fresh if against == "naive" else jnp.full_like(fresh, (agent + 1) % size)
        co_players = CoPlayers(jax.tree.map(lambda x: x[which], pool), jnp.full(which.shape, against == "naive"))
        return train.meta_episode(config, ego, co_players, play_key).actions

    ego = jax.tree.map(lambda x: x[agent], states.meta)
    played = jax.jit(lambda keys: jax.lax.map(episode, keys))(jax.random.split(jax.random.key(seed), meta_episodes))
    return np.moveaxis(np.asarray(played), 0, 2)


class Player:
    """A trained agent, one move at a time.

    Args:
        policy: of the agent.
        discrete: whether its observations are integers rather than vectors of features.
    """

    @checked
    def __init__(self, policy: Policy, discrete: bool = True) -> None:
        self._network = policy.ready()
        self._step = jax.jit(lambda *seen: self._network.step(*seen))
        self._discrete = discrete

    def act(self, observation: ArrayLike, memory: Any = None) -> tuple[Float[np.ndarray, "*batch A"], Any]:
        """Return the probabilities [*batch, A] of the agent's actions, and its memory after the observation.

        Args:
            observation: [*batch] whole numbers or [*batch, features], of one game or of many at once. In the iterated
                dilemma 0 stands for the first round, then 1 to 4 for CC, CD, DC, DD, the agent's own action first.
            memory: what the last call returned; None forgets everything. A new inner episode is not a new memory.
        """
        seen = jnp.asarray(observation)
        if self._discrete and not jnp.issubdtype(seen.dtype, jnp.integer):
            raise TypeError(f"observation must hold whole numbers; got {observation!r}")
        batch = seen.shape if self._discrete else seen.shape[:-1]
        state = self._network.initial_state(*batch) if memory is None else memory
        outputs, state = self._step(seen, jnp.full(batch, memory is None), state)
        return np.asarray(jax.nn.softmax(outputs[..., :-1])), state


@checked
def load_policy(run: str | Path, agent: int = 0, seed: int | None = None, iteration: int | None = None) -> Player:
    """Return a trained agent to play with.

        >>> player = load_policy(run)
        >>> probabilities, memory = player.act(0)  # the first round
        >>> probabilities, memory = player.act(2, memory)  # it cooperated, and the other defected
        >>> probabilities.shape  # of cooperation and of defection
        (2,)

    Args:
        run: the run's folder.
        agent: which meta agent, counted from 0.
        seed: of the run's seeds; the first if not given.
        iteration: which checkpoint; the latest if not given.

    Raises:
        ValueError: if the folder holds no run or no such checkpoint, or the run has no such agent or seed.
    """
    config, seeds = run_folder.read_config(Path(run))
    _in_pool(config, agent)
    seed = seeds[0] if seed is None else seed
    if seed not in seeds:
        raise ValueError(f"seed must be one of {', '.join(map(str, seeds))}; got {seed}")
    policy = _agent(runs.read_states(Path(run), iteration), seeds.index(seed), agent)
    return Player(policy, build.environment(config.environment).discrete)


def _in_pool(config: Config, agent: int) -> None:
    if not 0 <= agent < len(config.methods):
        raise ValueError(f"agent must lie in 0 to {len(config.methods) - 1}; got {agent}")
