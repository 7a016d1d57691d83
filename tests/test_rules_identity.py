"""A rule is what it says: equal where it is written alike, printed as it is written, its numbers data and not code."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import pool as pools
from ipd_theory.learning import rules
from ipd_theory.learning.optimizers import Optimizer, structure_of
from ipd_theory.learning.play import direction, learn

GAME = ipd.prisoners_dilemma()
X, Y = jax.random.normal(jax.random.key(0), (2, 3, 5))


@contextlib.contextmanager
def compiled_programs(caplog, name):
    """Yield a list that afterwards holds what was compiled under this name."""
    found = []
    caplog.clear()
    with jax.log_compiles():
        yield found
    found += [r.getMessage() for r in caplog.records if r.getMessage().startswith(f"Compiling jit({name})")]


def play(rule, optimizer, other=None):
    pair = (rule, rules.naive() if other is None else other)
    return learn(GAME, pair, X, Y, discount=0.9, optimizers=(optimizer, optax.sgd(1.0)), steps=2)


def test_written_anew_or_with_another_number_nothing_compiles_anew(caplog):
    with compiled_programs(caplog, "_learn") as first:
        out = play(rules.lola_as_published(1.0), optax.sgd(1.0))
    with compiled_programs(caplog, "_learn") as again:
        same = play(rules.lola_as_published(1.0), optax.sgd(1.0))
        farther = play(rules.lola_as_published(2.0), optax.sgd(1.0))
        as_array = play(rules.lola_as_published(jnp.array(2.0)), optax.sgd(1.0))
    assert len(first) == 1
    assert not again
    np.testing.assert_array_equal(out.logits, same.logits)
    np.testing.assert_array_equal(farther.logits, as_array.logits)
    assert jnp.abs(out.logits - farther.logits).max() > 1e-3


def test_a_pool_with_its_own_optimizer_compiles_once(caplog):
    def advanced():
        pool = pools.Pool(0.5, num_inner_episodes=1, num_learners=1, optimizer=optax.sgd(0.25))
        return pools.update(pool, pools.init(pool, jax.random.key(0)))

    with compiled_programs(caplog, "advance") as first:
        advanced()
    with compiled_programs(caplog, "advance") as again:
        advanced()
    assert len(first) == 1
    assert not again


def test_a_step_may_be_mapped_over_and_differentiated():
    """LOLA's direction is linear in its step."""

    def along(step):
        return direction(GAME, rules.lola_as_published(step), X, Y, discount=0.9)

    steps = jnp.array([0.0, 1.0, 3.0])
    every = jax.vmap(along)(steps)
    np.testing.assert_allclose(every[2] - every[0], 3 * (every[1] - every[0]), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(every[1], along(1.0), rtol=1e-12, atol=1e-15)
    _, slope = jax.jvp(along, (2.0,), (1.0,))
    np.testing.assert_allclose(slope, every[1] - every[0], rtol=1e-9, atol=1e-13)


def test_rules_print_as_they_are_written_and_compare_by_what_they_are():
    written = {
        "naive()": rules.naive(),
        "lola_with_look_ahead(step=1.0)": rules.lola_with_look_ahead(1),
        "hola(order=2, step=0.5)": rules.hola(2, 0.5),
        "mixture((naive(), loqa(beta=1.0)), (0.5, 2.0))": rules.mixture((rules.naive(), rules.loqa(1.0)), (0.5, 2.0)),
        "coala(num_inner_episodes=3, shaping_weight=None, step=5.0)": rules.coala(3, 5.0),
    }
    for text, rule in written.items():
        assert repr(rule) == text
        assert rule == eval(text, vars(rules) | {name: getattr(rules, name) for name in dir(rules)})
    assert rules.hola(2, 0.5) != rules.hola(2, 0.25)
    assert rules.hola(2, 0.5) != rules.hola(1, 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda r: optax.sgd(r),
        lambda r: optax.adamw(r, weight_decay=0.1),
        lambda r: optax.chain(optax.clip(1.0), optax.sgd(optax.linear_schedule(r, 0.0, 10))),
        lambda r: optax.sgd(jnp.array(r)),
        lambda r: optax.GradientTransformation(lambda p: (), lambda g, m, p=None: (r * g, m)),
    ],
    ids=["sgd", "adamw", "schedule", "array", "own"],
)
def test_optimizers_are_equal_exactly_where_they_are_written_alike(make):
    one, same, other = (structure_of(make(r)) for r in (0.1, 0.1, 0.2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


def test_optimizers_of_different_kinds_differ_and_recursion_ends():
    def itself(depth):
        return itself(depth - 1) if depth else 0

    assert structure_of(itself) == structure_of(itself)
    assert structure_of(optax.sgd(0.1)) != structure_of(optax.sgd(0.1, momentum=0.5))
    assert structure_of(optax.adam(0.1)) != structure_of(optax.adamw(0.1))
    pool = pools.Pool(0.5, optimizer=optax.sgd(0.1))
    assert isinstance(pool.optimizer, Optimizer)
    assert jax.tree.structure(pool) == jax.tree.structure(pools.Pool(0.5, optimizer=optax.sgd(0.1)))
