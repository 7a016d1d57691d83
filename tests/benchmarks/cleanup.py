"""Agent steps a second of CleanUp-lite under random actions, against JaxMARL's coin game if jaxmarl is installed.

The peer is the nearest two-player grid world of a maintained suite (3 × 3 cells, one coin of each colour, two
players). Both sides draw their random actions, step 4,096 games and compute both players' observations, in one
compiled scan. jaxmarl pins its dependencies; with it in an environment of its own, run this file there.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ipd_theory.rl.cleanup import environment
from ipd_theory.rl.environments import CleanUpLite
from tests.benchmarks import Row, compare, seconds

GAMES, STEPS = 4096, 100
PROMISED = 5e6  # agent steps a second


def loop(reset: Callable[..., Any], advance: Callable[..., Any]) -> Callable[[], Any]:
    """Return the compiled loop: `advance(state, key)` gives the next state and what to keep of it."""

    @jax.jit
    def play(key: jax.Array) -> Any:
        opening, chance = jax.random.split(key)

        def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
            state, total = carry
            state, kept = advance(state, key)
            return (state, jax.tree.map(jnp.add, total, kept)), None

        start = reset(opening)
        shapes = jax.eval_shape(lambda: advance(start, opening)[1])
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.scan(step, (start, zeros), jax.random.split(chance, STEPS))[0]

    return functools.partial(play, jax.random.key(0))


def ours(observing: bool) -> Callable[[], Any]:
    """Return the loop of CleanUp-lite; everything computed enters the result, or XLA would leave it out."""
    game = environment(CleanUpLite())

    def advance(state: Any, key: jax.Array) -> tuple[Any, Any]:
        moves, chance = jax.random.split(key)
        actions = jax.random.randint(moves, (2, GAMES), 0, game.num_actions, jnp.int32)
        state, rewards = game.step(state, actions, chance)
        seen = [x.astype(jnp.float32) for x in game.observe(state)] if observing else []
        return state, (rewards, seen)

    return loop(lambda key: game.reset(key, (GAMES,)), advance)


def coin_game() -> Callable[[], Any]:
    """Return the loop of JaxMARL's coin game."""
    env = importlib.import_module("jaxmarl").make("coin_game", num_inner_steps=64)

    def advance(carry: Any, key: jax.Array) -> tuple[Any, Any]:
        _, state = carry
        moves, chance = jax.random.split(key)
        drawn = jax.random.randint(moves, (2, GAMES), 0, 5, jnp.int32)
        actions = dict(zip(env.agents, drawn, strict=True))
        seen, state, rewards, *_ = jax.vmap(env.step)(jax.random.split(chance, GAMES), state, actions)
        kept = jax.tree.map(lambda x: x.astype(jnp.float32), (rewards, seen))
        return (seen, state), kept

    return loop(lambda key: jax.vmap(env.reset)(jax.random.split(key, GAMES)), advance)


def run() -> list[Row]:
    """Time 100 steps of 4,096 games."""
    agent_steps = 2 * GAMES * STEPS
    ours_alone = seconds(ours(observing=False))
    promised = agent_steps / PROMISED
    rate = f"CleanUp-lite: {agent_steps / ours_alone / 1e6:.1f} M agent steps/s, against 5 M/s"
    rows = [Row(rate, ours_alone, promised, promised / ours_alone, 1.0)]
    if not importlib.util.find_spec("jaxmarl"):
        observed, missing = seconds(ours(observing=True)), float("nan")
        return [*rows, Row("… with observations (no peer: jaxmarl is not installed)", observed, missing, missing, 1.0)]
    return [*rows, compare("… with observations, against JaxMARL's coin game", ours(True), coin_game(), target=1.0)]
