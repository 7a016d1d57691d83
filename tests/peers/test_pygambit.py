"""All extreme equilibria of bimatrix games against Gambit's exact enumeration."""

from fractions import Fraction

import numpy as np
import pytest

from ipd_theory import equilibria

gambit = pytest.importorskip("pygambit")

Profile = tuple[tuple[Fraction, ...], tuple[Fraction, ...]]


def enumerated(A: np.ndarray, B: np.ndarray) -> set[Profile]:
    """Gambit's extreme equilibria, in fractions."""
    found = gambit.nash.enummixed_solve(gambit.StrategicGame.from_arrays(A, B), rational=True).equilibria
    return {tuple(tuple(Fraction(int(x.numerator), int(x.denominator)) for _, x in side) for side in e) for e in found}


def test_extreme_equilibria_of_random_games_degenerate_ones_included(rng: np.random.Generator) -> None:
    for _ in range(200):
        rows, columns = rng.integers(2, 5, 2)
        A, B = (rng.integers(-2, 3, (rows, columns)) for _ in "AB")
        found = equilibria.nash_equilibria(A.astype(float), B.astype(float))
        sides = {
            tuple(tuple(Fraction(x).limit_denominator(10**4) for x in side) for side in (e.row, e.column))
            for e in found
        }
        assert sides == enumerated(A, B), (A, B)


def test_games_there_and_back() -> None:
    import ipd_theory as ipd
    from ipd_theory.adapters import pygambit as adapter

    for game in (ipd.games.chicken(), ipd.games.public_goods(3, 2.0), ipd.games.battle_of_the_sexes()):
        assert adapter.from_pygambit(adapter.to_pygambit(game)) == game
    three = ipd.games.public_goods(3, 2.0)
    pure = gambit.nash.enumpure_solve(adapter.to_pygambit(three)).equilibria
    assert len(pure) == 1  # all defect, as 2 / 3 < 1
    with pytest.raises(ValueError, match="every player must have 2"):
        adapter.from_pygambit(gambit.StrategicGame.from_arrays(np.ones((2, 3)), np.ones((2, 3))))
    with pytest.raises(TypeError, match="game must be a game of Gambit's"):
        adapter.from_pygambit(3)
