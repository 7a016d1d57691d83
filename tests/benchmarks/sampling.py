"""Enumeration and sampling: time against the targets, and against the same sums written as Python loops."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

import ipd_theory as ipd
from ipd_theory.sampling import enumeration, estimators, learners
from ipd_theory.sampling.shaping_pomdp import ShapingPOMDP, play
from tests.benchmarks import Row, compare, seconds

STEPS_A_SECOND = 20e6
SECONDS_TO_ENUMERATE = 2.0


def run() -> list[Row]:
    """Rows: 65,536 trajectories enumerated, environment steps sampled, and enumeration against plain loops."""
    sampling = _sampling()
    with jax.enable_x64(True):
        return [sampling, _enumeration(), _loops()]


def _problem(B: int, M: int, T: int, dtype: jnp.dtype = jnp.float64) -> tuple[ShapingPOMDP, jax.Array]:
    rng = np.random.default_rng(0)
    pomdp = ShapingPOMDP(
        ipd.prisoners_dilemma(), learners.reinforce(2.0), jnp.asarray(rng.normal(size=5), dtype), B, M, T
    )
    return pomdp, jnp.asarray(rng.normal(size=(1, 5)), dtype)


def _enumeration() -> Row:
    """The mean, covariance and true gradient of COALA-PG over all 65,536 trajectories, one by one."""
    pomdp, logits = _problem(2, 2, 2)

    def ours() -> tuple[jax.Array, ...]:
        everything = enumeration.enumerate_meta_episodes(pomdp, exchangeable=False)
        weights = estimators.coala_pg(everything.episodes.ego.rewards)
        truth = enumeration.true_gradient(everything, logits)
        return *enumeration.moments(everything, logits, weights), *truth

    taken = seconds(ours)
    what = "enumerate B=2 M=2 T=2 (target 2 s)"
    return Row(what, taken, SECONDS_TO_ENUMERATE, SECONDS_TO_ENUMERATE / taken, 1.0)


def _sampling() -> Row:
    """Tabular agents, B=16 M=20 T=10, learners updating, in float32; all that was seen is returned."""
    N, (B, M, T) = 500, (16, 20, 10)
    pomdp, logits = _problem(B, M, T, jnp.float32)
    key = jax.random.key(0)
    taken, steps = seconds(lambda: play(key, pomdp, logits, N)), N * B * M * T
    what = f"sample {steps:,} steps ({steps / taken / 1e6:.0f} million a second, target 20)"
    return Row(what, taken, steps / STEPS_A_SECOND, steps / STEPS_A_SECOND / taken, 1.0)


def _loops() -> Row:
    """Against the same expectation as a reader would first write it: loops over all meta-episodes of B=2 M=2 T=1."""
    pomdp, logits = _problem(2, 2, 1)
    p0, q0 = 1 / (1 + np.exp(-np.asarray(logits[0]))), np.asarray(pomdp.learner_table)
    mine, theirs = np.asarray(pomdp.game.payoffs)

    def peer() -> np.ndarray:
        total = np.zeros(5)
        for actions in itertools.product((0, 1), repeat=8):
            a, o = np.reshape(actions, (2, 2, 2))  # player, trajectory, inner episode
            q = 1 / (1 + math.exp(-q0[0]))
            P, moved = 1.0, q0[0]
            for m in range(2):
                for b in range(2):
                    P *= (p0[0], 1 - p0[0])[a[b, m]] * (q, 1 - q)[o[b, m]]
                moved += 2.0 * sum(theirs[a[b, m], o[b, m]] * ((o[b, m] == 0) - q) for b in range(2)) / 2
                q = 1 / (1 + math.exp(-moved))
            r = mine[a, o]
            for b in range(2):
                total[0] += P * (r[b, 0] / 2 + r[:, 1].mean()) * ((a[b, 0] == 0) - p0[0])
                total[0] += P * r[b, 1] / 2 * ((a[b, 1] == 0) - p0[0])
        return total

    everything = enumeration.enumerate_meta_episodes(pomdp)

    def ours() -> jax.Array:
        weights = estimators.coala_pg(everything.episodes.ego.rewards)
        return enumeration.moments(everything, logits, weights).mean

    np.testing.assert_allclose(ours(), peer(), atol=1e-12)
    return compare("expectation B=2 M=2 T=1 against Python loops", ours, peer, target=10.0)
