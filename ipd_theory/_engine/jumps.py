"""Derivatives that do not exist are infinite or NaN, never a number.

In the limit of means a return may jump where a probability leaves 0 or 1. With a vanishing δ in place of zero, its
derivative is then of the size of the payoffs over δ: vast, where any derivative that exists is far from it.
Multiplied by a power of two that only what is vast cannot bear, and divided by it again, every other number stays what
it is to the last bit. Both are linear, so that this holds under `vmap` and in both modes: tangents meet them in this
order at the results, cotangents at the arguments.

Second derivatives are differences of such vast numbers, whose rounding may leave any number. They are good where the
limit of means is the same from every context, and NaN elsewhere.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ipd_theory._engine import chains


def jump_scale(x: Array, delta: Array, least: float, unit: Array | float) -> Array:
    """Return the power of two by which derivatives of x are multiplied and divided: 1 where δ does not vanish.

    Args:
        x: [...] an argument or a result.
        delta: [...] stopping rates.
        least: the vanishing one, in place of zero.
        unit: [...] the size of what is differentiated, powers of two.
    """
    borne = 2.0 ** math.floor(math.log2(float(np.finfo(x.dtype).max)) + 0.75 * math.log2(least))
    # It asks x as well: a compiler that knew the scale would cancel it.
    return jnp.where((delta <= least) & (x == x), borne / unit, 1)


def _generic(num_outcomes: int, dtype: np.dtype) -> Array:
    """Return payoffs [K] of which no two ways of playing earn the same."""
    return jnp.cos(jnp.arange(num_outcomes, dtype=dtype))


def slopes_or_jumps(
    gradient: Array, payoffs: Array, gradient_for: Callable[[Array], Array], delta: Array, least: float
) -> Array:
    """Return the gradient [..., h], in the limit of means infinite where it jumps and 0 where play that is left for
    good earns what play elsewhere does.

    That play is left is seen from payoffs of which no two ways of playing earn the same: with them the derivative is
    of the size of 1 / δ. With the payoffs themselves it is so too, or else it is rounding.

    Args:
        gradient: [..., h] of one player's return in probabilities, each used in one context.
        payoffs: [..., K] the player's.
        gradient_for: the gradient for other payoffs [K].
        delta: [...] stopping rates.
        least: the vanishing one, in place of zero.
    """
    leaving = gradient_for(jnp.broadcast_to(_generic(payoffs.shape[-1], payoffs.dtype), payoffs.shape))
    left = (delta <= least)[..., None] & (jnp.abs(leaving) > least**-0.75)
    rounding = 2.0**10 * float(jnp.finfo(payoffs.dtype).eps) * jnp.abs(payoffs).max(-1, keepdims=True)
    jumps = jnp.abs(gradient) > rounding * jnp.abs(leaving)
    return jnp.where(left, jnp.where(jumps, jnp.sign(gradient) * jnp.inf, 0), gradient)


@jax.custom_jvp
def argument_of_jumps(x: Array, scale: Array) -> Array:
    """Return x; cotangents that are vast become infinite."""
    return x


@argument_of_jumps.defjvp
def _argument_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    x, scale = primals
    return x, (tangents[0] / scale) * scale


@jax.custom_jvp
def result_of_jumps(x: Array, scale: Array, one: Array) -> Array:
    """Return x; tangents that are vast become infinite, and are multiplied by `once_differentiable`."""
    return x


@result_of_jumps.defjvp
def _result_jvp(primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    x, scale, one = primals
    return x, (tangents[0] * scale) / scale * one


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def once_differentiable(tables: list[Array], delta: Array, memory: int, least: float) -> Array:
    """Return 1 for each chain [...], whose derivative is NaN where the limit of means is not the same from everywhere.

    Args:
        tables: each player's strategy [..., h], in its own view.
        delta: [...] stopping rates.
        memory: of the strategies.
        least: the vanishing stopping rate, in place of zero.
    """
    return jnp.ones(jnp.broadcast_shapes(delta.shape, *(x.shape[:-1] for x in tables)), delta.dtype)


@once_differentiable.defjvp
def _once_differentiable_jvp(
    memory: int, least: float, primals: tuple[list[Array], Array], tangents: tuple[list[Array], Array]
) -> tuple[Array, Array]:
    one = once_differentiable(*primals, memory, least)
    tables, delta = jax.lax.stop_gradient(primals)
    values, _ = chains.values(_generic(2 ** len(tables), delta.dtype)[None], tables, delta, memory, 0)
    undefined = (delta <= least) & (jnp.ptp(values, -1) > float(jnp.finfo(delta.dtype).eps) ** 0.5)
    slope = jnp.where(undefined, jnp.nan, jnp.zeros_like(one))
    return one, slope * functools.reduce(jnp.add, [x.sum(-1) for x in tangents[0]])
