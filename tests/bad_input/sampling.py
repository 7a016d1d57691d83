"""Good values for the walk over the sampling room, and what is left out of it and why."""

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import optax

import ipd_theory as ipd
from ipd_theory.sampling import enumeration, estimators, fractions, learners, prefixes, shaping_pomdp, trials

Thunk = Callable[[], Any]
SHAPE = (2, 2, 1)
ZEROS = jnp.zeros((1, 5))


@functools.cache
def pomdp() -> shaping_pomdp.ShapingPOMDP:
    """A small environment."""
    return shaping_pomdp.ShapingPOMDP(ipd.prisoners_dilemma(), learners.reinforce(1.0), jnp.zeros(5), *SHAPE)


@functools.cache
def everything() -> enumeration.Enumeration:
    """All of its meta-episodes."""
    return enumeration.enumerate_meta_episodes(pomdp())


@functools.cache
def listed() -> prefixes.Prefixes:
    """All of its prefixes."""
    return prefixes.enumerate_prefixes(pomdp())


@functools.cache
def rational() -> tuple[shaping_pomdp.ShapingPOMDP, fractions.RationalEnumeration]:
    """An environment with fractions, and its meta-episodes."""
    rule = learners.reinforce_in_probabilities(Fraction(1, 32))
    exact = shaping_pomdp.ShapingPOMDP(ipd.prisoners_dilemma(), rule, jnp.full(5, 0.5), 2, 1, 1)
    return exact, fractions.enumerate_rationally(exact, (1, 5), fractions.exact(["1/2"] * 5))


@functools.cache
def problem() -> trials.Trial:
    """What estimators are tried on."""
    return trials.trial("small", ipd.prisoners_dilemma(), learners.reinforce(1.0), SHAPE)


def weights() -> Any:
    """As many as there are meta-episodes."""
    return jnp.ones_like(everything().episodes.ego.rewards)


def seen() -> learners.Seen:
    """Two episodes of one player."""
    return learners.Seen(jnp.zeros((2, 3), int), jnp.zeros((2, 3), int), jnp.ones((2, 3)))


LISTED = {"everything": everything, "ego_logits": lambda: ZEROS, "weights": weights}
EXACT = {
    "everything": lambda: rational()[1],
    "ego": lambda: fractions.exact([["1/2"] * 5]),
    "weights": lambda: estimators.full,
}
OWN: dict[str, dict[str, Thunk]] = {
    "sampling.certificates.certificate": {
        "estimator": lambda: estimators.full,
        "problem": lambda: trials.rational_problem(),
    },
    "sampling.claims.sample": {
        "problem": problem,
        "held": lambda: [estimators.full],
        "num_meta_episodes": lambda: 4,
    },
    "sampling.claims.treats_trajectories_alike": {"estimator": lambda: estimators.full, "shape": lambda: SHAPE},
    "sampling.claims.unbiased_in_fractions": {"estimator": lambda: estimators.full},
    "sampling.claims.verify": {
        "held": lambda: [estimators.full],
        "tried": lambda: [problem()],
        "num_meta_episodes": lambda: 1000,
    },
    "sampling.claims.weights_of": {
        "estimator": lambda: estimators.full,
        "seen": lambda: trials.ego_play(problem(), everything().episodes),
    },
    "sampling.design.best_baseline": LISTED,
    "sampling.design.designed": {"problem": problem},
    "sampling.design.term_moments": LISTED,
    "sampling.design.with_baseline": {"estimator": lambda: estimators.full, "baseline": lambda: jnp.zeros((2, 1, 5))},
    "sampling.design.with_weight": {"weight": lambda: 0.5},
    "sampling.dice.dice": {"log_probabilities": lambda: jnp.zeros((2, 3)), "rewards": lambda: jnp.ones((2, 3))},
    "sampling.dice.joint_log_probabilities": {
        "ego_logits": lambda: jnp.zeros(5),
        "other_logits": lambda: jnp.zeros(5),
        "ego": seen,
        "other": seen,
    },
    "sampling.dice.loaded_dice": {
        "log_probabilities": lambda: jnp.zeros((2, 3)),
        "advantages": lambda: jnp.ones((2, 3)),
    },
    "sampling.dice.log_probabilities": {"logits": lambda: jnp.zeros(5), "seen": seen},
    "sampling.dice.magic_box": {"x": lambda: jnp.zeros(3)},
    "sampling.dice.sampled_lola_dice": {
        "ego_logits": lambda: jnp.zeros(5),
        "num_look_aheads": lambda: 1,
        "batch_size": lambda: 2,
        "episode_length": lambda: 2,
    },
    "sampling.enumeration.current_part": {"weights": lambda: estimators.full},
    "sampling.enumeration.enumerate_meta_episodes": {"pomdp": pomdp},
    "sampling.enumeration.expected_return": LISTED,
    "sampling.enumeration.large_batch_gradient": {
        "ego_logits": lambda: jnp.zeros(5),
        "learner_logits": lambda: jnp.zeros(5),
        "episode_length": lambda: 2,
    },
    "sampling.enumeration.moments": LISTED,
    "sampling.enumeration.probabilities": LISTED,
    "sampling.enumeration.true_gradient": LISTED,
    "sampling.estimators.Estimator": {"name": lambda: "mine", "weights": lambda: lambda rewards: rewards},
    "sampling.estimators.advantages": {"credit": lambda: estimators.full},
    "sampling.estimators.named": {"name": lambda: "full"},
    "sampling.fractions.enumerate_rationally": {
        "pomdp": lambda: rational()[0],
        "ego_shape": lambda: (1, 5),
        "learner_table": lambda: fractions.exact(["1/2"] * 5),
    },
    "sampling.fractions.exact": {"x": lambda: [0.5, 0.25]},
    "sampling.fractions.expectation": EXACT,
    "sampling.fractions.true_gradient": EXACT,
    "sampling.learners.policy_gradient": {"optimizer": lambda: optax.sgd(1.0)},
    "sampling.prefixes.enumerate_prefixes": {"pomdp": pomdp},
    "sampling.prefixes.linear_form": {"weights": lambda: estimators.full, "shape": lambda: SHAPE},
    "sampling.prefixes.moments_by_prefix": {
        "listed": listed,
        "form": lambda: prefixes.linear_form(estimators.full, SHAPE),
    },
    "sampling.prefixes.true_gradient_by_prefix": {"listed": listed},
    "sampling.shaping_pomdp.ShapingPOMDP": {
        "learner": lambda: learners.reinforce(1.0),
        "learner_table": lambda: jnp.zeros(5),
        "batch_size": lambda: 2,
        "num_inner_episodes": lambda: 2,
        "episode_length": lambda: 1,
        "start": lambda: 0,
    },
    "sampling.shaping_pomdp.estimates": {"episodes": lambda: everything().episodes, "weights": weights},
    "sampling.shaping_pomdp.play": {"pomdp": pomdp, "num_meta_episodes": lambda: 2},
    "sampling.trials.ego_play": {"problem": problem, "episodes": lambda: everything().episodes},
    "sampling.trials.trial": {
        "name": lambda: "small",
        "learner": lambda: learners.reinforce(1.0),
        "shape": lambda: SHAPE,
    },
}

INSIDE = dict.fromkeys(
    (
        *("sampling.enumeration.Enumeration", "sampling.shaping_pomdp.MetaEpisodes"),
        *("sampling.prefixes.LinearForm", "sampling.prefixes.Prefixes"),
    ),
    "what this room's functions return",
) | dict.fromkeys(
    (
        *("sampling.enumeration.check_path", "sampling.enumeration.learner_path", "sampling.enumeration.taken"),
        *("sampling.enumeration.meta_trajectories", "sampling.enumeration.multisets"),
        *("sampling.shaping_pomdp.check_memory", "sampling.shaping_pomdp.ego_tables"),
        "sampling.shaping_pomdp.opening_contexts",
        "sampling.estimators.check_share",
    ),
    "shared inside the room, behind the doors that look at what they are given",
)

MEANT = {
    "sampling.enumeration.moments weights huge": "their squares are beyond double precision",
    "sampling.trials.trial name *": "a title is printed as it is",
    "sampling.estimators.Estimator name another word": "a new estimator has a new name",
    "sampling.estimators.Estimator label another word": "and a new label",
    "sampling.estimators.* rewards another last axis": "episodes have any length",
    "sampling.dice.magic_box x *": "it takes arrays of any shape",
    "sampling.fractions.exact x a number": "it takes arrays of any shape",
    "sampling.fractions.exact name *": "what errors call it",
    "sampling.learners.reinforce_in_probabilities learning_rate a number": "0.5 is a step size",
    "sampling.trials.rational_problem learning_rate a number": "0.5 is a step size",
}
