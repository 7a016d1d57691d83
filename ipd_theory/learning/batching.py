"""Functions of one pair of players over many pairs, side by side along the last axis."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ipd_theory.learning.groups import GroupGame
from ipd_theory.learning.views import RepeatedGame

Game = TypeVar("Game", bound=RepeatedGame | GroupGame)


def side_by_side(view: Game, *players: Array) -> tuple[tuple[int, ...], Game, list[Array]]:
    """Return the leading axes of a view and logits [..., h], broadcast, and these with those axes as one, the last.

    So each logit of all pairs, or groups, lies side by side.
    """
    fields = list(zip(view, view.ranks, strict=True))
    shape = jnp.broadcast_shapes(*(x.shape[:-1] for x in players), *(x.shape[: x.ndim - rank] for x, rank in fields))

    def last(leaf: Array, rank: int) -> Array:
        own = leaf.shape[leaf.ndim - rank :]
        return jnp.moveaxis(jnp.broadcast_to(leaf, (*shape, *own)).reshape(-1, *own), 0, -1)

    return shape, type(view)(*(last(x, rank) for x, rank in fields)), [last(x, 1) for x in players]


def batched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of one pair as one of many, side by side along the last axis."""
    return jax.vmap(function, in_axes=-1, out_axes=-1)


def pairs_first(results: Any, shape: tuple[int, ...]) -> Any:
    """Return results of `batched` with the axes of `side_by_side` first again."""
    return jax.tree.map(lambda r: jnp.moveaxis(r, -1, 0).reshape(*shape, *r.shape[:-1]), results)


def over_pairs(function: Callable[..., Any], view: Game, *players: Array) -> Any:
    """Return `function(view, x, y, …)` over the leading axes of all, broadcast; results carry those axes first."""
    shape, views, logits = side_by_side(view, *players)
    return pairs_first(batched(function)(views, *logits), shape)
