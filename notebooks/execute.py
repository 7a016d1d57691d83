"""Runs the notebooks: `NN_name.py` (jupytext percent format, the source) becomes the executed `NN_name.ipynb`.

Whatever would differ between two runs with the same results (cell ids, times, versions of the kernel) is fixed or
left out, so a notebook changes in the repository only when its text or its results change.

A source says more of a cell in its metadata:

    alt="…"      what its picture shows, for who cannot see it;
    quick="…"    a line of code that follows the cell when notebooks are checked, to train for less long;
    trained=true what it prints, draws and asserts depends on that: a check runs it, and compares nothing;
    tags=["solution"]  it answers an exercise: folded in notebooks and on the site, and left out of handouts;
    tags=["live"]      it needs a running kernel, as sliders do: nothing of what it shows is stored.

`--check` runs every cell in this quick way, writes nothing, and holds what the other cells print against the notebook
as it is stored.
"""

import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
import tyro
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

HERE = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
    "jupytext": {"formats": "ipynb,py:percent"},
}
CELL_SECONDS = 600
NUMBER = re.compile(r"[-+−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")
TOLERANCE = 0.02  # between processors, of numbers that a long computation leads to
ROUNDING = 1e-9  # numbers below are rounding


def sources(folder: Path = HERE) -> list[Path]:
    """Return the notebooks' text forms in order."""
    return sorted(folder.glob("[0-9]*.py"))


def read(source: Path, quick: bool = False) -> NotebookNode:
    """Return the notebook that a text form describes, without outputs, with ids that count the cells."""
    text = jupytext.read(source, fmt="py:percent")
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    for i, cell in enumerate(text.cells):
        new = nbformat.v4.new_markdown_cell if cell.cell_type == "markdown" else nbformat.v4.new_code_cell
        code = "\n".join([cell.source, cell.metadata["quick"]]) if quick and "quick" in cell.metadata else cell.source
        folded = {"jupyter": {"source_hidden": True}} if is_tagged(cell, "solution") else {}
        notebook.cells.append(new(code, id=f"cell-{i}", metadata=cell.metadata | folded))
    return notebook


def is_tagged(cell: NotebookNode, tag: str) -> bool:
    """Return whether a cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Execute a notebook in a fresh kernel that works in `folder`; an exception in a cell ends it."""
    said = [dict(cell.metadata) for cell in notebook.cells]
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
    )
    executed: NotebookNode = client.execute()
    for cell, metadata in zip(executed.cells, said, strict=True):
        cell.metadata = nbformat.from_dict(metadata)
        if is_tagged(cell, "live"):
            cell.outputs = []
        for output in pictures(cell):
            output.metadata = nbformat.from_dict({"image/png": {"alt": metadata.get("alt", "")}})
    executed.metadata = nbformat.from_dict(METADATA)  # without the state of sliders
    return executed


def pictures(cell: NotebookNode) -> list[NotebookNode]:
    """Return a cell's outputs that are pictures."""
    return [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]


def words(cell: NotebookNode) -> str:
    """Return what a cell printed and returned."""
    said = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        said += [
            output.get("text", ""),
            data.get("text/latex", "" if "image/png" in data else data.get("text/plain", "")),
        ]
    return "\n".join(text.strip() for text in said if text)


def alike(stored: str, now: str) -> bool:
    """Return whether two texts are the same but for numbers that agree to 2 % or to one unit of the last place."""
    if " ".join(NUMBER.sub("#", stored).split()) != " ".join(NUMBER.sub("#", now).split()):
        return False
    for a, b in zip(NUMBER.findall(stored), NUMBER.findall(now), strict=True):
        place = 10.0 ** -len(a.partition(".")[2].partition("e")[0])
        x, y = (float(text.replace("−", "-")) for text in (a, b))
        unit = place if "e" not in a else place * 10.0 ** int(a.partition("e")[2])
        if abs(x - y) > 1.01 * unit + TOLERANCE * abs(x) and max(abs(x), abs(y)) > ROUNDING:
            return False
    return True


def differences(stored: NotebookNode, now: NotebookNode) -> list[str]:
    """Return in which cells what a quick run gave is not what is stored."""
    found = []
    for i, (old, new) in enumerate(zip(stored.cells, now.cells, strict=True)):
        if len(pictures(old)) != len(pictures(new)):
            found.append(f"cell {i} has {len(pictures(old))} pictures, and now draws {len(pictures(new))}")
        if pictures(old) and not all(output.metadata.get("image/png", {}).get("alt") for output in pictures(old)):
            found.append(f"cell {i} has a picture without alternative text")
        if not new.metadata.get("trained") and not alike(words(old), words(new)):
            found.append(f"cell {i} has stored\n{words(old)}\nand now gives\n{words(new)}")
    return found


def faults(source: Path) -> list[str]:
    """Return what is wrong with a notebook, having run all of its cells quickly."""
    stored, wanted = nbformat.read(source.with_suffix(".ipynb"), as_version=4), read(source)
    if [(cell.source, cell.metadata) for cell in stored.cells] != [(c.source, c.metadata) for c in wanted.cells]:
        return ["the notebook is not its source, executed: run notebooks/execute.py"]
    quick = read(source, quick=True)
    for cell in quick.cells:
        if cell.metadata.get("trained"):
            cell.metadata["tags"] = ["raises-exception"]
    now = run(quick, source.parent)
    errors = [output for cell in now.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    wrong = [f"{error.ename}: {error.evalue}" for error in errors if error.ename != "AssertionError"]
    return wrong + differences(stored, now)


def write(notebook: NotebookNode, path: Path) -> bool:
    """Write a notebook whole or not at all, and return whether the file changed."""
    text = nbformat.writes(notebook, version=4) + "\n"
    if path.exists() and path.read_text() == text:
        return False
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    partial.write_text(text)
    os.replace(partial, path)
    return True


def main(names: tyro.conf.Positional[tuple[str, ...]] = (), out: Path = HERE, check: bool = False) -> None:
    """Run notebooks and write them, executed, beside their sources.

    Args:
        names: Beginnings of file names, e.g. 01 03; all notebooks if none is given.
        out: Where the executed notebooks go.
        check: Run them quickly instead, write nothing, and hold what they print against what is stored.
    """
    chosen = [path for path in sources() if not names or path.name.startswith(names)]
    if not chosen:
        sys.exit(f"no notebook's name begins with {' or '.join(names)}; there are {[p.stem for p in sources()]}")
    wrong = 0
    for source in chosen:
        began = time.monotonic()
        print(f"{source.stem} …", file=sys.stderr, flush=True)
        try:
            if check:
                found = faults(source)
                state, wrong = "\n".join(found) or "as stored", wrong + len(found)
            else:
                state = (
                    "written" if write(run(read(source), source.parent), out / f"{source.stem}.ipynb") else "unchanged"
                )
        except CellExecutionError as error:
            sys.exit(f"{source.name}: {error}")
        print(f"{source.stem}: {state}, {time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    tyro.cli(main)
