r"""Rules that look further ahead than one step, or past the first order in the step.

LOLA-DiCE with k look-aheads ascends J_1(x, y_k(x)), y_k after k naive steps of the other; COALA ascends the mean
of J_1 over y_0 … y_M, and Meta-Value Learning its discounted sum. HOLA-n iterates LOLA: from h^{-1} = 0,

    h_1^n(x, y) = α ∇_x [J_1(x, y + h_2^{n−1}(x, y))]           (h^0 is the naive step, h^1 LOLA-DiCE with one),

and COLA is the fixed point h of that map of *functions*. COLA is solved here in Taylor coefficients: h near
(x, y) is a polynomial of degree k in the displacement d; the map sends it to the first k + 1 coefficients of its
image, until they stand still. Its residual is measured where the truncation shows: the largest mismatch
|h(d) − image(d)| at d = 0 and at d = ±h(0), the points where the update leads.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ipd_theory.learning.rules.base import Info, Problem, Rule, solving, stateless
from ipd_theory.learning.rules.gradients import naive
from ipd_theory.learning.rules.paths import last_learner, path_returns


@functools.cache
def lola_dice(num_look_aheads: int, step: float) -> Rule:
    """Return exact LOLA-DiCE: ascend one's return after the other's next naive steps (Foerster et al. 2018).

    Args:
        num_look_aheads: k steps of the other, differentiated through; 0 is the naive gradient.
        step: α, the assumed step of the other on its own return.
    """

    def ahead(x: Array, view: Any, y: Array) -> Array:
        return view.own(x, last_learner(view, x, y, naive(), step, num_look_aheads))

    return stateless(lambda view, x, y: jax.grad(ahead)(x, view, y))


@functools.cache
def path_gradient(
    weights: tuple[float, ...], step: float, shaping_weight: float | None = None, learner: Rule | None = None
) -> Rule:
    """Return the rule that ascends Σ w_m J_1(x, y_m(x)) along the path of the other's next steps.

    Args:
        weights: w_0 … w_M.
        step: α, the assumed step of the other.
        shaping_weight: λ on the part of the gradient that passes through the other's learning; None is λ = 1.
        learner: the other's rule; naive if None.
    """

    def along(x: Array, view: Any, y: Array) -> Array:
        returns = path_returns(view, x, y, learner or naive(), step, len(weights) - 1, shaping_weight)
        return returns @ jnp.asarray(weights, x.dtype)

    return stateless(lambda view, x, y: jax.grad(along)(x, view, y))


def coala(num_inner_episodes: int, step: float, shaping_weight: float | None = None) -> Rule:
    """Return COALA: ascend the mean return over the other's next steps (Meulemans et al. 2025, section 3).

    Args:
        num_inner_episodes: M naive steps of the other, differentiated through.
        step: α, the assumed step of the other.
        shaping_weight: λ on the shaping part; 1/B is what the batch-unaware and M-FOS estimators follow on average.
    """
    return path_gradient((1 / (num_inner_episodes + 1),) * (num_inner_episodes + 1), step, shaping_weight)


def meta_value_weights(meta_discount: float, num_steps: int) -> tuple[float, ...]:
    """Return (1 − γ)γ^m for m < M and γ^M for the last: a discounted sum whose end stands for all that follows."""
    return (*((1 - meta_discount) * meta_discount**m for m in range(num_steps)), meta_discount**num_steps)


def meta_value(num_steps: int, step: float, meta_discount: float) -> Rule:
    """Return the exact meta-value rule: ascend the discounted return over the other's future (Cooijmans et al. 2023).

    Args:
        num_steps: M steps of the other before the future is taken to stand still.
        step: α, the assumed step of the other.
        meta_discount: γ of the sum over learning steps.
    """
    return path_gradient(meta_value_weights(meta_discount, num_steps), step)


def hola_step(view: Any, x: Array, y: Array, step: float, order: int) -> Array:
    """Return the owner's h^n(x, y), n = `order`."""

    def anticipated(x: Array) -> Array:
        theirs = hola_step(view.swapped(), y, x, step, order - 1) if order > 0 else jnp.zeros_like(y)
        return view.own(x, y + theirs)

    return step * jax.grad(anticipated)(x)


def hola_residual(view: Any, x: Array, y: Array, step: float, order: int) -> Array:
    """Return ‖h^n − h^{n+1}‖∞ of the owner: how far HOLA-n is from being consistent at (x, y)."""
    return jnp.abs(hola_step(view, x, y, step, order) - hola_step(view, x, y, step, order + 1)).max()


@functools.cache
def hola(order: int, step: float) -> Rule:
    """Return HOLA-n, which assumes that the other uses HOLA-(n − 1) (Willi et al. 2022).

    Args:
        order: n; 0 is naive, 1 LOLA without truncation. Its cost grows about fourfold with each order.
        step: α of both players.
    """
    return stateless(lambda view, x, y: hola_step(view, x, y, step, order) / step)


def _polynomial(coefficients: tuple[Array, ...], d: Array) -> Array:
    """Return Σ_k c_k[d, …, d]/k!."""
    total, factorial = coefficients[0], 1.0
    for k, c in enumerate(coefficients[1:], 1):
        factorial *= k
        for _ in range(k):
            c = c @ d
        total = total + c / factorial
    return total


def _cola_map(view: Any, x: Array, y: Array, step: float, coefficients: tuple[Array, ...], d: Array) -> Array:
    """Return the image of the polynomial h under the consistency map, at the displacement d of (x, y)."""
    n = x.shape[0]

    def mine(u: Array) -> Array:
        return view.own(x + u, y + d[n:] + _polynomial(coefficients, jnp.concatenate([u, d[n:]]))[n:])

    def theirs(v: Array) -> Array:
        return view.other(x + d[:n] + _polynomial(coefficients, jnp.concatenate([d[:n], v]))[:n], y + v)

    return step * jnp.concatenate([jax.grad(mine)(d[:n]), jax.grad(theirs)(d[n:])])


def cola_solution(
    view: Any, x: Array, y: Array, step: float, order: int, tolerance: float, max_iterations: int
) -> tuple[tuple[Array, ...], Array, Array]:
    """Return the Taylor coefficients of COLA's h at (x, y) for both players, their residual and the iterations used.

    Args:
        view: the game from player 1's side.
        x: [n] player 1's parameters.
        y: [m] player 2's.
        step: α of both players.
        order: the degree k of the polynomial.
        tolerance: the iteration stops when no coefficient moves by more.
        max_iterations: it also stops here, or when it leaves the finite numbers.
    """
    size = x.shape[0] + y.shape[0]

    def image(coefficients: tuple[Array, ...]) -> tuple[Array, ...]:
        derivative: Callable[[Array], Array] = functools.partial(_cola_map, view, x, y, step, coefficients)
        new = []
        for _ in range(order + 1):
            new.append(derivative(jnp.zeros(size, x.dtype)))
            derivative = jax.jacfwd(derivative)
        return tuple(new)

    def onward(state: tuple[tuple[Array, ...], Array, Array]) -> Array:
        _, moved, i = state
        return (moved > tolerance) & jnp.isfinite(moved) & (i < max_iterations)

    def iterate(state: tuple[tuple[Array, ...], Array, Array]) -> tuple[tuple[Array, ...], Array, Array]:
        old, _, i = state
        new = image(old)
        moved = jnp.stack([jnp.abs(a - b).max() for a, b in zip(new, old, strict=True)]).max()
        return new, moved, i + 1

    zero = tuple(jnp.zeros((size,) * (k + 1), x.dtype) for k in range(order + 1))
    start = (zero, jnp.full((), jnp.finfo(x.dtype).max, x.dtype), jnp.array(0))
    coefficients, _, iterations = jax.lax.while_loop(onward, iterate, start)
    reach = coefficients[0]

    def mismatch(d: Array) -> Array:
        return jnp.abs(_polynomial(coefficients, d) - _cola_map(view, x, y, step, coefficients, d)).max()

    residual = jnp.stack([mismatch(s * reach) for s in (-1.0, 0.0, 1.0)]).max()
    return coefficients, jnp.where(jnp.isfinite(residual), residual, jnp.inf), iterations


@functools.cache
def cola(step: float, order: int = 1, tolerance: float = 1e-6, max_iterations: int = 50) -> Rule:
    """Return COLA: both players' updates consistent with each other (Willi et al. 2022), with the residual reported.

    Args:
        step: α of both players.
        order: degree of the polynomial that h is locally, 0 or more; each degree costs about fourfold.
        tolerance: a residual above it is reported as unconverged.
        max_iterations: of the fixed-point iteration; it converges for small steps only.
    """

    def field(view: Any, x: Array, y: Array) -> tuple[Array, Info]:
        coefficients, residual, _ = cola_solution(view, x, y, step, order, tolerance / 100, max_iterations)
        problem = jnp.where(residual <= tolerance, Problem.NONE, Problem.UNCONVERGED).astype(jnp.int32)
        return coefficients[0][: x.shape[0]] / step, Info(residual, problem)

    return solving(field)
