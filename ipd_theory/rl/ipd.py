"""The iterated prisoner's dilemma, or any two-player matrix game, as an environment for sampled play.

Observations are integers here: 0 before the first round, then 1 + the last outcome (CC, CD, DC, DD with the observer's
own action first), as in the contexts of a memory-one strategy.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame
from ipd_theory.rl.environment import Environment

OTHER_VIEW = (0, 1, 3, 2, 4)  # observations as the other player names them: CD and DC swapped


@checked
def iterated(game: MatrixGame) -> Environment:
    """Return the repeated game with a two-player matrix game as its stage.

    Raises:
        ValueError: if the game is a batch, or not between two players.
    """
    _checks.two_players(game, batch=False)
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
