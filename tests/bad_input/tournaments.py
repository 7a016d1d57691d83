"""Good values for the walk over automata, players who move in turn, and tournaments."""

from collections.abc import Callable
from typing import Any

import numpy as np

import ipd_theory as ipd

OWN: dict[str, dict[str, Callable[[], Any]]] = {
    "automata.base.Automaton": {"cooperate": lambda: np.ones(1), "moves": lambda: np.ones((1, 4, 1))},
    "automata.classics.punishment": {"length": lambda: 2},
    "automata.minimal.padded": {"num_states": lambda: 3},
    "automata.naming.named": {"text": lambda: "grim-automaton"},
    "alternating.expected_returns": dict.fromkeys(("p", "q"), ipd.strategies.tit_for_tat),
    "replies.verdicts.windows": {"holds": lambda: lambda discount: discount > 0.5},
    "tournaments.pairs.round_robin": {"tables": lambda: [ipd.strategies.tit_for_tat()], "discount": lambda: 0.9},
    "tournaments.standings.tournament": {"entrants": lambda: {"TFT": ipd.strategies.tit_for_tat()}},
    "tournaments.standings.ranked": {"names": lambda: ("TFT", "ALLD"), "payoffs": lambda: np.eye(2)},
    "tournaments.line_ups.line_up": {"texts": lambda: ["TFT"]},
}


def _player() -> Any:
    import axelrod

    return axelrod.TitForTat()


OWN |= {
    "adapters.axelrod.from_axelrod": {"player": _player},
    "adapters.axelrod.named": {"name": lambda: "TitForTat"},
    "adapters.axelrod.round_robin": {"players": lambda: [_player()], "turns": lambda: 3},
}
INSIDE = {
    "adapters.axelrod.cooperation": "asks a player that was looked at",
    "adapters.axelrod.sampled": "lets players meet that were looked at",
    "adapters.axelrod.StrategyPlayer": "the library makes copies of it",
}
MEANT = dict.fromkeys(
    ("tournaments.line_ups.line_up discount [ni]*", "automata.naming.named discount [ni]*"),
    "only zero-determinant strategies read the discount",
) | {"adapters.pygambit.to_pygambit title another word": "a title is shown as it is"}
