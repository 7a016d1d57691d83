"""Large batches done in blocks give what one batch gives, whatever broadcasts and however the blocks fall."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory._engine.compilation import compiled
from ipd_theory.learning import play, rules


@compiled("power", ranks=(1, 0))
def scaled(x, scale, power):
    return {"sum": (x**power).sum(-1) * scale, "each": x * scale[..., None]}


@pytest.mark.parametrize(("axes", "others"), [((3, 700), (3, 1)), ((700,), (3, 1)), ((2049,), ()), ((1,), (1025,))])
def test_blocks_are_the_batch(axes, others, rng):
    x, scale = rng.normal(size=(*axes, 4)), rng.normal(size=others)
    got = scaled(jnp.asarray(x), jnp.asarray(scale), power=3)
    shape = np.broadcast_shapes(axes, others)
    assert got["each"].shape == (*shape, 4)
    np.testing.assert_allclose(got["each"], np.broadcast_to(x * scale[..., None], (*shape, 4)), rtol=1e-12)
    np.testing.assert_allclose(got["sum"], (x**3).sum(-1) * scale, rtol=1e-12, atol=1e-12)


@compiled(ranks=(1,))
def counted(x):
    return x + jnp.arange(4.0)


@pytest.mark.parametrize("x64", [False, True])
def test_blocks_keep_the_precision_of_their_caller(x64):
    """They run in threads of their own, where what the caller set for its thread does not hold."""
    with jax.enable_x64(x64):
        got = counted(jnp.ones((1500, 4)))
    assert got.dtype == (jnp.float64 if x64 else jnp.float32)
    np.testing.assert_allclose(got[-1], [1, 2, 3, 4])


def test_blocks_inside_compiled_code_and_gradients(rng):
    x = jnp.asarray(rng.normal(size=(1500, 4)))

    @jax.jit
    def total(x):
        return scaled(x, jnp.array(2.0), power=2)["sum"].sum()

    np.testing.assert_allclose(total(x), 2 * (x**2).sum(), rtol=1e-12)
    np.testing.assert_allclose(jax.grad(total)(x), 4 * x, rtol=1e-12)


def test_shaping_returns_of_many_pairs_are_those_of_each(rng):
    game = ipd.prisoners_dilemma()
    logits, learners = rng.normal(size=(3, 5)), rng.normal(size=(400, 1, 5))
    setting = {"discount": 0.9, "learning_rate": 2.0, "num_inner_episodes": 2}
    every = ipd.shaping_return(game, logits, learners, **setting)
    assert every.shape == (400, 3)
    np.testing.assert_allclose(every[-5:], ipd.shaping_return(game, logits, learners[-5:], **setting), rtol=1e-12)


def test_rules_inside_other_compiled_code_learn_the_same(rng):
    """There the options are not ours: calls stand in for barriers, and the loop carries the game along."""
    game, (x, y) = ipd.prisoners_dilemma(), rng.normal(size=(2, 3, 5))
    pair = (rules.lola_with_look_ahead(1.0), rules.naive())

    def returns(x, y):
        setting = {"discount": 0.9, "optimizers": (optax.sgd(1.0),) * 2, "steps": 5}
        return play.learn(game, pair, x, y, **setting).returns

    np.testing.assert_allclose(jax.jit(returns)(x, y), returns(x, y), rtol=1e-9)
