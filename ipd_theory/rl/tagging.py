"""Settings as JSON that says of which class they are, and back; classes of one's own are found by their place.

A class that stands in this package goes by its name, any other by FILE.py:CLASS or MODULE:CLASS.
"""

import dataclasses
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ipd_theory._arguments import checked


def to_tagged(name: str, settings: Any, known: tuple[type, ...]) -> dict[str, Any]:
    """Return settings as a dictionary for JSON from which `from_tagged` makes them again.

    Args:
        name: what they are settings of, for errors.
        settings: an instance of a frozen dataclass whose fields are numbers, words, None and tuples of them.
        known: the classes that go by their name alone.

    Raises:
        TypeError: if they are no instance of a frozen dataclass.
        ValueError: if they would not come back equal.
    """
    kind = type(settings)
    if not dataclasses.is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # not in its type
        raise TypeError(f"{name} must be an instance of a frozen dataclass; got {settings!r}")
    fields = {field.name: getattr(settings, field.name) for field in dataclasses.fields(kind)}
    if "name" in fields:
        raise ValueError(f"{name}: {kind.__name__} has a field called name, which in a file is the class's own")
    tagged = {**fields, "name": kind.__name__ if kind in known else _place(kind)}
    try:
        described: dict[str, Any] = json.loads(json.dumps(tagged))
        again = from_tagged(name, described, known)
        same = again == settings and hash(again) == hash(settings)  # what trains is compiled once for equal settings
    except TypeError:
        same = False
    if not same:
        raise ValueError(f"{name} must consist of numbers, words and tuples, and come back from JSON; got {settings!r}")
    return described


def from_tagged(name: str, described: Any, known: tuple[type, ...]) -> Any:
    """Return the settings that `to_tagged` described.

    Args:
        name: what they are settings of, for errors.
        described: from a file; without a class they are of the first known one, as all networks were once.
        known: the classes that go by their name alone.

    Raises:
        ValueError: if there is no such class, or it has other fields.
    """
    if not isinstance(described, dict):
        raise ValueError(f"{name} must be described by its fields; got {described!r}")
    tag = described.get("name", known[0].__name__)
    kinds = {kind.__name__: kind for kind in known}
    if tag not in kinds and ":" not in str(tag):
        raise ValueError(f"{name} must be one of {', '.join(kinds)}, or FILE.py:CLASS; got {tag!r}")
    kind = kinds[tag] if tag in kinds else load_class(tag)
    fields = {key: _with_tuples(x) for key, x in described.items() if key != "name"}
    expected = {field.name for field in dataclasses.fields(kind) if field.init}
    if fields.keys() - expected:
        raise ValueError(f"{name}: {tag} has no setting {', '.join(sorted(fields.keys() - expected))}")
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error


@checked
def load_class(place: str) -> Any:
    """Return the frozen dataclass at FILE.py:CLASS or MODULE:CLASS; a file is run once.

    Args:
        place: where it stands; a relative file counts from the working directory.

    Raises:
        ValueError: if the place has another form, the file cannot be run, or there is no such dataclass in it.
    """
    where, _, name = place.rpartition(":")
    if not where or not name.isidentifier():
        raise ValueError(f"a class must be given as FILE.py:CLASS or MODULE:CLASS; got {place!r}")
    module = _run_once(Path(where)) if where.endswith(".py") else _imported(where)
    kind = getattr(module, name, None)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise ValueError(f"{where} holds no dataclass called {name}")
    return kind


def _place(kind: type) -> str:
    """Return where a class stands, as `load_class` reads it."""
    module = kind.__module__
    if module == "__main__" and _main_file() is not None:
        module = str(_main_file())
    if "." in kind.__qualname__:
        raise ValueError(f"class {kind.__qualname__} must stand at the top of its file, where it can be found again")
    return f"{module}:{kind.__name__}"


def _main_file() -> Path | None:
    file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(file).resolve() if file else None


def _run_once(path: Path) -> ModuleType:
    path = path.resolve()
    if path == _main_file():
        return sys.modules["__main__"]
    if str(path) in sys.modules:
        return sys.modules[str(path)]
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    # Under its path as its name, from which `_place` knows where its classes stand.
    spec = importlib.util.spec_from_file_location(str(path), path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[str(path)] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[str(path)]
        raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"module {module} cannot be imported: {error}") from error


def _with_tuples(x: Any) -> Any:
    return tuple(map(_with_tuples, x)) if isinstance(x, list) else x
