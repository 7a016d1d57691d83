"""Every option of every command is given what it cannot be: one line that names the option, and exit status 2.

Options are read from the commands' signatures, so that none added later escapes: one of an unknown type fails the test,
and so does a wrong value that a command takes, unless the table below says what it means.
"""

import dataclasses
import fnmatch
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from ipd_theory import cli
from ipd_theory.commands import command_line

LOG = Path(__file__).with_name("log.csv")
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
    "* misperception 0": "no error",
    "* intensity 0": "payoffs decide nothing",
    "* iteration 0": "the state at the start",
    "explore port 0": "any that is free",
    "evolve start 0": "nobody at first",
    "evolve intensity 0": "neutral",
    "evolve mutation 0": "no mutants",
    "fit memory 0": "no outcome is remembered",
    "fit margin 0": "a best reply exactly",
    "fit closeness 0": "an extortioner exactly",
    "fit agent 0": "the first agent",
    "watch agent 0": "the first agent",
    "train max_minutes inf": "no limit, as when it is not given",
    "train max_minutes 1e999": "no limit",
    "train process 0": "the process that writes",
    "train wandb_project [[]/red]": "a name that Weights & Biases may refuse, if it is installed",
    "phase p_naive 0": "no naive learners",
    "phase learning_rate 0": "learners that stand still",
    "phase tremble 0": "no error",
    "phase learner_std 0": "learners that all start alike",
    "phase steps 0": "pools as they start",
    "phase inner_episodes 0": "learners that never move",
    "bound learning_rate 0": "learners that never move",
    "bound inner_episodes 0": "learners that never move",
    "bound learner_std 0": "learners that are alike",
    "derive inner_episodes 0": "learners that never move",
    "* *_at_once 0": "all at once",
    "* gradient_parts_every 0": "never",
    "* environment.payoffs [-0]*": "payoffs",
    "* *.learning_rate 0": "no learning",
    "* *.value_coefficient 0": "values are not learned",
    "* *.discount 0": "each step for itself",
    "* *_lambda 0": "one step ahead",
    "phase [STP]* -1": "a payoff",
    "phase [STP]* 0": "a payoff",
}
# Options, each with its words, that make a command small.
GOOD: dict[str, dict[str, list[str]]] = {
    "returns": {"p": ["TFT"], "q": ["TFT"]},
    "strategy": {"name": ["TFT"]},
    "reproduce": {"what": ["neutral mutant"]},
    "classify": {"memory": ["--memory", "1"]},
    "fit": {"file": [str(LOG)]},
    "evolve": {"strategies": ["TFT", "ALLD"]},
    "derive": {"quantity": ["return"], "q": ["--q", "1,1,0,1,0"], "p": ["--p", "1,1,0,1,0"]},
    "tournament": {"rules": ["--rules", "naive"], **{x: [f"--{x}", "2"] for x in ("seeds", "steps", "tail")}},
    "bound": {x: [f"--{x.replace('_', '-')}", "1"] for x in ("inner_episodes", "learners", "starts")},
    "phase": {"size": ["quick"], "x": ["--x", "p_naive:0:1:2"], "y": ["--y", "T:1.5:2:2"]}
    | {x: [f"--{x.replace('_', '-')}", "1"] for x in ("seeds", "steps", "cpu_devices")},
    "verify": {"meta_episodes": ["--meta-episodes", "1000"]},
    "train": {"chosen": ["ipd-shaping-quick"]},
    "evaluate": {"run": ["RUN"]},
    "shaper": {"chosen": ["ipd-shaping-quick"]},
    "watch": {"run": ["RUN"]},
    "explore": {"json": ["--json"]},
    "figures": {"names": ["5"]},
}


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a command: its name with dots, its type, how many values it takes, and whether by its place."""

    command: str
    name: str
    kind: Any
    length: int = 1
    by_place: bool = False

    @property
    def flag(self) -> list[str]:
        return [] if self.by_place else [f"--{self.name.replace('_', '-')}"]


def options_of(command: str) -> Iterator[Option]:
    """Every option of a command, those of its settings (which come from a preset) included."""
    function = cli._loaded(command)[1]
    kinds = typing.get_type_hints(function, include_extras=True)
    given = command_line.read(function, command, [word for words in GOOD[command].values() for word in words])
    for name, value in given.keywords.items():
        if dataclasses.is_dataclass(value):
            yield from settings(command, value)
        else:
            yield Option(command, name, kinds[name], by_place="Positional" in str(kinds[name]))


def settings(command: str, chosen: Any, prefix: str = "") -> Iterator[Option]:
    kinds = typing.get_type_hints(type(chosen), include_extras=True)
    for field in dataclasses.fields(chosen):
        value = getattr(chosen, field.name)
        inner = "" if field.name == "config" else f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from settings(command, value, f"{inner}." if inner else "")
        elif field.name != "preset":
            yield Option(command, inner, kinds[field.name], len(value) if isinstance(value, tuple) else 1)


def plain(kind: Any) -> Any:
    """The type of one entry of an option: without its checks, its None and its tuple."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated or origin is tuple:
        return plain(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return plain([inner for inner in typing.get_args(kind) if inner is not type(None)][-1])
    return Literal if origin is Literal else kind


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_option_of_a_command_is_held_to_what_it_may_be(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RUN").mkdir()
    wrong = []
    for option in options_of(command):
        for value in WRONG[plain(option.kind)]:
            if any(fnmatch.fnmatchcase(f"{command} {option.name} {value}", pattern) for pattern in ALLOWED):
                continue
            others = [w for name, words in GOOD[command].items() if name != option.name for w in words]
            line = [command, *others, *option.flag, *[value] * option.length]
            status = status_of(line)
            said = capsys.readouterr()
            if status != 2 or said.out or said.err.count("\n") != 1 or not names(said.err, option, value):
                wrong.append(f"{' '.join(line)}: status {status}, {said.err or said.out!r}")
    assert not wrong, "\n" + "\n".join(wrong)
    assert [path.name for path in tmp_path.rglob("*")] == ["RUN"]


def status_of(line: list[str]) -> Any:
    try:
        cli.main(line)
    except SystemExit as end:
        return end.code
    return 0


def names(said: str, option: Option, value: str) -> bool:
    """Whether an error says which option is meant, or quotes what stands at a place of its own, and nothing odd."""
    words = said.lower().replace("_", "-")
    name = option.name.rpartition(".")[2].lower().replace("_", "-")
    known = name in words or (value in said and (option.by_place or name in "xy"))
    return known and len(said) < 600 and "parsing" not in words
