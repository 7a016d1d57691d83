"""Zero-determinant strategies against published tables, the relation they must enforce, and brute force."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import ipd_theory as ipd
from ipd_theory import zero_determinant as zd

AXELROD = ipd.games.axelrod()


def table(*after: float, start: float = 1.0) -> jnp.ndarray:
    return jnp.asarray([start, *after])


# Stewart & Plotkin 2012 and the tests of the Axelrod library, payoffs (3, 0, 5, 1). φ is Press & Dyson's.
PUBLISHED = {
    "Extort-2": (zd.extortion(AXELROD, 2, 1 / 18), (8 / 9, 1 / 2, 1 / 3, 0)),
    "Extort-3": (zd.extortion(AXELROD, 3, 1 / 26), (11 / 13, 1 / 2, 7 / 26, 0)),
    "Extort-4": (zd.extortion(AXELROD, 4, 1 / 17), (11 / 17, 0, 8 / 17, 0)),
    "GEN-2": (zd.generous(AXELROD, 2, 1 / 16), (1, 9 / 16, 1 / 2, 1 / 8)),
    "ZD-GTFT-2": (zd.generous(AXELROD, 2, 1 / 8), (1, 1 / 8, 1, 1 / 4)),
    "SET-2": (zd.equalizer(AXELROD, 2, 1 / 4), (3 / 4, 1 / 4, 1 / 2, 1 / 4)),
    "equaliser (0.9, 0.1)": (zd.equalizer(AXELROD, 2, 0.1), (0.9, 0.7, 0.2, 0.1)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tables(name: str) -> None:
    ours, published = PUBLISHED[name]
    np.testing.assert_allclose(ours[1:], published, atol=1e-15)


def test_formulas_of_press_and_dyson() -> None:
    """p1 … p4 as the COALA-PG paper prints them, on its own payoffs, up to the largest φ."""
    R, S, T, P = 1.0, -1.0, 2.0, 0.0
    for chi in (1.0, 1.5, 6.0):
        largest = (P - S) / ((P - S) + chi * (T - P))
        for phi in (largest, 0.3 * largest):
            p1 = 1 - phi * (chi - 1) * (R - P) / (P - S)
            p2 = 1 - phi * (1 + chi * (T - P) / (P - S))
            p3 = phi * (chi + (T - P) / (P - S))
            ours = zd.extortion(ipd.prisoners_dilemma(R, S, T, P), chi, phi)
            np.testing.assert_allclose(ours, [0, p1, p2, p3, 0], atol=1e-14)
        with pytest.raises(ValueError, match=r"phi holds .*must not be 0 and lie in \[0.0, "):
            zd.extortion(ipd.prisoners_dilemma(), chi, largest * 1.001)


def test_the_family_of_hilbe_nowak_and_traulsen(rng: np.random.Generator) -> None:
    """Their p1 … p4 (2013, eq. 5), for any line and at the largest φ; Press & Dyson's φ is theirs over χ."""
    R, S, T, P = 3.0, 0.0, 5.0, 1.0
    for s, l in zip(rng.uniform(-0.2, 1, 20), rng.uniform(1, 3, 20), strict=True):
        phi = float(zd.phi_range(AXELROD, s, l, 1.0)[1])
        formula = 1 - phi * (1 - s) * (R - l), 1 - phi * (s * (l - S) + T - l)
        formula += phi * (l - S + s * (T - l)), phi * (1 - s) * (l - P)
        np.testing.assert_allclose(zd.linear(AXELROD, s, l, phi)[1:], formula, atol=1e-14)
    np.testing.assert_allclose(zd.linear(AXELROD, 1 / 3, P, 3 / 26), zd.extortion(AXELROD, 3, 1 / 26), atol=1e-15)


def test_equaliser_fixes_the_other(rng: np.random.Generator) -> None:
    against = jnp.asarray(rng.uniform(size=(200, 5)))
    returns = ipd.expected_returns(AXELROD, table(0.9, 0.7, 0.2, 0.1), against, discount=1.0)
    np.testing.assert_allclose(returns[..., 1], 2, atol=1e-12)


def test_extortioner_against_always_cooperate() -> None:
    """Press & Dyson 2012: (2 + 13χ)/(2 + 3χ) and (12 + 3χ)/(2 + 3χ), whatever φ is."""
    chi = jnp.linspace(1.0, 20, 12)[:, None]
    phi = jnp.array([0.2, 1.0]) / (1 + 4 * chi)
    returns = ipd.expected_returns(
        AXELROD, zd.extortion(AXELROD, chi, phi), ipd.strategies.always_cooperate(), discount=1.0
    )
    expected = jnp.stack(jnp.broadcast_arrays((2 + 13 * chi) / (2 + 3 * chi), (12 + 3 * chi) / (2 + 3 * chi)), -1)
    np.testing.assert_allclose(returns, jnp.broadcast_to(expected, returns.shape), rtol=1e-13)


# Knight et al. 2024: the sum of squared errors to the extortion line, payoffs (3, 0, 5, 1).
DISTANCES = {
    "ALLC": (table(1, 1, 1, 1), 21 / 17),
    "WSLS": (table(1, 0, 0, 1), 21 / 17),
    "ALLD": (table(0, 0, 0, 0), 1 / 17),
    "GTFT": (table(1, 1 / 3, 1, 1 / 3), 7 / 51),
    "ZD-GTFT-2": (table(1, 1 / 8, 1, 1 / 4), 9 / 136),
    "Extort-2": (table(8 / 9, 1 / 2, 1 / 3, 0), 0),
    "TFT": (table(1, 0, 1, 0), 0),
}


@pytest.mark.parametrize("name", DISTANCES)
def test_distance_to_extortion(name: str) -> None:
    strategy, distance = DISTANCES[name]
    np.testing.assert_allclose(zd.fit(AXELROD, strategy).residual, distance, atol=1e-14)


def enforced_line(returns: jnp.ndarray, slope: object, baseline: object) -> jnp.ndarray:
    return slope * (returns[..., 0] - baseline) - (returns[..., 1] - baseline)


probability = st.floats(0, 1)
discounts = st.one_of(st.just(1.0), st.floats(0.3, 1.0), st.sampled_from([1 - 1e-6, 1 - 1e-12]))
opponents = st.tuples(*[st.one_of(probability, st.sampled_from([0.0, 1.0, 1e-7, 1 - 1e-7]))] * 5)


@settings(max_examples=60)
@given(opponents, opponents, discounts)
def test_akins_identity(p: tuple[float, ...], q: tuple[float, ...], discount: float) -> None:
    """⟨v, γp − (1,1,0,0) + (1−γ)p0⟩ = 0 for every pair of strategies, in the limit of means too."""
    v = ipd.state_occupancy(jnp.asarray(p), jnp.asarray(q), discount=discount)
    assert abs(float((v * zd.autocratic_vector(jnp.asarray(p), discount)).sum())) < 1e-12


@settings(max_examples=60)
@given(st.floats(1, 20), st.floats(0, 1), discounts, opponents, st.booleans())
def test_lines_are_enforced(chi: float, share: float, discount: float, q: tuple[float, ...], extorts: bool) -> None:
    """Extortioners and generous strategies hold their line against anyone, at every discount that allows them."""
    game = ipd.prisoners_dilemma()
    baseline, family, start = (0.0, zd.extortion, 0.0) if extorts else (1.0, zd.generous, 1.0)
    low, high = zd.phi_range(game, 1 / chi, baseline, discount, start)
    if low > high:
        with pytest.raises(ValueError, match="no value gives probabilities"):
            family(game, chi, 0.1, discount)
        return
    phi = (low + max(share, 1e-3) * (high - low)) / chi  # P − S is 1
    ours = family(game, chi, phi, discount)
    returns = ipd.expected_returns(game, ours, jnp.asarray(q), discount=discount)
    np.testing.assert_allclose(enforced_line(returns, 1 / chi, baseline), 0, atol=1e-11)


def test_the_range_of_phi_is_tight(rng: np.random.Generator) -> None:
    """At its ends an entry is 0 or 1, and just beyond them the table is refused."""
    game = ipd.prisoners_dilemma()
    for discount, start in ((1.0, 0.3), (0.95, 0.0), (0.95, 1.0), (0.8, 0.5)):
        slope, baseline = 0.0, rng.uniform(0.4, 0.6)
        low, high = zd.phi_range(game, slope, baseline, discount, start)
        assert 0 <= low < high
        for phi in [x for x in (low, high) if x > 0]:
            p = zd.linear(game, slope, baseline, phi, discount, start)[1:]
            assert float(jnp.minimum(p, 1 - p).min()) < 1e-14
        with pytest.raises(ValueError, match="phi holds"):
            zd.linear(game, slope, baseline, high * 1.0001, discount, start)


def test_any_game_and_any_line(rng: np.random.Generator) -> None:
    """`enforcing` works for asymmetric games: three numbers small enough, any relation, any opponent."""
    game = ipd.MatrixGame(jnp.asarray(rng.normal(size=(2, 2, 2))))
    # A relation that the table (0.7, 0.6, 0.3, 0.2) nearly has; the table that has it exactly is built from it.
    near = zd.relation(game, table(0.7, 0.6, 0.3, 0.2, start=0.4), 0.9)
    p = zd.enforcing(game, near.own, near.other, near.constant, 0.9, 0.4)
    returns = ipd.expected_returns(game, p, jnp.asarray(rng.uniform(size=(50, 5))), discount=0.9)
    line = near.own * returns[..., 0] + near.other * returns[..., 1] + near.constant
    np.testing.assert_allclose(line, 0, atol=1e-13)
    np.testing.assert_allclose(zd.relation(game, p, 0.9).residual, 0, atol=1e-28)
    again = zd.relation(game, p, 0.9)
    np.testing.assert_allclose(again[:3], near[:3], rtol=1e-10)


def test_relation_reads_slope_and_baseline_back() -> None:
    found = zd.relation(AXELROD, jnp.stack([PUBLISHED[name][0] for name in ("Extort-3", "GEN-2", "SET-2")]))
    np.testing.assert_allclose(found.slope, [1 / 3, 1 / 2, 0], atol=1e-14)
    np.testing.assert_allclose(found.baseline, [1, 3, 2], rtol=1e-13)
    assert float(zd.relation(AXELROD, ipd.strategies.win_stay_lose_shift()).residual) > 0.1


@pytest.mark.parametrize("discount", [1.0, 0.999, 0.9])
def test_fit_returns_what_was_built(discount: float) -> None:
    chi = jnp.array([1.4, 2.0, 5.0])
    low, high = zd.phi_range(AXELROD, 1 / chi, 1.0, discount)
    phi = (0.3 * low + 0.7 * high) / chi
    built = zd.extortion(AXELROD, chi, phi, discount)
    for constrained in (False, True):
        found = zd.fit(AXELROD, built, discount, constrained)
        np.testing.assert_allclose(found.chi, chi, rtol=1e-10)
        np.testing.assert_allclose(found.phi, phi, rtol=1e-10)
        np.testing.assert_allclose(found.residual, 0, atol=1e-28)


@pytest.mark.parametrize(
    ("game", "discount"),
    [
        (AXELROD, 1.0),
        (ipd.prisoners_dilemma(), 0.999),
        (ipd.games.donation_game(2.0, 2.0 / 3), 0.9),
        (ipd.prisoners_dilemma(R=1.2, S=-3.0, T=1.5, P=0.0), 0.95),
    ],
)
def test_fits_are_least_squares(game: ipd.MatrixGame, discount: float, rng: np.random.Generator) -> None:
    """Free: numpy's lstsq. Constrained: quadratic programming over the bounds of all four probabilities."""
    R, S, T, P = np.asarray(game.outcome_payoffs)[0]
    A, B = np.array([R, S, T, P]), np.array([R, T, S, P])
    basis = np.stack([(A - P) / (P - S), -(B - P) / (P - S)], -1)
    tables = rng.beta(0.4, 0.4, size=(12, 5))
    free, held = zd.fit(game, tables, discount), zd.fit(game, tables, discount, constrained=True)
    assert held.residual.shape == (12,)
    repeat = np.array([1.0, 1, 0, 0])
    for i, p in enumerate(tables):
        target = discount * p[1:] + (1 - discount) * p[0] - repeat
        coefficients, squares, *_ = np.linalg.lstsq(basis, target)
        np.testing.assert_allclose([free.phi[i], free.chi[i] * free.phi[i]], coefficients, atol=1e-10)
        np.testing.assert_allclose(free.residual[i], squares[0], atol=1e-12)
        # γ p = p̃ + (1, 1, 0, 0) within [0, γ] (start 0), and φ ≥ 0, by an independent solver.
        system = np.vstack([basis, [1.0, 0.0]])
        bounds = scipy.optimize.LinearConstraint(system, [*(-repeat), 0], [*(discount - repeat), np.inf])
        solved = scipy.optimize.minimize(
            lambda z, target=target: ((basis @ z - target) ** 2).sum(),
            [0.05, 0.1],
            jac=lambda z, target=target: 2 * basis.T @ (basis @ z - target),
            constraints=[bounds],
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 200},
        )
        np.testing.assert_allclose(held.residual[i], solved.fun, atol=1e-9)


def test_an_empty_family_is_infinitely_far() -> None:
    """At γ = 0.2 no extortioner exists in the default game; `phi_range` says the same for a grid of χ."""
    low, high = zd.phi_range(ipd.prisoners_dilemma(), 1 / jnp.linspace(1, 100, 200), 0.0, 0.2)
    assert bool((low > high).all())
    found = zd.fit(ipd.prisoners_dilemma(), ipd.strategies.always_defect(), 0.2, constrained=True)
    assert float(found.residual) == np.inf
    assert float(found.phi) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zd.extortion(AXELROD, 0.5, 0.1), "chi holds 0.5"),
        (lambda: zd.extortion(AXELROD, jnp.nan, 0.1), "chi holds nan"),
        (lambda: zd.extortion(AXELROD, 2.0, -0.1), "phi holds -0.1"),
        (lambda: zd.extortion(AXELROD, 2.0, jnp.nan), "phi holds nan"),
        (lambda: zd.extortion(AXELROD, 2.0, 0.05, 0.9, start=0.5), "phi holds 0.05; with discount 0.9 and start 0.5"),
        (lambda: zd.equalizer(AXELROD, 7.0, 0.1), "phi holds 0.1"),
        (lambda: zd.equalizer(AXELROD, 2.0, 0.1, discount=0.0), "discount holds 0.0"),
        (lambda: zd.equalizer(AXELROD, 2.0, 0.1, start=1.5), "start holds 1.5"),
        (lambda: zd.enforcing(AXELROD, 3.0, -6.0, 1.0), "the table for these arguments holds"),
        (lambda: zd.extortion(ipd.games.stag_hunt(), 2.0, 0.1), "game must be a symmetric prisoner's dilemma"),
        (lambda: zd.fit(ipd.games.public_goods(3, 2.0), table(1, 0, 1, 0)), "game must be for two players"),
        (lambda: zd.fit(AXELROD, jnp.ones(4)), "strategy has shape"),
        (lambda: zd.fit(AXELROD, table(1, 0, 1, 1.5)), "strategy holds 1.5"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("payoffs", [(3.0, 0.0, 5.0, 1.0), (3e5, 0, 5e5, 1e5), (10003, 10000, 10005, 10001)])
def test_a_relation_does_not_depend_on_units_and_offset(payoffs):
    game = ipd.MatrixGame(ipd.prisoners_dilemma(*payoffs).payoffs.astype(jnp.float32))
    found = zd.relation(game, np.float32([0, 11 / 13, 1 / 2, 7 / 26, 0]))  # Extort-3 of Press & Dyson
    assert float(found.slope) == pytest.approx(1 / 3, rel=1e-5)
    assert float(found.baseline) == pytest.approx(payoffs[3], rel=1e-5)


def test_lines_may_need_a_negative_phi():
    game = ipd.games.symmetric_game(R=1, S=5, T=0, P=3)
    table = zd.equalizer(game, 2.0, -0.1)
    np.testing.assert_allclose(table, [1, 0.9, 0.8, 0.3, 0.1], atol=1e-15)
    others = np.random.default_rng(0).random((20, 5))
    np.testing.assert_allclose(ipd.expected_returns(game, table, others, discount=1.0)[:, 1], 2.0, atol=1e-12)
    low, high = zd.phi_range(game, 0.0, 2.0)
    assert (float(low), float(high)) == (pytest.approx(-1 / 3), 0.0)
    with pytest.raises(ValueError, match=r"phi holds 0.1; it must not be 0 and lie in"):
        zd.equalizer(game, 2.0, 0.1)
    with pytest.raises(ValueError, match="slope holds nan; every entry must be finite"):
        zd.phi_range(game, float("nan"), 2.0)
