"""Walks over every public function, tries each sort of bad value for each argument, and judges what comes back.

A public function is one without a leading underscore in a module without one. Bad values follow from the annotation: a
number is tried as NaN, infinite, text and a list; a whole number as 1.5, True and text; an array as text, as NaN,
empty and of another last axis; a record as a thing of another kind. One verdict is good: a `ValueError` or `TypeError`
raised by this package that names the argument. Everything else is a finding, unless `recipes.MEANT` says why it is
meant to work.
"""

import contextlib
import enum
import importlib
import inspect
import pkgutil
import signal
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
    """One call with one bad value: the function's full name, the argument, what is wrong with it, how it is run.

    What stands `beside` is right in itself, but does not go with it.
    """

    function: str
    argument: str
    sort: str
    value: Any
    way: str = "eager"
    beside: tuple[tuple[str, Any], ...] = ()

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


def doors() -> dict[str, Callable[..., Any]]:
    """Return the functions and classes that take what users write; named tuples are what functions return.

    One that takes what the package itself has made and checked is listed by its own name, so that whatever is written
    later beside it is walked over.
    """
    return {
        name: f
        for name, f in public_functions().items()
        if name not in recipes.INSIDE and not _is_result(f) and inspect.signature(f).parameters
    }


def _is_result(thing: Any) -> bool:
    return isinstance(thing, type) and (
        issubclass(thing, tuple | enum.Enum | BaseException)
        or getattr(thing, "_is_protocol", False)
        or inspect.isabstract(thing)
    )


def good_arguments(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return good values for every argument that has no default, and for those that `recipes` names."""
    own = recipes.OWN.get(name, {})
    values: dict[str, Any] = {}
    for argument, parameter in inspect.signature(function).parameters.items():
        if argument in own:
            values[argument] = own[argument]()
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
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
    if isinstance(good, dict) or (isinstance(good, tuple) and good and all(isinstance(x, str) for x in good)):
        return "record"
    if "Array" in str(text) or "Array" in str(annotation) or isinstance(good, np.ndarray | jax.Array):
        return "array"
    if annotation is int or annotation == int | None:
        return "whole"
    if annotation is float or annotation == float | None:
        return "number"
    if annotation is str:
        return "text"
    if isinstance(good, Path):
        return "path"
    return "record"


def bad_values(kind: str, good: Any) -> dict[str, Any]:
    """Return the sorts of bad values for an argument of a kind."""
    if kind == "array":
        return _bad_arrays(good)
    return {
        "whole": {"half": 1.5, "a flag": True, "text": "3", "far below": -(10**6), "nan": float("nan"), "huge": 10**20},
        "number": {"nan": float("nan"), "infinite": float("inf"), "text": "x", "a list": [1.0, 2.0], "huge": 1e300},
        "text": {"another word": "no such thing", "a number": 3},
        "choice": {"another word": "no such thing", "a number": 3.5},
        "flag": {},
        "function": {"a number": 3},
        "path": {"a number": 3, "nothing": None},
        "record": {"a number": 3, "nothing": None, "text": "x"},
    }[kind]


def _bad_arrays(good: Any) -> dict[str, Any]:
    array = np.asarray(good, float) if not _is_key(good) else None
    if array is None:
        return {"a number": 3, "text": "x"}
    bad = {"text": "x", "nothing": None, "nan": np.full_like(array, np.nan), "infinite": np.full_like(array, np.inf)}
    bad["huge"] = np.full_like(array, 1e300)
    if array.ndim:
        bad["empty"] = np.zeros((*array.shape[:-1], 0))
        bad["another last axis"] = np.zeros((*array.shape[:-1], 3 if array.shape[-1] != 3 else 7))
        bad["a number"] = 0.5
    return bad


def _is_key(x: Any) -> bool:
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def calls(name: str, function: Callable[..., Any], everything: bool = True) -> Iterator[Call]:
    """Yield every bad call of a function; if not everything, the first argument alone in jit and vmap."""
    good = good_arguments(name, function)
    for argument, parameter in inspect.signature(function).parameters.items():
        example = good.get(argument, parameter.default)
        if parameter.kind is parameter.VAR_POSITIONAL:
            kind = _kind(parameter.annotation, example[0])
            for sort, value in bad_values(kind, example[0]).items():
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
    yield from mismatched(name, function, good)
    traced = [] if name in recipes.NOT_TRACED else traceable(name, function, good)
    in_jax = name.split(".")[0] in recipes.TRACED_ROOMS
    for argument in traced if everything else traced[: int(in_jax)]:
        value = np.asarray(good[argument], float)
        for way in ("jit", "vmap") if everything else ("vmap",):  # which is inside jit as well
            yield Call(name, argument, "nan", np.full_like(value, np.nan), way)
        if everything:  # what is good works there too, or is refused as traced
            yield Call(name, argument, "good", value, "jit")


def traceable(name: str, function: Callable[..., Any], good: dict[str, Any]) -> list[str]:
    """Return the arguments that are tried inside jit and vmap: numbers and arrays."""
    parameters = inspect.signature(function).parameters
    return [
        argument
        for argument, example in good.items()
        if "jax" in str(parameters[argument].annotation)
        and _kind(parameters[argument].annotation, example) == "array"
        and not _is_key(example)
        and parameters[argument].kind is not inspect.Parameter.VAR_POSITIONAL
        and np.issubdtype(np.asarray(example).dtype, np.floating)
    ]


def mismatched(name: str, function: Callable[..., Any], good: dict[str, Any]) -> Iterator[Call]:
    """Yield the call in which the first two arrays with batch axes have batches of two and of three."""
    parameters = inspect.signature(function).parameters
    batched = [n for n, example in good.items() if _has_batch(parameters[n].annotation) and not _is_key(example)]
    if len(batched) >= 2:
        two, three = (np.stack([np.asarray(good[n])] * count) for n, count in zip(batched, (2, 3), strict=False))
        yield Call(name, batched[0], "another batch", two, beside=((batched[1], three),))


def _has_batch(annotation: Any) -> bool:
    parts = typing.get_args(annotation) or (annotation,)
    return any(str(getattr(part, "dim_str", "")).startswith(("...", "*")) for part in parts)


def run(call: Call, function: Callable[..., Any]) -> Any:
    """Call the function, with the bad value traced if the call says so."""
    arguments = good_arguments(call.function, function) | dict(call.beside) | {call.argument: call.value}
    parameters = inspect.signature(function).parameters
    by_position = [n for n in parameters if parameters[n].kind is inspect.Parameter.VAR_POSITIONAL]
    until = list(parameters).index(by_position[0]) if by_position else 0
    spread = arguments.pop(by_position[0], ()) if by_position else ()

    def called(given: dict[str, Any]) -> Any:
        first = [given[n] for n in list(parameters)[:until] if n in given]
        return function(*first, *spread, **{n: x for n, x in given.items() if n not in list(parameters)[:until]})

    if call.way == "eager":
        return called(arguments)
    value = jnp.asarray(arguments[call.argument])
    wrapped = jax.jit(lambda x: called(arguments | {call.argument: x}))
    if call.way == "vmap":
        wrapped = jax.jit(jax.vmap(wrapped))
        value = jnp.stack([value, value])
    return jax.block_until_ready(wrapped(value))


class _Late(BaseException):
    """A call took too long."""


@contextlib.contextmanager
def in_time(seconds: int = 40) -> Iterator[None]:
    """End what hangs: by the processor's time, as a busy machine is slow without hanging; what sleeps, by the clock."""

    def late(*_: Any) -> None:
        raise _Late

    clocks = {signal.ITIMER_PROF: (signal.SIGPROF, seconds), signal.ITIMER_REAL: (signal.SIGALRM, 10 * seconds)}
    before = {signum: signal.signal(signum, late) for signum, _ in clocks.values()}
    for clock, (_, limit) in clocks.items():
        signal.setitimer(clock, limit)
    try:
        yield
    finally:
        for clock, (signum, _) in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(signum, before[signum])


def verdict(call: Call, function: Callable[..., Any]) -> str:
    """Return "clear" for one error that names the argument, else what happened instead."""
    # An entry of several arguments is called after them: strategies[0] of *tables.
    names = (call.argument, *dict(call.beside), *recipes.ALSO_CALLED.get(call.argument, ()))
    try:
        with warnings.catch_warnings(), in_time():
            warnings.simplefilter("ignore")
            result = run(call, function)
    except (ValueError, TypeError, jax.errors.JaxRuntimeError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = call.way != "eager" or Path(frames[-1].filename).is_relative_to(PACKAGE)
        if any(n.lower() in str(error).lower() for n in names) and ours:
            return "clear"
        return f"unclear: {type(error).__name__}: {str(error).splitlines()[0][:110] if str(error) else ''}"
    except _Late:
        return "crash: it hangs"
    except Exception as error:  # a crash of any other kind is what this looks for
        return f"crash: {type(error).__name__}: {str(error).splitlines()[0][:110] if str(error) else ''}"
    finite = all(np.isfinite(x).all() for x in jax.tree.leaves(result) if _is_number(x))
    if call.sort in ("huge", "good") and finite:
        return "clear"  # it works
    return "accepted" if finite else "accepted, result not finite"


def _is_number(x: Any) -> bool:
    return (
        isinstance(x, float | np.ndarray | jax.Array)
        and not _is_key(x)
        and np.issubdtype(np.asarray(x).dtype, np.inexact)
    )


def findings(only: tuple[str, ...] = ("",), everything: bool = True) -> Iterator[tuple[Call, str]]:
    """Yield each bad call and its verdict, "meant" where it is listed."""
    for name, function in doors().items():
        if not name.startswith(only):
            continue
        try:
            bad = list(calls(name, function, everything))
        except LookupError as missing:
            yield Call(name, "?", str(missing).strip('"'), None), "no recipe"
            continue
        for call in bad:
            judged = verdict(call, function)
            if judged != "clear" and recipes.meant(call.key):
                judged = "meant"
            yield call, judged
