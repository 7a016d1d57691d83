"""The stage game and how it is repeated: read from the options of commands, and said again in words."""

from collections.abc import Sequence

from ipd_theory.commands.strategy_argument import listed, number


def four_payoffs(text: str) -> tuple[float, float, float, float]:
    """Return R, S, T, P of `--payoffs`.

    Raises:
        ValueError: naming the option, if they are not four numbers.
    """
    R, S, T, P = (float(number("--payoffs", x)) for x in listed("--payoffs", text, 4))
    return R, S, T, P


def payoffs_in_words(payoffs: Sequence[float]) -> str:
    """Return R, S, T, P with their names."""
    return ", ".join(f"{name} {x:g}" for name, x in zip("RSTP", payoffs, strict=True))


def mean_in_words(discount: float) -> str:
    """Return what returns are means over."""
    return "limit of means" if discount == 1 else f"γ = {discount:g}"
