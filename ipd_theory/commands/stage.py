"""The stage game, read from the options of commands."""

from ipd_theory.commands.strategy_argument import listed, number


def four_payoffs(text: str) -> tuple[float, float, float, float]:
    """Return R, S, T, P of `--payoffs`.

    Raises:
        ValueError: naming the option, if they are not four numbers.
    """
    R, S, T, P = (float(number("--payoffs", x)) for x in listed("--payoffs", text, 4))
    return R, S, T, P
