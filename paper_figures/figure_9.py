"""Figure 9: a mixed pool that starts at unconditional defection escapes from it.

Two meta agents whose every probability of cooperation is 0.01. Naive learners make it pay to answer cooperation;
the extortion that follows is left again where the agents' own meetings weigh enough. With the mean over episodes
that we use, p_naive = 0.02 leads from there to cooperation; at p_naive = 0.25, where random starts cooperate
(Figure 3C), all 4 pools tried stay extortionate for 9000 steps.
"""

import dataclasses
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.drawing.style import CONTEXTS, PLAYERS
from paper_figures import pools
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays


@dataclasses.dataclass(frozen=True)
class Settings(pools.Settings):
    """As for all pools; the paper shows 8 seeds."""

    p_naive: float = 0.02
    start: tuple[float, ...] = (0.01, 0.01, 0.01, 0.01, 0.01)


ABOUT = About(
    "9",
    f"{PAPER}, Figure 9",
    9,
    pools.arrays("record seed agent"),
    remark=(
        "departs from the paper: p_naive is 0.02, naive learners weighed by the mean over episodes; at 0.25 pools that "
        "start here stay extortionate"
    ),
)
PRESETS = {
    "quick": Settings(steps=6000, record_every=100, num_learners=8),
    "paper": Settings(steps=10000, record_every=100, num_learners=64),
}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train pools of two agents from the given probabilities."""
    start = pools.logits_of([settings.start] * 2)
    return pools.train(pools.pool_of(settings, settings.p_naive), settings, seed, progress, logits=start)[1]


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw rewards, with the escape enlarged, and the agents' logits over training."""
    figure, (rewards, logits) = subplots(1, 2, figsize=(6.8, 2.5))
    draw_rewards(rewards, arrays)
    pools.note_bands(rewards, settings.seeds)
    rewards.set_ylim(-0.85, 1.12)
    inset = rewards.inset_axes((0.6, 0.1, 0.37, 0.24))
    early = arrays["steps"] <= settings.steps / 6
    draw_rewards(inset, {name: x[early] for name, x in arrays.items()})
    inset.set_title("escape", fontsize=6, pad=2)
    inset.tick_params(labelsize=5)
    inset.set(xlabel="", ylabel="")
    rewards.legend(loc="lower left")
    draw_logits(logits, arrays)
    return figure


def draw_rewards(axes: Axes, arrays: Arrays) -> None:
    """Draw the agents' reward against naive learners and between each other."""
    pools.curve(axes, arrays["steps"], arrays["against_naive"], "against naive learners", PLAYERS["agent"])
    pools.curve(axes, arrays["steps"], arrays["among_meta"], "between meta agents", PLAYERS["among agents"])
    pools.label_training(axes)


def draw_logits(axes: Axes, arrays: Arrays) -> None:
    """Draw the logit of cooperation in each context, named at its end."""
    for i, (name, color) in enumerate(CONTEXTS.items()):
        pools.curve(axes, arrays["steps"], arrays["logits"][..., i], name, color)
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    pools.label_training(axes, "logit of cooperating after …")
    axes.legend(ncol=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), columnspacing=1.0, handlelength=1.2)
