"""The iterated prisoner's dilemma, or any two-player matrix game, as an environment for sampled play.

Observations are integers here: 0 before the first round, then 1 + the last outcome (CC, CD, DC, DD with the observer's
own action first), as in the contexts of a memory-one strategy.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ipd_theory.games import MatrixGame
from ipd_theory.rl.environment import Environment

OTHER_VIEW = (0, 1, 3, 2, 4)  # observations as the other player names them: CD and DC swapped


def iterated(game: MatrixGame) -> Environment:
    """Return the repeated game with a two-player matrix game as its stage.

    Raises:
        ValueError: if the game is a batch, or not between two players.
    """
    if game.num_players != 2 or game.payoffs.ndim != 3:
        raise ValueError(f"game must be one game between two players; its payoffs have shape {game.payoffs.shape}")
    payoffs = game.payoffs.reshape(2, 4).astype(jnp.float32)
    other_view = jnp.asarray(OTHER_VIEW, jnp.int32)

    def reset(key: Key[Array, ""], batch: tuple[int, ...]) -> Int[Array, "*batch"]:
        return jnp.zeros(batch, jnp.int32)

    def observe(state: Int[Array, "*batch"]) -> tuple[Array, Array]:
        return state, other_view[state]

    def step(
        state: Int[Array, "*batch"], actions: Int[Array, "2 *batch"], key: Key[Array, ""]
    ) -> tuple[Int[Array, "*batch"], Float[Array, "2 *batch"]]:
        outcome = 2 * actions[0] + actions[1]
        return 1 + outcome, payoffs[:, outcome]

    def measure(state: Array, actions: Int[Array, "2 *batch"], next_state: Array) -> dict[str, Array]:
        return {"defection": actions[0], "co_player_defection": actions[1]}

    return Environment(2, 5, True, reset, observe, step, measure)


class TabularPolicy(eqx.Module):
    """A policy without memory beyond the observation: outputs [observations, A + 1], A logits and a value."""

    table: Float[Array, "*stack observations outputs"]

    def assemble(self, num_steps: int = 1) -> "TabularPolicy":
        """Return itself: a table is ready to evaluate."""
        return self

    def initial_state(self, *batch: int) -> tuple[()]:
        """Return nothing, the memory of a table."""
        return ()

    def step(self, observations: Int[Array, "*batch"], resets: Bool[Array, "*batch"], state: Any) -> tuple[Array, Any]:
        """Look up outputs [*batch, A + 1]."""
        return self.table[observations], state

    sequence = step


def playing(strategy: Float[Array, "5"], sharpness: float = 30.0) -> TabularPolicy:
    """Return a memory-one strategy as a policy with value zero.

    Args:
        strategy: [5] cooperation probabilities at the start and after CC, CD, DC, DD.
        sharpness: bound on the logits, so that probabilities 0 and 1 stay finite.
    """
    p = jnp.asarray(strategy, jnp.float32)
    logits = jnp.clip(jax.scipy.special.logit(p), -sharpness, sharpness)
    return TabularPolicy(jnp.stack([logits, jnp.zeros_like(logits), jnp.zeros_like(logits)], -1))
