"""Computes the figures, keeps their data beside the settings that made them, and draws them."""

import dataclasses
import importlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ipd_theory.drawing import style

Arrays = dict[str, np.ndarray[Any, Any]]

FIGURES = {
    "3A": "figure_3a",
    "3B": "figure_3b",
    "3C": "figure_3c",
    "4A": "figure_4a",
    "4B": "figure_4b",
    "4C": "figure_4c",
    "5": "figure_5",
    "6": "figure_6",
    "7": "figure_7",
    "8": "figure_8",
    "9": "figure_9",
    "10": "figure_10",
    "12": "figure_12",
    "13": "figure_13",
    "14": "figure_14",
    "12-runs": "figure_12_runs",
    "H3": "table_h3",
    "bias-variance": "figure_bias_variance",
    "convergence": "figure_convergence",
    "large-batch": "figure_large_batch",
    "meta-game": "meta_game",
    "boundaries": "boundaries",
    "continuation": "continuation",
    "basins": "basins",
    "phase-step": "phase_step",
    "phase-episodes": "phase_episodes",
    "phase-payoffs": "phase_payoffs",
}


def check_name(name: str) -> str:
    """Return the figure's name in its own spelling, or raise `ValueError` naming those there are."""
    by_lower = {known.lower(): known for known in FIGURES}
    if name.lower() not in by_lower:
        raise ValueError(f"figure name {name!r} is unknown; the figures are {', '.join(FIGURES)}")
    return by_lower[name.lower()]


def module_of(name: str) -> Any:
    """Import the module of a figure."""
    return importlib.import_module(f"paper_figures.{FIGURES[check_name(name)]}")


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name and rename it, so that no reader ever meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


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


def _data_path(name: str, preset: str, seed: int, out: Path) -> Path:
    return out / "data" / f"{name}-{preset}-seed{seed}.npz"


def compute(
    name: str, preset: str, seed: int, out: Path, progress: Callable[[float], None] = lambda done: None
) -> Arrays:
    """Compute a figure's arrays and store them, settings included (in the file and, to read, beside it).

    Args:
        name: a key of `FIGURES`.
        preset: `quick` or `paper`.
        seed: the seed of everything random.
        out: the folder of the figures; data goes to its subfolder `data`.
        progress: called with the fraction done, 0 to 1.

    Raises:
        FloatingPointError: if an array holds NaN or infinity; then nothing is stored.
    """
    module, described = module_of(name), _described(name, preset, seed)
    arrays: Arrays = module.compute(module.PRESETS[preset], seed, progress)
    bad = [key for key, value in arrays.items() if not np.isfinite(value).all()]
    if bad:
        raise FloatingPointError(f"figure {name}: {', '.join(bad)} came out with NaN or infinity; nothing was stored")

    def save(partial: Path) -> None:
        with partial.open("wb") as file:
            everything: Any = {"settings": np.array(json.dumps(described)), **arrays}
            np.savez_compressed(file, **everything)

    def describe(partial: Path) -> None:
        partial.write_text(json.dumps(described, indent=2) + "\n")

    path = _data_path(name, preset, seed, out)
    _write_whole(path, save)
    _write_whole(path.with_suffix(".json"), describe)
    return arrays


def draw(name: str, preset: str, seed: int, out: Path, arrays: Arrays) -> list[Path]:
    """Draw a figure from its arrays as PNG and PDF into `out`, and return the paths."""
    module = module_of(name)
    paths = [out / f"{name}.png", out / f"{name}.pdf"]
    with style.sheet():
        figure = module.plot(arrays, module.PRESETS[preset])
    for path in paths:
        style.save(figure, path)
    plt.close(figure)
    return paths
