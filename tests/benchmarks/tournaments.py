"""An exact round robin of 1,000 random memory-one strategies beside the Axelrod library's, extrapolated."""

import time

import jax
import numpy as np

import ipd_theory as ipd
from tests.benchmarks import Row, seconds

STRATEGIES, TURNS, SAMPLE = 1000, 200, 300
PROMISED = 1.0  # seconds for all matches, on two cores


def run() -> list[Row]:
    """Time all 10^6 matches; the peer's column is empty where the library is not installed."""
    tables = np.random.default_rng(0).random((STRATEGIES, 5))
    with jax.enable_x64(True):
        game = ipd.games.axelrod()
        peer = _axelrod(tables)
        rows = []
        for words, settings, target in (
            ("limit of means", {"discount": 1.0}, peer / PROMISED),
            (f"{TURNS} rounds", {"horizon": TURNS}, 100.0),
        ):
            ours = seconds(lambda settings=settings: ipd.round_robin(game, tables, **settings), repeats=3)
            what = f"10^6 matches of memory one, {words}; Axelrod, {TURNS} turns once, from {SAMPLE} matches"
            rows.append(Row(what, ours, peer, peer / ours, target))
    return rows


def _axelrod(tables: np.ndarray) -> float:
    """The seconds that the library would take for all ordered pairs, each played once."""
    try:
        import axelrod as axl
    except ModuleNotFoundError:
        return float("nan")
    rng = np.random.default_rng(1)
    players = [axl.MemoryOnePlayer(tuple(table[1:])) for table in tables]
    pairs = rng.integers(0, len(players), (SAMPLE, 2))
    begin = time.perf_counter()
    for seed, (i, j) in enumerate(pairs):
        axl.Match([players[i], players[j].clone()], turns=TURNS, seed=seed).play()
    return (time.perf_counter() - begin) / SAMPLE * len(tables) ** 2
