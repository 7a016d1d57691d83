"""Derivatives of chains in forward mode of what was found in reverse mode, against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory._engine import chains

GENERATOR = np.random.default_rng(5)


def _chain(x):
    """Return start, moves, δ and payoffs of a chain of two states that all depend on x [5]."""
    moves = jnp.stack([x[:2], 1 - x[:2]], -1)
    return jnp.stack([x[2], 1 - x[2]]), moves, x[3], jnp.stack([x[4], -(x[4] ** 2)])[None]


@pytest.mark.parametrize(
    "of",
    [
        lambda x: chains.chain_occupancy(*_chain(x)[:3])[0],
        lambda x: chains.solution(*_chain(x))[1].sum(),
        lambda x: jax.jvp(lambda y: chains.chain_returns(*_chain(y))[0], (x,), (jnp.cos(jnp.arange(5.0)),))[1],
    ],
    ids=["occupancy", "values", "a return's derivative"],
)
def test_forward_over_reverse(of):
    with jax.enable_x64(True):
        x = jnp.asarray(GENERATOR.uniform(0.2, 0.8, 5))
        slope, h = jax.jit(jax.grad(of)), 1e-5
        steps = h * np.eye(5)
        differences = np.stack([(slope(x + step) - slope(x - step)) / (2 * h) for step in steps], -1)
        np.testing.assert_allclose(jax.jit(jax.hessian(of))(x), differences, rtol=1e-6, atol=1e-7)
