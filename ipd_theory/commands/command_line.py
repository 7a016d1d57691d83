"""Reading a command line by a command's signature; whatever is wrong with it is one line that names the option."""

import contextlib
import functools
import inspect
import io
import itertools
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tyro

from ipd_theory._arguments import did_you_mean
from ipd_theory.commands import options

PARSING = re.compile(r"^Error parsing ([a-z_]+: |([a-z_]+\.)+)?")  # options follow, or the group of settings
UNKNOWN = re.compile(r"Unrecognized options: ([^\s,.]+).*Available subcommands: (.*)")
MARKERS = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.CascadeSubcommandArgs)


def read(command: Callable[..., None], name: str, given: Sequence[str]) -> Callable[[], None]:
    """Return the call of `command` that the command line asks for.

    Raises:
        ValueError: naming the option, for empty texts and for what its type does not allow (see `commands.options`).
        SystemExit: after `--help` has been printed.
    """
    for before, text in itertools.pairwise(["", *given]):
        if text == "" or (text.startswith("--") and text.endswith("=")):
            raise ValueError(f"{(text or before).rstrip('=') or 'ipd-theory ' + name}: the text given is empty")

    @functools.wraps(command)
    def later(*args: Any, **kwargs: Any) -> Callable[[], None]:
        return functools.partial(command, *args, **kwargs)

    del later.__wrapped__  # tyro would read the docstring there
    later.__dict__["__signature__"] = inspect.signature(command)
    later.__doc__ = _one_line_a_paragraph(inspect.getdoc(command) or "")
    with _wrapped_help() if {"-h", "--help"} & set(given) else _errors_in_one_line():
        call: Any = tyro.cli(later, prog=f"ipd-theory {name}", args=given, config=MARKERS)
    options.check(command, call.keywords)
    return call


def complete(commands: Mapping[str, Callable[..., None]], given: Sequence[str]) -> None:
    """Print or write completions of all commands for a shell."""
    tyro.extras.subcommand_cli_from_dict(dict(commands), prog="ipd-theory", args=given, config=MARKERS)


def _one_line_a_paragraph(text: str) -> str:
    """Return a docstring whose paragraphs and arguments are a line each: tyro keeps some breaks."""
    prose, arguments, rest = text.partition("\nArgs:\n")
    paragraphs = (part if part.startswith(" ") else " ".join(part.split()) for part in prose.split("\n\n"))
    return "\n\n".join(paragraphs) + arguments + re.sub(r"\n {8,}", " ", rest)


class _Kept(io.StringIO):
    """What would be printed, with the colours and characters that standard output can show."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute there
        return sys.__stdout__.encoding if sys.__stdout__ is not None else "utf-8"

    def isatty(self) -> bool:
        return sys.__stdout__ is not None and sys.__stdout__.isatty()


@contextlib.contextmanager
def _wrapped_help() -> Iterator[None]:
    """Break the prose of a help page at the terminal's width; boxes, which are, and indented commands stay."""
    said = _Kept()
    try:
        with contextlib.redirect_stdout(said):
            yield
    finally:
        width = shutil.get_terminal_size().columns
        page = re.sub(r"\n{3,}", "\n\n", said.getvalue())
        for line in page.splitlines():
            prose = line[:1].isalnum() and len(line) > width
            print(textwrap.fill(line, width, break_on_hyphens=False, break_long_words=False) if prose else line)


@contextlib.contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Turn the box in which tyro says what is wrong into a `ValueError` of one line."""
    said, columns = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "9999"  # the box breaks no words
    try:
        with contextlib.redirect_stderr(said):
            yield
    except SystemExit:
        raise ValueError(_in_one_line(said.getvalue())) from None
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns


def _in_one_line(box: str) -> str:
    """Return what a box says above its first rule and what it proposes below, without the help texts."""
    inside = [line[2:-2].rstrip() for line in box.splitlines()[1:-1]]
    groups = itertools.groupby(inside, key=lambda row: set(row) in ({"─"}, {"-"}))
    said = [" ".join(row.strip() for row in rows if not row.startswith(" " * 8)) for rule, rows in groups if not rule]
    proposed = [words for words in said[1:] if words.startswith(("Available", "Perhaps"))]
    line = ". ".join([PARSING.sub("", said[0]), *proposed[-1:]])
    unknown = UNKNOWN.match(line)
    return line + (did_you_mean(unknown[1], unknown[2].split(", ")) if unknown else "")
