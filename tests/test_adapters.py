"""Games to and from Nashpy; what needs further packages stands in `tests/peers`."""

import nashpy
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.adapters import nashpy as adapter


def test_games_there_and_back() -> None:
    game = ipd.games.battle_of_the_sexes()
    there = adapter.to_nashpy(game)
    np.testing.assert_array_equal(there.payoff_matrices[1], [[1, 0], [0, 2]])
    assert adapter.from_nashpy(there) == game
    zero_sum = adapter.from_nashpy(nashpy.Game(np.array([[1, -1], [-1, 1]])))
    assert zero_sum == ipd.games.matching_pennies()


def test_what_is_no_game_of_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="game must be one game for two players"):
        adapter.to_nashpy(ipd.games.public_goods(3, 2.0))
    with pytest.raises(ValueError, match=r"A has shape \(3, 3\)"):
        adapter.from_nashpy(nashpy.Game(np.eye(3)))
    with pytest.raises(TypeError, match="game must be a game of Nashpy's"):
        adapter.from_nashpy(3)
