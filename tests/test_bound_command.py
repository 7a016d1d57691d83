"""`ipd-theory bound`: what it says is what Python says."""

import json
from pathlib import Path

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import cli
from ipd_theory.drawing.bounds import shaping_bounds
from ipd_theory.learning import bounds
from ipd_theory.phases.drift import sobol_learners

SMALL = ["--inner-episodes", "2", "--learners", "3", "--starts", "2", "--discount", "0.9"]


def test_as_json_what_python_says(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["bound", *SMALL, "--json"])
    said = json.loads(capsys.readouterr().out)
    learners, settings = (
        sobol_learners(2)[:3],
        {"discount": 0.9, "learning_rate": 5.0, "num_inner_episodes": 2},
    )
    game = ipd.prisoners_dilemma()
    fixed = bounds.fixed_policy(game, learners, **settings, starts=2)
    assert said["fixed_policy"] == pytest.approx(fixed.value, abs=1e-12)
    np.testing.assert_allclose(said["policy"], fixed.policy, atol=1e-9)
    assert said["ceiling"] == pytest.approx(bounds.ceiling(game, learners, **settings), abs=1e-12)
    assert said["defection"] == pytest.approx(float(bounds.earned(game, np.zeros(5), learners, **settings).mean()))
    assert said["defection"] < said["fixed_policy"] < said["open_loop"] < said["ceiling"]
    assert len(said["by_episode"]["best policy"]) == 3
    assert said["sustainable"] == pytest.approx(1.5)


def test_in_words_and_as_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "bound.png"
    cli.main(["bound", *SMALL, "--plot", str(picture)])
    said = capsys.readouterr().out
    assert "no agent of memory one exceeds" in said
    assert "sustainable with one who replies best: 1.5000 at most" in said
    assert "CC " in said
    assert max(map(len, said.splitlines())) <= 80
    assert picture.stat().st_size > 20_000


def test_pictures_say_which_returns_do_not_fit() -> None:
    with pytest.raises(ValueError, match="returns of 'agent'"):
        shaping_bounds({"agent": np.ones(3)}, np.full((2, 5), 0.5), 1.0)
    assert len(shaping_bounds({"agent": np.ones(2)}, np.full((2, 21), 0.5), 1.0).axes) == 1


@pytest.mark.parametrize(("option", "value"), [("--memory", "3"), ("--starts", "0"), ("--payoffs", "1,2")])
def test_bad_input_is_one_line(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["bound", option, value])
    assert stop.value.code == 2
    assert option in capsys.readouterr().err
