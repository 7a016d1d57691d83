r"""Shares of n strategies in a population so large that chance has no say, and what mutation does to them.

With payoffs f = Ax and their mean f̄ = xᵀAx, in continuous time (Q_ji the chance that a child of j, or a player of j
that tries something new, is of i):

    ẋ_i = x_i (f_i − f̄)                                 replicator (`equilibria.replicator`),
    ẋ_i = Σ_j x_j f_j Q_ji − x_i f̄                      replicator–mutator: mutants are born, so payoffs are fitness,
    ẋ_i = x_i (f_i − f̄) + Σ_j x_j Q_ji − x_i            replicator with mutants that come at rate 1 whatever they earn,

and in generations, as in Axelrod's ecological tournament,

    x_i' = x_i f_i / f̄,

where what a strategy earns is the factor by which it grows. A constant added to a column of A changes nothing in
continuous time; in generations it slows selection down, and as it grows the path becomes that of the replicator.

Sources: Taylor & Jonker 1978; Hadeler 1981 and Page & Nowak 2002 (replicator–mutator); Axelrod 1984 (ecological
tournament).
"""

import itertools

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks, equilibria
from ipd_theory._arguments import checked
from ipd_theory.evolution.birth_death import square


def mutation_matrix(mutation: Float[ArrayLike, "..."], n: int) -> Float[np.ndarray, "n n"]:
    """Return Q [n, n] from row to column, of a matrix or of μ, which goes to the n − 1 others alike."""
    given = np.asarray(mutation, float)
    if given.ndim == 0 and 0 <= given <= 1:
        return np.where(np.eye(n) == 1, 1 - given, given / (n - 1)) if n > 1 else np.eye(1)
    rows_add_up = given.shape == (n, n) and np.abs(given.sum(-1) - 1).max() <= equilibria.ROUNDING * n
    if not rows_add_up or not (given >= 0).all():
        raise ValueError(f"mutation must be one number in [0, 1] or {n} by {n} with rows of shares; got {mutation}")
    return given / given.sum(-1, keepdims=True)


@checked
def replicator_mutator(
    A: Float[ArrayLike, "_ _"],
    start: Float[ArrayLike, "... _"],
    times: Float[ArrayLike, " _"],
    mutation: Float[ArrayLike, "..."],
    *,
    at_birth: bool = True,
) -> Float[np.ndarray, "... t n"]:
    """Return shares [..., t, n] under selection and mutation in continuous time.

    Args:
        A: [n, n] payoff of row against column; 0 or more where mutants are born.
        start: [..., n] shares at the first time, which add up to 1.
        times: [t] rising times, in units of 1 / payoff.
        mutation: μ in [0, 1], to all other strategies alike; or Q [n, n] from row to column, rows that add up to 1.
        at_birth: whether children mutate (replicator–mutator), or players do, at rate 1 whatever they earn.

    Raises:
        ValueError: if A is not square and finite, a payoff is negative where mutants are born, `start` or a row of
            `mutation` are no shares, or `times` do not rise.
        FloatingPointError: if the integration fails.
    """
    payoffs = square("A", A)
    if payoffs.ndim != 2:
        raise ValueError(f"A must be one square matrix; got the shape {payoffs.shape}")
    n = len(payoffs)
    given, t = np.asarray(start, float), equilibria.rising("times", times)
    if given.ndim == 0 or given.shape[-1] != n:
        raise ValueError(f"start must be {n} shares on its last axis; got the shape {given.shape}")
    starts = [equilibria.distribution("start", shares, n) for shares in given.reshape(-1, n)]
    Q = mutation_matrix(mutation, n)
    if at_birth and (payoffs < 0).any():
        raise ValueError(f"A must be 0 or more where mutants are born; got {payoffs.min()} (or take at_birth=False)")

    def rate(_: float, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        earned = x * (payoffs @ x)
        if at_birth:
            return earned @ Q - x * earned.sum()
        return earned - x * earned.sum() + x @ Q - x

    def path(shares: Float[np.ndarray, " n"]) -> Float[np.ndarray, "t n"]:
        if np.array_equal(Q, np.eye(n)):
            return equilibria.replicator(payoffs, shares, t)
        found = np.clip(equilibria.integrated(rate, shares, t), 0, None)
        return found / found.sum(-1, keepdims=True)

    return np.reshape([path(shares) for shares in starts], (*given.shape[:-1], t.size, n))


@checked
def ecological(
    A: Float[ArrayLike, "... _ _"], start: Float[ArrayLike, "... _"], generations: int
) -> Float[np.ndarray, "... t n"]:
    """Return shares [..., generations + 1, n] where each generation's grow in proportion to what they earn.

    Args:
        A: [..., n, n] payoff of row against column, 0 or more.
        start: [..., n] shares of the first generation, which add up to 1.
        generations: how many follow.

    Raises:
        ValueError: if A is not square and finite, a payoff is negative, `start` are no shares, or all that are alive
            earn nothing.
    """
    payoffs, first = square("A", A), np.asarray(start, float)
    _checks.whole("generations", generations, 0)
    n = payoffs.shape[-1]
    if (payoffs < 0).any():
        raise ValueError(f"A must be 0 or more, as strategies grow in proportion; got {payoffs.min()}")
    if first.ndim == 0 or first.shape[-1] != n or not (first >= -equilibria.ROUNDING).all():
        raise ValueError(f"start must be {n} shares, 0 or more, on its last axis; got {start}")
    if not (np.abs(first.sum(-1) - 1) <= equilibria.ROUNDING * n).all():
        raise ValueError(f"start must add up to 1; got {start}")
    batch = _checks.batch(A=payoffs.shape[:-2], start=first.shape[:-1])
    path = np.empty((generations + 1, *batch, n))
    path[0] = np.clip(first, 0, 1)
    for now, after in itertools.pairwise(path):
        grown = now * (payoffs @ now[..., None])[..., 0]
        total = grown.sum(-1, keepdims=True)
        if not (total > 0).all():
            raise ValueError("A leaves nothing to those that are alive, so that no generation follows")
        after[...] = grown / total
    return np.moveaxis(path, 0, -2)
