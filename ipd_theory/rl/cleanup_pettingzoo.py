"""CleanUp-lite behind PettingZoo's parallel API, for learners of any framework.

    env = CleanUpLiteParallel(CleanUpLite(), episode_length=64)
    observations, infos = env.reset(seed=0)
    observations, rewards, terminations, truncations, infos = env.step({agent: 5 for agent in env.agents})

It is one game on the host; thousands at once run through `cleanup` itself.
"""

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int8

from ipd_theory._checks import instance, whole
from ipd_theory._extras import needs
from ipd_theory.rl import cleanup, cleanup_render
from ipd_theory.rl.environments import CleanUpLite

with needs("pettingzoo"):
    import gymnasium.spaces
    from pettingzoo import ParallelEnv

Observation = Int8[np.ndarray, " F"]
AGENTS = ("player_0", "player_1")


class CleanUpLiteParallel(ParallelEnv[str, Observation, int]):  # type: ignore[misc]  # PettingZoo has no types
    """One game of CleanUp-lite that is truncated after a number of steps; it never terminates by itself.

    Observations are those of `cleanup.observe`, as 0 and 1; infos hold what `cleanup.measure` reports, own things
    under the plain names.

    Args:
        rules: of the game.
        episode_length: steps until truncation.
        render_mode: `rgb_array` for pictures, `ansi` for text, None for neither.

    Raises:
        ValueError: if `episode_length` is below 1, or the render mode is another.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "cleanup_lite",
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 8,
    }

    def __init__(
        self,
        rules: CleanUpLite | None = None,
        episode_length: int = 64,
        render_mode: Literal["rgb_array", "ansi"] | None = None,
    ) -> None:
        whole("episode_length", episode_length, 1)
        if rules is not None:
            instance("rules", rules, CleanUpLite)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be rgb_array, ansi or None; got {render_mode!r}")
        self.rules = rules or CleanUpLite()
        self.episode_length = episode_length
        self.render_mode = render_mode
        self.possible_agents = list(AGENTS)
        self.agents: list[str] = []
        self._spaces = {
            agent: (
                gymnasium.spaces.MultiBinary(cleanup.num_features(self.rules)),
                gymnasium.spaces.Discrete(len(cleanup.ACTIONS)),
            )
            for agent in AGENTS
        }
        self._reset, self._step = _compiled(self.rules)
        self._key = jax.random.key(int(np.random.SeedSequence().generate_state(1)[0]))

    def observation_space(self, agent: str) -> gymnasium.spaces.MultiBinary:
        """Return the space of an agent's observations."""
        return self._spaces[agent][0]

    def action_space(self, agent: str) -> gymnasium.spaces.Discrete:
        """Return the space of an agent's actions, indices into `cleanup.ACTIONS`."""
        return self._spaces[agent][1]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin a game; the seed decides it and all that follow. `options` are not used."""
        if seed is not None:
            self._key = jax.random.key(seed)
        self.agents = list(AGENTS)
        self._steps = 0
        self._key, key = jax.random.split(self._key)
        self._state, self._seen = self._reset(key)
        return self._observations(), {agent: {} for agent in AGENTS}

    def step(
        self, actions: Mapping[str, int | np.integer[Any]]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play one step of both players.

        Raises:
            ValueError: if the game is over, or an action is missing or not one of the six.
        """
        if not self.agents:
            raise ValueError("the game is over; call reset first")
        for agent in AGENTS:
            if agent not in actions or not self.action_space(agent).contains(actions[agent]):
                raise ValueError(f"actions must hold 0 to {len(cleanup.ACTIONS) - 1} for {agent}; got {actions}")
        self._key, key = jax.random.split(self._key)
        chosen = jnp.asarray([int(actions[agent]) for agent in AGENTS], jnp.int32)
        self._state, self._seen, rewards, measured = self._step(self._state, chosen, key)
        self._steps += 1
        over = self._steps >= self.episode_length
        if over:
            self.agents = []
        numbers = {name: np.asarray(x).item() for name, x in measured.items()}
        return (
            self._observations(),
            {agent: float(reward) for agent, reward in zip(AGENTS, rewards, strict=True)},
            dict.fromkeys(AGENTS, False),
            dict.fromkeys(AGENTS, over),
            {AGENTS[0]: numbers, AGENTS[1]: {name: numbers[_mirrored(name, numbers)] for name in numbers}},
        )

    def render(self) -> cleanup_render.RGB | str | None:
        """Return a picture [height, width, 3] or a text of the game as it stands, player_0 in blue."""
        if self.render_mode == "rgb_array":
            return cleanup_render.frame(self.rules, np.asarray(self._seen[0]))
        if self.render_mode == "ansi":
            return cleanup_render.text(self.rules, np.asarray(self._seen[0]))
        return None

    def close(self) -> None:
        """Do nothing: no window is open."""

    def _observations(self) -> dict[str, Observation]:
        return {agent: np.asarray(seen).astype(np.int8) for agent, seen in zip(AGENTS, self._seen, strict=True)}


def _mirrored(name: str, names: dict[str, Any]) -> str:
    """Return the other player's name of a measure, the same if there is only one."""
    other = name.removeprefix("co_player_") if name.startswith("co_player_") else f"co_player_{name}"
    return other if other in names else name


@functools.cache
def _compiled(rules: CleanUpLite) -> tuple[Any, Any]:
    """Return the opening and the step of one game as compiled functions."""
    game = cleanup.environment(rules)

    @jax.jit
    def reset(key: jax.Array) -> Any:
        state = game.reset(key, ())
        return state, game.observe(state)

    @jax.jit
    def step(state: cleanup.State, actions: jax.Array, key: jax.Array) -> Any:
        next_state, rewards = game.step(state, actions, key)
        return next_state, game.observe(next_state), rewards, game.measure(state, actions, next_state)

    return reset, step
