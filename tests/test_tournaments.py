"""The round robin against pair by pair, Axelrod's identities, an ergodic limit, and published rankings."""

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import alternating, automata, strategies, tournaments
from ipd_theory.automata import Automaton
from ipd_theory.automata.minimal import minimal, padded
from ipd_theory.tournaments import pairs
from tests import automata_by_hand as by_hand

GAME = ipd.games.axelrod()
SEXES = ipd.games.battle_of_the_sexes()


def entrants(rng: np.random.Generator) -> list:
    chance = Automaton(rng.random(3), rng.dirichlet(np.ones(3), (3, 4)))
    tables = [strategies.tit_for_tat(), strategies.tit_for_two_tats(), strategies.random(0.3)[:1], rng.random(5)]
    return [*tables, rng.random(21), automata.grim(), automata.punishment(2), chance]


def as_automaton(strategy: object, error: float, misperception: float) -> Automaton:
    automaton = strategy if isinstance(strategy, Automaton) else automata.of_table(strategy)
    return automata.with_errors(automaton, defecting=error, cooperating=error, perceiving=misperception)


@pytest.mark.parametrize(
    ("game", "error", "misperception", "settings"),
    [(GAME, 0.02, 0.0, {"discount": 0.99}), (SEXES, 0.02, 0.05, {"horizon": 30})],
)
def test_each_cell_is_the_match_of_its_pair(
    rng: np.random.Generator, game: ipd.MatrixGame, error: float, misperception: float, settings: dict
) -> None:
    line_up = entrants(rng)
    whole = tournaments.round_robin(game, line_up, error=error, misperception=misperception, **settings)
    for i, mine in enumerate(line_up):
        for j, theirs in enumerate(line_up):
            pair = [as_automaton(x, error, misperception) for x in (mine, theirs)]
            assert float(whole[i, j]) == pytest.approx(by_hand.returns(game, *pair, **settings)[0], abs=1e-12)


def test_each_cell_is_the_match_of_its_pair_where_players_take_turns(rng: np.random.Generator) -> None:
    line_up = [rng.random(5), strategies.tit_for_two_tats(), automata.forgiver()]
    whole = tournaments.round_robin(GAME, line_up, discount=0.9, error=0.02, in_turn=True)
    for i, mine in enumerate(line_up):
        for j, theirs in enumerate(line_up):
            pair = [padded(minimal(as_automaton(x, 0.02, 0.0)), 5) for x in (mine, theirs)]
            both = [alternating.automata_returns(GAME, *pair, discount=0.9, next_mover=k)[0] for k in (0, 1)]
            assert float(whole[i, j]) == pytest.approx(float(both[0] + both[1]) / 2, abs=1e-12)
    with pytest.raises(ValueError, match="horizon must be None"):
        tournaments.round_robin(GAME, line_up, horizon=5, in_turn=True)


def test_blocks_are_put_together(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    line_up = [*rng.random((3, 5)), automata.grim(), automata.forgiver()]
    whole = tournaments.round_robin(SEXES, line_up, discount=0.9)
    monkeypatch.setattr(pairs, "MOST_PAIRS", 1)  # one row at a time
    monkeypatch.setattr(pairs, "MOST_NUMBERS", 10000)  # and a few pairs
    np.testing.assert_allclose(tournaments.round_robin(SEXES, line_up, discount=0.9), whole, atol=1e-13)


def test_with_any_error_tit_for_tat_earns_nine_quarters_against_itself() -> None:
    tft = tournaments.round_robin(GAME, strategies.tit_for_tat()[None], discount=1.0, error=1e-3)
    assert float(tft[0, 0]) == pytest.approx(9 / 4, abs=1e-12)


def test_a_finite_tournament_counts_rounds() -> None:
    pair = np.stack([strategies.tit_for_tat(), strategies.always_defect()])
    table = tournaments.round_robin(GAME, pair, horizon=100)
    np.testing.assert_allclose(table, [[3, 0.99], [1.04, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("tables", "options", "words"),
    [
        ([], {}, "tables is empty"),
        ([np.ones(5), np.full(5, 2.0)], {}, r"tables\[1\] holds 2\.0"),
        ([np.ones(5)], {"misperception": 2.0}, r"misperception holds 2\.0"),
        ([automata.with_errors(automata.grim(), defecting=[0.1, 0.2])], {}, r"tables\[0\] must be one automaton"),
    ],
)
def test_what_cannot_play_is_refused(tables: list, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tournaments.round_robin(GAME, tables, discount=0.9, **options)


@pytest.mark.parametrize(
    ("table", "states"),
    [
        (strategies.always_cooperate(), 1),
        (strategies.tit_for_tat(), 2),
        (strategies.win_stay_lose_shift(), 2),
        (strategies.tit_for_two_tats(), 3),
        (strategies.reactive_n(np.eye(8)[0]), 4),  # a defection counts for three rounds
        (strategies.extend(strategies.grim(), 3), 2),
    ],
)
def test_tables_have_as_few_states_as_behave_the_same(table: np.ndarray, states: int) -> None:
    assert minimal(automata.of_table(table)).num_states == states


def test_fewer_and_more_states_behave_the_same(rng: np.random.Generator) -> None:
    small = Automaton(rng.random(3), rng.dirichlet(np.ones(3), (3, 4)), rng.dirichlet(np.ones(3)))
    twin = np.array([0, 1, 2, 0, 2])  # the state of which each of five is a copy
    split = np.zeros((5, 4, 5))
    for copy, state in np.ndindex(5, 5):
        share = rng.dirichlet(np.ones((twin == twin[state]).sum()), 4)[:, 0]  # of what goes to its likes
        first = int(np.flatnonzero(twin == twin[state])[0])
        row = np.asarray(small.moves)[twin[copy], :, twin[state]]
        alone = (twin == twin[state]).sum() == 1
        if state == first:
            split[copy, :, state] = row if alone else row * share
            if not alone:
                split[copy, :, np.flatnonzero(twin == twin[state])[1]] = row * (1 - share)
    large = Automaton(np.asarray(small.cooperate)[twin], split, [*np.asarray(small.start), 0, 0])
    other = automata.contrite_tit_for_tat()
    expected = automata.expected_returns(GAME, small, other, discount=0.9)
    for same in (large, minimal(large), padded(small, 8), minimal(padded(small, 8))):
        found = automata.expected_returns(GAME, same, other, discount=0.9)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert minimal(large).num_states == minimal(padded(small, 8)).num_states == 3
    with pytest.raises(ValueError, match="num_states must be 3 or more; got 2"):
        padded(small, 2)


def test_standings_count_what_a_table_shows() -> None:
    pair = {"TFT": strategies.tit_for_tat(), "ALLD": strategies.always_defect(), "ALLC": strategies.always_cooperate()}
    found = tournaments.tournament(GAME, pair, horizon=10)
    np.testing.assert_allclose(found.payoffs, [[3, 0.9, 3], [1.4, 1, 5], [3, 0, 3]], atol=1e-12)
    np.testing.assert_allclose(found.scores, [2.3, 37 / 15, 2])
    assert [found.names[i] for i in found.ranking] == ["ALLD", "TFT", "ALLC"]
    np.testing.assert_array_equal(found.wins, [0, 2, 0])
    # Tit for tat has company that earns as much: it is not stable. Defection is not either: 1.4 > 1 is another's.
    np.testing.assert_array_equal(found.stable, [False, True, False])


def test_roles_are_counted_where_they_differ() -> None:
    """In the battle of the sexes player 1 likes CC better, player 2 DD; one who insists on C meets itself and D."""
    stubborn = {"C": strategies.always_cooperate(), "D": strategies.always_defect()}
    found = tournaments.tournament(SEXES, stubborn, discount=0.5)
    np.testing.assert_allclose(found.payoffs, [[2, 0], [0, 1]])
    np.testing.assert_allclose(found.scores, [3 / 4, 3 / 4])  # (2 + 0 + 1 + 0) / 4 each
    np.testing.assert_array_equal(found.wins, [1, 1])  # each as the player who likes it
    assert found.stable is None
    assert found.survivors is None


def test_stewart_and_plotkin_generous_first_extortion_last() -> None:
    """Their tournament: ZDGTFT-2 scores best; ALLD wins most matches, and EXTORT-2, next to last of 19, nearly as many.

    Two of the nineteen are not here, and the number of rounds is ours.
    """
    found = tournaments.tournament(GAME, tournaments.line_up(["stewart-plotkin"]), horizon=200)
    ranking = [found.names[i] for i in found.ranking]
    assert ranking[0] == "ZDGTFT-2"
    assert ranking.index("EXTORT-2") >= len(ranking) - 2
    by_wins = sorted(zip(found.wins, found.names, strict=True), reverse=True)
    assert by_wins[0][1] == "ALLD"
    assert "EXTORT-2" in [name for _, name in by_wins[:3]]


@pytest.mark.parametrize(
    ("name", "opponent", "play"),
    [
        # What Axelrod's library plays, its own action first.
        ("FRIEDMAN", "CCDCCCC", "CCCDDDD"),
        ("DAVIS", "DCCCCCCCCCCCC", "CCCCCCCCCCDDD"),
        ("PROBE", "CCCCCC", "DCCDDD"),
        ("PROBE", "CDCDCC", "DCCCDC"),
        ("PROBE2", "CDCDDD", "DCCCCC"),
        ("PROBE2", "CCCDDC", "DCCCDD"),
        ("PROBE3", "DCCDCC", "DCDDDD"),
        ("PROBE3", "CDCDDC", "DCDCDD"),
        ("HARD_PROBE", "CCCDCC", "DDCCDD"),
        ("HARD_PROBE", "CCDDCC", "DDCCDC"),
        ("HARD_TFT", "CDCCCC", "CCDDDC"),
        ("HARD_TF2T", "DDCCCC", "CCDDCC"),
        ("NYDEGGER", "DCDCDCC", "CDDDDDD"),
        ("NYDEGGER", "DDDDDDD", "CDDCCCC"),
    ],
)
def test_entrants_play_what_is_known_after_a_course_of_play(name: str, opponent: str, play: str) -> None:
    strategy = next(line[name]() for line in tournaments.LINE_UPS.values() if name in line)
    machine = strategy if isinstance(strategy, Automaton) else automata.of_table(strategy)
    state, played = int(machine.start.argmax()), ""
    for theirs in opponent:
        own = int(machine.cooperate[state] == 0)
        played += "CD"[own]
        state = int(machine.moves[state, 2 * own + "CD".index(theirs)].argmax())
    assert played == play


def test_line_ups_and_names_enter_together() -> None:
    entered = tournaments.line_up(["axelrod-1980", "ALLC", "punish(2)"])
    assert list(entered) == ["TFT", "NYDEGGER", "GROFMAN", "FRIEDMAN", "DAVIS", "JOSS", "RANDOM", "ALLC", "punish(2)"]
    for texts, words in (
        (("axelrod-1980", "TFT"), "TFT stands there twice"),
        (("nobody",), "HARD_PROBER; or a line-up: axelrod-1980, stewart-plotkin"),
    ):
        with pytest.raises(ValueError, match=words):
            tournaments.line_up(texts)
