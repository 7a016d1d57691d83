"""Small dense linear systems, elementwise over a batch.

Gaussian elimination with partial pivoting, written out: where jax calls LAPACK, a processor's threads may wait for
each other, for ever when several programs do so at once, and a call for each of many systems of ten unknowns is slow.
"""

import itertools

import jax
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


def symmetric_pseudo_solve(matrix: Float[Array, "n n"], right: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return the shortest x that comes closest to Ax = b for a symmetric A, by Jacobi's rotations.

    Eigenvalues below n times the rounding of the largest count as zero, as those of LAPACK's pseudo-inverse do.

    Args:
        matrix: A; the program grows as n².
        right: b.
    """
    n, index = right.shape[0], jnp.arange(right.shape[0])

    def rotated(carry: tuple[Array, Array], i: int, j: int) -> tuple[Array, Array]:
        a, vectors = carry
        # The angle that makes a_ij zero: tan 2θ = 2 a_ij / (a_jj − a_ii), |θ| ≤ π/4.
        twice, gap = 2 * a[i, j], a[j, j] - a[i, i]
        length = jnp.hypot(twice, gap)
        t = jnp.where(gap < 0, -1, 1) * twice / jnp.where(length > 0, jnp.abs(gap) + length, 1)
        c = 1 / jnp.sqrt(1 + t * t)

        def turned(x: Array) -> Array:  # columns i and j
            of_i, of_j = x[:, i : i + 1], x[:, j : j + 1]
            return jnp.where(index == i, c * (of_i - t * of_j), jnp.where(index == j, c * (t * of_i + of_j), x))

        return turned(turned(a).T).T, turned(vectors)

    def sweep(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        for i, j in itertools.combinations(range(n), 2):
            carry = rotated(carry, i, j)
        return carry

    diagonal, vectors = jax.lax.fori_loop(0, 8, sweep, ((matrix + matrix.T) / 2, jnp.eye(n, dtype=matrix.dtype)))
    values = jnp.where(index[:, None] == index, diagonal, 0).sum(0)
    counts = jnp.abs(values) > n * jnp.finfo(matrix.dtype).eps * jnp.abs(values).max()
    along = (vectors * right[:, None]).sum(0)
    return (vectors * jnp.where(counts, along / jnp.where(counts, values, 1), 0)).sum(1)
