"""The small shaping problem of the estimator figures: the prisoner's dilemma against a REINFORCE learner, M = T = 2."""

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import ipd_theory as ipd
from ipd_theory.sampling import estimators, learners
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

LEARNING_RATE = 3.0
# Each estimator with its colour and mark; one more than these would take them up again.
ESTIMATORS = {
    estimator.label: (estimator, color, marker)
    for estimator, color, marker in zip(
        estimators.ESTIMATORS, itertools.cycle(("C0", "C2", "C1", "C3", "C4", "C5")), itertools.cycle("os^DvP")
    )
}


def shaping_problem(batch_size: int, seed: int) -> tuple[ShapingPOMDP, Array]:
    """Return the environment and ego's logits [1, 5]; both start from standard normal logits."""
    rng = np.random.default_rng(seed)
    learner, ego = jnp.asarray(rng.normal(size=(2, 5)))
    rule = learners.reinforce(LEARNING_RATE)
    return ShapingPOMDP(ipd.prisoners_dilemma(), rule, learner, batch_size, 2, 2), ego[None]
