"""What stands at a place, FILE.py:NAME or MODULE:NAME: how commands and settings name what is one's own."""

import contextlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ipd_theory._arguments import did_you_mean


def load(place: str) -> Any:
    """Return what is called NAME in FILE.py:NAME or MODULE:NAME; a file is run once, and may import its neighbours.

    Args:
        place: where it stands; a relative file counts from the working directory.

    Raises:
        ValueError: in one line that begins with the place, if it has another form, there is no such file or module, it
            fails when it is run, or it defines no such name.
    """
    where, _, name = place.rpartition(":")
    if not where or not name.isidentifier():
        raise ValueError(f"{place!r}: a place must be FILE.py:NAME or MODULE:NAME")
    module = _run_once(place, Path(where)) if where.endswith(".py") else _imported(place, where)
    try:
        return getattr(module, name)
    except AttributeError:
        own = [n for n, x in vars(module).items() if not n.startswith("_") and not isinstance(x, ModuleType)]
        raise ValueError(f"{place!r}: {where} defines no {name}{did_you_mean(name, own)}") from None


def main_file() -> Path | None:
    """Return the file that Python was started with, whose classes say of themselves that they stand in `__main__`."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(file).resolve() if file else None


def _run_once(place: str, file: Path) -> ModuleType:
    path = file.resolve()
    if path == main_file():
        return sys.modules["__main__"]
    if str(path) in sys.modules:
        return sys.modules[str(path)]
    if not path.is_file():
        raise ValueError(f"{place!r}: there is no file {file}")
    # Under its path as its name, from which a class of it can be found again.
    spec = importlib.util.spec_from_file_location(str(path), path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[str(path)] = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that no neighbour hides a package
    try:
        with _failing_in_one_line(place, str(path)):
            spec.loader.exec_module(module)
    except ValueError:
        del sys.modules[str(path)]
        raise
    return module


def _imported(place: str, name: str) -> ModuleType:
    with _failing_in_one_line(place, name):
        try:
            return importlib.import_module(name)
        except (ModuleNotFoundError, TypeError) as error:
            if isinstance(error, ModuleNotFoundError) and not f"{name}.".startswith(f"{error.name}."):
                raise  # what it needs is missing
    hint = f"; did you mean {name}.py:{place.rpartition(':')[2]}?" if Path(f"{name}.py").is_file() else ""
    raise ValueError(f"{place!r}: there is no module {name}{hint}")


@contextlib.contextmanager
def _failing_in_one_line(place: str, where: str) -> Iterator[None]:
    """Turn whatever running the code of a place raises into one line that says what and in which line of it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        file = getattr(sys.modules.get(where), "__file__", where)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        at = f", line {lines[-1]}" if lines else ""
        said = f"{type(error).__name__}: {error}".split("\n")[0]
        raise ValueError(f"{place!r}: running it fails{at}: {said}") from error
