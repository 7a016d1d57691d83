"""From which share of all pairs of memory-one strategies does a learning rule, against itself, find cooperation?"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optax
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

import ipd_theory as ipd
from ipd_theory.drawing.style import SERIES
from ipd_theory.learning import rules
from ipd_theory.phases.basins import basin, cooperation, volume
from paper_figures.about import OURS, About
from paper_figures.pools import part
from paper_figures.run import Arrays

STEP = 5.0
RULES = {
    "naive": rules.naive(),
    "look-ahead": rules.look_ahead(STEP),
    "LOLA, published": rules.lola_as_published(STEP),
    "LOLA, look-ahead term": rules.lola_with_look_ahead(STEP),
    "SOS": rules.sos(STEP),
    "3 look-aheads": rules.lola_dice(3, STEP),
    "COALA, M = 5": rules.coala(5, STEP),
}
SGD = optax.sgd(STEP)


@dataclass(frozen=True)
class Settings:
    """Both players follow the same rule with learning rate 5 on normalised returns, and assume it of the other.

    Compiling a rule takes most of the quick preset's time, so it leaves out the slowest to compile, COALA.
    """

    rules: tuple[str, ...] = ("naive", "look-ahead", "LOLA, published", "LOLA, look-ahead term", "SOS", "3 look-aheads")
    discounts: tuple[float, ...] = (0.6, 0.8, 0.95)
    steps: int = 400
    log2_points: int = 7
    replicates: int = 8


ABOUT = About(
    "basins",
    OURS,
    35,
    {
        "volume": ("rule discount", "share of the cube"),
        "half_width": ("rule discount", "share of the cube"),
        "replicates": ("rule discount replicate", "share of the cube"),
    },
)
PRESETS = {"quick": Settings(), "paper": Settings(tuple(RULES), (0.6, 0.8, 0.95, 0.99), 2000, 12, 16)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return volumes and half-widths of 95 % intervals [rules, discounts], and all replicates."""
    game = ipd.prisoners_dilemma()
    count = len(settings.rules) * len(settings.discounts)
    found = [
        volume(
            basin(
                game,
                (RULES[name], RULES[name]),
                cooperation(game),
                discount=discount,
                optimizers=(SGD, SGD),
                steps=settings.steps,
            ),
            10,
            log2_points=settings.log2_points,
            replicates=settings.replicates,
            seed=seed,
            progress=part(progress, i / count, (i + 1) / count),
        )
        for i, (name, discount) in enumerate(itertools.product(settings.rules, settings.discounts))
    ]
    shape = (len(settings.rules), len(settings.discounts))
    return {
        "volume": np.array([v.mean for v in found]).reshape(shape),
        "half_width": np.array([v.half_width for v in found]).reshape(shape),
        "replicates": np.array([v.replicates for v in found]).reshape(*shape, -1),
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the volumes with their intervals, one row a rule."""
    figure, axes = subplots(figsize=(4.6, 2.8))
    rows = np.arange(len(settings.rules))[::-1]
    for i, discount in enumerate(settings.discounts):
        axes.errorbar(
            arrays["volume"][:, i],
            rows + 0.12 * (0.5 * (len(settings.discounts) - 1) - i),
            xerr=arrays["half_width"][:, i],
            fmt="os^D"[i],
            ms=4,
            lw=1,
            capsize=2,
            clip_on=False,
            color=SERIES[i],
            label=rf"$\gamma={discount:g}$",
        )
    axes.set_yticks(rows, settings.rules)
    axes.set(
        xlabel=r"volume of the basin of cooperation in $[0,1]^{10}$",
        xlim=(0, np.clip(1.3 * (arrays["volume"] + arrays["half_width"]).max(), 0.02, 1)),
    )
    points = settings.replicates * 2**settings.log2_points
    axes.set_title(
        f"bars: 95 % intervals, {settings.replicates} scramblings, {points} starts, {settings.steps} steps", fontsize=7
    )
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
    return figure
