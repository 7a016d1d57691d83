"""What the walk cannot read from annotations: good values by name, and what is left out and why."""

import fnmatch
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import ipd_theory as ipd
from tests.bad_input import sampling

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
    "q": lambda: 0.5,
    "rewards": lambda: jnp.ones((2, 2, 2)),
    "rules": lambda: (ipd.learning.rules.naive(), ipd.learning.rules.naive()),
    "start": lambda: 0.5,
    "step": lambda: 0.5,
    "steps": lambda: 2,
    "strategy": lambda: ipd.strategies.tit_for_tat(),
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
    "equilibria.replicator": {"start": lambda: np.array([0.5, 0.5]), "times": lambda: np.array([0.0, 1.0])},
}

OWN |= sampling.OWN

NOT_LIBRARY = {"cli", "commands"}  # whose options `test_bad_command_lines` tries

# Functions, or whole modules of them, that take what the package itself has made and checked, and why.
INSIDE: dict[str, str] = {**sampling.INSIDE}

# Arguments that are also tried inside jit and vmap, and the rooms whose functions work there.
TRACED = {"strategy", "discount", "logits", "learner_logits", "other_logits", "error", "start"}
TRACED_ROOMS = {"returns", "strategies", "zero_determinant"}

ALSO_CALLED = {"tables": ("strategies",)}

# Bad calls that are meant to work, and why; a call's key is "function argument sort [way]", * stands for anything.
MEANT: dict[str, str] = {**sampling.MEANT}


def meant(key: str) -> bool:
    """Whether a call is listed as meant to work."""
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in MEANT)
