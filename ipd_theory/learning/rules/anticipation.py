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
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ipd_theory import _checks
from ipd_theory.learning.paths import last_learner, path_returns
from ipd_theory.learning.rules.base import Info, Number, OnSums, Problem, Published, Rule, ascent, checked_rules, number
from ipd_theory.learning.rules.gradients import naive
from ipd_theory.learning.views import View


def _lola_dice(view: View, x: Array, y: Array, num_look_aheads: int, step: Number) -> Array:
    def ahead(x: Array) -> Array:
        return view.own(x, last_learner(view, x, y, naive(), step, num_look_aheads))

    return jax.grad(ahead)(x)


def lola_dice(num_look_aheads: int, step: Number) -> Rule:
    """Return exact LOLA-DiCE: ascend one's return after the other's next naive steps (Foerster et al. 2018).

    Args:
        num_look_aheads: k steps of the other, differentiated through; 0 is the naive gradient.
        step: α, the assumed step of the other on its own return, 0 or more.
    """
    k = _checks.whole("num_look_aheads", num_look_aheads, 0)
    return ascent("lola_dice", _lola_dice, num_look_aheads=k, step=number("step", step)).for_many()


def _path_gradient(
    view: View,
    x: Array,
    y: Array,
    weights: Sequence[Number],
    step: Number,
    shaping_weight: Number | None,
    learner: Rule | None,
) -> Array:
    def along(x: Array) -> Array:
        returns = path_returns(view, x, y, learner or naive(), step, len(weights) - 1, shaping_weight)
        return returns @ jnp.asarray(weights, x.dtype)

    return jax.grad(along)(x)


def path_gradient(
    weights: tuple[Number, ...], step: Number, shaping_weight: Number | None = None, learner: Rule | None = None
) -> Rule:
    """Return the rule that ascends Σ w_m J_1(x, y_m(x)) along the path of the other's next steps.

    Args:
        weights: w_0 … w_M, one or more.
        step: α, the assumed step of the other, 0 or more.
        shaping_weight: λ on the part of the gradient that passes through the other's learning; None is λ = 1.
        learner: the other's rule; naive if None.
    """
    if not isinstance(weights, tuple | list) or not weights:
        raise ValueError(f"weights must be a tuple of one number or more; got {weights!r}")
    if learner is not None:
        checked_rules("learner", (learner,))
    numbers = {
        "weights": tuple(number(f"weights[{m}]", w, -math.inf) for m, w in enumerate(weights)),
        "step": number("step", step),
        "shaping_weight": _optional("shaping_weight", shaping_weight),
    }
    return ascent("path_gradient", _path_gradient, **numbers, learner=learner).for_many(learner is None)


def _optional(name: str, value: Number | None) -> Number | None:
    return None if value is None else number(name, value)


def _coala(
    view: View, x: Array, y: Array, num_inner_episodes: int, step: Number, shaping_weight: Number | None
) -> Array:
    return _path_gradient(view, x, y, even_weights(num_inner_episodes), step, shaping_weight, None)


def coala(num_inner_episodes: int, step: Number, shaping_weight: Number | None = None) -> Rule:
    """Return COALA: ascend the mean return over the other's next steps (Meulemans et al. 2025, section 3).

    Args:
        num_inner_episodes: M naive steps of the other, 0 or more, differentiated through.
        step: α, the assumed step of the other, 0 or more.
        shaping_weight: λ on the shaping part; 1/B is what the batch-unaware and M-FOS estimators follow on average.
    """
    M = _checks.whole("num_inner_episodes", num_inner_episodes, 0)
    numbers = {"step": number("step", step), "shaping_weight": _optional("shaping_weight", shaping_weight)}
    return ascent("coala", _coala, num_inner_episodes=M, **numbers).for_many()


def even_weights(num_inner_episodes: int) -> tuple[Number, ...]:
    """Return M + 1 weights of the mean."""
    _checks.whole("num_inner_episodes", num_inner_episodes, 0)
    return (1 / (num_inner_episodes + 1),) * (num_inner_episodes + 1)


def meta_value_weights(meta_discount: Number, num_steps: int) -> tuple[Number, ...]:
    """Return (1 − γ)γ^m for m < M and γ^M for the last: a discounted sum whose end stands for all that follows."""
    _checks.whole("num_steps", num_steps, 0)
    meta_discount = number("meta_discount", meta_discount, 0.0, 1.0)
    return _meta_value_weights(meta_discount, num_steps)


def _meta_value_weights(meta_discount: Number, num_steps: int) -> tuple[Number, ...]:
    return (*((1 - meta_discount) * meta_discount**m for m in range(num_steps)), meta_discount**num_steps)


def _meta_value(view: View, x: Array, y: Array, num_steps: int, step: Number, meta_discount: Number) -> Array:
    return _path_gradient(view, x, y, _meta_value_weights(meta_discount, num_steps), step, None, None)


def meta_value(num_steps: int, step: Number, meta_discount: Number) -> Rule:
    """Return the exact meta-value rule: ascend the discounted return over the other's future (Cooijmans et al. 2023).

    Args:
        num_steps: M steps of the other, 0 or more, before the future is taken to stand still.
        step: α, the assumed step of the other, 0 or more.
        meta_discount: γ of the sum over learning steps, in [0, 1].
    """
    M = _checks.whole("num_steps", num_steps, 0)
    numbers = {"step": number("step", step), "meta_discount": number("meta_discount", meta_discount, 0.0, 1.0)}
    return ascent("meta_value", _meta_value, num_steps=M, **numbers).for_many()


def hola_step(view: View, x: Array, y: Array, step: Number, order: int) -> Array:
    """Return the owner's h^n(x, y), n = `order`."""

    def anticipated(x: Array) -> Array:
        theirs = hola_step(view.swapped(), y, x, step, order - 1) if order > 0 else jnp.zeros_like(y)
        return view.own(x, y + theirs)

    return step * jax.grad(anticipated)(x)


def hola_residual(view: View, x: Array, y: Array, step: Number, order: int) -> Array:
    """Return ‖h^n − h^{n+1}‖∞ of the owner: how far HOLA-n is from being consistent at (x, y)."""
    return jnp.abs(hola_step(view, x, y, step, order) - hola_step(view, x, y, step, order + 1)).max()


def _hola(view: View, x: Array, y: Array, order: int, step: Number) -> Array:
    return hola_step(view, x, y, step, order) / step


def hola(order: int, step: Number) -> Rule:
    """Return HOLA-n, which assumes that the other uses HOLA-(n − 1) (Willi et al. 2022).

    Args:
        order: n; 0 is naive, 1 LOLA without truncation. Its cost grows about fourfold with each order.
        step: α > 0 of both players.
    """
    return ascent("hola", _hola, order=_checks.whole("order", order, 0), step=number("step", step, above=True))


def _polynomial(coefficients: tuple[Array, ...], d: Array) -> Array:
    """Return Σ_k c_k[d, …, d]/k!."""
    total, factorial = coefficients[0], 1.0
    for k, c in enumerate(coefficients[1:], 1):
        factorial *= k
        for _ in range(k):
            c = c @ d
        total = total + c / factorial
    return total


def _cola_map(view: View, x: Array, y: Array, step: Number, coefficients: tuple[Array, ...], d: Array) -> Array:
    """Return the image of the polynomial h under the consistency map, at the displacement d of (x, y)."""
    n = x.shape[0]

    def mine(u: Array) -> Array:
        return view.own(x + u, y + d[n:] + _polynomial(coefficients, jnp.concatenate([u, d[n:]]))[n:])

    def theirs(v: Array) -> Array:
        return view.other(x + d[:n] + _polynomial(coefficients, jnp.concatenate([d[:n], v]))[:n], y + v)

    return step * jnp.concatenate([jax.grad(mine)(d[:n]), jax.grad(theirs)(d[n:])])


def cola_solution(
    view: View, x: Array, y: Array, step: Number, order: int, tolerance: Number, max_iterations: int
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


def _cola(
    view: View, x: Array, y: Array, step: Number, order: int, tolerance: Number, max_iterations: int
) -> tuple[Array, Info]:
    coefficients, residual, _ = cola_solution(view, x, y, step, order, tolerance / 100, max_iterations)
    problem = jnp.where(residual <= tolerance, Problem.NONE, Problem.UNCONVERGED).astype(jnp.int32)
    return coefficients[0][: x.shape[0]] / step, Info(residual, problem)


def cola(step: Number, order: int = 1, tolerance: Number = 1e-6, max_iterations: int = 50) -> Rule:
    """Return COLA: both players' updates consistent with each other (Willi et al. 2022), with the residual reported.

    Args:
        step: α > 0 of both players.
        order: degree of the polynomial that h is locally, 0 or more; each degree costs about fourfold.
        tolerance: a residual above it is reported as unconverged.
        max_iterations: of the fixed-point iteration, 1 or more; it converges for small steps only.
    """
    numbers = {"step": number("step", step, above=True), "tolerance": number("tolerance", tolerance)}
    counts = {
        "order": _checks.whole("order", order, 0),
        "max_iterations": _checks.whole("max_iterations", max_iterations, 1),
    }
    return ascent("cola", _cola, **numbers, **counts)


BY_NAME = {
    "lola-dice": Published(lola_dice, (1, OnSums(0.3))),
    "hola": Published(hola, (2, OnSums(1.0))),
    "coala": Published(coala, (20, 5.0)),
    "meta-value": Published(meta_value, (10, OnSums(1.0), 0.95)),
    "cola": Published(cola, (OnSums(0.03),)),
}
