"""Defection, cooperation and extortion as curves of fixed points of a mixed pool, followed as p_naive varies.

The pool ascends exact gradients against a fixed population of naive learners, with a small weight decay
(`phases.mixed_pool`). Curves are followed from defection at p_naive = 0, from tit for tat and from extortion. At a
weight decay of 1e-3 all three lie on one curve, which turns back on its way from defection to cooperation and again
between cooperation and extortion; at 5e-4 defection lies on a curve of its own. Where two stretches are stable at
the same p_naive, the start decides. Curves are followed a little beyond p_naive = 0, where they may turn as well.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots
from scipy.special import expit

import ipd_theory as ipd
from ipd_theory.drawing import style
from ipd_theory.phases.continuation import Branch, fixed_point, settled, through
from ipd_theory.phases.drift import sobol_learners
from ipd_theory.phases.mixed_pool import MixedPool
from paper_figures.about import OURS, About
from paper_figures.pools import logits_of
from paper_figures.run import Arrays


@dataclass(frozen=True)
class Settings:
    """One pool for each weight decay, otherwise as in Figure 3C."""

    log2_learners: int = 4
    weight_decays: tuple[float, ...] = (1e-3, 5e-4)
    discount: float = 0.95
    learner_step: float = 5.0
    num_inner_episodes: int = 20
    duration: float = 3000.0
    largest_step: float = 0.4


ABOUT = About(
    "continuation",
    OURS,
    15,
    {  # names end in the number of the weight decay and that of the curve
        "p_naive-*": ("point", "1"),
        "table-*": ("point context", "probability of cooperation"),
        "between-*": ("point", "payoff a step"),
        "leading-*": ("point", "1 / time of the flow"),
        "unstable-*": ("point", "directions"),
        "folds-*": ("fold", "position on the curve"),
        "changes-*": ("change", "position on the curve"),
    },
)
PRESETS = {
    "quick": Settings(),
    "paper": Settings(log2_learners=8, weight_decays=(1e-3, 3e-4, 1e-4), duration=20_000.0, largest_step=0.1),
}


STARTS = ((0.0, (0.01,) * 5), (0.25, (0.95, 0.95, 0.05, 0.95, 0.05)), (1.0, (0.01,) * 5))


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Return the curves of each pool: points, p_naive, leading real parts, unstable directions, marks and returns."""
    arrays: Arrays = {}
    learners = sobol_learners(settings.log2_learners, seed=seed)
    for i, decay in enumerate(settings.weight_decays):
        pool = MixedPool(
            learners, settings.discount, settings.learner_step, settings.num_inner_episodes, weight_decay=decay
        )
        curves: list[Branch] = []
        for j, (p_naive, start) in enumerate(STARTS):
            point = fixed_point(
                pool.linearized, settled(pool.linearized, logits_of(start), p_naive, settings.duration), p_naive
            )
            if point is not None and not any(_passes(curve, point, p_naive, settings) for curve in curves):
                step = settings.largest_step
                curves.append(through(pool.linearized, point, p_naive, low=-0.1, largest_step=step, max_points=600))
            progress((i + (j + 1) / len(STARTS)) / len(settings.weight_decays))
        for j, curve in enumerate(curves):
            arrays |= {f"{name}-{i}-{j}": x for name, x in _named(curve, settings.discount).items()}
    return arrays


def _passes(curve: Branch, point: np.ndarray, p_naive: float, settings: Settings) -> bool:
    """Return whether a fixed point is within a step of a curve, so that following it would find the curve again."""
    away = np.abs(curve.points - point).max(-1) + np.abs(curve.parameter - p_naive)
    return bool(away.min() < settings.largest_step)


def _named(curve: Branch, discount: float) -> Arrays:
    table = expit(curve.points)
    between = ipd.expected_returns(ipd.prisoners_dilemma(), table, table, discount=discount)
    return {
        "p_naive": curve.parameter,
        "table": table,
        "between": np.asarray(between)[:, 0],
        "leading": curve.eigenvalues.real[:, 0],
        "unstable": curve.unstable_directions,
        "folds": curve.folds,
        "changes": curve.changes,
    }


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the return between the agents along each curve, and the policies at the first weight decay."""
    figure, (returns, policy) = subplots(1, 2, figsize=(7.0, 2.8))
    for key in (k for k in arrays if k.startswith("p_naive")):
        _, i, j = key.split("-")
        curve = {name: arrays[f"{name}-{i}-{j}"] for name in ("between", "table", "unstable", "folds", "changes")}
        p, J, stable, color = arrays[key], curve["between"], curve["unstable"] == 0, style.SERIES[int(i)]
        label = rf"weight decay {settings.weight_decays[int(i)]:g}" if j == "0" else None
        returns.plot(p, np.where(stable, J, np.nan), color=color, label=label)
        returns.plot(p, J, color=color, lw=0.7, ls=":")
        other = np.setdiff1d(curve["changes"], curve["folds"])
        for at, marker, meaning in ((curve["folds"], "o", "fold"), (other, "x", "other change of stability")):
            middle = (p[at] + p[at + 1]) / 2, (J[at] + J[at + 1]) / 2
            returns.plot(
                *middle, marker, ms=3.5, color=color, mfc="white", label=meaning if label and i == "0" else None
            )
        if i == "0":
            for s, (name, context_color) in enumerate(style.CONTEXTS.items()):
                x = curve["table"][:, s]
                policy.plot(p, np.where(stable, x, np.nan), color=context_color, label=name if label else None)
                policy.plot(p, x, color=context_color, lw=0.6, ls=":")
    returns.set(xlabel=r"$p_{\mathrm{naive}}$", ylabel="return between the two agents")
    returns.set_title("solid: stable, dotted: not", fontsize=7)
    policy.set(xlabel=r"$p_{\mathrm{naive}}$", ylabel="probability to cooperate after …")
    policy.set_title(f"weight decay {settings.weight_decays[0]:g}", fontsize=7)
    for axes in (returns, policy):
        axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        axes.set(xlim=(0, 1), xticks=(0, 0.01, 0.05, 0.2, 0.5, 1))
        axes.set_xticklabels(["0", ".01", ".05", ".2", ".5", "1"])
    returns.legend(loc="center left", bbox_to_anchor=(0.12, 0.45))
    policy.legend(ncol=5, loc="lower center", bbox_to_anchor=(0.5, 1.06), columnspacing=1.0, handlelength=1.2)
    return figure
