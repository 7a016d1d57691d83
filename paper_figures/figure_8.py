"""Figure 8: learned extortion is close to a zero-determinant strategy.

Agents trained against naive learners at γ = 0.999 and as many uniformly random policies, each with its least-squares
distance to the extortion family of Press and Dyson (χ ≥ 1, 0 < φ ≤ φ_max(χ)).
"""

import functools
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory import prisoners_dilemma, zero_determinant
from ipd_theory.drawing.style import PLAYERS
from paper_figures import pools
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays

ABOUT = About(
    "8",
    f"{PAPER}, Figure 8",
    13,
    {
        "against_naive": ("seed agent", "payoff a step"),
        "learned": ("seed context", "probability of cooperation"),
        "*_residual": ("policy", "squared distance"),
        "learned_slope": ("seed", "1 / χ"),
    },
)
PRESETS = {
    "quick": pools.Settings(seeds=32, steps=1500, record_every=500, discount=0.999),
    "paper": pools.Settings(seeds=64, steps=5000, record_every=1000, discount=0.999, num_learners=64),
}


def compute(settings: pools.Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train one agent a seed, and fit it and a random policy to the family."""
    history = pools.train(pools.pool_of(settings, 1.0, num_agents=1), settings, seed, progress)[1]
    learned = 1 / (1 + np.exp(-history["logits"][-1, :, 0]))
    random = np.random.default_rng(seed).random((settings.seeds, 5))
    family = functools.partial(zero_determinant.fit, prisoners_dilemma(), discount=settings.discount, constrained=True)
    fit = family(learned)
    return {
        "against_naive": history["against_naive"][-1],
        "learned": learned,
        "learned_residual": np.asarray(fit.residual),
        "learned_slope": 1 / np.asarray(fit.chi),  # finite where χ is not
        "random_residual": np.asarray(family(random).residual),
    }


def plot(arrays: Arrays, settings: pools.Settings) -> Figure:
    """Draw the distances of learned and random policies as two histograms."""
    figure, axes = subplots()
    top = float(max(arrays["learned_residual"].max(), arrays["random_residual"].max()))
    bins = list(np.linspace(0, top, 31))
    for name, color in (("random", "0.6"), ("learned", PLAYERS["agent"])):
        label = f"{name}, n = {settings.seeds}"
        axes.hist(arrays[f"{name}_residual"], bins, color=color, alpha=0.75, label=label)
    chi = 1 / np.percentile(arrays["learned_slope"], [75, 50, 25])
    axes.set_title(f"learned: χ = {chi[1]:.2f} (quartiles {chi[0]:.2f}, {chi[2]:.2f})", fontsize=6, color="0.4")
    axes.set_xlabel("squared distance to the extortion family")
    axes.set_ylabel("policies")
    axes.legend()
    return figure
