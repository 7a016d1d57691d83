"""From settings to what they describe: environments, and agents for them."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Key

from ipd_theory._arguments import checked
from ipd_theory.games import symmetric_game
from ipd_theory.rl import cleanup
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.environments import CleanUpLite, EnvironmentSettings, IteratedDilemma
from ipd_theory.rl.fitting import environment_fits, policy_fits
from ipd_theory.rl.gru import GRU
from ipd_theory.rl.hawk import Hawk
from ipd_theory.rl.ipd import iterated
from ipd_theory.rl.networks import GRUSettings, HawkSettings, NetworkSettings
from ipd_theory.rl.policies import Policy


def environment(settings: EnvironmentSettings) -> Environment:
    """Return the game that settings describe.

    Args:
        settings: of the game, one of `environments` or of one's own.

    Raises:
        TypeError: if they are no such thing.
        ValueError: if what one's own build does not fit (`fitting`).
    """
    if isinstance(settings, IteratedDilemma):
        return iterated(symmetric_game(*settings.payoffs))
    if isinstance(settings, CleanUpLite):
        return cleanup.environment(settings)
    built = _build("environment", settings)()
    if not isinstance(built, Environment):
        raise TypeError(f"{type(settings).__name__}.build must return an Environment; got a {type(built).__name__}")
    environment_fits(built)
    return built


@checked
def policy(settings: NetworkSettings, environment: Environment, key: Key[Array, ""]) -> Policy:
    """Return a fresh agent for an environment: logits of its actions and a value, both zero or small at first.

    Args:
        settings: of the network, one of `networks` or of one's own.
        environment: in which the agent is to play.
        key: of its initial parameters.

    Raises:
        TypeError: if the settings are no such thing.
        ValueError: if what one's own build does not fit (`fitting`).
    """
    inputs, outputs = environment.num_observations, environment.num_actions + 1
    if isinstance(settings, HawkSettings):
        return Hawk(
            key,
            inputs,
            outputs,
            settings.width,
            settings.heads,
            settings.expanded_width,
            settings.conv_width,
            settings.decay_initialization,
            environment.discrete,
        )
    if isinstance(settings, GRUSettings):
        return GRU(key, inputs, outputs, settings.width, environment.discrete)
    built = _build("network", settings)(key, environment)
    if not isinstance(built, Policy):
        kind = type(settings).__name__
        raise TypeError(f"{kind}.build must return a policy, which has `ready`; got a {type(built).__name__}")
    policy_fits(built, environment)
    return built


def _build(name: str, settings: Any) -> Callable[..., Any]:
    build = getattr(settings, "build", None)
    if isinstance(settings, type) or not callable(build):
        hint = f"; did you mean {settings.__name__}(…)?" if isinstance(settings, type) else ""
        raise TypeError(f"{name} must be settings with a method `build`; got {settings!r}{hint}")
    return build
