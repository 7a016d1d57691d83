"""Rows of a log, piece by piece, as compact columns; whatever is wrong with one is told with where it stands."""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PIECE = 2**16  # rows that are text at a time
ACTIONS = {"C": 0, "D": 1, "0": 0, "1": 1, "COOPERATE": 0, "DEFECT": 1, "0.0": 0, "1.0": 1, "FALSE": 0, "TRUE": 1}
MISSING = {"", "NA", "NAN", "NONE", "<NA>"}
COLUMNS = {
    "own": ("own", "action"),
    "other": ("other",),
    "round": ("round",),
    "match": ("match",),
    "player": ("player",),
}
NEEDED = ("own", "other", "round")


class Piece(NamedTuple):
    """Rows that follow each other: where the first stands, and their columns as text, None where there is none."""

    begins: int
    columns: dict[str, Sequence[Any] | None]


class Table(NamedTuple):
    """Columns [N] of numbers: match, round, player, outcome, where each row stood; and the players' names."""

    match: np.ndarray
    round: np.ndarray
    player: np.ndarray
    outcome: np.ndarray
    where: np.ndarray
    players: tuple[str, ...]


def places(names: Sequence[str], said: str) -> dict[str, int | None]:
    """Return where each column stands among the names.

    Raises:
        ValueError: naming the column that is missing or stands there twice.
    """
    plain = [str(name).strip().lower() for name in names]
    found: dict[str, int | None] = {}
    for column, called in COLUMNS.items():
        here = [i for i, name in enumerate(plain) if name in called]
        if len(here) > 1 or (not here and column in NEEDED):
            fault = f"has {len(here)} columns" if here else "has no column"
            raise ValueError(f"{said} {fault} {' or '.join(called)}; its columns are {', '.join(map(str, names))}")
        found[column] = here[0] if here else None
    return found


def of_csv(path: Path) -> Iterator[Piece]:
    """Yield the rows of a file; its first line names the columns."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        said = f"path {str(path)!r}"
        header = next(reader, [])
        where = places(header, said)
        begins, width = 2, len(header)
        while rows := list(itertools.islice(reader, PIECE)):
            for i, row in enumerate(rows):
                if len(row) != width and row:
                    raise ValueError(f"{said}, line {begins + i}: it has {len(row)} entries; there are {width} columns")
            if not all(rows):  # empty lines
                rows = [row or [""] * width for row in rows]
            columns = list(zip(*rows, strict=True))
            yield Piece(begins, {name: None if i is None else columns[i] for name, i in where.items()})
            begins += len(rows)


def of_frame(frame: Any) -> Iterator[Piece]:
    """Yield the rows of a table whose columns have names."""
    names = list(frame.keys() if hasattr(frame, "keys") else frame.columns)
    where = places(names, "frame")
    columns = {name: None if i is None else np.asarray(frame[names[i]]) for name, i in where.items()}
    lengths = {x.shape for x in columns.values() if x is not None}
    if len(lengths) != 1 or len(lengths.pop()) != 1:
        raise ValueError("frame must have columns of one length, one number or text a row")
    rows = next(len(x) for x in columns.values() if x is not None)
    for begins in range(0, rows, PIECE):
        piece = {k: None if x is None else x[begins : begins + PIECE].tolist() for k, x in columns.items()}
        yield Piece(begins, piece)


def together(pieces: Iterable[Piece], name: str, kind: str) -> Table:
    """Return all rows that are not missing, as numbers.

    Args:
        pieces: of the log, in its order.
        name: what the log is called in errors.
        kind: what a row is called there.

    Raises:
        ValueError: with where a row stands that cannot be read; if there are no rows.
    """
    matches: dict[str, int] = {}
    players: dict[str, int] = {}
    parts = [_numbers(piece, matches, players, f"{name}, {kind}") for piece in pieces]
    if not sum(part[0].size for part in parts):
        raise ValueError(f"{name} holds no rounds")
    match, rounds, player, outcome, where = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Table(match, rounds, player, outcome, where, tuple(players))


def _numbers(piece: Piece, matches: dict[str, int], players: dict[str, int], said: str) -> list[np.ndarray]:
    """Return match, round, player, outcome and place of a piece's rows, without those that are missing."""
    rows = len(piece.columns["own"] or ())
    everywhere = np.arange(piece.begins, piece.begins + rows)
    own, other = (_read(piece.columns[name] or (), everywhere, f"{name} ", _action, said) for name in ("own", "other"))
    there = (own >= 0) & (other >= 0)
    where, kept = everywhere[there], there.tolist()

    def chosen(name: str) -> Sequence[Any] | None:
        text = piece.columns[name]
        return text if text is None or all(kept) else list(itertools.compress(text, kept))

    rounds = _read(chosen("round") or (), where, "round ", _whole, said)
    codes = [_coded(chosen(name), where.size, known) for name, known in (("match", matches), ("player", players))]
    return [codes[0], rounds, codes[1], (2 * own + other)[there].astype(np.int8), where]


def _coded(text: Sequence[Any] | None, size: int, known: dict[str, int]) -> np.ndarray:
    """Return the number of each name, new ones in the order in which they appear."""
    if text is None:
        known.setdefault("1", 0)
        return np.zeros(size, np.int32)
    return np.array([known.setdefault(x, len(known)) for x in (str(x).strip() for x in text)], np.int32)


def _read(text: Sequence[Any], where: np.ndarray, column: str, number: Callable[[Any], int], said: str) -> np.ndarray:
    """Return a column as numbers, each different text read once."""
    known: dict[Any, int] = {}
    for x in dict.fromkeys(text):
        try:
            known[x] = number(x)
        except ValueError as error:
            raise ValueError(f"{said} {where[list(text).index(x)]}: {column}{error}") from None
    return np.array([known[x] for x in text], np.int64)


def _action(x: Any) -> int:
    word = str(x).strip().upper()
    if word in MISSING:
        return -1
    if word not in ACTIONS:
        raise ValueError(f"must be C or D, or 0 to cooperate and 1 to defect; got {str(x)!r}")
    return ACTIONS[word]


def _whole(x: Any) -> int:
    try:
        value = int(x) if not isinstance(x, float) or x == int(x) else None
    except (ValueError, TypeError, OverflowError):
        try:
            value = int(float(x)) if float(x) == int(float(x)) else None
        except (ValueError, TypeError, OverflowError):
            value = None
    if value is None or not 0 <= value < 2**40:
        raise ValueError(f"must be a whole number, 0 or more; got {str(x)!r}")
    return value
