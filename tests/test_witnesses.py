"""Witnesses against verdicts: that they earn what they are said to, and that there is one exactly where it is no."""

from typing import Any

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, replies, strategies

AXELROD = ipd.games.axelrod()


@pytest.mark.parametrize("discount", [0.8, 1.0])
def test_there_is_a_witness_exactly_where_the_verdict_is_no(rng: np.random.Generator, discount: float) -> None:
    tables = np.concatenate([rng.integers(0, 2, (20, 5)), rng.random((5, 5)), [strategies.tit_for_tat()]]).astype(float)
    for verdict, witness, own in (
        (replies.is_nash, replies.challenger, False),
        (replies.is_rival, replies.overtaker, True),
    ):
        found = witness(AXELROD, tables, discount=discount)
        np.testing.assert_array_equal(found.lead > 1e-9, ~verdict(AXELROD, tables, discount=discount))
        earned = np.asarray(ipd.expected_returns(AXELROD, found.strategy, tables, discount=discount))
        np.testing.assert_allclose(np.stack([found.earns, found.other_earns], -1), earned, atol=1e-12)
        itself = ipd.expected_returns(AXELROD, tables, tables, discount=discount)[..., 0]
        np.testing.assert_allclose(found.lead, earned[:, 0] - (earned[:, 1] if own else itself), atol=1e-11)
    friendly = replies.is_friendly_rival(AXELROD, tables, discount=1.0)
    pair = replies.is_partner(AXELROD, tables, discount=1.0), replies.is_rival(AXELROD, tables, discount=1.0)
    np.testing.assert_array_equal(friendly, pair[0] & pair[1])


def test_the_contexts_in_which_tit_for_tat_is_mistaken() -> None:
    """At 0.8 it should keep the peace after CD and DC alike, as its copy will answer defection with defection."""
    found = replies.mistaken(AXELROD, strategies.tit_for_tat(), discount=0.8)
    np.testing.assert_array_equal(found, [False, False, True, False, True])
    assert not np.asarray(replies.mistaken(AXELROD, strategies.grim(), discount=0.8)).any()


def test_the_play_of_pure_strategies() -> None:
    named = strategies.named
    assert replies.path(named("ALLD"), named("TFT")) == (("DC",), ("DD",))
    assert replies.path(named("STFT"), named("TFT")) == ((), ("DC", "CD"))
    assert replies.path(named("TFT"), named("TFT")) == ((), ("CC",))
    assert replies.path(named("ALLD"), named("TF2T")) == (("DC", "DC"), ("DD",))
    assert replies.path(named("ALLD"), named("AON(3)")) == ((), ("DC", "DD", "DD", "DD"))
    with pytest.raises(ValueError, match="second must be a pure strategy"):
        replies.path(named("TFT"), named("GTFT"))


def test_only_games_for_two_have_overtakers() -> None:
    game = ipd.games.public_goods(3, 2.0)
    for witness in (replies.challenger, replies.overtaker):
        with pytest.raises(ValueError, match="game must be for two players; it is for 3"):
            witness(game, strategies.proportional_tit_for_tat(3))


def test_akins_condition_for_nash_in_the_limit_of_means(rng: np.random.Generator) -> None:
    """(1, p2, p3, p4) is Nash iff p3 (T−R)/(R−S) ≤ 1 − p2 and p4 (T−R)/(R−P) ≤ 1 − p2 (Akin 2016)."""
    p = rng.random((200, 3))
    tables = np.concatenate([np.ones((200, 2)), p], 1)
    right = (p[:, 1] * 2 / 3 <= 1 - p[:, 0]) & (p[:, 2] * 2 / 2 <= 1 - p[:, 0])
    np.testing.assert_array_equal(replies.is_nash(AXELROD, tables, discount=1.0), right)


@pytest.mark.parametrize("found", [replies.is_nash, replies.is_subgame_perfect, replies.is_partner, replies.mistaken])
def test_one_strategy_for_all_is_judged_in_games_that_are_the_same_from_all_sides(found: Any) -> None:
    # In matching pennies player 1 is content where both do the same, and player 2 is not.
    with pytest.raises(ValueError, match="game must be symmetric"):
        found(ipd.games.matching_pennies(), strategies.always_cooperate(), discount=0.9)


@pytest.mark.parametrize("found", [automata.is_nash, automata.is_subgame_perfect, automata.is_partner])
def test_automata_are_judged_in_games_that_are_the_same_from_all_sides(found: Any) -> None:
    with pytest.raises(ValueError, match="game must be symmetric"):
        found(ipd.games.matching_pennies(), automata.grim(), discount=0.9)
