"""Best replies against policy iteration, equilibria against textbook games."""

import itertools

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import equilibria


def optimal_return(game, q, discount):
    """Value iteration on the decision process over the last outcome, as player 1 sees it."""
    q = np.asarray(q)[[0, 1, 3, 2, 4]]
    payoffs = np.asarray(game.outcome_payoffs[0]).reshape(2, 2)
    values = np.zeros(5)
    for _ in range(4000):
        onward = payoffs + discount * values[1:].reshape(2, 2)
        values = np.max(q[:, None] * onward[:, 0] + (1 - q[:, None]) * onward[:, 1], axis=1)
    return (1 - discount) * values[0]


@hypothesis.settings(max_examples=20)
@hypothesis.given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.sampled_from([0.3, 0.9, 0.98]))
def test_best_response_is_the_optimum_of_the_decision_process(q, discount):
    game = ipd.prisoners_dilemma()
    got = ipd.best_response(game, jnp.array(q), discount=discount)
    np.testing.assert_allclose(got.value, optimal_return(game, q, discount), atol=1e-9)
    played = ipd.expected_returns(game, got.strategy, jnp.array(q), discount=discount)[0]
    np.testing.assert_allclose(played, got.value, atol=1e-12)


def test_tit_for_tat_and_grim_are_nash_from_their_critical_discounts_on():
    """Axelrod payoffs: TFT from γ = 2/3, GRIM from γ = 1/2."""
    game = ipd.games.axelrod()
    discounts = jnp.array([0.45, 0.55, 0.65, 0.68, 0.9])
    for strategy, first in ((ipd.strategies.tit_for_tat(), 2 / 3), (ipd.strategies.grim(), 1 / 2)):
        value = ipd.best_response(game, strategy, discount=discounts).value
        np.testing.assert_array_equal(value <= 3.0 + 1e-12, discounts > first)


def test_either_player_may_reply_and_batches_broadcast():
    game = ipd.games.battle_of_the_sexes()
    other = jnp.array([[0.2, 0.1, 0.9, 0.4, 0.6], [1.0, 1.0, 0.0, 1.0, 0.0]])
    mirrored = ipd.MatrixGame(jnp.swapaxes(game.payoffs[::-1], -1, -2))
    got = ipd.best_response(game, other, discount=0.9, player=1)
    want = ipd.best_response(mirrored, other, discount=0.9)
    np.testing.assert_allclose(got.value, want.value, rtol=1e-12)
    np.testing.assert_array_equal(got.strategy, want.strategy)
    assert got.strategy.shape == (2, 5)
    with pytest.raises(ValueError, match="player"):
        ipd.best_response(game, other, discount=0.9, player=2)
    with pytest.raises(ValueError, match="strategy"):
        ipd.best_response(game, np.zeros(21), discount=0.9)


def supports(found):
    return {(tuple(np.flatnonzero(e.row > 1e-9)), tuple(np.flatnonzero(e.column > 1e-9))) for e in found}


def test_textbook_equilibria_are_found_and_certified():
    A = np.array([[2.0, 0.0], [0.0, 1.0]])
    found = equilibria.nash_equilibria(A, A.T[::-1, ::-1])  # battle of the sexes: two pure, one mixed
    assert supports(found) == {((0,), (0,)), ((1,), (1,)), ((0, 1), (0, 1))}
    mixed = next(e for e in found if e.row.min() > 0)
    np.testing.assert_allclose(mixed.row, [2 / 3, 1 / 3])
    rps = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    (only,) = equilibria.nash_equilibria(rps, -rps)
    np.testing.assert_allclose(only.row, np.full(3, 1 / 3), atol=1e-9)
    assert max(e.gap for e in found) < 1e-12


@pytest.mark.parametrize("most_by_vertices", [6, 0])
def test_degenerate_meta_games_keep_their_equilibria(most_by_vertices):
    """ALLC, TFT, GRIM tie against each other; only ALLD against itself and cooperation resist deviations."""
    names = ["always_cooperate", "tit_for_tat", "grim", "always_defect"]
    table = [getattr(ipd.strategies, name)() for name in names]
    A = np.array([[ipd.expected_returns(ipd.games.axelrod(), p, q, discount=0.9)[0] for q in table] for p in table])
    found = equilibria.nash_equilibria(A, A.T, most_by_vertices=most_by_vertices)
    pure = {
        (i, j)
        for i, j in itertools.product(range(4), range(4))
        if A[i, j] >= A[:, j].max() and A[j, i] >= A[:, i].max()
    }
    assert {((i,), (j,)) for i, j in pure} <= supports(found)
    assert all(equilibria.best_response_gap(A, A.T, e.row, e.column) <= 1e-8 for e in found)
    assert equilibria.best_response_gap(A, A.T, np.eye(4)[0], np.eye(4)[0]) == pytest.approx(A[3, 0] - A[0, 0])


def test_dominated_strategies_die_out():
    A = np.array([[1.0, -1.0], [2.0, 0.0]])
    assert equilibria.undominated(A, A.T) == ([1], [1])
    np.testing.assert_allclose(equilibria.survivors(A), [0.0, 1.0], atol=1e-6)
    times = np.linspace(0, 2, 5)
    shares = equilibria.replicator(A, np.array([0.5, 0.5]), times)
    np.testing.assert_allclose(shares[:, 1], 1 / (1 + np.exp(-times)), atol=1e-6)  # ẋ = x(1 − x)
    with pytest.raises(ValueError, match="shape"):
        equilibria.nash_equilibria(A, np.zeros((3, 2)))


def test_whatever_is_a_mixture_is_a_distribution():
    """No entry below zero by rounding: in vertices of degenerate games, shares and survivors."""
    rng = np.random.default_rng(4)
    for size in (2, 3, 4) * 20:
        A, B = rng.integers(-3, 4, (2, size, size)) * 0.1
        found = [x for one in equilibria.nash_equilibria(A, B) for x in (one.row, one.column)]
        found += [
            *equilibria.replicator(A, np.full(size, 1 / size), np.array([0.0, 1.0, 50.0])),
            equilibria.survivors(A),
        ]
        for mixture in found:
            assert (mixture >= 0).all()
            assert mixture.sum() == pytest.approx(1, abs=1e-12)
