"""Each notebook is its text form, executed: the pairs are in step, and every source runs to its end."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.py"))
LONG = ("03", "04", "05")  # what they compute is tested by itself, too


def load_execute() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_execute", NOTEBOOKS / "execute.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def execute(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def test_every_notebook_has_a_source_and_every_source_a_notebook() -> None:
    assert SOURCES
    assert [path.stem for path in SOURCES] == sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_pairs_are_in_step(source: Path) -> None:
    """The committed notebook has the source's cells, all of them executed, in order and without an error."""
    committed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(committed)
    assert cells(committed) == cells(load_execute().read(source))
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]


@pytest.mark.parametrize(
    "source",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * path.stem.startswith(LONG)) for path in SOURCES],
)
def test_sources_run(source: Path, tmp_path: Path) -> None:
    """Every cell runs in a fresh kernel, assertions beside the prose included."""
    done = execute(NOTEBOOKS / "execute.py", source.name, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{source.stem}.ipynb").exists()


def test_execution_is_repeatable_and_errors_are_shown(tmp_path: Path) -> None:
    """Running again changes no byte; a failing assertion ends with its message and leaves the old notebook."""
    script = tmp_path / "execute.py"
    script.write_text((NOTEBOOKS / "execute.py").read_text())
    source = tmp_path / "01_small.py"
    source.write_text("# %% [markdown]\n# A **sum**.\n\n# %%\nprint(1)\nprint(2)\n1 + 2\n")
    assert execute(script).returncode == 0
    first = (tmp_path / "01_small.ipynb").read_bytes()
    again = execute(script)
    assert "unchanged" in again.stderr
    assert (tmp_path / "01_small.ipynb").read_bytes() == first
    outputs = nbformat.reads(first.decode(), as_version=4).cells[1].outputs
    assert [output.get("text") or output["data"]["text/plain"] for output in outputs] == ["1\n2\n", "3"]

    source.write_text("# %%\nassert 1 + 1 == 3, 'sums are off'\n")
    failed = execute(script)
    assert failed.returncode == 1
    assert "sums are off" in failed.stderr
    assert (tmp_path / "01_small.ipynb").read_bytes() == first
    assert execute(script, "99").returncode == 1
