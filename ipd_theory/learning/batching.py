"""Functions of one pair of players over many pairs, side by side along the last axis."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ipd_theory.learning.views import RepeatedGame


def side_by_side(view: RepeatedGame, x: Array, y: Array) -> tuple[tuple[int, ...], RepeatedGame, Array, Array]:
    """Return the leading axes of all three, broadcast, and the three with those axes as one, the last.

    So each logit of all pairs lies side by side.
    """
    shape = jnp.broadcast_shapes(
        x.shape[:-1], y.shape[:-1], view.delta.shape, view.own_payoffs.shape[:-1], view.other_payoffs.shape[:-1]
    )

    def last(leaf: Array, rank: int) -> Array:
        own = leaf.shape[leaf.ndim - rank :]
        return jnp.moveaxis(jnp.broadcast_to(leaf, (*shape, *own)).reshape(-1, *own), 0, -1)

    views = RepeatedGame(
        last(view.own_payoffs, 1), last(view.other_payoffs, 1), last(view.delta, 0), last(view.scale, 0)
    )
    return shape, views, last(x, 1), last(y, 1)


def batched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of one pair as one of many, side by side along the last axis."""
    return jax.vmap(function, in_axes=-1, out_axes=-1)


def pairs_first(results: Any, shape: tuple[int, ...]) -> Any:
    """Return results of `batched` with the axes of `side_by_side` first again."""
    return jax.tree.map(lambda r: jnp.moveaxis(r, -1, 0).reshape(*shape, *r.shape[:-1]), results)


def over_pairs(function: Callable[..., Any], view: RepeatedGame, x: Array, y: Array) -> Any:
    """Return `function(view, x, y)` over the leading axes of all three, broadcast; results carry those axes first."""
    shape, *pairs = side_by_side(view, x, y)
    return pairs_first(batched(function)(*pairs), shape)
