"""What `returns` and best replies take and refuse, and what they say where the limit of means jumps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

import ipd_theory as ipd
from ipd_theory import returns, strategies, symbolic

AXELROD = ipd.games.axelrod()
TFT, WSLS = strategies.tit_for_tat(), strategies.win_stay_lose_shift()


@pytest.mark.parametrize("make", [list, np.array, lambda x: np.array(x, bool), lambda x: jnp.asarray(x, bool)])
def test_whole_numbers_and_truth_values_are_computed_in_the_default_precision(make):
    p, q = make([1, 1, 0, 1, 0]), make([1, 0, 0, 0, 1])
    earned = ipd.expected_returns(AXELROD, p, q, discount=0.9)
    assert earned.dtype == jnp.float64
    np.testing.assert_array_equal(
        earned, ipd.expected_returns(AXELROD, jnp.asarray(p, float), jnp.asarray(q, float), discount=0.9)
    )
    for result in (
        ipd.state_occupancy(p, q, discount=0.9),
        ipd.state_values(AXELROD, p, q, discount=0.9),
        ipd.advantages(AXELROD, p, q, discount=0.9),
        ipd.return_gradient(AXELROD, p, q, discount=0.9),
        ipd.expected_returns(AXELROD, p, q, horizon=np.int64(3)),
        strategies.tremble(p, 0.1),
        strategies.extend(p, 2),
    ):
        assert result.dtype == jnp.float64


def test_a_best_reply_to_whole_numbers_has_all_digits():
    reply = ipd.best_response(ipd.games.donation_game(1.0, 0.01), [1, 0, 0, 0, 0], discount=0.01)
    assert float(reply.value) == pytest.approx(0.99, rel=1e-15)  # defect once, then for good: (1 − γ) · 1


def test_float32_stays_float32():
    p = np.float32([1, 1, 0, 1, 0])
    assert ipd.expected_returns(AXELROD, p, p, discount=0.9).dtype == jnp.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: returns.checked_strategies([p, p, 0.9], 2), r"got 3 of them; the game has 2 players; .* discount=…"),
        (lambda p: ipd.expected_returns(AXELROD, p, p, horizon=True), "horizon must be a whole number.*got True"),
        (lambda p: ipd.expected_returns(AXELROD, p, p, horizon=2.0), r"horizon must be a whole number.*got 2\.0"),
        (lambda p: ipd.expected_returns([[3]], p, p, discount=0.9), r"game must be a MatrixGame; got \[\[3\]\]"),
        (lambda p: ipd.expected_returns(AXELROD, p, TFT.tolist, discount=0.9), r"tables\[1\] must be an array"),
        (lambda p: ipd.expected_returns(AXELROD, p, p, discount="0.9"), "discount must be an array of numbers"),
        (
            lambda p: ipd.expected_returns(AXELROD, np.tile(p, (3, 1)), np.tile(p, (4, 1)), discount=0.9),
            r"\(3,\).*\(4,\)",
        ),
        (
            lambda p: ipd.return_gradient(AXELROD, np.tile(p, (3, 1)), p, discount=np.ones(2)),
            r"\(3,\).*discount \(2,\)",
        ),
        (lambda p: ipd.state_values(AXELROD, p, p, discount=0.9, player=-1), "player must be one of 0, 1; got -1"),
        (lambda p: ipd.advantages(AXELROD, p, p, discount=0.9, player=2), "player must be one of 0, 1; got 2"),
        (lambda p: ipd.return_gradient(AXELROD, p, p, discount=0.9, wrt=-1), "wrt must be one of 0, 1; got -1"),
        (lambda p: ipd.state_occupancy(p, discount=0.9), "got 1 of them; the game has two or more players"),
        (lambda p: ipd.best_response(ipd.games.public_goods(3, 2.0), p, discount=0.9), "game must be for two players"),
        (lambda p: ipd.best_response(AXELROD, p, discount=0.9, player=-1), "player must be one of 0, 1; got -1"),
        (lambda p: ipd.best_response(AXELROD, p + 1, discount=0.9), r"holds 1\.5; every entry must lie in \[0, 1\]"),
        (
            lambda p: ipd.best_response(AXELROD, np.tile(p, (3, 1)), discount=np.ones(2)),
            r"strategy \(3,\), discount \(2,\)",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(np.full(5, 0.5))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_limit_of_means_is_taken_from_arrays_too(dtype):
    """WSLS against TFT goes CC for ever; WSLS against ALLD alternates CD and DD."""
    q = jnp.stack([TFT, strategies.always_defect()]).astype(dtype)
    compiled = jax.jit(lambda gamma: ipd.expected_returns(AXELROD, WSLS.astype(dtype), q, discount=gamma))
    for gamma in (1.0, jnp.asarray(1.0), jnp.ones(2, dtype)):
        for got in (compiled(gamma), ipd.expected_returns(AXELROD, WSLS.astype(dtype), q, discount=gamma)):
            np.testing.assert_allclose(got, [[3, 3], [0.5, 3]], atol=1e-6)
    slopes = jax.jit(jax.grad(lambda q, gamma: ipd.expected_returns(AXELROD, WSLS, q, discount=gamma)[0]))
    assert np.isfinite(slopes(jnp.full(5, 0.5), 1.0)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("p", "q"), [(TFT, TFT), (WSLS, TFT), (strategies.grim(), WSLS), (TFT, WSLS)])
def test_a_gradient_that_does_not_exist_is_infinite(p, q, dtype):
    """Symbolically, a derivative of the limit of means has none, zoo, where it jumps; with the sign of γ < 1."""
    pairing = symbolic.Pairing(p.tolist(), q.tolist(), 1, (3, 0, 5, 1))
    exact = symbolic.gradient(pairing, player=1, wrt=1)
    got = ipd.return_gradient(AXELROD, p.astype(dtype), q.astype(dtype), discount=1.0, player=1, wrt=1)
    near = ipd.return_gradient(AXELROD, p, q, discount=1 - 1e-9, player=1, wrt=1)
    for entry, value, sloped in zip(exact, got, near, strict=True):
        if symbolic.evaluated(entry).has(sympy.zoo, sympy.oo):
            assert abs(sloped) > 1e6
            assert float(value) == np.sign(sloped) * np.inf
        else:
            assert float(value) == pytest.approx(float(symbolic.evaluated(entry)), abs=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_units_of_payoffs_change_units_of_results(scale, dtype, rng):
    p, q = rng.random((2, 50, 5)).astype(dtype)
    p[:20], q[:20] = p[:20].round(), q[:20].round()
    game = ipd.MatrixGame(AXELROD.payoffs.astype(dtype))
    scaled = ipd.MatrixGame(game.payoffs * dtype(scale))
    for discount in (0.9, 1.0):
        for call in (ipd.expected_returns, ipd.state_values, ipd.return_gradient):
            want = np.asarray(call(game, p, q, discount=discount), float)
            got = np.asarray(call(scaled, p, q, discount=discount), float) / scale
            np.testing.assert_allclose(got, want, rtol=2e-4 if dtype == np.float32 else 1e-11, atol=1e-6)
