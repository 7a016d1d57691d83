"""Tables in any width: every header and every number is there whole, and no line is wider than the terminal."""

import re

import pytest
from rich.text import Text

from ipd_theory.commands import console

HEADER = ("pair", "reward", "co-player's reward", "share of beams first", "last", "z")
ROWS = [("coala 0 against [/red] :smile:", "-0.1234", "1.2345", "0.3333", "0.1111", "1e-16")]
ROWS += [("always defect", "-100.1234", "12.2345", "0.3334", "0.1112", "2e-16")]


@pytest.mark.parametrize("width", [12, 20, 40, 60, 80, 100, 200])
def test_nothing_is_cut(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(console.results, "_width", width)
    console.print_table(HEADER, ROWS, title="runs/[bold]a")
    printed = capsys.readouterr().out
    words = re.findall(r"[^\s┃│┏┳┓┡╇┩└┴┘├┼┤━─]+", printed)
    for text in (*HEADER[1:], *(cell for row in ROWS for cell in row[1:])):
        assert set(text.split()) <= {word.rstrip(":") for word in words} | set(words)
    if width >= 40:
        assert max(map(len, printed.splitlines())) <= width
    assert "runs/[bold]a" in printed
    assert {"[/red]", ":smile:"} <= set(words)


def test_a_wide_terminal_gets_one_table_and_a_narrow_one_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    tables = {}
    for width in (200, 80, 40, 12):
        monkeypatch.setattr(console.results, "_width", width)
        console.print_table(HEADER, ROWS)
        tables[width] = capsys.readouterr().out.count("┏")
    assert tables[200] == 1
    assert 1 <= tables[80] <= tables[40]
    assert tables[12] == 0  # lists


def test_an_empty_table_a_table_of_names_and_styled_cells(capsys: pytest.CaptureFixture[str]):
    console.print_table(("a", "b"), [])
    console.print_table(("a",), [["x"]])
    console.print_table(("a", "b"), [["x", Text("holds", "green")]], section=1)
    assert capsys.readouterr().out.count("┏") == 3
