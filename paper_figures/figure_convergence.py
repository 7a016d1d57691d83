"""The mean of sampled estimates against the exact gradient, as meta-episodes add up.

COALA-PG's error falls as predicted by its exact covariance, √(tr Cov / N); the baselines' stops at their bias.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.sampling import enumeration
from ipd_theory.sampling.shaping_pomdp import estimates, play
from paper_figures.about import OURS, About
from paper_figures.run import Arrays
from paper_figures.shaping_problems import ESTIMATORS, shaping_problem

SHOWN = ("COALA-PG", "batch-unaware", "M-FOS")


@dataclass(frozen=True)
class Settings:
    repeats: int = 8
    chunk: int = 2000
    chunks: int = 50


ABOUT = About(
    "convergence",
    OURS,
    6,
    {
        "counts": ("count", "meta-episodes"),
        "errors": ("estimator repeat count", "of the gradient's norm"),
        "predicted": ("estimator count", "of the gradient's norm"),
    },
)
PRESETS = {"quick": Settings(), "paper": Settings(repeats=32, chunk=4000, chunks=1000)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return errors [estimators, repeats, counts] relative to ‖∇J̄‖, and what the exact moments predict."""
    pomdp, logits = shaping_problem(2, seed)
    everything = enumeration.enumerate_meta_episodes(pomdp)
    truth = np.asarray(enumeration.true_gradient(everything, logits).total)
    counts = np.unique(np.geomspace(100, settings.chunk * settings.chunks, 22).astype(int))
    sums = np.zeros((len(SHOWN), settings.repeats, len(counts), truth.size))
    for r, key in enumerate(jax.random.split(jax.random.key(seed), settings.repeats)):
        for c, k in enumerate(jax.random.split(key, settings.chunks)):
            played = play(k, pomdp, logits, settings.chunk)
            for i, name in enumerate(SHOWN):
                g = estimates(played, logits, ESTIMATORS[name][0](played.ego.rewards))
                running = np.cumsum(np.asarray(g).reshape(settings.chunk, -1), 0)
                used = np.clip(counts - c * settings.chunk, 0, settings.chunk)
                sums[i, r] += np.where(used[:, None] > 0, running[np.maximum(used, 1) - 1], 0)
            progress((r * settings.chunks + c + 1) / (settings.repeats * settings.chunks))
    size = np.linalg.norm(truth)
    errors = np.linalg.norm(sums / counts[:, None] - truth, axis=-1) / size
    predicted = []
    for name in SHOWN:
        exact = enumeration.moments(everything, logits, ESTIMATORS[name][0](everything.episodes.ego.rewards))
        bias = np.asarray(exact.mean) - truth
        predicted.append(np.sqrt(bias @ bias + np.trace(np.asarray(exact.covariance)) / counts) / size)
    return {"counts": counts, "errors": errors, "predicted": np.array(predicted)}


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the root mean square error over repeats, the range of the repeats, and the exact prediction."""
    figure, axes = subplots(figsize=(4.2, 3.0))
    for i, name in enumerate(SHOWN):
        color = ESTIMATORS[name][1]
        errors = arrays["errors"][i]
        rms = np.sqrt((errors**2).mean(0))
        axes.fill_between(arrays["counts"], errors.min(0), errors.max(0), color=color, alpha=0.15, lw=0)
        axes.plot(arrays["counts"], rms, color=color, marker=ESTIMATORS[name][2], ms=3, lw=0, label=name)
        axes.plot(arrays["counts"], arrays["predicted"][i], color=color, lw=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("meta-episodes averaged, N")
    axes.set_ylabel(r"error $\|\hat g_N-\nabla\bar J\|\,/\,\|\nabla\bar J\|$")
    axes.set_title(f"marks: RMS of {settings.repeats} runs, band: their range; lines: exact prediction", fontsize=7)
    axes.legend(loc="lower left")
    return figure
