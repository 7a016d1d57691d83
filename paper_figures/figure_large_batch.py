"""COALA-PG's exact mean tends to the deterministic shaping gradient as the batch grows, like 1/B.

With more trajectories the learner's step becomes its expected step; the gradient through that step is what exact
methods differentiate. Up to moderate B the mean is exact; beyond, sampled with a 95 % confidence interval.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing import style
from ipd_theory.sampling import enumeration, estimators, prefixes
from ipd_theory.sampling.shaping_pomdp import estimates, play
from paper_figures.about import OURS, About
from paper_figures.run import Arrays
from paper_figures.shaping_problems import LEARNING_RATE, shaping_problem


@dataclass(frozen=True)
class Settings:
    exact: tuple[int, ...] = (1, 2, 3, 4, 6)
    sampled: tuple[int, ...] = (2, 8, 32)
    trajectories: int = 3_000_000
    chunk: int = 100_000


ABOUT = About(
    "large-batch",
    OURS,
    12,
    {
        "limit": ("context", "payoff"),
        "exact_sizes": ("exact_size", "trajectories"),
        "exact": ("exact_size context", "payoff"),
        "sampled_sizes": ("sampled_size", "trajectories"),
        "sampled": ("sampled_size context", "payoff"),
        "errors": ("sampled_size context", "payoff"),
    },
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(exact=(1, 2, 3, 4, 5, 6, 7, 8), sampled=(2, 4, 8, 16, 32, 64), trajectories=400_000_000),
}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return components [B, 5] of the exact and sampled means, standard errors, and the limit [5]."""
    pomdp, logits = shaping_problem(1, seed)
    limit = enumeration.large_batch_gradient(pomdp.game, logits[0], pomdp.learner_table, LEARNING_RATE, 2, 2)
    exact, sampled, errors = [], [], []
    steps = len(settings.exact) + len(settings.sampled)
    for j, B in enumerate(settings.exact):
        pomdp, logits = shaping_problem(B, seed)
        exact.append(prefixes.true_gradient_by_prefix(prefixes.enumerate_prefixes(pomdp), logits).total)
        progress((j + 1) / steps)
    for j, B in enumerate(settings.sampled):
        pomdp, logits = shaping_problem(B, seed)
        size = settings.chunk // B
        chunks = settings.trajectories // (size * B)
        total, squares = np.zeros(5), np.zeros(5)
        for c, key in enumerate(jax.random.split(jax.random.key(seed + B), chunks)):
            played = play(key, pomdp, logits, size)
            g = np.asarray(estimates(played, logits, estimators.coala_pg(played.ego.rewards)))[:, 0]
            total, squares = total + g.sum(0), squares + (g**2).sum(0)
            progress((len(settings.exact) + j + (c + 1) / chunks) / steps)
        n = size * chunks
        sampled.append(total / n)
        errors.append(np.sqrt((squares / n - (total / n) ** 2) / n))
    return {
        "limit": np.asarray(limit),
        "exact_sizes": np.array(settings.exact),
        "exact": np.array(exact),
        "sampled_sizes": np.array(settings.sampled),
        "sampled": np.array(sampled),
        "errors": np.array(errors),
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the distance to the limit along the direction in which B = 1 lies from it, against B."""
    figure, axes = subplots(figsize=(3.8, 2.8))
    limit, exact, sampled = arrays["limit"], arrays["exact"], arrays["sampled"]
    direction = (exact[0] - limit) / np.linalg.norm(exact[0] - limit)
    size = np.linalg.norm(limit)
    B = arrays["exact_sizes"]
    axes.plot(B, (exact - limit) @ direction / size, "o", color=style.ESTIMATORS["COALA-PG"], ms=4, label="exact mean")
    bars = 1.96 * np.sqrt((arrays["errors"] ** 2) @ direction**2) / size
    place = arrays["sampled_sizes"]
    axes.errorbar(
        place,
        (sampled - limit) @ direction / size,
        bars,
        fmt="D",
        color=style.DARK,
        ms=3.5,
        capsize=2,
        label="sampled COALA-PG, 95 % interval",
    )
    far = np.array([1, max(place.max(), B.max())])
    last = (exact[-1] - limit) @ direction / size * B[-1]
    axes.plot(far, last / far, "--", color="0.5", lw=1, label="1/B through the last exact point")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    shown = sorted({*B.tolist()[:4:1], *place.tolist()})
    axes.set_xticks(shown, [str(b) for b in shown])
    axes.minorticks_off()
    axes.set_xlabel("trajectories in a batch, B")
    axes.set_ylabel("distance to the deterministic\nshaping gradient, relative")
    axes.legend(loc="lower left")
    return figure
