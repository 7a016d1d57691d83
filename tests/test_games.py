from fractions import Fraction

import jax
import jax.numpy as jnp
import nashpy
import numpy as np
import pytest

from ipd_theory import MatrixGame, games, prisoners_dilemma


def test_payoffs_are_those_of_a_bimatrix_game():
    game = prisoners_dilemma(R=3.0, S=0.0, T=5.0, P=1.0)
    np.testing.assert_array_equal(game.payoffs[0], [[3, 0], [5, 1]])
    np.testing.assert_array_equal(game.payoffs[1], [[3, 5], [0, 1]])
    np.testing.assert_array_equal(game.outcome_payoffs, [[3, 0, 5, 1], [3, 5, 0, 1]])
    np.testing.assert_array_equal(prisoners_dilemma().outcome_payoffs[0], [1, -1, 2, 0])


@pytest.mark.parametrize(
    ("game", "pure"),
    [
        (games.axelrod(), {(1, 1)}),
        (games.donation_game(3.0, 1.0), {(1, 1)}),
        (games.stag_hunt(), {(0, 0), (1, 1)}),
        (games.chicken(), {(0, 1), (1, 0)}),
        (games.battle_of_the_sexes(), {(0, 0), (1, 1)}),
        (games.matching_pennies(), set()),
    ],
)
def test_pure_equilibria_of_the_classic_games(game, pure):
    equilibria = nashpy.Game(*np.asarray(game.payoffs)).vertex_enumeration()
    found = {tuple(int(np.argmax(s)) for s in pair) for pair in equilibria if all(np.max(s) > 0.999 for s in pair)}
    assert found == pure


def test_public_goods_between_two_is_a_donation_game():
    # A contribution of 1 returns m/2 to each: benefit m/2, net cost 1 − m/2.
    game, donation = games.public_goods(2, 1.5), games.donation_game(0.75, 0.25)
    np.testing.assert_allclose(game.payoffs, donation.payoffs)
    three = games.public_goods(3, 2.0)
    assert three.payoffs.shape == (3, 2, 2, 2)
    assert float(three.payoffs[1, 0, 1, 0]) == pytest.approx(2 * 2 / 3)  # two contributors, player 2 rides free


def test_games_batch_and_pass_through_transformations():
    batch = prisoners_dilemma(T=jnp.linspace(1.5, 3.0, 4))
    assert batch.payoffs.shape == (4, 2, 2, 2)
    gradient = jax.grad(lambda g: g.payoffs[0].sum())(prisoners_dilemma())
    np.testing.assert_array_equal(gradient.payoffs, [[[1, 1], [1, 1]], [[0, 0], [0, 0]]])
    temptations = jax.vmap(lambda g: g.payoffs[0, 1, 0])(batch)
    np.testing.assert_allclose(temptations, jnp.linspace(1.5, 3.0, 4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MatrixGame(jnp.zeros((2, 2))), r"payoffs has shape \(2, 2\)"),
        (lambda: MatrixGame(jnp.zeros((2, 2, 2, 2)), num_players=3), r"its last 4 axes must be \(3, 2, 2, 2\)"),
        (lambda: MatrixGame(jnp.full((2, 2, 2), jnp.nan)), "payoffs must be finite"),
        (lambda: prisoners_dilemma(R=5.0), "T > R > P > S; got T=2.0, R=5.0"),
        (lambda: games.public_goods(1, 2.0), "num_players must be a whole number, from 2 to 20; got 1"),
    ],
)
def test_bad_payoffs_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_games_come_from_matrices_and_from_cells_and_go_back():
    axelrod = games.axelrod()
    assert games.bimatrix([[3, 0], [5, 1]], [[3, 5], [0, 1]]) == axelrod
    assert games.from_cells([[(3, 3), (0, 5)], [(5, 0), (1, 1)]]) == axelrod
    A, B = axelrod.bimatrix()
    np.testing.assert_array_equal(A, [[3, 0], [5, 1]])
    np.testing.assert_array_equal(B, A.T)
    batch = games.bimatrix(np.arange(12.0).reshape(3, 2, 2), np.eye(2))
    assert batch.payoffs.shape == (3, 2, 2, 2)
    np.testing.assert_array_equal(batch.bimatrix()[1][2], np.eye(2))
    three = games.public_goods(3, 2.0)
    cells = [[[[float(three.payoffs[i, a, b, c]) for i in range(3)] for c in (0, 1)] for b in (0, 1)] for a in (0, 1)]
    assert games.from_cells(cells) == three
    with pytest.raises(ValueError, match="game must be for two players; it is for 3"):
        three.bimatrix()
    with pytest.raises(ValueError, match=r"B has shape \(3, 2\)"):
        games.bimatrix(np.eye(2), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"cells has shape \(2, 2, 3\)"):
        games.from_cells(np.ones((2, 2, 3)))


def test_games_are_keys():
    names = {games.axelrod(): "Axelrod", games.chicken(): "chicken"}
    assert names[prisoners_dilemma(R=3, S=0, T=5, P=1)] == "Axelrod"
    assert games.stag_hunt() not in names
    signed = games.bimatrix([[0.0, 1], [1, 0]], [[-0.0, 1], [1, 0]])
    assert {signed: 1}[games.bimatrix([[-0.0, 1], [1, 0]], [[0.0, 1], [1, 0]])] == 1
    with pytest.raises(TypeError, match="a game with traced payoffs has no hash"):
        jax.jit(lambda benefit: hash(games.donation_game(benefit, 1.0)))(3.0)


def test_symmetry_is_between_all_players():
    assert games.is_symmetric(games.chicken())
    assert not games.is_symmetric(games.battle_of_the_sexes())
    three = games.public_goods(3, 2.0)
    assert games.is_symmetric(three)
    for player in range(3):  # one payoff of one player is another
        assert not games.is_symmetric(MatrixGame(three.payoffs.at[player, 0, 1, 1].add(0.5), num_players=3))


def test_payoffs_of_any_make_become_floats():
    game = games.symmetric_game(R=Fraction(1, 3), S=[0, 1], T=np.int64(2), P=True)
    assert game.payoffs.dtype == jnp.float64
    np.testing.assert_array_equal(game.outcome_payoffs[:, 0], [[1 / 3, 0, 2, 1], [1 / 3, 1, 2, 1]])
    assert games.public_goods(np.int64(2), 1, Fraction(1, 2)).payoffs.dtype == jnp.float64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: games.symmetric_game(1, [1, 2], [1, 2, 3], 0), r"do not fit here: S \(2,\), T \(3,\)"),
        (lambda: games.public_goods(3, float("nan")), "multiplication must be a finite number; got nan"),
        (lambda: games.public_goods(2.0, 2), r"num_players must be a whole number; got 2\.0"),
        (lambda: games.donation_game("3", 1), "benefit must be an array of numbers; got '3'"),
        (lambda: games.is_symmetric([[1]]), r"game must be a MatrixGame; got \[\[1\]\]"),
    ],
)
def test_arguments_that_make_no_game_are_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
