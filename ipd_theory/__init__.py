"""Exact analysis of learning-aware agents in the iterated prisoner's dilemma."""

from ipd_theory import games, returns, strategies, zero_determinant
from ipd_theory.equilibria import best_response
from ipd_theory.games import MatrixGame, prisoners_dilemma
from ipd_theory.learning.shaping import shaping_return
from ipd_theory.returns import advantages, expected_returns, return_gradient, state_occupancy, state_values
from ipd_theory.sampling import estimators

__all__ = [
    "MatrixGame",
    "advantages",
    "best_response",
    "estimators",
    "expected_returns",
    "games",
    "prisoners_dilemma",
    "return_gradient",
    "returns",
    "shaping_return",
    "state_occupancy",
    "state_values",
    "strategies",
    "zero_determinant",
]
