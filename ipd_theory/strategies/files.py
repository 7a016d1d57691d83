"""Strategies in files, as commands write them and as people do."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from ipd_theory._arguments import checked

SUFFIXES = (".json", ".txt", ".csv", ".npy")
LARGEST = 2**20  # bytes
NUMBER = re.compile(r"[-+.\d][-+.\de/]*", re.IGNORECASE)


@checked
def is_file_name(text: str) -> bool:
    """Whether a text names a file, by its end."""
    return Path(text.strip()).suffix.lower() in SUFFIXES


@checked
def read(text: str) -> str | dict[str, Any]:
    """Return what the file that a text names holds: a strategy as one writes it, or an automaton's parts by name.

    JSON is a list of a table's entries, or an object that holds it as `table`, or one with an automaton's `cooperate`,
    `moves` and, perhaps, `start`, alone or as `automaton`; so are the answers of `ipd-theory strategy --json`. Text has
    a name, or entries with commas, spaces or lines between them, and remarks after #. An array of numpy's is a table.

    Raises:
        ValueError: naming the file, if it cannot be read, or holds anything else.
    """
    path = Path(text.strip())
    try:
        if not path.is_file():
            raise ValueError(f"there is no such file{' but a folder' * path.is_dir()}")
        if path.stat().st_size > LARGEST:
            raise ValueError(f"the file must have at most {LARGEST} bytes; it has {path.stat().st_size}")
        held = {".json": _of_json, ".npy": _of_array}.get(path.suffix.lower(), _of_text)(path)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"strategy {text!r}: {error}") from None
    return held


def _of_text(path: Path) -> str:
    lines = [line.partition("#")[0] for line in path.read_text(encoding="utf-8-sig").splitlines()]
    words = " ".join(lines).strip(" ,\t")
    if not words or is_file_name(words):
        raise ValueError(f"the file must hold a name or the entries of a table; it holds {words!r}")
    entries = re.split(r"\s*,\s*|\s+", words)
    return ",".join(entries) if all(map(NUMBER.fullmatch, entries)) else words


def _of_json(path: Path) -> str | dict[str, Any]:
    held = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(held, dict):
        held = held.get("table", held.get("automaton", held))
    if isinstance(held, dict) and {"cooperate", "moves"} <= held.keys() <= {"cooperate", "moves", "start"}:
        return held
    if not isinstance(held, list) or not held:
        raise ValueError("the file must hold a list of entries, or an object with table, or with cooperate and moves")
    return ",".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in held)


def _of_array(path: Path) -> str:
    array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "fiu":
        raise ValueError("the file must hold an array [h] of numbers, one for each context")
    return ",".join(repr(float(x)) for x in array)
