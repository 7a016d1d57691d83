"""Run the mutants and print which the tests caught."""

import importlib
import json
import pkgutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ipd_theory.commands.console import messages, results
from tests import mutants
from tests.mutants import Mutant
from tests.mutants.workshop import Verdict, Workshop

ROOT = Path(__file__).parents[2]
STYLES = {Verdict.CAUGHT: "green", Verdict.SURVIVED: "bold red", Verdict.TOO_LONG: "red", Verdict.ERROR: "bold red"}


def listed() -> tuple[Mutant, ...]:
    """Return all mutants, room by room."""
    names = sorted(module.name for module in pkgutil.iter_modules(mutants.__path__))
    modules = (importlib.import_module(f"tests.mutants.{name}") for name in names if name != "__main__")
    return tuple(mutant for module in modules for mutant in getattr(module, "MUTANTS", ()))


def faults(every: Iterable[Mutant], root: Path = ROOT) -> list[str]:
    """Return what is wrong with a list: texts that do not occur once, files that are not there, names given twice."""
    found, names = [], set()
    for mutant in every:
        if mutant.name in names:
            found.append(f"{mutant.name}: a name that is given twice")
        names.add(mutant.name)
        for file in (mutant.file, f"tests/{mutant.tests}"):
            if not (root / file).is_file():
                found.append(f"{mutant.name}: there is no {file}")
        if (root / mutant.file).is_file():
            try:
                mutant.broken((root / mutant.file).read_text())
            except ValueError as error:
                found.append(str(error))
    return found


class Kept:
    """Verdicts in a file, so that an interrupted run goes on; a mutant whose module or tests changed is tried anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the entry of a fingerprint."""
        return self.entries.get(key)

    def add(self, key: str, entry: dict[str, Any]) -> None:
        """Keep an entry at once."""
        self.entries[key] = entry
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.entries, indent=1))
        partial.replace(self.path)


def sound(every: Iterable[Mutant], workshop: Workshop, file: str) -> tuple[bool, str]:
    """Return whether all tests of a file that mutants name pass where nothing is broken, and pytest's last line."""
    names = [mutant.only for mutant in every if mutant.tests == file]
    verdict, line = workshop.run_tests(file, "" if "" in names else " or ".join(f"({name})" for name in names))
    return verdict == Verdict.SURVIVED, line


def tried(every: tuple[Mutant, ...], workshop: Workshop, kept: Kept) -> list[dict[str, Any]]:
    """Return the verdict on each mutant, those that are kept without trying."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    rows, whole = [], {}
    missing = [mutant for mutant in every if kept.find(workshop.fingerprint(mutant)) is None]
    shown = Progress(
        *columns, TextColumn("left"), TimeRemainingColumn(), console=messages, transient=True, auto_refresh=False
    )
    with shown as progress:  # without a thread of its own, since runs are forks
        task = progress.add_task("mutants", total=len(missing))
        for mutant in every:
            key = workshop.fingerprint(mutant)
            entry = kept.find(key)
            if entry is None:
                progress.update(task, description=mutant.name[:40], refresh=True)
                began = time.monotonic()
                if mutant.tests not in whole:  # what fails anyway catches nothing
                    whole[mutant.tests] = sound(missing, workshop, mutant.tests)
                passes, line = whole[mutant.tests]
                if passes:
                    verdict, line = workshop.try_out(mutant)
                else:
                    verdict, line = Verdict.ERROR, f"without the mutant: {line}"
                entry = {"name": mutant.name, "file": mutant.file, "tests": f"{mutant.tests} {mutant.only}".strip()}
                entry |= {"verdict": str(verdict), "line": line, "seconds": round(time.monotonic() - began, 1)}
                if verdict != Verdict.ERROR:
                    kept.add(key, entry)
                messages.print(f"{verdict:9} {mutant.name}", style=STYLES[verdict], markup=False)
                progress.advance(task)
            rows.append(entry)
    return rows


def printed(rows: list[dict[str, Any]]) -> None:
    """Print the verdicts as a table, those that matter last."""
    table = Table("verdict", "mutant", "module", "s")
    for row in sorted(rows, key=lambda row: row["verdict"] != Verdict.CAUGHT):
        verdict = Text(row["verdict"], STYLES[Verdict(row["verdict"])])
        table.add_row(verdict, row["name"], Path(row["file"]).stem, f"{row['seconds']}")
    results.print(table)
    caught = sum(row["verdict"] == Verdict.CAUGHT for row in rows)
    results.print(f"{caught} of {len(rows)} caught")
    for row in rows:
        if row["verdict"] != Verdict.CAUGHT:
            results.print(f"{row['verdict']}: {row['name']} ({row['line']})", markup=False)


def main(
    only: tuple[str, ...] = (),
    list: bool = False,
    json_: Annotated[bool, tyro.conf.arg(name="json")] = False,
    limit: float = 300.0,
    kept: Path = ROOT / ".pytest_cache" / "mutants.json",
    again: bool = False,
) -> None:
    """Break one formula at a time in a copy of the tree, run the tests that hold it, and say which went unnoticed.

    The exit status is 1 if any did.

    Args:
        only: parts of the names of the mutants, or of their modules' paths, to try.
        list: list the mutants and stop.
        json_: print JSON instead of a table.
        limit: seconds that the tests of one mutant may take; more is no verdict, unless the mutant says so.
        kept: the file of verdicts; an interrupted run goes on from there.
        again: try all anew, whatever is kept.
    """
    chosen = tuple(m for m in listed() if not only or any(part in f"{m.name} {m.file}" for part in only))
    if not chosen:
        sys.exit(f"no mutant has {' or '.join(only)} in its name; --list shows all")
    if wrong := faults(listed()):
        sys.exit("\n".join(wrong))
    if list:
        for mutant in chosen:
            results.print(f"{mutant.name}: {mutant.file}, {mutant.tests} {mutant.only}", markup=False, soft_wrap=True)
        return
    if again:
        kept.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        workshop = Workshop(ROOT, Path(folder), limit)
        workshop.furnish()
        rows = tried(chosen, workshop, Kept(kept))
    if json_:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        printed(rows)
    sys.exit(any(row["verdict"] != Verdict.CAUGHT for row in rows))


if __name__ == "__main__":
    tyro.cli(main)
