"""Strategies read from play: what did they play, what does it enforce, and how would one exploit it?

`plays` has logs, `counts` how often a player did what; `tables` fits a table of each memory, `memories` decides which
memory it takes and whether a player changes, `mixtures` finds which part of the players plays which named strategy;
`readout` says what tables earn and enforce, what they are and what exploits them, with uncertainty; `play` makes logs.
"""

from ipd_theory.inference.counts import count, count_by_half, shortened
from ipd_theory.inference.memories import MemoryComparison, RatioTest, compare_halves, compare_memories, compare_players
from ipd_theory.inference.mixtures import MixtureFit, choose_mixture, fit_mixture
from ipd_theory.inference.play import play_out
from ipd_theory.inference.plays import Plays, from_actions, from_frame, from_matches, from_rollout, read
from ipd_theory.inference.readout import ReadOut, Spread, read_out, spread
from ipd_theory.inference.tables import TableFit, fit_counts, fit_episodes, fit_table, posterior_tables

__all__ = [
    "MemoryComparison",
    "MixtureFit",
    "Plays",
    "RatioTest",
    "ReadOut",
    "Spread",
    "TableFit",
    "choose_mixture",
    "compare_halves",
    "compare_memories",
    "compare_players",
    "count",
    "count_by_half",
    "fit_counts",
    "fit_episodes",
    "fit_mixture",
    "fit_table",
    "from_actions",
    "from_frame",
    "from_matches",
    "from_rollout",
    "play_out",
    "posterior_tables",
    "read",
    "read_out",
    "shortened",
    "spread",
]
