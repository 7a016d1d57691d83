"""`ipd-theory reproduce`."""

import textwrap
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.text import Text

from ipd_theory.commands.checkout import module_of_checkout
from ipd_theory.commands.console import folder_to_write, messages, print_json, progress_bar, results
from ipd_theory.commands.options import OutputFolder

WHEN_INTERRUPTED = "interrupted; the rows that are measured are kept, and the same command goes on from there"


def reproduce(
    what: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    full: bool = False,
    slow: bool = False,
    out: OutputFolder = Path("reproduced"),
    again: bool = False,
    json: bool = False,
    record: Annotated[bool, tyro.conf.arg(prefix_name=False)] = False,
) -> None:
    """Hold the package to what was published: measure every quantity that it claims to reproduce.

    One table: what was published, what comes out here, the difference and a verdict: agrees, differs (with the reason)
    or not at this scale. Numbers agree within 3.5 standard errors of both sides and the rounding of what was published.
    The exit status is 1 if a verdict is not the recorded one. Finished rows are kept in the folder, with a picture:
    interrupt at any time, and the same command goes on.

      ipd-theory reproduce

      ipd-theory reproduce "Press & Dyson" "Figure 3"

    Args:
        what: Parts of a source or a quantity, in any case; everything if none is given.
        full: At the sources' sizes: figures at their paper presets, as many pairs of learners; hours.
        slow: Also the rows that take minutes each, of agents that are trained before they meet. --full has them.
        out: Folder of the rows, the picture and the figures' data.
        again: Measure anew what is kept.
        json: Print JSON instead of tables.
        record: Write the table of the repository anew: every row, slow ones too, at the small sizes.
    """
    ledger = module_of_checkout("paper_figures.published.ledger")
    rows = ledger.chosen(what, slow or full)
    if record and (what or full or not slow):
        raise ValueError("--record takes every row at the small sizes: reproduce --slow --record, and nothing else")
    folder = folder_to_write("--out", out)
    import jax

    jax.config.update("jax_enable_x64", True)
    name = f"reproduced-{'full' if full else 'quick'}"
    kept = folder / f"{name}.json"
    if again:
        kept.unlink(missing_ok=True)
    with progress_bar("published quantities") as progress:
        entries = ledger.measure(rows, ledger.Work(full, folder), kept, lambda row, done: progress(done))
        progress(1.0)
    if record:
        ledger.write(ledger.RECORDED, entries, full=False)
        page = ledger.RECORDED.parents[2] / "docs" / "published.md"
        page.write_text(ledger.page(entries), encoding="utf-8")
        ledger.save(entries, page.parent, "published", ("png",))
        messages.print(f"recorded {ledger.RECORDED} and {page}", soft_wrap=True)
    off = ledger.drifted(entries, ledger.read(ledger.RECORDED, full=False))
    if json:
        print_json({"rows": {row.name: ledger.everything(row, entries[row.name]) for row in rows}, "drifted": off})
    else:
        _print(ledger, rows, entries)
    for path in ledger.save(entries, folder, name):
        messages.print(f"drew {path}", soft_wrap=True)
    if off:
        for line in off:
            messages.print(f"drifted: {line}", soft_wrap=True)
        raise SystemExit(1)


def _print(ledger: Any, rows: Any, entries: Any) -> None:
    """Print each row under its source with how it is made, the reason of what does not agree, and the counts."""
    legend = "   ".join(f"{sign} {verdict}" for verdict, sign in ledger.SIGNS.items())
    results.print(legend, highlight=False)
    for source, of_source in ledger.by_source(rows).items():
        results.print(Text(f"\n{source}", style="bold"))
        for row in of_source:
            quantity, published, ours, difference, verdict = ledger.cells(row, entries[row.name])
            _print_indented(f"{ledger.SIGNS[verdict]} {quantity}", 2)
            off = f" ({difference})" if difference else ""
            _print_indented(f"    published: {published}, ours: {ours}{off}", 6)
            _print_indented(f"    {ledger.made(row, entries[row.name])}", 6, style="dim")
            if row.reason and verdict != "agrees":
                _print_indented(f"    {row.reason}", 4)
    results.print(f"\n{ledger.counts(entries)}", soft_wrap=True, highlight=False)


def _print_indented(text: str, indent: int, style: str = "") -> None:
    filled = textwrap.fill(text, results.width, subsequent_indent=" " * indent, break_on_hyphens=False)
    results.print(Text(filled, style=style))
