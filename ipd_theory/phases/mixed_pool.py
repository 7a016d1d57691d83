r"""A mixed pool of two agents as a field of which `continuation` finds the fixed points as p_naive varies.

Two agents φ_1, φ_2 (logits) ascend what `learning.pool` describes, against a fixed, evenly spread population of naive
learners, with weight decay κ:

    dφ_1/dt = F(φ_1, φ_2; p) = p ∇J̄(φ_1) + (1 − p) ∂_1 J(φ_1, φ_2) − κφ_1,      and its mirror.

Without decay, good policies lie at infinite logits, and contexts that are never visited leave whole continua of fixed
points. Decay, which the paper's optimizer applies too, pulls the first back to probabilities of about κ|φ|/|∇| and
picks one point of the second, φ_s = 0. Every fixed point is then finite and, in general, isolated.

Agents that are alike stay alike. On φ_1 = φ_2 = φ, with A = ∂F/∂φ_1 and B = ∂F/∂φ_2, the pool's Jacobian has the
eigenvalues of A + B (the agents change together) and of A − B (they part); it is stable iff all real parts are below 0.
F comes from exact gradients; its Jacobian from their central differences, with an error of the order of 1e-8.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float

from ipd_theory import _checks
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame, prisoners_dilemma
from ipd_theory.learning.naive_path import naive_shaping_return
from ipd_theory.phases.continuation import Linearized
from ipd_theory.returns import return_gradient, stopping_rate

DIFFERENCE = 1e-4  # the step of central differences, in logits


def _learners(learners: Any) -> Array:
    try:
        return _checks.to_float(learners)
    except (TypeError, ValueError) as error:
        raise ValueError(f"learners: {error}") from None


class MixedPool(eqx.Module):
    """A pool of two agents and a fixed population of naive learners.

    Args:
        learners: [n, 5] logits of the naive learners before their first step, e.g. `sobol_learners(6)`.
        discount: γ in [0, 1].
        learning_rate: the learners' step η.
        num_inner_episodes: M.
        weight_decay: κ > 0, per unit of the objective.
        game: the stage game.

    Raises:
        ValueError: if a setting is out of range.
    """

    learners: Float[Array, "n 5"] = eqx.field(converter=_learners)
    discount: float = 0.95
    learning_rate: float = 5.0
    num_inner_episodes: int = eqx.field(static=True, default=20)
    weight_decay: float = 1e-3
    game: MatrixGame = eqx.field(default_factory=prisoners_dilemma)

    def __check_init__(self) -> None:
        if self.learners.ndim != 2 or self.learners.shape[1] != 5 or not len(self.learners):
            raise ValueError(f"learners has shape {self.learners.shape}; it must be [n, 5] with one learner or more")
        _checks.finite("learners", self.learners)
        for name, value in (("weight_decay", self.weight_decay), ("learning_rate", self.learning_rate)):
            _checks.number(name, value, 0, open_low=True)
        _checks.number("discount", self.discount, 0, 1)
        _checks.whole("num_inner_episodes", self.num_inner_episodes, 0)
        _checks.instance("game", self.game, MatrixGame)
        stopping_rate(self.discount, self.learners.dtype)

    def linearized(self, logits: np.ndarray, p_naive: float) -> Linearized:
        """Return F, its Jacobian and the pool's spectrum where both agents have these logits [5]."""
        steps = DIFFERENCE * np.concatenate([np.eye(5), -np.eye(5)])
        moved = np.concatenate([logits[None], logits + steps])
        naive = np.asarray(_naive_gradient(self, jnp.asarray(moved)))
        meta = self._meta_gradient(moved, logits)
        meta_other = self._meta_gradient(logits, moved)

        def jacobian(gradients: np.ndarray) -> np.ndarray:
            difference: np.ndarray = (gradients[1:6] - gradients[6:]).T / (2 * DIFFERENCE)
            return difference

        own = p_naive * jacobian(naive) + (1 - p_naive) * jacobian(meta) - self.weight_decay * np.eye(5)
        other = (1 - p_naive) * jacobian(meta_other)
        spectrum = np.concatenate([np.linalg.eigvals(own + other), np.linalg.eigvals(own - other)])
        return Linearized(
            p_naive * naive[0] + (1 - p_naive) * meta[0] - self.weight_decay * logits,
            own + other,
            naive[0] - meta[0],
            spectrum.astype(complex),
        )

    def _meta_gradient(self, logits: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return ∂_1 J [..., 5] in logits."""
        p, q = (scipy.special.expit(x) for x in (logits, other))
        gradient: np.ndarray = p * (1 - p) * np.asarray(return_gradient(self.game, p, q, discount=self.discount))
        return gradient


@compiled()
def _naive_gradient(pool: MixedPool, logits: Array) -> Array:
    """Return ∇J̄ at each of several logits [k, 5]."""
    wide = (logits.shape[0], *pool.learners.shape)
    first = jnp.broadcast_to(pool.learners, wide).reshape(-1, 5)
    payoffs = pool.game.outcome_payoffs.astype(logits.dtype)
    delta, rate = stopping_rate(pool.discount, logits.dtype), jnp.asarray(pool.learning_rate, logits.dtype)

    def total(x: Array) -> Array:
        ego = jnp.broadcast_to(x[:, None], wide).reshape(-1, 5)
        earned = naive_shaping_return(ego, first, payoffs, delta, rate, pool.num_inner_episodes)
        return earned.sum() / pool.learners.shape[0]

    return jax.grad(total)(logits)
