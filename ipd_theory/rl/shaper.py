"""Shaper: one recurrent policy, optimised by evolution strategies over whole meta-episodes (Khan et al. 2024).

A generation draws N policies φ + σε around the mean, plays each for one meta-episode against the same naive
co-players with the same random numbers, and moves the mean along Σ rank(J̄_n) ε_n (OpenAI-ES, as evosax has it).
Credit for shaping needs no estimator here: J̄ is the reward of the whole meta-episode, learning included.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax
from jaxtyping import Array, Float, Key

from ipd_theory._arguments import checked, hold_fields
from ipd_theory._checks import whole
from ipd_theory._extras import needs
from ipd_theory.rl import build
from ipd_theory.rl.checkpoint import Checkpoints, drop_after
from ipd_theory.rl.config import Config
from ipd_theory.rl.interruption import heeded
from ipd_theory.rl.policies import Policy
from ipd_theory.rl.resuming import where_it_stopped
from ipd_theory.rl.run_folder import (
    CHECKPOINTS,
    SEARCH,
    append,
    decisive,
    described,
    held,
    hold,
    read_metrics,
    rewind,
    write_settings,
)
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
        hold_fields(self)
        if self.population_size < 2 or self.population_size % 2:
            raise ValueError(f"population_size must be an even number of 2 or more; got {self.population_size}")
        if self.deviation <= 0:
            raise ValueError(f"deviation must be positive; got {self.deviation}")
        if self.learning_rate < 0:
            raise ValueError(f"learning_rate must be 0 or more; got {self.learning_rate}")


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


@checked
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


@functools.lru_cache
def _compiled(config: Config, settings: ShaperSettings) -> Shaper:
    """Return the search with its functions compiled, once for equal settings."""
    search = shaper(config, settings)
    return search._replace(init=jax.jit(search.init), generation=jax.jit(search.generation))


@checked
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
    `checkpoints/`. Ctrl-C and SIGTERM end the search after the generation under way, with a checkpoint.

    Args:
        config: as for `shaper`.
        settings: of the search.
        generations: how many in all.
        directory: the folder.
        seed: of everything random.
        checkpoint_every: generations between checkpoints.
        report: called with each line of metrics.

    Raises:
        ValueError: if the folder holds another search, or a training run, or another process writes it.
        KeyboardInterrupt: if it was asked to stop (`Terminated` by SIGTERM); it says what was saved.
    """
    generations, checkpoint_every = whole("generations", generations, 1), whole("checkpoint_every", checkpoint_every, 1)
    seed = whole("seed", seed, 0, 2**32 - 1)
    played = {name: x for name, x in described(config, ()).items() if name != "seeds"}
    about = {"seed": seed, "search": dataclasses.asdict(settings), **played}
    hold(directory, SEARCH, about)
    with held(directory):
        search = _compiled(config, settings)
        blank = jax.eval_shape(search.init, jax.random.key(seed))
        jax.eval_shape(search.generation, blank)  # what cannot run fails before anything is written
        found = where_it_stopped(directory, blank, about, len(read_metrics(directory)))
        done, state = found or (0, search.init(jax.random.key(seed)))
        if not (directory / SEARCH).exists():
            write_settings(directory / SEARCH, about)
        if done < generations:
            rewind(directory, read_metrics(directory)[:done])
            drop_after(directory / CHECKPOINTS, done)
        checkpoints = Checkpoints(directory / CHECKPOINTS, keep=2)
        asked = False
        try:
            with heeded() as interruption:
                while done < generations and not asked:
                    state, rewards = search.generation(state)
                    done += 1
                    line = {"generation": done, "reward": float(rewards.mean()), "best": float(rewards.max())}
                    append(directory, line)
                    report(line)
                    asked = interruption.asked
                    if done % checkpoint_every == 0 or done == generations or asked:
                        checkpoints.save(done, state, decisive(about))
                checkpoints.wait()
        finally:
            checkpoints.close()
    if asked and done < generations:
        raise interruption.kind(
            f"interrupted; {directory} is saved up to generation {done}, and the same command goes on from there"
        )
    return state
