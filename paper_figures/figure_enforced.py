"""What trained sequence agents enforce on naive learners, inner episode by inner episode: Figure 8 read from play.

Agents trained by each estimator on the iterated dilemma play naive learners, and their play is counted: the memory-one
table of each inner episode, all of an agent's matches together, and the line of payoffs that draws from its posterior
come nearest to (slope 1/χ where it is an extortioner's, and its distance from p̃).

At the quick preset (two seeds of each) COALA-PG's agents begin close to extortioners: their nearest line has slope
0.44 and 0.40, and p̃ is 0.003 and 0.05 from it; it stays within 0.1 for eight and for four of the twenty inner
episodes, in which naive learners learn to give in. Then they turn. After DC, where an extortioner comes back to
cooperation, they cooperate less and less, late nearly never; co-players, who still cooperate, lose. What is near in
the end is the line of who always defects: in this game, where both gain alike by switching, π_1 + 2 π_2 = 0, of slope
-1/2. Agents of both other estimators defect from the first. All remember the whole meta-episode: a table is what they
do on average over matches, not a strategy that they hold to, and contexts that are rarely seen (CD, and late CC) are
the prior's, so that bands are wide.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory import games, inference
from ipd_theory.drawing import readings
from ipd_theory.rl import config, evaluation, runs
from ipd_theory.rl.environments import IteratedDilemma
from paper_figures.about import OURS, About
from paper_figures.recorded import METHODS
from paper_figures.run import Arrays


@dataclass(frozen=True)
class Settings:
    """Which runs are read.

    Args:
        preset: of the training.
        iterations: of it.
        seeds: runs of each estimator.
        meta_episodes: that are played to read an agent, each against the run's meta-batch of learners.
        draws: from the posterior.
    """

    preset: str
    iterations: int
    seeds: int
    meta_episodes: int = 4
    draws: int = 1000


ABOUT = About(
    "enforced",
    OURS,
    600,
    {
        "* counts": ("seed episode context action", "rounds"),
        "* payoffs": ("seed player episode", "payoff a step"),
        "* slope": ("seed draw episode", "1 / χ of an extortioner"),
        "* distance": ("seed draw episode", "of probabilities"),
    },
    keeps="runs",
)
PRESETS = {"quick": Settings("ipd-shaping-quick", 180, 2), "paper": Settings("ipd-shaping", 3000, 3)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Train agents, let them play, and read what they enforce; seeds count up from the figure's."""
    arrays: Arrays = {}
    for i, method in enumerate(METHODS):
        read = [
            _read(settings, method, seed + k, folder / f"enforced-{method}-{seed + k}") for k in range(settings.seeds)
        ]
        arrays |= {f"{method} {name}": np.stack([one[name] for one in read]) for name in read[0]}
        progress((i + 1) / len(METHODS))
    return arrays


def _read(settings: Settings, method: str, seed: int, run: Path) -> Arrays:
    trained = replace(config.with_method(config.PRESETS[settings.preset], method), iterations=settings.iterations)
    runs.train(trained, run, (seed,), log_every=10, checkpoint_every=settings.iterations)
    environment = trained.environment
    if not isinstance(environment, IteratedDilemma):
        raise ValueError(f"preset {settings.preset!r} must play the iterated dilemma")
    game = games.symmetric_game(*environment.payoffs)
    actions = evaluation.play_of(run, meta_episodes=settings.meta_episodes, seed=seed)
    fitted = inference.fit_episodes(actions)
    drawn = inference.posterior_tables(fitted, settings.draws, seed)
    line = inference.read_out(game, drawn, discount=1 - 1 / trained.episode_length).line
    if line is None:
        raise ValueError("tables of memory one have a nearest line")
    mine, theirs = np.moveaxis(actions, -2, 0).reshape(2, len(actions), -1)
    payoffs = np.asarray(game.outcome_payoffs, float)[:, 2 * mine + theirs].mean(-1)
    return {
        "counts": fitted.counts,
        "payoffs": payoffs,
        "slope": line.slope.draws,
        "distance": line.distance.draws,
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw tables, line and payoffs by inner episode; a column for each estimator, one line for each seed."""
    figure, axes = subplots(3, len(METHODS), figsize=(7.2, 5.6), sharex=True, sharey="row")
    for column, (method, name) in zip(axes.T, METHODS.items(), strict=True):
        counts = arrays[f"{method} counts"]
        readings.show_tables(column[0], inference.fit_counts(counts[0]))
        lines = [inference.spread(np.concatenate(list(arrays[f"{method} {x}"])), 0.95) for x in ("slope", "distance")]
        readings.show_spreads(column[1], dict(zip(("slope", "distance"), lines, strict=True)))
        readings.show_payoffs(column[2], arrays[f"{method} payoffs"].mean(0))
        column[0].set(title=name, xlabel="")
        column[1].set(title="", xlabel="")
    axes[0, 0].set_ylabel("it cooperates after")
    axes[1, 0].set_ylabel("nearest enforced line")
    axes[2, 0].set_ylabel("payoff a step")
    bands = f"above: of the first of {settings.seeds} seeds; bands: 95 % of the posterior; payoffs: mean over seeds"
    figure.suptitle(bands, fontsize=6, color="0.4", x=0.99, ha="right")
    axes[0, 0].legend(loc="center left", bbox_to_anchor=(0.0, 0.45))  # clear of the line that falls
    for row in axes:
        for other in row[1:]:
            other.set_ylabel("")
            if other.get_legend():
                other.get_legend().remove()
    return figure
