"""What lies in a run's folder: its settings, its metrics, its checkpoints, and the lock of the process that writes it.

The settings of a training run are `config.json`, those of a search `shaper.json`; `metrics.jsonl` holds a line of JSON
for each part of it. Whatever is read here names the file in its errors.
"""

import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ipd_theory._arguments import checked
from ipd_theory._files import written_whole
from ipd_theory.rl.config import Config, Meta, Naive
from ipd_theory.rl.environments import ENVIRONMENTS
from ipd_theory.rl.networks import NETWORKS
from ipd_theory.rl.tagging import from_tagged, to_tagged

T = TypeVar("T")
Line = dict[str, Any]
KNOWN = {"environment": ENVIRONMENTS, "network": NETWORKS}  # settings whose class is stored with them
CONFIG, SEARCH = "config.json", "shaper.json"
METRICS, CHECKPOINTS, LOCK = "metrics.jsonl", "checkpoints", ".lock"
INDECISIVE = ("iterations", "co_players_at_once", "trajectories_at_once")  # change no result beyond rounding


def described(config: Config, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return the settings of a run as JSON data."""
    data = {"seeds": seeds, **dataclasses.asdict(config)}
    data |= {name: to_tagged(name, getattr(config, name), known) for name, known in KNOWN.items()}
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain


def decisive(settings: dict[str, Any]) -> dict[str, Any]:
    """Return those settings that another part of the same run must share, by their full names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": x for inner, x in decisive(value).items()}
        elif name not in INDECISIVE:
            flat[name] = value
    return flat


def differences(there: dict[str, Any], here: dict[str, Any]) -> str:
    """Return in words which decisive settings differ, and how; nothing if none does, or if `there` does not know it."""
    return ", ".join(f"{name} is {x!r}, not {here.get(name)!r}" for name, x in there.items() if x != here.get(name))


def hold(directory: Path, name: str, settings: dict[str, Any]) -> None:
    """Hold a folder's settings, if it has any, against those that are to be continued; nothing is written.

    Args:
        directory: the folder, there or not.
        name: of the file of settings, CONFIG or SEARCH.
        settings: as they would be written to that file.

    Raises:
        ValueError: if the folder holds something else: a run with other settings, a run of the other kind, or one
            whose settings are gone.
    """
    path, other = directory / name, directory / (CONFIG if name == SEARCH else SEARCH)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{directory} must be a folder; it is a file")
    if other.exists():
        kind = "training run" if name == SEARCH else "search for a shaper"
        raise ValueError(f"directory {directory} holds a {kind} ({other.name}); take another folder")
    if path.exists():
        there = described(*read_config(directory)) if name == CONFIG else _json(path)
        differing = differences(decisive(there), decisive(settings))
        if differing:
            raise ValueError(f"directory {directory} holds a run with other settings: {differing} ({name})")
        return
    for left in (METRICS, CHECKPOINTS):
        if (directory / left).exists():
            raise ValueError(f"directory {directory} holds {left} but no {name}: whose it is cannot be known")


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """Keep a folder from other processes while the block runs; one in which nothing is written is removed again.

    The lock goes with the process, however that ends.

    Raises:
        ValueError: if another process keeps it.
    """
    import fcntl

    new = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    lock = directory / LOCK
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = f"process {file.read()}" if lock.stat().st_size else "another process"
            raise ValueError(f"directory {directory} is being written by {who}") from None
        except OSError:
            pass  # a file system without locks
        try:
            file.truncate(0)
            file.write(f"{os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield
        finally:
            if os.listdir(directory) == [LOCK]:
                lock.unlink()
                with contextlib.suppress(OSError):
                    for path in new:
                        path.rmdir()


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(text)


def write_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write settings as JSON into a folder, which is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(settings, indent=2) + "\n")


@checked
def read_config(directory: Path) -> tuple[Config, tuple[int, ...]]:
    """Return the settings and the seeds of a run.

    Raises:
        ValueError: if the directory holds none, or what it holds describes no run; the file is named.
    """
    path = directory / CONFIG
    if not path.exists():
        raise ValueError(f"directory {directory} holds no run: there is no {path.name}")
    data = _json(path)
    return _about(path, lambda: _config(data))


def _config(described: dict[str, Any]) -> tuple[Config, tuple[int, ...]]:
    fields = dict(described)
    names = {field.name for field in dataclasses.fields(Config)}
    unknown, missing = fields.keys() - names - {"seeds"}, {*KNOWN, "naive", "meta", "seeds"} - fields.keys()
    if unknown or missing:
        what = ", ".join(sorted(unknown or missing))
        raise ValueError(f"{'there is no setting' if unknown else 'it lacks'} {what}")
    seeds = tuple(fields.pop("seeds"))
    fields |= {name: _part(name, kind, fields[name]) for name, kind in {"naive": Naive, "meta": Meta}.items()}
    fields |= {name: from_tagged(name, fields[name], known) for name, known in KNOWN.items()}
    if isinstance(fields.get("methods"), list):
        fields["methods"] = tuple(fields["methods"])
    return Config(**fields), seeds


def _part(name: str, kind: type[T], fields: dict[str, Any]) -> T:
    try:
        return kind(**fields)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error


def _json(path: Path) -> dict[str, Any]:
    data: Any = _about(path, lambda: json.loads(path.read_bytes().decode()))
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold an object of settings; got {str(data)[:60]}")
    return data


def _about(path: Path, read: Callable[[], T]) -> T:
    """Read a file; whatever is wrong with what it holds is an error that names it."""
    try:
        return read()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


@checked
def read_metrics(directory: Path) -> list[Line]:
    """Return the lines of a run's metrics; a last line cut short by a kill is dropped.

    Raises:
        ValueError: if another line is none; the file is named.
    """
    path = directory / METRICS
    if not path.exists():
        return []
    lines = _about(path, path.read_text).split("\n")[:-1]
    return [_line(path, number, text) for number, text in enumerate(lines, 1)]


def _line(path: Path, number: int, text: str) -> Line:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict) or not isinstance(line.get("iteration", line.get("generation")), int):
        raise ValueError(f"{path}, line {number}, holds no metrics: {text[:60]!r}")
    return line


@checked
def iterations_done(directory: Path) -> int:
    """Return the last iteration of a run's metrics, 0 if there is none."""
    lines = read_metrics(directory)
    return int(lines[-1]["iteration"]) if lines else 0


def append(directory: Path, line: Line) -> None:
    """Add a line of metrics; one that does not fit on the disk is not half written."""
    with (directory / METRICS).open("a") as file:
        file.write(json.dumps(line) + "\n")


def rewind(directory: Path, kept: list[Line]) -> None:
    """Write the metrics again without the lines after a checkpoint."""
    write_whole(directory / METRICS, "".join(json.dumps(line) + "\n" for line in kept))
