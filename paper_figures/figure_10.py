"""Figure 10: a mixed pool that starts at tit for tat drifts away from it, still cooperates, and shapes faster.

Two meta agents start at tit for tat (probabilities 0.99 and 0.01). The inset holds the trained policy beside tit for
tat while a fresh naive learner learns against it: reward in each inner episode.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing.style import PLAYERS
from ipd_theory.learning.pool import naive_path
from paper_figures import figure_9, pools
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays

TIT_FOR_TAT = (0.99, 0.99, 0.01, 0.99, 0.01)
ABOUT = About(
    "10",
    f"{PAPER}, Figure 10",
    5,
    {
        **pools.arrays("record seed agent"),
        "path": ("episode policy seed agent player", "payoff a step"),
    },
)
PRESETS = {
    "quick": figure_9.Settings(steps=3000, p_naive=0.25, start=TIT_FOR_TAT),
    "paper": figure_9.Settings(steps=10000, record_every=100, num_learners=64, p_naive=0.25, start=TIT_FOR_TAT),
}


def compute(settings: figure_9.Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train from tit for tat, then let the same naive learners meet tit for tat and the trained agents."""
    arrays = figure_9.compute(settings, seed, progress)
    agents = np.stack([np.broadcast_to(pools.logits_of(TIT_FOR_TAT), arrays["logits"][-1].shape), arrays["logits"][-1]])
    learners = jax.random.normal(jax.random.key(seed), (*agents.shape[:-1], settings.num_learners, 5))
    pool = pools.pool_of(settings, settings.p_naive)
    same = jnp.broadcast_to(learners[:1], learners.shape)
    return {**arrays, "path": np.asarray(naive_path(pool, jnp.asarray(agents), same)).mean(-2)}


def plot(arrays: Arrays, settings: figure_9.Settings) -> Figure:
    """Draw rewards, with the shaping of fresh learners as an inset, and the agents' logits over training."""
    figure, (rewards, logits) = subplots(1, 2, figsize=(6.8, 2.5))
    figure_9.draw_rewards(rewards, arrays)
    rewards.set_ylim(0.0, 1.05)
    pools.note_bands(rewards, settings.seeds)
    inset = rewards.inset_axes((0.5, 0.14, 0.46, 0.4))
    episodes = np.arange(len(arrays["path"]))
    for i, (name, color) in enumerate((("tit for tat", PLAYERS["tit for tat"]), ("trained", PLAYERS["agent"]))):
        pools.curve(inset, episodes, arrays["path"][:, i, ..., 0], name, color)
    inset.set_title("against a fresh naive learner", fontsize=6, pad=2)
    inset.set_xlabel("inner episode", fontsize=5, labelpad=1)
    inset.tick_params(labelsize=5)
    inset.legend(fontsize=5, loc="lower right")
    rewards.legend(loc="lower left", fontsize=6)
    figure_9.draw_logits(logits, arrays)
    return figure
