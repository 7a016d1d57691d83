"""The stopping rate δ = 1 − γ, the parameter that everything is computed in, and the limit of means."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks

LONGEST_HORIZON = 10**7


def vanishing_delta(dtype: np.dtype) -> float:
    """Return a stopping rate that stands for zero: the limit of means, exact to rounding in this dtype."""
    return 1e-200 if np.finfo(dtype).bits == 64 else 1e-30


def stopping_rate(discount: ArrayLike, dtype: np.dtype) -> Float[Array, "..."]:
    """Return δ = 1 − γ in `dtype`, never below the vanishing δ that stands for the limit of means.

    A number or numpy array is subtracted in float64 before it is rounded to `dtype`, so that a float32
    computation can be as close to γ = 1 as float64 can write.

    Args:
        discount: [...] discounts in [0, 1].
        dtype: the floating dtype of the computation.

    Raises:
        ValueError: if a discount leaves [0, 1].
    """
    return jnp.asarray(rate_for_compiled(discount, dtype))


def rate_for_compiled(discount: ArrayLike, dtype: np.dtype) -> Float[Array | np.ndarray, "..."]:
    """Return what `stopping_rate` does, for compiled code to read: in an array of numpy's where γ is known to numpy."""
    if isinstance(discount, jax.Array):
        return _of_array(_checks.in_range("discount", discount, 0.0, 1.0), dtype)
    concrete = np.asarray(discount, np.float64)
    if not ((concrete >= 0) & (concrete <= 1)).all():
        raise ValueError(f"discount holds {discount}; every entry must lie in [0, 1]")
    return np.asarray(np.maximum(1 - concrete, vanishing_delta(dtype)), dtype)


@functools.partial(jax.jit, static_argnames="dtype", inline=True)
def _of_array(discount: Array, dtype: np.dtype) -> Array:
    delta, least = jnp.asarray(1 - discount, dtype), vanishing_delta(dtype)
    kept = jnp.maximum(delta, jnp.asarray(least, dtype))
    return delta + jax.lax.stop_gradient(kept - delta)  # a derivative at γ = 1 is that of the returns there


def chosen_discount(discount: ArrayLike | None, horizon: int | None, normalized: bool = True) -> ArrayLike:
    """Return γ, 1 where only a horizon ends play.

    Args:
        discount: [...] γ, or None.
        horizon: after how many steps play ends, or None.
        normalized: returns are averages a step, not sums.

    Raises:
        ValueError: if neither is given, the horizon is no number of steps, or sums without an end are infinite.
    """
    if horizon is not None:
        _checks.whole("horizon", horizon, 1, LONGEST_HORIZON)
        return 1.0 if discount is None else discount
    if discount is None:
        raise ValueError("discount is None; give a discount in [0, 1], a horizon, or both")
    hold_sums(discount, normalized)
    return discount


def hold_sums(discount: ArrayLike, normalized: bool) -> None:
    """Raise `ValueError` where returns are sums and a discount that is known is 1."""
    if not normalized and not isinstance(discount, jax.core.Tracer) and np.any(np.asarray(discount) == 1):
        raise ValueError("discount holds 1.0, where un-normalised returns are infinite; use normalized=True")
