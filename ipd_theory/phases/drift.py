r"""When unconditional defection is unstable: the drift of a pool that always defects, and where its sign changes.

A meta agent whose five probabilities p are all 0 meets naive learners ψ and other such agents. Where p is moved to,
to first order, is told by the derivative of what the pool ascends (`learning.pool`) at p = 0, context by context,

    g = p_naive [g_current + λ g_shaping] + (1 − p_naive) g_meta,
    g_current = mean_m E_ψ ∂J¹(p, ψ_m)/∂p,    g_shaping = mean_m E_ψ ∂J¹/∂ψ_m · ∂ψ_m/∂p,    g_meta = ∂J¹(p, 0)/∂p,

with m = 0 … M and λ = 1/B for an estimator that ignores the batch of B trajectories. Logits move as p(1 − p) g, so
at p → 0 the sign of g decides and not its size.

Every intended action is flipped with probability ε, so the agent cooperates with probability ε whatever happened.
Against a player who does so, the other, with q_s after the agent's outcome s, cooperates at the rate

    c = (δ q_0 + γ b) / D,   D = 1 − γ(a − b),   a = ε q_CC + (1−ε) q_DC,   b = ε q_CD + (1−ε) q_DD,   δ = 1 − γ,

and outcomes are visited with v = (εc, ε(1−c), (1−ε)c, (1−ε)(1−c)). With Δ = ε(r_CC − r_CD) + (1−ε)(r_DC − r_DD), what
one more cooperation of the other is worth, the returns for payoffs r and their derivatives in the agent's table are

    J = ε r_CD + (1−ε) r_DD + cΔ,    w_s = r_s + γ q_s Δ/D,
    ∂J/∂p_s = ω_s v_s [q_s (w_CC − w_DC) + (1−q_s)(w_CD − w_DD)]      (ω_s v_s = δ at the start, ω_s = γ elsewhere).

The learner's path and u_m = ∂ψ_m/∂p follow ψ_{m+1} = ψ_m + η ∂J²/∂ψ, u_{m+1} = u_m + η (∂²J²/∂ψ∂p + ∂²J²/∂ψ² u_m).

At ε = 0 play visits DC and DD. Two meta agents visit DD alone: g_meta is δ(S − P) at the start, γ(S − P) after DD
and 0 after DC, so that there nothing depends on p_naive > 0. Cooperating after DC, "I defected, you cooperated",
rewards the learner's cooperation. With trembles meta agents do visit DC, at a cost of

    g_meta,DC = −(1 − 2ε) γ ε(1 − ε) [ε(T − R) + (1 − ε)(P − S)],

and the pool leaves defection only for p_naive above p*(ε) = −g_meta / (g_naive − g_meta) after DC.

Instability of defection is where an escape begins. It does not say where the escape ends.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.special import ndtri

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame
from ipd_theory.returns import stopping_rate

AFTER_DC = 3  # the context in which the agent has defected and the other cooperated

Parametrization = Callable[[Array], Array]


def from_logits(x: Array) -> Array:
    """Return cooperation probabilities of a learner whose parameters are logits."""
    return jax.nn.sigmoid(x)


def from_probabilities(x: Array) -> Array:
    """Return cooperation probabilities of a learner whose parameters are these probabilities."""
    return x


class Drift(NamedTuple):
    """Derivatives [..., 5] of what a pool ascends, at unconditional defection, in payoff units a step.

    `current` and `shaping` add up to the derivative of the return against naive learners, `among_meta` is that of
    the return against another agent that always defects.
    """

    current: Float[Array, "... 5"]
    shaping: Float[Array, "... 5"]
    among_meta: Float[Array, "... 5"]

    def against_naive(self, batch_size: ArrayLike = 1.0) -> Float[Array, "... 5"]:
        """Return g_current + g_shaping / B [..., 5] for batch sizes B [...]; 1 is the true gradient."""
        return self.current + self.shaping / _spread(batch_size, self.current)

    def of_pool(self, p_naive: ArrayLike, batch_size: ArrayLike = 1.0) -> Float[Array, "... 5"]:
        """Return g [..., 5] of a pool with weight p_naive [...] on the naive learners; axes broadcast."""
        weight = _spread(p_naive, self.current)
        return weight * self.against_naive(batch_size) + (1 - weight) * self.among_meta

    def critical_batch_size(self) -> Float[Array, "..."]:
        """Return the B [...] up to which shaping / B pays after DC; 0 where it pays for none, inf where for all."""
        current, shaping = self.current[..., AFTER_DC], self.shaping[..., AFTER_DC]
        ratio = -shaping / jnp.where(current < 0, current, -1)
        return jnp.where(current < 0, jnp.maximum(ratio, 0), jnp.inf)

    def critical_p_naive(self, batch_size: ArrayLike = 1.0) -> Float[Array, "..."]:
        """Return p* [...]: defection is unstable after DC for p_naive above it; inf where it is for no p_naive."""
        naive, meta = self.against_naive(batch_size)[..., AFTER_DC], self.among_meta[..., AFTER_DC]
        return jnp.where(naive > 0, -meta / jnp.where(naive > 0, naive - meta, 1), jnp.inf)


def _spread(x: ArrayLike, like: Array) -> Array:
    return jnp.asarray(x, like.dtype)[..., None]


@checked
def sobol_learners(log2_count: int, std: float = 1.0, seed: int = 0) -> Float[Array, "learners 5"]:
    """Return 2^k normal logits [2^k, 5] of naive learners, evenly spread (scrambled Sobol points).

    Args:
        log2_count: k.
        std: standard deviation of each logit.
        seed: of the scrambling.

    Raises:
        ValueError: if k or the standard deviation is negative.
    """
    _checks.whole("log2_count", log2_count, 0, 30)
    _checks.number("std", std, 0)
    _checks.whole("seed", seed, 0)
    from scipy.stats import qmc  # which takes half a second to load

    points = qmc.Sobol(5, rng=np.random.default_rng(seed)).random_base2(log2_count)
    return jnp.asarray(std * ndtri(np.clip(points, 1e-12, 1 - 1e-12)))


class _Play(NamedTuple):
    """The agent cooperates with probability `error` whatever happened; `payoffs` [4, …] are those of either player."""

    delta: Array
    error: Array

    def rate(self, q: Array) -> tuple[Array, Array]:
        """Return the other's rate of cooperation c and D; q [5, …] in the agent's order."""
        a = self.error * q[1] + (1 - self.error) * q[3]
        b = self.error * q[2] + (1 - self.error) * q[4]
        D = self.delta + (1 - self.delta) * (1 - a + b)
        return (self.delta * q[0] + (1 - self.delta) * b) / D, D

    def worth(self, payoffs: Array) -> Array:
        """Return Δ."""
        cc, cd, dc, dd = payoffs
        return self.error * (cc - cd) + (1 - self.error) * (dc - dd)

    def earned(self, payoffs: Array, q: Array) -> Array:
        """Return J."""
        return self.error * payoffs[1] + (1 - self.error) * payoffs[3] + self.rate(q)[0] * self.worth(payoffs)

    def gradient(self, payoffs: Array, q: Array) -> Array:
        """Return ∂J/∂p [5, …] in the probabilities that the agent intends."""
        c, D = self.rate(q)
        lasting = (1 - self.delta) * self.worth(payoffs) / D
        cc, cd, dc, dd = (r + lasting * x for r, x in zip(payoffs, q[1:], strict=True))
        gains = q * (cc - dc) + (1 - q) * (cd - dd)
        agent, other = (self.error, 1 - self.error), (c, 1 - c)
        visited = [(1 - self.delta) * x * y for x in agent for y in other]
        flip = 1 - 2 * self.error
        return flip * jnp.stack([self.delta * gains[0], *(v * g for v, g in zip(visited, gains[1:], strict=True))])


def _along_each(function: Callable[[Array], Array], x: Array, directions: Array) -> Array:
    """Return the derivatives of a function at x along each of several directions."""
    return jax.vmap(lambda direction: jax.jvp(function, (x,), (direction,))[1])(directions)


@compiled("table")
def _drift(
    payoffs: Array, learners: Array, delta: Array, rate: Array, error: Array, num_steps: Array, table: Parametrization
) -> Drift:
    """Return `defection_drift` of checked arrays that broadcast over [...], learners [..., n, 5]."""
    batch = jnp.broadcast_shapes(payoffs.shape[:-2], learners.shape[:-2], delta.shape, rate.shape, error.shape)
    wide = (*batch, learners.shape[-2])
    play, rate = _Play(delta[..., None], error[..., None]), rate[..., None]
    own, others = (jnp.stack([payoffs[..., i, j, None] for j in range(4)]) for i in range(2))
    first = jnp.stack([jnp.broadcast_to(learners[..., i], wide) for i in strategies.view(1, player=1)])
    basis = jnp.broadcast_to(jnp.eye(5, dtype=first.dtype).reshape(5, 5, *(1,) * len(wide)), (5, *first.shape))

    def played(x: Array) -> Array:
        return play.error + (1 - 2 * play.error) * table(x)

    def slope(payoffs: Array, x: Array) -> Array:
        return jax.grad(lambda y: play.earned(payoffs, played(y)).sum())(x)

    def step(_: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        x, u, *sums = after(state)
        turned = _along_each(lambda y: slope(others, y), x, u)
        mixed = jnp.swapaxes(_along_each(lambda y: play.gradient(others, played(y)), x, basis), 0, 1)
        return x + rate * slope(others, x), u + rate * (turned + mixed), *sums

    def after(state: tuple[Array, ...]) -> tuple[Array, ...]:
        x, u, current, shaping = state
        return x, u, current + play.gradient(own, played(x)), shaping + (slope(own, x) * u).sum(1)

    zero = jnp.zeros((5, *wide), first.dtype)
    state = (first, jnp.zeros((5, *first.shape), first.dtype), zero, zero)
    _, _, current, shaping = after(jax.lax.fori_loop(0, num_steps, step, state))
    among = play.gradient(own, jnp.broadcast_to(play.error, (5, *wide)))
    episodes = (num_steps + 1).astype(first.dtype)
    return Drift(*(jnp.moveaxis(x.mean(-1), 0, -1) for x in (current / episodes, shaping / episodes, among)))


@checked
def defection_drift(
    game: MatrixGame,
    learners: Float[ArrayLike, "... _"],
    *,
    discount: ArrayLike,
    learning_rate: ArrayLike,
    num_inner_episodes: int,
    tremble: ArrayLike = 0.0,
    table: Parametrization = from_logits,
) -> Drift:
    """Return the derivatives of a pool's objective in the five probabilities where all agents always defect.

    Args:
        game: the stage game, or a batch of them [...]; the agent is player 1.
        learners: [..., n, 5] the naive learners' first parameters, in their own view; results are means over n.
        discount: [...] γ in [0, 1].
        learning_rate: [...] the learners' step η on their normalised return.
        num_inner_episodes: M, their number of steps; M + 1 episodes are averaged.
        tremble: [...] ε in [0, 1/2], the probability with which any agent's intended action is flipped.
        table: how the learners' parameters make probabilities, `from_logits` or `from_probabilities`.

    Raises:
        ValueError: if a shape is wrong, a setting leaves its range, or M is not a whole number ≥ 0.

    Source: Meulemans et al., ICLR 2025, section 3 (the objective).
    """
    x = _checks.to_float(learners)
    _checks.last_axis("learners", x, (5,), "the contexts of memory one")
    if x.ndim < 2 or x.shape[-2] == 0:
        raise ValueError(f"learners has shape {x.shape}; it must be [..., n, 5] with one learner or more")
    _checks.whole("num_inner_episodes", num_inner_episodes, 0)
    _checks.two_players(game)
    x = _checks.finite("learners", x)
    rate = _checks.in_range("learning_rate", jnp.asarray(learning_rate, x.dtype), 0.0, float(jnp.finfo(x.dtype).max))
    error = _checks.in_range("tremble", jnp.asarray(tremble, x.dtype), 0.0, 0.5)
    payoffs, delta = game.outcome_payoffs.astype(x.dtype), stopping_rate(discount, x.dtype)
    return _drift(payoffs, x, delta, rate, error, jnp.asarray(num_inner_episodes, jnp.int32), table)
