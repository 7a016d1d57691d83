"""Best replies, and what they say of a strategy.

`best` finds them in floating point, `exact` in fractions; `verdicts` has what a strategy is, `witnesses` who shows that
it is not, and `classification` all pure strategies at once.
"""

from ipd_theory.replies import exact
from ipd_theory.replies.best import BestReplies, best_responses, gap
from ipd_theory.replies.classification import Classes, all_pure_of_memory, classify, is_efficient
from ipd_theory.replies.verdicts import (
    discount_windows,
    is_friendly_rival,
    is_nash,
    is_partner,
    is_rival,
    is_subgame_perfect,
    windows,
)
from ipd_theory.replies.witnesses import Path, Witness, challenger, mistaken, overtaker, path

__all__ = [
    "BestReplies",
    "Classes",
    "Path",
    "Witness",
    "all_pure_of_memory",
    "best_responses",
    "challenger",
    "classify",
    "discount_windows",
    "exact",
    "gap",
    "is_efficient",
    "is_friendly_rival",
    "is_nash",
    "is_partner",
    "is_rival",
    "is_subgame_perfect",
    "mistaken",
    "overtaker",
    "path",
    "windows",
]
