"""Checks of arguments: what passes, what is refused and how, and what a valid argument costs."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory import _checks
from ipd_theory.games import MatrixGame, axelrod
from ipd_theory.learning.shaping import shaping_return

REFUSED = (ValueError, jax.errors.JaxRuntimeError)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_whole_numbers_of_any_make_are_taken(value):
    assert _checks.whole("horizon", value, 1) == 3
    assert type(_checks.whole("horizon", value, 1)) is int


@pytest.mark.parametrize("value", [True, np.True_, 2.0, np.float64(2.0), "2", None, 0, [2], np.array([2]), 10**30])
def test_anything_else_is_no_whole_number(value):
    with pytest.raises(ValueError, match=r"horizon must be a whole number, from 1 to 9; got"):
        _checks.whole("horizon", value, 1, 9)


def test_what_is_traced_is_neither_a_whole_number_nor_a_number():
    with pytest.raises(ValueError, match="horizon must be a whole number"):
        jax.jit(lambda n: _checks.whole("horizon", n, 1))(3)
    with pytest.raises(ValueError, match=r"step must be one finite number.*traced"):
        jax.jit(lambda x: _checks.number("step", x))(3.0)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array(0.5), jnp.asarray(0.5), Fraction(1, 2)])
def test_numbers_of_any_make_are_taken(value):
    assert _checks.number("step", value, 0.0, 1.0) == 0.5
    assert type(_checks.number("step", value)) is float


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 1, True, np.True_, "0.5", None, 1j, [0.5], 10**400])
def test_anything_else_is_no_number(value):
    with pytest.raises(ValueError, match=r"step must be one finite number at least 0 and below 1; got"):
        _checks.number("step", value, 0, 1, open_high=True)


def test_open_limits_are_excluded():
    assert _checks.number("step", 1, 0, 1, open_low=True) == 1.0
    with pytest.raises(ValueError, match="above 0 and at most 1; got 0"):
        _checks.number("step", 0, 0, 1, open_low=True)


@pytest.mark.parametrize("value", [-1, 2, True, 0.0, "0"])
def test_players_count_from_zero(value):
    assert _checks.player("player", np.int64(1), 2) == 1
    with pytest.raises(ValueError, match=f"player must be one of 0, 1; got {value!r}"):
        _checks.player("player", value, 2)


@pytest.mark.parametrize("value", ["Log", None, ["log"], np.zeros(2)])
def test_choices_are_listed(value):
    assert _checks.one_of("scale", "log", ("linear", "log")) == "log"
    with pytest.raises(ValueError, match=r"scale must be one of 'linear', 'log'; got"):
        _checks.one_of("scale", value, ("linear", "log"))


def test_wrong_kinds_of_objects_are_named():
    _checks.instance("game", axelrod(), MatrixGame)
    with pytest.raises(TypeError, match=r"game must be a MatrixGame; got \[\[1\]\], a list; did you mean"):
        _checks.instance("game", [[1]], MatrixGame, "did you mean MatrixGame([[1]])?")
    with pytest.raises(TypeError, match="game must be a MatrixGame or int; got the class MatrixGame"):
        _checks.instance("game", MatrixGame, (MatrixGame, int))


def test_batch_axes_that_do_not_fit_are_named():
    assert _checks.batch(p=(3, 1), q=(5,), discount=()) == (3, 5)
    with pytest.raises(ValueError, match=r"do not fit here: p \(3,\), q \(4,\)$"):
        _checks.batch(p=(3,), q=(4,), discount=())


@pytest.mark.parametrize("value", [[1, 0], [True, False], np.array([1, 0]), [Fraction(1), Fraction(0)], [1.0, 0]])
def test_numbers_without_a_dtype_take_the_default_one(value):
    array = _checks.to_float(value)
    assert array.dtype == jnp.float64
    assert array.tolist() == [1.0, 0.0]


def test_a_floating_dtype_is_kept():
    assert _checks.to_float(np.ones(2, np.float32)).dtype == jnp.float32


@pytest.mark.parametrize("value", [None, [None, 1], "1", [1, [2, 3]], 1j])
def test_what_holds_no_real_numbers_is_no_array(value):
    with pytest.raises(ValueError, match="expected real numbers"):
        _checks.to_float(value)


@pytest.mark.parametrize(("bad", "shown"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_infinities_and_nan_are_not_finite(bad, shown):
    x = jnp.asarray([1.0, bad])
    assert _checks.finite("rewards", x[:1]) == 1.0
    with pytest.raises(ValueError, match=f"rewards holds {shown}; every entry must be finite"):
        _checks.finite("rewards", x)
    with pytest.raises(REFUSED, match="rewards holds"):
        jax.block_until_ready(jax.jit(lambda x: _checks.finite("rewards", x))(x))


def test_a_side_without_limit_still_refuses_nan():
    assert _checks.in_range("x", jnp.asarray([-1e300, 1.0]), -math.inf, 1.0).shape == (2,)
    with pytest.raises(ValueError, match="x holds nan"):
        _checks.in_range("x", jnp.asarray(math.nan), -math.inf, math.inf)


@pytest.fixture
def host_calls(monkeypatch):
    calls = []

    def counted(*arguments):
        check = require(*arguments)
        return lambda worst: (calls.append(worst), check(worst))

    require = _checks._require
    monkeypatch.setattr(_checks, "_require", counted)
    return calls


def squares(x):
    return _checks.in_range("x", x, 0.0, 1.0) ** 2


@pytest.mark.parametrize("under", [lambda f: f, jax.vmap, lambda f: jax.vmap(jax.vmap(jax.grad(f)))], ids=range(3))
def test_only_a_failing_check_calls_the_host(host_calls, under):
    ndim = 2
    run = jax.jit(under(squares))
    valid = jnp.full((2,) * ndim, 0.5)
    jax.block_until_ready(run(valid))
    assert not host_calls
    with pytest.raises(REFUSED, match=r"x holds 1.5; every entry must lie in \[0, 1\]"):
        jax.block_until_ready(run(valid.at[1, 0].set(1.5)))
    assert host_calls


@pytest.mark.parametrize("size", [8, _checks._FEW + 8])
def test_what_is_known_is_checked_while_something_else_is_traced(size):
    """Arrays that a compiled function closes over, few and many numbers."""
    known = jnp.full(size, 0.5)
    wrong = known.at[3].set(1.5)
    assert jax.jit(lambda x: x + _checks.probabilities("p", known).sum())(1.0) == 1 + size / 2
    with pytest.raises(ValueError, match=r"p holds 1\.5; every entry must lie in \[0, 1\]"):
        jax.jit(lambda x: x + _checks.probabilities("p", wrong).sum())(1.0)


def test_many_learners_that_a_compiled_function_closes_over():
    learners = jnp.zeros((_checks._FEW, 5))

    def mean(logits):
        setting = {"discount": 0.9, "learning_rate": 1.0, "num_inner_episodes": 1}
        return shaping_return(axelrod(), logits, learners, **setting).mean()

    assert np.isfinite(jax.jit(mean)(jnp.ones(5)))
