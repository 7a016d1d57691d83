"""Figure 12, exact: the gradient from later inner episodes over that from the current one, during training.

A tabular agent is trained on each estimator's exact mean. Its parts are exact too: the current part is what remains
when no reward comes after the current inner episode. Both baselines weigh the future 1/B as much as COALA-PG does,
and follow the same path: Adam does not see the factor B between them.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from ipd_theory.sampling import enumeration, prefixes
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays
from paper_figures.shaping_problems import ESTIMATORS, shaping_problem

SHOWN = ("COALA-PG", "batch-unaware", "M-FOS")


@dataclass(frozen=True)
class Settings:
    batch_size: int = 3
    steps: int = 120
    seeds: int = 3
    learning_rate: float = 0.05


ABOUT = About(
    "12",
    f"{PAPER}, Figure 12",
    6,
    {"ratios": ("estimator start step", "1")},
)
PRESETS = {"quick": Settings(), "paper": Settings(batch_size=5, steps=400, seeds=8)}


@functools.partial(jax.jit, static_argnames="settings")
def _train(listed: prefixes.Prefixes, start: Array, forms: list[prefixes.LinearForm], settings: Settings) -> Array:
    """Ascend the exact mean of an estimator, given whole and without the future; return the ratios [steps]."""
    optimizer = optax.adam(settings.learning_rate)

    def step(carry: tuple[Array, optax.OptState], _: None) -> tuple[tuple[Array, optax.OptState], Array]:
        logits, state = carry
        mean, now = (prefixes.moments_by_prefix(listed, logits, form).mean for form in forms)
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer powers
            updates, state = optimizer.update(-mean.reshape(logits.shape), state)
        return (logits + updates, state), jnp.linalg.norm(mean - now) / jnp.linalg.norm(now)

    return jax.lax.scan(step, (start, optimizer.init(start)), length=settings.steps)[1]


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return the ratios [estimators, seeds, steps]."""
    ratios = np.zeros((len(SHOWN), settings.seeds, settings.steps))
    for k in range(settings.seeds):
        pomdp, start = shaping_problem(settings.batch_size, seed + k)
        listed = prefixes.enumerate_prefixes(pomdp)
        for i, name in enumerate(SHOWN):
            weights = ESTIMATORS[name][0]
            parts = (weights, enumeration.current_part(weights))
            forms = [prefixes.linear_form(part, pomdp.shape) for part in parts]
            ratios[i, k] = _train(listed, start, forms, settings)
            progress((k * len(SHOWN) + i + 1) / (settings.seeds * len(SHOWN)))
    return {"ratios": ratios}


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the ratio over training, one line for each start."""
    figure, axes = subplots(figsize=(3.8, 2.8))
    for i, name in enumerate(SHOWN):
        lines = axes.plot(arrays["ratios"][i].T, color=ESTIMATORS[name][1], ls=("-", "-", "--")[i], lw=1.2)
        lines[0].set_label(name)
    axes.set_yscale("log")
    axes.set_xlim(0, settings.steps)
    axes.set_xlabel("training steps on the exact mean")
    axes.set_ylabel("future gradient over current gradient")
    axes.set_title(f"B = {settings.batch_size}, {settings.seeds} starts, one line each")
    axes.legend(loc="center", bbox_to_anchor=(0.5, 1.16), ncols=3)
    return figure
