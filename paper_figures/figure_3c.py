"""Figure 3C: a mixed pool learns to cooperate, a pool of meta agents alone learns to defect.

Two meta agents from random policies with p_naive = 0.25, and with p_naive = 0. Together with p_naive = 1 (agents
that saw naive learners only, and defect on each other) these are the paper's three findings.
"""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing.style import PLAYERS
from paper_figures import pools
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays

ABOUT = About(
    "3C",
    f"{PAPER}, Figure 3C",
    14,
    pools.arrays("record p_naive seed agent"),
)
PRESETS = {
    "quick": pools.Settings(steps=3000),
    "paper": pools.Settings(seeds=32, steps=5000, num_learners=64, record_every=100),
}
P_NAIVE = (0.25, 0.0, 1.0)


def compute(settings: pools.Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train the three pools in one compiled call; arrays are [records, pools, seeds, agents, …]."""
    pool = pools.pool_of(settings, np.array(P_NAIVE)[:, None])
    return pools.train(pool, settings, seed, progress)[1]


def plot(arrays: Arrays, settings: pools.Settings) -> Figure:
    """Draw the reward between meta agents over training."""
    figure, axes = subplots()
    names = ("mixed pool, p_naive 0.25", "meta agents only", "naive learners only")
    for i, (name, color, line) in enumerate(
        zip(names, (PLAYERS["among agents"], PLAYERS["agents alone"], PLAYERS["agent"]), ("-", "-", "--"), strict=True)
    ):
        pools.curve(axes, arrays["steps"], arrays["among_meta"][:, i], name, color, line)
    pools.label_training(axes, "reward between meta agents")
    axes.set_ylim(-0.1, 1.3)
    pools.note_bands(axes, settings.seeds)
    axes.legend(loc="upper left")
    return figure
