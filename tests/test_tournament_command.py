"""`ipd-theory tournament`: rules that fail are marked; what cannot be is one line, before the work."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ipd_theory import cli
from ipd_theory.commands.tournament import _print_tables


def test_rules_that_fail_are_marked_and_no_number_is_cut(capsys: pytest.CaptureFixture[str]):
    names = [f"meta-value({n}, 20, 0.95)" for n in range(12)]
    numbers = np.arange(144.0).reshape(12, 12) - 50
    table = SimpleNamespace(A=numbers, A_error=numbers / 100)
    solved = {"equilibria": [], "disowned": {names[3]: "not finite"}, "survivors": np.eye(12)[5]}
    _print_tables(names, {"rules": {names[0]: "meta_value(…)"}}, table, solved, {})
    printed = capsys.readouterr().out
    words = printed.split()
    assert {f"{x:.2f}" for x in numbers.reshape(-1)} <= set(words)
    assert "*" in words
    assert f"{names[3]} *: not finite\n" in printed
    assert f"replicator survivors: {names[5]}" in printed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rules"], "--rules must name one rule or more"),
        (["--rules", "foo"], "--rules: entrant 'foo' is no rule"),
        (["--rules", "lola(nan)"], "--rules: 'lola(nan)'"),
        (["--rules", "naive", "naive"], "--rules must name each rule once; naive stands there twice"),
        (["--rules", "naive", "--every", "1", "2"], "--every must be one number for each of 1 rules; got 2"),
        (["--payoffs", "1", "2"], "--payoffs must be eight numbers"),
        (["--tail", "201"], "--tail must lie in 1 to --steps, 200; got 201"),
        (["--seeds", "0"], "--seeds must be 2 or more; got 0"),
        (["--step", "nan"], "--step must be a finite number; got nan"),
        (["--plot", "x.foo"], "--plot 'x.foo' must end in .png"),
        (["--plot", "nowhere/x.png"], "--plot 'nowhere/x.png' lies in no folder"),
        (["--in-turn"], "--in-turn is an option of tournaments of strategies"),
        (["--strategies", "TFT", "--in-turn", "--horizon", "9"], "--horizon is not for players who move in turn"),
        (["--strategies"], "--strategies must name one strategy or more"),
        (["--strategies", "foo"], "; or a line-up: axelrod-1980, stewart-plotkin"),
        (["--strategies", "TFT", "TFT"], "--strategies must name each strategy once; TFT stands there twice"),
        (["--strategies", "TFT", "--rules", "naive"], "--rules is an option of tournaments of rules"),
        (["--strategies", "TFT", "--steps", "7"], "--steps is an option of tournaments of rules"),
        (["--rules", "naive", "--error", "0.1"], "--error is an option of tournaments of strategies"),
        (["--strategies", "TFT", "--game", "matching-pennies", "--invasion", "x.png"], "--invasion needs a game"),
        (["--seed", "99999999999999999999"], "--seed must be a whole number of at most 64 bits"),
    ],
)
def test_what_cannot_be_is_one_line_before_the_work(options, said, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        cli.main(["tournament", *options])
    captured = capsys.readouterr()
    assert (end.value.code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert said in captured.err


def test_strategies_are_ranked_with_every_number(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    files = [tmp_path / name for name in ("table.png", "graph.png")]
    line = ["tournament", "--strategies", "TFT", "ALLD", "ALLC", "punish(2)", "--game", "axelrod", "--horizon", "10"]
    cli.main([*line, "--plot", str(files[0]), "--invasion", str(files[1])])
    said = capsys.readouterr().out.splitlines()
    assert all(len(row) <= 80 for row in said)
    # 10, 9.9, 9.6 and 9 over four opponents: always defect gets 26 in ten rounds from who punishes for two of three.
    assert [row.split()[2] for row in said if row.startswith("│")][:4] == ["ALLD", "TFT", "punish(2)", "ALLC"]
    assert said[-3].endswith("10 rounds")
    assert all(file.stat().st_size > 5000 for file in files)


def test_strategies_as_json_and_who_is_left_out(capsys: pytest.CaptureFixture[str]):
    cli.main(["tournament", "--strategies", "axelrod-1980", "--game", "axelrod", "--discount", "1", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["ranking"][-1] == "JOSS"
    assert "Shubik" in said["setting"]["left out"]["axelrod-1980"]
    assert len(said["payoffs"]) == len(said["names"]) == 7
    row = said["payoffs"][said["names"].index("TFT")]
    assert row[said["names"].index("FRIEDMAN")] == pytest.approx(3.0)
    assert (said["setting"]["discount"], said["setting"]["horizon"]) == (1.0, None)
