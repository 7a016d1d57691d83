"""The minimum of a convex quadratic over a polygon N z ≤ c in the plane, by looking at all places where it may lie."""

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def solve(matrices: Array, right: Array) -> Array:
    """Solve [..., n, n] systems for vectors [..., n]; NaN or infinite where singular."""
    return jnp.linalg.solve(matrices, right[..., None])[..., 0]


def candidates(best: Array, gram: Array, normals: Array, limits: Array) -> Array:
    """Return [..., 11, 2] points, one of them the minimum of a convex quadratic over the polygon N z ≤ c.

    It is the free minimum `best` [..., 1, 2], or the minimum along an edge's line, or a corner, where two lines meet.
    """
    batch = jnp.broadcast_shapes(best.shape[:-2], limits.shape[:-1])
    inverse_normals = solve(gram[..., None, :, :], normals)
    excess = (normals * best).sum(-1) - limits
    on_edges = best - inverse_normals * (excess / (normals * inverse_normals).sum(-1))[..., None]
    pairs = np.array(list(itertools.combinations(range(4), 2)))
    corners = solve(normals[..., pairs, :], limits[..., pairs])
    return jnp.concatenate([jnp.broadcast_to(z, (*batch, *z.shape[-2:])) for z in (best, on_edges, corners)], -2)


def within(points: Array, normals: Array, limits: Array, slack: float) -> Array:
    """Return whether N z ≤ c + slack for each point [..., m, 2]."""
    products = (normals[..., None, :, :] * points[..., :, None, :]).sum(-1)
    return (products <= limits[..., None, :] + slack).all(-1)
