"""The game between learning rules: what each rule earns against each, and its Nash equilibria.

Our own figure. Every rule plays every rule in the repeated prisoner's dilemma, from common N(0, 1) logits, plain
gradient steps; a cell is the row's return a step, averaged over seeds, both roles and the last quarter of learning.
At the quick preset (16 seeds) the one equilibrium is meta-value against itself, 0.74 ± 0.04, which coala (0.73 ± 0.03
against it) could replace within the errors; those two and lola-dice earn 1.1 to 1.2 from a naive learner.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ipd_theory import games
from ipd_theory.drawing.meta_game import payoff_table
from ipd_theory.equilibria import Equilibrium
from ipd_theory.learning.tournament import MetaGame, disowned_remarks, tournament
from ipd_theory.learning.tournament_efficiency import against_naive
from paper_figures.about import OURS, About
from paper_figures.run import Arrays


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is played.

    Args:
        rules: as `ipd-theory tournament` reads them.
        seeds: first policies.
        steps: learning steps.
        discount: γ.
        step: everybody's gradient step.
    """

    rules: tuple[str, ...]
    seeds: int
    steps: int
    discount: float = 0.95
    step: float = 5.0


# Whoever looks ahead assumes the step of 5 that everybody takes.
SIX = ("naive", "look-ahead(5)", "lola(5)", "lola-dice(3, 5)", "coala(10, 5)", "meta-value(10, 5, 0.9)")
TWELVE = (
    *("naive", "look-ahead(5)", "lola-as-published(5)", "lola(5)", "lola-dice(3, 5)", "sos(5)", "extragradient(5)"),
    *("hola(2, 5)", "loqa", "advantage-alignment", "coala(10, 5)", "meta-value(10, 5, 0.9)"),
)
ABOUT = About(
    "meta-game",
    OURS,
    15,
    {
        "A*": ("rule opponent", "payoff a step"),
        "efficiency": ("rule", "share of what could be gained of the naive learner"),
        "disowned": ("rule", "whether it reports in most pairs that it is unconverged or not finite"),
        "rows": ("equilibrium rule", "share"),
        "columns": ("equilibrium rule", "share"),
        "gaps": ("equilibrium", "payoff a step"),
    },
)
PRESETS = {"quick": Settings(SIX, 16, 100), "paper": Settings(TWELVE, 64, 200)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return the payoff matrix, its standard errors and its equilibria."""
    game = games.prisoners_dilemma()
    numbers: dict[str, Any] = {"discount": settings.discount, "step": settings.step, "steps": settings.steps}
    numbers |= {"tail": settings.steps // 4, "seed": seed}
    played = tournament(game, settings.rules, **numbers, seeds=settings.seeds)
    progress(0.8)
    of_naive = against_naive(game, played, **numbers)
    progress(0.9)
    table, found = played.table, [e._asdict() for e in played.equilibria]
    shares = np.full(len(table.A), np.nan) if of_naive is None else of_naive.efficiency
    arrays = {"A": table.A, "A_error": table.A_error, "disowned": table.disowned, "efficiency": shares}
    return arrays | equilibrium_arrays(found)


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
    table = MetaGame(arrays["A"], arrays["A"].T, arrays["A_error"], arrays["A_error"].T, arrays["disowned"])
    remarks = disowned_remarks(settings.rules, table)
    return payoff_table(settings.rules, table, found, remarks, efficiency=arrays["efficiency"])
