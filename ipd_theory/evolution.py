r"""Populations that imitate what pays: fixation of a mutant, and what evolution visits when mutants are rare.

In a population of N players of two strategies, 0 and 1, i of strategy 0 earn on average, themselves left out,

    π_0(i) = [(i − 1) a + (N − i) b] / (N − 1),    π_1(i) = [i c + (N − i − 1) d] / (N − 1),    A = [[a, b], [c, d]].

A step moves i by one, up with a chance T⁺(i), down with T⁻(i). One player of strategy 0 takes over with probability

    ρ = 1 / (1 + Σ_{k=1}^{N−1} Π_{i=1}^{k} T⁻(i) / T⁺(i)),

exactly. Two processes differ in that ratio: Moran has f_1(i) / f_0(i) with fitness f = 1 − w + w π, pairwise
comparison (Fermi) exp(β [π_1(i) − π_0(i)]).

Where mutants are so rare that one takes over or is gone before the next comes, the population is nearly always of one
strategy and jumps from j to i at rate ρ_ij / (n − 1), ρ_ij that of one i among j (Fudenberg & Imhof 2006). The
stationary shares of that chain are found by elimination without a subtraction, so that they keep their relative
accuracy where some fixation probabilities are 1e-100 of others.

Sources: Nowak, Sasaki, Taylor & Fudenberg 2004 (Moran process), Traulsen, Nowak & Pacheco 2006 (pairwise comparison).
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from ipd_theory._arguments import checked

Process = Literal["moran", "fermi"]
Payoffs = Float[np.ndarray, "n n"]


def _square(name: str, A: Payoffs, size: int | None = None) -> Float[np.ndarray, "n n"]:
    matrix = np.asarray(A, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] != (size or matrix.shape[0]):
        wanted = f"{size} by {size}" if size else "a square matrix"
        raise ValueError(f"{name} must be {wanted}; got the shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite; got {matrix}")
    return matrix


def _log_ratios(A: Payoffs, population: int, intensity: float, process: Process) -> Float[np.ndarray, " k"]:
    """Return log T⁻(i) / T⁺(i) for i = 1 … N − 1 of strategy 0."""
    N, i = population, np.arange(1, population)
    mine = ((i - 1) * A[0, 0] + (N - i) * A[0, 1]) / (N - 1)
    theirs = (i * A[1, 0] + (N - i - 1) * A[1, 1]) / (N - 1)
    if process == "fermi":
        return intensity * (theirs - mine)
    fitness = 1 - intensity + intensity * np.stack([mine, theirs])
    if not (fitness > 0).all():
        raise ValueError(
            f"intensity={intensity} makes a fitness 1 − w + w·payoff of {fitness.min()}; it must be above 0: "
            "lower the intensity, raise the payoffs, or take process='fermi'"
        )
    return np.log(fitness[1]) - np.log(fitness[0])


@checked
def fixation_probability(A: Payoffs, population: int, intensity: float, *, process: Process = "moran") -> float:
    """Return the probability that one player of strategy 0 takes over a population of strategy 1.

    Args:
        A: [2, 2] payoff of row against column.
        population: N, 2 or more.
        intensity: of selection: w in [0, 1] (Moran), or β ≥ 0 (Fermi); 0 is neutral, where the answer is 1/N.
        process: what the population does.

    Raises:
        ValueError: if an argument is out of range, or a fitness is not positive.
    """
    matrix = _square("A", A, 2)
    _check_population(population, intensity, process)
    products = np.cumsum(_log_ratios(matrix, population, intensity, process))
    return float(np.exp(-logsumexp(np.append(products, 0.0))))


def _check_population(population: int, intensity: float, process: Process) -> None:
    if population < 2:
        raise ValueError(f"population must be 2 or more; got {population}")
    most = 1.0 if process == "moran" else np.inf
    if not 0 <= intensity <= most:
        raise ValueError(f"intensity must lie in [0, {most:g}] for process={process!r}; got {intensity}")


@checked
def rare_mutation(
    A: Payoffs, population: int, intensity: float, *, process: Process = "moran"
) -> Float[np.ndarray, " n"]:
    """Return the stationary shares [n] of time that the population spends in each strategy, mutants being rare.

    Args:
        A: [n, n] payoff of row against column.
        population, intensity, process: as for `fixation_probability`.

    Raises:
        ValueError: as `fixation_probability`.
    """
    matrix = _square("A", A)
    _check_population(population, intensity, process)
    n = len(matrix)
    rates = np.zeros((n, n))  # from row to column
    for j in range(n):
        for i in (i for i in range(n) if i != j):
            pair = matrix[np.ix_([i, j], [i, j])]
            rates[j, i] = fixation_probability(pair, population, intensity, process=process)
    return stationary(rates)


@checked
def stationary(rates: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " n"]:
    """Return the stationary distribution [n] of a chain that moves at these rates, by elimination (GTH).

    Args:
        rates: [n, n] from row to column, 0 or more; the diagonal is not read.

    Raises:
        ValueError: if rates are negative or not finite, or some states cannot be left for the others.
    """
    rate = _square("rates", rates) * (1 - np.eye(len(rates)))
    if (rate < 0).any():
        raise ValueError(f"rates must be 0 or more; got {rate.min()}")
    n = len(rate)
    for k in range(n - 1, 0, -1):
        leaving = rate[k, :k].sum()
        if leaving == 0:
            raise ValueError(f"rates leave no way from state {k} to those before it; the shares are not unique")
        rate[:k, k] /= leaving
        rate[:k, :k] += np.outer(rate[:k, k], rate[k, :k])
    shares = np.ones(1)
    for k in range(1, n):
        shares = np.append(shares, shares @ rate[:k, k])
        shares /= shares.sum()
    return shares
