"""Small dense linear systems, elementwise over a batch.

Gaussian elimination with partial pivoting, written out: where jax calls LAPACK, a processor's threads may wait for
each other, for ever when several programs do so at once, and a call for each of many systems of ten unknowns is slow.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def small_solve(matrix: Float[Array, "n n"], right: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return x with Ax = b; not finite where A is singular.

    Args:
        matrix: A; the program grows as n².
        right: b.
    """
    n = right.shape[0]
    row = jnp.arange(n)
    left = jnp.ones(n, bool)  # rows that have not been a pivot's
    pivots = []
    for k in range(n):
        chosen = row == jnp.argmax(jnp.where(left, jnp.abs(matrix[:, k]), -1))
        pivot_row = jnp.where(chosen[:, None], matrix, 0).sum(0)
        pivot_right = jnp.where(chosen, right, 0).sum()
        left = left & ~chosen
        factor = jnp.where(left, matrix[:, k] / pivot_row[k], 0)
        matrix = matrix - factor[:, None] * pivot_row
        right = right - factor * pivot_right
        pivots.append((pivot_row, pivot_right))
    x = jnp.zeros(n, matrix.dtype)
    for k, (pivot_row, pivot_right) in reversed(list(enumerate(pivots))):
        x_k = (pivot_right - jnp.where(row > k, pivot_row * x, 0).sum()) / pivot_row[k]
        x = jnp.where(row == k, x_k, x)
    return x
