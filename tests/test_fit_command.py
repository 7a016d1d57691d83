"""`ipd-theory fit`: a log and a run, read; what is wrong with either is said before the work."""

import json
from pathlib import Path

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import cli, inference
from ipd_theory.rl import evaluation
from tests.test_rl_evaluation import run  # noqa: F401  (a fixture)

LOG = Path(__file__).with_name("log.csv")


def test_a_log_as_json_says_what_python_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = ["fit", str(LOG), "--against", "TFT", "--draws", "50", "--mixture", "TFT", "ALLD", "--bootstrap", "5"]
    cli.main([*line, "--discount", "0.9", "--plot", str(tmp_path / "log.png"), "--json"])
    said = json.loads(capsys.readouterr().out)
    plays = inference.read(LOG)
    fitted = inference.fit_table(plays)
    assert said["rounds"] == 30
    np.testing.assert_array_equal(said["table"]["cooperations"], fitted.counts[:, 0])
    np.testing.assert_allclose(said["table"]["low"], fitted.low)
    game = ipd.games.symmetric_game(R=3, S=0, T=5, P=1)
    tft = ipd.strategies.tit_for_tat()
    found = inference.read_out(game, inference.posterior_tables(fitted, 50), discount=0.9, against={"TFT": tft})
    assert said["meets"]["TFT"]["own"]["high"] == pytest.approx(float(found.against["TFT"].own.high))
    assert said["best_reply"]["earns"]["median"] == pytest.approx(float(found.best_reply_earns.median))
    assert said["is"]["rival"] == pytest.approx(float(found.rival))
    mixed = inference.fit_mixture(plays, ("TFT", "ALLD"), bootstrap=5)
    np.testing.assert_allclose(said["mixture"]["shares"], mixed.shares)
    assert (tmp_path / "log.png").stat().st_size > 5000


def test_a_log_in_words_says_what_was_never_seen(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "short.csv"
    log.write_text("round,own,other\n1,C,C\n2,C,C\n3,C,\n4,D,C\n")
    cli.main(["fit", str(log), "--draws", "50", "--discount", "0.9"])
    said = capsys.readouterr().out.partition("\n")[2]  # the first line has the path
    assert all(len(line) <= 80 for line in said.splitlines())
    assert "never seen: CD, DC, DD" in " ".join(said.split())
    assert "never seen" in said.split("│ DD")[1].partition("\n")[0]


def test_a_run_is_read_inner_episode_by_inner_episode(
    run: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Agent 1 always defects: it plays (0, …, 0) where it was seen, and earns what its record says."""
    line = ["fit", "--run", str(run), "--agent", "1", "--meta-episodes", "3", "--draws", "50"]
    cli.main([*line, "--plot", str(tmp_path / "run.png"), "--json"])
    said = json.loads(capsys.readouterr().out)
    actions = evaluation.play_of(run, 1, meta_episodes=3)
    assert actions.shape == (2, 3, 3, 2, 2, 2)  # inner episodes, steps, meta-episodes, co-players, sides, trajectories
    assert (actions[..., 0, :] == 1).all()
    assert set(np.unique(actions[..., 1, :])) == {0, 1}
    seen = np.array(said["table"]["seen"])
    assert not seen[:, 1:3].any()  # it never was in CC or CD
    assert {x for row in said["table"]["estimate"] for x in row} <= {0.0, None}
    assert said["settings"]["discount"] == pytest.approx(2 / 3)
    temptation = (1 - actions[..., 1, :]).reshape(2, -1).mean(-1)
    np.testing.assert_allclose(said["played"]["payoff"], [2 * temptation, -temptation])
    cli.main(line)
    out = capsys.readouterr().out
    assert all(len(row) <= 80 for row in out.splitlines() if row.startswith("│"))
    assert (tmp_path / "run.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "FILE or --run must be given, one of them; got neither"),
        (["LOG", "--run", "RUN"], "FILE or --run must be given, one of them; got log.csv, RUN"),
        (["--run", "RUN", "--mixture", "TFT"], "--mixture is for a log in a FILE; got TFT with --run"),
        (["--run", "RUN"], "holds no run"),
        (["LOG", "--player", "zoe"], "player 'zoe' is not in the log; its players are ann, bob"),
        (["LOG", "--against", "NOBODY"], "--against: strategy 'NOBODY'"),
        (["LOG", "--mixture", "NOBODY"], "--mixture: strategy 'NOBODY'"),
        (["LOG", "--discount", "0"], "--discount must lie in (0, 1]; got 0"),
        (["bad.csv"], "path 'bad.csv', line 3: other must be C or D, or 0 to cooperate and 1 to defect; got 'X'"),
        (["none.csv"], "path 'none.csv' cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    line: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RUN").mkdir()
    (tmp_path / "log.csv").write_text(LOG.read_text())
    (tmp_path / "bad.csv").write_text("round,own,other\n1,C,C\n2,C,X\n")
    with pytest.raises(SystemExit) as ended:
        cli.main(["fit", *(word.replace("LOG", "log.csv") for word in line)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
