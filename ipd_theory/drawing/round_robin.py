"""A tournament of strategies as a table of colours and numbers, the best on top."""

import numpy as np

from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style
from ipd_theory.tournaments import Standings

with needs("figures"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERED = 24  # strategies; among more, numbers would be too small to read


@checked
def heat_map(standings: Standings, caption: str = "") -> Figure:
    """Draw what each row earns against each column, both in the order of their scores, which stand beside.

    Args:
        standings: of a tournament.
        caption: the settings, in small print below.
    """
    order = standings.ranking
    payoffs = standings.payoffs[np.ix_(order, order)]
    names, n = [standings.names[i] for i in order], len(order)
    numbered = n <= MOST_NUMBERED
    cell = 0.36 if numbered else max(0.05, 8 / n)
    with style.sheet():
        figure = Figure(figsize=(2.6 + cell * n, 1.5 + cell * n), layout="constrained")
        table, scores = figure.subplots(1, 2, sharey=True, width_ratios=[n, max(3.0, 0.16 * n)])
        image = table.imshow(payoffs, cmap="cividis", aspect="auto")
        if numbered:
            _numbers(table, payoffs)
        ticks = range(n) if numbered else range(0, n, max(1, n // 40))
        table.set_xticks(ticks, [names[i] for i in ticks], rotation=50, ha="right", rotation_mode="anchor")
        table.set_yticks(ticks, [names[i] for i in ticks])
        table.set(xlabel="against", ylabel="strategy, by score")
        bars = scores.barh(range(n), standings.scores[order], color=style.BLUE, height=0.7)
        if numbered:
            scores.bar_label(bars, fmt="{:z.2f}", label_type="center", fontsize=7, color="white")
        scores.set(xlabel="score", xlim=_limits(standings.scores))
        for axes in (table, scores):
            axes.tick_params(length=0)
            for side in axes.spines.values():
                side.set_visible(False)
        figure.colorbar(image, ax=(table, scores), label="payoff a step, row against column", shrink=0.8, pad=0.02)
        if caption:
            style.put_below(figure, caption)
    return figure


def _numbers(axes: Axes, payoffs: np.ndarray) -> None:
    middle = (payoffs.min() + payoffs.max()) / 2
    for i, j in np.ndindex(payoffs.shape):
        colour = "white" if payoffs[i, j] < middle else "black"
        axes.text(j, i, f"{payoffs[i, j]:z.2f}", ha="center", va="center", fontsize=7, color=colour)


def _limits(scores: np.ndarray) -> tuple[float, float]:
    """Return limits that hold zero where that is near, else a little more than the scores."""
    low, high = float(scores.min()), float(scores.max())
    room = 0.08 * max(high - low, 1e-9 + 0.01 * abs(high))
    return (0.0, high + room) if low >= 0 else (low - room, max(0.0, high + room))
