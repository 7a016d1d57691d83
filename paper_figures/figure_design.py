"""The least error that COALA-PG's two terms allow, exact, by enumeration: how much should the future count?

Root mean square errors against the number of meta-episodes, each estimator less its best baseline. With few of them
the noise of the future outweighs what it tells, and the estimators that count it for 1/B win; with many, their bias
shows. The best weight passes from about 0 to 1 and does better than any of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing import style
from ipd_theory.sampling import design, learners, trials
from paper_figures.about import OURS, About
from paper_figures.run import Arrays
from paper_figures.shaping_problems import ESTIMATORS, LEARNING_RATE, shaping_problem


@dataclass(frozen=True)
class Settings:
    batch_size: int = 2
    problems: int = 4
    up_to_meta_episodes: int = 100_000


ABOUT = About(
    "design",
    OURS,
    20,
    {
        "num_meta_episodes": ("count", "meta-episodes"),
        "errors": ("estimator problem count", "of the gradient's norm"),
        "best_error": ("problem count", "of the gradient's norm"),
        "best_weight": ("problem count", "a share"),
    },
)
PRESETS = {"quick": Settings(), "paper": Settings(problems=16)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return errors and best weights by problem and number of meta-episodes."""
    counts = np.unique(np.geomspace(1, settings.up_to_meta_episodes, 31).astype(int))
    found = []
    for k in range(settings.problems):
        pomdp, logits = shaping_problem(settings.batch_size, seed + k)
        problem = trials.trial("", pomdp.game, learners.reinforce(LEARNING_RATE), pomdp.shape, ego_logits=logits)
        found.append(design.designed(problem._replace(pomdp=pomdp), tuple(counts.tolist())))
        progress((k + 1) / settings.problems)
    return {
        "num_meta_episodes": counts,
        "errors": np.array([[one.errors[name] for one in found] for name in ESTIMATORS]),
        "best_error": np.array([one.best_error for one in found]),
        "best_weight": np.array([one.best_weight for one in found]),
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the median error over problems, the best weight's dashed; and the best weight of each problem."""
    figure, (left, right) = subplots(1, 2, figsize=(6.8, 2.7))
    n = arrays["num_meta_episodes"]
    for errors, (name, (_, color, _)) in zip(arrays["errors"], ESTIMATORS.items(), strict=True):
        left.plot(n, np.median(errors, 0), color=color, label=name)
    left.plot(n, np.median(arrays["best_error"], 0), "--", color=style.DARK, label="best weight")
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_ylabel(r"error $\sqrt{E\|\hat g-\nabla\bar J\|^2}\,/\,\|\nabla\bar J\|$")
    left.legend(loc="best")
    left.set_title(f"median of {settings.problems} problems, B = {settings.batch_size}")
    for weights in arrays["best_weight"]:
        right.plot(n, weights, color=style.DARK, lw=1)
    right.axhline(1 / settings.batch_size, color=style.ESTIMATORS["batch-unaware"], ls=":", label="1/B")
    right.axhline(1, color=style.ESTIMATORS["COALA-PG"], ls=":", label="COALA-PG")
    right.set_xscale("log")
    right.set_ylabel("best weight of later episodes")
    right.legend(loc="best")
    right.set_title("one line a problem")
    for axes in (left, right):
        axes.set_xlabel("meta-episodes averaged, n")
    return figure
