"""Optimizers that are the same when they are written the same.

An optax transformation is a pair of closures, and Python tells closures apart by where they lie in memory. As an
argument that a program is compiled for, `optax.sgd(1.0)` would therefore be another one each time it is written. Two
closures do the same where their code, the names that it looks up and the values that it has closed over are the same,
and that is what is compared here.
"""

import dataclasses
import functools
import types
from collections.abc import Hashable
from typing import Any, TypeAlias

import jax
import numpy as np
import optax


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """An optax transformation; equal to every other one that was built alike.

    Args:
        structure: what it was built from.
        transformation: the pair (init, update) itself.
    """

    structure: Hashable = dataclasses.field(repr=False)
    transformation: optax.GradientTransformation = dataclasses.field(compare=False)

    def init(self, parameters: optax.Params) -> optax.OptState:
        """Return the memory before the first step."""
        return self.transformation.init(parameters)

    def update(
        self, gradient: optax.Updates, memory: optax.OptState, parameters: optax.Params
    ) -> tuple[optax.Updates, optax.OptState]:
        """Return what to add to the parameters, and the memory after the step."""
        return self.transformation.update(gradient, memory, parameters)


Transformation: TypeAlias = optax.GradientTransformation | Optimizer


def checked_optimizer(transformation: Any, name: str = "optimizer") -> Optimizer:
    """Return an optax transformation as a value; one that is a value already as it is.

    Args:
        transformation: any of optax, or a pair of functions like one.
        name: of the argument, for the message.

    Raises:
        TypeError: if it is no such pair.
    """
    if isinstance(transformation, Optimizer):
        return transformation
    if not (
        isinstance(transformation, tuple) and hasattr(transformation, "init") and hasattr(transformation, "update")
    ):
        raise TypeError(f"{name} must be an optax transformation, such as optax.sgd(1.0); got {transformation!r}")
    return Optimizer(structure_of(transformation), transformation)


def checked_optimizers(transformations: Any, count: int) -> tuple[Optimizer, ...]:
    """Return optimizers as values, or raise unless there are `count` of them."""
    if not isinstance(transformations, tuple | list) or hasattr(transformations, "update"):
        raise TypeError(f"optimizers must be a tuple of {count} optax transformations; got {transformations!r}")
    if len(transformations) != count:
        raise ValueError(f"optimizers must be {count}, one for each rule; got {len(transformations)}")
    return tuple(checked_optimizer(t, f"optimizers[{i}]") for i, t in enumerate(transformations))


def structure_of(value: Any, inside: tuple[int, ...] = ()) -> Hashable:
    """Return what two values have in common exactly if they do the same, as far as that can be seen.

    Args:
        value: a function, or anything that one has closed over. What cannot be looked into is compared as Python
            does, or by identity where that is not possible.
        inside: the functions that are being looked into, so that one that calls itself ends.
    """
    if id(value) in inside:
        return "itself", inside.index(id(value))
    within = functools.partial(structure_of, inside=(*inside, id(value)))
    if isinstance(value, types.FunctionType):
        cells = tuple(within(cell.cell_contents) for cell in value.__closure__ or ())
        defaults = within(value.__defaults__), within(value.__kwdefaults__)
        return value.__code__, id(value.__globals__), cells, defaults
    if isinstance(value, types.MethodType):
        return "method", within(value.__func__), within(value.__self__)
    if isinstance(value, functools.partial):
        return "partial", within(value.func), within(value.args), within(value.keywords)
    if isinstance(value, tuple | list):
        return type(value), tuple(within(x) for x in value)
    if isinstance(value, dict):
        return dict, tuple((key, within(x)) for key, x in value.items())
    if isinstance(value, np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer):
        array = np.asarray(value)
        return "array", array.dtype, array.shape, array.tobytes()
    try:
        hash(value)
    except TypeError:
        return "this", id(value)
    return type(value), value
