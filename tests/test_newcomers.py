"""What a newcomer writes: one file for a rule, an estimator, a figure, none for a game; used wherever users would."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import cli
from ipd_theory.learning import rules
from ipd_theory.learning.rules import entrants
from ipd_theory.learning.tournament import Entrant, tournament

GAME = ipd.prisoners_dilemma()
RULE = """
import jax
from ipd_theory.learning.rules import Published, ascent, number


def _humble(view, x, y, share):
    return jax.grad(lambda x: (1 - share) * view.own(x, y) + share * view.other(x, y))(x)


def humble(share=0.5):
    return ascent("humble", _humble, share=number("share", share, 0.0, 1.0))


kind = humble(0.9)
BY_NAME = {"humble": Published(humble, (0.5,))}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(RULE)
    return tmp_path


def played(capsys: pytest.CaptureFixture[str], *entered: str) -> dict:
    small = ["--seeds", "2", "--steps", "3", "--tail", "1"]
    cli.main(["tournament", "--rules", *entered, *small, "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_rule_from_a_file_plays_like_those_of_the_package(folder: Path, capsys: pytest.CaptureFixture[str]):
    said = played(capsys, "naive", "mine.py:humble(0.0)", "mine.py:humble", f"{folder}/mine.py:kind")
    assert said["rules"] == ["naive", "humble(0.0)", "humble", "kind"]
    assert said["setting"]["rules"]["humble"] == "humble(share=0.5)"
    payoffs = np.array(said["payoffs"])
    np.testing.assert_allclose(payoffs[0], payoffs[1], rtol=1e-9)  # without a share of the other's it is the gradient
    mine = entrants.entrant("mine.py:humble(0.25)", 0.9)
    in_python = tournament(GAME, ("naive", Entrant("mine", mine.rule)), seeds=2, steps=3, tail=1)
    same = tournament(GAME, ("naive", mine.rule), seeds=2, steps=3, tail=1)
    assert [e.name for e in same.entrants] == ["naive", "humble(share=0.25)"]
    np.testing.assert_array_equal(in_python.table.A, same.table.A)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine.py:humble(2)", r"'mine.py:humble\(2\)': share must be .* in \[0.0, 1.0\]; got 2"),
        ("mine.py:humble(a)", r"'mine.py:humble\(a\)': every argument must be a finite number; got 'a'"),
        ("mine.py:humble(1, 2)", r"humble\(\) takes from 0 to 1 positional arguments but 2 were given"),
        ("mine.py:kind(1)", "it is a rule already, without arguments"),
        ("mine.py:BY_NAME", "a rule, or a function that returns one, must stand there; it is {"),
        ("mine.py:_humble(1, 2, 3, 4)", "AttributeError: 'int' object has no attribute 'own'"),
        ("mine.py:number(1, 2)", "it must return a rule, as learning.rules.ascent"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_no_rule_in_a_file_is_one_clear_error(text: str, message: str):
    with pytest.raises(ValueError, match=message) as raised:
        entrants.entrant(text, 0.9)
    assert "\n" not in str(raised.value)


def test_a_file_among_the_rules_is_a_rule_of_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(folder)])
    entrants._by_name.cache_clear()
    try:
        assert "humble" in entrants.names()
        assert "humble" in dir(rules)
        assert entrants.entrant("humble(0.25)", 0.9).rule == rules.humble(0.25)
        assert rules.mine.humble is rules.humble
        (folder / "another.py").write_text(RULE)
        entrants._by_name.cache_clear()
        with pytest.raises(ValueError, match="another rule is called humble, too"):
            entrants.names()
    finally:
        entrants._by_name.cache_clear()
        for name in ("mine", "another"):
            sys.modules.pop(f"{rules.__name__}.{name}", None)
            vars(rules).pop(name, None)
