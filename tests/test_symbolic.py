"""The symbolic forms against sympy's own derivatives, published closed forms and, in exact fractions, the engine."""

import functools
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import ipd_theory as ipd
from ipd_theory import symbolic

PAYOFFS = (1, -1, 2, 0)
GAME = ipd.prisoners_dilemma(*PAYOFFS)
BOTH = (*symbolic.P_SYMBOLS, *symbolic.Q_SYMBOLS)
TFT, WSLS, ALLC = (1, 1, 0, 1, 0), (1, 1, 0, 0, 1), (1, 1, 1, 1, 1)

Fractions = tuple[Fraction, ...]


@functools.cache
def returns_and_gradients() -> object:
    """J₁, J₂, then ∂J₁ and ∂J₂ in (p, q), as one function of exact numbers."""
    pairing = symbolic.Pairing()
    forms = [symbolic.expected_return(pairing, player) for player in (0, 1)]
    forms += [x for player in (0, 1) for wrt in (0, 1) for x in symbolic.gradient(pairing, player, wrt)]
    return symbolic.as_function(forms)


@functools.cache
def hessians() -> object:
    """The 10 × 10 second derivatives of J₁ in (p, q), row by row, as one function of exact numbers."""
    blocks = [[symbolic.hessian(symbolic.Pairing(), 0, (i, j)) for j in (0, 1)] for i in (0, 1)]
    return symbolic.as_function(list(sympy.Matrix(sympy.BlockMatrix(blocks))))


def at(function: object, p: Fractions, q: Fractions, delta: Fraction) -> list[Fraction]:
    return function()(p, q, 1 - delta, [Fraction(x) for x in PAYOFFS])


@jax.jit
def engine(x: jax.Array, discount: jax.Array) -> tuple[jax.Array, ...]:
    """Returns, their closed-form and automatic gradients, and the Hessian of J₁, by the elimination."""

    def returns(x: jax.Array) -> jax.Array:
        return ipd.expected_returns(GAME, x[:5], x[5:], discount=discount)

    closed = [
        ipd.return_gradient(GAME, x[:5], x[5:], discount=discount, player=player, wrt=wrt)
        for player in (0, 1)
        for wrt in (0, 1)
    ]
    return (
        returns(x),
        jnp.concatenate(closed).reshape(2, 10),
        jax.jacrev(returns)(x),
        jax.hessian(lambda x: returns(x)[0])(x),
    )


def close(actual: np.ndarray, expected: Sequence[Fraction], tolerance: float) -> None:
    """Assert equality up to `tolerance` of the largest entry (or of 1)."""
    expected = np.array([float(x) for x in expected]).reshape(actual.shape)
    np.testing.assert_allclose(actual, expected, atol=tolerance * max(1.0, np.abs(expected).max()), rtol=0)


# Probabilities and stopping rates that float64 holds exactly, so that both sides see the same numbers.
near_corners = st.sampled_from([0.0, 1.0, 1e-7, 1 - 2**-23, 2**-40])
tables = st.lists(st.one_of(near_corners, st.integers(0, 64).map(lambda i: i / 64)), min_size=5, max_size=5)
deltas = st.one_of(st.integers(1, 32).map(lambda i: i / 64), st.sampled_from([2.0**-k for k in (7, 10, 20, 33)]))


@settings(max_examples=150)
@given(tables, tables, deltas)
def test_engine_equals_exact_fractions(p: list[float], q: list[float], delta: float) -> None:
    """Closed form = autodiff = symbolic in exact fractions, at random and near-corner points, 1 − γ down to 1e-10."""
    exact = tuple(map(Fraction, p)), tuple(map(Fraction, q)), Fraction(delta)
    returns, closed, automatic, hessian = engine(jnp.asarray(p + q), 1 - delta)
    expected = at(returns_and_gradients, *exact)
    close(np.asarray(returns), expected[:2], 1e-14)
    close(np.asarray(closed), expected[2:], 1e-13)
    close(np.asarray(automatic), expected[2:], 1e-13)
    close(np.asarray(hessian), at(hessians, *exact), 1e-11)


def test_gradients_keep_their_digits_near_corners(rng: np.random.Generator) -> None:
    """600 pairs, half of all entries at or within 2^-23 of a corner: float64 to 1e-14, float32 to 1e-6 of the largest.

    In many of them DD, or another outcome, is transient; values relative to it would be off by 1e-16 / δ.
    """
    corners = [0.0, 1.0, 2.0**-23, 1 - 2.0**-23]
    x = np.where(rng.random((600, 10)) < 0.5, rng.choice(corners, (600, 10)), rng.integers(0, 65, (600, 10)) / 64)
    delta = rng.choice([2.0**-k for k in (1, 4, 7, 10, 20, 33)], 600)
    exact = [
        at(returns_and_gradients, tuple(map(Fraction, row[:5])), tuple(map(Fraction, row[5:])), Fraction(step))[2:12]
        for row, step in zip(x, delta, strict=True)
    ]
    expected = np.array([[float(value) for value in row] for row in exact])
    for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 1e-6)):
        p, q = jnp.asarray(x[:, :5], dtype), jnp.asarray(x[:, 5:], dtype)
        parts = [ipd.return_gradient(GAME, p, q, discount=1 - delta, player=0, wrt=wrt) for wrt in (0, 1)]
        error = np.abs(np.concatenate(parts, -1) - expected).max(-1)
        assert (error / np.maximum(1, np.abs(expected).max(-1))).max() < tolerance


@settings(max_examples=25)
@given(tables, tables, deltas)
def test_derivatives_are_difference_quotients(p: list[float], q: list[float], delta: float) -> None:
    """Central differences in exact fractions: no rounding, so steps of 1e-6 δ leave an error of order 1e-12."""
    step = Fraction(delta) / 10**6
    p, q = tuple(map(Fraction, p)), tuple(map(Fraction, q))
    values = at(returns_and_gradients, p, q, Fraction(delta))
    hessian = np.reshape(at(hessians, p, q, Fraction(delta)), (10, 10))
    scale = max(1.0, *(abs(float(x)) for x in hessian.flat))
    for i in range(10):
        up, down = ([*p, *q], [*p, *q])
        up[i], down[i] = up[i] + step, down[i] - step
        above, below = (at(returns_and_gradients, x[:5], x[5:], Fraction(delta)) for x in (up, down))
        slopes = [(a - b) / (2 * step) for a, b in zip(above, below, strict=True)]
        close(np.array([float(slopes[0]), float(slopes[1])]), [values[2 + i], values[12 + i]], 1e-9)
        curvature = np.array([float(x) for x in slopes[2:12]])
        np.testing.assert_allclose(curvature, hessian[i].astype(float), atol=1e-9 * scale)


@pytest.mark.parametrize("seed", range(3))
def test_derivatives_are_sympys(seed: int) -> None:
    """The determinant forms equal sympy's derivatives of the return, exactly, at random rational points."""
    draw = np.random.default_rng(seed).integers
    point = {x: sympy.Rational(int(draw(0, 21)), 20) for x in BOTH}
    numbers = [Fraction(int(x.p), int(x.q)) for x in point.values()]
    delta = Fraction(int(draw(1, 20)), 20)
    values = at(returns_and_gradients, tuple(numbers[:5]), tuple(numbers[5:]), delta)
    hessian = np.reshape(at(hessians, tuple(numbers[:5]), tuple(numbers[5:]), delta), (10, 10))
    fixed = dict(zip(symbolic.PAYOFFS, PAYOFFS, strict=True)) | {symbolic.DISCOUNT: 1 - sympy.Rational(delta)}
    form = symbolic.evaluated(symbolic.expected_return(symbolic.Pairing())).subs(fixed)
    pairs = [(i, int(draw(10))) for i in range(10)] + [(1, 6), (2, 8), (0, 5)]
    for i, j in pairs:
        partly = form.subs({x: v for k, (x, v) in enumerate(point.items()) if k not in (i, j)})
        first, second = sympy.diff(partly, BOTH[i]), sympy.diff(partly, BOTH[i], BOTH[j])
        assert sympy.Rational(values[2 + i]) == first.subs(point)
        assert sympy.Rational(hessian[i, j]) == second.subs(point)


def test_returns_are_linear_fractions_in_each_probability() -> None:
    """Of degree one in every probability; the start is not in the denominator; 313 and 55 terms in all."""
    form = symbolic.expected_return(symbolic.Pairing())
    generators = (*BOTH, symbolic.DISCOUNT, *symbolic.PAYOFFS)
    numerator, denominator = (sympy.Poly(symbolic.evaluated(x), *generators) for x in sympy.fraction(form))
    assert [len(x.terms()) for x in (numerator, denominator)] == [313, 55]
    assert [numerator.degree(x) for x in BOTH] == [1] * 10
    assert [denominator.degree(x) for x in BOTH] == [0, 1, 1, 1, 1] * 2


def test_published_closed_forms() -> None:
    """Reactive pairs, extortion of ALLC, trembling hands, and adaptive dynamics of reactive strategies."""
    axelrod = (3, 0, 5, 1)
    reactive = symbolic.Pairing((1, 0.9, 0.3, 0.9, 0.3), (1, 0.7, 0.1, 0.7, 0.1), 1, axelrod)
    returns = [symbolic.rational(symbolic.expected_return(reactive, player)) for player in (0, 1)]
    assert returns == [sympy.Rational(497, 256), sympy.Rational(657, 256)]

    chi, phi, error, p, q, b, c = sympy.symbols("χ φ ε p q b c")
    extorts = (0, 1 - 2 * phi * (chi - 1), 1 - phi * (1 + 4 * chi), phi * (chi + 4), 0)
    against_allc = symbolic.Pairing(extorts, ALLC, 1, axelrod)
    expected = ((2 + 13 * chi) / (2 + 3 * chi), (12 + 3 * chi) / (2 + 3 * chi))
    for player in (0, 1):
        assert sympy.simplify(symbolic.rational(symbolic.expected_return(against_allc, player)) - expected[player]) == 0

    def trembling(table: tuple[sympy.Expr | int, ...]) -> sympy.Expr:
        flipped = [(1 - error) * x + error * (1 - x) for x in table]
        return symbolic.rational(symbolic.expected_return(symbolic.Pairing(flipped, flipped, 1, axelrod)))

    assert trembling(TFT) == sympy.Rational(9, 4)
    generous = (1, 1, sympy.Rational(1, 8), 1, sympy.Rational(1, 4))  # ZD-GTFT-2
    for table, slope in ((WSLS, -5), (generous, -8), (ALLC, -1)):
        earned = trembling(table)
        assert (earned.subs(error, 0), sympy.diff(earned, error).subs(error, 0)) == (3, slope)

    resident = (p, p, q, p, q)
    donation = symbolic.Pairing(resident, resident, 1, (b - c, -c, b, 0))
    _, cc, cd, dc, dd = symbolic.gradient(donation)
    r = p - q
    adaptive = (b * r - c) / ((1 - r) * (1 - r**2))
    assert sympy.simplify(symbolic.rational(cc + dc) - adaptive * q) == 0
    assert sympy.simplify(symbolic.rational(cd + dd) - adaptive * (1 - p)) == 0


def test_limit_of_means_of_pure_pairs(rng: np.random.Generator) -> None:
    """Where γ = 1 gives 0/0 the limit γ → 1 is taken, and is what the engine gives."""
    pure = np.asarray(ipd.strategies.all_pure())
    ps, qs = pure[rng.integers(32, size=120)], pure[rng.integers(32, size=120)]
    shares = ipd.state_occupancy(ps, qs, discount=1.0)
    for p, q, expected in zip(ps, qs, shares, strict=True):
        ours = symbolic.occupancy(symbolic.Pairing(p, q, discount=1))
        np.testing.assert_allclose(expected, [float(symbolic.rational(x)) for x in ours], atol=1e-15)


def test_a_gradient_that_has_no_limit_is_infinite() -> None:
    """TFT against itself in the limit of means: the least defection after CC ends cooperation for good."""
    start, after_cc, *_ = symbolic.gradient(symbolic.Pairing(TFT, TFT, 1, PAYOFFS))
    assert after_cc == sympy.zoo
    assert start == 1 - sympy.Rational(1, 2)  # R − (S + T)/2: opening with D leads to CD, DC, CD, …


@pytest.mark.parametrize(
    "pairing",
    [
        symbolic.Pairing(q=TFT, discount=1),
        symbolic.Pairing(q=WSLS),
        symbolic.Pairing(q=(1, 1, Fraction(1, 3), 1, Fraction(1, 3)), discount=0.96, payoffs=PAYOFFS),
        symbolic.Pairing(p=TFT, discount=Fraction(9, 10)),
    ],
)
def test_printed_forms_keep_the_value(pairing: symbolic.Pairing) -> None:
    """Factoring and sorting by payoff change the looks alone."""
    small = [symbolic.expected_return(pairing, 1), *symbolic.gradient(pairing, 0, 1)]
    forms = [*small, symbolic.hessian(pairing)[1, 2], symbolic.hessian(pairing, 1, (0, 1))[3, 3]]
    point = {x: sympy.Rational(2 * i + 1, 29) for i, x in enumerate((*BOTH, symbolic.DISCOUNT, *symbolic.PAYOFFS))}
    for form in forms:
        value = symbolic.evaluated(form).subs(point)
        printed = [symbolic.simplest(form)]
        if form in small:
            printed.append(symbolic.rational(form))
        if form == small[0]:
            printed.append(symbolic.by_payoff(symbolic.rational(form)))
        assert [x.subs(point) for x in printed] == [value] * len(printed)
        assert not any(x.has(sympy.Determinant) for x in printed)


def test_shorthand_names_the_columns() -> None:
    pairing = symbolic.Pairing()
    short, columns = symbolic.shorthand(symbolic.gradient(pairing)[1], pairing)
    assert list(columns) == ["c", "p̃", "q̃", "f"]
    assert columns["f"] == symbolic.PAYOFFS
    D, e, u1, u2 = map(sympy.Symbol, ("|c p̃ q̃ 1|", "|c p̃ q̃ e_CC|", "|f p̃ q̃ 1|", "|c f q̃ 1|"))
    assert sympy.simplify(short + symbolic.DISCOUNT * e * (symbolic.Q_SYMBOLS[1] * u1 + u2) / D**2) == 0
    text = symbolic.latex(short)
    assert r"\left|c\ \tilde p\ \tilde q\ e_{CC}\right|" in text
    assert r"\gamma" in text
    assert symbolic.simplest(symbolic.gradient(pairing)[1]).has(sympy.Determinant)  # 11 free symbols stay short


def test_latex_of_a_small_form() -> None:
    """Random against a memory-less opponent: a polynomial that fits a line."""
    p, q = sympy.symbols("p q")
    form = symbolic.simplest(symbolic.expected_return(symbolic.Pairing([p] * 5, [q] * 5, payoffs=(1, 0, 0, 0))))
    assert form == p * q
    discounted = symbolic.Pairing((0, 0, 0, 0, 0), ALLC, payoffs=(0, 0, symbolic.DISCOUNT, 0))
    assert symbolic.latex(symbolic.simplest(symbolic.expected_return(discounted))) == r"\gamma"
    assert symbolic.latex(sympy.Matrix([[1, 2]])) == sympy.latex(sympy.Matrix([[1, 2]]))


def test_numbers_become_the_fractions_meant() -> None:
    assert symbolic.exact(0.1) == sympy.Rational(1, 10)
    assert symbolic.exact(1 / 3) == sympy.Rational(1, 3)
    assert symbolic.exact(np.float64(0.95)) == sympy.Rational(19, 20)
    assert symbolic.exact("1/3") == sympy.Rational(1, 3)
    assert symbolic.exact(1e-9) == sympy.Rational(1, 10**9)
    assert symbolic.exact(sympy.pi) == sympy.pi


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p": (1, 1, 1.5, 0, 0)}, r"p holds 3/2"),
        ({"q": (1, 1, 0)}, r"q has 3 entries"),
        ({"discount": -0.1}, r"discount holds -1/10"),
        ({"p": (1, 1, float("nan"), 0, 0)}, r"p must hold finite numbers or sympy expressions; got nan"),
        ({"payoffs": (1, 2, 3)}, r"payoffs has 3 entries"),
    ],
)
def test_bad_input_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        symbolic.Pairing(**arguments)


def test_the_module_imports_no_jax() -> None:
    there = "import sys, ipd_theory.symbolic; print([x for x in ('jax', 'jaxtyping') if x in sys.modules])"
    assert subprocess.run([sys.executable, "-c", there], capture_output=True, text=True).stdout.strip() == "[]"
