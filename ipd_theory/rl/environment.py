"""What an environment is: three pure functions of batched arrays, what metrics report of them, and their sizes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Int, Key

State = Any


class Environment(NamedTuple):
    """A two-player game played step by step, many games at once.

    Fields:
        num_actions: actions of each player, 0 to num_actions − 1.
        num_observations: different observations, or features of one.
        discrete: whether observations are integers rather than vectors of features; features may be booleans, which
            take a byte each where an iteration's history is kept.
        reset: (key, batch shape) -> the opening state of a batch of games.
        observe: state -> what each player sees, one array a player.
        step: (state, actions [2, *batch], key) -> next state and rewards [2, *batch].
        measure: (state, actions, next state) -> numbers [*batch] by name that metrics report beside the rewards.
    """

    num_actions: int
    num_observations: int
    discrete: bool
    reset: Callable[[Key[Array, ""], tuple[int, ...]], State]
    observe: Callable[[State], tuple[Array, Array]]
    step: Callable[[State, Int[Array, "2 *batch"], Key[Array, ""]], tuple[State, Float[Array, "2 *batch"]]]
    measure: Callable[[State, Int[Array, "2 *batch"], State], dict[str, Array]]
