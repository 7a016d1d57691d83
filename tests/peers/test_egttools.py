"""Fixation under pairwise comparison and rare mutation against EGTtools' analytical results."""

import numpy as np
import pytest

from ipd_theory import evolution

pytest.importorskip("egttools")


def peer(A: np.ndarray, population: int):
    """EGTtools' process of pairwise comparison (Fermi) in a population, and its game, which has to outlive it."""
    from egttools.analytical import PairwiseComparison
    from egttools.games import Matrix2PlayerGameHolder

    game = Matrix2PlayerGameHolder(len(A), np.ascontiguousarray(A))
    return PairwiseComparison(population, game), game


@pytest.mark.parametrize("population", [2, 10, 60])
def test_fixation_probabilities(population: int, rng: np.random.Generator) -> None:
    for _ in range(20):
        A, intensity = rng.normal(size=(2, 2)), rng.uniform(0, 2)
        found = evolution.fixation_probability(A, population, intensity, process="fermi")
        process, _game = peer(A, population)
        expected = process.calculate_fixation_probability(0, 1, intensity)
        # Sums above 10⁷ are cut there, so that what is smaller comes as 0.
        assert found == pytest.approx(expected, rel=1e-9) if expected else found < 1e-7


def test_stationary_shares_under_rare_mutation(rng: np.random.Generator) -> None:
    for strategies in (2, 3, 5):
        A = rng.normal(size=(strategies, strategies))
        process, _game = peer(A, 20)
        chain, _ = process.calculate_transition_and_fixation_matrix_sml(0.1)
        chain = np.asarray(chain)
        values, vectors = np.linalg.eig(chain.T)
        shares = np.real(vectors[:, np.argmin(np.abs(values - 1))])
        found = evolution.rare_mutation(A, 20, 0.1, process="fermi")
        np.testing.assert_allclose(found, shares / shares.sum(), rtol=1e-9)


@pytest.mark.parametrize("mutation", [1e-3, 0.1])
def test_counts_under_mutation(mutation: float, rng: np.random.Generator) -> None:
    """Transitions with mutation are EGTtools'; the stationary distribution, its chain's eigenvector."""
    from egttools.analytical import StochDynamics

    N, intensity = 15, 0.4
    for _ in range(5):
        A = rng.normal(size=(2, 2))
        theirs = StochDynamics(2, A, N, mu=mutation)
        up, down = evolution.transition_probabilities(A, N, intensity, mutation, process="fermi")
        for k in range(1, N):
            expected = theirs.prob_increase_decrease_with_mutation(k, 0, 1, intensity)
            np.testing.assert_allclose([up[k], down[k]], np.ravel(expected), rtol=1e-9)
        chain = np.diag(up[:-1], 1) + np.diag(down[1:], -1)
        chain += np.diag(1 - chain.sum(1))
        values, vectors = np.linalg.eig(chain.T)
        stationary = vectors[:, np.abs(values - 1).argmin()].real
        found = evolution.count_distribution(A, N, intensity, mutation, process="fermi")
        np.testing.assert_allclose(found, stationary / stationary.sum(), atol=1e-11)
