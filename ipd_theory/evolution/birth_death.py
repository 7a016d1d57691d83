r"""Two strategies in a population of N that imitates what pays: a birth–death chain, solved exactly.

Of two strategies, 0 and 1, i players play 0. They earn on average, themselves left out,

    π_0(i) = [(i − 1) a + (N − i) b] / (N − 1),    π_1(i) = [i c + (N − i − 1) d] / (N − 1),    A = [[a, b], [c, d]].

A step moves i by one, up with probability T⁺(i), down with T⁻(i). Without mutation, one player of strategy 0 takes over
with probability

    ρ = 1 / (1 + Σ_{k=1}^{N−1} Π_{i=1}^{k} T⁻(i) / T⁺(i)),

exactly. Two processes are known here:

    Moran    a player chosen by fitness f = 1 − w + w π has a child, which takes the place of a player chosen evenly;
             T⁻ / T⁺ = f_1(i) / f_0(i). A child is of the other strategy with probability μ.
    Fermi    a player compares itself with another one and takes over its strategy with probability
             1 / (1 + exp(−β [π_other − π_own])); T⁻ / T⁺ = exp(β [π_1(i) − π_0(i)]). With probability μ it takes the
             other strategy whatever it pays instead. (Moran's process with fitness exp(wπ) has the same ρ.)

With μ > 0 the chain forgets where it began, and its stationary distribution over i = 0 … N is in detailed balance,
P(i + 1) / P(i) = T⁺(i) / T⁻(i + 1). Everything is a sum of products of positive numbers, taken in logarithms: no
subtraction, and no overflow for populations of any size.

Sources: Nowak, Sasaki, Taylor & Fudenberg 2004 (Moran process); Traulsen, Nowak & Pacheco 2006 (pairwise comparison).
"""

from typing import Literal

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy.special import log_expit, logsumexp

from ipd_theory import _checks
from ipd_theory._arguments import checked

Process = Literal["moran", "fermi"]
Numbers = Float[np.ndarray, "..."]


def square(name: str, A: Float[ArrayLike, "... _ _"], size: int | None = None) -> Float[np.ndarray, "... n n"]:
    """Return finite square matrices, having checked that they are."""
    matrix = np.asarray(A, float)
    if (
        matrix.ndim < 2
        or matrix.shape[-1] != matrix.shape[-2]
        or matrix.shape[-1] != (size or max(matrix.shape[-1], 1))
    ):
        wanted = f"{size} by {size}" if size else "a square matrix"
        raise ValueError(f"{name} must be {wanted}; got the shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite; got {matrix}")
    return matrix


def check_population(population: int, intensity: Float[ArrayLike, "..."], process: Process) -> Numbers:
    """Return the intensity as an array, having checked both."""
    _checks.whole("population", population, 2)
    most = 1.0 if process == "moran" else np.inf
    chosen = np.asarray(intensity, float)
    if not ((chosen >= 0) & (chosen <= most) & np.isfinite(chosen)).all():
        allowed = "lie in [0, 1]" if process == "moran" else "be finite, 0 or more,"
        raise ValueError(f"intensity must {allowed} for process={process!r}; got {intensity}")
    return chosen


def _payoffs(A: Float[np.ndarray, "... 2 2"], i: Float[np.ndarray, " k"], N: int) -> tuple[Numbers, Numbers]:
    """Return π_0 and π_1 [..., k] where i of N players are of strategy 0; 1 for a strategy that nobody plays.

    Whatever that is has no part in the process, if only it makes its fitness 1 − w + w π positive for every w.
    """
    a, b, c, d = (A[..., row, column, None] for row in (0, 1) for column in (0, 1))
    mine = ((i - 1) * a + (N - i) * b) / (N - 1)
    theirs = (i * c + (N - i - 1) * d) / (N - 1)
    return np.where(i == 0, 1.0, mine), np.where(i == N, 1.0, theirs)


def _fitness(payoffs: tuple[Numbers, Numbers], intensity: Numbers) -> tuple[Numbers, Numbers]:
    """Return both strategies' fitness 1 − w + w π, which is positive."""
    w = intensity[..., None]
    mine, theirs = (1 - w + w * payoff for payoff in payoffs)
    least = min(mine.min(), theirs.min())
    if not least > 0:
        raise ValueError(
            f"intensity={intensity} makes a fitness 1 − w + w·payoff of {least}; it must be above 0: "
            "lower the intensity, raise the payoffs, or take process='fermi'"
        )
    return mine, theirs


def _log_ratios(A: Float[np.ndarray, "... 2 2"], N: int, intensity: Numbers, process: Process) -> Numbers:
    """Return log T⁻(i) / T⁺(i) [..., N − 1] for i = 1 … N − 1 of strategy 0, without mutation."""
    mine, theirs = _payoffs(A, np.arange(1.0, N), N)
    if process == "fermi":
        return intensity[..., None] * (theirs - mine)
    fitness = _fitness((mine, theirs), intensity)
    return np.log(fitness[1]) - np.log(fitness[0])


@checked
def log_fixation_probability(
    A: Float[ArrayLike, "... _ _"], population: int, intensity: Float[ArrayLike, "..."], *, process: Process = "moran"
) -> Numbers:
    """Return the logarithm of `fixation_probability`, which may be as small as −10⁸ in a large population."""
    matrix = square("A", A, 2)
    beta = check_population(population, intensity, process)
    _checks.batch(A=matrix.shape[:-2], intensity=beta.shape)
    products = np.cumsum(_log_ratios(matrix, population, beta, process), -1)
    nothing = np.zeros((*products.shape[:-1], 1))
    return np.asarray(-logsumexp(np.concatenate([nothing, products], -1), axis=-1))


@checked
def fixation_probability(
    A: Float[ArrayLike, "... _ _"], population: int, intensity: Float[ArrayLike, "..."], *, process: Process = "moran"
) -> Numbers:
    """Return the probability [...] that one player of strategy 0 takes over a population of strategy 1.

    Args:
        A: [..., 2, 2] payoff of row against column.
        population: N, 2 or more.
        intensity: [...] of selection: w in [0, 1] (Moran), or β ≥ 0 (Fermi); 0 is neutral, where the answer is 1/N.
        process: what the population does.

    Raises:
        ValueError: if an argument is out of range, or a fitness is not positive.
    """
    return np.asarray(np.exp(log_fixation_probability(A, population, intensity, process=process)))


def _log_transitions(
    A: Float[np.ndarray, "... 2 2"], N: int, intensity: Numbers, mutation: Numbers, process: Process
) -> tuple[Numbers, Numbers]:
    """Return log T⁺(i) and log T⁻(i) [..., N + 1] for i = 0 … N, −∞ where there is no way."""
    i, mu = np.arange(N + 1.0), mutation[..., None]
    payoffs = _payoffs(A, i, N)
    with np.errstate(divide="ignore"):  # log 0 is −∞, which is meant
        dies = np.log((N - i) / N), np.log(i / N)  # one of strategy 1, of strategy 0
        if process == "fermi":
            ahead = intensity[..., None] * (payoffs[0] - payoffs[1])
            meets = np.log(i / (N - 1)), np.log((N - i) / (N - 1))
            up, down = (
                np.logaddexp(np.log1p(-mu) + met + log_expit(sign * ahead), np.log(mu))
                for met, sign in zip(meets, (1, -1), strict=True)
            )
        else:
            fitness = _fitness(payoffs, intensity)
            parents = i * fitness[0], (N - i) * fitness[1]
            up, down = (
                np.log((1 - mu) * same + mu * other) - np.log(same + other) for same, other in (parents, parents[::-1])
            )
    return dies[0] + up, dies[1] + down


@checked
def transition_probabilities(
    A: Float[ArrayLike, "... _ _"],
    population: int,
    intensity: Float[ArrayLike, "..."],
    mutation: Float[ArrayLike, "..."] = 0.0,
    *,
    process: Process = "moran",
) -> tuple[Numbers, Numbers]:
    """Return T⁺ and T⁻ [..., N + 1], the chances that strategy 0 gains and loses a player, for i = 0 … N of it.

    Args:
        A: [..., 2, 2] payoff of row against column.
        population: N, 2 or more.
        intensity: [...] of selection, as for `fixation_probability`.
        mutation: [...] μ in [0, 1].
        process: what the population does.

    Raises:
        ValueError: as `fixation_probability`.
    """
    matrix, beta, mu = _held(A, population, intensity, mutation, process)
    up, down = _log_transitions(matrix, population, beta, mu, process)
    return np.exp(up), np.exp(down)


def _held(
    A: Float[ArrayLike, "... _ _"],
    population: int,
    intensity: Float[ArrayLike, "..."],
    mutation: Float[ArrayLike, "..."],
    process: Process,
) -> tuple[Float[np.ndarray, "... 2 2"], Numbers, Numbers]:
    matrix, mu = square("A", A, 2), np.asarray(mutation, float)
    beta = check_population(population, intensity, process)
    if not ((mu >= 0) & (mu <= 1)).all():
        raise ValueError(f"mutation must lie in [0, 1]; got {mutation}")
    _checks.batch(A=matrix.shape[:-2], intensity=beta.shape, mutation=mu.shape)
    return matrix, beta, mu


@checked
def count_distribution(
    A: Float[ArrayLike, "... _ _"],
    population: int,
    intensity: Float[ArrayLike, "..."],
    mutation: Float[ArrayLike, "..."],
    *,
    process: Process = "moran",
) -> Numbers:
    """Return the stationary probabilities [..., N + 1] that i = 0 … N of N players are of strategy 0.

    Args:
        A: [..., 2, 2] payoff of row against column.
        population: N, 2 or more.
        intensity: [...] of selection, as for `fixation_probability`.
        mutation: [...] μ, above 0 and at most 1. As μ → 0 what is left is `rare_mutation`.
        process: what the population does.

    Raises:
        ValueError: as `fixation_probability`; without mutation the distribution is not unique.
    """
    matrix, beta, mu = _held(A, population, intensity, mutation, process)
    if not (mu > 0).all():
        raise ValueError(f"mutation must be above 0, or the distribution is not unique; got {mutation}")
    up, down = _log_transitions(matrix, population, beta, mu, process)
    grown = np.cumsum(up[..., :-1] - down[..., 1:], -1)
    weights = np.concatenate([np.zeros((*grown.shape[:-1], 1)), grown], -1)
    return np.exp(weights - logsumexp(weights, axis=-1, keepdims=True))
