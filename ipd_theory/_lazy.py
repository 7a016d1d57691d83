"""Packages whose modules and names load when they are first used (PEP 562)."""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any


def loading(
    package: str, homes: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`: all its public modules, and names that live in them.

    Args:
        package: its full name.
        homes: for each further name, the module inside the package that defines it.
    """
    homes = homes or {}

    def modules() -> list[str]:
        return [m.name for m in pkgutil.iter_modules(sys.modules[package].__path__) if not m.name.startswith("_")]

    def get(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        if name in modules():
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted({*vars(sys.modules[package]), *homes, *modules()})
