"""The doors of this room: what the public functions are given is looked at once, before they run."""

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ipd_theory import _checks
from ipd_theory._arguments import checked

P = ParamSpec("P")
R = TypeVar("R")


def held(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function, compiled or not, with its arguments held to their annotations and to being finite.

    Inside other compiled functions arrays are traced; they pass, and the check costs nothing there.
    """
    signature = inspect.signature(function)
    shaped = {name for name, p in signature.parameters.items() if _has_shape(p.annotation)}

    @functools.wraps(function)
    def call(*args: P.args, **named: P.kwargs) -> R:
        given = signature.bind(*args, **named)
        for name, x in given.arguments.items():
            if name == "key":
                check_key(x)
            elif name in shaped and isinstance(x, float | int):
                given.arguments[name] = np.asarray(x, float)  # whose shape the function will not like
            elif isinstance(x, jax.Array | np.ndarray):
                check_finite(name, x)
        return function(*given.args, **given.kwargs)

    return typing.cast(Callable[P, R], checked(call))


def _has_shape(annotation: Any) -> bool:
    """Whether arrays with axes are asked for, or None, but no bare number."""
    return any(hasattr(part, "dims") for part in (annotation, *typing.get_args(annotation)))


def check_each(name: str, things: Any, kind: type) -> None:
    """Raise `TypeError` unless this is a sequence of things of a kind, and `ValueError` if it is empty."""
    if not isinstance(things, list | tuple) or isinstance(things, kind):
        raise TypeError(f"{name} must be a list of {kind.__name__}s; got {things!r}")
    if not things:
        raise ValueError(f"{name} is empty; give one {kind.__name__} or more")
    for i, thing in enumerate(things):
        _checks.instance(f"{name}[{i}]", thing, kind)


def check_finite(name: str, x: Any) -> None:
    """Raise `ValueError` for a NaN or an infinity in a concrete array of floats; others pass."""
    if isinstance(x, jax.core.Tracer) or not jnp.issubdtype(x.dtype, jnp.inexact):
        return
    if not np.isfinite(np.asarray(x)).all():
        raise ValueError(f"{name} holds a NaN or an infinity; every entry must be finite")


def check_key(key: Any) -> None:
    """Raise `TypeError` unless this is a key for random numbers."""
    if not isinstance(key, jax.Array) or not (
        jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.dtype == jnp.uint32
    ):
        raise TypeError(f"key must be a key such as jax.random.key(0) gives; got {key!r}")


def check_sizes(shape: Any) -> tuple[int, int, int]:
    """Return (B, M, T) as Python's whole numbers, each 1 or more.

    Raises:
        ValueError: if they are anything else.
    """
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(f"shape must be three whole numbers, (B, M, T); got {shape!r}")
    B, M, T = (_checks.whole("an entry of shape", size, 1) for size in shape)
    return B, M, T
