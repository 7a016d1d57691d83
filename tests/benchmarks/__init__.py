"""Speed against peers, as ratios within one run: `python -m tests.benchmarks [NAMES] [--json]`.

Each module of this folder has `run() -> list[Row]`.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np


class Row(NamedTuple):
    """One comparison: seconds of ours and of the peer, their ratio, the ratio that is promised, and the least seconds.

    `limit` is the time below which this machine could not do it, NaN where that was not told: the bytes moved over the
    bandwidth of a copy or the operations over those of a matrix product, whichever takes longer.
    """

    what: str
    ours: float
    peer: float
    ratio: float
    target: float
    limit: float = float("nan")


def seconds(function: Callable[..., Any], *args: Any, repeats: int = 5) -> float:
    """Return the median time of one call after a first one that compiles."""
    jax.block_until_ready(function(*args))
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def compare(what: str, ours: Callable[[], Any], peer: Callable[[], Any], target: float, repeats: int = 5) -> Row:
    """Time ours and the peer in turn and return their row."""
    pairs = [(seconds(ours, repeats=1), seconds(peer, repeats=1)) for _ in range(repeats)]
    ratio = float(np.median([b / a for a, b in pairs]))
    return Row(what, float(np.median([a for a, _ in pairs])), float(np.median([b for _, b in pairs])), ratio, target)
