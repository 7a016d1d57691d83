"""`ipd-theory`: help and version load nothing; endings are one line and a status; text is never markup."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ipd_theory
from ipd_theory import cli

HEAVY = ("jax", "numpy", "sympy", "tyro", "rich")


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ipd_theory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, timeout=60)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing(option: str):
    code = f"import sys; from ipd_theory import cli; cli.main([{option!r}]); print(*sys.modules, file=sys.stderr)"
    begin = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - begin < 3
    assert not set(HEAVY) & set(ended.stderr.split())


def test_the_help_lists_every_command_in_its_own_words(capsys: pytest.CaptureFixture[str]):
    cli.main(["-h"])
    page = capsys.readouterr().out
    commands = {path.stem for path in (Path(cli.__file__).parent / "commands").glob("*.py")}
    assert set(cli.COMMANDS) == {name for name in commands if f"def {name}(" in source(name)}
    for name in cli.COMMANDS:
        _, function = cli._loaded(name)
        first = (function.__doc__ or "").partition("\n")[0]
        assert f"{name} {first}" in " ".join(page.split())
    assert max(map(len, page.splitlines())) < 80


def source(name: str) -> str:
    return (Path(cli.__file__).parent / "commands" / f"{name}.py").read_text()


def test_python_m_is_the_same(capsys: pytest.CaptureFixture[str]):
    cli.main(["--version"])
    assert run("--version").stdout == capsys.readouterr().out == f"ipd-theory {ipd_theory.__version__}\n"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_s_help_fits_the_terminal(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "80")
    cli.main([name, "--help"])
    page = capsys.readouterr().out
    too_wide = [line for line in page.splitlines() if len(line) > 80]
    assert all(line.startswith("  ") or " " not in line for line in too_wide)  # commands to copy, and a list of presets
    _, function = cli._loaded(name)
    prose = (function.__doc__ or "").partition("Args:")[0]
    assert " ".join(prose.split()) in " ".join(page.split())


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_s_help_loads_no_jax(name: str):
    code = (
        f"import sys; from ipd_theory import cli\ntry: cli.main([{name!r}, '--help'])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0
    assert "usage: ipd-theory " + name in ended.stdout
    assert not {"jax", "numpy", "sympy", "matplotlib"} & set(ended.stderr.split())


def test_automata_and_misperception_are_read_by_returns(capsys: pytest.CaptureFixture[str]) -> None:
    """One half each once either sees a defection: tit for tat against its like, by any misperception at all."""
    cli.main(["returns", "TFT", "TFT", "--misperception", "0.01", "--discount", "1", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["returns"] == [pytest.approx(0.5), pytest.approx(0.5)]  # the mean of 1, −1, 2 and 0
    assert said["occupancy"][0] == [pytest.approx(0.5), pytest.approx(0.5)]
    cli.main(["returns", "grim-automaton", "ALLD"])
    out = capsys.readouterr().out
    assert "grim-automaton earns -0.050000 a step" in out


def test_players_who_move_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    """One who defects opens with T or P, and the other, tit for tat, answers once and for all when its turn comes."""
    cli.main(["returns", "ALLD", "TFT", "--in-turn", "--discount", "0.5", "--payoffs", "3,0,5,1", "--json"])
    said = json.loads(capsys.readouterr().out)
    # DC pays 5 and 0 until tit for tat has moved: at once, or after a move of the other that changes nothing.
    assert said["by_next_mover"][1] == [pytest.approx(0.5 * 5 + 0.5), pytest.approx(0.5)]
    assert said["by_next_mover"][0] == [pytest.approx(0.75 * 5 + 0.25), pytest.approx(0.25)]
    cli.main(["returns", "TFT", "forgiver", "--in-turn", "--error", "0.01", "--discount", "1"])
    assert "players move in turn" in capsys.readouterr().out
