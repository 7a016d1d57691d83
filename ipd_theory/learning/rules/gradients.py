r"""Rules built from first and second derivatives at the present parameters.

With g_i = ∇_i J_i, g = (g_1, g_2), K its Jacobian and K_o the off-diagonal blocks of K (for losses ξ = −g, H = −K),
player 1's block of each direction is

    naive             g
    look-ahead        g + αK_o g                            =: g0          Zhang & Lesser 2010
    LOLA, published   g + αX,   X_1 = (∇_1∇_2 J_2)ᵀ ∇_2 J_1                 Foerster et al. 2018
    LOLA, with the look-ahead term    g0 + αX               (the gradient of J_1(x, y + α g_2), to first order in α)
    SOS               g0 + pαX                                            Letcher et al. 2019
    consensus         g − γKᵀg                                            Mescheder et al. 2017
    SGA               g − λAᵀg', A the antisymmetric part of H            Balduzzi et al. 2018
    CGD               (I − αK_o)^{-1} g                                   Schäfer & Anandkumar 2019
    extragradient     g(θ + αg)                                           Korpelevich 1976
    symplectic surgery   ½(g + KᵀK^{-1}g)                                 Mazumdar et al. 2019

Products of K with vectors are directional derivatives; no matrix is formed except where a system is solved.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ipd_theory._engine import small_solve
from ipd_theory.learning.rules.base import Info, Number, OnSums, Problem, Published, Rule, ascent, number
from ipd_theory.learning.views import View

Both = tuple[Array, Array]


def own_gradients(view: View, x: Array, y: Array) -> Both:
    """Return (g_1, g_2): each player's gradient of its own return."""
    return jax.grad(view.own, 0)(x, y), jax.grad(view.other, 1)(x, y)


def naive_field(view: View, x: Array, y: Array) -> Array:
    """Return the owner's block of g."""
    return jax.grad(view.own, 0)(x, y)


def look_ahead_field(view: View, x: Array, y: Array, step: Number) -> Array:
    """Return the owner's block of g0 = g + αK_o g."""
    g_x, g_y = own_gradients(view, x, y)
    _, turned = jax.jvp(lambda y: jax.grad(view.own, 0)(x, y), (y,), (g_y,))
    return g_x + step * turned


def shaping_field(view: View, x: Array, y: Array) -> Array:
    """Return the owner's block of X: how moving x turns the other's gradient towards the owner's good."""
    wish = jax.grad(view.own, 1)(x, y)
    # (∇_1∇_2 J_2)ᵀv is the derivative of ∇_1 J_2 along v in y: forward over reverse, several times cheaper.
    _, turned = jax.jvp(lambda y: jax.grad(view.other, 0)(x, y), (y,), (wish,))
    return turned


def _both(field: Callable[..., Array], view: View, x: Array, y: Array, *rest: Any) -> Array:
    """Return the blocks of both players, one after the other."""
    return jnp.concatenate([field(view, x, y, *rest), field(view.swapped(), y, x, *rest)])


def naive() -> Rule:
    """Return gradient ascent on one's own return, the other's parameters taken as fixed."""
    return ascent("naive", naive_field).for_many()


def look_ahead(step: Number) -> Rule:
    """Return look-ahead: the naive gradient where the other will be after its next step, not differentiated through.

    Args:
        step: α, the assumed step of the other on its own return, 0 or more.
    """
    return ascent("look_ahead", look_ahead_field, step=number("step", step)).for_many()


def _lola_as_published(view: View, x: Array, y: Array, step: Number) -> Array:
    return naive_field(view, x, y) + step * shaping_field(view, x, y)


def lola_as_published(step: Number) -> Rule:
    """Return LOLA as first published: the naive gradient plus the shaping term, g + αX (Foerster et al. 2018, eq. 4.4).

    Args:
        step: α, the assumed step of the other on its own return, 0 or more.
    """
    return ascent("lola_as_published", _lola_as_published, step=number("step", step)).for_many()


def _lola_with_look_ahead(view: View, x: Array, y: Array, step: Number) -> Array:
    return look_ahead_field(view, x, y, step) + step * shaping_field(view, x, y)


def lola_with_look_ahead(step: Number) -> Rule:
    """Return LOLA with the look-ahead term, g0 + αX: what the code of most later papers calls LOLA.

    Args:
        step: α, the assumed step of the other on its own return, 0 or more.
    """
    return ascent("lola_with_look_ahead", _lola_with_look_ahead, step=number("step", step)).for_many()


def _sos(
    view: View, x: Array, y: Array, step: Number, a: Number, b: Number, share: Number | None, looking_ahead: bool
) -> Array:
    g, X = jnp.concatenate(own_gradients(view, x, y)), _both(shaping_field, view, x, y)
    g0 = _both(look_ahead_field, view, x, y, step) if looking_ahead else g
    if share is not None:
        return (g0 + share * step * X)[: x.shape[0]]
    norm = jnp.sqrt(g @ g)
    along = step * (X @ g0)
    against = jnp.where(along < 0, along, -1.0)
    p_aligned = jnp.where(along >= 0, 1.0, jnp.minimum(1.0, -a * (g0 @ g0) / against))
    p = jnp.minimum(p_aligned, jnp.where(norm < b, norm**2, 1.0))
    return (g0 + p * step * X)[: x.shape[0]]


def sos(
    step: Number, a: Number = 0.5, b: Number = 0.1, share: Number | None = None, looking_ahead: bool = True
) -> Rule:
    """Return stable opponent shaping: look-ahead plus as much of the shaping term as is safe (Letcher et al. 2019).

    Args:
        step: α, the assumed step of the other on its own return, 0 or more.
        a: how far the shaping term may turn against look-ahead, 0 or more.
        b: below this gradient norm the shaping term fades, so that only fixed points of the game remain.
        share: p fixed by hand, 0 (look-ahead) to 1 (LOLA); chosen by the two criteria if None.
        looking_ahead: False takes the naive gradient g in place of g0 throughout: shares of LOLA as first published.
    """
    numbers = {"step": number("step", step), "a": number("a", a), "b": number("b", b)}
    fixed = None if share is None else number("share", share)
    return ascent("sos", _sos, **numbers, share=fixed, looking_ahead=bool(looking_ahead))


def _joint(view: View, x: Array, y: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Return θ = (x, y) in one vector and the function g of it."""
    n = x.shape[0]

    def g(theta: Array) -> Array:
        return jnp.concatenate(own_gradients(view, theta[:n], theta[n:]))

    return jnp.concatenate([x, y]), g


def _consensus(view: View, x: Array, y: Array, weight: Number) -> Array:
    theta, of = _joint(view, x, y)
    g, pull = jax.vjp(of, theta)
    return (g - weight * pull(g)[0])[: x.shape[0]]


def consensus(weight: Number = 1.0) -> Rule:
    """Return consensus optimisation, which also descends ½‖g‖² (Mescheder et al. 2017).

    Args:
        weight: γ of that second part, 0 or more.
    """
    return ascent("consensus", _consensus, weight=number("weight", weight))


def _sga(view: View, x: Array, y: Array, epsilon: Number) -> Array:
    theta, of = _joint(view, x, y)
    g, pull = jax.vjp(of, theta)
    _, turned = jax.jvp(of, (theta,), (g,))
    descent = pull(g)[0]  # Hᵀξ
    adjustment = (descent - turned) / 2  # Aᵀξ
    aligned = jnp.sign(-(g @ descent) * (adjustment @ descent) / theta.shape[0] + epsilon)
    return (g - aligned * adjustment)[: x.shape[0]]


def sga(epsilon: Number = 0.1) -> Rule:
    """Return symplectic gradient adjustment with aligned sign (Balduzzi et al. 2018).

    Args:
        epsilon: added to the alignment, so that the sign is positive where it vanishes; 0 or more.
    """
    return ascent("sga", _sga, epsilon=number("epsilon", epsilon))


def solve(matrix: Float[Array, "n n"], right: Float[Array, " n"], tolerance: Number) -> tuple[Array, Info]:
    """Return the solution of a small dense system, with its relative residual and whether it was singular."""
    solution = small_solve(matrix, right)
    size = jnp.linalg.norm(right) + jnp.finfo(right.dtype).tiny
    residual = jnp.linalg.norm(matrix @ solution - right) / size
    good = jnp.isfinite(residual) & (residual <= tolerance)
    problem = jnp.where(good, Problem.NONE, Problem.SINGULAR).astype(jnp.int32)
    return solution, Info(jnp.where(jnp.isfinite(residual), residual, jnp.inf), problem)


def _cgd(view: View, x: Array, y: Array, step: Number, tolerance: Number) -> tuple[Array, Info]:
    n = x.shape[0]
    theta, of = _joint(view, x, y)
    block = jnp.arange(theta.shape[0]) < n
    K_o = jnp.where(block[:, None] != block[None, :], jax.jacfwd(of)(theta), 0)
    solution, info = solve(jnp.eye(theta.shape[0], dtype=x.dtype) - step * K_o, of(theta), tolerance)
    return solution[:n], info


def cgd(step: Number, tolerance: Number = 1e-4) -> Rule:
    """Return competitive gradient descent: the Nash equilibrium of the local bilinear game (Schäfer & Anandkumar 2019).

    Args:
        step: α, both players' step, 0 or more.
        tolerance: largest relative residual of the linear system that does not count as singular.
    """
    return ascent("cgd", _cgd, step=number("step", step), tolerance=number("tolerance", tolerance))


def _extragradient(view: View, x: Array, y: Array, step: Number) -> Array:
    g_x, g_y = own_gradients(view, x, y)
    return naive_field(view, x + step * g_x, y + step * g_y)


def extragradient(step: Number) -> Rule:
    """Return extragradient: the naive gradient after both players' next naive step (Korpelevich 1976).

    Args:
        step: α, both players' step, 0 or more.
    """
    return ascent("extragradient", _extragradient, step=number("step", step))


def _symplectic_surgery(view: View, x: Array, y: Array, damping: Number, tolerance: Number) -> tuple[Array, Info]:
    theta, of = _joint(view, x, y)
    g, K = of(theta), jax.jacfwd(of)(theta)
    solution, info = solve(K, g, tolerance)
    damped = small_solve(K.T @ K + damping * jnp.eye(g.shape[0], dtype=g.dtype), K.T @ g)
    inverse = jnp.where(info.problem == Problem.NONE, solution, damped)
    return ((g + K.T @ inverse) / 2)[: x.shape[0]], info


def symplectic_surgery(damping: Number = 0.1, tolerance: Number = 1e-4) -> Rule:
    """Return local symplectic surgery, which cuts rotation out of the dynamics (Mazumdar et al. 2019).

    Args:
        damping: λ > 0 of the regularised inverse (KᵀK + λI)^{-1}Kᵀ that stands in where K is singular.
        tolerance: largest relative residual of the linear system that does not count as singular.
    """
    numbers = {"damping": number("damping", damping, above=True), "tolerance": number("tolerance", tolerance)}
    return ascent("symplectic_surgery", _symplectic_surgery, **numbers)


BY_NAME = {
    "naive": Published(naive),
    "look-ahead": Published(look_ahead, (OnSums(1.0),)),
    "lola-as-published": Published(lola_as_published, (OnSums(1.0),)),
    "lola": Published(lola_with_look_ahead, (OnSums(1.0),)),
    "sos": Published(sos, (OnSums(1.0), 0.5, 0.1)),
    "extragradient": Published(extragradient, (OnSums(1.0),)),
    "consensus": Published(consensus, (1.0,)),
    "sga": Published(sga, (0.1,)),
    "cgd": Published(cgd, (OnSums(1.0),)),
    "symplectic-surgery": Published(symplectic_surgery, (0.1,)),
}
