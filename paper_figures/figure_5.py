"""Figure 5: sequence-model agents that learn from experience, on the iterated prisoner's dilemma.

A. Reward against naive learners over training, by estimator; the dotted line is unconditional defection, played against
the learners of every seed, and efficiency, on the right, the share of what is between it and the largest payoff. How
far such learners can be led is not known, so that this is a least one: 0.524 ± 0.009 of COALA-PG at the quick presets,
0.000 ± 0.001 of both baselines. B. How often a trained agent defects within a
meta-episode: shaping, then exploiting. C. Reward of two meta agents of a mixed pool against each other.

At the quick presets, five seeds a method, all methods at the same settings and none tuned: COALA-PG ends at 1.193 ±
0.014 (standard error), both baselines at 0.305 ± 0.002, mutual defection. Nothing is lost by stopping at 180
iterations: a run of 1500 (seed 0) rises to 1.26 by iteration 500, stays above it, and ends at 1.31.

In the quick mixed pools COALA-PG agents cooperate with each other and the baselines' earn 0.00 in all of three seeds.
COALA-PG's pairs end at 0.96, 0.99, 0.99, 0.63, 0.99, 0.82 (seeds 0 to 5) and 0.96 (7): 0.91 ± 0.05, in 7 to 10
minutes of one core each. The three that went on to 400 iterations (0, 5, 7) end at 0.88, 0.91 and 0.95. It takes the
meta-batch of the paper: with 32 co-players in place of 128, and 400 iterations, ten pairs end at 0.65 ± 0.11, four of
them below 0.4, of which 800 iterations bring two above 0.7; with 64, three pairs end at 0.79, 0.99 and 0.54. The
naive learners start as the agents are, which the paper does in CleanUp-lite only. It is what brings cooperation about
here: of fixed initialisations agents find out who is who within the first inner episode, shape the learners, and
defect on each other (two agents, one run each at a meta-batch of 32: 1.32 and 0.00 after 1240 iterations with p_naive
0.75; 0.68 and 0.00 after 340 with 0.25). The exact pools of memory-one agents (Figure 3C) cannot tell them apart, and
there, too, extortion leads to cooperation. The setting was chosen among three values of p_naive, one such run of a
method each: at 0.75 all methods cooperate (COALA-PG 0.98 and M-FOS 0.99 by 200 iterations, batch-unaware agents 1.05
and 0.63 by 400); at 0.25 COALA-PG and M-FOS had both fallen to defection by 60 and were followed no further. Of these
only the runs at 0.5 are recorded.

The runs are recorded in `paper_figures/runs/` (settings and metrics of every seed); a run that is not there, or
has too few iterations, is trained, which takes minutes a seed for `quick` and a GPU for `paper`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ipd_theory.rl import scripted, train
from ipd_theory.rl.config import PRESETS as CONFIGS
from ipd_theory.rl.config import Config
from ipd_theory.rl.devices import initial_states
from ipd_theory.rl.environments import IteratedDilemma
from paper_figures.about import PAPER, About
from paper_figures.pools import efficiency_axis
from paper_figures.recorded import COLORS, METHODS, band, lines_of_method, series
from paper_figures.run import Arrays


@dataclass(frozen=True)
class Settings:
    """Which runs to show.

    Args:
        shaping: preset of the runs against naive learners only.
        shaping_iterations: their length.
        shaping_seeds: seeds of each method, every entry one run of seeds side by side.
        mixed: preset of the runs in a mixed pool; none if empty.
        mixed_iterations: their length.
        mixed_seeds: seeds of each method.
        mixed_more: further seeds of COALA-PG, whose pairs differ from seed to seed.
        last: iterations at the end over which panel B averages.
    """

    shaping: str
    shaping_iterations: int
    shaping_seeds: tuple[tuple[int, ...], ...]
    mixed: str
    mixed_iterations: int
    mixed_seeds: tuple[tuple[int, ...], ...]
    mixed_more: tuple[tuple[int, ...], ...] = ()
    last: int = 100


MEETINGS = 4  # meta-episodes in which defection is played, each against the run's meta-batch
THREE = ((0,), (1,), (2,))
FIVE = (*THREE, (3,), (4,))
MORE = ((3,), (4,), (5,), (7,))
ABOUT = About(
    "5",
    f"{PAPER}, Figure 5",
    15,
    {
        "* iteration": ("line", "iterations"),
        "defection": ("seed", "payoff a step"),
        "* reward": ("seed line episode", "payoff a step"),
        "* defection": ("seed line episode", "share of actions"),
    },
    remark=(
        "smaller than the paper's: two agents in place of four, a tenth of the iterations or less, and naive learners "
        "that start as the agents are"
    ),
    keeps="runs",
    recorded=True,
)
PRESETS = {
    "quick": Settings("ipd-shaping-quick", 180, FIVE, "ipd-mixed-quick", 300, THREE, MORE, last=50),
    "paper": Settings("ipd-shaping", 3000, ((0, 1, 2),), "ipd-mixed", 3000, ((0, 1, 2),)),
}


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Read or train every run, and play unconditional defection; the seeds are those of the settings."""
    pools = [
        ("shaping", "against_naive", settings.shaping, settings.shaping_iterations, settings.shaping_seeds),
        ("mixed", "against_meta", settings.mixed, settings.mixed_iterations, settings.mixed_seeds),
    ]
    wanted = [(pool, method) for pool in pools if pool[2] for method in METHODS]
    arrays: Arrays = {}
    for i, ((name, kind, preset, iterations, seeds), method) in enumerate(wanted):
        more = settings.mixed_more if (name, method) == ("mixed", "coala") else ()
        each = lines_of_method(preset, iterations, method, seeds + more, folder)
        arrays[f"{name} iteration"] = np.array([line["iteration"] for line in each[0]])
        for what in ("reward", "defection"):
            arrays[f"{name} {method} {what}"] = series(each, kind, what).mean(2)
        progress(0.8 * (i + 1) / len(wanted))
    return arrays | {"defection": defections(CONFIGS[settings.shaping], sum(settings.shaping_seeds, ()))}


def defections(config: Config, seeds: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return what unconditional defection earns [seeds] of the naive learners that runs of these seeds start with."""
    naive = initial_states(config, seeds).naive
    defector = scripted.by_hand(config.environment)["always defect"]
    keys = jax.random.split(jax.random.key(0), MEETINGS)
    play = jax.jit(lambda inits, key: train.against_naive(config, defector, inits, key)["reward"].mean())
    each = [jax.tree.map(lambda x, s=s: x[s], naive) for s in range(len(seeds))]
    return np.array([np.mean([play(inits, key) for key in keys]) for inits in each])


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three panels."""
    panels = 3 if settings.mixed else 2
    figure, axes = plt.subplots(1, panels, figsize=(2.4 * panels, 2.7))
    iteration = arrays["shaping iteration"]
    for method in METHODS:
        band(axes[0], iteration, arrays[f"shaping {method} reward"].mean(-1), method)
        late = arrays[f"shaping {method} defection"][:, iteration > iteration[-1] - settings.last].mean(1)
        band(axes[1], np.arange(1, late.shape[-1] + 1), late, method)
        if settings.mixed:
            pairs = arrays[f"mixed {method} reward"].mean(-1)
            band(axes[2], arrays["mixed iteration"], pairs, method)
            axes[2].plot(arrays["mixed iteration"], pairs.T, color=COLORS[method], linewidth=0.5)
    axes[0].set(xlabel="iteration", ylabel="reward a step", title="A  against naive learners")
    axes[1].set(xlabel="inner episode", ylabel="share of defection", ylim=(0, 1.02), title="B  within a meta-episode")
    if settings.mixed:
        axes[2].set(xlabel="iteration", ylabel="reward a step", title="C  meta against meta, mixed pool")
    level = arrays["defection"].mean()
    axes[0].axhline(level, color="0.4", linestyle=":", linewidth=0.8, label="always defect")
    game = CONFIGS[settings.shaping].environment
    assert isinstance(game, IteratedDilemma)
    efficiency_axis(axes[0], level, max(game.payoffs), "efficiency, at least")
    axes[1].set_xticks([1, *range(5, late.shape[-1] + 1, 5)])
    handles, labels = axes[0].get_legend_handles_labels()
    title = "mean over seeds, band ± one standard deviation, in C also each seed"
    figure.legend(handles, labels, loc="outside lower center", ncols=4, title=title, title_fontsize=7)
    return figure
