"""Computes the figures, keeps their data beside the settings that made them, and draws them.

A figure is a module with `ABOUT`, `PRESETS`, `compute` and `plot`; nothing else has to know of it.
"""

import ast
import dataclasses
import difflib
import importlib
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import paper_figures
from ipd_theory.drawing import style
from paper_figures.about import caption, settings_in_words

Arrays = dict[str, np.ndarray[Any, Any]]


def _found() -> dict[str, str]:
    """Return the modules of all figures by the names that they give themselves, in a natural order."""
    modules = {}
    for path in (path for folder in paper_figures.__path__ for path in Path(folder).glob("*.py")):
        for node in _parsed(path):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ABOUT":
                modules[_name(node.value, path)] = path.stem
    return dict(sorted(modules.items(), key=lambda item: _natural(item[0])))


def _parsed(path: Path) -> list[ast.stmt]:
    try:
        return ast.parse(path.read_text(encoding="utf-8")).body
    except SyntaxError as error:
        raise ValueError(f"{path.name} is not Python: {error.msg}, line {error.lineno}") from None


def _name(about: ast.expr, path: Path) -> str:
    """Return the name in `About(name, …)`, which is read before anything is run."""
    given = [*about.args, *(k.value for k in about.keywords if k.arg == "name")] if isinstance(about, ast.Call) else []
    if not given or not isinstance(given[0], ast.Constant) or not isinstance(given[0].value, str):
        raise ValueError(
            f"{path.name}: ABOUT must be About(…) with the figure's name written out; got {ast.unparse(about)}"
        )
    return given[0].value


def _natural(name: str) -> tuple[float, str]:
    number = re.match(r"\d+", name)
    return float(number.group()) if number else np.inf, name


FIGURES = _found()


def check_name(name: str) -> str:
    """Return the figure's name in its own spelling, or raise `ValueError` naming those there are."""
    by_lower = {known.lower(): known for known in FIGURES}
    if name.lower() not in by_lower:
        near = [f"; did you mean {by_lower[x]}?" for x in difflib.get_close_matches(name.lower(), by_lower, 1)]
        raise ValueError(f"figure name {name!r} is unknown; the figures are {', '.join(FIGURES)}{''.join(near)}")
    return by_lower[name.lower()]


def module_of(name: str) -> Any:
    """Import the module of a figure."""
    return importlib.import_module(f"paper_figures.{FIGURES[check_name(name)]}")


def first_line(name: str) -> str:
    """Return what a figure shows, in a line."""
    words: str = module_of(name).__doc__.partition("\n")[0]
    return re.sub(r"^Figure \w+(: |, )", "", words).removesuffix(".")


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name and rename it, so that no reader ever meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; its folder is made."""

    def write(partial: Path) -> None:
        partial.write_text(text, encoding="utf-8")

    _write_whole(path, write)


def _load(path: Path, settings: dict[str, Any]) -> Arrays | None:
    """Return the arrays in `path` if they were made with these settings."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            same = json.loads(str(file["settings"])) == settings
            return {name: file[name] for name in file.files if name != "settings"} if same else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _described(name: str, preset: str, seed: int) -> dict[str, Any]:
    settings = dataclasses.asdict(module_of(name).PRESETS[preset])
    plain: dict[str, Any] = json.loads(json.dumps({"figure": name, "seed": seed, **settings}))
    return plain


def stored(name: str, preset: str, seed: int, out: Path) -> Arrays | None:
    """Return a figure's stored arrays if there are any from these very settings."""
    return _load(_data_path(name, preset, seed, out), _described(name, preset, seed))


def _stem(name: str, preset: str, seed: int) -> str:
    return f"{name}-{preset}-seed{seed}"


def _data_path(name: str, preset: str, seed: int, out: Path) -> Path:
    return out / "data" / f"{_stem(name, preset, seed)}.npz"


def compute(
    name: str, preset: str, seed: int, out: Path, progress: Callable[[float], None] = lambda done: None
) -> Arrays:
    """Compute a figure's arrays and store them, with their settings, as npz, and as JSON with axes and units.

    Args:
        name: a key of `FIGURES`.
        preset: `quick` or `paper`.
        seed: the seed of everything random; 0 for a figure of recorded runs, which have seeds of their own.
        out: the folder of the figures; data goes to its subfolder `data`, unfinished work beside it.
        progress: called with the fraction done, 0 to 1.

    Raises:
        ValueError: for another seed of a figure of recorded runs.
        FloatingPointError: if an array holds NaN or infinity; then nothing is stored.
    """
    module, described = module_of(name), _described(name, preset, seed)
    about = module.ABOUT
    if about.recorded and seed != 0:
        raise ValueError(f"seed: figure {name} shows training runs of seeds of their own; got {seed}")
    work = (out / about.keeps,) if about.keeps else ()
    arrays: Arrays = module.compute(module.PRESETS[preset], seed, progress, *work)
    bad = [key for key, value in arrays.items() if not np.isfinite(value).all()]
    if bad:
        raise FloatingPointError(f"figure {name}: {', '.join(bad)} came out with NaN or infinity; nothing was stored")
    data = {key: {**about.array(key), "values": value.tolist()} for key, value in arrays.items()}

    def save(partial: Path) -> None:
        with partial.open("wb") as file:
            everything: Any = {"settings": np.array(json.dumps(described)), **arrays}
            np.savez_compressed(file, **everything)

    path = _data_path(name, preset, seed, out)
    write_text(path.with_suffix(".json"), json.dumps({**described, "arrays": data}) + "\n")
    _write_whole(path, save)
    return arrays


def draw(name: str, preset: str, seed: int, out: Path, arrays: Arrays) -> list[Path]:
    """Draw a figure from its arrays as PNG and PDF into `out`, with its caption as text, and return the paths."""
    module = module_of(name)
    settings, about = module.PRESETS[preset], module.ABOUT
    stem = _stem(name, preset, seed)
    paths = [out / f"{stem}.png", out / f"{stem}.pdf"]
    below = [f"{preset}{'' if about.recorded else f', seed {seed}'}: {settings_in_words(settings)}"]
    if about.remark_on(preset, seed):
        below.insert(0, about.remark)
    with style.sheet():
        figure = module.plot(arrays, settings)
        style.put_below(figure, *below)
    for path in paths:
        style.save(figure, path, first_line(name))
    plt.close(figure)
    paths.append(out / f"{stem}.txt")
    write_text(paths[-1], caption(about, module.__doc__, preset, seed, settings))
    return paths
