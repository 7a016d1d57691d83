"""How pictures look: one style sheet, and one palette in which a colour means the same in all of them."""

import contextlib
import textwrap
from collections.abc import Iterator
from pathlib import Path

from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory._files import written_whole

with needs("figures"):
    import matplotlib as mpl
    from matplotlib import style
    from matplotlib.figure import Figure

SHEET = Path(__file__).with_name("ipd_theory.mplstyle")

# Okabe and Ito's colours, which can be told apart without colour vision.
BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, YELLOW = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#F0E442"),
)
DARK, PALE = "#4D4D4D", "#DDDDDD"

ESTIMATORS = {"COALA-PG": BLUE, "batch-unaware": VERMILION, "M-FOS": PINK, "full": GREEN}
PLAYERS = {"naive learner": BLUE, "tit for tat": DARK, "agent": VERMILION, "among agents": GREEN, "agents alone": PINK}
SERIES = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, DARK)  # settings beside each other, which mean no more than that
PREDICTED = VERMILION  # a line of the theory over what was measured in grey
CONTEXTS = {"start": BLUE, "CC": VERMILION, "CD": GREEN, "DC": PINK, "DD": ORANGE}
OUTCOMES = {
    "defection": DARK,
    "extortion": VERMILION,
    "cooperation": GREEN,
    "exploitable": YELLOW,
    "anti-coordination": SKY,
    "other": PALE,
}


@contextlib.contextmanager
def sheet() -> Iterator[None]:
    """Draw in the package's style within the block."""
    with style.context(SHEET):
        yield


@checked
def put_below(figure: Figure, *paragraphs: str) -> None:
    """Put words in small print below a figure, which grows by as much where it is saved.

    Args:
        figure: what was drawn.
        paragraphs: each begins a line of its own, and is broken where it is wider than the figure.
    """
    letters = int(figure.get_figwidth() / 0.037)
    lines = [line for words in paragraphs for line in textwrap.wrap(words, letters)]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # as it is now, all of it stays
    for legend in figure.legends:  # one outside of the axes would follow the edge of what is saved
        legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    figure.text(0.01, -0.02, "\n".join(lines), ha="left", va="top", fontsize=5.5, color="0.35")


@checked
def save(figure: Figure, path: Path, description: str = "") -> None:
    """Write a figure in the format of the file's suffix, whole or not at all; the same figure gives the same file.

    Args:
        figure: what was drawn.
        path: where, e.g. phase.png or phase.pdf.
        description: words that are kept inside the file, for who cannot see the picture.
    """
    kind = path.suffix[1:].lower()
    about: dict[str, dict[str, str | None]] = {
        "png": {"Description": description},
        "pdf": {"CreationDate": None, "Subject": description},
        "svg": {"Date": None, "Description": description},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial, sheet(), mpl.rc_context({"svg.hashsalt": "ipd_theory"}):
        figure.savefig(partial, format=kind, metadata=about.get(kind, {}), bbox_inches="tight", pad_inches=0.04)
