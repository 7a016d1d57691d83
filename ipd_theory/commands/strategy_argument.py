"""Strategies and numbers as they are written on the command line: a name, entries with commas between them, a file."""

import re
from fractions import Fraction
from keyword import iskeyword
from typing import Any

DECIMAL = r"([\d]+\.?\d*|\.\d+)(e[-+]?\d{1,2})?"
AXELROD = "axelrod:"
NUMBER = re.compile(rf"(?P<top>[-+]?{DECIMAL})(/(?P<bottom>{DECIMAL}))?")


def strategy(option: str, text: str, game: Any, discount: float) -> Any:
    """Return the strategy [h] that `text` says, in all the ways of `table_or_automaton`.

    Raises:
        ValueError: naming the option, if `text` says none, or an automaton.
    """
    from ipd_theory.automata import Automaton

    meant = table_or_automaton(option, text, game, discount)
    if isinstance(meant, Automaton):
        raise ValueError(f"{option}: strategy {text!r} is an automaton; it must be a table here")
    return meant


def table_or_automaton(option: str, text: str, game: Any, discount: float) -> Any:
    """Return the strategy that `text` says, a table [h] or an automaton (see `ipd_theory.automata.named`).

    `axelrod:NAME` is a player of the Axelrod library by the name of its class, where it is one or the other.

    Args:
        option: Its name, for the error.
        text: What was given.
        game: In which a zero-determinant strategy enforces its line.
        discount: Under which it does.

    Raises:
        ValueError: naming the option, if `text` says none.
    """
    from ipd_theory import automata

    try:
        if text.lower().startswith(AXELROD):
            from ipd_theory.adapters import axelrod

            return axelrod.from_axelrod(axelrod.named(text[len(AXELROD) :]))
        return automata.named(text, game=game, discount=discount)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def number(option: str, text: str) -> Fraction:
    """Return a number or a fraction (1/3, 0.5, 1e-3), exactly.

    Raises:
        ValueError: naming the option, for anything else; for a denominator of zero, and for exponents of three digits.
    """
    written = NUMBER.fullmatch(text)
    if not written:
        raise ValueError(f"{option} holds {text!r}, which is not a number")
    bottom = Fraction(written["bottom"] or 1)
    if bottom == 0:
        raise ValueError(f"{option} holds {text!r}, which divides by zero")
    return Fraction(written["top"]) / bottom


def number_or_symbol(option: str, text: str) -> Any:
    """Return a number as a fraction, the name of a symbol as the symbol.

    Raises:
        ValueError: naming the option, if `text` is neither.
    """
    import sympy

    if not text.isidentifier():
        return number(option, text)
    if iskeyword(text) or text.lower() in ("nan", "inf", "infinity"):
        raise ValueError(f"{option} holds {text!r}, which cannot name a symbol")
    return sympy.Symbol(text)


def listed(option: str, text: str, *lengths: int) -> list[str]:
    """Return the entries between commas.

    Raises:
        ValueError: naming the option, if their number is not among `lengths`.
    """
    entries = [entry.strip() for entry in text.split(",")]
    if len(entries) not in lengths:
        allowed = " or ".join(map(str, lengths))
        raise ValueError(f"{option} {text!r} has {len(entries)} entries; it must have {allowed}")
    return entries
