"""Best replies (`best`), and what they say of a strategy (`verdicts`)."""

from ipd_theory.replies.best import MOST_TURNS, BestReplies, best_responses, gap, nearly_one, roundings
from ipd_theory.replies.classification import Classes, all_pure_of_memory, classify, is_efficient
from ipd_theory.replies.verdicts import discount_windows, is_nash, is_partner, is_rival, is_subgame_perfect

__all__ = [
    "MOST_TURNS",
    "BestReplies",
    "Classes",
    "all_pure_of_memory",
    "best_responses",
    "classify",
    "discount_windows",
    "gap",
    "is_efficient",
    "is_nash",
    "is_partner",
    "is_rival",
    "is_subgame_perfect",
    "nearly_one",
    "roundings",
]
