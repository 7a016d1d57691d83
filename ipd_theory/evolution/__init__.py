"""Populations whose strategies spread by what they earn, in closed form where there is one.

`birth_death`: two strategies in a finite population. `invasions`: any set of strategies while mutants are rare.
`infinite`: any set of strategies in a population without chance. `heterogeneous`: many reactive strategies in it.
"""

from ipd_theory.evolution.birth_death import (
    count_distribution,
    fixation_probability,
    log_fixation_probability,
    transition_probabilities,
)
from ipd_theory.evolution.heterogeneous import Succession, random_reactive, succession
from ipd_theory.evolution.infinite import ecological, replicator_mutator
from ipd_theory.evolution.invasions import fixation_matrix, rare_mutation, stationary

__all__ = [
    "Succession",
    "count_distribution",
    "ecological",
    "fixation_matrix",
    "fixation_probability",
    "log_fixation_probability",
    "random_reactive",
    "rare_mutation",
    "replicator_mutator",
    "stationary",
    "succession",
    "transition_probabilities",
]
