r"""Strategies with a hidden state: what they earn against each other, and what is best against them.

An automaton is in one of n states. In state s it cooperates with probability c_s; after the outcome o, its own action
first, it moves to state s' with probability m(s, o, s'). A table that remembers n outcomes is one whose states are its
contexts, but a few states can remember what no such table can: that there has ever been a defection (the real GRIM),
or who is in good standing (contrite tit for tat).

Two automata are a Markov chain over pairs of states,

    M[(s, t) → (s', t')] = Σ_o P(o | s, t) m(s, o, s') m'(t, ō, t'),    r(s, t) = Σ_o P(o | s, t) payoff(o),

ō the outcome as the other names it. It is solved by the elimination that tables use, so that returns are exact for
every discount, the limit of means included, and differentiable in everything.

Against an automaton the game is a Markov decision process over its states, for a player who knows them; `replies` says
how its best replies are found.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ipd_theory import _checks, strategies
from ipd_theory._arguments import checked
from ipd_theory._engine import chains
from ipd_theory.games import MatrixGame
from ipd_theory.replies import MOST_TURNS, nearly_one, roundings
from ipd_theory.returns import stopping_rate

OTHER_FLIPPED = np.array([1, 0, 3, 2])  # CC, CD, DC, DD with the other's action exchanged


class Automaton(eqx.Module):
    """A strategy of n states, or a batch [...] of them.

    Args:
        cooperate: [..., n] the probability to cooperate in each state.
        moves: [..., n, 4, n] the probability of each next state after CC, CD, DC, DD, own action first.
        start: [..., n] the probability of each state in the first round; the first state if not given.

    Raises:
        ValueError: if a shape is wrong, or something that must be a probability or add up to 1 does not.
    """

    cooperate: Float[Array, "... n"]
    moves: Float[Array, "... n 4 n"]
    start: Float[Array, "... n"]

    @checked
    def __init__(self, cooperate: ArrayLike, moves: ArrayLike, start: ArrayLike | None = None) -> None:
        self.cooperate, self.moves = _checks.to_float(cooperate), _checks.to_float(moves)
        n = self.cooperate.shape[-1] if self.cooperate.ndim else 0
        first = jnp.zeros(max(n, 1)).at[0].set(1.0)
        self.start = first.astype(self.cooperate.dtype) if start is None else _checks.to_float(start)

    def __check_init__(self) -> None:
        n = self.cooperate.shape[-1] if self.cooperate.ndim else 0
        if n == 0 or self.moves.shape[-3:] != (n, 4, n) or self.start.shape[-1:] != (n,):
            raise ValueError(
                "cooperate, moves and start must have the last axes (n,), (n, 4, n) and (n,); got the shapes "
                f"{self.cooperate.shape}, {self.moves.shape} and {self.start.shape}"
            )
        _checks.in_range("cooperate", self.cooperate, 0.0, 1.0)
        for name, chances in (("moves", self.moves), ("start", self.start)):
            _checks.in_range(name, chances, 0.0, 1.0)
            if not isinstance(chances, jax.core.Tracer) and not np.allclose(chances.sum(-1), 1, atol=1e-6):
                raise ValueError(f"{name} must add up to 1 over its last axis; got sums {np.unique(chances.sum(-1))}")


@checked
def of_table(strategy: Float[ArrayLike, "... h"]) -> Automaton:
    """Return a table [..., h] of memory 0 to 3 as an automaton whose states are its contexts.

    Raises:
        ValueError: if the last axis has no valid length, or a probability leaves [0, 1].
    """
    after = strategies.successors(strategies.memory_of(strategy))
    return Automaton(_checks.in_range("strategy", jnp.asarray(strategy), 0.0, 1.0), jnp.eye(len(after))[after])


def _after(next_states: list[list[int]], cooperate: list[float]) -> Automaton:
    return Automaton(jnp.asarray(cooperate), jnp.eye(len(cooperate))[np.array(next_states)])


def grim() -> Automaton:
    """Return the real GRIM, two states: cooperate until anyone has defected, then defect for good, come what may."""
    return _after([[0, 1, 1, 1], [1, 1, 1, 1]], [1.0, 0.0])


@checked
def punishment(length: int) -> Automaton:
    """Return the strategy that answers any defection with `length` rounds of defection, then starts anew.

    Args:
        length: of the punishment, in rounds, 1 or more.

    Raises:
        ValueError: if it is less than one.
    """
    if length < 1:
        raise ValueError(f"length must be 1 or more rounds; got {length}")
    onward = [[(state + 1) % (length + 1)] * 4 for state in range(1, length + 1)]
    return _after([[0, 1, 1, 1], *onward], [1.0, *[0.0] * length])


def contrite_tit_for_tat() -> Automaton:
    """Return contrite tit for tat, four states: defect only when in good standing against one who is not.

    Who cooperates is in good standing, and who defects from good standing against one in bad standing keeps it
    (Sugden 1986; Boyd 1989).
    """
    standings = [(mine, theirs) for mine in (True, False) for theirs in (True, False)]

    def after(mine: bool, theirs: bool, own: bool, other: bool) -> int:
        return standings.index((own or (mine and not theirs), other or (theirs and not mine)))

    actions = [(own, other) for own in (True, False) for other in (True, False)]
    moves = [[after(*standing, *action) for action in actions] for standing in standings]
    return _after(moves, [float(not (mine and not theirs)) for mine, theirs in standings])


@checked
def with_errors(
    automaton: Automaton,
    *,
    defecting: ArrayLike = 0.0,
    cooperating: ArrayLike = 0.0,
    perceiving: ArrayLike = 0.0,
) -> Automaton:
    """Return the automaton that errs in what it does and in what it sees.

    Args:
        automaton: without errors.
        defecting: [...] probability to defect where it meant to cooperate.
        cooperating: [...] probability to cooperate where it meant to defect; a tremble has both alike.
        perceiving: [...] probability to take the other's action for the opposite.

    Raises:
        ValueError: if a probability leaves [0, 1].
    """
    slips = {"defecting": defecting, "cooperating": cooperating, "perceiving": perceiving}
    dtype = automaton.cooperate.dtype
    down, up, blind = (_checks.in_range(n, jnp.asarray(x, dtype), 0.0, 1.0)[..., None] for n, x in slips.items())
    meant, blind = automaton.cooperate, blind[..., None, None]
    moves = (1 - blind) * automaton.moves + blind * automaton.moves[..., OTHER_FLIPPED, :]
    return Automaton((1 - down) * meant + up * (1 - meant), moves, automaton.start)


def _joint(first: Automaton, second: Automaton) -> tuple[Array, Array, Array]:
    """Return the chance of each outcome [..., n, m, 4], the chain's moves [..., nm, nm] and its start [..., nm]."""
    p, q = first.cooperate[..., :, None], second.cooperate[..., None, :]
    chances = jnp.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], -1)
    seen = second.moves[..., np.array(strategies.OUTCOME_SWAP), :]
    moves = jnp.einsum("...sto,...soa,...tob->...stab", chances, first.moves, seen)
    size = chances.shape[-3] * chances.shape[-2]
    start = first.start[..., :, None] * second.start[..., None, :]
    return chances, moves.reshape(*moves.shape[:-4], size, size), start.reshape(*start.shape[:-2], size)


@checked
def expected_returns(
    game: MatrixGame, first: Automaton, second: Automaton, *, discount: ArrayLike
) -> Float[Array, "... 2"]:
    """Return both players' exact expected returns, a step.

    Args:
        game: the stage game for two, or a batch of them [...].
        first, second: the automata of player 1 and player 2; batch axes broadcast.
        discount: [...] γ in [0, 1]; 1 is the limit of means from the start.

    Raises:
        ValueError: if the game is not for two, or a discount leaves [0, 1].
    """
    _two(game)
    dtype = first.cooperate.dtype
    return _returns(game.outcome_payoffs.astype(dtype), first, second, stopping_rate(discount, dtype))


@jax.jit
def _returns(payoffs: Array, first: Automaton, second: Automaton, delta: Array) -> Array:
    chances, moves, start = _joint(first, second)
    earned = jnp.einsum("...sto,...io->...ist", chances, payoffs)
    earned = earned.reshape(*earned.shape[:-2], start.shape[-1])
    shape = jnp.broadcast_shapes(delta.shape, moves.shape[:-2], earned.shape[:-2])
    moves = jnp.broadcast_to(moves, (*shape, *moves.shape[-2:]))
    delta = jnp.broadcast_to(delta, shape)
    return jnp.stack([chains.chain_return(start, moves, delta, earned[..., i, :]) for i in (0, 1)], -1)


class BestReplies(NamedTuple):
    """What a best reply earns [...], and whether to cooperate and to defect is optimal in each state [..., n, 2]."""

    value: Float[Array, "..."]
    optimal: Bool[Array, "... n 2"]


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
    _two(game)
    dtype = automaton.cooperate.dtype
    return BestReplies(
        *_best_replies(game.outcome_payoffs[..., 0, :].astype(dtype), automaton, stopping_rate(discount, dtype))
    )


@jax.jit
def _best_replies(payoffs: Array, automaton: Automaton, delta: Array) -> tuple[Array, Array]:
    q, seen = automaton.cooperate, automaton.moves[..., np.array(strategies.OUTCOME_SWAP), :]
    both = jnp.stack([q, 1 - q], -1)  # the other's action
    payoffs = payoffs.reshape(*payoffs.shape[:-1], 2, 2)
    earned = jnp.einsum("...to,...ao->...ta", both, payoffs)
    moves = seen.reshape(*seen.shape[:-2], 2, 2, seen.shape[-1])  # [..., t, own action, other's action, t']
    moves = jnp.einsum("...to,...taob->...tab", both, moves)
    shape = jnp.broadcast_shapes(delta.shape, q.shape[:-1], payoffs.shape[:-2])
    earned, moves, delta = (
        jnp.broadcast_to(x, (*shape, *x.shape[x.ndim - rank :])) for x, rank in ((earned, 2), (moves, 3), (delta, 0))
    )
    start = jnp.broadcast_to(automaton.start, (*shape, q.shape[-1]))
    return _iterated(earned, moves, start, delta)


def _iterated(earned: Array, moves: Array, start: Array, delta: Array) -> tuple[Array, Array]:
    """Policy iteration on payoffs [..., t, action] and moves [..., t, action, t']."""
    seen = jnp.maximum(delta, nearly_one(delta.dtype))

    def chosen(policy: Array) -> tuple[Array, Array]:
        act = policy.astype(moves.dtype)[..., None]
        follow = act * moves[..., 0, :] + (1 - act) * moves[..., 1, :]
        return follow, act[..., 0] * earned[..., 0] + (1 - act[..., 0]) * earned[..., 1]

    def turn(state: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array, Array]:
        policy, *_, count = state
        w = chains.chain_values(start, *_with(seen, chosen(policy)))
        worth = earned + (1 - seen)[..., None, None] * (moves @ w[..., None, :, None])[..., 0]
        gain = worth[..., 0] - worth[..., 1]
        at_stake = jnp.ptp(earned, axis=(-1, -2)) + jnp.ptp(w, axis=-1)
        tied = jnp.abs(gain) <= (roundings(delta.dtype) * at_stake)[..., None]
        better = jnp.where(tied, policy, gain > 0)
        return better, gain, tied, (better != policy).any(), count + 1

    cooperate = jnp.ones(earned.shape[:-1], bool)
    first = (cooperate, jnp.zeros(earned.shape[:-1], earned.dtype), ~cooperate, jnp.array(True), jnp.array(0))
    policy, gain, tied, *_ = jax.lax.while_loop(lambda s: s[3] & (s[4] < MOST_TURNS), turn, first)
    value = chains.chain_return(start, *_with(delta, chosen(policy)))
    return value, jnp.stack([tied | (gain > 0), tied | (gain < 0)], -1)


def _with(delta: Array, followed: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    moves, earned = followed
    return moves, delta, earned


def _two(game: MatrixGame) -> None:
    if game.num_players != 2:
        raise ValueError(f"game has {game.num_players} players; automata play games for 2")
