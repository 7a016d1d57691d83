"""What every command shares: results on standard output, messages and progress on standard error.

Text is printed as it is: nothing in it is taken for markup or emoji codes. What is to stand out is a `rich.text.Text`.
"""

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


class _PlainConsole(Console):
    def __init__(self, stderr: bool) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise  # rich calls this where it handles the error, which ends the command


messages = _PlainConsole(stderr=True)
results = _PlainConsole(stderr=False)
NARROWEST = 12  # columns left to a table's row names


def print_json(data: Any) -> None:
    """Print data as JSON on standard output: arrays become lists, numbers that are not finite null, the rest text."""
    json.dump(_plain(data), sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if hasattr(data, "tolist"):
        return _plain(data.tolist())
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data if isinstance(data, str | int | float | None) else str(data)


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str | Text]], *, title: str = "", section: int | None = None
) -> None:
    """Print a table, names in its first column and numbers in the others; no number and no header is ever cut.

    A table too wide for the terminal (80 columns in a pipe, or what COLUMNS says) breaks its headers between words; one
    still too wide is printed in parts below each other, each with the names and as many columns as fit.

    Args:
        header: What stands above each column.
        rows: Cells as text, as they are; a `rich.text.Text` brings its own style.
        title: Stands above.
        section: A rule is drawn after every so many rows.
    """
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    contents = [max((cell.cell_len for cell in column), default=0) for column in zip(*cells, strict=True)]
    contents = contents or [0] * len(header)
    widths = [max(width, cell_len(word)) for width, word in zip(contents, header, strict=True)]
    if _whole(widths) > results.width:
        words = [max((cell_len(word) for word in words.split()), default=0) for words in header]
        widths = [max(width, word) for width, word in zip(contents, words, strict=True)]
        room = results.width - _whole([0, max(widths[1:], default=0)])
        widths[0] = min(widths[0], max(room, NARROWEST))
    if title:
        results.print(Text(title, style="bold"), soft_wrap=True)
    start = 1
    while True:
        stop = start + 1
        while stop < len(header) and _whole([widths[0], *widths[start : stop + 1]]) <= results.width:
            stop += 1
        part = [0, *range(start, min(stop, len(header)))]
        _print_part(
            [header[i] for i in part], [[row[i] for i in part] for row in cells], [widths[i] for i in part], section
        )
        if stop >= len(header):
            return
        start = stop


def _whole(widths: Sequence[int]) -> int:
    """The width of a table whose columns have these widths."""
    return sum(width + 3 for width in widths) + 1


def _print_part(
    header: Sequence[str], rows: Sequence[Sequence[Text]], widths: Sequence[int], section: int | None
) -> None:
    table = Table()
    for i, (words, width) in enumerate(zip(header, widths, strict=True)):
        table.add_column(Text(words), width=width, justify="right" if i else "left", overflow="fold")
    for number, row in enumerate(rows, 1):
        table.add_row(*row, end_section=section is not None and number % section == 0)
    results.print(table, width=max(_whole(widths), results.width), crop=False)


def folder_to_write(option: str, path: Path) -> Path:
    """Return `path`, where a folder is or can be made.

    Raises:
        ValueError: naming the option, if a file stands there or on the way, or nothing may be written there.
    """
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise ValueError(f"{option} {str(path)!r} must be a folder; {str(there)!r} is a file")
    if not os.access(there, os.W_OK):
        raise ValueError(f"{option} {str(path)!r}: nothing may be written in {str(there)!r}")
    return path


def file_to_write(option: str, path: Path, suffixes: Sequence[str]) -> Path:
    """Return `path`, where a file of a known kind can be written.

    Args:
        option: Its name, for the error.
        path: The file.
        suffixes: The kinds, with their dots.

    Raises:
        ValueError: naming the option, for another suffix, or where there is no folder to write it in.
    """
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} {str(path)!r} must end in {', '.join(suffixes)}")
    if path.is_dir() or not path.parent.is_dir():
        reason = "is a folder" if path.is_dir() else f"lies in no folder: there is no {str(path.parent)!r}"
        raise ValueError(f"{option} {str(path)!r} {reason}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{option} {str(path)!r} may not be written")
    return path


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Show a bar with the time left while the block runs; the block reports the fraction done, 0 to 1."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task(description, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)


@contextlib.contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """Send to standard error what libraries in other languages write on standard output while the block runs."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
