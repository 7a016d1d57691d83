"""`ipd-theory …` on the command line: help costs nothing, and only the chosen command is loaded."""

import ast
import importlib
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from ipd_theory import __version__
from ipd_theory._arguments import did_you_mean
from ipd_theory._extras import needs
from ipd_theory.commands import endings, plain_text

GROUPS = {
    "strategies, exactly": ("returns", "strategy", "classify", "derive", "evolve", "explore"),
    "play that was recorded": ("fit",),
    "agents that learn, exactly": ("tournament", "bound", "phase"),
    "agents that learn from samples": ("verify", "train", "evaluate", "shaper", "watch"),
    "the paper": ("figures", "reproduce"),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)
INTRODUCTION = "Exact analysis of learning-aware agents in the iterated prisoner's dilemma."
FIRST_STEPS = """\
first steps
  ipd-theory returns TFT WSLS --error 0.01
  ipd-theory strategy "extort(3)"
  ipd-theory evolve TFT ALLC ALLD --process moran --error 0.01
  ipd-theory fit log.csv --mixture TFT ALLD WSLS
  ipd-theory derive return --q TFT --discount 1
  ipd-theory tournament --rules naive lola sos --plot meta-game.png
  ipd-theory tournament --strategies stewart-plotkin --game axelrod
  ipd-theory COMMAND --help           what a command does, with all its options

options
  -h, --help                          this page
  --version                           the version
  --tyro-print-completion SHELL       completions for bash, zsh, tcsh or fish

Results go to standard output, messages to standard error. Exit status: 0 done;
1 the work failed (a claim does not hold, training diverged, the disk is full);
2 the command line asks for something that cannot be; 130 interrupted;
143 ended by SIGTERM."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one subcommand; bad input ends with one line on standard error and exit status 2.

    Args:
        arguments: What stands after `ipd-theory`; the process's own if not given.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    plain_text.allow()
    endings.ended(lambda: _run(given))


def overview() -> str:
    """Return the page of `ipd-theory --help`: every command with the first line of its docstring."""
    lines = ["usage: ipd-theory COMMAND …", "", INTRODUCTION, ""]
    for group, names in GROUPS.items():
        lines.append(group)
        for name in names:
            lines += textwrap.wrap(
                f"{name:<11} {description(name)}", 79, initial_indent="  ", subsequent_indent=" " * 14
            )
        lines.append("")
    return "\n".join([*lines, FIRST_STEPS])


def description(name: str) -> str:
    """Return the first line of a command's docstring, read from its file, which is not imported."""
    tree = ast.parse((Path(__file__).parent / "commands" / f"{name}.py").read_text(encoding="utf-8"))
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return (ast.get_docstring(function) or "").partition("\n")[0]


def _run(given: list[str]) -> None:
    first = given[0] if given else ""
    if first in ("-h", "--help"):
        print(overview())
    elif first == "--version":
        print(f"ipd-theory {__version__}")
    elif first in COMMANDS:
        _command(first, given[1:])
    elif first.startswith("--tyro-"):
        with needs("cli"):
            from ipd_theory.commands import command_line
        command_line.complete({name: function for name in COMMANDS for _, function in [_loaded(name)]}, given)
    else:
        what = f"{first!r} is no command" if given else "no command is named"
        hint = did_you_mean(first, COMMANDS) or f"; the commands are {', '.join(COMMANDS)}"
        raise ValueError(f"{what}{hint} (ipd-theory --help explains them)")


def _command(name: str, given: list[str]) -> None:
    from ipd_theory import compilation_cache

    with needs("cli"):
        from ipd_theory.commands import command_line

        module, function = _loaded(name)
    call = command_line.read(function, name, given)
    compilation_cache.use()
    try:
        call()
    except KeyboardInterrupt as stop:
        words = stop.args or (getattr(module, "WHEN_INTERRUPTED", endings.NOTHING_KEPT),)
        raise type(stop)(*words) from None


def _loaded(name: str) -> tuple[ModuleType, Callable[..., None]]:
    """Return a command's module and its function."""
    module = importlib.import_module(f"ipd_theory.commands.{name}")
    return module, getattr(module, name)
