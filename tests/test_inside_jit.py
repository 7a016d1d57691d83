"""Returns and gradients inside other compiled code are those called eagerly, and their derivatives are a solve's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd

GAME = ipd.prisoners_dilemma()
SWAP = np.array([0, 1, 3, 2, 4])
DISCOUNT = 0.9


def solved(p, q):
    """Both players' returns by a linear solve."""
    q = q[..., SWAP]
    outcomes = jnp.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    payoffs = jnp.broadcast_to(GAME.outcome_payoffs.T, (*outcomes.shape[:-2], 4, 2))
    values = jnp.linalg.solve(jnp.eye(4) - DISCOUNT * outcomes[..., 1:, :], payoffs)
    return (1 - DISCOUNT) * jnp.einsum("...s,...sk->...k", outcomes[..., 0, :], values)


returns = functools.partial(ipd.expected_returns, GAME, discount=DISCOUNT)
gradients = [functools.partial(ipd.return_gradient, GAME, discount=DISCOUNT, player=1 - wrt, wrt=wrt) for wrt in (0, 1)]


def inside(function, way):
    """Return the function of two batches, inside other compiled code."""
    if way == "shard_map":
        mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("pairs",))
        spec = jax.sharding.PartitionSpec("pairs")
        return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=(spec, spec), out_specs=spec))
    return {
        "jit": jax.jit(function),
        "vmap": jax.vmap(function),
        "vmap(jit)": jax.vmap(jax.jit(function)),
        "scan": jax.jit(lambda p, q: jax.lax.scan(lambda _, pair: (None, function(*pair)), None, (p, q))[1]),
    }[way]


@pytest.mark.parametrize("way", ["jit", "vmap", "vmap(jit)", "scan", "shard_map"])
def test_they_are_the_same(way, rng):
    p, q = jnp.asarray(rng.random((2, 3, 5)))
    np.testing.assert_allclose(inside(returns, way)(p, q), solved(p, q), rtol=1e-12, atol=1e-13)
    for i, gradient in enumerate(gradients):
        want = jax.grad(lambda *pair, player=1 - i: solved(*pair)[..., player].sum(), i)(p, q)
        np.testing.assert_allclose(inside(gradient, way)(p, q), want, rtol=1e-11, atol=1e-13)


def test_derivatives_inside_are_those_of_a_solve(rng):
    p, q = jnp.asarray(rng.random((2, 5)))

    def product(function, x):
        one, two = function(x[:5], x[5:])
        return one * two

    x = jnp.concatenate([p, q])
    for derivative in (jax.grad, jax.hessian):
        ours, theirs = (jax.jit(derivative(functools.partial(product, f)))(x) for f in (returns, solved))
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_batches_of_no_pair_and_batches_that_broadcast(rng):
    p, q = jnp.asarray(rng.random((2, 4, 5)))
    assert jax.jit(returns)(p[:0], q[:0]).shape == (0, 2)
    every = jax.jit(returns)(p[:, None], q)
    np.testing.assert_allclose(every[1], returns(p[1], q), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("way", ["jit", "vmap(jit)", "shard_map"])
def test_bad_strategies_are_told_inside(way, rng):
    p, q = jnp.asarray(rng.random((2, 4, 5)))
    for function in (returns, gradients[0]):
        with pytest.raises(jax.errors.JaxRuntimeError, match=r"strategies\[1\] holds 1\.5"):
            jax.block_until_ready(inside(function, way)(p, q.at[2, 3].set(1.5)))
