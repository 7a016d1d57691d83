"""Work in parts: what a processor's cache holds at a time, and what the devices of a mesh share."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

Data = TypeVar("Data")
_CACHED_STEPS = 800  # at width 32, what backpropagation through these stores just fits a core's cache of 1 MiB


def largest_divisor(number: int, bound: int) -> int:
    """Return the largest divisor of a number that is no larger than the bound."""
    return max(size for size in range(1, bound + 1) if number % size == 0)


def group_size(number: int, bound: int) -> int:
    """Return the size of equal groups of at most `bound`; if under half of it, the bound, with a smaller last group."""
    size = largest_divisor(number, bound) if bound else 0
    return size if 2 * size >= bound else bound


def sequences_at_once(wanted: int | None, steps: int) -> int:
    """Return how many sequences to learn from together, 0 for all.

    Args:
        wanted: how many, 0 for all, or None: all on a GPU, and on a CPU so few that they stay in its cache.
        steps: of a sequence.
    """
    if wanted is not None:
        return wanted
    return max(_CACHED_STEPS // steps, 4) if jax.default_backend() == "cpu" else 0


def mean_over_chunks(function: Callable[[Data], Any], data: Data, at_once: int | None) -> Any:
    """Return the mean of function(chunk) over chunks of the arrays [time, N, …], cut along N.

    Args:
        function: of a chunk, to a tree of arrays.
        data: a tree of arrays [time, N, …].
        at_once: as `wanted` of `sequences_at_once`; chunks are equal, and may be smaller.
    """
    steps, columns = jax.tree.leaves(data)[0].shape[:2]
    at_once = sequences_at_once(at_once, steps)
    if at_once == 0 or at_once >= columns:
        return function(data)
    at_once = largest_divisor(columns, at_once)
    chunks = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(x.shape[0], -1, at_once, *x.shape[2:]), 1, 0), data)
    shapes = jax.eval_shape(function, jax.tree.map(lambda x: x[0], chunks))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def add(total: Any, chunk: Data) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(chunk)), None

    total, _ = jax.lax.scan(add, zeros, chunks)
    return jax.tree.map(lambda x: x * (at_once / columns), total)


def in_turn(function: Callable[..., Any], *args: Any) -> Any:
    """Map over the leading axis of the arguments: one after another on a CPU, whose cache they would share."""
    if jax.tree.leaves(args)[0].shape[0] == 1:  # not batched, which would cost speed
        return jax.tree.map(lambda x: x[None], function(*jax.tree.map(lambda x: x[0], args)))
    if jax.default_backend() == "cpu":
        return jax.lax.map(lambda each: function(*each), args)
    return jax.vmap(function)(*args)


def sum_over(axis: str | None, x: Any) -> Any:
    """Return the sum of every device's tree x along a mesh axis, or x itself without one."""
    if axis is None:
        return x
    # As one vector: on CPUs devices wait for each other once for every array.
    flat, restored = ravel_pytree(x)
    return restored(jax.lax.psum(flat, axis))


def mean_over(axis: str | None, x: Any) -> Any:
    """Return the mean of every device's tree x along a mesh axis, or x itself without one."""
    return x if axis is None else jax.tree.map(lambda total: total / jax.lax.axis_size(axis), sum_over(axis, x))
