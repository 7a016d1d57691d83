"""Exact returns against matches that the Axelrod library plays.

Matches without chance must agree to the last digit. A sampled mean may be off by 4 of its standard errors, which
happens by chance in 6 of 100,000 cases; matches are seeded, so that what passes once always does.
"""

import json
import math

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, strategies, tournaments
from ipd_theory.automata import Automaton

axl = pytest.importorskip("axelrod")

from ipd_theory.adapters import axelrod as adapter  # noqa: E402  (only if it is installed)

GAME = ipd.games.axelrod()
TURNS, REPETITIONS = 40, 150

NAMED = {
    "ALLC": "Cooperator",
    "ALLD": "Defector",
    "TFT": "TitForTat",
    "STFT": "SuspiciousTitForTat",
    "WSLS": "WinStayLoseShift",
    "1,1,0,1,2/3": "FirmButFair",  # which forgives mutual defection only so often
    "TF2T": "TitFor2Tats",
    "2TFT": "TwoTitsForTat",
    "GTFT": "GTFT",
    "RANDOM": "Random",
    "extort(2)": "ZDExtort2",
    "generous(2)": "ZDGTFT2",
    "HTFT": "HardTitForTat",
    "CAPRI": "Capri",
    "grudger": "Grudger",
    "davis": "FirstByDavis",
    "prober": "Prober",
    "prober-2": "Prober2",
    "prober-3": "Prober3",
    "hard-prober": "HardProber",
}
SURE = [name for name in NAMED if name not in ("1,1,0,1,2/3", "GTFT", "RANDOM", "extort(2)", "generous(2)")]


def theirs(name: str) -> axl.Player:
    return getattr(axl, NAMED[name])()


def ours(name: str) -> np.ndarray | Automaton:
    """Our strategy; the library's zero-determinant players open with cooperation."""
    named = automata.named(name, game=GAME)
    if isinstance(named, Automaton) or name not in ("extort(2)", "generous(2)"):
        return named
    return np.array([1.0, *np.asarray(named)[1:]])


def exact(line_up: list, noise: float) -> np.ndarray:
    return np.asarray(tournaments.round_robin(GAME, line_up, horizon=TURNS, error=noise))


def agree(found: tuple[float, float], pair: list, noise: float, repetitions: int = REPETITIONS) -> bool:
    """Whether both returns lie within 4 standard errors of matches."""
    scores = adapter.sampled(pair, TURNS, noise, repetitions, seed=0)
    error = scores.std(0, ddof=1) / math.sqrt(repetitions)
    return bool((np.abs(np.array(found) - scores.mean(0)) <= 4 * error + 1e-12).all())


def test_matches_without_chance_are_equal() -> None:
    table = exact([ours(name) for name in SURE], 0.0)
    for i, mine in enumerate(SURE):
        for j, other in enumerate(SURE):
            score = adapter.sampled([theirs(mine), theirs(other)], TURNS, 0.0, 1, seed=0)[0]
            np.testing.assert_allclose([table[i, j], table[j, i]], score, atol=1e-12, err_msg=f"{mine} {other}")


@pytest.mark.parametrize("other", ["TFT", "TF2T", "GTFT", "extort(2)", "grudger"])
def test_matches_with_noise_agree_within_four_standard_errors(other: str) -> None:
    names = list(NAMED)
    table, j = exact([ours(name) for name in names], 0.05), names.index(other)
    for i, mine in enumerate(names):
        found = float(table[i, j]), float(table[j, i])
        assert agree(found, [theirs(mine), theirs(other)], 0.05), mine


@pytest.mark.parametrize("name", list(NAMED))
def test_players_are_read_as_the_strategies_that_they_are(name: str) -> None:
    found, known = adapter.from_axelrod(theirs(name)), ours(name)
    pair = [x if isinstance(x, Automaton) else automata.of_table(x) for x in (found, known)]
    rng = np.random.default_rng(3)
    for other in rng.random((3, 5)):
        one, two = (automata.expected_returns(GAME, x, automata.of_table(other), discount=0.9) for x in pair)
        np.testing.assert_allclose(one, two, atol=1e-12)


def test_machines_and_answers_of_many_players(rng: np.random.Generator) -> None:
    """Some of the 72 players of the library that can be written exactly, against a random strategy, with noise."""
    other = rng.random(5)
    entered = {}
    for kind in (axl.Fortress4, axl.EvolvedFSM6, axl.TF3, axl.Winner12):
        entered[kind] = adapter.from_axelrod(kind())
    table = exact([*entered.values(), other], 0.03)
    for i, kind in enumerate(entered):
        pair = [kind(), adapter.StrategyPlayer(other)]
        assert agree((float(table[i, -1]), float(table[-1, i])), pair, 0.03), kind


def test_our_strategies_as_players_of_the_library(rng: np.random.Generator) -> None:
    chance = Automaton(rng.random(3), rng.dirichlet(np.ones(3), (3, 4)), rng.dirichlet(np.ones(3)))
    for strategy in (chance, rng.random(21), automata.contrite_tit_for_tat()):
        other = rng.random(5)
        table = exact([strategy, other], 0.05)
        pair = [adapter.StrategyPlayer(strategy), adapter.StrategyPlayer(other)]
        assert agree((float(table[0, 1]), float(table[1, 0])), pair, 0.05)


def test_who_cannot_be_written_exactly_is_sampled_and_said() -> None:
    players = [axl.TitForTat(), axl.FirstByTullock(), axl.Grudger(), axl.FirstByAnonymous()]
    for player in (players[1], players[3]):
        with pytest.raises(adapter.NotExactError, match="player"):
            adapter.from_axelrod(player)
    with pytest.raises(adapter.NotExactError, match="does not play as"):
        adapter.from_axelrod(axl.CyclerCCD())
    found = adapter.round_robin(players, turns=40, noise=0.02, repetitions=50)
    np.testing.assert_array_equal(found.exact, np.outer([1, 0, 1, 0], [1, 0, 1, 0]).astype(bool))
    assert (found.errors[found.exact] == 0).all()
    assert (found.errors[~found.exact] > 0).all()
    pair = [strategies.tit_for_tat(), automata.grudger()]
    both = tournaments.round_robin(GAME, pair, horizon=40, error=0.02)
    np.testing.assert_allclose(found.payoffs[np.ix_([0, 2], [0, 2])], both, atol=1e-12)


def test_games_of_the_library() -> None:
    lines = [strategies.tit_for_tat(), axl.FirstByTullock()]
    donation = ipd.games.donation_game(3.0, 1.0)
    found = adapter.round_robin(lines, turns=11, game=donation, repetitions=2)  # both cooperate so long
    np.testing.assert_allclose(found.payoffs, 2.0)
    game = adapter.to_axelrod(ipd.prisoners_dilemma(R=1.0, S=-1.0, T=2.0, P=0.0))
    assert [float(x) for x in game.RPST()] == [1.0, 0.0, -1.0, 2.0]
    with pytest.raises(ValueError, match="the same from both sides"):
        adapter.to_axelrod(ipd.games.matching_pennies())


def test_players_by_name_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    from ipd_theory import cli

    cli.main(["returns", "axelrod:TitForTat", "axelrod:grudger", "--discount", "1", "--payoffs", "3,0,5,1"])
    assert capsys.readouterr().out.count("earns 3.000000") == 2
    for name, words in (("TitForTatt", "close to it: titfortat"), ("CyclerCCD", "can only be sampled: give --horizon")):
        with pytest.raises(SystemExit):
            cli.main(["tournament", "--strategies", f"axelrod:{name}", "--json"])
        assert words in capsys.readouterr().err
    line = ["tournament", "--game", "axelrod", "--horizon", "20", "--seeds", "4", "--strategies", "TFT", "ALLD"]
    cli.main([*line, "axelrod:FirstByTullock", "axelrod:Grudger"])
    out = capsys.readouterr().out
    assert "sampled, not exact: FirstByTullock; 4 matches of each pair from seed 0 on" in out
    cli.main([*line, "axelrod:FirstByTullock", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["payoffs"][0][:2] == [3.0, pytest.approx(0.95)]  # exact among those that are
    # Tullock cooperates eleven times whatever happens, then a tenth less often than the other did: never.
    assert said["payoffs"][1][2] == pytest.approx((11 * 5 + 9) / 20)
