"""Populations whose strategies spread by what they earn, in closed form where there is one.

`birth_death`: two strategies in a finite population. `invasions`: any set of strategies while mutants are rare.
`infinite`: any set of strategies in a population without chance. `heterogeneous`: many reactive strategies in it.
`adaptive`: one population that follows its mutants through a space of strategies; `resting`: where it comes to rest.
`networks`: who has whom for neighbours; `imitation`: players that take over what better-earning neighbours do.
"""

from ipd_theory.evolution.adaptive import donation_gradient, rewards_cooperation, selection_gradient, trajectory
from ipd_theory.evolution.birth_death import (
    count_distribution,
    fixation_probability,
    log_fixation_probability,
    transition_probabilities,
)
from ipd_theory.evolution.heterogeneous import Succession, random_reactive, succession
from ipd_theory.evolution.imitation import on_networks
from ipd_theory.evolution.infinite import ecological, replicator_mutator
from ipd_theory.evolution.invasions import fixation_matrix, rare_mutation, stationary
from ipd_theory.evolution.resting import RestPoints, rest_points, stability

__all__ = [
    "RestPoints",
    "Succession",
    "count_distribution",
    "donation_gradient",
    "ecological",
    "fixation_matrix",
    "fixation_probability",
    "log_fixation_probability",
    "on_networks",
    "random_reactive",
    "rare_mutation",
    "replicator_mutator",
    "rest_points",
    "rewards_cooperation",
    "selection_gradient",
    "stability",
    "stationary",
    "succession",
    "trajectory",
    "transition_probabilities",
]
