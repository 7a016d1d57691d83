r"""POLA: look-ahead in the space of policies instead of their parameters (Zhao et al. 2022).

Against the other's parameters y the owner moves from x to

    x* = argmax_{x'} J_1(x', y*(x')) − β_out KL(π_x ‖ π_{x'}),
    y*(x') = argmax_{y'} J_2(x', y') − β_in KL(π_y ‖ π_{y'}),

KL the mean over contexts. Both problems are solved by BFGS, and y* is then taken to rounding by Newton steps: what is
left in y* would be noise in the outer problem. dy*/dx' follows from the implicit function theorem at y*, not from the
solvers' steps. The direction is x* − x: a step of size 1 is POLA's. Where payoffs are so large that second derivatives
overflow, the linear solve behind that theorem raises instead of reporting.
"""

from typing import Any

import jax
import jax.numpy as jnp
import lineax
import optimistix
from jaxtyping import Array

from ipd_theory import _checks
from ipd_theory._engine import symmetric_pseudo_solve
from ipd_theory.learning.rules.base import Info, Number, Problem, Published, Rule, ascent, number
from ipd_theory.learning.views import View

# A Newton step doubles the digits: from BFGS's eight, two reach rounding, and two are to spare.
POLISH = 4


def bernoulli_kl(old: Array, new: Array) -> Array:
    """Return the mean over contexts of KL(σ(old) ‖ σ(new)) between cooperation probabilities given as logits."""
    p = jax.nn.sigmoid(old)
    log_ratio = jax.nn.log_sigmoid(old) - jax.nn.log_sigmoid(new)
    log_other_ratio = jax.nn.log_sigmoid(-old) - jax.nn.log_sigmoid(-new)
    return (p * log_ratio + (1 - p) * log_other_ratio).mean()


class PseudoInverse(lineax.AbstractLinearSolver[Array]):  # type: ignore[misc]  # lineax is not annotated
    """Solves with the pseudo-inverse of a small symmetric matrix, without LAPACK."""

    def init(self, operator: lineax.AbstractLinearOperator, options: dict[str, Any]) -> Array:
        """Return the matrix."""
        return operator.as_matrix()

    def compute(
        self, state: Array, vector: Array, options: dict[str, Any]
    ) -> tuple[Array, lineax.RESULTS, dict[str, Any]]:
        """Return the solution, with lineax's marks."""
        return symmetric_pseudo_solve(state, vector), lineax.RESULTS.successful, {}

    def transpose(self, state: Array, options: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
        """Return the matrix, which is its own transpose."""
        return state, options

    def conj(self, state: Array, options: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
        """Return the matrix, which is real."""
        return state, options

    def assume_full_rank(self) -> bool:
        """Return False: what is left out may be in no solution."""
        return False


def _pola(
    view: View, x: Array, y: Array, beta_out: Number, beta_in: Number, tolerance: Number, max_steps: int
) -> tuple[Array, Info]:
    # The penalty has no curvature in a context where the other's policy is saturated: a pseudo-inverse leaves it out.
    implicitly = optimistix.ImplicitAdjoint(PseudoInverse())
    aim: Any = tolerance / 100
    solver: optimistix.BFGS[Any, Any, Any] = optimistix.BFGS(rtol=aim, atol=aim)
    finest = 100 * float(jnp.finfo(x.dtype).eps)
    newton: optimistix.Newton[Any, Any, Any] = optimistix.Newton(finest, finest, linear_solver=PseudoInverse())

    # What the losses read is passed to them: nothing traced may be closed over where a solver is differentiated.
    def their_loss(new: Array, args: tuple[View, Array, Array, Array]) -> Array:
        view, x, y, beta_in = args
        return beta_in * bernoulli_kl(y, new) - view.other(x, new)

    def answer(view: View, x: Array, y: Array, beta_in: Array) -> Array:
        args = (view, x, y, beta_in)
        near = optimistix.minimise(
            their_loss, solver, y, jax.lax.stop_gradient(args), max_steps=max_steps, throw=False
        ).value
        return optimistix.root_find(
            jax.grad(their_loss), newton, near, args, max_steps=POLISH, throw=False, adjoint=implicitly
        ).value

    def my_loss(new: Array, args: tuple[View, Array, Array, Array, Array]) -> Array:
        view, x, y, beta_in, beta_out = args
        return beta_out * bernoulli_kl(x, new) - view.own(new, answer(view, new, y, beta_in))

    betas = jnp.asarray(beta_in, x.dtype), jnp.asarray(beta_out, x.dtype)
    args = (view, x, y, *betas)
    new = optimistix.minimise(my_loss, solver, x, args, max_steps=max_steps, throw=False).value
    mine = jnp.abs(jax.grad(my_loss)(new, args)).max()
    theirs = jnp.abs(jax.grad(their_loss)(answer(view, new, y, betas[0]), (view, new, y, betas[0]))).max()
    residual = jnp.maximum(mine, theirs)
    problem = jnp.where(residual <= tolerance, Problem.NONE, Problem.UNCONVERGED).astype(jnp.int32)
    return new - x, Info(jnp.where(jnp.isfinite(residual), residual, jnp.inf), problem)


def pola(beta_out: Number, beta_in: Number, tolerance: Number = 1e-6, max_steps: int = 100) -> Rule:
    """Return POLA with both proximal problems solved to a tolerance; the residual is the larger gradient left.

    Args:
        beta_out: weight of the owner's own KL penalty, 0 or more.
        beta_in: weight of the penalty in the other's anticipated answer, 0 or more.
        tolerance: on the largest entry of the gradients of both problems; the solvers aim a hundred times lower.
        max_steps: of either solver, 1 or more.
    """
    numbers = {"beta_out": number("beta_out", beta_out), "beta_in": number("beta_in", beta_in)}
    numbers |= {"tolerance": number("tolerance", tolerance)}
    return ascent("pola", _pola, **numbers, max_steps=_checks.whole("max_steps", max_steps, 1))


BY_NAME = {"pola": Published(pola, (1.0, 1.0))}
