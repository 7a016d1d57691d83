"""Figure 3A: a meta agent that starts at pure defection learns to extort naive learners.

p_naive = 1 and every probability of cooperation 0.01 at the start. The policy that training finds, about
(0, 0.9, 0, 0.45, 0), never cooperates first: it earns about 1, what mutual cooperation pays, and leaves 0.3.
"""

from collections.abc import Callable

from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing.style import PLAYERS
from paper_figures import pools
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays

ABOUT = About(
    "3A",
    f"{PAPER}, Figure 3A",
    6,
    pools.arrays("record seed agent"),
)
PRESETS = {
    "quick": pools.Settings(steps=1500),
    "paper": pools.Settings(seeds=32, steps=5000, num_learners=64, record_every=100),
}


def compute(settings: pools.Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train one agent a seed against naive learners only."""
    defect = pools.logits_of([[0.01] * 5])
    return pools.train(pools.pool_of(settings, 1.0, num_agents=1), settings, seed, progress, logits=defect)[1]


def plot(arrays: Arrays, settings: pools.Settings) -> Figure:
    """Draw both players' reward over training."""
    figure, axes = subplots()
    pools.curve(axes, arrays["steps"], arrays["against_naive"], "meta agent", PLAYERS["agent"])
    pools.curve(axes, arrays["steps"], arrays["of_naive"], "naive learner", PLAYERS["naive learner"])
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    pools.label_training(axes)
    pools.note_bands(axes, settings.seeds)
    axes.legend(loc="center right")
    return figure
