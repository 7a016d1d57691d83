r"""Best replies to strategies of any memory up to three, all of them.

Against fixed strategies that remember n outcomes the repeated game is a Markov decision process over contexts: some
best reply remembers n outcomes and is pure. Policy iteration finds it: from a pure policy π with exact advantages

    A(c, a) = Q(c, a) − V(c)        (`returns.advantages`, no subtraction of large numbers),

each context turns to the action of larger Q, ties stay, until none turns; then π is optimal from every context, and
the optimal actions of a context are those with A(c, a) = 0. In the limit of means what counts is what is optimal for
every discount near enough to 1 (Blackwell 1962): an action is not optimal because a single step costs no average. The
iteration runs at 1 − γ = 1.5 · 10⁻⁸ there (√ε), where what is gained in every step weighs 10⁸ times what is gained in
one, and float64 sees both; values are those of the limit itself. An advantage of the order of 1 − γ is lost in rounding
there, and yet decides, since what gains it at every step gains as much as a single step: actions that are equal are
compared again at 10⁻⁶, 10⁻⁴ and 10⁻², for those that truly are, are equal at every γ. What happens less often than
once in 1/(1 − γ) steps is not seen: against opponents with probabilities within 10⁻⁸ of 0 or 1, but not there, or
within 10⁻⁴ where actions come that near to equal, `exact` decides.

A game that ends after a known number of steps is solved backwards instead.

Sources: Press & Dyson 2012 and Akin 2016 (memory one); Glynatsi, Akin, Nowak & Hilbe 2024 (memory n).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._engine import chains
from ipd_theory.games import MatrixGame, is_symmetric
from ipd_theory.returns import checked_strategies, expected_returns, rate_for_compiled

MOST_TURNS = 200  # of policy iteration, which needs a handful


def roundings(dtype: np.dtype) -> float:
    """Return the relative difference that is taken for rounding in a dtype."""
    return 64 * float(jnp.finfo(dtype).eps)


def rates_to_compare(delta: ArrayLike, dtype: np.dtype) -> tuple[float, ...]:
    """Return the least rates to compare actions at: √ε in the limit of means, for those equal ε^⅜, ε^¼, ε^⅛ as well."""
    epsilon = float(jnp.finfo(dtype).eps)
    rates = tuple(epsilon**power for power in (1 / 2, 3 / 8, 1 / 4, 1 / 8))
    return rates if isinstance(delta, jax.core.Tracer) or (np.asarray(delta) < rates[0]).any() else rates[:1]


def at_rates(delta: Array, least: tuple[float, ...]) -> Array:
    """Return the stopping rates [rates, ...] to compare actions at: δ itself where it is not that of the limit."""
    limit = delta < least[0]
    return jnp.stack([jnp.where(limit, rate, delta) for rate in least])


def rounding_of_returns(game: MatrixGame, dtype: np.dtype) -> Float[Array, "..."]:
    """Return the difference of a game's returns [...] that is taken for rounding in a dtype."""
    return 16 * roundings(dtype) * jnp.abs(game.outcome_payoffs.astype(dtype)).max((-1, -2))


@checked
def same_from_all_sides(game: MatrixGame) -> None:
    """Raise `ValueError` unless the game is symmetric, as far as its payoffs are known: one strategy for all players.

    In another game a strategy that is a best reply to itself for player 1 may be none for player 2.
    """
    if not isinstance(game.payoffs, jax.core.Tracer) and not is_symmetric(game):
        raise ValueError(f"game must be symmetric, since all players play one strategy; got payoffs {game.payoffs}")


class BestReplies(NamedTuple):
    """All best replies to a strategy.

    Args:
        value: [...] what a best reply earns, a step.
        optimal: [..., h, 2] whether to cooperate, and to defect, is optimal in each context, seen by the replier, or
            state of the automaton; in a finite game [horizon, ..., h, 2].
    """

    value: Float[Array, "..."]
    optimal: Bool[Array, "..."]

    @property
    def strategy(self) -> Float[Array, "..."]:
        """One of them [..., h]: pure, cooperating wherever that is optimal."""
        return self.optimal[..., 0].astype(self.value.dtype)


@checked
def best_responses(
    game: MatrixGame,
    *others: Float[ArrayLike, "... _"],
    discount: ArrayLike | None = None,
    horizon: int | None = None,
    player: int = 0,
) -> BestReplies:
    """Return what is optimal against the other players' strategies in every context, and what it earns.

    Args:
        game: the stage game, or a batch of them [...].
        *others: the other players' strategies [..., h], memory 0 to 3, each in its own view, in the players' order;
            batch axes broadcast.
        discount: [...] γ in [0, 1]; 1 is the limit of means, where what is optimal is so for every γ near 1.
        horizon: if given, play ends after this many steps, and what is optimal depends on the step.
        player: who replies, from 0.

    Raises:
        ValueError: if the others are not as many as the game asks for, a probability or discount leaves [0, 1], or a
            shape or the player is wrong.
    """
    n = game.num_players
    if not 0 <= player < n:
        raise ValueError(f"player must lie in 0 to {n - 1}; got {player}")
    if len(others) != n - 1:
        raise ValueError(f"others holds {len(others)} strategies; the game has {n} players, so {n - 1} others")
    if horizon is not None and horizon < 1:
        raise ValueError(f"horizon must be 1 or more steps; got {horizon}")
    tables, memory = checked_strategies([*others[:player], np.ones(1), *others[player:]], n)
    delta = rate_for_compiled(1.0 if discount is None else discount, tables[0].dtype)
    axes = {f"others[{i}]": np.shape(x)[:-1] for i, x in enumerate(others)}
    _checks.batch(game=game.batch_axes, discount=delta.shape, **axes)
    lengths = max(np.shape(x)[-1] for x in others)
    least = rates_to_compare(delta, tables[0].dtype)
    settings = {"memory": memory, "player": player, "horizon": horizon, "contexts": lengths, "least": least}
    return _best_replies(game, tables, delta, **settings)


@functools.partial(jax.jit, static_argnames=("memory", "player", "horizon", "contexts", "least"))
def _best_replies(
    game: MatrixGame,
    tables: list[Array],
    delta: Array,
    memory: int,
    player: int,
    horizon: int | None,
    contexts: int,
    least: tuple[float, ...],
) -> BestReplies:
    """Return the best replies, their first contexts; the replier's own table may be any."""
    payoffs = game.outcome_payoffs.astype(delta.dtype)
    shape = jnp.broadcast_shapes(game.batch_axes, delta.shape, *(x.shape[:-1] for x in tables))
    tables = [jnp.broadcast_to(x, (*shape, x.shape[-1])) for x in tables]
    payoffs, delta = jnp.broadcast_to(payoffs, (*shape, *payoffs.shape[-2:])), jnp.broadcast_to(delta, shape)
    if horizon is not None:
        value, optimal = _backwards(payoffs, tables, delta, memory=memory, player=player, horizon=horizon)
        return BestReplies(value, optimal[..., :contexts, :])
    tables[player], optimal = _iterated(payoffs, tables, at_rates(delta, least), memory=memory, player=player)
    value = chains.discounted_returns(payoffs[..., player : player + 1, :], tables, delta, memory)
    return BestReplies(value[..., 0], optimal[..., :contexts, :])


def value_of_best_reply(
    payoffs: Float[Array, "... 2 4"],
    strategy: Float[Array, "... h"],
    delta: Float[Array, "..."],
    tremble: Float[Array, "..."] | None = None,
) -> Float[Array, "..."]:
    """Return what player 2 earns by a best reply to player 1, for compiled code: nothing is checked.

    Args:
        payoffs: [..., 2, 4] of both players after CC, CD, DC, DD as player 1 sees them.
        strategy: [..., h] player 1's, memory 1 to 3, its own trembles included.
        delta: [...] stopping rates 1 − γ.
        tremble: [...] probability with which the replier's actions are flipped; never if None.
    """
    error = () if tremble is None else tremble.shape
    shape = jnp.broadcast_shapes(payoffs.shape[:-2], strategy.shape[:-1], delta.shape, error)
    payoffs = jnp.broadcast_to(payoffs, (*shape, 2, 4))
    strategy, delta = jnp.broadcast_to(strategy, (*shape, strategy.shape[-1])), jnp.broadcast_to(delta, shape)
    memory = strategies.memory_of(strategy)
    rates = at_rates(delta, rates_to_compare(delta, delta.dtype))
    tables = [strategy, jnp.zeros_like(strategy)]
    policy, _ = _iterated(payoffs, tables, rates, memory=memory, player=1, tremble=tremble)
    tables[1] = _flipped(policy, tremble)
    return chains.discounted_returns(payoffs[..., 1:, :], tables, delta, memory)[..., 0]


def _flipped(policy: Array, tremble: Array | None) -> Array:
    return policy if tremble is None else tremble[..., None] + (1 - 2 * tremble[..., None]) * policy


def _iterated(
    payoffs: Array, tables: list[Array], rates: Array, memory: int, player: int, tremble: Array | None = None
) -> tuple[Array, Array]:
    """Return an optimal pure policy [..., h] and all optimal actions [..., h, 2]; the first is the replier's table."""
    own, _, size = without_offset(payoffs[..., player, :])
    payoffs = payoffs.at[..., player, :].set(own)

    def gains(policy: Array, rate: Array) -> tuple[Array, Array]:
        now = [_flipped(policy, tremble) if i == player else x for i, x in enumerate(tables)]
        values, advantages = chains.values(payoffs, now, rate, memory, player)
        at_stake = own.max(-1) + (jnp.ptp(values, axis=-1) + size) / rate
        return advantages[..., 0] - advantages[..., 1], at_stake

    return policy_iteration(gains, tables[player], rates)


def without_offset(own: Array) -> tuple[Array, Array, Array]:
    """Return payoffs [..., outcomes] less what one gets anyhow, that offset [...], and what their rounding counts for.

    An offset changes no best reply, but takes digits; payoffs that were rounded with it stay uncertain by that much.
    """
    offset = own.min(-1, keepdims=True)
    return own - offset, offset[..., 0], jnp.abs(own).max(-1) / 32  # two of the 64 ε that are taken for rounding


def policy_iteration(
    gains: Callable[[Array, Array], tuple[Array, Array]], first: Array, rates: Array
) -> tuple[Array, Array]:
    """Return an optimal pure policy [..., h], 1 to cooperate, and all optimal actions [..., h, 2].

    Args:
        gains: of a policy and a rate, how much more it is worth to cooperate than to defect in each context [..., h],
            and the size [...] of the numbers whose difference that is.
        first: [..., h] policy to begin with.
        rates: [rates, ...] stopping rates; each decides between actions that are equal at those before.
    """

    def turn(state: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array, Array]:
        policy, gain, tied, k, count = state
        here, at_stake = gains(policy, rates[k])
        open_still = tied | (k == 0)  # after each turn the policy is looked at from the first rate on
        gain = jnp.where(open_still, here, gain)
        tied = open_still & (jnp.abs(here) <= (roundings(here.dtype) * at_stake)[..., None])
        better = jnp.where(tied, policy, (gain > 0).astype(policy.dtype))
        return better, gain, tied, jnp.where((better != policy).any(), 0, k + 1), count + 1

    def going(state: tuple[Array, Array, Array, Array, Array]) -> Array:
        *_, k, count = state
        return (k < len(rates)) & (count < MOST_TURNS)

    none = jnp.zeros_like(first)
    policy, gain, tied, *_ = jax.lax.while_loop(going, turn, (first, none, none > 0, jnp.array(0), jnp.array(0)))
    return policy, jnp.stack([tied | (gain > 0), tied | (gain < 0)], -1)


def _backwards(
    payoffs: Array, tables: list[Array], delta: Array, memory: int, player: int, horizon: int
) -> tuple[Array, Array]:
    """Return the value [...] and the optimal actions [horizon, ..., h, 2] of a finite game, the last step first."""
    n, (own, offset, size) = len(tables), without_offset(payoffs[..., player, :])
    view = strategies.view(memory, player, n)
    after = jnp.asarray(strategies.successors(memory, n))
    gamma = (1 - delta)[..., None]

    def forced(action: float) -> Array:
        acting = [jnp.full_like(x, action) if i == player else x for i, x in enumerate(tables)]
        return chains.outcome_probabilities(acting, memory)  # player 1's contexts

    chances = [forced(action) for action in (1.0, 0.0)]

    def step(onward: Array, _: None) -> tuple[Array, Array]:
        worth = own[..., None, :] + gamma[..., None] * onward[..., after]
        cooperate, defect = ((chance * worth).sum(-1) for chance in chances)
        slack = roundings(delta.dtype) * (own.max(-1) + onward.max(-1) + size)[..., None]
        optimal = jnp.stack([cooperate >= defect - slack, defect >= cooperate - slack], -1)
        return jnp.maximum(cooperate, defect), optimal[..., np.argsort(view), :]

    total, optimal = jax.lax.scan(step, jnp.zeros_like(tables[0]), length=horizon)
    weights = (gamma ** jnp.arange(horizon, dtype=delta.dtype)).sum(-1)
    return offset + total[..., 0] / weights, optimal[::-1]


@checked
def gap(
    game: MatrixGame,
    strategy: Float[ArrayLike, "... _"],
    *others: Float[ArrayLike, "... _"],
    discount: ArrayLike | None = None,
    horizon: int | None = None,
) -> Float[Array, "..."]:
    """Return what player 1 would gain, a step, by a best reply to the others instead of its strategy; 0 or more.

    Arguments and errors are those of `best_responses`.
    """
    best = best_responses(game, *others, discount=discount, horizon=horizon).value
    now = expected_returns(game, strategy, *others, discount=1.0 if discount is None else discount, horizon=horizon)
    return jnp.maximum(best - now[..., 0], 0)


def race(game: MatrixGame) -> MatrixGame:
    """Return the game for the difference of payoffs, zero-sum: player 1 gets what it earns more than player 2.

    Raises:
        ValueError: if the game is not for two.
    """
    _checks.two_players(game)
    ahead = game.payoffs[..., 0, :, :] - game.payoffs[..., 1, :, :]
    return MatrixGame(jnp.stack([ahead, -ahead], -3))
