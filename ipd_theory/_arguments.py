"""Arguments held to their annotations: one error that names the argument, what it got and what is allowed.

`@checked` reads a function's annotations once. A thing of another kind then ends in a `TypeError` before any work, and
what means the same arrives as the same thing: whole numbers as `int`, numbers as `float`, lists, fractions and columns
of tables as arrays. Which numbers are allowed, and which shapes fit, the function says itself (`_checks`).
"""

import dataclasses
import difflib
import functools
import inspect
import math
import operator
import os
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Check = Callable[[str, Any], Any]
KINDS = ("ipd_theory", "matplotlib", "sympy", "xarray")  # whose classes say what a thing must be


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its arguments held to their annotations; what has no annotation known here passes."""
    signature = inspect.signature(function)
    found = {name: _check_for(p.annotation) for name, p in signature.parameters.items()}
    for name, p in signature.parameters.items():
        if p.annotation is float and p.default == math.inf:
            found[name] = _number_or_infinite
    checks = {name: check for name, check in found.items() if check is not None}
    positional = [n for n, p in signature.parameters.items() if p.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    spread = next((n for n, p in signature.parameters.items() if p.kind == inspect.Parameter.VAR_POSITIONAL), None)
    defaults = {n: p.default for n, p in signature.parameters.items()}

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        if spread is None and len(args) > len(positional):
            by_name = [n for n, p in signature.parameters.items() if p.kind == inspect.Parameter.KEYWORD_ONLY]
            raise TypeError(
                f"{function.__name__} takes {len(positional)} arguments by position ({', '.join(positional)}); "
                f"got {len(args)}. By name: {', '.join(by_name)}"
            )
        first = [checks[n](n, x) if n in checks else x for n, x in zip(positional, args, strict=False)]
        if spread is not None:
            rest = args[len(positional) :]
            check = checks.get(spread)
            first += [check(f"{spread}[{i}]", x) for i, x in enumerate(rest)] if check else rest
        # A default is right as it stands, whatever its kind (None, say).
        named = {n: x if n not in checks or x is defaults.get(n) else checks[n](n, x) for n, x in named.items()}
        try:
            return function(*first, **named)
        except TypeError as error:
            given = {**dict(zip(positional, first, strict=False)), **named}
            traced = [n for n, x in given.items() if _asks_for_numbers(error) and _holds_traced(x)]
            if not traced:
                raise
            raise TypeError(
                f"{', '.join(traced)}: traced, inside jit, vmap or grad, where {function.__name__} needs numbers: it "
                "computes outside of compiled code"
            ) from None

    return typing.cast(Callable[P, R], call)


def _asks_for_numbers(error: TypeError) -> bool:
    """Return whether jax was asked for the numbers of an array that has none yet."""
    jax = sys.modules.get("jax")
    kinds = ("ConcretizationTypeError", "TracerArrayConversionError", "TracerIntegerConversionError")
    return jax is not None and isinstance(error, tuple(getattr(jax.errors, kind) for kind in kinds))


def _holds_traced(x: Any) -> bool:
    jax = sys.modules["jax"]
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(x))


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return a hint at the known name that is closest, in any case, for the end of an error; empty if none is close.

    Args:
        name: what was given.
        known: the names there are; of a mapping, its values are what is shown.
    """
    shown = {str(key).lower(): str(known[key] if isinstance(known, Mapping) else key) for key in known}
    close = difflib.get_close_matches(name.lower(), shown, 1)
    return f"; did you mean {shown[close[0]]}?" if close else ""


def _check_for(annotation: Any) -> Check | None:
    """Return the check that goes with an annotation, None where there is nothing to hold."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return _union_check(annotation)
    if _is_key(annotation):
        return _key
    if _is_array(annotation):
        return _array_check(annotation)
    origin, entries = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return functools.partial(_one_of, entries)
    if origin in (Callable, types.FunctionType) or annotation is Callable:
        return _callable
    if origin in (tuple, list, Sequence, Iterable):
        return _entries_check(origin, entries)
    if origin is Mapping:
        return functools.partial(_instance, Mapping)
    simple: dict[Any, Check] = {
        int: _whole,
        float: _number,
        bool: _flag,
        str: functools.partial(_instance, str),
        Path: _path,
    }
    if annotation in simple:
        return simple[annotation]
    if _is_ours(annotation):
        held = not getattr(annotation, "_is_protocol", False) or getattr(annotation, "_is_runtime_protocol", False)
        return functools.partial(_instance, annotation) if held else None
    return None


def _is_ours(annotation: Any) -> bool:
    return inspect.isclass(annotation) and annotation.__module__.split(".")[0] in KINDS


def _union_check(annotation: Any) -> Check | None:
    parts = [part for part in typing.get_args(annotation) if part is not type(None)]
    arrays = [part for part in parts if _is_array(part)]
    check: Check | None = None
    if arrays and all(part in arrays or _is_scalar(part) for part in parts):
        check = _array_check(arrays[0])
    elif len(parts) == 1:
        check = _check_for(parts[0])
    elif set(parts) == {int, float}:
        check = _whole_or_number
    elif set(parts) in ({str, Path}, {str, os.PathLike[str]}):
        check = _text_or_path
    elif all(map(_is_ours, parts)):
        check = functools.partial(_instance, tuple(parts))
    optional = len(parts) < len(typing.get_args(annotation))
    return _or_none(check) if check is not None and optional else check


def _entries_check(origin: Any, entries: tuple[Any, ...]) -> Check:
    """Return the check of a tuple or list, which arrives as the one that is annotated; of others only that it is one.

    What it means by entries that have no check here is the function's to say.
    """
    whole = bool(entries) and (origin is not tuple or entries[1:] == (...,) or len(set(entries)) == 1)
    entry = _check_for(entries[0]) if whole else None
    count = len(entries) if origin is tuple and ... not in entries else None

    def check(name: str, x: Any) -> Any:
        if isinstance(x, str | bytes | Mapping) or not isinstance(x, Iterable) or hasattr(x, "_fields"):
            raise TypeError(f"{name} must be a {_word(origin)}; got {_got(x)}{_hint(x)}")
        if entry is None or origin is Iterable:
            return x
        x_entries = tuple(x)
        if count is not None and len(x_entries) != count:
            raise ValueError(f"{name} must be {count}; got {len(x_entries)}: {_got(x)}")
        held = [entry(f"{name}[{i}]", y) for i, y in enumerate(x_entries)]
        return (
            x
            if isinstance(x, origin) and all(map(operator.is_, held, x))
            else (list if origin is list else tuple)(held)
        )

    return check


def _word(origin: Any) -> str:
    return {tuple: "tuple", list: "list"}.get(origin, "sequence")


def _is_key(annotation: Any) -> bool:
    dtypes = getattr(annotation, "dtypes", ())
    return isinstance(dtypes, list | tuple) and list(dtypes) == ["prng_key"]


def _is_array(annotation: Any) -> bool:
    if "jax" not in sys.modules:  # whose arrays then nothing is annotated with, and settings load without it
        return False
    import jax
    import numpy as np

    array_type = getattr(annotation, "array_type", annotation)  # of a jaxtyping annotation
    if array_type in (jax.Array, np.ndarray):
        return True
    parts = typing.get_args(array_type)
    return jax.Array in parts and all(_is_array(part) or _is_scalar(part) for part in parts)  # jax's ArrayLike


def _is_scalar(annotation: Any) -> bool:
    import numpy as np

    return inspect.isclass(annotation) and issubclass(annotation, complex | float | int | np.generic)


def _or_none(check: Check) -> Check:
    return lambda name, x: None if x is None else check(name, x)


def _got(x: Any) -> str:
    text = repr(x)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(x).__name__})"


def hold_fields(record: Any) -> None:
    """Hold a frozen dataclass's fields to their annotations once it has been made; errors as `checked`."""
    for field in dataclasses.fields(record):
        check = _check_for(field.type)
        value = getattr(record, field.name)
        if check is not None and value is not field.default:
            held = check(field.name, value)
            if held is not value:
                object.__setattr__(record, field.name, held)


def _whole(name: str, x: Any) -> int:
    if not isinstance(x, bool):
        try:
            number = operator.index(x)
        except TypeError:
            pass
        else:
            if abs(number) < 2**63:
                return number
            raise ValueError(f"{name} must be a whole number of 64 bits; got {number}")
    raise TypeError(f"{name} must be a whole number; got {_got(x)}")


def _number_or_infinite(name: str, x: Any) -> Any:
    return x if isinstance(x, float) and x == math.inf else _number(name, x)


def _whole_or_number(name: str, x: Any) -> Any:
    return operator.index(x) if isinstance(x, int) and not isinstance(x, bool) else _number(name, x)


def _is_traced(x: Any) -> bool:
    if "jax" not in sys.modules:
        return False
    import jax

    return isinstance(x, jax.core.Tracer)


def _number(name: str, x: Any) -> Any:
    if _is_traced(x):
        return x
    if not isinstance(x, bool | str) and (isinstance(x, Real) or getattr(x, "ndim", None) == 0):
        number = float(x)
        if math.isfinite(number):
            return number
        raise ValueError(f"{name} must be a finite number; got {number}")
    raise TypeError(f"{name} must be a number; got {_got(x)}")


def _flag(name: str, x: Any) -> bool:
    if isinstance(x, bool) or type(x).__name__ == "bool_" or type(x).__name__ == "bool":
        return bool(x)
    raise TypeError(f"{name} must be True or False; got {_got(x)}")


def _text_or_path(name: str, x: Any) -> Any:
    if not isinstance(x, str | os.PathLike):
        raise TypeError(f"{name} must be a path; got {_got(x)}")
    return x


def _one_of(allowed: tuple[Any, ...], name: str, x: Any) -> Any:
    if getattr(x, "ndim", None) == 0 and x.dtype.kind in "iu" and not _is_traced(x):
        x = int(x)
    kinds = {type(choice) for choice in allowed}
    if not isinstance(x, tuple(kinds)) or (isinstance(x, bool) and bool not in kinds) or x not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {_got(x)}")
    return x


def _callable(name: str, x: Any) -> Any:
    if not callable(x):
        raise TypeError(f"{name} must be a function; got {_got(x)}")
    return x


def _instance(kind: type | tuple[type, ...], name: str, x: Any) -> Any:
    if not isinstance(x, kind):
        kinds = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        article = "an" if kinds[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {article} {kinds}; got {_got(x)}{_hint(x)}")
    return x


def _hint(x: Any) -> str:
    return f"; did you mean {x.__name__}(…)?" if callable(x) and hasattr(x, "__name__") else ""


def _path(name: str, x: Any) -> Path:
    return x if isinstance(x, Path) else Path(_instance((str, Path), name, x))


def _key(name: str, x: Any) -> Any:
    import jax

    if not (isinstance(x, jax.Array) and jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key)):
        raise TypeError(f"{name} must be a random key, such as jax.random.key(0); got {_got(x)}")
    return x


def _array_check(annotation: Any) -> Check:
    dtypes = getattr(annotation, "dtypes", ())
    if not isinstance(dtypes, list | tuple):  # jaxtyping's Shaped allows any
        return _array
    if any("float" in str(dtype) for dtype in dtypes) and not any("int" in str(dtype) for dtype in dtypes):
        return lambda name, x: _as_float(_array(name, x))
    if dtypes and all("bool" in str(dtype) for dtype in dtypes):
        return _truth_values
    whole = any("int" in str(dtype) for dtype in dtypes) and not any("float" in str(dtype) for dtype in dtypes)
    return _whole_array if whole else _array


def _as_float(x: Any) -> Any:
    """Return whole numbers and truth values in the default floating dtype, anything else as it is."""
    kind = getattr(getattr(x, "dtype", None), "kind", "f")
    return x.astype(float) if kind in "iub" else x


def _truth_values(name: str, x: Any) -> Any:
    array = _array(name, x)
    if getattr(getattr(array, "dtype", None), "kind", "b" if isinstance(array, bool) else "") != "b":
        raise TypeError(f"{name} must be an array of truth values; got {_got(x)}")
    return array


def _whole_array(name: str, x: Any) -> Any:
    array = _array(name, x)
    if isinstance(array, float) or (getattr(array, "dtype", None) is not None and array.dtype.kind == "f"):
        raise TypeError(f"{name} must be an array of whole numbers; got {_got(x)}")
    return array


def _array(name: str, x: Any) -> Any:
    """Return x if it is an array, else as one; a number stays a number, so that it keeps its weak type."""
    import jax
    import numpy as np

    if isinstance(x, jax.Array | float | int) or (isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fiub"):
        return x
    try:
        if isinstance(x, list | tuple) and any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(x)):
            return jax.numpy.asarray(x)
        array = np.asarray(x)
        if array.dtype.kind == "O" and array.size and not any(y is None or isinstance(y, str) for y in array.flat):
            array = array.astype(float)  # fractions
    except (TypeError, ValueError):
        array = np.asarray("")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of numbers; got {_got(x)}")
    return array
