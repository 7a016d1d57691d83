"""Figure 3B: agents that learned to extort naive learners meet each other, and come to cooperate.

Two extortioners, trained apart as in Figure 3A but from random policies, ascend their return against each other
(p_naive = 0). Each makes cooperation pay for the other, and both take the offer. Without naive learners it does not
last for every pair: with the quick preset the median reward peaks at 0.92 and is back at 0.7 after 1500 steps.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing.style import PLAYERS
from paper_figures import pools
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays


@dataclasses.dataclass(frozen=True)
class Settings(pools.Settings):
    """`steps` of training against each other, after `steps_before` against naive learners."""

    steps_before: int = 1500


ABOUT = About(
    "3B",
    f"{PAPER}, Figure 3B",
    10,
    pools.arrays("record pair agent"),
    remark=(
        "departs from the paper: cooperation does not last for every pair; the median peaks at 0.92 and is back at 0.7 "
        "after 1500 steps"
    ),
)
PRESETS = {
    "quick": Settings(steps=1500, record_every=25),
    "paper": Settings(seeds=32, steps=2500, steps_before=5000, num_learners=64, record_every=25),
}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train pairs of extortioners, then let the two of a pair meet."""
    alone = dataclasses.replace(settings, steps=settings.steps_before, record_every=settings.steps_before)
    extortion = pools.pool_of(settings, 1.0)
    state, _ = pools.train(extortion, alone, seed, pools.part(progress, 0.0, 0.6))
    meeting = pools.pool_of(settings, 0.0)
    arrays = pools.train(meeting, settings, seed + 1, pools.part(progress, 0.6, 1.0), logits=state.logits)[1]
    return {"steps": arrays["steps"], "among_meta": arrays["among_meta"], "logits": np.asarray(arrays["logits"])}


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the reward of extortioners that learn against each other."""
    figure, axes = subplots()
    pools.curve(axes, arrays["steps"], arrays["among_meta"], "extortioner against extortioner", PLAYERS["among agents"])
    axes.axhline(1, color="0.7", linewidth=0.6, zorder=0, linestyle=":")
    axes.text(arrays["steps"][-1], 1.01, "mutual cooperation", ha="right", va="bottom", fontsize=6, color="0.4")
    pools.label_training(axes)
    axes.set_xlabel("training step after they meet")
    axes.set_ylim(-0.1, 1.15)
    pools.note_bands(axes, settings.seeds, "pairs")
    return figure
