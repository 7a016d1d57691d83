"""All pure strategies of memory two classified within a limit, and fixation probabilities beside EGTtools'."""

import time
from typing import Any

import jax
import numpy as np

import ipd_theory as ipd
from ipd_theory import evolution, replies
from tests.benchmarks import Row, compare

LIMIT = 60.0  # seconds, on two cores, compilation included
POPULATION, STRATEGIES, INTENSITY = 100, 24, 0.1


def run() -> list[Row]:
    """Time both; a peer's column is empty where it is not installed."""
    with jax.enable_x64(True):
        return [_classified(), _fixation()]


def _classified() -> Row:
    begin = time.perf_counter()
    replies.classify(ipd.games.axelrod(), replies.all_pure_of_memory(2), discount=1.0)
    taken = time.perf_counter() - begin
    return Row("65,536 pure strategies of memory two classified (peer: the limit)", taken, LIMIT, LIMIT / taken, 1.0)


def _fixation() -> Row:
    A = np.random.default_rng(0).normal(size=(STRATEGIES, STRATEGIES))
    what = f"fixation among {POPULATION}, {STRATEGIES} strategies, every pair both ways; EGTtools"

    def ours() -> Any:
        return evolution.fixation_matrix(A, POPULATION, INTENSITY, process="fermi")

    try:
        from egttools.analytical import PairwiseComparison
        from egttools.games import Matrix2PlayerGameHolder
    except ModuleNotFoundError:
        return compare(what, ours, ours, 1.0)._replace(peer=float("nan"), ratio=float("nan"))
    game = Matrix2PlayerGameHolder(STRATEGIES, A)
    process = PairwiseComparison(POPULATION, game)
    return compare(what, ours, lambda: process.calculate_transition_and_fixation_matrix_sml(INTENSITY), 1.0)
