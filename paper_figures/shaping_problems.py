"""The small shaping problem of the estimator figures: the prisoner's dilemma against a REINFORCE learner, M = T = 2."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import ipd_theory as ipd
from ipd_theory.sampling import estimators, learners
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP

LEARNING_RATE = 3.0
ESTIMATORS = {
    "COALA-PG": (estimators.coala_pg, "C0", "o"),
    "full": (estimators.full, "C2", "s"),
    "batch-unaware": (estimators.batch_unaware, "C1", "^"),
    "M-FOS": (estimators.m_fos, "C3", "D"),
}


def shaping_problem(batch_size: int, seed: int) -> tuple[ShapingPOMDP, Array]:
    """Return the environment and ego's logits [1, 5]; both start from standard normal logits."""
    rng = np.random.default_rng(seed)
    learner, ego = jnp.asarray(rng.normal(size=(2, 5)))
    rule = learners.reinforce(LEARNING_RATE)
    return ShapingPOMDP(ipd.prisoners_dilemma(), rule, learner, batch_size, 2, 2), ego[None]
