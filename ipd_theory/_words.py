"""The stage game and how it is repeated, in words, for tables and pictures."""

from collections.abc import Sequence


def payoffs_in_words(payoffs: Sequence[float]) -> str:
    """Return R, S, T, P with their names."""
    return ", ".join(f"{name} {x:g}" for name, x in zip("RSTP", payoffs, strict=True))


def mean_in_words(discount: float) -> str:
    """Return what returns are means over."""
    return "limit of means" if discount == 1 else f"γ = {discount:g}"
