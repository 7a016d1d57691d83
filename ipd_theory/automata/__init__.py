"""Strategies with a hidden state: what they are (`base`), those with names (`classics`, `naming`), what they earn from
each other (`matches`), and how they are best answered (`answers`)."""

from ipd_theory.automata.answers import (
    best_responses,
    gap,
    is_nash,
    is_partner,
    is_rival,
    is_subgame_perfect,
)
from ipd_theory.automata.base import Automaton, of_table, with_errors
from ipd_theory.automata.classics import (
    contrite_tit_for_tat,
    davis,
    forgiver,
    grim,
    grudger,
    hard_prober,
    prober,
    prober_2,
    prober_3,
    punishment,
)
from ipd_theory.automata.matches import Gradient, expected_returns, occupancy, return_gradient
from ipd_theory.automata.naming import named

__all__ = [
    "Automaton",
    "Gradient",
    "best_responses",
    "contrite_tit_for_tat",
    "davis",
    "expected_returns",
    "forgiver",
    "gap",
    "grim",
    "grudger",
    "hard_prober",
    "is_nash",
    "is_partner",
    "is_rival",
    "is_subgame_perfect",
    "named",
    "occupancy",
    "of_table",
    "prober",
    "prober_2",
    "prober_3",
    "punishment",
    "return_gradient",
    "with_errors",
]
