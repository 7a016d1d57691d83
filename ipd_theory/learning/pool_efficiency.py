r"""How much of what could be gained from naive learners the agents of pools gain, for many pools at once.

The share is (J̄ − J̄_D)/(J̄* − J̄_D): what an agent earns along the learners' whole path, less what unconditional
defection earns, of what the best fixed policy earns beyond that. All three are exact, and of the same learners.

The best fixed policy is looked for as `bounds.fixed_policy` does, by ascent from the best of all pure policies and of
as many random ones, but in all pools and from all starts side by side: quasi-Newton ascent (BFGS) in the probabilities,
those at 0 or 1 that would leave held there. A step that does not improve is cut to a quarter; one that does is kept. An
agent of a pool plays a fixed policy, too, so that none earns more than the best there is.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory.learning.bounds import NEAREST, efficiency
from ipd_theory.learning.pool import Pool, against_naive
from ipd_theory.learning.views import checked_last_axes
from ipd_theory.returns import stopping_rate
from ipd_theory.strategies import all_pure, extend

ROUNDING = 64  # times a number's last digit: a smaller gain than this may be rounding, and counts as none
INSIDE = 0.02  # ascent begins so far from where probabilities end, where slopes are flat
LEAST = 1e-3  # where less than this share of BFGS's step improves, its Hessian is given up
FIRST = 0.1  # the length of a first step


class Shares(NamedTuple):
    """What agents [..., agents] earn of naive learners along their whole path, averages a step.

    Args:
        value: of each agent.
        defection: of unconditional defection.
        bound: of the best fixed policy that ascent found.
        policy: [..., agents, h] that policy's cooperation probabilities.
    """

    value: Float[Array, "*batch agents"]
    defection: Float[Array, "*batch agents"]
    bound: Float[Array, "*batch agents"]
    policy: Float[Array, "*batch agents h"]

    @property
    def efficiency(self) -> Float[np.ndarray, "*batch agents"]:
        """The share of what could be gained over defection; NaN where there is nothing to be gained."""
        value, least, most = (np.asarray(x) for x in (self.value, self.defection, self.bound))
        rounding = ROUNDING * np.finfo(most.dtype).eps * np.maximum(abs(least), abs(most))
        return efficiency(value, least, np.where(most - least > rounding, most, least))


@checked
def shares_of(
    pool: Pool,
    logits: Float[ArrayLike, "... agents h"],
    learners: Float[ArrayLike, "... _"],
    *,
    starts: int = 6,
    steps: int = 80,
    seed: int = 0,
) -> Shares:
    """Return what the agents of pools earn of naive learners, and what could be earned of the same.

    Args:
        pool: the settings, of one pool or of a batch; how its agents were trained does not matter.
        logits: [..., agents, h] of the agents, whose last batch axes are the pool's.
        learners: [n, 5] the learners' first logits, of standard deviation 1; each pool's are `learner_std` times these.
        starts: from how many policies is ascended, 2 or more.
        steps: of ascent.
        seed: of the random policies.

    Raises:
        ValueError: if the game is not for two, a shape is wrong, an entry is not finite or a number out of range.
    """
    _checks.two_players(pool.game)
    x = checked_last_axes("logits", jnp.asarray(logits, pool.p_naive.dtype), pool.num_agents, pool.contexts)
    y = _checks.finite("learners", jnp.asarray(learners, x.dtype))
    _checks.last_axis("learners", y, (5,), "the contexts of memory one")
    if y.ndim != 2 or not y.size:
        raise ValueError(f"learners must be [n, 5] with one or more; got shape {y.shape}")
    _checks.batch(logits=x.shape[:-2], pool=pool.batch_shape)
    number = _checks.whole("starts", starts, 2, 64)
    rng = np.random.default_rng(_checks.whole("seed", seed, 0))
    drawn = jnp.asarray(rng.beta(0.5, 0.5, (32, pool.contexts)), x.dtype)
    delta = stopping_rate(pool.discount, x.dtype)
    plain = dataclasses.replace(pool, shaping_weight=None)
    found = Shares(*_shares(plain, delta, x, y, drawn, starts=number, steps=_checks.whole("steps", steps, 0)))
    return found._replace(policy=jnp.broadcast_to(found.policy, (*found.value.shape, pool.contexts)))


@compiled("starts", "steps")
def _shares(
    pool: Pool, delta: Array, logits: Array, learners: Array, drawn: Array, starts: int, steps: int
) -> tuple[Array, ...]:
    roles = 2 if pool.roles else 1
    of_role = dataclasses.replace(pool, num_agents=roles, self_play=not pool.roles)
    each = pool.learner_std[..., None, None, None] * learners
    nearest = NEAREST * float(jnp.finfo(logits.dtype).eps)

    def earned(policies: Array) -> Array:
        inside = jnp.clip(policies, nearest, 1 - nearest)
        return against_naive(of_role, jax.scipy.special.logit(inside), each, delta)

    def everywhere(policy: Array) -> Array:
        return jnp.broadcast_to(policy, (*pool.batch_shape, roles, pool.contexts))

    pure = jnp.asarray(extend(all_pure(1), pool.memory), logits.dtype)
    first, values = [], []
    for some, number in ((pure, starts - starts // 2), (drawn, starts // 2)):
        worth = jnp.moveaxis(jax.lax.map(lambda policy: earned(everywhere(policy)), some), 0, -1)
        top, which = jax.lax.top_k(worth, number)
        first.append(jnp.moveaxis(some[which], -2, 0))
        values.append(jnp.moveaxis(top, -1, 0))
    begin, before = jnp.concatenate(first), jnp.concatenate(values)
    policies, after = ascended(earned, INSIDE + (1 - 2 * INSIDE) * begin, steps)
    policies, after = jnp.concatenate([begin, policies]), jnp.concatenate([before, after])
    policy = jnp.take_along_axis(policies, after.argmax(0)[None, ..., None], 0)[0]
    value = against_naive(pool, logits, each, delta)
    of_agent = np.arange(pool.num_agents) % roles
    earns = (earned(everywhere(jnp.zeros(pool.contexts, logits.dtype))), after.max(0))
    defection, bound = (jnp.broadcast_to(x[..., of_agent], value.shape) for x in earns)
    return value, defection, bound, policy[..., of_agent, :]


class _Climb(NamedTuple):
    """Where ascents [...] are: policies [..., h], values, slopes, BFGS's inverse Hessian [..., h, h], steps' length."""

    x: Array
    value: Array
    slope: Array
    inverse: Array
    length: Array


def _fresh(slope: Array) -> Array:
    size = jnp.maximum(jnp.linalg.norm(slope, axis=-1), jnp.finfo(slope.dtype).tiny ** 0.5)
    return FIRST / size[..., None, None] * jnp.eye(slope.shape[-1], dtype=slope.dtype)


def ascended(value: Callable[[Array], Array], first: Float[Array, "*batch h"], steps: int) -> tuple[Array, Array]:
    """Return where ascents in [0, 1]^h end, each on its own, and the values there; none ends below its start.

    Args:
        value: from points [..., h] to values [...], elementwise over the batch.
        first: [..., h] where they begin.
        steps: how many, each with one gradient.

    Source: Bertsekas 1982 (projected Newton methods), with the Hessian of BFGS.
    """

    def both(x: Array) -> tuple[Array, Array]:
        values, back = jax.vjp(value, x)
        return values, back(jnp.ones_like(values))[0]

    def step(at: _Climb, _: None) -> tuple[_Climb, None]:
        held = ((at.x <= 0) & (at.slope < 0)) | ((at.x >= 1) & (at.slope > 0))
        free = jnp.where(held, 0, 1).astype(at.x.dtype)
        direction = free * jnp.einsum("...ij,...j->...i", at.inverse, free * at.slope)
        x = jnp.clip(at.x + at.length[..., None] * direction, 0, 1)
        values, slope = both(x)
        better = values > at.value
        inverse = _bfgs(at.inverse, free * (x - at.x), free * (at.slope - slope), better)
        length = jnp.where(better, jnp.ones_like(at.length), at.length / 4)
        lost = length < LEAST
        slope = jnp.where(better[..., None], slope, at.slope)
        return _Climb(
            jnp.where(better[..., None], x, at.x),
            jnp.where(better, values, at.value),
            slope,
            jnp.where(lost[..., None, None], _fresh(slope) * FIRST, inverse),
            jnp.where(lost, jnp.ones_like(length), length),
        ), None

    values, slope = both(first)
    end, _ = jax.lax.scan(step, _Climb(first, values, slope, _fresh(slope), jnp.ones_like(values)), length=steps)
    return end.x, end.value


def _bfgs(inverse: Array, moved: Array, fell: Array, where: Array) -> Array:
    """Return the inverse Hessian after a step, from how far it moved and by how much slopes fell."""
    curved = (moved * fell).sum(-1)
    long = jnp.linalg.norm(moved, axis=-1) * jnp.linalg.norm(fell, axis=-1)
    fits = where & (curved > 1e-8 * long) & (curved > 0)
    ratio = (1 / jnp.where(fits, curved, 1))[..., None, None]
    turn = jnp.eye(moved.shape[-1], dtype=moved.dtype) - ratio * moved[..., :, None] * fell[..., None, :]
    updated = turn @ inverse @ jnp.swapaxes(turn, -1, -2) + ratio * moved[..., :, None] * moved[..., None, :]
    return jnp.where(fits[..., None, None], updated, inverse)
