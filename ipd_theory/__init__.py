"""Exact analysis of learning-aware agents in the iterated prisoner's dilemma.

Names load what they need when they are first used, so that `import ipd_theory` itself costs nothing.
"""

from typing import TYPE_CHECKING

from ipd_theory._lazy import loading

if TYPE_CHECKING:
    from ipd_theory import adapters as adapters
    from ipd_theory import alternating as alternating
    from ipd_theory import automata as automata
    from ipd_theory import compilation_cache as compilation_cache
    from ipd_theory import equilibria as equilibria
    from ipd_theory import evolution as evolution
    from ipd_theory import fingerprints as fingerprints
    from ipd_theory import games as games
    from ipd_theory import inference as inference
    from ipd_theory import learning as learning
    from ipd_theory import partner_conditions as partner_conditions
    from ipd_theory import payoff_sets as payoff_sets
    from ipd_theory import phases as phases
    from ipd_theory import replies as replies
    from ipd_theory import returns as returns
    from ipd_theory import rl as rl
    from ipd_theory import sampling as sampling
    from ipd_theory import strategies as strategies
    from ipd_theory import symbolic as symbolic
    from ipd_theory import tournaments as tournaments
    from ipd_theory import zero_determinant as zero_determinant
    from ipd_theory.equilibria import best_response as best_response
    from ipd_theory.games import MatrixGame as MatrixGame
    from ipd_theory.games import prisoners_dilemma as prisoners_dilemma
    from ipd_theory.learning.shaping import shaping_return as shaping_return
    from ipd_theory.returns import advantages as advantages
    from ipd_theory.returns import expected_returns as expected_returns
    from ipd_theory.returns import return_gradient as return_gradient
    from ipd_theory.returns import state_occupancy as state_occupancy
    from ipd_theory.returns import state_values as state_values
    from ipd_theory.sampling import estimators as estimators
    from ipd_theory.tournaments import round_robin as round_robin

__version__ = "0.1.0"

_HOMES = {
    "MatrixGame": "games",
    "advantages": "returns",
    "best_response": "equilibria",
    "estimators": "sampling",
    "expected_returns": "returns",
    "prisoners_dilemma": "games",
    "return_gradient": "returns",
    "round_robin": "tournaments",
    "shaping_return": "learning.shaping",
    "state_occupancy": "returns",
    "state_values": "returns",
}
__getattr__, __dir__ = loading(__name__, _HOMES)
