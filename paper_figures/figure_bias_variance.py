"""Bias and spread of the four estimators against the batch size, exact, by enumeration.

COALA-PG and the full estimator are unbiased at every B, to rounding. Batch-unaware loses all but 1/B of the shaping
gradient, and M-FOS counts the present B times. The price is spread: every action is credited with the future of the
whole batch, noise that a larger batch does not average away.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.sampling import prefixes
from paper_figures.about import OURS, About
from paper_figures.run import Arrays
from paper_figures.shaping_problems import ESTIMATORS, shaping_problem


@dataclass(frozen=True)
class Settings:
    batch_sizes: tuple[int, ...] = (1, 2, 4)
    problems: int = 2


ABOUT = About(
    "bias-variance",
    OURS,
    16,
    {
        "batch_sizes": ("batch_size", "trajectories"),
        "bias": ("estimator batch_size problem", "of the gradient's norm"),
        "spread": ("estimator batch_size problem", "of the mean's norm"),
    },
)
PRESETS = {"quick": Settings(), "paper": Settings(batch_sizes=(1, 2, 3, 4, 5, 6, 8), problems=4)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return [estimators, batch sizes, problems] arrays of relative bias and relative spread."""
    shape = (len(ESTIMATORS), len(settings.batch_sizes), settings.problems)
    bias, spread = np.zeros(shape), np.zeros(shape)
    for j, B in enumerate(settings.batch_sizes):
        for k in range(settings.problems):
            pomdp, logits = shaping_problem(B, seed + k)
            listed = prefixes.enumerate_prefixes(pomdp)
            truth = np.asarray(prefixes.true_gradient_by_prefix(listed, logits).total)
            size = np.linalg.norm(truth)
            for i, (weights, *_) in enumerate(ESTIMATORS.values()):
                mean, covariance = map(
                    np.asarray,
                    prefixes.moments_by_prefix(listed, logits, prefixes.linear_form(weights, pomdp.shape)),
                )
                bias[i, j, k] = np.linalg.norm(mean - truth) / size
                spread[i, j, k] = np.sqrt(np.trace(covariance)) / np.linalg.norm(mean)
            progress((j * settings.problems + k + 1) / (len(settings.batch_sizes) * settings.problems))
    return {"batch_sizes": np.array(settings.batch_sizes), "bias": bias, "spread": spread}


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw relative bias and relative standard deviation against B; lines are medians, bars the range over problems."""
    figure, panels = subplots(1, 2, figsize=(6.8, 2.6))
    B = arrays["batch_sizes"]
    for axes, key in zip(panels, ("bias", "spread"), strict=True):
        for i, (name, (_, color, marker)) in enumerate(ESTIMATORS.items()):
            values = arrays[key][i]
            shown = np.maximum(values, 1e-16)
            middle = np.median(shown, -1)
            bars = np.abs(np.stack([shown.min(-1), shown.max(-1)]) - middle)
            place = B * 1.02 ** (i - 1.5)
            axes.errorbar(place, middle, bars, color=color, marker=marker, ms=3.5, elinewidth=0.7, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(B, [str(b) for b in B])
        axes.minorticks_off()
        axes.set_xlabel("trajectories in a batch, B")
    panels[0].set_yscale("log")
    panels[0].set_ylim(1e-17, 30)
    panels[0].set_ylabel(r"bias $\|E\hat g-\nabla\bar J\|\,/\,\|\nabla\bar J\|$")
    panels[1].set_ylim(bottom=0)
    panels[1].set_ylabel(r"spread $\sqrt{\mathrm{tr\,Cov}\,\hat g}\,/\,\|E\hat g\|$")
    panels[1].legend(loc="best")
    panels[0].set_title(f"bias (bars: range over {settings.problems} problems)")
    panels[1].set_title("standard deviation of one meta-episode")
    return figure
