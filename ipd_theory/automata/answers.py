"""How automata are best answered, and what that says of them.

Against an automaton the game is a Markov decision process over its states, for a player who knows them, as everyone
does who knows the automaton and sees what it sees: where the next state is a matter of chance or of what it alone
perceives, no one may earn more, and fewer may be able to. `replies` says how best replies are found.

An automaton is a best reply to itself (Nash) if its own return is that of a best reply. It is perfect if from every
pair of states to which play can lead, by mistakes as well, what it does is optimal.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._engine import chains
from ipd_theory.automata.base import Automaton
from ipd_theory.automata.matches import expected_returns
from ipd_theory.games import MatrixGame
from ipd_theory.replies.best import (
    BestReplies,
    at_rates,
    policy_iteration,
    race,
    rates_to_compare,
    rounding_of_returns,
    same_from_all_sides,
    without_offset,
)
from ipd_theory.returns import stopping_rate


@checked
def best_responses(game: MatrixGame, automaton: Automaton, *, discount: ArrayLike) -> BestReplies:
    """Return what is optimal for player 1 in each state of player 2's automaton, which it knows.

    Args:
        game: the stage game for two.
        automaton: player 2's.
        discount: γ in [0, 1]; 1 is the limit of means, where what is optimal is so for every γ near 1.

    Raises:
        ValueError: if the game is not for two, or the discount leaves [0, 1].
    """
    _checks.two_players(game)
    dtype = automaton.cooperate.dtype
    delta = stopping_rate(discount, dtype)
    least = rates_to_compare(delta, dtype)
    return BestReplies(*_best_replies(game.outcome_payoffs[..., 0, :].astype(dtype), automaton, delta, least=least))


@functools.partial(jax.jit, static_argnames="least")
def _best_replies(payoffs: Array, automaton: Automaton, delta: Array, least: tuple[float, ...]) -> tuple[Array, Array]:
    q, seen = automaton.cooperate, automaton.moves[..., np.array(strategies.OUTCOME_SWAP), :]
    both = jnp.stack([q, 1 - q], -1)  # the other's action
    payoffs, offset, size = without_offset(payoffs)
    payoffs = payoffs.reshape(*payoffs.shape[:-1], 2, 2)
    earned = jnp.einsum("...to,...ao->...ta", both, payoffs)
    moves = seen.reshape(*seen.shape[:-2], 2, 2, seen.shape[-1])  # [..., t, own action, other's action, t']
    moves = jnp.einsum("...to,...taob->...tab", both, moves)
    shape = jnp.broadcast_shapes(delta.shape, q.shape[:-1], payoffs.shape[:-2])
    earned, moves, delta = (
        jnp.broadcast_to(x, (*shape, *x.shape[x.ndim - rank :])) for x, rank in ((earned, 2), (moves, 3), (delta, 0))
    )
    start = jnp.broadcast_to(automaton.start, (*shape, q.shape[-1]))
    value, optimal = _solved(earned, moves, start, delta, at_rates(delta, least), size)
    return offset + value, optimal


def _solved(earned: Array, moves: Array, start: Array, delta: Array, rates: Array, size: Array) -> tuple[Array, Array]:
    """Return the value and the optimal actions for payoffs [..., t, action] and moves [..., t, action, t']."""

    def followed(policy: Array, rate: Array) -> tuple[Array, Array, Array]:
        act = policy[..., None]
        follow = act * moves[..., 0, :] + (1 - act) * moves[..., 1, :]
        return follow, rate, policy * earned[..., 0] + (1 - policy) * earned[..., 1]

    def gains(policy: Array, rate: Array) -> tuple[Array, Array]:
        w = chains.chain_values(start, *followed(policy, rate))
        worth = earned + (1 - rate)[..., None, None] * (moves @ w[..., None, :, None])[..., 0]
        return worth[..., 0] - worth[..., 1], jnp.ptp(earned, axis=(-1, -2)) + jnp.ptp(w, axis=-1) + size / rate

    policy, optimal = policy_iteration(gains, jnp.ones(earned.shape[:-1], moves.dtype), rates)
    return chains.chain_return(start, *followed(policy, delta)), optimal


@checked
def gap(game: MatrixGame, first: Automaton, second: Automaton, *, discount: ArrayLike) -> Float[Array, "..."]:
    """Return what player 1 would gain, a step, by a best reply to player 2's automaton instead of its own; 0 or more.

    Arguments and errors are those of `expected_returns`.
    """
    now = expected_returns(game, first, second, discount=discount)[..., 0]
    return jnp.maximum(best_responses(game, second, discount=discount).value - now, 0)


@checked
def is_nash(game: MatrixGame, automaton: Automaton, *, discount: ArrayLike = 1.0) -> Bool[Array, "..."]:
    """Return whether an automaton is a best reply to itself, even for one who knows the other's state.

    Where moves between states are sure and everyone sees the same, everyone does; else this asks more than is needed.

    Args:
        game: the stage game for two, symmetric.
        automaton: both players'.
        discount: [...] γ in [0, 1]; 1 is the limit of means.

    Raises:
        ValueError: if the game is not symmetric, and as `best_responses`.
    """
    same_from_all_sides(game)
    return gap(game, automaton, automaton, discount=discount) <= rounding_of_returns(game, automaton.cooperate.dtype)


@checked
def is_subgame_perfect(game: MatrixGame, automaton: Automaton, *, discount: ArrayLike = 1.0) -> Bool[Array, "..."]:
    """Return whether an automaton is optimal against itself from every pair of states that any play leads to.

    Arguments and errors are those of `is_nash`.
    """
    same_from_all_sides(game)
    optimal = best_responses(game, automaton, discount=discount).optimal  # by the other's state
    meant = automaton.cooperate[..., :, None]
    wrong = ((meant > 0) & ~optimal[..., None, :, 0]) | ((meant < 1) & ~optimal[..., None, :, 1])
    return ~(wrong & _reachable(automaton)).any((-1, -2))


def _reachable(automaton: Automaton) -> Bool[Array, "... n n"]:
    """Return the pairs of states, one's own first, to which actions of any kind lead two copies of an automaton."""
    onward = automaton.moves > 0
    seen = onward[..., np.array(strategies.OUTCOME_SWAP), :]
    step = jnp.einsum("...soa,...tob->...stab", onward.astype(jnp.float32), seen.astype(jnp.float32)) > 0
    begun = automaton.start > 0
    start = begun[..., :, None] & begun[..., None, :]

    def grow(pairs: Array, _: None) -> tuple[Array, None]:
        return pairs | (pairs[..., :, :, None, None] & step).any((-4, -3)), None

    start = jnp.broadcast_to(start, (*step.shape[:-4], *start.shape[-2:]))
    return jax.lax.scan(grow, start, length=automaton.num_states**2)[0]


@checked
def is_partner(game: MatrixGame, automaton: Automaton, *, discount: ArrayLike = 1.0) -> Bool[Array, "..."]:
    """Return whether an automaton is nice (never the first to defect) and a best reply to itself.

    Arguments and errors are those of `is_nash`.
    """
    unbroken = automaton.moves[..., 0, :] > 0  # where mutual cooperation leads

    def grow(states: Array, _: None) -> tuple[Array, None]:
        return states | (states[..., :, None] & unbroken).any(-2), None

    start = jnp.broadcast_to(automaton.start > 0, unbroken.shape[:-1])
    states, _ = jax.lax.scan(grow, start, length=automaton.num_states)
    nice = (~states | (automaton.cooperate == 1)).all(-1)
    return nice & is_nash(game, automaton, discount=discount)


@checked
def is_rival(game: MatrixGame, automaton: Automaton, *, discount: ArrayLike = 1.0) -> Bool[Array, "..."]:
    """Return whether an automaton never earns less than its opponent, whatever that is.

    Arguments and errors are those of `is_nash`.
    """
    _checks.two_players(game)
    ahead = race(game)
    most = best_responses(ahead, automaton, discount=discount).value
    return most <= rounding_of_returns(ahead, automaton.cooperate.dtype)
