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
    "tournaments.pairs.round_robin": {"tables": lambda: [ipd.strategies.tit_for_tat()], "discount": lambda: 0.9},
    "tournaments.standings.tournament": {"entrants": lambda: {"TFT": ipd.strategies.tit_for_tat()}},
    "tournaments.line_ups.line_up": {"texts": lambda: ["TFT"]},
}
INSIDE = {"automata.matches.two_players": "the check itself"}
MEANT = dict.fromkeys(
    ("tournaments.line_ups.line_up discount [ni]*", "automata.naming.named discount [ni]*"),
    "only zero-determinant strategies read the discount",
)
