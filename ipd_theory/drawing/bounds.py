"""What could be earned of learners, episode by episode, and by which policies."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style

with needs("figures"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator


@checked
def shaping_bounds(
    returns: Mapping[str, Float[ArrayLike, " _"]],
    policies: Float[ArrayLike, "_ _"],
    sustainable: float,
    *,
    caption: str = "",
) -> Figure:
    """Draw what agents earn in each inner episode, and the best policy of each.

    Args:
        returns: by name, [M + 1] what is earned in each episode.
        policies: [M + 1, h] the best policies, of `learning.bounds.open_loop`; those of memory one are drawn.
        sustainable: what can be earned of a learner that has learnt, a dashed line.
        caption: the settings, in small print below.

    Raises:
        ValueError: if shapes do not fit, or a number is not finite or no probability.
    """
    tables = np.asarray(_checks.probabilities("policies", policies), float)
    strategies.memory_of(tables, name="policies")
    if tables.ndim != 2:
        raise ValueError(f"policies must be [M + 1, h], one each episode; got shape {tables.shape}")
    for name, earned in returns.items():
        if np.shape(earned) != tables.shape[:1]:
            raise ValueError(f"returns of {name!r} must be ({len(tables)},), one each episode; got {np.shape(earned)}")
    short = tables.shape[1] == len(style.CONTEXTS)
    with style.sheet():
        figure = Figure(figsize=(6.6 if short else 3.6, 2.7), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, 1 + short))
        _show_returns(axes[0], returns, sustainable)
        if short:
            _show_policies(axes[1], tables)
        style.put_below(figure, caption)
    return figure


def _show_returns(axes: Axes, returns: Mapping[str, Float[ArrayLike, " _"]], sustainable: float) -> None:
    for (name, earned), color, mark in zip(returns.items(), style.SERIES, "os^Dv", strict=False):
        axes.plot(np.asarray(earned), color=color, marker=mark, markersize=3, label=name)
    axes.axhline(sustainable, color=style.DARK, linestyle="--", linewidth=1, label="sustainable")
    axes.set(xlabel="inner episode", ylabel="payoff a step", title="what is earned")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize="x-small", loc="upper left")


def _show_policies(axes: Axes, tables: Float[np.ndarray, "episodes h"]) -> None:
    for i, (context, mark) in enumerate(zip(strategies.contexts(1), "xos^D", strict=True)):
        axes.plot(tables[:, i], color=style.CONTEXTS[context], marker=mark, markersize=3, label=context)
    axes.set(xlabel="inner episode", ylabel="cooperates", title="the best policy in each episode")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(-0.03, 1.35)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.legend(fontsize="x-small", title="after", title_fontsize="x-small", ncols=5, columnspacing=1, loc="upper left")
