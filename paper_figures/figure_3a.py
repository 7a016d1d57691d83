"""Figure 3A: a meta agent that starts at pure defection learns to extort naive learners.

p_naive = 1 and every probability of cooperation 0.01 at the start. The policy that training finds, about
(0, 0.9, 0, 0.45, 0), never cooperates first: it earns about 1, what mutual cooperation pays, and leaves 0.3. The dashed
line is the best fixed policy that ascent from many starts finds (`learning.bounds`), the mean over 64 learners; each
point of the curve is against fresh ones, so it scatters about it. Efficiency, on the right, is the agent's share of
what that policy gains over unconditional defection, 0.23 against the same learners.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing.style import PLAYERS
from ipd_theory.learning.bounds import earned, fixed_policy
from ipd_theory.phases.drift import sobol_learners
from paper_figures import pools
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays

ABOUT = About(
    "3A",
    f"{PAPER}, Figure 3A",
    6,
    pools.arrays("record seed agent") | dict.fromkeys(("best", "defection"), ("bound", "payoff a step")),
)
LOG2_LEARNERS = 6  # the best policy is the best against 64 of them, evenly spread
PRESETS = {
    "quick": pools.Settings(steps=1500),
    "paper": pools.Settings(seeds=32, steps=5000, num_learners=64, record_every=100),
}


def compute(settings: pools.Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train one agent a seed against naive learners only."""
    defect = pools.logits_of([[0.01] * 5])
    pool = pools.pool_of(settings, 1.0, num_agents=1)
    _, arrays = pools.train(pool, settings, seed, pools.part(progress, 0, 0.9), logits=defect)
    learners = sobol_learners(LOG2_LEARNERS)
    setting: dict[str, Any] = {"discount": settings.discount, "learning_rate": settings.learner_step}
    setting |= {"num_inner_episodes": settings.num_inner_episodes}
    best = fixed_policy(pool.game, learners, **setting, starts=8)
    defection = earned(pool.game, np.zeros(5), learners, **setting).mean()
    return arrays | {"best": np.array([best.value]), "defection": np.array([defection])}


def plot(arrays: Arrays, settings: pools.Settings) -> Figure:
    """Draw both players' reward over training, and the agent's efficiency on the right."""
    figure, axes = subplots()
    pools.curve(axes, arrays["steps"], arrays["against_naive"], "meta agent", PLAYERS["agent"])
    pools.curve(axes, arrays["steps"], arrays["of_naive"], "naive learner", PLAYERS["naive learner"])
    axes.axhline(arrays["best"][0], color="0.4", linestyle="--", linewidth=0.8, label="best policy")
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    pools.label_training(axes)
    pools.efficiency_axis(axes, arrays["defection"][0], arrays["best"][0])
    pools.note_bands(axes, settings.seeds)
    axes.legend(loc="center right")
    return figure
