"""Shaper: one recurrent policy, optimised by evolution strategies over whole meta-episodes (Khan et al. 2024).

A generation draws N policies φ + σε around the mean, plays each for one meta-episode against the same naive
co-players with the same random numbers, and moves the mean along Σ rank(J̄_n) ε_n (OpenAI-ES, as evosax has it).
Credit for shaping needs no estimator here: J̄ is the reward of the whole meta-episode, learning included.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax
from jaxtyping import Array, Float, Key

from ipd_theory._extras import needs
from ipd_theory.rl import build
from ipd_theory.rl.checkpoint import Checkpoints
from ipd_theory.rl.config import Config
from ipd_theory.rl.policies import Policy
from ipd_theory.rl.train import against_naive

with needs("shaper"):
    import evosax.algorithms


@dataclass(frozen=True)
class ShaperSettings:
    """How the search goes.

    Args:
        population_size: Policies a generation, an even number: they come in mirrored pairs.
        deviation: σ, the standard deviation of every weight around the mean.
        learning_rate: Step size of Adam on the mean.
    """

    population_size: int = 128
    deviation: float = 0.05
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        if self.population_size < 2 or self.population_size % 2:
            raise ValueError(f"population_size must be an even number of 2 or more; got {self.population_size}")
        if self.deviation <= 0:
            raise ValueError(f"deviation must be positive; got {self.deviation}")


class ShaperState(NamedTuple):
    """The search's state, the naive initialisations [K] and the key."""

    search: Any
    naive: Policy
    key: Key[Array, ""]


class Shaper(NamedTuple):
    """Evolution as a pair of functions, and the policy at the mean of a state."""

    init: Callable[[Key[Array, ""]], ShaperState]
    generation: Callable[[ShaperState], tuple[ShaperState, Float[Array, " N"]]]
    policy: Callable[[ShaperState], Policy]


def shaper(config: Config, settings: ShaperSettings) -> Shaper:
    """Return the search for a shaping policy; `generation` gives the next state and every member's reward a step.

    Args:
        config: the game, sizes, network and naive learners; its meta agents' settings are not used.
        settings: of the search.
    """
    environment = build.environment(config.environment)
    like = build.policy(config.network, environment, jax.random.key(0))
    strategy = evosax.algorithms.Open_ES(
        settings.population_size,
        like,
        optimizer=optax.adam(settings.learning_rate),
        std_schedule=optax.constant_schedule(settings.deviation),
    )
    parameters = strategy.default_params

    def init(key: Key[Array, ""]) -> ShaperState:
        key, mean_key, naive_key, search_key = jax.random.split(key, 4)
        start = build.policy(config.network, environment, mean_key)
        create = jax.vmap(lambda key: build.policy(config.network, environment, key))
        naive = create(jax.random.split(naive_key, config.num_naive))
        return ShaperState(strategy.init(search_key, start, parameters), naive, key)

    def generation(state: ShaperState) -> tuple[ShaperState, Float[Array, " N"]]:
        key, ask_key, play_key, tell_key = jax.random.split(state.key, 4)
        members, search = strategy.ask(ask_key, state.search, parameters)
        rewards = jax.vmap(lambda ego: against_naive(config, ego, state.naive, play_key)["reward"].mean())(members)
        # evosax minimises.
        search, _ = strategy.tell(tell_key, members, -rewards, search, parameters)
        return ShaperState(search, state.naive, key), rewards

    def policy(state: ShaperState) -> Policy:
        mean: Policy = strategy.get_mean(state.search)
        return mean

    return Shaper(init, generation, policy)


def evolve(
    config: Config,
    settings: ShaperSettings,
    generations: int,
    directory: Path,
    seed: int = 0,
    *,
    checkpoint_every: int = 50,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
) -> ShaperState:
    """Search for so many generations, going on from the latest checkpoint in a folder if there is one.

    The folder gets `shaper.json`, `metrics.jsonl` (mean and best reward a step of each generation's members) and
    `checkpoints/`.

    Args:
        config: as for `shaper`.
        settings: of the search.
        generations: how many in all.
        directory: the folder.
        seed: of everything random.
        checkpoint_every: generations between checkpoints.
        report: called with each line of metrics.

    Raises:
        ValueError: if the folder holds another search.
    """
    directory.mkdir(parents=True, exist_ok=True)
    described = {"seed": seed, "search": dataclasses.asdict(settings), **dataclasses.asdict(config)}
    about, wanted = directory / "shaper.json", json.dumps(described, indent=2) + "\n"
    if about.exists() and about.read_text() != wanted:
        raise ValueError(f"directory {directory} holds a search with other settings")
    about.write_text(wanted)
    search = shaper(config, settings)
    state, generation = jax.jit(search.init)(jax.random.key(seed)), jax.jit(search.generation)
    checkpoints, log = Checkpoints(directory / "checkpoints"), directory / "metrics.jsonl"
    try:
        done = checkpoints.latest() or 0
        if done:
            state = checkpoints.restore(state)
        kept = log.read_text().splitlines(keepends=True)[:done] if done else []
        log.write_text("".join(kept))
        while done < generations:
            state, rewards = generation(state)
            done += 1
            line = {"generation": done, "reward": float(rewards.mean()), "best": float(rewards.max())}
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            report(line)
            if done % checkpoint_every == 0 or done == generations:
                checkpoints.save(done, state)
    finally:
        checkpoints.close()
    return state
