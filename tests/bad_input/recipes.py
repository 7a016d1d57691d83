"""What the walk cannot read from annotations: good values by name, and what is left out and why."""

import fnmatch
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import sympy

import ipd_theory as ipd
from ipd_theory import symbolic
from tests.bad_input import evolution, inference, learning, phases, replies, rl, sampling, tournaments

Thunk = Callable[[], Any]

# A good value for each argument, by its name; entries below by function and name come first.
GOOD: dict[str, Thunk] = {
    "A": lambda: np.array([[3.0, 0.0], [5.0, 1.0]]),
    "B": lambda: np.array([[3.0, 5.0], [0.0, 1.0]]),
    "R": lambda: 3.0,
    "S": lambda: 0.0,
    "T": lambda: 5.0,
    "P": lambda: 1.0,
    "benefit": lambda: 3.0,
    "cost": lambda: 1.0,
    "chi": lambda: 3.0,
    "discount": lambda: 0.9,
    "dtype": lambda: np.dtype(np.float64),
    "ego_logits": lambda: jnp.zeros((1, 5)),
    "error": lambda: 0.1,
    "intensity": lambda: 0.1,
    "mutation": lambda: 0.1,
    "population": lambda: 10,
    "game": lambda: ipd.prisoners_dilemma(R=3.0, S=0.0, T=5.0, P=1.0),
    "key": lambda: jax.random.key(0),
    "learner_logits": lambda: jnp.zeros(5),
    "learners": lambda: jnp.zeros((2, 5)),
    "learning_rate": lambda: 1.0,
    "learning_rules": lambda: (ipd.learning.rules.naive(), ipd.learning.rules.naive()),
    "logits": lambda: jnp.zeros(5),
    "memory": lambda: 1,
    "multiplication": lambda: 2.0,
    "num_inner_episodes": lambda: 2,
    "num_players": lambda: 3,
    "optimizer": lambda: optax.sgd(1.0),
    "optimizers": lambda: (optax.sgd(1.0), optax.sgd(1.0)),
    "other_logits": lambda: jnp.ones(5),
    "p": lambda: 0.5,
    "payoff": lambda: 2.0,
    "phi": lambda: 0.03,
    "player": lambda: 0,
    "pairing": symbolic.Pairing,
    "expression": lambda: sympy.Symbol("p_0") + 1,
    "q": lambda: 0.5,
    "rewards": lambda: jnp.ones((2, 2, 2)),
    "rules": lambda: (ipd.learning.rules.naive(), ipd.learning.rules.naive()),
    "start": lambda: 0.5,
    "step": lambda: 0.5,
    "steps": lambda: 2,
    "strategy": lambda: ipd.strategies.tit_for_tat(),
    "others": lambda: (ipd.strategies.tit_for_tat(),),
    "automaton": lambda: ipd.automata.grim(),
    "first": lambda: ipd.automata.grim(),
    "second": lambda: ipd.automata.grim(),
    "tables": lambda: (ipd.strategies.tit_for_tat(), ipd.strategies.win_stay_lose_shift()),
    "values": lambda: jnp.zeros((2, 2, 2)),
    **{name: lambda: 0.5 for name in ("cc", "cd", "dc", "dd")},
}

# By function: good values where the name alone does not say.
OWN: dict[str, dict[str, Thunk]] = {
    "equilibria.best_response_gap": {"row": lambda: np.array([1.0, 0.0]), "column": lambda: np.array([0.0, 1.0])},
    "games.MatrixGame": {"payoffs": lambda: jnp.zeros((2, 2, 2))},
    "zero_determinant.enforcing": {"own": lambda: 0.1, "other": lambda: -0.2, "constant": lambda: 0.1},
    "zero_determinant.phi_range": {"slope": lambda: 0.5, "baseline": lambda: 1.0},
    "zero_determinant.linear": {"slope": lambda: 0.5, "baseline": lambda: 1.0},
    "games.bimatrix": {"A": lambda: np.eye(2), "B": lambda: np.eye(2)},
    "games.from_cells": {"cells": lambda: [[(3, 3), (0, 5)], [(5, 0), (1, 1)]]},
    "strategies.naming.named": {"text": lambda: "TFT"},
    "strategies.files.is_file_name": {"text": lambda: "mine.json"},
    "strategies.tables.view": {"player": lambda: 1},
    "strategies.tables.extend": {"memory": lambda: 2},
    "strategies.classics.reactive_n": {"p": lambda: np.array([1.0, 0.5])},
    "strategies.classics.self_reactive_n": {"p": lambda: np.array([1.0, 0.5])},
    "strategies.classics.counting_n": {"r": lambda: np.array([0.5, 1.0])},
    "equilibria.is_ess": {"i": lambda: 0},
    "equilibria.is_neutrally_stable": {"i": lambda: 0},
    "equilibria.replicator": {"start": lambda: np.array([0.5, 0.5]), "times": lambda: np.array([0.0, 1.0])},
    "symbolic.as_function": {"expressions": lambda: (sympy.Symbol("p_0"),)},
    "symbolic.exact": {"x": lambda: 0.5},
}

ROOMS = (sampling, evolution, replies, tournaments, inference, learning, phases, rl)
for room in ROOMS:
    OWN |= room.OWN
GOOD = rl.GOOD | phases.GOOD | learning.GOOD | inference.GOOD | GOOD

NOT_LIBRARY = {"cli", "commands"}  # whose options `test_bad_command_lines` tries

# Functions that take what the package itself has made and checked, and why.
INSIDE: dict[str, str] = {
    **{name: why for room in ROOMS for name, why in room.INSIDE.items()},
    "compilation_cache.is_about": "takes a warning of jax's",
    "returns.checked_strategies": "the check itself, shared by rooms, of what they were given",
    "strategies.naming.made": "reads what `named` of any room was given",
    "strategies.naming.in_file": "does what `named` of any room asks of it",
    "strategies.files.read": "is asked for what `is_file_name` says of",
    "strategies.naming.listed": "writes what `named` of any room can read",
}

# Rooms whose functions work inside jit and vmap, and those of their functions that do not, and why.
TRACED_ROOMS = {"returns", "strategies", "zero_determinant", "learning", "phases"}
NOT_TRACED = {
    "phases.basins.basin": "returns a function of starts",
    **dict.fromkeys(
        (
            *("phases.boundaries.left_defection", "phases.boundaries.learning_rate_windows"),
            *(f"phases.continuation.{name}" for name in ("fixed_point", "settled", "follow", "through")),
            "phases.outcomes.tit_for_tat_like",
        ),
        "computes with numpy and scipy, outside of compiled code",
    ),
}

# What an error may call an argument: the strategies of a match are named by their number among the players.
ALSO_CALLED = {
    "tables": ("strategies",),
    "entrants": ("tables",),
    "others": ("strategies",),
    "strategy": ("strategies[",),
    "cells": ("payoffs",),
    "text": ("strategy", "entrant"),
    "place": ("a class",),
    "chi": ("phi",),
    "payoff": ("baseline", "phi"),
    "slope": ("phi",),
    "baseline": ("phi",),
    **dict.fromkeys(("own", "other", "constant"), ("the table for these arguments",)),
}

# Bad calls that are meant to work, and why; a call's key is "function argument sort [way]", * stands for anything.
MEANT: dict[str, str] = {
    **{key: why for room in ROOMS for key, why in room.MEANT.items()},
    "compilation_cache.use folder text": "a folder of that name",
    "equilibria.survivors time huge": "the integrator says at which time it gives up",
    "symbolic.exact x a number": "0.5 is one, exactly",
    "strategies.classics.counting_n r another last axis": "three responses are those of memory two",
    "strategies.files.is_file_name text another word": "any text may be asked about",
    "strategies.naming.named discount [ni]*": "only zero-determinant strategies read the discount",
    "strategies.tables.memory_of strategy *": "reads the shape alone",
    "strategies.tables.memory_of name another word": "any word may be its name",
    "strategies.tables.extend strategy nan*": "entries are moved, not read: logits and symbols are extended alike",
    "strategies.tables.extend strategy infinite": "entries are moved, not read: logits are infinite where play is sure",
    "strategies.tables.tremble strategy empty": "a slice of a table trembles as well",
    "strategies.tables.tremble strategy another last axis": "a slice of a table trembles as well",
    "strategies.tables.tremble strategy a number": "one probability trembles as well",
}


def meant(key: str) -> bool:
    """Whether a call is listed as meant to work."""
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in MEANT)
