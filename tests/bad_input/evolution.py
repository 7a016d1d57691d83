"""What the walk cannot read from annotations, for the rooms of evolution."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ipd_theory.evolution import heterogeneous
from ipd_theory.evolution.imitation import StudySize
from ipd_theory.evolution.networks import network

Thunk = Callable[[], Any]


def half() -> np.ndarray:
    """Two equal shares."""
    return np.array([0.5, 0.5])


OWN: dict[str, dict[str, Thunk]] = {
    "evolution.invasions.stationary": {"rates": lambda: np.ones((2, 2))},
    "evolution.infinite.replicator_mutator": {"start": half, "times": lambda: np.array([0.0, 1.0])},
    "evolution.infinite.ecological": {"start": half, "generations": lambda: 2},
    "evolution.heterogeneous.random_reactive": {"seed": lambda: 0},
    "evolution.heterogeneous.succession": {
        "responses": lambda: np.array([[0.9, 0.1], [0.5, 0.5]]),
        "generations": lambda: 2,
        "start": half,
    },
}

TABLE = {"x": lambda: np.full(5, 0.5)}
OWN |= {
    "evolution.adaptive.any_table": TABLE,
    "evolution.adaptive.selection_gradient": TABLE,
    "evolution.adaptive.rewards_cooperation": TABLE,
    "evolution.adaptive.donation_gradient": {"responses": lambda: np.array([0.5, 0.2])},
    "evolution.adaptive.trajectory": {"start": lambda: np.full(5, 0.5), "times": lambda: np.array([0.0, 0.1])},
    "evolution.resting.stability": TABLE,
    "evolution.resting.rest_points": {"dimension": lambda: 5, "starts": lambda: 1},
}

OWN |= {
    "evolution.networks.network": {"links": lambda: np.array([[0, 1], [1, 2]]), "size": lambda: 3},
    "evolution.networks.drawn": {
        "kind": lambda: "ring",
        "size": lambda: 10,
        "degree": lambda: 4,
        "seed": lambda: 0,
    },
    "evolution.imitation.on_networks": {
        "networks": lambda: [network(np.array([[0, 1], [1, 2]]), 3)],
        "start": lambda: np.array([[0, 1, 1]]),
        "generations": lambda: 2,
    },
    "evolution.imitation.cooperation": {
        "kind": lambda: "ring",
        "temptations": lambda: np.array([1.2]),
        "sizes": lambda: StudySize(nodes=10, runs=1, transient=1, measured=1),
    },
}

PATH = np.full((3, 3), 1 / 3)
TRIPLE = {"names": lambda: ["A", "B", "C"]}
OWN |= {
    "drawing.evolution.shares_over_time": TRIPLE | {"times": lambda: np.arange(3.0), "shares": lambda: PATH},
    "drawing.evolution.simplex_flow": TRIPLE | {"A": lambda: np.eye(3), "path": lambda: PATH},
    "drawing.evolution.count_bars": {"names": lambda: ["A", "B"], "probabilities": lambda: np.full(4, 0.25)},
    "drawing.evolution.reactive_flow": {"paths": lambda: np.full((1, 3, 2), 0.5), "error": lambda: 0.1},
    "drawing.evolution.succession": {"run": lambda: heterogeneous.succession(np.array([[0.9, 0.1], [0.5, 0.5]]), 3)},
}

INSIDE = {
    "evolution.birth_death.square": "the check itself, shared inside the room",
    "evolution.birth_death.check_population": "the check itself, shared inside the room",
    "evolution.infinite.mutation_matrix": "the check itself, shared inside the room",
    "evolution.adaptive.any_table": "the identity",
    "evolution.adaptive.outward": "takes coordinates and a gradient of the room's own",
    "evolution.adaptive.held_coordinates": "the check itself, shared inside the room",
    "evolution.networks.Network": "made by `network`, which checks it",
    "evolution.networks.united": "takes what `network` made",
    "evolution.imitation.generation": "one step of `on_networks`, which checks",
    "equilibria.distribution": "the check itself, shared by rooms",
    "equilibria.rising": "the check itself, shared by rooms",
    "equilibria.integrated": "takes a rate of change and a start that rooms have made and checked",
}

MEANT: dict[str, str] = {
    "drawing.evolution.* unit another word": "a unit is printed as it is",
    "drawing.evolution.count_bars probabilities another last axis": "a population of another size",
    "evolution.imitation.cooperation temptations a number": "one temptation",
    "evolution.imitation.cooperation temptations another last axis": "any number of temptations",
}
