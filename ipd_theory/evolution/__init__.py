"""Populations whose strategies spread by what they earn, in closed form where there is one.

`birth_death`: two strategies in a finite population. `invasions`: any set of strategies while mutants are rare.
"""

from ipd_theory.evolution.birth_death import (
    count_distribution,
    fixation_probability,
    log_fixation_probability,
    transition_probabilities,
)
from ipd_theory.evolution.invasions import fixation_matrix, rare_mutation, stationary

__all__ = [
    "count_distribution",
    "fixation_matrix",
    "fixation_probability",
    "log_fixation_probability",
    "rare_mutation",
    "stationary",
    "transition_probabilities",
]
