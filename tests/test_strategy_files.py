"""Strategies in files: every kind is read as what is written there, and every command takes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipd_theory import automata, cli, strategies
from ipd_theory.strategies import files

THIRD = [1, 1, 0, 1, 1 / 3]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps(THIRD)),
        ("b.json", '{"table": [1, 1, 0, 1, "1/3"], "contexts": ["start", "CC", "CD", "DC", "DD"]}'),
        ("c.csv", "1,1,0,1,1/3\n"),
        ("d.txt", "# after start, CC, CD, DC, DD\n1\n1\n0  # never after CD\n1\n1/3\n"),
        ("e.txt", "\ufeff1 1 0 1 1/3"),
        ("F.TXT", "memory-one(1, 1, 0, 1, 1/3)"),
    ],
)
def test_a_table_is_what_the_file_holds(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    np.testing.assert_array_equal(strategies.named(str(tmp_path / name)), THIRD)


def test_arrays_names_and_memory_two(tmp_path: Path) -> None:
    table = np.random.default_rng(0).random(21)
    np.save(tmp_path / "two.npy", table)
    np.testing.assert_array_equal(strategies.named(str(tmp_path / "two.npy")), table)
    (tmp_path / "name.txt").write_text("Tit For Tat")
    np.testing.assert_array_equal(strategies.named(str(tmp_path / "name.txt")), strategies.tit_for_tat())
    (tmp_path / "machine.txt").write_text("punish(2)")
    read = automata.named(str(tmp_path / "machine.txt"))
    np.testing.assert_array_equal(read.moves, automata.punishment(2).moves)


def said(line: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    cli.main([*line, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["extort(3)", "punish(2)"])
def test_what_strategy_writes_every_command_reads(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = said(["strategy", name, "--discount", "0.9"], capsys)
    file = str(tmp_path / "mine.json")
    Path(file).write_text(json.dumps(written))
    again = said(["strategy", file, "--discount", "0.9"], capsys)
    assert again.pop("settings") != written.pop("settings")
    assert again == written
    settings = ["--discount", "0.9", "--payoffs", "3,0,5,1"]
    by_name, by_file = (said(["returns", x, "TFT", *settings], capsys)["returns"] for x in (name, file))
    assert by_file == by_name
    for by_name, by_file in (
        [said(["evolve", x, "TFT", "--discount", "0.9"], capsys)["shares"] for x in (name, file)],
        [
            said(["tournament", "--strategies", x, "TFT", "--discount", "0.9", "--game", "axelrod"], capsys)["payoffs"]
            for x in (name, file)
        ],
    ):
        assert by_file == by_name


def test_derive_reads_tables_in_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(THIRD))
    line = ["derive", "return", "--discount", "1/2", "--payoffs", "3,0,5,1", "--p"]
    entries = said([*line, "1,1,0,1,1/3", "--q", "ALLD"], capsys)["entries"]
    assert said([*line, str(file), "--q", "ALLD"], capsys)["entries"] == entries
    with pytest.raises(SystemExit):
        cli.main([*line, "punish(2)"])
    assert "--p: strategy 'punish(2)' is an automaton; it must be a table here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.json", None, "there is no such file"),
        ("a.json", "{", "Expecting property name"),
        ("a.json", "[" * 10**5, "recursion"),
        ("a.json", '{"moves": []}', "must hold a list of entries, or an object with table"),
        ("a.json", "[1, 1, 0, true, 1]", "holds 'true', which is not a number"),
        ("a.json", "[1, 1, 0, NaN, 1]", "holds 'NaN', which is not a number"),
        ("a.json", "[1, 1, 0, 1]", "has 4 entries"),
        ("a.json", "[1, 1, 0, 1, 1.5]", r"holds 1.5; every entry must lie in \[0, 1\]"),
        ("a.json", '{"cooperate": [1, 0], "moves": [[1]]}', "a.json': cooperate, moves and start must have"),
        ("a.json", '{"cooperate": ["x"], "moves": [[1]]}', "a.json': cooperate"),
        ("a.csv", "", "must hold a name or the entries of a table"),
        ("a.csv", "a.csv", "must hold a name or the entries of a table; it holds 'a.csv'"),
        ("a.txt", "1,,0,1,1", "holds '', which is not a number"),
        ("a.npy", "no array", "a.npy'"),
        ("a.txt", "1 " * 2**20, "at most 1048576 bytes"),
    ],
)
def test_what_is_no_strategy_is_said_with_the_file(
    name: str, content: str | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        automata.named(str(tmp_path / name))
    assert name in str(error.value)


def test_an_array_of_objects_or_of_two_axes_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", np.ones((2, 5)))
    np.save(tmp_path / "objects.npy", np.array([print, None]), allow_pickle=True)
    for name in ("two.npy", "objects.npy"):
        with pytest.raises(ValueError, match=name):
            files.read(str(tmp_path / name))
