"""Maps of phases in letters, for terminals."""

from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.drawing import style
from ipd_theory.drawing._axes import check_axes
from ipd_theory.phases.outcomes import Outcome, majority

with needs("phases"):
    import xarray as xr
with needs("cli"):
    from rich.text import Text

LETTERS = {
    Outcome.DEFECTION: "D",
    Outcome.EXTORTION: "E",
    Outcome.COOPERATION: "C",
    Outcome.EXPLOITABLE: "X",
    Outcome.ANTI_COORDINATION: "A",
    Outcome.OTHER: "O",
}


@checked
def preview(grid: xr.Dataset, x_name: str, y_name: str) -> Text:
    """Return the diagram of a sweep in letters on coloured ground, small ones where under ¾ of the seeds agree.

    Args:
        grid: what `phases.sweep.run` and `phases.store.load` return.
        x_name: the setting on the horizontal axis.
        y_name: the setting on the vertical axis.

    Raises:
        ValueError: if the grid has no such axes, or more than these two.
    """
    check_axes(grid, x_name, y_name)
    y = grid[y_name].values
    kinds, agreement = majority(grid.outcome.transpose(y_name, x_name, "seed").values)
    wide = len(grid[x_name]) <= 32
    text = Text(f"{y_name}\n", no_wrap=True)
    for row in range(len(y) - 1, -1, -1):
        text.append(f"{y[row]:>8.3g} ")
        for kind, share in zip(kinds[row], agreement[row], strict=True):
            outcome = Outcome(kind)
            letter = LETTERS[outcome] if share >= 0.75 else LETTERS[outcome].lower()
            ink = "white" if outcome is Outcome.DEFECTION else "black"
            text.append(f"{letter} " if wide else letter, style=f"{ink} on {style.OUTCOMES[outcome.label]}")
        text.append("\n")
    x = grid[x_name].values
    text.append(f"{'':9}{x_name} {x[0]:.3g} … {x[-1]:.3g}\n")
    present = [kind for kind in Outcome if (kinds == int(kind)).any()]
    text.append(", ".join(f"{LETTERS[kind]} {kind.label}" for kind in present))
    text.append("; small letters: under ¾ of the seeds agree")
    return text
