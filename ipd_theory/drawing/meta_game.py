"""The game between learning rules as a table of colours and numbers, with its Nash equilibria framed."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style
from ipd_theory.equilibria import Equilibrium
from ipd_theory.learning.tournament import MetaGame

with needs("figures"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle


@checked
def payoff_table(
    names: Sequence[str],
    table: MetaGame,
    equilibria: Sequence[Equilibrium],
    remarks: Mapping[str, str] | None = None,
    *,
    efficiency: Float[np.ndarray, " n"] | None = None,
) -> Figure:
    """Draw payoffs as colours and numbers, one panel for each player where they differ.

    Frames mark the cells that an equilibrium plays, one style for pure and one for mixed ones.

    Args:
        names: of the n rules.
        table: what they earn, from `learning.tournament.meta_game`.
        equilibria: what is framed, from `equilibria.nash_equilibria`.
        remarks: for a rule whose payoffs are not to be taken at their face, why; its name is marked and the words
            stand below.
        efficiency: [n] of the rules against the naive learner, written behind the names of rows; NaN if unknown.

    Raises:
        ValueError: if the table or the efficiencies are not those of these rules.
    """
    A, n = np.asarray(table.A), len(names)
    if A.shape != (n, n):
        raise ValueError(f"table has payoffs of shape {A.shape}; for {n} names it must be ({n}, {n})")
    panels = [("own return (payoff a step)", "own rule", "opponent's rule", A, table.A_error)]
    if not np.array_equal(table.B, A.T):
        labels = "player 1's rule", "player 2's rule"
        panels = [
            ("return of player 1 (payoff a step)", *labels, A, table.A_error),
            ("return of player 2 (payoff a step)", *labels, table.B, table.B_error),
        ]
    remarks = remarks or {}
    shown = [f"{name} *" if name in remarks else name for name in names]
    if efficiency is not None and (np.shape(efficiency) != (n,) or np.isinf(efficiency).any()):
        raise ValueError(f"efficiency must be {n} numbers for {n} names, none of them infinite; got {efficiency}")
    shares = [np.nan] * n if efficiency is None else np.asarray(efficiency).tolist()
    rows = [name if share != share else f"{name}  {share:z.0%}" for name, share in zip(shown, shares, strict=True)]
    note = "" if efficiency is None else "\nbehind names: efficiency against the naive learner, at least"
    with style.sheet():
        figure = Figure(figsize=((1.9 + 0.42 * n) * len(panels), 1.5 + 0.38 * n), layout="constrained")
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (meaning, own, other, payoffs, errors) in zip(grid, panels, strict=True):
            image = _matrix(axes, rows, shown, payoffs, errors)
            _frames(axes, equilibria)
            axes.set_ylabel(own)
            axes.set_xlabel(other)
            figure.colorbar(image, ax=axes, label=meaning, shrink=0.8)
        largest = max((e.gap for e in equilibria), default=0.0)
        gap = f"best-response gap ≤ {largest:.0e}" if largest > 0 else "best-response gap 0"
        figure.suptitle(
            f"framed: Nash equilibria (pure solid, mixed dotted)\n{gap}; ± standard error over seeds{note}", fontsize=7
        )
        if remarks:
            figure.supxlabel("\n".join(f"* {name}: {words}" for name, words in remarks.items()), fontsize=6)
    return figure


def _matrix(
    axes: Axes, rows: list[str], columns: list[str], payoffs: Float[np.ndarray, "n n"], errors: Float[np.ndarray, "n n"]
) -> AxesImage:
    n = len(rows)
    image = axes.imshow(payoffs, cmap="cividis")
    middle = (payoffs.min() + payoffs.max()) / 2
    for i, j in np.ndindex(n, n):
        colour = "white" if payoffs[i, j] < middle else "black"
        number = f"{payoffs[i, j]:z.2f}\n±{errors[i, j]:.2f}"
        axes.text(j, i, number, ha="center", va="center", fontsize=5, color=colour)
    axes.set_xticks(range(n), columns, rotation=40, ha="right")
    axes.set_yticks(range(n), rows)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    return image


def _frames(axes: Axes, equilibria: Sequence[Equilibrium]) -> None:
    for row, column, _ in equilibria:
        pure = max(row.max(), column.max()) > 1 - 1e-9
        for i, j in zip(*np.nonzero(np.outer(row, column) > 1e-6), strict=True):
            corner, line = (j - 0.46, i - 0.46), "-" if pure else ":"
            axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=style.VERMILION, lw=1.6, ls=line))
