"""Every option of every command is given what it cannot be: one line that names the option, and exit status 2.

Options are read from the commands' signatures, so that none added later escapes: one of an unknown type fails the test,
and so does a wrong value that a command takes, unless the table below says what it means.
"""

import fnmatch
import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from ipd_theory import cli

HUGE = "99999999999999999999"
WRONG: dict[Any, tuple[str, ...]] = {
    int: ("x", "1.5", "nan", "-1", "0", HUGE, ""),
    float: ("x", "nan", "inf", "-inf", "-1", "0", "1e999", ""),
    str: ("[/red]", ""),
    Path: ("/dev/null/x", ""),
    bool: (),  # takes no value
    Literal: ("[/red]", ""),
}
# What is allowed, by command, option and value.
ALLOWED = {
    "* seed 0": "the first seed",
    "* discount 0": "play ends after the first step",
    "* error 0": "no error",
    "* iteration 0": "the state at the start",
    "watch agent 0": "the first agent",
    "train max_minutes inf": "no limit, as when it is not given",
    "train max_minutes 1e999": "no limit",
    "train process 0": "the process that writes",
    "train wandb_project [[]/red]": "a name that Weights & Biases may refuse, if it is installed",
    "phase p_naive 0": "no naive learners",
    "phase learning_rate 0": "learners that stand still",
    "phase tremble 0": "no error",
    "phase learner_std 0": "learners that all start alike",
    "phase [RSTP] -1": "a payoff",
    "phase [RSTP] 0": "a payoff",
}
# Options that make a command quick to refuse, and do nothing else.
GOOD = {
    "returns": {"p": ["TFT"], "q": ["TFT"]},
    "strategy": {"name": ["TFT"]},
    "derive": {"quantity": ["return"], "q": ["1,1,0,1,0"], "p": ["1,1,0,1,0"]},
    "tournament": {"rules": ["naive"], "seeds": ["2"], "steps": ["1"], "tail": ["1"]},
    "phase": {"x": ["p_naive:0:1:2"], "y": ["T:1.5:2:2"], "seeds": ["1"], "steps": ["1"], "cpu_devices": ["1"]},
    "verify": {"meta_episodes": ["1000"]},
    "train": {"chosen": ["ipd-shaping-quick"]},
    "evaluate": {"run": ["RUN"]},
    "shaper": {"chosen": ["ipd-shaping-quick"]},
    "watch": {"run": ["RUN"]},
    "figures": {"names": ["5"]},
}


def fields(command: str) -> Iterator[tuple[str, Any, bool]]:
    """Every option of a command, with its type and whether it is given by its place."""
    function = cli._loaded(command)[1]
    kinds = typing.get_type_hints(function, include_extras=True)
    for name in inspect.signature(function).parameters:
        if name != "chosen":
            by_place = "Positional" in str(kinds[name])
            yield name, kinds[name], by_place


def plain(kind: Any) -> Any:
    """The type of one entry of an option: without its checks, its None and its tuple."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated or origin is tuple:
        return plain(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        (inner,) = (inner for inner in typing.get_args(kind) if inner is not type(None))
        return plain(inner)
    return Literal if origin is Literal else kind


LINES = [
    (command, name, by_place, value)
    for command in cli.COMMANDS
    for name, kind, by_place in fields(command)
    for value in WRONG[plain(kind)]
    if not any(fnmatch.fnmatch(f"{command} {name} {value}", pattern) for pattern in ALLOWED)
]


def written(command: str, changed: str, by_place: bool, value: str) -> list[str]:
    places = {name: place for name, _, place in fields(command)} | {"chosen": True}
    given = GOOD[command] | {changed: [value]}
    line = [command]
    for name in sorted(given, key=lambda name: not places[name]):
        line += given[name] if places[name] else [f"--{name.replace('_', '-')}", *given[name]]
    return line


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_option_of_a_command_is_held_to_what_it_may_be(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RUN").mkdir()
    wrong = []
    for _, name, by_place, value in (line for line in LINES if line[0] == command):
        line = written(command, name, by_place, value)
        try:
            cli.main(line)
            status = 0
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        text = said.err.replace("_", "-").lower()
        named = name.replace("_", "-").lower() in text or ((by_place or name in "xy") and value in text)
        if (status, said.out, said.err.count("\n"), named) != (2, "", 1, True):
            wrong.append(f"{' '.join(line)}: status {status}, {said.err or said.out!r}")
    assert not wrong, "\n" + "\n".join(wrong)
    assert [path.name for path in tmp_path.rglob("*")] == ["RUN"]
