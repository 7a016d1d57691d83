"""What lies in a run's folder: its settings, `config.json`, and its metrics, `metrics.jsonl`."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jax

from ipd_theory.rl.config import Config, Meta, Naive
from ipd_theory.rl.environments import ENVIRONMENTS
from ipd_theory.rl.networks import NETWORKS
from ipd_theory.rl.tagging import from_tagged, to_tagged

Line = dict[str, Any]
KNOWN = {"environment": ENVIRONMENTS, "network": NETWORKS}  # settings whose class is stored with them


def describe(config: Config, seeds: tuple[int, ...], directory: Path) -> None:
    """Write the settings of a run, or hold them against those already there.

    More iterations are allowed, and another number of sequences at once, which changes no result beyond rounding.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "config.json"
    described = {"seeds": seeds, **dataclasses.asdict(config)}
    for name, known in KNOWN.items():
        described[name] = to_tagged(name, getattr(config, name), known)
    if path.exists():
        there, seeds_there = read_config(directory)
        before, now = _decisive(there), _decisive(config)
        names = [field.name for field in dataclasses.fields(Config)]
        differing = ["seeds"] if seeds_there != seeds else []
        differing += [name for name in names if getattr(before, name) != getattr(now, name)]
        if differing:
            raise ValueError(f"directory {directory} holds a run with other settings: {', '.join(differing)}")
        if there.iterations >= config.iterations:
            return
    if jax.process_index() == 0:
        write_whole(path, json.dumps(described, indent=2) + "\n")


def _decisive(config: Config) -> Config:
    """Return those settings of a run that another part of it must share, the rest set alike."""
    meta = dataclasses.replace(config.meta, trajectories_at_once=None)
    return dataclasses.replace(config, meta=meta, iterations=1, co_players_at_once=None)


def write_whole(path: Path, text: str) -> None:
    """Write a file under another name and rename it: a kill, or another process that reads, meets no half of it."""
    partial = path.with_name(f".{path.name}-{os.getpid()}")
    partial.write_text(text)
    os.replace(partial, path)


def read_config(directory: Path) -> tuple[Config, tuple[int, ...]]:
    """Return the settings and the seeds of a run.

    Raises:
        ValueError: if the directory holds none.
    """
    path = directory / "config.json"
    if not path.exists():
        raise ValueError(f"directory {directory} holds no run: there is no {path.name}")
    plain: dict[str, Any] = json.loads(path.read_text())
    seeds = tuple(plain.pop("seeds"))
    plain |= {name: part(**plain[name]) for name, part in {"naive": Naive, "meta": Meta}.items()}
    plain |= {name: from_tagged(name, plain[name], known) for name, known in KNOWN.items()}
    plain["methods"] = tuple(plain["methods"])
    return Config(**plain), seeds


def read_metrics(directory: Path) -> list[Line]:
    """Return the lines of a run's metrics; a last line cut short by a kill is dropped."""
    path = directory / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]


def iterations_done(directory: Path) -> int:
    """Return the last iteration of a run's metrics, 0 if there is none."""
    lines = read_metrics(directory)
    return int(lines[-1]["iteration"]) if lines else 0
