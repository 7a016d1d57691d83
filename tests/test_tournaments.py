"""The round robin against pair by pair, Axelrod's identities and an ergodic limit."""

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import strategies, tournaments

GAME = ipd.games.axelrod()


def test_each_cell_is_the_match_of_its_pair(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    line_up = [strategies.tit_for_tat(), strategies.tit_for_two_tats(), strategies.random(0.3)[:1], rng.random(5)]
    whole = tournaments.round_robin(GAME, line_up, discount=0.9)
    monkeypatch.setattr(tournaments, "MOST_PAIRS", 1)  # one row at a time
    np.testing.assert_array_equal(tournaments.round_robin(GAME, line_up, discount=0.9), whole)
    for i, mine in enumerate(line_up):
        for j, theirs in enumerate(line_up):
            match = ipd.expected_returns(GAME, mine, theirs, discount=0.9)[0]
            assert float(whole[i, j]) == pytest.approx(float(match), abs=1e-13)


def test_with_any_error_tit_for_tat_earns_nine_quarters_against_itself() -> None:
    tft = tournaments.round_robin(GAME, strategies.tit_for_tat()[None], discount=1.0, error=1e-3)
    assert float(tft[0, 0]) == pytest.approx(9 / 4, abs=1e-12)


def test_a_finite_tournament_counts_rounds() -> None:
    pair = np.stack([strategies.tit_for_tat(), strategies.always_defect()])
    table = tournaments.round_robin(GAME, pair, horizon=100)
    np.testing.assert_allclose(table, [[3, 0.99], [1.04, 1]], atol=1e-12)


def test_nothing_to_play_is_refused() -> None:
    with pytest.raises(ValueError, match="tables is empty"):
        tournaments.round_robin(GAME, [], discount=0.9)
