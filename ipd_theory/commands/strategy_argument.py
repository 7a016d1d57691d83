"""Strategies as they are written on the command line: a name, or the entries with commas between them."""

import re
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


def named(argument: str, text: str) -> Any:
    """Return the memory-one strategy [5] that `text` names, abbreviated or in full.

    Raises:
        ValueError: naming the argument, if no strategy has the name.
    """
    from ipd_theory import strategies

    full = ABBREVIATIONS.get(text.upper(), text.lower().replace("-", "_"))
    if full not in ABBREVIATIONS.values():
        names = ", ".join(f"{short} ({name})" for short, name in ABBREVIATIONS.items())
        raise ValueError(f"{argument} {text!r} is no strategy; give five entries start,CC,CD,DC,DD or one of {names}")
    return getattr(strategies, full)()


def entries(argument: str, text: str) -> list[Any]:
    """Return the five entries of a strategy as numbers, fractions in text (1/3) and names of symbols.

    Raises:
        ValueError: naming the argument, if `text` is neither a known name nor five such entries.
    """
    if "," not in text:
        table: list[Any] = named(argument, text).tolist()
        return table
    return listed(argument, text, 5)


def listed(argument: str, text: str, length: int) -> list[str]:
    """Return `length` comma-separated entries, each a number, a fraction or the name of a symbol.

    Raises:
        ValueError: naming the argument, if there are more or fewer, or one is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?(/\d+)?|[^\W\d]\w*", part):
            raise ValueError(
                f"{argument} {text!r} holds {part!r}, neither a number, a fraction nor the name of a symbol"
            )
    if len(parts) != length:
        raise ValueError(f"{argument} {text!r} has {len(parts)} entries; it must have {length}")
    return parts
