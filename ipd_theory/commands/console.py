"""What every command shares: results on standard output, messages and progress on standard error.

Text is printed as it is: nothing in it is taken for markup or emoji codes. What is to stand out is a `rich.text.Text`.
"""

import contextlib
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ipd_theory import compilation_cache


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

    Where the terminal is too narrow (a pipe has 80 columns, or what COLUMNS says) headers break between words, then the
    columns go in parts below each other, each with the names and as many columns as fit, then each row is a list.

    Args:
        header: What stands above each column.
        rows: Cells as text, as they are; a `rich.text.Text` brings its own style.
        title: Stands above.
        section: A rule is drawn after every so many rows.
    """
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    columns = list(zip([Text(words) for words in header], *cells, strict=True))
    widths = [max(cell.cell_len for cell in column) for column in columns]
    if title:
        results.print(Text(title, style="bold"), soft_wrap=True)
    if _width(widths) > results.width:
        widths = [max(_longest_word(column[0]), *(cell.cell_len for cell in column[1:])) for column in columns]
        widths[0] = min(widths[0], max(results.width - _width([0, *widths[1:]]), NARROWEST))
    if _width([widths[0], max(widths[1:], default=0)]) > results.width:
        _print_lists(cells, header)
        return
    for part in _parts(widths):
        table = Table()
        for i in part:
            table.add_column(columns[i][0], width=widths[i], justify="right" if i else "left", overflow="fold")
        for number, row in enumerate(cells, 1):
            table.add_row(*(row[i] for i in part), end_section=section is not None and number % section == 0)
        results.print(table)


def _width(widths: Sequence[int]) -> int:
    """The width of a table whose columns have these widths: each has a space on both sides and a line to its right."""
    return sum(width + 3 for width in widths) + 1


def _longest_word(header: Text) -> int:
    return max((cell_len(word) for word in header.plain.split()), default=0)


def _parts(widths: Sequence[int]) -> list[list[int]]:
    """The columns of each part of a table that is as wide as the terminal; the first column stands in all."""
    parts = [[0]]
    for i in range(1, len(widths)):
        if len(parts[-1]) > 1 and _width([widths[j] for j in (*parts[-1], i)]) > results.width:
            parts.append([0])
        parts[-1].append(i)
    return parts


def _print_lists(rows: Sequence[Sequence[Text]], header: Sequence[str]) -> None:
    for name, *numbers in rows:
        results.print(name, soft_wrap=True)
        for words, number in zip(header[1:], numbers, strict=True):
            results.print(Text(f"  {words}: ") + number, soft_wrap=True)


def folder_to_write(option: str, path: Path) -> Path:
    """Return `path`, where a folder is or can be made.

    Raises:
        ValueError: naming the option, if a file stands there or on the way, or nothing may be written there.
    """
    there = path
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise ValueError(f"{option} {str(path)!r} must be a folder; {str(there)!r} is none")
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
def warnings_in_one_line() -> Iterator[None]:
    """Print warnings as messages while the block runs."""
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if compilation_cache.is_about(message):
            usual(message, category, filename, lineno, file, line)
        else:
            messages.print(f"warning: {message}", soft_wrap=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


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
