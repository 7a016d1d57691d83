"""Whether an environment or a network of one's own gives what the others expect: only shapes and dtypes are found."""

from typing import Any

import jax
import jax.numpy as jnp

from ipd_theory.rl.environment import Environment
from ipd_theory.rl.policies import Policy

BATCH, TIME = 3, 2


def environment_fits(environment: Environment) -> None:
    """Hold an environment's functions to what `Environment` says of them, on a batch of games.

    Raises:
        ValueError: if one of them gives another shape or dtype, or a step changes those of the state.
    """
    key, actions = jax.eval_shape(lambda: jax.random.key(0)), jax.ShapeDtypeStruct((2, BATCH), jnp.int32)
    state = jax.eval_shape(lambda key: environment.reset(key, (BATCH,)), key)
    seen = jax.eval_shape(environment.observe, state)
    if not isinstance(seen, tuple) or len(seen) != 2:
        raise ValueError(f"observe must return what each of two players sees; got {seen}")
    wanted, kind = _observations(environment)
    for player, x in enumerate(seen):
        _holds(f"observe: what player {player} sees", x, wanted, kind)
    after, rewards = jax.eval_shape(environment.step, state, actions, key)
    _holds("step: the rewards", rewards, (2, BATCH), jnp.floating)
    if _kinds(after) != _kinds(state):
        raise ValueError(f"step must keep the shapes and dtypes of the state; {_kinds(state)} became {_kinds(after)}")
    for name, x in jax.eval_shape(environment.measure, state, actions, after).items():
        _holds(f"measure: {name}", x, (BATCH,), None)


def policy_fits(policy: Policy, environment: Environment) -> None:
    """Hold a policy's network to what `ReadyNetwork` says of it, in an environment.

    Raises:
        ValueError: if a step or a sequence has outputs of another shape, or changes the shapes of the memory.
    """
    network, (shape, kind) = policy.ready(), _observations(environment)
    for name, function, time in (("step", network.step, ()), ("sequence", network.sequence, (TIME,))):
        seen = jax.ShapeDtypeStruct((*time, *shape), jnp.int32 if kind is jnp.integer else jnp.float32)
        resets = jax.ShapeDtypeStruct((*time, BATCH), bool)
        before = jax.eval_shape(lambda: network.initial_state(BATCH))
        outputs, after = jax.eval_shape(function, seen, resets, before)
        _holds(f"{name}: the outputs", outputs, (*time, BATCH, environment.num_actions + 1), jnp.floating)
        if _kinds(after) != _kinds(before):
            raise ValueError(
                f"{name} must keep the shapes and dtypes of the memory; {_kinds(before)} became {_kinds(after)}"
            )


def _observations(environment: Environment) -> tuple[tuple[int, ...], Any]:
    if environment.discrete:
        return (BATCH,), jnp.integer
    return (BATCH, environment.num_observations), None


def _kinds(tree: Any) -> Any:
    return jax.tree.map(lambda x: f"{x.dtype}{list(x.shape)}", tree)


def _holds(what: str, x: Any, shape: tuple[int, ...], kind: Any) -> None:
    if x.shape != shape or (kind is not None and not jnp.issubdtype(x.dtype, kind)):
        numbers = "" if kind is None else " of whole numbers" if kind is jnp.integer else " of floating numbers"
        raise ValueError(f"{what} must be an array {list(shape)}{numbers} for {BATCH} games; got {_kinds(x)}")
