r"""Pools of learning-aware agents, trained exactly on a mixture of naive learners and each other.

Agent i of a pool has the logits φ_i of a policy of memory one, two or three. In the paper's analytic setting it ascends

    p_naive · E_ψ[ J̄(φ_i, ψ) ]  +  (1 − p_naive) · mean_j J(φ_i, φ_j),

where J̄ is the return against a naive learner that starts at ψ and takes M gradient steps, differentiated through
those steps (`learning.shaping`), the expectation is over freshly drawn ψ, and the opponents φ_j of the second term
are held fixed: the other agents (other-play), or the agent's own copy (self-play). All agents step at once. In a game
for n players each of the other n − 1 seats is a naive learner's with probability p_naive, else another agent's: with
k agents, (n − 1 over k) p_naive^{n−1−k} (1 − p_naive)^k times the mean over all groups of k of them.

Source: Meulemans et al., ICLR 2025, section 3. The paper adds up the M + 1 episodes of J̄ where we average by
default, so its p_naive corresponds to a larger one here; `sum_episodes=True` is the paper's weighting.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, Int, Key

from ipd_theory import _checks
from ipd_theory._arguments import checked, hold_fields
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame, prisoners_dilemma
from ipd_theory.learning.encounters import among_agents, group_return, meetings
from ipd_theory.learning.group_path import group_path_returns
from ipd_theory.learning.naive_path import naive_path_returns, naive_shaping_return
from ipd_theory.learning.optimizers import Optimizer, checked_optimizer
from ipd_theory.learning.roles import against_copy, against_others, agents_payoffs, looks_the_same
from ipd_theory.learning.views import checked_last_axes
from ipd_theory.returns import hold_sums, stopping_rate
from ipd_theory.strategies import num_contexts


def _numbers(name: str) -> Callable[[Any], Array]:
    return functools.partial(_checks.to_float, name=name)


class Pool(eqx.Module):
    """The settings of one pool, or of a batch [...] of pools that differ in any setting with a batch.

    Args:
        p_naive: [...] weight of the naive learners in the objective, 0 to 1.
        discount: [...] γ of play within an inner episode, 0 to 1.
        learning_rate: [...] the naive learner's step η on its return.
        num_inner_episodes: M, how many steps a naive learner takes; where `inner_episodes` differ, the most.
        inner_episodes: [...] M of each pool, at most `num_inner_episodes`; equal to it if None.
        shaping_weight: [...] λ, a factor on the part of the gradient that passes through the learners' steps; what the
            batch-unaware and M-FOS estimators follow on average with a batch of 1/λ trajectories. 1 if None.
        tremble: [...] probability, 0 to ½, with which any agent's intended action is flipped; 0 if None.
        memory: of the agents, 1 to 3 outcomes; naive learners remember one.
        num_agents: meta agents in the pool, as many as the game's players or more.
        num_learners: naive learners drawn for each agent at each step.
        learner_std: [...] standard deviation of the naive learners' first logits.
        self_play: meta agents meet their own copy instead of the other agents.
        roles: every second agent is player 2 and meets players 1 alone, for games of two that differ from their sides.
        normalized: returns, those the learner ascends included, are averages a step; otherwise sums Σ γ^t r.
        sum_episodes: weight a naive learner by the sum over its M + 1 episodes instead of their mean.
        game: the stage game, or a batch of them [...]; for more than two players, symmetric.
        optimizer: carries each agent's step; default AdamW with rate 0.005, as in the paper.

    Raises:
        ValueError: if a setting is out of range, or there is no opponent (one agent without self-play).
    """

    p_naive: Float[Array, "..."] = eqx.field(converter=_numbers("p_naive"))
    discount: Float[ArrayLike, "..."] = 0.95
    learning_rate: Float[Array, "..."] = eqx.field(converter=_numbers("learning_rate"), default=5.0)
    num_inner_episodes: int = eqx.field(static=True, default=20)
    inner_episodes: Int[Array, "..."] | None = None
    shaping_weight: Float[Array, "..."] | None = None
    tremble: Float[Array, "..."] | None = None
    memory: int = eqx.field(static=True, default=1)
    num_agents: int = eqx.field(static=True, default=2)
    num_learners: int = eqx.field(static=True, default=16)
    learner_std: Float[Array, "..."] = eqx.field(converter=_numbers("learner_std"), default=1.0)
    self_play: bool = eqx.field(static=True, default=False)
    roles: bool = eqx.field(static=True, default=False)
    normalized: bool = eqx.field(static=True, default=True)
    sum_episodes: bool = eqx.field(static=True, default=False)
    game: MatrixGame = eqx.field(default_factory=prisoners_dilemma)
    optimizer: Optimizer = eqx.field(static=True, converter=checked_optimizer, default=optax.adamw(0.005))

    def __check_init__(self) -> None:
        hold_fields(self)
        for name, value, least in (
            ("num_inner_episodes", self.num_inner_episodes, 0),
            ("num_learners", self.num_learners, 1),
            ("num_agents", self.num_agents, 1 if self.self_play else self.game.num_players),
        ):
            if _checks.whole(name, value, 0) < least:
                raise ValueError(f"{name} must be {least} or more (self_play={self.self_play}); got {value}")
        _checks.whole("memory", self.memory, 1, 3)
        if self.self_play and self.roles:
            raise ValueError("self_play must be False with roles=True, where no agent has its copy for an opponent")
        if self.game.num_players > 2 and (self.roles or not looks_the_same(self.game)):
            raise ValueError("game must be for two players, or else symmetric and without roles")
        most = {"p_naive": 1.0, "tremble": 0.5}
        for name, bound in (most | dict.fromkeys(("learning_rate", "learner_std", "shaping_weight"), math.inf)).items():
            if (array := getattr(self, name)) is not None:
                held = _checks.in_range(name, _checks.finite(name, array), 0.0, bound)
                if isinstance(held, jax.core.Tracer):  # the check runs where its result is used
                    object.__setattr__(self, name, held)
        if self.inner_episodes is not None:
            _checks.in_range("inner_episodes", self.inner_episodes.astype(float), 0.0, float(self.num_inner_episodes))
        stopping_rate(self.discount, self.p_naive.dtype)
        hold_sums(self.discount, self.normalized)
        self.batch_shape  # noqa: B018 (raises where batch axes do not fit)

    @property
    def contexts(self) -> int:
        """How many probabilities an agent has, h."""
        return num_contexts(self.memory, self.game.num_players)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The batch axes of the settings together."""
        names = ("p_naive", "discount", "learning_rate", "learner_std", "inner_episodes", "shaping_weight", "tremble")
        shapes = {name: jnp.shape(x) for name in names if (x := getattr(self, name)) is not None}
        return _checks.batch(**shapes, game=self.game.batch_axes)


class PoolState(NamedTuple):
    """A pool in training: logits [..., agents, h], the optimizer's state and one key [...] a pool."""

    logits: Float[Array, "*batch agents h"]
    optimizer_state: optax.OptState
    key: Key[Array, "*batch"]


class PoolReturns(NamedTuple):
    """Exact returns of every agent [..., agents], averages a step.

    `against_naive` and `of_naive` are the agent's and the learner's return, averaged over the learners and
    over the M + 1 episodes; `among_meta` is the agent's mean return against the other agents, `self_play`
    against its own copy.
    """

    against_naive: Float[Array, "*batch agents"]
    of_naive: Float[Array, "*batch agents"]
    among_meta: Float[Array, "*batch agents"]
    self_play: Float[Array, "*batch agents"]


@checked
def init(pool: Pool, key: Key[Array, "*batch"], logits: Float[ArrayLike, "... agents h"] | None = None) -> PoolState:
    """Return the state before training.

    Args:
        pool: the settings.
        key: [...] a random key for each pool; the batch axes broadcast with those of the settings.
        logits: [..., agents, h] to start from; standard normal if not given.

    Raises:
        ValueError: if `logits` does not end in (agents, h), or is not finite.
    """
    batch = jnp.broadcast_shapes(key.shape, pool.batch_shape)
    agents, contexts, dtype = pool.num_agents, pool.contexts, pool.p_naive.dtype
    split = jax.vmap(jax.random.split)(key.reshape(-1))
    first, rest = (split[:, i].reshape(key.shape) for i in range(2))
    if logits is None:
        drawn = jax.vmap(lambda k: jax.random.normal(k, (agents, contexts), dtype))(first.reshape(-1))
        logits = drawn.reshape(*key.shape, agents, contexts)
    whole = checked_last_axes("logits", jnp.asarray(logits, dtype), agents, contexts)
    logits = jnp.broadcast_to(whole, (*batch, agents, contexts))
    optimizer_state = jax.vmap(pool.optimizer.init)(logits.reshape(-1, contexts))
    return PoolState(logits, optimizer_state, jnp.broadcast_to(rest, batch))


def _of_learners(pool: Pool) -> tuple[int, ...]:
    """Return the last axes of an agent's learners, who remember one outcome."""
    n = pool.game.num_players
    return (num_contexts(1),) if n == 2 else (n - 1, num_contexts(1, n))


@checked
def draw_learners(pool: Pool, key: Key[Array, "*batch"]) -> Float[Array, "... h"]:
    """Return fresh naive learners [..., agents, learners, 5] from a key [...]; among n [..., n − 1, 1 + 2^n]."""
    shape = (pool.num_agents, pool.num_learners, *_of_learners(pool))
    drawn = jax.vmap(lambda k: jax.random.normal(k, shape, pool.p_naive.dtype))(key.reshape(-1))
    return pool.learner_std.reshape(pool.learner_std.shape + (1,) * len(shape)) * drawn.reshape(*key.shape, *shape)


def _delta(pool: Pool, logits: Array) -> Array:  # outside of compiled code, where a float64 γ is still exact
    return stopping_rate(pool.discount, logits.dtype)


def _scale(pool: Pool, delta: Array) -> Array:
    return jnp.ones_like(delta) if pool.normalized else 1 / delta


def _with_learners(pool: Pool, logits: Array, delta: Array) -> dict[str, Any]:
    """Return what a path of naive learners needs of a pool, with axes for agents and learners after its batch's."""

    def spread(x: Array | None) -> Array | None:
        return None if x is None else x[..., None, None]

    return {
        "logits": logits[..., None, :],
        "payoffs": agents_payoffs(pool.game, pool.num_agents, pool.roles, logits.dtype)[..., None, :, :],
        "delta": spread(delta),
        "learning_rate": spread(pool.learning_rate * _scale(pool, delta)),
        "num_inner_episodes": pool.num_inner_episodes,
        "steps_taken": spread(pool.inner_episodes),
        "tremble": spread(pool.tremble),
    }


def _terms(pool: Pool, logits: Array, opponents: Array, learner_logits: Array, delta: Array) -> list[Array]:
    """Return what each agent earns [..., agents] with 0, 1, …, n − 1 agents in the other seats of its group."""
    settings = _with_learners(pool, logits, delta)
    weight = None if pool.shaping_weight is None else pool.shaping_weight[..., None, None]
    if pool.game.num_players > 2:
        seated = (logits, opponents, learner_logits, pool.self_play, weight, settings)
        return [group_return(k, *seated) for k in range(pool.game.num_players)]
    met = meetings(logits, opponents, settings)
    among = against_copy(met) if pool.self_play else against_others(met, pool.roles)
    return [against_naive(pool, logits, learner_logits, delta), among]


def against_naive(pool: Pool, logits: Array, learner_logits: Array, delta: Array) -> Array:
    """Return J̄ [..., agents] in a game for two, the mean over the agent's learners."""
    weight = None if pool.shaping_weight is None else pool.shaping_weight[..., None, None]
    settings = _with_learners(pool, logits, delta) | {"shaping_weight": weight}
    return naive_shaping_return(learner_logits=learner_logits, **settings).mean(-1)


def objective(
    pool: Pool, delta: Array, logits: Array, opponents: Array, learner_logits: Array
) -> Float[Array, "*batch agents"]:
    """Return what each agent ascends [..., agents].

    Args:
        pool: the settings.
        delta: [...] stopping rates 1 − γ.
        logits: [..., agents, h].
        opponents: [..., agents, h], the same logits held fixed.
        learner_logits: [..., agents, learners, 5], each agent's naive learners, as drawn.
    """
    scale, weight = _scale(pool, delta)[..., None], pool.p_naive[..., None]
    *naive, meta = (x * scale for x in _terms(pool, logits, opponents, learner_logits, delta))
    if pool.sum_episodes:
        steps = pool.num_inner_episodes if pool.inner_episodes is None else pool.inner_episodes[..., None]
        naive = [x * jnp.asarray(steps + 1, x.dtype) for x in naive]
    seats = len(naive)  # beside the agent's own, each a naive learner's with probability p_naive
    shares = [math.comb(seats, k) * weight ** (seats - k) * (1 - weight) ** k for k in range(seats)]
    return sum((share * x for share, x in zip(shares, naive, strict=True)), (1 - weight) ** seats * meta)


@checked
def update(pool: Pool, state: PoolState) -> PoolState:
    """Take one step with every agent of every pool."""
    checked_last_axes("logits of state", state.logits, pool.num_agents, pool.contexts)
    return advance(pool, _delta(pool, state.logits), state, 1)


def _update(pool: Pool, delta: Array, state: PoolState) -> PoolState:
    split = jax.vmap(jax.random.split)(state.key.reshape(-1))
    draw, rest = (split[:, i].reshape(state.key.shape) for i in range(2))
    learner_logits = draw_learners(pool, draw)

    def loss(logits: Array) -> Array:
        return -objective(pool, delta, logits, state.logits, learner_logits).sum()

    gradient, flat = (x.reshape(-1, pool.contexts) for x in (jax.grad(loss)(state.logits), state.logits))
    with jax.numpy_dtype_promotion("standard"):  # optax mixes dtypes, whatever the caller's setting
        step, optimizer_state = jax.vmap(pool.optimizer.update)(gradient, state.optimizer_state, flat)
    return PoolState(optax.apply_updates(flat, step).reshape(state.logits.shape), optimizer_state, rest)


@checked
def evaluate(pool: Pool, logits: Float[Array, "*batch agents h"], key: Key[Array, "*batch"]) -> PoolReturns:
    """Return exact returns of every agent against freshly drawn naive learners, the other agents and itself.

    Args:
        pool: the settings.
        logits: [..., agents, h].
        key: [...] for drawing the learners.

    Raises:
        ValueError: if `logits` does not end in (agents, h), or is not finite.
    """
    logits = checked_last_axes("logits", logits, pool.num_agents, pool.contexts)
    _checks.batch(logits=logits.shape[:-2], key=key.shape, pool=pool.batch_shape)
    return _evaluate(pool, _delta(pool, logits), logits, key)


@compiled()
def _evaluate(pool: Pool, delta: Array, logits: Array, key: Array) -> PoolReturns:
    path = episode_mean(pool, path_of_learners(pool, delta, logits, draw_learners(pool, key))).mean(-2)
    among, copies = among_agents(logits, pool.roles, _with_learners(pool, logits, delta))
    return PoolReturns(path[..., 0], path[..., 1:].mean(-1), among, copies)


def episode_mean(
    pool: Pool, path: Float[Array, "episodes *batch agents learners players"]
) -> Float[Array, "*batch agents learners players"]:
    """Return the mean over each pool's M + 1 episodes of what `naive_path` returned."""
    if pool.inner_episodes is None:
        return path.mean(0)
    M = jnp.broadcast_to(pool.inner_episodes, path.shape[1:-3])[..., None, None, None]
    episode = jnp.arange(len(path), dtype=M.dtype).reshape(-1, *(1,) * M.ndim)
    return jnp.where(episode <= M, path, jnp.zeros_like(path)).sum(0) / (M + 1).astype(path.dtype)


@checked
def naive_path(
    pool: Pool, logits: Float[Array, "*batch agents h"], learner_logits: Float[Array, "..."]
) -> Float[Array, "episodes *batch agents learners players"]:
    """Return all players' exact returns in each episode while naive learners learn against fixed agents.

    Args:
        pool: the settings; a learner takes `num_inner_episodes` steps.
        logits: [..., agents, h].
        learner_logits: [..., agents, learners, 5] before the first step; among n players [..., n − 1, 1 + 2^n].

    Returns:
        [M + 1, ..., agents, learners, n] the agent's and its learners' return, averages a step. Where a pool's own
        M is smaller, its last episode is repeated.

    Raises:
        ValueError: if logits do not end in (agents, h) and (agents, learners, …), or are not finite.
    """
    logits = checked_last_axes("logits", logits, pool.num_agents, pool.contexts)
    last = (pool.num_agents, None, *_of_learners(pool))
    batch = checked_last_axes("learner_logits", learner_logits, *last).shape[: -len(last)]
    _checks.batch(logits=logits.shape[:-2], learner_logits=batch, pool=pool.batch_shape)
    return path_of_learners(pool, _delta(pool, logits), logits, learner_logits)


@compiled()
def path_of_learners(
    pool: Pool, delta: Array, logits: Array, learner_logits: Array
) -> Float[Array, "episodes *batch agents learners players"]:
    """Return `naive_path` at stopping rates [...], for compiled code: the pool's `discount` is not read."""
    settings = _with_learners(pool, logits, delta)
    if pool.game.num_players == 2:
        return naive_path_returns(learner_logits=learner_logits, **settings)
    learners = tuple(learner_logits[..., i, :] for i in range(pool.game.num_players - 1))
    return group_path_returns((settings.pop("logits"),), learners, **settings)


@compiled()
def advance(pool: Pool, delta: Float[Array, "*batch"], state: PoolState, num_steps: Int[ArrayLike, ""]) -> PoolState:
    """Take `num_steps` steps with every agent of every pool at stopping rates [...]; its `discount` is not read."""
    return jax.lax.fori_loop(0, num_steps, lambda _, s: _update(pool, delta, s), state)


class History(NamedTuple):
    """What training recorded: `steps` [records], returns [records, ..., agents], logits [records, ..., agents, h]."""

    steps: Float[Array, " records"]
    returns: PoolReturns
    logits: Float[Array, "records *batch agents h"]


@checked
def train(
    pool: Pool,
    state: PoolState,
    num_steps: int,
    record_every: int,
    progress: Callable[[float], None] = lambda done: None,
) -> tuple[PoolState, History]:
    """Train every pool of the batch for `num_steps` and record exact returns on the way.

    Args:
        pool: the settings.
        state: where to start, from `init` or an earlier `train`.
        num_steps: how many steps, a multiple of `record_every`.
        record_every: steps between records; the first record is of the given state.
        progress: called with the fraction done after each record.

    Raises:
        ValueError: if `num_steps` is not a multiple of `record_every`.
        FloatingPointError: if logits stop being finite; the message names the step.
    """
    _checks.whole("num_steps", num_steps, 0)
    if record_every < 1 or num_steps % record_every:
        raise ValueError(f"num_steps must be a multiple of record_every={record_every}; got {num_steps}")
    records = []
    for done in range(0, num_steps + 1, record_every):
        if done:
            state = advance(pool, _delta(pool, state.logits), state, record_every)
        if not bool(jnp.isfinite(state.logits).all()):
            raise FloatingPointError(
                f"the pool's logits stopped being finite between step {done - record_every} and {done}"
            )
        key = jax.vmap(lambda k: jax.random.fold_in(k, 1))(state.key.reshape(-1)).reshape(state.key.shape)
        records.append((evaluate(pool, state.logits, key), jnp.copy(state.logits)))
        progress(done / num_steps if num_steps else 1.0)
    returns, logits = jax.tree.map(lambda *x: jnp.stack(x), *records)
    return state, History(jnp.arange(0, num_steps + 1, record_every, dtype=logits.dtype), returns, logits)
