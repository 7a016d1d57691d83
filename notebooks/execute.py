"""Runs the notebooks: `NN_name.py` (jupytext percent format, the source) becomes the executed `NN_name.ipynb`.

Whatever would differ between two runs with the same results (cell ids, times, versions of the kernel) is fixed or
left out, so a notebook changes in the repository only when its text or its results change.
"""

import os
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


def sources(folder: Path = HERE) -> list[Path]:
    """Return the notebooks' text forms in order."""
    return sorted(folder.glob("[0-9]*.py"))


def read(source: Path) -> NotebookNode:
    """Return the notebook that a text form describes, without outputs, with ids that count the cells."""
    text = jupytext.read(source, fmt="py:percent")
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    for i, cell in enumerate(text.cells):
        new = nbformat.v4.new_markdown_cell if cell.cell_type == "markdown" else nbformat.v4.new_code_cell
        notebook.cells.append(new(cell.source, id=f"cell-{i}"))
    return notebook


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Execute a notebook in a fresh kernel that works in `folder`; an exception in a cell ends it."""
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
    )
    executed: NotebookNode = client.execute()
    for cell in executed.cells:
        cell.metadata.clear()
    executed.metadata = nbformat.from_dict(METADATA)
    return executed


def write(notebook: NotebookNode, path: Path) -> bool:
    """Write a notebook whole or not at all, and return whether the file changed."""
    text = nbformat.writes(notebook, version=4) + "\n"
    if path.exists() and path.read_text() == text:
        return False
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    partial.write_text(text)
    os.replace(partial, path)
    return True


def main(names: tyro.conf.Positional[tuple[str, ...]] = (), out: Path = HERE) -> None:
    """Run notebooks and write them, executed, beside their sources.

    Args:
        names: Beginnings of file names, e.g. 01 03; all notebooks if none is given.
        out: Where the executed notebooks go.
    """
    chosen = [path for path in sources() if not names or path.name.startswith(names)]
    if not chosen:
        sys.exit(f"no notebook's name begins with {' or '.join(names)}; there are {[p.stem for p in sources()]}")
    for source in chosen:
        began = time.monotonic()
        print(f"{source.stem} …", file=sys.stderr, flush=True)
        try:
            executed = run(read(source), source.parent)
        except CellExecutionError as error:
            sys.exit(f"{source.name}: {error}")
        changed = write(executed, out / f"{source.stem}.ipynb")
        state = "written" if changed else "unchanged"
        print(f"{source.stem}: {state}, {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    tyro.cli(main)
