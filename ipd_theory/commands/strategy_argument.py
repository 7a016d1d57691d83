"""Strategies and numbers as they are written on the command line: a name, or entries with commas between them."""

import re
from fractions import Fraction
from keyword import iskeyword
from typing import Any

ABBREVIATIONS = {
    "ALLC": "always_cooperate",
    "ALLD": "always_defect",
    "FBF": "firm_but_fair",
    "GRIM": "grim",
    "GTFT": "generous_tit_for_tat",
    "RANDOM": "random",
    "STFT": "suspicious_tit_for_tat",
    "TFT": "tit_for_tat",
    "WSLS": "win_stay_lose_shift",
}
DECIMAL = r"([\d]+\.?\d*|\.\d+)(e[-+]?\d{1,2})?"
NUMBER = re.compile(rf"(?P<top>[-+]?{DECIMAL})(/(?P<bottom>{DECIMAL}))?")


def named(option: str, text: str) -> Any:
    """Return the memory-one strategy [5] that `text` names, abbreviated or in full.

    Raises:
        ValueError: naming the option, if no strategy has the name.
    """
    from ipd_theory import strategies

    full = ABBREVIATIONS.get(text.upper(), text.lower().replace("-", "_"))
    if full not in ABBREVIATIONS.values():
        names = ", ".join(f"{short} ({name})" for short, name in ABBREVIATIONS.items())
        raise ValueError(f"{option} {text!r} is no strategy; give five entries start,CC,CD,DC,DD or one of {names}")
    return getattr(strategies, full)()


def table(option: str, text: str) -> Any:
    """Return the strategy [5] or [21] that `text` names, or lists entry by entry.

    Raises:
        ValueError: naming the option, if `text` is neither a known name nor so many numbers.
    """
    from jax.numpy import asarray

    if "," not in text:
        return named(option, text)
    return asarray([float(number(option, entry)) for entry in listed(option, text, 5, 21)])


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
