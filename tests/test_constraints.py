"""The versions that the figures were made with are named for all that they need, and are among those we support."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXT = (ROOT / "constraints.txt").read_text()
PINNED = dict(line.split("==") for line in TEXT.splitlines() if line and not line.startswith("#"))
MAKE_NO_FIGURE = {"peers", "tracking", "cuda"}

LINES = PROJECT["dependencies"] + [
    line
    for extra, lines in PROJECT["optional-dependencies"].items()
    if extra not in MAKE_NO_FIGURE
    for line in lines
    if not line.startswith("ipd-theory[")
]


@pytest.mark.parametrize("line", sorted(set(LINES)))
def test_the_version_of_a_dependency_is_named_and_supported(line: str) -> None:
    wanted = Requirement(line)
    assert Version(PINNED[canonicalize_name(wanted.name)]) in wanted.specifier


def test_names_stand_once_in_order_and_the_head_says_how_to_install() -> None:
    names = re.findall(r"^([\w.-]+)==", TEXT, re.MULTILINE)
    assert names == sorted(set(names)) == [canonicalize_name(name) for name in names]
    [command] = re.findall(r"^# +(pip install .*)$", TEXT, re.MULTILINE)
    assert "-c constraints.txt" in command
    assert all(extra in PROJECT["optional-dependencies"] for extra in re.findall(r"\w+", command.split("'")[1]))
    assert all(extra in TEXT for extra in MAKE_NO_FIGURE)
