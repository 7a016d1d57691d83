"""All rows, measured, kept, held against what was recorded, and written as a table and a picture."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

import ipd_theory
from ipd_theory.drawing import style
from paper_figures import run
from paper_figures.published import of_evolution, of_learned, of_paper, of_rules, of_strategies
from paper_figures.published.rows import VERDICTS, Number, Row, Statement, Verdict, Work

ROWS: tuple[Row, ...] = (*of_paper.ROWS, *of_rules.ROWS, *of_learned.ROWS, *of_strategies.ROWS, *of_evolution.ROWS)
RECORDED = Path(__file__).with_name("recorded.json")
COLORS: dict[Verdict, str] = {"agrees": style.BLUE, "differs": style.VERMILION, "not at this scale": style.ORANGE}
SIGNS: dict[Verdict, str] = {"agrees": "=", "differs": "≠", "not at this scale": "?"}
MARKERS: dict[Verdict, str] = {"agrees": "o", "differs": "X", "not at this scale": "^"}


@dataclass(frozen=True)
class Measured:
    """What a row came to: ours and its standard error, the verdict, and the seconds it took."""

    value: float
    error: float
    verdict: Verdict
    seconds: float

    @property
    def ours(self) -> Number:
        """The number alone."""
        return Number(self.value, self.error)


Kept = dict[str, Measured]


def chosen(parts: Sequence[str], slow: bool = True) -> list[Row]:
    """Return the rows whose source or quantity holds one of the texts, in any case; all for none.

    Args:
        parts: the texts.
        slow: with the rows that take minutes each.

    Raises:
        ValueError: for a text that no row holds.
    """
    for part in parts:
        if not part.strip() or not any(part.lower() in row.name.lower() for row in ROWS):
            sources = ", ".join(dict.fromkeys(row.source for row in ROWS))
            raise ValueError(f"what: no row has {part!r} in its source or quantity; the sources are {sources}")
    found = [row for row in ROWS if not parts or any(part.lower() in row.name.lower() for part in parts)]
    return [row for row in found if slow or not row.slow]


def read(path: Path, full: bool) -> Kept:
    """Return the rows of a file that this version measured at this size; none where the file is cut off."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["version"] != ipd_theory.__version__ or kept["full"] != full:
            return {}
        return {name: Measured(**entry) for name, entry in kept["rows"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(path: Path, entries: Kept, full: bool) -> None:
    """Keep rows in a file, whole or not at all."""
    rows = {row.name: asdict(entries[row.name]) for row in ROWS if row.name in entries}
    kept = {"version": ipd_theory.__version__, "full": full, "rows": rows}
    run.write_text(path, json.dumps(kept, indent=1) + "\n")


def measure(
    rows: Iterable[Row], work: Work, kept: Path, say: Callable[[Row, float], None] = lambda row, done: None
) -> Kept:
    """Measure the rows that are not kept yet, keep each as soon as it is there, and return all of them.

    Args:
        rows: which.
        work: at which size, and where figures keep their data.
        kept: the file.
        say: called before each row with the fraction done.

    Raises:
        FloatingPointError: if a number is not finite.
    """
    rows, entries = list(rows), read(kept, work.full)
    for i, row in enumerate(rows):
        say(row, i / len(rows))
        if row.name in entries:
            continue
        begin = time.perf_counter()
        ours = row.ours(work)
        if not math.isfinite(ours.value) or not math.isfinite(ours.error):
            raise FloatingPointError(f"{row.name}: came out as {ours.value} ± {ours.error}")
        took = time.perf_counter() - begin
        entries[row.name] = Measured(*ours, row.verdict(ours, work.full), took)
        write(kept, entries, work.full)
    return {row.name: entries[row.name] for row in rows}


def drifted(entries: Mapping[str, Measured], recorded: Mapping[str, Measured]) -> list[str]:
    """Return a line for each row whose verdict is not the recorded one."""
    return [
        f"{name}: {entry.verdict}, recorded: {recorded[name].verdict if name in recorded else 'nothing'}"
        for name, entry in entries.items()
        if name not in recorded or entry.verdict != recorded[name].verdict
    ]


def counts(entries: Mapping[str, Measured]) -> str:
    """Return how many rows there are of each verdict, in words."""
    of = Counter(entry.verdict for entry in entries.values())
    words = {"agrees": "agree", "differs": "differ", "not at this scale": "cannot be told at this scale"}
    return f"{len(entries)} published quantities: " + ", ".join(f"{of[v]} {words[v]}" for v in VERDICTS)


def published(row: Row) -> str:
    """Return what was published as text."""
    return row.published.words if isinstance(row.published, Statement) else number(row.published)


def number(x: Number) -> str:
    """Return a value with its error, to the digits that the error leaves."""
    if x.error <= 1e-9 * abs(x.value):
        return f"{x.value:.2g}" if 0 < abs(x.value) < 1e-4 else f"{x.value:.6g}"
    digits = max(0, 1 - math.floor(math.log10(x.error)))
    return f"{x.value:.{digits}f} ± {x.error:.{digits}f}"


def difference(row: Row, entry: Measured) -> str:
    """Return ours less what was published as text; empty for nothing and for a claim that is borne out."""
    off = row.difference(entry.ours)
    if isinstance(row.published, Statement):
        return f"{off:+.2g}" if off else ""
    if off == 0:
        return ""
    return f"{off:+.1e}" if abs(off) < 1e-3 else f"{off:+.3f}"


def cells(row: Row, entry: Measured) -> tuple[str, str, str, str, str]:
    """Return quantity, published, ours, difference and verdict as text."""
    return row.quantity, published(row), number(entry.ours), difference(row, entry), entry.verdict


def made(row: Row, entry: Measured) -> str:
    """Return what makes a row, at which settings, and how long it took."""
    return f"{row.made_by}; {row.settings}; {entry.seconds:.1f} s"


def everything(row: Row, entry: Measured) -> dict[str, Any]:
    """Return all that is known of a row: what was published, ours and how far that is off, and how it is made."""
    return {
        "source": row.source,
        "quantity": row.quantity,
        "published": row.published._asdict(),
        **asdict(entry),
        "difference": row.difference(entry.ours),
        "made_by": row.made_by,
        "settings": row.settings,
        "reason": row.reason,
    }


def by_source(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows under their sources, both in order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.source, []).append(row)
    return found


def page(entries: Mapping[str, Measured]) -> str:
    """Return the site's page: the whole table with settings and reasons."""
    quick = sum(entries[row.name].seconds for row in ROWS if not row.slow) / 60
    slow = sum(entries[row.name].seconds for row in ROWS if row.slow) / 60
    text = [
        "# Published against ours\n",
        f"{counts(entries)}. `ipd-theory reproduce` measures them anew, in some {quick:.0f} minutes on two busy",
        f"cores, and {slow:.0f} more with `--slow`, and fails if a verdict has changed; `--full` does it at the",
        "sources' sizes. Numbers agree within 3.5 standard errors, those of both sides, and half a unit of the last",
        "digit that was published.\n",
        "![A mark for each quantity, sources below each other](published.png)",
    ]
    for source, rows in by_source(row for row in ROWS if row.name in entries).items():
        text += [f"\n## {source}\n", "| quantity | published | ours | difference | verdict |", "|---|---|---|---|---|"]
        for row in rows:
            quantity, *rest, verdict = cells(row, entries[row.name])
            said = f"{verdict}: {row.reason}" if row.reason and verdict != "agrees" else verdict
            small = f"<br><small>{made(row, entries[row.name])}</small>"
            text.append(f"| {escaped(quantity)}{escaped(small)} | {' | '.join(map(escaped, rest))} | {said} |")
    return "\n".join(text) + "\n"


def escaped(text: str) -> str:
    """Return text for a cell of a table in Markdown."""
    return text.replace("|", "\\|")


def plot(entries: Mapping[str, Measured]) -> Figure:
    """Draw a mark for each row, sources below each other, and name what does not agree.

    Args:
        entries: rows by name.
    """
    sources = by_source(row for row in ROWS if row.name in entries)
    figure = Figure(figsize=(6.8, 0.9 + 0.24 * len(sources)))
    axes = figure.subplots()
    for y, rows in enumerate(sources.values()):
        for verdict in VERDICTS:
            x = [i for i, row in enumerate(rows, 1) if entries[row.name].verdict == verdict]
            axes.plot(
                x,
                [y] * len(x),
                MARKERS[verdict],
                color=COLORS[verdict],
                markersize=4.5,
                label=verdict if not y else None,
            )
    axes.set_yticks(range(len(sources)), list(sources))
    axes.set(ylim=(len(sources) - 0.5, -0.5), xlabel="published quantities, in the order of the table")
    axes.grid(axis="y", color=style.PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    handles = [axes.plot([], [], MARKERS[v], color=COLORS[v], label=v)[0] for v in VERDICTS]
    axes.legend(handles=handles, loc="lower right")
    others = [f"{row.name}: {entries[row.name].verdict}" for rows in sources.values() for row in rows
              if entries[row.name].verdict != "agrees"]  # fmt: skip
    style.put_below(figure, counts(entries), *others)
    return figure


def save(entries: Mapping[str, Measured], folder: Path, name: str, kinds: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write the picture in each of these formats, and return the paths."""
    paths = [folder / f"{name}.{kind}" for kind in kinds]
    with style.sheet():
        figure: Any = plot(entries)
    for path in paths:
        style.save(figure, path, counts(entries))
    return paths
