"""`ipd-theory strategy`: what it says of tit for tat and of an extortioner, and its picture."""

import json
from pathlib import Path

import pytest

from ipd_theory import cli


def test_tit_for_tat_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["strategy", "TFT", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["is"] == {
        "Nash": True,
        "subgame perfect": False,
        "partner": True,
        "rival": True,
        "efficient": False,
    }
    assert said["witnesses"] == {"subgame perfect": ["CD", "DD"]}
    assert said["leaves"] == [pytest.approx([1.0, 1.0]), pytest.approx([3.0, 3.0])]
    assert said["fingerprint"]["scores_by_y"][2][2] == pytest.approx(9 / 4)  # (3 + 5 + 1)/4
    assert said["discounts"]["Nash"] == [[pytest.approx(2 / 3), 1.0]]
    assert said["enforces"] == {"slope": pytest.approx(1.0), "baseline": 1.0}
    assert said["earns_against_itself"] == said["best_reply_earns"] == 3.0


def test_an_extortioner_in_words_and_as_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["strategy", "extort(3)", "--plot", str(tmp_path / "extort.png")])
    said = capsys.readouterr().out
    assert "enforces π₂ − 1 = 0.3333 (π₁ − 1)" in said
    assert all(len(line) <= 80 for line in said.splitlines())
    assert (tmp_path / "extort.png").stat().st_size > 5000


def test_what_rounding_leaves_of_nought_is_written_0(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["strategy", "WSLS"])
    said = capsys.readouterr().out
    assert "between (0.5, 3), (5, 0), (3, 3)\n" in said
    assert "│ Nash            │            yes │        1 │" in said  # 2R = T + P: a tie in the limit of means alone


def test_an_automaton_state_by_state_and_as_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["strategy", "punish(2)", "--payoffs", "3,0,4,1", "--discount", "0.5"]
    cli.main([*line, "--plot", str(tmp_path / "punish.png")])
    said = capsys.readouterr().out
    assert "0.366 to 1" in said  # (√3 − 1)/2
    assert all(len(row) <= 80 for row in said.splitlines() if row.startswith("│"))
    assert (tmp_path / "punish.png").stat().st_size > 5000
    cli.main([*line, "--json"])
    stated = json.loads(capsys.readouterr().out)
    assert stated["discounts"]["subgame perfect"] == [[pytest.approx((3**0.5 - 1) / 2, abs=1e-9), 1.0]]
    assert stated["optimal"] == [[True, False], [False, True], [False, True]]


def test_every_no_has_its_witness(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["strategy", "TF2T", "--discount", "0.5"])
    said = capsys.readouterr().out
    said = " ".join(said.split())
    # In turns, 5 and 3: (5 + 3/2)/(1 − 1/4)/2 = 13/3. Always to defect leads by most: 5, 5, then 1 is 4 on average.
    assert "not Nash: an opponent earns 4.3333 against it, more than it does against itself, playing DC CC" in said
    assert "not rival: an opponent gets ahead, 4.0000 to its 0.2500, playing DC DC, then DD for ever" in said
    cli.main(["strategy", "WSLS", "--json"])
    witness = json.loads(capsys.readouterr().out)["witnesses"]["rival"]
    assert (witness["opponent_earns"], witness["strategy_earns"]) == (3.0, 0.5)
    assert witness["play"] == {"opening": [], "cycle": ["DC", "DD"]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nonsense"], "nonsense"),
        (["TFT", "--plot", "/nowhere/x.png"], "--plot"),
        (["TFT", "--payoffs", "1,2"], "--payoffs"),
    ],
)
def test_bad_input_is_one_line(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["strategy", *options])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
