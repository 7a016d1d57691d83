"""What `ipd-theory strategy` asks of tables and automata alike: Nash, perfect, partner, rival, and for which γ."""

from typing import Any

from ipd_theory._words import mean_in_words
from ipd_theory.commands.console import print_table

BEST = {(True, True): "either", (True, False): "cooperate", (False, True): "defect"}  # by what is optimal, C and D


def judged(room: Any, game: Any, strategy: Any, discount: float) -> dict[str, Any]:
    """Return whether each word holds, and the intervals of discounts in which it does.

    Args:
        room: Whose tests are asked, `replies` for tables or `automata`.
        game: The stage game.
        strategy: A table or an automaton.
        discount: γ from 0 to 1.
    """
    tests = {
        "Nash": room.is_nash,
        "subgame perfect": room.is_subgame_perfect,
        "partner": room.is_partner,
        "rival": room.is_rival,
    }
    return {
        "is": {word: bool(test(game, strategy, discount=discount)) for word, test in tests.items()},
        "discounts": {word: _windows(test, game, strategy) for word, test in tests.items()},
    }


def _windows(test: Any, game: Any, strategy: Any) -> list[tuple[float, float]]:
    from ipd_theory import replies

    return replies.windows(lambda gamma: test(game, strategy, discount=gamma))


def print_verdicts(result: dict[str, Any]) -> None:
    """Print what `judged` returned, with the settings of the command."""
    windows = {word: ", ".join(map(_window, found)) or "no γ" for word, found in result["discounts"].items()}
    here = [(word, "yes" if holds else "no", windows.get(word, "")) for word, holds in result["is"].items()]
    print_table(("it is", mean_in_words(result["settings"]["discount"]), "for γ in"), here)


def _window(ends: tuple[float, float]) -> str:
    low, high = (f"{end:.4g}" for end in ends)
    return low if low == high else f"{low} to {high}"
