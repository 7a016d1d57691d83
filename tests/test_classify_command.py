"""`ipd-theory classify`: counts of memory one by hand, and the list of memory two."""

import json

import pytest

from ipd_theory import cli


def test_memory_one_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["classify", "--memory", "1", "--list", "partner", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["strategies"] == 16
    assert said["both"]["partner"]["partner"] == 4
    # What is efficient: ALLC and the two that are back at cooperation after a mistake, WSLS and FBF.
    assert said["both"]["efficient"]["efficient"] == 3
    assert {x["responses"]: x["names"] for x in said["listed"]} == {
        "CDCC": ["FBF"],
        "CDCD": ["TFT"],
        "CDDC": ["WSLS"],
        "CDDD": ["GRIM"],
    }
    assert {x["earns_against_itself"] for x in said["listed"]} == {3.0}


def test_memory_two_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["classify", "--payoffs", "1,-1,2,0", "--list", "partner", "rival", "efficient"])
    said = capsys.readouterr().out
    assert "of 65,536 pure strategies of memory 2, limit of means" in said
    assert "12526" in said
    assert "16 listed, by what they do after CC·CC, CC·CD, …, DD·DD" in said
    assert "TFT-ATFT" in said
    assert all(len(line) <= 80 for line in said.splitlines())


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["classify", "--payoffs", "1,2"])
    assert stop.value.code == 2
    assert "--payoffs" in capsys.readouterr().err
