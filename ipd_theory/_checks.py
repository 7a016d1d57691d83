"""Errors for bad input: the same message for a concrete array and for one inside `jax.jit`."""

import functools
import math
import operator
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from equinox.internal import unvmap_all, unvmap_any
from jaxtyping import Array, ArrayLike, Float

from ipd_theory._arguments import did_you_mean

T = TypeVar("T")
Known = TypeVar("Known", bound=Array | np.ndarray)
_FEW = 4096


@functools.partial(jax.jit, static_argnames=("low", "high"))
def _worst(x: Array, low: float, high: float) -> Array:
    """The entry of `x` farthest outside [low, high] (a NaN counts as farthest), or `low` if all lie inside."""
    smallest, largest = jnp.min(x, initial=low), jnp.max(x, initial=low)
    inside = jnp.where(jnp.isnan(smallest), smallest, low)
    return jnp.where(smallest < low, smallest, jnp.where(largest > high, largest, inside))


def _require(name: str, low: float, high: float, allowed: str) -> Callable[[Any], None]:
    def check(worst: Any) -> None:
        values = np.asarray(worst)
        fits = (values >= low) & (values <= high)
        if not fits.all():
            raise ValueError(f"{name} holds {values[~fits].flat[0]}; every entry must {allowed}")

    return check


def _within(name: str, x: Known, low: float, high: float, allowed: str) -> Known:
    alarm = _alarm(name, x, low, high, allowed)
    if alarm is None:
        return x
    return typing.cast(Known, x + alarm)  # which keeps the check alive under dead-code elimination


def _alarm(name: str, x: Known, low: float, high: float, allowed: str) -> Array | None:
    """Check concrete numbers at once, and return None; of traced ones return a zero that cannot be had otherwise."""
    check = _require(name, low, high, allowed)
    if not isinstance(x, jax.core.Tracer):
        if x.size <= _FEW:  # looked at here: to compile for each new shape takes longer
            check(x)
        else:
            with jax.ensure_compile_time_eval():  # also where something else is being traced
                check(_worst(x, low=low, high=high))
        return None
    worst = _worst(jax.lax.stop_gradient(x), low=low, high=high)

    def report(worst: Any) -> Any:
        check(worst)
        return np.zeros_like(worst)

    # Only a failing check calls the host, also under vmap, where a batch of conditions would become a select that
    # runs both branches.
    shape = jax.ShapeDtypeStruct(worst.shape, worst.dtype)
    zero = jax.lax.cond(
        unvmap_all((worst >= low) & (worst <= high)),
        lambda: jnp.zeros_like(worst),
        # The sum is of the other branch's type within `shard_map` too.
        lambda: jnp.zeros_like(worst) + jax.pure_callback(report, shape, worst, vmap_method="expand_dims"),
    )
    return unvmap_any(zero != 0).astype(x.dtype)


def in_range(name: str, x: Float[Array, "*s"], low: int | float, high: int | float) -> Float[Array, "*s"]:
    """Return `x`, having checked that every entry lies in [low, high].

    Concrete arrays are checked at once (`ValueError`); traced ones when the compiled function runs
    (`jax.errors.JaxRuntimeError` with the same text), forward and reverse differentiation included.
    """
    array = x if isinstance(x, jax.Array) else jnp.asarray(x)
    return _within(name, array, float(low), float(high), f"lie in [{low:g}, {high:g}]")


def probabilities(name: str, x: Any) -> Array:
    """Return `x` as a floating array, having checked that every entry lies in [0, 1], as `in_range` does."""
    return hold_probabilities(name, to_float(x))


def hold_probabilities(name: str, x: Known) -> Known:
    """Return an array of jax's or numpy's, having checked that every entry lies in [0, 1], as `in_range` does."""
    return _within(name, x, 0.0, 1.0, "lie in [0, 1]")


def alarm(name: str, x: Known) -> Array | None:
    """Return None, having checked that every entry lies in [0, 1]; for a traced `x` a zero [] that checks it when used.

    Where `x` is large, adding this to something small costs less than what `hold_probabilities` adds to `x`.
    """
    return _alarm(name, x, 0.0, 1.0, "lie in [0, 1]")


def resolved(name: str, x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Return small numbers `x`, having checked that 1 − x keeps them to a few percent, or they are 0."""
    least = 8 * float(jnp.finfo(x.dtype).eps)
    shown = f"be 0 or at least {least:.2g}, or else 1 − {name} rounds in {x.dtype}"
    if not isinstance(x, jax.core.Tracer):
        values = np.asarray(x)
        _within(name, values[values != 0], least, math.inf, shown)
        return x
    return jnp.where(x == 0, x, _within(name, jnp.where(x == 0, 1, x), least, math.inf, shown))


def finite(name: str, x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Return `x`, having checked that no entry is NaN or infinite, as `in_range` does."""
    x = jnp.asarray(x)
    largest = float(jnp.finfo(x.dtype).max)
    return _within(name, x, -largest, largest, "be finite")


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return a whole number from `least` to `most`: a Python or numpy integer, no bool, no float.

    Raises:
        ValueError: if it is anything else, or out of range.
    """
    allowed = f"{least} or more" if most is None else f"from {least} to {most}"
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= (2**63 - 1 if most is None else most):
        raise ValueError(f"{name} must be a whole number, {allowed}; got {value!r}")
    return number


def number(
    name: str,
    value: Any,
    low: int | float = -math.inf,
    high: int | float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return one concrete, finite, real number between `low` and `high`, which the open sides exclude.

    Raises:
        ValueError: if it is anything else: a NaN, a bool, text, an array with axes, a traced value.
    """
    above, below = ("above" if open_low else "at least"), ("below" if open_high else "at most")
    limits = [f"{above} {low:g}"] * (low > -math.inf) + [f"{below} {high:g}"] * (high < math.inf)
    allowed = " ".join(["one finite number", " and ".join(limits)]).strip()
    if isinstance(value, jax.core.Tracer):
        raise ValueError(f"{name} must be {allowed}, known when the program is compiled; got a traced {value.aval}")
    is_number = not isinstance(value, bool | np.bool_ | str | bytes) and np.ndim(value) == 0
    try:
        x = float(value) if is_number else math.nan
    except (TypeError, ValueError, OverflowError):
        x = math.nan
    fits = (low < x if open_low else low <= x) and (x < high if open_high else x <= high)
    if not (math.isfinite(x) and fits):
        raise ValueError(f"{name} must be {allowed}; got {value!r}")
    return x


def player(name: str, value: Any, num_players: int) -> int:
    """Return the index of a player, 0 … num_players − 1.

    Raises:
        ValueError: if there is no such player.
    """
    try:
        return whole(name, value, 0, num_players - 1)
    except ValueError:
        raise ValueError(f"{name} must be one of {', '.join(map(str, range(num_players)))}; got {value!r}") from None


def two_players(game: Any, *, batch: bool = True) -> None:
    """Raise `ValueError` unless a matrix game is for two players and, without `batch`, one game alone."""
    if game.num_players != 2 or (not batch and game.payoffs.ndim != 3):
        wanted = "be for two players" if batch else "be one game for two players"
        raise ValueError(f"game must {wanted}; it is for {game.num_players}, its payoffs of shape {game.payoffs.shape}")


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """Return `value`, having checked that it is one of the allowed ones.

    Raises:
        ValueError: listing them, if it is not.
    """
    choices = tuple(allowed)
    if not (isinstance(value, tuple({type(x) for x in choices})) and value in choices):
        near = did_you_mean(value, [x for x in choices if isinstance(x, str)]) if isinstance(value, str) else ""
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}{near}")
    return value


def instance(name: str, value: Any, kind: type | tuple[type, ...], hint: str = "") -> None:
    """Raise `TypeError`, which ends in `hint`, unless `value` is of this kind or one of these kinds."""
    if not isinstance(value, kind):
        kinds = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        got = f"the class {value.__name__}" if isinstance(value, type) else f"{value!r}, a {type(value).__name__}"
        raise TypeError(f"{name} must be a {kinds}; got {got}" + (f"; {hint}" if hint else ""))


def batch(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape to which batch axes broadcast.

    Args:
        **shapes: the batch axes of each argument, by its name.

    Raises:
        ValueError: naming the arguments that have batch axes, if they do not fit.
    """
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items() if shape)
        raise ValueError(f"batch axes must broadcast; they do not fit here: {listed}") from None


def to_float(x: Any, name: str = "") -> Array:
    """Return `x` as an array of its own floating dtype; integers, bools, lists and fractions in the default one.

    Args:
        x: numbers of any kind.
        name: of the argument, for the message.

    Raises:
        ValueError: if it holds anything but real numbers.
    """
    if isinstance(x, jax.Array) and x.dtype.kind == "f":
        return x
    try:
        array = jnp.asarray(x)
    except (TypeError, ValueError) as error:  # fractions and other numbers that only Python knows
        try:
            entries = np.asarray(x, object)
            array = jnp.asarray([number("x", entry) for entry in entries.flat], float).reshape(entries.shape)
        except ValueError:
            raise ValueError(f"{_must_be(name)} real numbers in an array of one shape; got {x!r}") from error
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(f"{_must_be(name)} real numbers; got {x!r}")
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)


def floating(x: Any) -> Array | np.ndarray:
    """Return `x` as `to_float` does, but few numbers that Python or numpy holds in an array of numpy's.

    For them that is all it takes to compute, and costs compiled code a microsecond; an array of jax's costs ten to
    make, and something to compile at each first operation.
    """
    x = np.asarray(x) if isinstance(x, float) else x
    if isinstance(x, np.ndarray) and x.dtype in (np.float32, np.float64) and x.size <= _FEW:
        dtype = jax.dtypes.canonicalize_dtype(x.dtype)
        with np.errstate(over="ignore"):  # to infinity, as jax does
            return x if x.dtype == dtype else x.astype(dtype)
    return to_float(x)


def _must_be(name: str) -> str:
    return f"{name} must be" if name else "expected"


def last_axis(name: str, x: ArrayLike, allowed: tuple[int, ...], meaning: str) -> None:
    """Raise `ValueError` unless the last axis of `x` has one of the `allowed` lengths."""
    shape = jnp.shape(x)
    if not shape or shape[-1] not in allowed:
        raise ValueError(f"{name} has shape {shape}; its last axis must be one of {allowed} long ({meaning})")
