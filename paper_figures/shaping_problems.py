"""The small shaping problem of the estimator figures: the prisoner's dilemma against a REINFORCE learner, M = T = 2."""

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import ipd_theory as ipd
from ipd_theory.drawing import style
from ipd_theory.sampling import estimators, learners
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

LEARNING_RATE = 3.0
# Each estimator with its colour and mark; a new one is orange until the palette names it.
ESTIMATORS = {
    estimator.label: (estimator, style.ESTIMATORS.get(estimator.label, style.ORANGE), marker)
    for estimator, marker in zip(estimators.ESTIMATORS, itertools.cycle("os^DvP"), strict=False)
}


def shaping_problem(batch_size: int, seed: int) -> tuple[ShapingPOMDP, Array]:
    """Return the environment and ego's logits [1, 5]; both start from standard normal logits."""
    rng = np.random.default_rng(seed)
    learner, ego = jnp.asarray(rng.normal(size=(2, 5)))
    rule = learners.reinforce(LEARNING_RATE)
    return ShapingPOMDP(ipd.prisoners_dilemma(), rule, learner, batch_size, 2, 2), ego[None]
