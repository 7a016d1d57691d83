"""From settings to what they describe."""

from ipd_theory.games import symmetric_game
from ipd_theory.rl import cleanup
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.environments import CleanUpLite, EnvironmentSettings
from ipd_theory.rl.ipd import iterated


def environment(settings: EnvironmentSettings) -> Environment:
    """Return the game that settings describe.

    Args:
        settings: of the game.
    """
    if isinstance(settings, CleanUpLite):
        return cleanup.environment(settings)
    return iterated(symmetric_game(*settings.payoffs))
