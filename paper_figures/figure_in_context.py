"""When in-context learning makes an agent exploitable: what leads a Bayes-optimal player, by the rounds of a match.

The player believes that its opponent is of memory one with probabilities drawn evenly, counts, and replies best to what
it believes. In a match too short for anything to be learnt it defects: nobody gets more than mutual defection of it. In
longer ones it tries whether cooperation is answered, and who knows that leads it: cooperate just as often as keeps
it trying, and defect otherwise. The less there is to gain by defecting, the sooner that begins.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots
from matplotlib.ticker import MaxNLocator

from ipd_theory.drawing import style
from ipd_theory.games import MatrixGame, prisoners_dilemma
from ipd_theory.learning import in_context
from paper_figures.about import OURS, About
from paper_figures.run import Arrays


@dataclass(frozen=True)
class Settings:
    rounds: int = 16
    shown: tuple[float, ...] = (1.2, 2.0)
    temptations: tuple[float, ...] = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.2, 2.5)


ABOUT = About(
    "in-context",
    OURS,
    20,
    {
        "rounds": ("horizon", "rounds"),
        "value": ("temptation_shown horizon", "payoff a step"),
        "exploiter": ("temptation_shown horizon", "payoff a step"),
        "agent": ("temptation_shown horizon", "payoff a step"),
        "temptation": ("temptation", "payoff"),
        "onset": ("temptation", "rounds"),
    },
)
PRESETS = {"quick": Settings(), "paper": Settings(rounds=26)}
GAIN = 1e-9  # above mutual defection, which is 0


def game_of(temptation: float) -> MatrixGame:
    """Return the game with R = 1, P = 0 in which defection gains the same whatever the other does: S = 1 − T."""
    return prisoners_dilemma(T=temptation, S=1 - temptation)


def onset(temptation: float, most: int) -> float:
    """Return the shortest match in which an exploiter gets more than mutual defection; NaN if none is so short."""
    game = game_of(temptation)
    for rounds in range(1, most + 1):
        if in_context.exploitation(game, rounds, exact=False).exploiter > GAIN:
            return float(rounds)
    return float("nan")


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return what the player expects, and what both get where an exploiter leads it, by the rounds of a match."""
    rounds = np.arange(1, settings.rounds + 1)
    found = np.empty((3, len(settings.shown), len(rounds)))
    for i, temptation in enumerate(settings.shown):
        game = game_of(temptation)
        for j, horizon in enumerate(rounds.tolist()):
            led = in_context.exploitation(game, horizon, exact=False)
            found[:, i, j] = in_context.bayes_value(game, horizon, exact=False), led.exploiter, led.agent
            progress(0.7 * (i + (j + 1) / len(rounds)) / len(settings.shown))
    begins = []
    for temptation in settings.temptations:
        begins.append(onset(temptation, settings.rounds))
        progress(0.7 + 0.3 * len(begins) / len(settings.temptations))
    value, exploiter, agent = found / rounds
    return {
        "rounds": rounds,
        "value": value,
        "exploiter": exploiter,
        "agent": agent,
        "temptation": np.array(settings.temptations),
        "onset": np.array(begins),
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw what both get by the length of the match; and from which length on more than mutual defection is got."""
    figure, (left, right) = subplots(1, 2, figsize=(6.6, 2.7))
    for i, (temptation, mark) in enumerate(zip(settings.shown, "os^D", strict=False)):
        for name, color in (("exploiter", style.VERMILION), ("agent", style.BLUE)):
            line = "-" if i == 0 else "--"
            left.plot(arrays["rounds"], arrays[name][i], line, color=color, marker=mark, markersize=3)
            left.plot([], [], line, color=color, marker=mark, markersize=3, label=f"{name}, T = {temptation:g}")
    left.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    left.set(xlabel="rounds of the match", ylabel="payoff a step", title="led by its best exploiter")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend(fontsize="x-small")
    right.plot(arrays["temptation"], arrays["onset"], "o-", color=style.DARK, markersize=4)
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(xlabel="temptation T  (S = 1 − T)", ylabel="rounds of the match", title="exploitable from")
    right.set_ylim(bottom=0)
    return figure
