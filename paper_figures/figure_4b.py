"""Figure 4B: the frozen policy of a LOLA-DiCE agent with 20 look-aheads extorts a fresh naive learner.

The quick preset (16 seeds) ends at 1.11 ± 0.01 for the frozen policy (0.99 at least), 0.72 ± 0.03 for the learner. In
the median the policy is (0.02, 0.94, 0.08, 0.69, 0.02): it never opens, and after its own defection it mostly forgives.
So the learner ends 0.39 below and is left most of what mutual cooperation would give it: a milder extortion than the
meta agents' of Figure 3.
"""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np
import optax
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory import games
from ipd_theory.drawing.style import PLAYERS
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
from paper_figures import lola_dice
from paper_figures.about import PAPER, About
from paper_figures.pools import curve, label_training, note_bands
from paper_figures.run import Arrays


@dataclasses.dataclass(frozen=True)
class Settings:
    """Training of the LOLA-DiCE pair, then learning against one of them.

    Args:
        seeds: pairs, and naive learners.
        steps: training steps of the pair.
        look_aheads: of the pair.
        naive_steps: the naive learner's steps.
        naive_step: its step size η.
    """

    seeds: int = 16
    steps: int = 2000
    look_aheads: int = 20
    naive_steps: int = 60
    naive_step: float = 5.0


ABOUT = About(
    "4B",
    f"{PAPER}, Figure 4B",
    3,
    {
        "steps": ("step", "steps of the naive learner"),
        "rewards": ("step seed player", "payoff a step"),
        "policy": ("seed context", "probability of cooperation"),
    },
)
PRESETS = {"quick": Settings(), "paper": Settings(seeds=64, steps=6000)}


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return rewards [learner's steps + 1, seeds, 2] of the frozen policy and of the naive learner."""
    pair_key, learner_key = jax.random.split(jax.random.key(seed))
    first = jax.random.normal(pair_key, (settings.seeds, 2, 5))
    game, discount = games.prisoners_dilemma(), lola_dice.Settings.discount
    agent = rules.lola_dice(settings.look_aheads, lola_dice.Settings.step)
    adamw = lola_dice.adamw()
    trained = learn(
        game,
        (agent, agent),
        first[:, 0],
        first[:, 1],
        discount=discount,
        optimizers=(adamw, adamw),
        steps=settings.steps,
    )
    progress(0.9)
    met = learn(
        game,
        (rules.still(), rules.naive()),
        trained.logits[:, 0],
        jax.random.normal(learner_key, (settings.seeds, 5)),
        discount=discount,
        optimizers=(optax.sgd(0.0), optax.sgd(settings.naive_step)),
        steps=settings.naive_steps,
    )
    return {
        "steps": np.arange(settings.naive_steps + 1),
        "rewards": np.moveaxis(np.asarray(met.returns), 1, 0),
        "policy": np.asarray(jax.nn.sigmoid(trained.logits[:, 0])),
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw both rewards over the naive learner's steps."""
    figure, axes = subplots()
    curve(axes, arrays["steps"], arrays["rewards"][..., :1], "frozen LOLA-DiCE policy", PLAYERS["agent"])
    curve(axes, arrays["steps"], arrays["rewards"][..., 1:], "naive learner", PLAYERS["naive learner"], "--")
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    label_training(axes)
    axes.set_xlabel("naive learner's step")
    note_bands(axes, settings.seeds)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
    return figure
