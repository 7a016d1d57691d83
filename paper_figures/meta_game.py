"""The game between learning rules: what each rule earns against each, and its Nash equilibria.

Our own figure. Every rule plays every rule in the repeated prisoner's dilemma, from common N(0, 1) logits, plain
gradient steps; a cell is the row's return a step, averaged over seeds, both roles and the last quarter of learning.
At the quick preset (16 seeds) the one equilibrium is meta-value-10 against itself, 0.74 ± 0.04, which coala-10 (0.73 ±
0.03 against it) could replace within the errors; those two and lola-dice-3 earn 1.1 to 1.2 from a naive learner.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

from ipd_theory import equilibria, games
from ipd_theory.commands.tournament import entrants
from ipd_theory.drawing.meta_game import payoff_table
from ipd_theory.equilibria import Equilibrium
from ipd_theory.learning.tournament import MetaGame, meta_game, play_all
from paper_figures.about import OURS, About
from paper_figures.run import Arrays


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is played.

    Args:
        rules: names as `ipd-theory tournament` knows them.
        seeds: first policies.
        steps: learning steps.
        discount: γ.
        step: gradient step, and the step each rule assumes of the other.
    """

    rules: tuple[str, ...]
    seeds: int
    steps: int
    discount: float = 0.95
    step: float = 5.0


SIX = ("naive", "look-ahead", "lola", "lola-dice-3", "coala-10", "meta-value-10")
TWELVE = (
    *("naive", "look-ahead", "lola-as-published", "lola", "lola-dice-3", "sos", "extragradient", "hola-2"),
    *("loqa", "advantage-alignment", "coala-10", "meta-value-10"),
)
ABOUT = About(
    "meta-game",
    OURS,
    15,
    {
        "A*": ("rule opponent", "payoff a step"),
        "rows": ("equilibrium rule", "share"),
        "columns": ("equilibrium rule", "share"),
        "gaps": ("equilibrium", "payoff a step"),
    },
)
PRESETS = {"quick": Settings(SIX, 16, 100), "paper": Settings(TWELVE, 64, 200)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return the payoff matrix, its standard errors and its equilibria."""
    game, known = games.prisoners_dilemma(), entrants(settings.step)
    outcome = play_all(
        game,
        tuple(known[name] for name in settings.rules),
        jax.random.normal(jax.random.key(seed), (settings.seeds, 2, 5)),
        discount=settings.discount,
        optimizers=(optax.sgd(settings.step),) * len(settings.rules),
        steps=settings.steps,
        tail=settings.steps // 4,
    )
    table = meta_game(game, outcome)
    progress(0.9)
    found = [e._asdict() for e in equilibria.nash_equilibria(table.A, table.B)]
    return {"A": table.A, "A_error": table.A_error, **equilibrium_arrays(found)}


def equilibrium_arrays(found: list[dict[str, Any]]) -> Arrays:
    """Return the mixtures [equilibria, n] of both sides and the gaps."""
    return {
        "rows": np.array([e["row"] for e in found]),
        "columns": np.array([e["column"] for e in found]),
        "gaps": np.array([e["gap"] for e in found]),
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the matrix."""
    found = [Equilibrium(*e) for e in zip(arrays["rows"], arrays["columns"], arrays["gaps"], strict=True)]
    table = MetaGame(arrays["A"], arrays["A"].T, arrays["A_error"], arrays["A_error"].T)
    return payoff_table(settings.rules, table, found)
