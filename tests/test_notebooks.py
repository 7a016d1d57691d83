"""Notebooks and their sources are in step, and whether two runs said the same is told right.

That every cell runs is for `make notebooks-check`, which comes after the tests.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from ipd_theory import games, strategies

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.py"))
EXERCISE = re.compile(r"^\*\*(Exercise \d+)\.", re.MULTILINE)


def load_execute() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_execute", NOTEBOOKS / "execute.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


execute = load_execute()


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str, dict[str, object]]]:
    return [(cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]


def test_every_notebook_has_a_source_and_every_source_a_notebook() -> None:
    assert SOURCES
    assert [path.stem for path in SOURCES] == sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_pairs_are_in_step(source: Path) -> None:
    """The committed notebook has the source's cells, all of them executed, in order and without an error."""
    committed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(committed)
    assert cells(committed) == cells(execute.read(source))
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert all(output.metadata["image/png"]["alt"] for cell in code for output in execute.pictures(cell))


EXPLORER = NOTEBOOKS.parent / "ipd_theory" / "explorer"
LINK = re.compile(r"\]\(\.\./ipd_theory/explorer/index\.html#([^)]*)\)")


def scenes() -> dict[str, list[str]]:
    """Return the fields of each of the explorer's scenes."""
    found = {}
    for path in EXPLORER.glob("scene_*.js"):
        [fields] = re.findall(r"fields: \[(.*?)\]", path.read_text())
        found[path.stem.removeprefix("scene_")] = re.findall(r'"(\w+)"', fields)
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_each_begins_with_a_scene_of_the_explorer(source: Path) -> None:
    """Its address names a scene and fields that there are, and strategies that both sides know."""
    [first, *_] = links = LINK.findall(source.read_text())
    assert first in execute.read(source).cells[0].source
    [version] = re.findall(r"VERSION = (\d+);", (EXPLORER / "page.js").read_text())
    for link in links:
        said, scene, settings = re.fullmatch(r"(\d+)/(\w+)(?:\?(.*))?", link).groups()
        assert said == version
        given = dict(parse_qsl(settings or "", strict_parsing=bool(settings)))
        assert set(given) <= set(scenes()[scene])
        for name in {"p", "q", "me", "mine"} & set(given):
            strategies.named(given[name], game=games.axelrod(), discount=1.0)


def posed(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the exercises' titles."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return [title for text in texts for title in EXERCISE.findall(text)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_exercises_are_posed_without_their_solutions_which_check_themselves(source: Path) -> None:
    """Three to six of them; after each comes a solution with an assertion; without solutions each is still posed."""
    notebook = execute.read(source)
    exercises = posed(notebook)
    assert exercises == [f"Exercise {i + 1}" for i in range(len(exercises))]
    assert 3 <= len(exercises) <= 6
    texts = ["solution" if execute.is_tagged(cell, "solution") else cell.source for cell in notebook.cells]
    answers, asked = {}, ""
    for cell, text in zip(notebook.cells, texts, strict=True):
        asked = (EXERCISE.findall(text) or [asked])[-1]
        if text == "solution":
            answers[asked] = answers.get(asked, "") + cell.source
    assert all("assert" in answers[title] for title in exercises)
    notebook.cells = [cell for cell in notebook.cells if not execute.is_tagged(cell, "solution")]
    assert posed(notebook) == exercises


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_sources_run(source: Path, tmp_path: Path) -> None:
    """Every cell runs in full in a fresh kernel, assertions beside the prose included."""
    command = [sys.executable, str(NOTEBOOKS / "execute.py"), source.name, "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{source.stem}.ipynb").exists()


@pytest.mark.parametrize(
    ("stored", "now", "same"),
    [
        ("mean 0.497", "mean 0.498", True),
        ("mean 0.497", "mean 0.52", False),
        ("61 pairs", "60 pairs", True),  # one unit of the last place
        ("61 pairs", "55 pairs", False),
        ("gap 3.1e-17", "gap 2e-16", True),
        ("gap 3.1e-03", "gap 2e-16", False),
        ("up", "down", False),
        ("1 2", "1 2 3", False),
        ("[0.56  0.83]", "[0.56 0.83]", True),
    ],
)
def test_texts_are_the_same_but_for_small_differences_of_numbers(stored: str, now: str, same: bool) -> None:
    assert execute.alike(stored, now) == same


SMALL = """# %% [markdown]
# A **sum**.

# %% quick="steps = 1"
steps = 2

# %%
print(1)
print(2)
1 + 2

# %% trained=true
print(steps)
assert steps == 2, "too short"
"""


def test_execution_is_repeatable_and_a_check_finds_what_differs(tmp_path: Path) -> None:
    """Running again changes no byte; a failing assertion ends with its message; checks train for less long."""
    source = tmp_path / "01_small.py"
    source.write_text(SMALL)
    notebook = source.with_suffix(".ipynb")
    assert execute.write(execute.run(execute.read(source), tmp_path), notebook)
    outputs = nbformat.read(notebook, as_version=4).cells[2].outputs
    assert [output.get("text") or output["data"]["text/plain"] for output in outputs] == ["1\n2\n", "3"]
    assert execute.faults(source) == []  # the last cell fails in the check, as it may

    notebook.write_text(notebook.read_text().replace("1\\n", "7\\n"))
    (wrong,) = execute.faults(source)
    assert wrong.startswith("cell 2 has stored")
    source.write_text(SMALL.replace("print(1)", "assert 1 + 1 == 3, 'sums are off'"))
    assert "not its source" in execute.faults(source)[0]
    with pytest.raises(CellExecutionError, match="sums are off"):
        execute.run(execute.read(source), tmp_path)
