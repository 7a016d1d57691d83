"""Every block of code on the site's pages runs, and prints what stands beneath it."""

import ast
import contextlib
import importlib.util
import io
import pkgutil
import re
import shlex
from pathlib import Path

import jax
import nbformat
import numpy as np
import pytest

import ipd_theory
from ipd_theory import cli
from ipd_theory.commands import command_line

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# Pages of the reference that compile much.
LONG = (
    "automata",
    "evolution",
    "rules",
    "learning",
    "pools",
    "phases",
    "sampling",
    "drawing",
    "rl_runs",
    "rl_training",
    "rl_environments",
)
MARKED = [
    pytest.param(page, marks=[pytest.mark.slow] * (page.parent.name == "reference" and page.stem in LONG))
    for page in PAGES
]
BLOCK = re.compile(r"^ *```(?P<kind>[^\n]*)\n(?P<body>.*?)^ *```$", re.DOTALL | re.MULTILINE)
SPEC = importlib.util.spec_from_file_location("site_sessions", DOCS / "sessions.py")
sessions = importlib.util.module_from_spec(SPEC)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")


SPEC.loader.exec_module(sessions)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return a page's blocks as (what stands behind the opening marks, the text)."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [(block["kind"].strip(), re.sub(r"^    ", "", block["body"])) for block in found]


def same(said: str, printed: str) -> bool:
    """Return whether two texts have the same words, and the same numbers but for rounding."""
    if NUMBER.sub("#", said).split() != NUMBER.sub("#", printed).split():
        return False
    pairs = zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True)
    return all(np.isclose(float(a), float(b), rtol=1e-6, atol=1e-9) for a, b in pairs)


@pytest.mark.parametrize("page", MARKED, ids=lambda page: str(page.relative_to(DOCS)))
def test_python_runs_and_prints_what_is_said(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is one session; a block with a file name as its title is written to that file as well."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    printed = ""
    with jax.enable_x64(True):
        for kind, body in blocks(page):
            if kind.startswith("python"):
                title = re.search(r'title="(.*?)"', kind)
                if title:
                    (tmp_path / title[1]).write_text(body)
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile(body, str(page), "exec"), names)
                printed = out.getvalue()
            elif kind == "text" and printed:
                assert same(body, printed), f"{page.name} says\n{body}\nand it is\n{printed}"
                printed = ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_commands_can_be_read(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `ipd-theory …` names a command and options that are; every `make …` a target."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for folder in re.findall(r"(?:evaluate|fit --run) (\S+)", page.read_text()):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for kind, body in blocks(page):
        if not kind.startswith(("sh", "{.sh")):
            continue
        for line in body.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["make"]:
                assert words[1] in targets, line
            if "ipd-theory" in words:
                name, *given = words[words.index("ipd-theory") + 1 :]
                if name.startswith("-"):
                    continue
                command_line.read(cli._loaded(name)[1], name, given)


def test_every_public_module_has_its_place_in_the_reference() -> None:
    names = {module.name for module in pkgutil.walk_packages(ipd_theory.__path__, "ipd_theory.") if not module.ispkg}
    public = {name for name in names if "._" not in name and ".commands." not in name} - {"ipd_theory.cli"}
    text = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    shown = re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(public - {"ipd_theory.__main__"})
    index = (DOCS / "reference" / "index.md").read_text()
    assert not [name for name in shown if f"`{name.removeprefix('ipd_theory.')}`" not in index]


def test_the_plan_of_a_term_poses_every_exercise_and_shows_no_solution() -> None:
    plan = sessions.plan()
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        one = sessions.session(nbformat.from_dict({"cells": cells}))
        assert f"[{one.title}]({path.stem}.md)" in plan
        posed = [cell.source for cell in cells if re.search(r"^\*\*Exercise \d", cell.source, re.MULTILINE)]
        assert len(one.exercises) == len(posed) >= 3
        assert 60 <= 10 + one.reading + one.exercising <= 120
        assert "../explorer/index.html#1/" in one.play
        assert one.play.endswith("?")
        solutions = [cell.source for cell in cells if "solution" in cell.metadata.get("tags", [])]
        assert not [text for text in solutions if text in plan]


def test_no_docstring_holds_what_the_site_would_take_for_a_link() -> None:
    """`[matches][2]` reads as a link to what is called 2."""
    linked = [
        f"{path.name}: {found}"
        for path in Path(ipd_theory.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        for found in re.findall(
            r"(?<!`)\[[^\]\n]*\]\[[^\]\n]*\]", re.sub(r"`[^`]*`", "", ast.get_docstring(node) or "")
        )
    ]
    assert not linked
