"""Exact analysis of learning-aware agents in the iterated prisoner's dilemma."""

from ipd_theory import games, returns, strategies
from ipd_theory.games import MatrixGame, prisoners_dilemma
from ipd_theory.returns import advantages, expected_returns, return_gradient, state_occupancy, state_values

__all__ = [
    "MatrixGame",
    "advantages",
    "expected_returns",
    "games",
    "prisoners_dilemma",
    "return_gradient",
    "returns",
    "state_occupancy",
    "state_values",
    "strategies",
]
