"""Packages whose modules and names load when they are first used (PEP 562)."""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any


def loading(
    package: str, homes: Mapping[str, str] | None = None, definitions: bool = False
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`: all its public modules, and names that live in them.

    Args:
        package: its full name.
        homes: for each further name, the module inside the package that defines it.
        definitions: whether every public function and class that a module of the package defines is a name of it, too.
    """
    homes = homes or {}

    def modules() -> list[str]:
        return [m.name for m in pkgutil.iter_modules(sys.modules[package].__path__) if not m.name.startswith("_")]

    def defined(module: str) -> dict[str, Any]:
        inside = importlib.import_module(f"{package}.{module}")
        return {n: x for n, x in vars(inside).items() if getattr(x, "__module__", None) == inside.__name__}

    def get(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        if name in modules():
            return importlib.import_module(f"{package}.{name}")
        for module in modules() if definitions and not name.startswith("_") else ():
            if name in (inside := defined(module)):
                return inside[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        more = (name for module in modules() if definitions for name in defined(module) if not name.startswith("_"))
        return sorted({*vars(sys.modules[package]), *homes, *modules(), *more})

    return get, names
