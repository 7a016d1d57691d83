r"""Any set of strategies while mutants are rare: who takes over whom, and where the population spends its time.

Where mutants are so rare that one takes over or is gone before the next comes, the population is nearly always of one
strategy, and jumps from j to i at the rate ρ_ij / (n − 1): each of the n − 1 mutants is as likely, and ρ_ij is the
probability that one player of i takes over a population of j (Fudenberg & Imhof 2006). The stationary distribution of
that chain is found by eliminating states without a subtraction (Grassmann, Taksar & Heyman 1985), in logarithms, so
that it keeps its relative accuracy where one rate is 10^(−1000) of another.
"""

import numpy as np
from jaxtyping import ArrayLike, Bool, Float, Int
from scipy.special import logsumexp

from ipd_theory._arguments import checked
from ipd_theory.evolution.birth_death import Process, check_population, log_fixation_probability, square

Matrices = Float[np.ndarray, "... n n"]


def _log_fixations(
    A: Float[ArrayLike, "... _ _"], population: int, intensity: Float[ArrayLike, "..."], process: Process
) -> Matrices:
    matrix = square("A", A)
    beta = check_population(population, intensity, process)[..., None]
    own = np.diagonal(matrix, axis1=-2, axis2=-1)
    rows = []
    for j in range(matrix.shape[-1]):  # the resident; all mutants at once
        home = np.broadcast_to(own[..., j, None], own.shape)
        pairs = np.stack([np.stack([own, matrix[..., :, j]], -1), np.stack([matrix[..., j, :], home], -1)], -2)
        rows.append(log_fixation_probability(pairs, population, beta, process=process))
    return np.stack(rows, -2)


@checked
def fixation_matrix(
    A: Float[ArrayLike, "... _ _"], population: int, intensity: Float[ArrayLike, "..."], *, process: Process = "moran"
) -> Matrices:
    """Return the probability [..., n, n] that one player of the column's strategy takes over a population of the row's.

    Args:
        A: [..., n, n] payoff of row against column.
        population: N, 2 or more.
        intensity: [...] of selection, as for `fixation_probability`.
        process: what the population does.

    Returns:
        The matrix, 1/N on its diagonal and wherever selection is neutral.

    Raises:
        ValueError: as `fixation_probability`.
    """
    return np.exp(_log_fixations(A, population, intensity, process))


@checked
def rare_mutation(
    A: Float[ArrayLike, "... _ _"], population: int, intensity: Float[ArrayLike, "..."], *, process: Process = "moran"
) -> Float[np.ndarray, "... n"]:
    """Return the stationary shares [..., n] of time that the population spends in each strategy, mutants being rare.

    Args:
        A: [..., n, n] payoff of row against column.
        population: N, 2 or more.
        intensity: [...] of selection, as for `fixation_probability`.
        process: what the population does.

    Raises:
        ValueError: as `fixation_probability`.
    """
    return _stationary(_log_fixations(A, population, intensity, process))


@checked
def stationary(rates: Float[ArrayLike, "... _ _"]) -> Float[np.ndarray, "... n"]:
    """Return the stationary distribution [..., n] of a chain that moves at these rates.

    Args:
        rates: [..., n, n] from row to column, 0 or more; the diagonal is not read.

    Raises:
        ValueError: if rates are negative or not finite, or where the chain ends depends on where it begins.
    """
    rate = square("rates", rates)
    off_diagonal = rate * (1 - np.eye(rate.shape[-1]))
    if (off_diagonal < 0).any():
        raise ValueError(f"rates must be 0 or more; got {off_diagonal.min()}")
    order = _from_the_meeting_place(off_diagonal > 0)
    both = np.take_along_axis(np.take_along_axis(off_diagonal, order[..., None], -2), order[..., None, :], -1)
    with np.errstate(divide="ignore"):
        shares = _stationary(np.log(both))
    return np.take_along_axis(shares, np.argsort(order, -1), -1)


def _from_the_meeting_place(ways: Bool[np.ndarray, "... n n"]) -> Int[np.ndarray, "... n"]:
    """Return the states [..., n] in an order that begins with one to which all others lead.

    From any state then there are ways to those before it, however many states play leaves for good.
    """
    n = ways.shape[-1]
    leads = ways | np.eye(n, dtype=bool)
    for _ in range(n.bit_length()):
        leads = leads @ leads
    meets = leads.all(-2)
    if not meets.any(-1).all():
        raise ValueError("rates must lead from all states to some common one, or the shares are not unique")
    return np.argsort(np.where(np.arange(n) == meets.argmax(-1)[..., None], -1, np.arange(n)), -1)


def _stationary(log_rates: Matrices) -> Float[np.ndarray, "... n"]:
    """Eliminate the last state again and again, then go back; the diagonal is not read."""
    rate, n = np.array(log_rates), log_rates.shape[-1]
    for k in range(n - 1, 0, -1):
        leaving = logsumexp(rate[..., k, :k], axis=-1)
        rate[..., :k, k] -= leaving[..., None]
        through = rate[..., :k, k, None] + rate[..., k, None, :k]
        rate[..., :k, :k] = np.logaddexp(rate[..., :k, :k], through)
    shares = np.zeros((*rate.shape[:-2], 1))
    for k in range(1, n):
        entered = logsumexp(shares + rate[..., :k, k], axis=-1, keepdims=True)
        shares = np.concatenate([shares, entered], -1)
    return np.exp(shares - logsumexp(shares, axis=-1, keepdims=True))
