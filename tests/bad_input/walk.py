"""Walks over every public function, tries each sort of bad value for each argument, and judges what comes back.

A public function is one without a leading underscore in a module without one. Bad values follow from the annotation: a
number is tried as NaN, infinite, text and a list; a whole number as 1.5, True and text; an array as text, as NaN,
empty and of another last axis; a record as a thing of another kind. One verdict is good: a `ValueError` or `TypeError`
raised by this package that names the argument. Everything else is a finding, unless `recipes.MEANT` says why it is
meant to work.
"""

import enum
import importlib
import inspect
import pkgutil
import traceback
import typing
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import ipd_theory
from ipd_theory._extras import MissingExtraError
from tests.bad_input import recipes

PACKAGE = Path(ipd_theory.__file__).parent


@dataclass(frozen=True)
class Call:
    """One call with one bad value: the function's full name, the argument, what is wrong with it, how it is run."""

    function: str
    argument: str
    sort: str
    value: Any
    way: str = "eager"

    @property
    def key(self) -> str:
        """How `recipes.MEANT` and reports name it."""
        return f"{self.function} {self.argument} {self.sort}" + ("" if self.way == "eager" else f" {self.way}")


def public_functions() -> dict[str, Callable[..., Any]]:
    """Return every public function and class by its name inside the package, as far as what it needs is installed."""
    found: dict[str, Callable[..., Any]] = {}
    for info in pkgutil.walk_packages([str(PACKAGE)], "ipd_theory."):
        inner = info.name.removeprefix("ipd_theory.")
        if any(part.startswith("_") for part in inner.split(".")) or inner.split(".")[0] in recipes.NOT_LIBRARY:
            continue
        try:
            module = importlib.import_module(info.name)
        except MissingExtraError:  # an adapter to what is not installed here
            continue
        for name, thing in vars(module).items():
            if not name.startswith("_") and getattr(thing, "__module__", None) == info.name and callable(thing):
                found[f"{inner}.{name}"] = thing
    return found


def inside(name: str) -> bool:
    """Whether a function is listed as one that takes what the package itself has made and checked."""
    return any(name == key or name.startswith(f"{key}.") for key in recipes.INSIDE)


def doors() -> dict[str, Callable[..., Any]]:
    """Return the functions and classes that take what users write; named tuples are what functions return."""
    return {
        name: f
        for name, f in public_functions().items()
        if not inside(name) and not _is_result(f) and inspect.signature(f).parameters
    }


def _is_result(thing: Any) -> bool:
    return isinstance(thing, type) and (
        issubclass(thing, tuple | enum.Enum | BaseException) or getattr(thing, "_is_protocol", False)
    )


def good_arguments(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return good values for every argument that has no default, and for those that `recipes` names."""
    own = recipes.OWN.get(name, {})
    values: dict[str, Any] = {}
    for argument, parameter in inspect.signature(function).parameters.items():
        if argument in own:
            values[argument] = own[argument]()
        elif parameter.default is parameter.empty:
            if argument not in recipes.GOOD:
                raise LookupError(f"no good value for {argument!r} of {name}: give one in recipes, or list it INSIDE")
            values[argument] = recipes.GOOD[argument]()
    return values


def _kind(annotation: Any, good: Any) -> str:
    """Return what sort of thing an argument is: array, whole, number, text, choice, flag, function or record."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    if annotation is bool or isinstance(good, bool):
        return "flag"
    if typing.get_origin(annotation) is typing.Literal:
        return "choice"
    if callable(good) and not isinstance(good, type) and not hasattr(good, "__dataclass_fields__"):
        return "function"
    if "Array" in str(text) or "Array" in str(annotation) or isinstance(good, np.ndarray | jax.Array):
        return "array"
    if annotation is int or annotation == int | None:
        return "whole"
    if annotation is float or annotation == float | None:
        return "number"
    if annotation is str:
        return "text"
    return "record"


def bad_values(kind: str, good: Any) -> dict[str, Any]:
    """Return the sorts of bad values for an argument of a kind."""
    if kind == "array":
        return _bad_arrays(good)
    return {
        "whole": {"half": 1.5, "a flag": True, "text": "3", "far below": -(10**6), "nan": float("nan")},
        "number": {"nan": float("nan"), "infinite": float("inf"), "text": "x", "a list": [1.0, 2.0]},
        "text": {"another word": "no such thing", "a number": 3},
        "choice": {"another word": "no such thing", "a number": 3.5},
        "flag": {},
        "function": {"a number": 3},
        "record": {"a number": 3, "nothing": None, "text": "x"},
    }[kind]


def _bad_arrays(good: Any) -> dict[str, Any]:
    array = np.asarray(good, float) if not _is_key(good) else None
    if array is None:
        return {"a number": 3, "text": "x"}
    bad = {"text": "x", "nothing": None, "nan": np.full_like(array, np.nan), "infinite": np.full_like(array, np.inf)}
    if array.ndim:
        bad["empty"] = np.zeros((*array.shape[:-1], 0))
        bad["another last axis"] = np.zeros((*array.shape[:-1], 3 if array.shape[-1] != 3 else 7))
        bad["a number"] = 0.5
    return bad


def _is_key(x: Any) -> bool:
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def calls(name: str, function: Callable[..., Any]) -> Iterator[Call]:
    """Yield every bad call of a function."""
    good = good_arguments(name, function)
    for argument, parameter in inspect.signature(function).parameters.items():
        example = good.get(argument, parameter.default)
        if parameter.kind is parameter.VAR_POSITIONAL:
            for sort, value in _bad_arrays(example[0]).items():
                yield Call(name, argument, sort, (value, *example[1:]))
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if example is None and argument in recipes.GOOD:
            example = recipes.GOOD[argument]()
        for sort, value in bad_values(_kind(parameter.annotation, example), example).items():
            if value is None and parameter.default is None:
                continue
            yield Call(name, argument, sort, value)
        if argument in recipes.TRACED and name.split(".")[0] in recipes.TRACED_ROOMS:
            for way in ("jit", "vmap"):
                yield Call(name, argument, "nan", np.full_like(np.asarray(example, float), np.nan), way)


def run(call: Call, function: Callable[..., Any]) -> Any:
    """Call the function, with the bad value traced if the call says so."""
    arguments = good_arguments(call.function, function) | {call.argument: call.value}
    parameters = inspect.signature(function).parameters
    by_position = [n for n in parameters if parameters[n].kind is inspect.Parameter.VAR_POSITIONAL]
    until = list(parameters).index(by_position[0]) if by_position else 0
    first = [arguments.pop(n) for n in list(parameters)[:until] if n in arguments]
    spread = arguments.pop(by_position[0], ()) if by_position else ()
    if call.way == "eager":
        return function(*first, *spread, **arguments)
    value = jnp.asarray(arguments.pop(call.argument))
    wrapped = jax.jit(lambda x: function(*first, *spread, **arguments, **{call.argument: x}))
    if call.way == "vmap":
        wrapped = jax.jit(jax.vmap(wrapped))
        value = jnp.stack([value, value])
    return jax.block_until_ready(wrapped(value))


def verdict(call: Call, function: Callable[..., Any]) -> str:
    """Return "clear" for one error that names the argument, else what happened instead."""
    # An entry of several arguments is called after them: strategies[0] of *tables.
    names = (call.argument, *recipes.ALSO_CALLED.get(call.argument, ()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = run(call, function)
    except (ValueError, TypeError, jax.errors.JaxRuntimeError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = call.way != "eager" or Path(frames[-1].filename).is_relative_to(PACKAGE)
        if any(n.lower() in str(error).lower() for n in names) and ours:
            return "clear"
        return f"unclear: {type(error).__name__}: {str(error).splitlines()[0][:110] if str(error) else ''}"
    except Exception as error:  # a crash of any other kind is what this looks for
        return f"crash: {type(error).__name__}: {str(error).splitlines()[0][:110] if str(error) else ''}"
    finite = all(np.isfinite(x).all() for x in jax.tree.leaves(result) if _is_number(x))
    return "accepted" if finite else "accepted, result not finite"


def _is_number(x: Any) -> bool:
    return (
        isinstance(x, float | np.ndarray | jax.Array)
        and not _is_key(x)
        and np.issubdtype(np.asarray(x).dtype, np.inexact)
    )


def findings(only: tuple[str, ...] = ("",)) -> Iterator[tuple[Call, str]]:
    """Yield each bad call and its verdict, "meant" where it is listed."""
    for name, function in doors().items():
        if not name.startswith(only):
            continue
        for call in calls(name, function):
            judged = verdict(call, function)
            if judged != "clear" and recipes.meant(call.key):
                judged = "meant"
            yield call, judged
