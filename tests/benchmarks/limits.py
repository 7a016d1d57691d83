"""What this machine can do at most: bytes copied and floating-point operations a second, measured."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ipd_theory._engine import panels
from tests.benchmarks import seconds

COPIED = 2**25  # numbers, far beyond any cache
SIDE = 2048


@functools.cache
def bytes_a_second() -> float:
    """Return how many bytes are read and written a second by a copy between arrays at hand, each core a part."""
    cores = os.cpu_count() or 1
    source, target = (np.ones((cores, COPIED // cores), np.float32) for _ in range(2))
    with ThreadPoolExecutor(cores) as threads:
        return 2 * source.nbytes / seconds(lambda: list(threads.map(np.copyto, target, source)))


@functools.cache
def flops_a_second(dtype: np.dtype) -> float:
    """Return how many operations a second numpy's product of large matrices does."""
    x = np.ones((SIDE, SIDE), dtype)
    return 2 * SIDE**3 / seconds(np.matmul, x, x)


def least_seconds(moved: float, flops: float, dtype: np.dtype) -> float:
    """Return the time below which no program can move so many bytes and do so many operations."""
    return max(moved / bytes_a_second(), flops / flops_a_second(dtype))


def flops_of_chain(states: int, outcomes: int) -> int:
    """Return the operations that eliminating a chain of histories by its structure takes."""
    flops = 0
    for step in panels.plan(states, outcomes):
        rows, columns, own = len(step.states), len(step.outside) + 1, len(step.own)
        flops += 2 * rows * rows * columns + 2 * own * rows * (own + 1)
        flops += sum(2 * len(left) * len(entered) * columns for _, left, entered in step.entered_from)
    return flops
