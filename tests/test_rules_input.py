"""Bad input to learning is one clear error that names it, before any work; what means the same is taken as the same."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import meta_value, rules, shaping
from ipd_theory.learning import pool as pools
from ipd_theory.learning.optimizers import checked_optimizers
from ipd_theory.learning.play import direction, learn
from ipd_theory.learning.rules.base import checked_rules
from ipd_theory.learning.tournament import play_all

GAME, THREE = ipd.prisoners_dilemma(), ipd.games.public_goods(3, 2.0)
PAIR, SGD = (rules.naive(), rules.naive()), optax.sgd(1.0)
ZEROS, NAN = np.zeros(5), np.full(5, np.nan)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rules.lola_as_published(-1.0), "step"),
        (lambda: rules.look_ahead(float("nan")), "step"),
        (lambda: rules.extragradient(float("inf")), "step"),
        (lambda: rules.sos("1"), "step"),
        (lambda: rules.hola(2, 0.0), "step must be .* above 0"),
        (lambda: rules.hola(-1, 1.0), "order"),
        (lambda: rules.lola_dice(1.5, 1.0), "num_look_aheads"),
        (lambda: rules.coala(True, 1.0), "num_inner_episodes"),
        (lambda: rules.cola(1.0, max_iterations=0), "max_iterations"),
        (lambda: rules.meta_value(2, 1.0, 1.5), "meta_discount"),
        (lambda: rules.path_gradient((), 1.0), "weights"),
        (lambda: rules.mixture((rules.naive(),), (1.0, 2.0)), "weights"),
        (lambda: rules.mixture((rules.naive(),), (float("nan"),)), "weights"),
        (lambda: rules.loqa(jnp.ones(3)), "beta"),
        (lambda: rules.pola(-1.0, 1.0), "beta_out"),
        (lambda: rules.symplectic_surgery(damping=0.0), "damping"),
    ],
)
def test_rules_refuse_bad_numbers(make, message):
    with pytest.raises((ValueError, TypeError), match=message):  # of another kind: a TypeError of the type checker
        make()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rules": (rules.naive, rules.naive())}, TypeError, "rules"),
        ({"rules": rules.naive()}, TypeError, "rules"),
        ({"rules": PAIR[:1]}, ValueError, "rules"),
        ({"optimizers": SGD}, TypeError, "optimizers"),
        ({"optimizers": (SGD,)}, ValueError, "optimizers"),
        ({"optimizers": (SGD, 0.1)}, TypeError, "optimizers"),
        ({"logits": NAN}, ValueError, "logits"),
        ({"logits": np.zeros((3, 5)), "other_logits": np.zeros((4, 5))}, ValueError, r"logits \(3,\).*\(4,\)"),
        ({"logits": np.zeros(4)}, ValueError, "logits"),
        ({"game": THREE}, ValueError, "more_logits must be 1, for there are 3 players"),
        ({"discount": 1.5}, ValueError, "discount"),
        ({"steps": 0}, ValueError, "steps"),
        ({"steps": 1.5}, TypeError, "steps"),
        ({"every": (1, 0)}, ValueError, r"every\[1\]"),
        ({"every": 2}, ValueError, "every"),
    ],
)
def test_learn_refuses_what_it_cannot_mean(change, error, message):
    settings = {"game": GAME, "rules": PAIR, "logits": ZEROS, "other_logits": ZEROS, "discount": 0.9}
    settings |= {"optimizers": (SGD, SGD), "steps": 1} | change
    with pytest.raises((error, TypeError), match=message):  # of another kind: a TypeError of the type checker
        learn(**settings)


def test_what_is_no_rule_or_optimizer_is_told_how_one_is_written():
    with pytest.raises(TypeError, match=r"rules\[0\] must be a rule.* did you mean naive\(…\)"):
        checked_rules("rules", (rules.naive, rules.naive()))
    with pytest.raises(ValueError, match="rules must be 2"):
        checked_rules("rules", PAIR[:1], 2)
    with pytest.raises(TypeError, match=r"optimizers\[1\] must be an optax transformation"):
        checked_optimizers((SGD, 0.1), 2)
    with pytest.raises(TypeError, match="must be a tuple of 2 optax transformations"):
        checked_optimizers(SGD, 2)


SHAPING = {"discount": 0.9, "learning_rate": 1.0, "num_inner_episodes": 2}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ipd.shaping_return(GAME, NAN, ZEROS, **SHAPING), ValueError, "logits"),
        (lambda: ipd.shaping_return(GAME, ZEROS, NAN, **SHAPING), ValueError, "learner_logits"),
        (lambda: ipd.shaping_return(GAME, ZEROS, ZEROS, **SHAPING | {"learning_rate": np.inf}), ValueError, "rate"),
        (lambda: ipd.shaping_return(THREE, ZEROS, ZEROS, **SHAPING), ValueError, "more_learners must be 1"),
        (lambda: ipd.shaping_return(GAME, np.zeros((3, 5)), np.zeros((4, 5)), **SHAPING), ValueError, "broadcast"),
        (lambda: ipd.shaping_return(GAME, ZEROS, ZEROS, **SHAPING | {"num_inner_episodes": 2.0}), TypeError, "num_in"),
        (
            lambda: shaping.good_shepherd(GAME, ZEROS, np.zeros((2, 5)), optimizer=SGD, steps=-1, **SHAPING),
            ValueError,
            "steps",
        ),
        (
            lambda: shaping.good_shepherd(GAME, ZEROS, ZEROS, optimizer=SGD, steps=1, **SHAPING),
            ValueError,
            "learner_logits",
        ),
        (
            lambda: shaping.weighted_shaping_return(GAME, ZEROS, ZEROS, [], discount=0.9, learning_rate=1.0),
            ValueError,
            "weights",
        ),
        (
            lambda: shaping.meta_mapg_return(
                GAME, ZEROS, ZEROS, PAIR, discount=0.9, learning_rates=(1.0, -1.0), num_inner_episodes=1
            ),
            ValueError,
            r"learning_rates\[1\]",
        ),
        (lambda: direction(GAME, rules.naive, ZEROS, ZEROS, discount=0.9), TypeError, "rule"),
        (
            lambda: play_all(GAME, PAIR, np.zeros((3, 5)), discount=0.9, optimizers=(SGD, SGD), steps=1),
            ValueError,
            "logits",
        ),
        (lambda: pools.Pool(0.5, optimizer=0.1), TypeError, "optimizer"),
        (lambda: pools.Pool(float("nan")), ValueError, "p_naive"),
        (lambda: pools.Pool(0.5, num_learners=1.5), ValueError, "num_learners"),
        (lambda: pools.Pool(0.5, game=THREE), ValueError, "num_agents must be 3 or more"),
        (lambda: pools.Pool(0.5, learning_rate=np.zeros(2), discount=np.zeros(3)), ValueError, "broadcast"),
        (lambda: meta_value.fitted_meta_value(None, 0.9), TypeError, "network"),
        (lambda: meta_value.FitSettings(learning_rate=float("nan")), ValueError, "learning_rate"),
        (lambda: meta_value.FitSettings(rounds=1.5), ValueError, "rounds"),
    ],
)
def test_objectives_and_pools_refuse_what_they_cannot_mean(make, error, message):
    with pytest.raises((error, TypeError), match=message):  # of another kind: a TypeError of the type checker
        make()


def test_a_bad_number_inside_compiled_code_is_named_when_it_runs():
    run = jax.jit(lambda x: ipd.shaping_return(GAME, x, ZEROS, discount=0.9, learning_rate=1.0, num_inner_episodes=0))
    with pytest.raises(jax.errors.JaxRuntimeError, match="logits"):
        run(NAN).block_until_ready()


@pytest.mark.parametrize("logits", [[0, 1, 0, -1, 2], np.array([0, 1, 0, -1, 2]), jnp.array([0, 1, 0, -1, 2])])
def test_whole_numbers_are_as_precise_as_floats(logits):
    want = ipd.shaping_return(GAME, np.array([0.0, 1, 0, -1, 2]), ZEROS, **SHAPING)
    got = ipd.shaping_return(GAME, logits, [0] * 5, **SHAPING)
    assert got.dtype == jnp.float64
    np.testing.assert_array_equal(got, want)
