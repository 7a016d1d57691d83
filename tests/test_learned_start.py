"""Learned starts: the ascent against differences and by hand, its opponents against draws of numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ipd_theory as ipd
from ipd_theory.learning import rules, shaping
from ipd_theory.learning.learned_start import learn_start

GAME = ipd.prisoners_dilemma()
NAIVE, STILL = (rules.naive(), rules.naive()), (rules.still(), rules.still())
X, Y = jax.random.normal(jax.random.key(3), (2, 5))
KNOWN = {"opponents_mean": Y, "opponents_spread": 0.0, "num_opponents": 2, "key": jax.random.key(0)}
SETTING = {"discount": 0.9, "learning_rates": (2.0, 3.0), "num_inner_episodes": 3}


@jax.jit
def slopes(x, y):
    """What player 1 earns, and along what both climb, from the returns alone."""

    def both(x, y):
        return ipd.expected_returns(GAME, jax.nn.sigmoid(x), jax.nn.sigmoid(y), discount=0.9)

    return both(x, y)[0], jax.grad(lambda x: both(x, y)[0])(x), jax.grad(lambda y: both(x, y)[1])(y)


def earned(logits, step):
    """The mean over the path of two naive learners, walked step by step."""
    x, y, returns = logits, Y, []
    for _ in range(4):
        value, mine, theirs = slopes(x, y)
        returns.append(float(value))
        x, y = x + step * mine, y + 3.0 * theirs
    return float(np.mean(returns))


def test_two_updates_are_those_of_the_optimizer_along_slopes_found_by_differences() -> None:
    adam, h = optax.adamw(0.1, weight_decay=0.2), 1e-4
    found = learn_start(GAME, X, NAIVE, optimizer=adam, updates=2, **SETTING, **KNOWN)
    by_hand, returns = (X, jnp.asarray(2.0)), []
    memory = adam.init(by_hand)
    for _ in range(2):
        x, step = by_hand
        returns.append(earned(x, step))
        down = (
            jnp.array([earned(x - e, step) - earned(x + e, step) for e in h * jnp.eye(5)]) / (2 * h),
            jnp.array(earned(x, step - h) - earned(x, step + h)) / (2 * h),
        )
        assert abs(down[1]) > 1e-4
        with jax.numpy_dtype_promotion("standard"):
            change, memory = adam.update(down, memory, by_hand)
            by_hand = optax.apply_updates(by_hand, change)
    np.testing.assert_allclose(found.returns, returns, rtol=1e-6)
    np.testing.assert_allclose(found.logits, by_hand[0], rtol=1e-5)
    np.testing.assert_allclose(found.step, by_hand[1], rtol=1e-6)


def test_learners_of_a_batch_train_apart_even_where_the_optimizer_looks_at_all_it_gets() -> None:
    together = optax.chain(optax.clip_by_global_norm(0.01), optax.sgd(1.0))
    more = {"optimizer": together, "updates": 2, "learn_step": False, **KNOWN, **SETTING}
    starts, rates = jnp.stack([X, -X, X + 1])[:, None], jnp.array([[1.0], [2.0], [4.0]])
    of_all = learn_start(GAME, starts, STILL, **more | {"learning_rates": (rates, 3.0)})
    assert (of_all.logits.shape, of_all.returns.shape) == ((3, 1, 5), (3, 1, 2))
    np.testing.assert_array_equal(of_all.step, rates)  # a step that is not learned stays
    np.testing.assert_allclose(jnp.linalg.norm(of_all.logits - starts, axis=-1), 0.02, rtol=1e-2)
    for i in range(3):
        alone = learn_start(GAME, starts[i, 0], STILL, **more | {"learning_rates": (rates[i, 0], 3.0)})
        for one, here in zip(alone, of_all, strict=True):
            np.testing.assert_allclose(here[i, 0], one, rtol=1e-9)


def test_opponents_are_drawn_anew_from_the_normal_distribution_that_was_asked_for(rng) -> None:
    mean, spread = np.array([2.0, -1.0, 0.5, 0.0, 1.0]), 0.5
    found = learn_start(
        GAME,
        X,
        STILL,
        discount=0.9,
        learning_rates=(0.0, 0.0),
        num_inner_episodes=0,
        optimizer=optax.sgd(0.0),
        updates=64,
        num_opponents=100,
        opponents_mean=mean,
        opponents_spread=spread,
        key=jax.random.key(5),
    )
    others = 1 / (1 + np.exp(-(mean + spread * rng.normal(size=(6400, 5)))))
    wanted = np.asarray(ipd.expected_returns(GAME, jax.nn.sigmoid(X), others, discount=0.9)[:, 0])
    assert len(set(found.returns.tolist())) == 64
    assert abs(found.returns.mean() - wanted.mean()) < 3.5 * wanted.std() * np.sqrt(2 / 6400)
    np.testing.assert_allclose(found.returns.std(), wanted.std() / np.sqrt(100), rtol=0.35)  # 4 errors of 64 draws
    np.testing.assert_array_equal(found.logits, X)


def test_it_comes_to_earn_more_among_opponents_that_it_never_met_and_seeds_repeat_it() -> None:
    setting = {"discount": 0.9, "learning_rates": (5.0, 5.0), "num_inner_episodes": 10}
    more = {"optimizer": optax.adam(0.1), "updates": 40, "num_opponents": 16, **setting}
    found, again, other = (
        learn_start(GAME, jnp.zeros(5), NAIVE, key=jax.random.key(seed), **more) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(found.returns, again.returns)
    assert not np.array_equal(found.returns, other.returns)
    fresh = jax.random.normal(jax.random.key(77), (400, 5))
    before, after = (
        shaping.meta_mapg_return(GAME, x, fresh, NAIVE, **setting | {"learning_rates": (step, 5.0)})
        for x, step in ((jnp.zeros(5), jnp.asarray(5.0)), (found.logits, found.step))
    )
    gain = np.asarray(after - before)
    assert gain.mean() > 5 * gain.std() / 20


def test_a_learned_step_never_turns_round() -> None:
    """Learners here earn more with longer steps; far down that slope a learner ends at none, not at one backwards."""
    downwards = optax.sgd(-1e4)
    found = learn_start(GAME, X, NAIVE, optimizer=downwards, updates=1, **SETTING, **KNOWN)
    assert earned(X, 2.1) > earned(X, 2.0) + 1e-4
    assert float(found.step) == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rates": (np.ones(3), 1.0)}, r"learning_rates\[0\] one or of the shape of logits"),
        ({"learning_rates": (1.0, np.ones(2))}, r"learning_rates\[1\] must be one"),
        ({"learning_rates": (1.0, -1.0)}, r"learning_rates\[1\] holds -1.0"),
        ({"learning_rates": (1.0,)}, "learning_rates must be 2; got 1"),
        ({"opponents_mean": np.zeros(4)}, r"one for each of 5 contexts; got shape \(4,\)"),
        ({"opponents_spread": -1.0}, "opponents_spread"),
        ({"updates": -1}, "updates must be a whole number"),
        ({"num_opponents": 0}, "num_opponents must be a whole number, 1 or more; got 0"),
    ],
)
def test_what_does_not_fit_is_one_error_that_names_it(change, said) -> None:
    with pytest.raises(ValueError, match=said):
        learn_start(
            GAME, jnp.zeros((2, 5)), NAIVE, optimizer=optax.sgd(1.0), **SETTING | {"updates": 1} | KNOWN | change
        )
