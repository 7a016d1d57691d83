"""Appendix H.3's table: a COALA-PG agent in a mixed pool with an M-FOS agent.

Rewards a step of both agents against each other, over the last iterations of training.

The paper's are 0.850 ± 0.037 and 0.853 ± 0.017. The quick preset's, recorded in `runs/`, are 0.85 and 0.74 in the
first of two seeds, 0.15 and -0.02 in the second, whose COALA-PG agent had earned 0.84 from its partner's -0.35 fifty
iterations before: two agents in place of four, a tenth of the iterations at a quarter of the steps, and learners that
start as the agents are (`figure_5`). With a meta-batch of 32 in place of 128, and 400 iterations, five seeds gave 0.51
± 0.33 and 0.31 ± 0.22. Two M-FOS agents by themselves earn 0.00 there, so it is the COALA-PG agent that draws its
partner out of defection, and keeps the larger share.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ipd_theory.rl.config import PRESETS as TRAINING
from ipd_theory.rl.config import Method
from paper_figures.about import PAPER, About
from paper_figures.recorded import METHODS, lines, series
from paper_figures.run import Arrays

POOL: tuple[Method, ...] = ("coala", "m_fos")


@dataclass(frozen=True)
class Settings:
    """Which runs to show.

    Args:
        preset: of a mixed pool, of which the number of agents is replaced.
        iterations: their length.
        seeds: every entry one run of seeds side by side.
        last: iterations at the end to average over.
    """

    preset: str
    iterations: int
    seeds: tuple[tuple[int, ...], ...]
    last: int


ABOUT = About(
    "H3",
    f"{PAPER}, Appendix H.3",
    1,
    {"against_*": ("seed agent", "payoff a step")},
    remark=(
        "the paper's agents earn 0.850 ± 0.037 and 0.853 ± 0.017 from each other: ours are two in place of four, "
        "trained for a tenth of the iterations, and one of the two seeds does not hold cooperation"
    ),
    keeps="runs",
    recorded=True,
)
PRESETS = {
    "quick": Settings("ipd-mixed-quick", 300, ((0,), (1,)), last=50),
    "paper": Settings("ipd-mixed", 3000, ((0, 1, 2, 3, 4),), last=100),
}


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Return rewards a step [seeds, agents] against the other agent and against naive learners."""
    config = replace(TRAINING[settings.preset], methods=POOL, iterations=settings.iterations)
    late = []
    for i, group in enumerate(settings.seeds):
        found = lines(config, f"{settings.preset}-{'+'.join(POOL)}", group, folder)
        late.append([line for line in found if line["iteration"] > settings.iterations - settings.last])
        progress((i + 1) / len(settings.seeds))
    return {kind: series(late, kind, "reward").mean((1, 3)) for kind in ("against_meta", "against_naive")}


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the table: mean over seeds ± one standard deviation, if there are several."""
    figure, axes = plt.subplots(figsize=(4.4, 1.3))
    axes.axis("off")

    seeds = len(arrays["against_meta"])

    def cell(rewards: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
        return f"{rewards.mean():.3f}" + (f" ± {rewards.std():.3f}" if seeds > 1 else "")

    rows = [
        [METHODS[method], cell(arrays["against_meta"][:, i]), cell(arrays["against_naive"][:, i])]
        for i, method in enumerate(POOL)
    ]
    columns = ["agent", "against the other", "against naive"]
    axes.table(rows, colLabels=columns, loc="center", cellLoc="center", edges="horizontal")
    over = f"mean ± deviation over {seeds} seeds" if seeds > 1 else "one seed"
    axes.set_title(f"{settings.preset}, {settings.iterations} iterations\nreward a step, {over}", fontsize=8)
    return figure
