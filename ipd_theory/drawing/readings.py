"""What was read from play, in pictures: a table and what it earns, and what an agent enforces as it goes on."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style
from ipd_theory.inference.readout import ReadOut, Spread
from ipd_theory.inference.tables import TableFit

with needs("figures"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CONTEXTS = 21  # that are drawn, the latest; of memory 3 there are 85


@checked
def reading(fit: TableFit, said: ReadOut, *, name: str = "the log") -> Figure:
    """Draw a table with its intervals, and what it and others earn when they meet.

    Args:
        fit: of `inference.fit_table`, of all players together.
        said: of `inference.read_out`, of tables drawn from it.
        name: what was read, for the title.

    Raises:
        ValueError: if either is of more than one table.
    """
    if fit.estimate.ndim != 1 or np.ndim(said.nash):
        raise ValueError(f"fit and said must be of one table [h]; got {fit.estimate.shape} and {np.shape(said.nash)}")
    with style.sheet():
        figure = Figure(figsize=(6.6, max(2.6, 0.8 + 0.22 * len(said.against))), layout="constrained")
        left, right = figure.subplots(1, 2)
        _show_table(left, fit)
        rows: list[tuple[str, Spread, str]] = [("itself", said.itself.own, style.BLUE)]
        for opponent, met in said.against.items():
            rows += [(f"{opponent}", met.own, style.BLUE), ("", met.other, style.VERMILION)]
        rows += [("a best reply", said.best_reply_earns, style.VERMILION)]
        for i, (_, x, color) in enumerate(rows):
            right.plot([float(x.low), float(x.high)], [-i, -i], color=color, linewidth=2, solid_capstyle="butt")
            right.plot(float(x.median), -i, "o", color=color, markersize=3.5)
        right.set_yticks(-np.arange(len(rows)), [row[0] for row in rows])
        right.set(xlabel="payoff a step", title="what it earns against (blue), and who it meets (red)")
        left.set_title(f"what {name} says")
        style.put_below(figure, f"Points: medians and estimates; bars: {said.level:.0%} of the posterior.")
    return figure


def _show_table(axes: Axes, fit: TableFit) -> None:
    contexts = np.array(strategies.contexts(fit.memory))[-MOST_CONTEXTS:]
    estimate, low, high, seen = (x[-MOST_CONTEXTS:] for x in (fit.estimate, fit.low, fit.high, fit.visited))
    at = np.arange(len(contexts))
    for here, color in ((seen, style.BLUE), (~seen, style.PALE)):
        axes.vlines(at[here], low[here], high[here], color=color, linewidth=2)
    axes.plot(at[seen], estimate[seen], "o", color=style.BLUE, markersize=3.5)
    axes.set_xticks(at, contexts, rotation=90 if len(contexts) > 5 else 0)
    axes.set(ylim=(-0.03, 1.03), xlabel="after (own action first; grey: never seen)", ylabel="cooperates")


@checked
def enforcement(fit: TableFit, said: ReadOut, payoffs: Float[ArrayLike, "2 M"], *, name: str = "the agent") -> Figure:
    """Draw what an agent plays, what line of payoffs that is nearest to, and what both earn, by inner episode.

    Args:
        fit: of `inference.fit_episodes`, [M, h].
        said: of `inference.read_out`, of tables drawn from it.
        payoffs: [2, M] what the agent and its co-players earned, a step.
        name: of the agent, for the title.

    Raises:
        ValueError: if shapes do not fit, or a payoff is not finite.
    """
    earned = np.asarray(_checks.finite("payoffs", jnp.asarray(payoffs, float)))
    if fit.estimate.ndim != 2 or earned.shape != (2, len(fit.estimate)):
        raise ValueError(f"fit must be [M, h] and payoffs [2, M]; got {fit.estimate.shape} and {earned.shape}")
    with style.sheet():
        figure = Figure(figsize=(7.4, 2.7), layout="constrained")
        tables, line, won = figure.subplots(1, 3)
        show_tables(tables, fit)
        show_line(line, said)
        show_payoffs(won, earned)
        won.set_title("earned")
        tables.set_title(f"{name}: cooperates after")
        style.put_below(figure, f"Bands: {said.level:.0%} of the posterior, all matches of an inner episode together.")
    return figure


def show_tables(axes: Axes, fit: TableFit) -> None:
    """Draw the probabilities after each last outcome by inner episode, where they were seen."""
    episodes, names = np.arange(1, len(fit.estimate) + 1), strategies.contexts(fit.memory)
    colors = [*style.CONTEXTS.values()][-min(5, len(names)) :] if fit.memory <= 1 else list(style.SERIES)
    shown = range(max(0, len(names) - len(colors)), len(names))
    for color, i in zip(colors, shown, strict=False):
        seen = fit.visited[:, i]
        low, high = (np.where(seen, x[:, i], np.nan) for x in (fit.low, fit.high))
        axes.plot(episodes, fit.estimate[:, i], color=color, label=names[i])
        axes.fill_between(episodes, low, high, color=color, alpha=0.25, linewidth=0)
    axes.set(ylim=(-0.03, 1.03), xlabel="inner episode", ylabel="probability")
    axes.legend(loc="best", ncols=2)


def show_line(axes: Axes, said: ReadOut) -> None:
    """Draw slope and distance of the nearest line by inner episode; words where there is none."""
    if said.line is None:
        axes.text(0.5, 0.5, "a line is asked of\nmemory 0 or 1 alone", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    show_spreads(axes, {"slope": said.line.slope, "distance": said.line.distance})
    axes.set_title("nearest enforced line")


def show_spreads(axes: Axes, named: Mapping[str, Spread]) -> None:
    """Draw quantities with their intervals by inner episode."""
    for color, (label, x) in zip((style.BLUE, style.DARK), named.items(), strict=False):
        episodes = np.arange(1, len(x.median) + 1)
        axes.plot(episodes, x.median, color=color, label=label)
        axes.fill_between(episodes, x.low, x.high, color=color, alpha=0.25, linewidth=0)
    axes.axhline(0, color=style.PALE, zorder=0)
    axes.set(xlabel="inner episode", ylim=(-0.55, 1.05))
    axes.legend(loc="best")


def show_payoffs(axes: Axes, payoffs: Float[np.ndarray, "2 M"]) -> None:
    """Draw what an agent and its co-players earned by inner episode."""
    for paid, color, who in zip(payoffs, (style.BLUE, style.VERMILION), ("the agent", "co-players"), strict=True):
        axes.plot(np.arange(1, len(paid) + 1), paid, color=color, label=who)
    axes.set(xlabel="inner episode", ylabel="payoff a step")
    axes.legend(loc="best")
