"""Settings as JSON that says of which class they are, and back; classes of one's own are found by their place.

A class that stands in this package goes by its name, any other by FILE.py:CLASS or MODULE:CLASS.
"""

import dataclasses
import json
from typing import Any

from ipd_theory import _places
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
        ValueError: if there is nothing at the place (`_places.load`), or it is no dataclass.
    """
    kind = _places.load(place)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise ValueError(f"{place!r}: a class of settings must be a dataclass; got {kind!r}")
    return kind


def _place(kind: type) -> str:
    """Return where a class stands, as `load_class` reads it."""
    module = kind.__module__
    if module == "__main__" and _places.main_file() is not None:
        module = str(_places.main_file())
    if "." in kind.__qualname__:
        raise ValueError(f"class {kind.__qualname__} must stand at the top of its file, where it can be found again")
    return f"{module}:{kind.__name__}"


def _with_tuples(x: Any) -> Any:
    return tuple(map(_with_tuples, x)) if isinstance(x, list) else x
