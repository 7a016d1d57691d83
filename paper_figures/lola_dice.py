"""What Figures 4A and 4C share: pairs of LOLA-DiCE agents in training, by number of look-aheads."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory import games
from ipd_theory.drawing.style import SERIES
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
from paper_figures.pools import curve, label_training, note_bands

ARRAYS = {
    "steps": ("record", "training steps"),
    "rewards": ("record look_aheads pair player", "payoff a step"),
    "logits": ("look_aheads pair player context", "logit of cooperation"),
}
LOOK_AHEADS = (1, 2, 3, 10, 20)
STYLES = tuple(zip(SERIES, ("-", "-", "-", "--", ":"), strict=False))


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the agents are trained (section 3 of the paper; AdamW is Optax's default at rate 0.005).

    Args:
        seeds: pairs of N(0, 1) logits.
        steps: training steps.
        discount: γ; returns are averages a step.
        step: η of the look-aheads.
        single_step: η where there is only one look-ahead.
        naive_weights: weight of the naive gradient for 1, 2, 3, 10 and 20 look-aheads.
        record_every: steps between points of the curves.
    """

    seeds: int = 16
    steps: int = 4000
    discount: float = 0.95
    step: float = 5.0
    single_step: float = 10.0
    naive_weights: tuple[float, ...] = (0.0,) * 5
    record_every: int = 40


@functools.cache
def adamw() -> optax.GradientTransformation:
    """Return the meta agents' optimizer; always the same object, so that compiled programs are found again."""
    return optax.adamw(0.005)


def rule(settings: Settings, look_aheads: int, naive_weight: float) -> rules.Rule:
    """Return LOLA-DiCE with this many look-aheads, mixed with the naive gradient."""
    lola = rules.lola_dice(look_aheads, settings.single_step if look_aheads == 1 else settings.step)
    if naive_weight == 0:
        return lola
    return rules.mixture((lola, rules.naive()), (1 - naive_weight, naive_weight))


def train(settings: Settings, seed: int, progress: Callable[[float], None]) -> dict[str, np.ndarray[Any, Any]]:
    """Return rewards [records, 5, seeds, 2] over training and final logits [5, seeds, 2, 5]."""
    first = jax.random.normal(jax.random.key(seed), (settings.seeds, 2, 5))
    returns, logits = [], []
    for done, (k, weight) in enumerate(zip(LOOK_AHEADS, settings.naive_weights, strict=True), 1):
        agent = rule(settings, k, weight)
        out = learn(
            games.prisoners_dilemma(),
            (agent, agent),
            first[:, 0],
            first[:, 1],
            discount=settings.discount,
            optimizers=(adamw(), adamw()),
            steps=settings.steps,
        )
        returns.append(np.asarray(out.returns)[:, :: settings.record_every])
        logits.append(np.asarray(out.logits))
        progress(done / len(LOOK_AHEADS))
    rewards = np.moveaxis(np.stack(returns), 2, 0)
    return {"steps": np.arange(len(rewards)) * settings.record_every, "rewards": rewards, "logits": np.stack(logits)}


def plot(arrays: dict[str, np.ndarray[Any, Any]], settings: Settings, labels: list[str]) -> Figure:
    """Draw reward over training, a curve for each number of look-aheads, with quartiles over seeds."""
    figure, axes = subplots(figsize=(4.6, 2.5))
    for i, (label, (colour, style)) in enumerate(zip(labels, STYLES, strict=True)):
        curve(axes, arrays["steps"], arrays["rewards"][:, i], label, colour, style)
    axes.set_ylim(-0.1, 1.1)
    label_training(axes)
    note_bands(axes, settings.seeds)
    axes.legend(title="look-aheads", title_fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
