"""Logs of every kind come out as the same rounds, and counts are those of a reading round by round."""

import io
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ipd_theory import automata, inference, strategies
from ipd_theory.inference import Plays

ROWS = [  # match, round, player, own, other; not in order, a round missing, two lengths
    ("a", 2, "ann", "D", "C"),
    ("a", 1, "ann", "C", "C"),
    ("a", 4, "ann", "D", "D"),
    ("b", 1, "bob", "C", "D"),
    ("a", 5, "ann", "C", "D"),
    ("b", 2, "bob", "", "C"),
    ("b", 3, "bob", "D", "D"),
]


def as_csv(rows: list[tuple[object, ...]], header: str = "match,round,player,own,other") -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def rounds_of(plays: Plays) -> set[tuple[str, int, int, str]]:
    """Every round as (player, match, round, outcome)."""
    found = set()
    for start, length, first, match, player in zip(
        plays.starts, plays.lengths, plays.first, plays.match, plays.player, strict=True
    ):
        for i in range(length):
            outcome = inference.plays.OUTCOMES[plays.outcomes[start + i]]
            found.add((plays.players[player], int(match), int(first + i), outcome))
    return found


WANTED = {
    ("ann", 0, 0, "CC"),
    ("ann", 0, 1, "DC"),
    ("ann", 0, 3, "DD"),
    ("ann", 0, 4, "CD"),
    ("bob", 1, 0, "CD"),
    ("bob", 1, 2, "DD"),
}


def test_rows_in_any_order_with_gaps(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("\ufeff" + as_csv(ROWS))
    plays = inference.read(file)
    assert rounds_of(plays) == WANTED
    assert plays.num_rounds == 6
    assert plays.num_matches == 2
    assert sorted(plays.lengths.tolist()) == [1, 1, 2, 2]  # each gap begins a run
    frame = pd.DataFrame(ROWS, columns=["match", "round", "player", "own", "other"])
    assert rounds_of(inference.from_frame(frame)) == WANTED
    frame["own"] = frame["own"].map({"C": 0, "D": 1})  # missing: NaN, and so floats
    assert rounds_of(inference.from_frame(frame)) == WANTED
    assert rounds_of(plays.of("bob")) == {x for x in WANTED if x[0] == "bob"}


def test_columns_that_may_be_left_out_and_names_that_mean_the_same(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text(as_csv([("d", 0, 0), ("C", "1", 1)], "Other,round, ACTION "))
    assert rounds_of(inference.read(file)) == {("1", 0, 0, "CD"), ("1", 0, 1, "DC")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (as_csv([("a", 1, "x", "C", "C"), ("a", 2, "x", "E", "C")]), "line 3: own must be C or D"),
        (as_csv([("a", 1, "x", "C", "C"), ("a", "two", "x", "C", "C")]), "line 3: round must be a whole number"),
        (as_csv([("a", 1.5, "x", "C", "C")]), "line 2: round must be a whole number, 0 or more; got '1.5'"),
        (as_csv([("a", -1, "x", "C", "C")]), "line 2: round must be a whole number"),
        (as_csv([("a", 1, "x", "C")]), "line 2: it has 4 entries; there are 5 columns"),
        (as_csv([("a", 1, "x", "C", "C")] * 2), "line 3: this round of the player's match stands there already"),
        (as_csv([("a", 5, "x", "C", "C")]), "round must be counted from 0 or 1; the first round in it is 5"),
        (as_csv([(1, 1)], "round,own"), "has no column other; its columns are round, own"),
        (as_csv([(1, 1, 1, 1)], "round,own,action,other"), "has 2 columns own or action"),
        (as_csv([]), "holds no rounds"),
        ("", "has no column own"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_by_its_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        inference.read(file)
    assert "log.csv" in str(error.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path .* cannot be read: No such file"):
        inference.read(tmp_path / "gone.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match="path"):
        inference.read(tmp_path / "binary.csv")


def test_both_sides_of_arrays() -> None:
    actions = np.array([[[0, 1], [1, 1], [-1, -1]], [[0, 0], [-1, 0], [1, 0]]])
    plays = inference.from_actions(actions, [("x", "y"), ("y", "z")])
    assert rounds_of(plays) == {
        *(("x", 0, 0, "CD"), ("x", 0, 1, "DD"), ("y", 0, 0, "DC"), ("y", 0, 1, "DD")),
        *(("y", 1, 0, "CC"), ("y", 1, 2, "DC"), ("z", 1, 0, "CC"), ("z", 1, 2, "CD")),
    }
    with pytest.raises(ValueError, match="players, match 0: this round"):
        inference.from_actions(actions[:1], [("x", "x")])


def test_matches_of_axelrod_and_rollouts() -> None:
    """Objects with the names that the library's have stand in for it; `tests/peers` plays with the library itself."""
    match = SimpleNamespace(players=["Tit For Tat", "Tit For Tat"], result=[("C", "D"), ("D", "D")])
    plays = inference.from_matches([match])
    assert rounds_of(plays.of("Tit For Tat (second)")) == {
        ("Tit For Tat (second)", 0, 0, "DC"),
        ("Tit For Tat (second)", 0, 1, "DD"),
    }
    by_pair = inference.from_matches({(0, 1): [[("C", "D")], [("D", "D"), ("C", "C")]]})
    assert by_pair.num_matches == 2
    assert rounds_of(by_pair.of("1")) == {("1", 0, 0, "DC"), ("1", 1, 0, "DD"), ("1", 1, 1, "CC")}
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 2, (5, 3, 2, 4))  # [T, G, 2, B]
    co_player = inference.from_rollout(actions, player=1)
    assert co_player.num_matches == 12
    one = [inference.plays.OUTCOMES[2 * b + a] for a, b in actions[:, 1, :, 2]]
    assert {x[2:] for x in rounds_of(co_player) if x[1] == 1 * 4 + 2} == set(enumerate(one))


def by_hand(plays: Plays, memory: int, half: str = "") -> np.ndarray:
    """Counts by a reading round by round; of the later half only, if so asked."""
    names = strategies.contexts(memory)
    counts = np.zeros((len(plays.players), len(names), 2), int)
    recorded: dict[tuple[str, int], dict[int, str]] = {}
    for player, match, number, outcome in rounds_of(plays):
        recorded.setdefault((player, match), {})[number] = outcome
    for (player, match), rounds in recorded.items():
        own = sorted(m for p, m in recorded if p == player)
        for number, outcome in rounds.items():
            late = {"rounds": number >= (max(rounds) + 1) // 2, "matches": own.index(match) >= len(own) / 2, "": True}
            before = range(max(number - memory, 0), number)
            if late[half] and all(t in rounds for t in before):
                context = names.index("·".join(rounds[t] for t in before) or "start")
                counts[plays.players.index(player), context, int(outcome[0] == "D")] += 1
    return counts


def random_log(rng: np.random.Generator, matches: int = 12, rounds: int = 30) -> Plays:
    actions = rng.integers(0, 2, (matches, rounds, 2))
    actions[rng.random((matches, rounds)) < 0.1] = -1
    for i in range(matches):
        actions[i, rng.integers(2, rounds) :] = -1
    return inference.from_actions(actions, [("x", "y"), ("y", "z"), ("z", "x")] * (matches // 3))


@pytest.mark.parametrize("memory", [0, 1, 2, 3])
def test_counts_are_those_of_a_reading_round_by_round(
    memory: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = random_log(rng)
    for block in (7, 2**19):  # rounds that are placed at a time
        monkeypatch.setattr(inference.counts, "BLOCK", block)
        counts = inference.count(plays, memory)
        np.testing.assert_array_equal(counts, by_hand(plays, memory))
        for by in ("rounds", "matches"):
            early, late = inference.count_by_half(plays, memory, by)
            np.testing.assert_array_equal(late, by_hand(plays, memory, by))
            np.testing.assert_array_equal(early + late, counts)


def test_longer_counts_become_shorter_ones(rng: np.random.Generator) -> None:
    plays = inference.from_actions(rng.integers(0, 2, (20, 9, 2)))  # no gaps: all rounds are in all of them
    for memory in (0, 1, 2):
        np.testing.assert_array_equal(
            inference.shortened(inference.count(plays, 3), memory), inference.count(plays, memory)
        )


def test_play_that_is_made_follows_the_strategies() -> None:
    """Against tables by counts, against an automaton move by move; a false alarm in 10^4 runs."""
    table, other = np.linspace(0.1, 0.9, 21), strategies.generous_tit_for_tat()
    counts = inference.count(
        inference.from_actions(inference.play_out(table, other, matches=200, rounds=200, seed=1)), 2
    )
    for side, meant in ((0, table), (1, np.asarray(strategies.extend(other, 2)))):
        visits = counts[side].sum(-1)
        error = np.sqrt(meant * (1 - meant) / np.maximum(visits, 1))
        assert (np.abs(counts[side][:, 0] / np.maximum(visits, 1) - meant)[visits > 0] <= 5 * error[visits > 0]).all()
    actions = inference.play_out(automata.grudger(), strategies.random(0.9), matches=50, rounds=30, seed=2)
    betrayed = np.cumsum(actions[..., 1], 1) > 0
    np.testing.assert_array_equal(actions[:, 1:, 0], betrayed[:, :-1])


def test_a_long_file_is_read_piece_by_piece(tmp_path: Path, rng: np.random.Generator) -> None:
    """Peak memory is a fraction of what the rows take as text in Python, about 300 bytes each."""
    rounds, file = 100_000, tmp_path / "log.csv"
    text = io.StringIO()
    pd.DataFrame(
        {
            "match": np.arange(rounds) // 100,
            "round": np.arange(rounds) % 100,
            "player": np.arange(rounds) // 1000,
            "own": rng.integers(0, 2, rounds),
            "other": rng.integers(0, 2, rounds),
        }
    ).to_csv(text, index=False)
    file.write_text(text.getvalue())
    tracemalloc.start()
    piece = inference._rows.PIECE
    inference._rows.PIECE = 2**12
    try:
        plays = inference.read(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        inference._rows.PIECE = piece
        tracemalloc.stop()
    assert plays.num_rounds == rounds
    assert peak < 120 * rounds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcomes": np.array([4, 0])}, "outcomes must hold whole numbers from 0 to 3; it holds 4"),
        ({"outcomes": np.array([0.5, 0])}, "outcomes"),
        ({"lengths": np.array([1])}, "lengths must add up to the 2 outcomes"),
        ({"lengths": np.array([0])}, "lengths must hold whole numbers from 1"),
        ({"player": np.array([1])}, "player must hold whole numbers from 0 to 0; it holds 1"),
        ({"first": np.array([0, 1])}, "first"),
    ],
)
def test_plays_that_cannot_be(change: dict[str, np.ndarray], message: str) -> None:
    zero = np.zeros(1, int)
    good = {"outcomes": np.array([0, 3]), "lengths": np.array([2]), "first": zero, "match": zero, "player": zero}
    Plays(**good, players=("x",))
    with pytest.raises((ValueError, TypeError), match=message):
        Plays(**(good | change), players=("x",))


@pytest.mark.slow
def test_ten_million_rounds_are_fitted_in_seconds_and_little_memory() -> None:
    """Half a second for a table on two cores, of which a tenth of a gigabyte is for blocks of rounds."""
    actions = np.random.default_rng(0).integers(0, 2, (50_000, 100, 2)).astype(np.int8)
    plays = inference.from_actions(actions)
    assert plays.num_rounds == 10**7
    for memory in (1, 3):
        begin = time.perf_counter()
        fit = inference.fit_table(plays, memory)
        assert time.perf_counter() - begin < 10
        assert fit.counts.sum() == 10**7
    tracemalloc.start()
    inference.fit_table(plays, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


@pytest.mark.slow
def test_a_file_of_a_million_rows_is_read_piece_by_piece(tmp_path: Path) -> None:
    """In a process of its own, whose memory stays below what the text of all rows would take as Python's strings."""
    path, actions = tmp_path / "long.csv", np.random.default_rng(0).integers(0, 2, (10_000, 100, 2))
    with path.open("w") as file:
        file.write("match,round,player,own,other\n")
        for m, match in enumerate(actions):
            rows = (f"{m},{t},p{m % 50},{'CD'[a]},{'CD'[b]}\n" for t, (a, b) in enumerate(match))
            file.write("".join(rows))
    code = (
        "import re, sys; from ipd_theory import inference; p = inference.read(sys.argv[1]);"
        "held = re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1];"  # without what the parent held
        "print(p.num_rounds, p.outcomes.sum(), held)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    rounds, outcomes, kilobytes = map(int, done.stdout.split())
    assert (rounds, outcomes) == (10**6, (2 * actions[..., 0] + actions[..., 1]).sum())
    assert kilobytes < 500_000
