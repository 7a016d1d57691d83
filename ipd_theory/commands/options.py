"""Types of options that say what they allow; the command line holds every option to its type before the work begins.

An option's check stands in its annotation, as in `seeds: Count | None` or `payoffs: tuple[Probability, ...]`: it is
called with the option's name and value, each entry's in a tuple, and never for an option that is not given.
"""

import dataclasses
import inspect
import math
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ipd_theory.commands.console import file_to_write, folder_to_write


class Within(NamedTuple):
    """A number from `low`, itself allowed unless `above`, to `high`."""

    low: int | float = -math.inf
    high: int | float = math.inf
    above: bool = False

    def __call__(self, option: str, value: int | float) -> None:
        if not self.low <= value <= self.high or (self.above and value == self.low):
            raise ValueError(f"{option} must {self.words()}; got {value}")

    def words(self) -> str:
        if self.high < math.inf:
            return f"lie in {'(' if self.above else '['}{self.low:g}, {self.high:.15g}]"
        return f"be above {self.low:g}" if self.above else f"be {self.low:g} or more"


class FolderToWrite(NamedTuple):
    """A folder, or where one can be made."""

    def __call__(self, option: str, path: Path) -> None:
        folder_to_write(option, path)


class FileToWrite(NamedTuple):
    """A file of a known kind in a folder that there is."""

    suffixes: tuple[str, ...]

    def __call__(self, option: str, path: Path) -> None:
        file_to_write(option, path, self.suffixes)


class FolderToRead(NamedTuple):
    """A folder that there is."""

    def __call__(self, option: str, path: Path) -> None:
        if not path.is_dir():
            raise ValueError(f"{option} {str(path)!r} is no folder")


Seed = Annotated[int, Within(0, 2**32 - 1)]  # jax takes any other for one of these
Count = Annotated[int, Within(1)]
Probability = Annotated[float, Within(0, 1)]
Positive = Annotated[float, Within(0, above=True)]
OutputFolder = Annotated[Path, FolderToWrite()]
InputFolder = Annotated[Path, FolderToRead()]
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".eps", ".ps")

Check = Within | FolderToWrite | FileToWrite | FolderToRead


def check(command: Callable[..., None], values: Mapping[str, Any]) -> None:
    """Hold a command's options to their types.

    Raises:
        ValueError: naming the option, for what its type does not allow, for NaN, for infinity where it is not the
            default, and for whole numbers beyond 64 bits.
    """
    kinds = typing.get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        value = values[name]
        option = name.upper() if parameter.default is parameter.empty else f"--{name.replace('_', '-')}"
        _check(option, value, checks_of(kinds[name]), parameter.default)


def checks_of(kind: Any) -> list[Check]:
    """Return the checks that stand in an annotation, at any depth."""
    found = [x for x in getattr(kind, "__metadata__", ()) if isinstance(x, Check)]
    return found + [x for inner in typing.get_args(kind) if not isinstance(inner, Check) for x in checks_of(inner)]


def _check(option: str, value: Any, checks: list[Check], default: Any = None) -> None:
    if value is None:
        return
    if isinstance(value, tuple):
        for entry in value:
            _check(option, entry, checks)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _check(f"--{field.name.replace('_', '-')}", getattr(value, field.name), [], field.default)
    elif isinstance(value, float) and not math.isfinite(value):
        if value != default:
            raise ValueError(f"{option} must be a finite number; got {value}")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{option} must be a whole number of at most 64 bits; got {value}")
    else:
        for allowed in checks:
            allowed(option, value)
