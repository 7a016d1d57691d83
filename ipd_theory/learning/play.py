"""Learning rules at play, two or more: who moves when, with which optimizer, and what went wrong where."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled, varying
from ipd_theory.games import MatrixGame
from ipd_theory.learning.batching import batched, over_pairs, pairs_first, side_by_side
from ipd_theory.learning.groups import GroupGame, group_game
from ipd_theory.learning.optimizers import Optimizer, Transformation, checked_optimizers
from ipd_theory.learning.rules.base import Problem, Rule, checked_rules, distinct_rules
from ipd_theory.learning.views import PAIR_RANKS, RepeatedGame, View, checked_logits, repeated_game

Optimizers = tuple[Transformation, Transformation]


class Learning(NamedTuple):
    """What became of a pair, or a group of n players, or a batch of them [...].

    Args:
        logits: [..., n, h] of all players after the last step, each in its own view.
        returns: [..., steps + 1, n] of all players, before the first step and after each.
        problem: [..., n] the first `Problem` of each player's rule, 0 for none.
        problem_step: [..., n] the step (from 0) at which it arose, −1 for none.
        residual: [..., n] the largest residual of each player's inner solver.

    A player whose step is not finite stays where it is from then on.
    """

    logits: Float[Array, "... n h"]
    returns: Float[Array, "... times n"]
    problem: Int[Array, "... n"]
    problem_step: Int[Array, "... n"]
    residual: Float[Array, "... n"]

    def problems(self) -> list[str]:
        """Return one line for each kind of problem that arose: what, in how many pairs, from which step."""
        return [
            f"player {player + 1}: {line}"
            for player in range(self.problem.shape[-1])
            for line in describe_problems(self.problem[..., player], self.problem_step[..., player])
        ]


@checked
def describe_problems(problem: Int[Array, "*pairs"], problem_step: Int[Array, "*pairs"]) -> list[str]:
    """Return one line for each kind of problem among pairs: what, in how many of them, from which step."""
    if problem.shape != problem_step.shape:
        raise ValueError(f"problem_step has shape {problem_step.shape}; it must be that of problem, {problem.shape}")
    lines = []
    for kind in Problem:
        met = problem == kind
        if kind != Problem.NONE and met.any():
            first = int(jnp.where(met, problem_step, jnp.iinfo(problem_step.dtype).max).min())
            what = kind.name.lower().replace("_", " ")
            lines.append(f"{what} in {int(met.sum())} of {met.size} pairs, first at step {first}")
    return lines


class PlayerState(NamedTuple):
    """One player while it learns: what it plays, what its rule and optimizer remember, what went wrong."""

    logits: Array
    memory: Any
    optimizer: Any
    stopped: Array
    problem: Array
    problem_step: Array
    residual: Array


def enter(rule: Rule, optimizer: Transformation, logits: Array, other_logits: Array) -> PlayerState:
    """Return a player before its first step."""
    none = jnp.zeros((), jnp.int32)
    memory, zero = rule.init(logits, other_logits), jnp.zeros((), logits.dtype)
    return PlayerState(logits, memory, optimizer.init(logits), jnp.array(False), none, none - 1, zero)


def advance(
    rule: Rule, optimizer: Transformation, view: View, player: PlayerState, other_logits: Array, t: Array
) -> PlayerState:
    """Return the player after one step of its rule against the other's present logits.

    Args:
        rule: its rule.
        optimizer: what turns the rule's direction into a step.
        view: the game from the player's side.
        player: as it is before the step.
        other_logits: the other's parameters before the step.
        t: the number of the step.
    """
    direction, memory, info = rule.update(view, player.logits, other_logits, player.memory)
    change, remembered = optimizer.update(-direction, player.optimizer, player.logits)
    moved = player.logits + change
    finite = jnp.isfinite(moved).all()
    problem = jnp.where(finite | (info.problem != Problem.NONE), info.problem, Problem.NOT_FINITE).astype(jnp.int32)
    first = (player.problem == Problem.NONE) & (problem != Problem.NONE) & ~player.stopped
    return PlayerState(
        logits=jnp.where(finite & ~player.stopped, moved, player.logits),
        memory=memory,
        optimizer=remembered,
        stopped=player.stopped | ~finite,
        problem=jnp.where(first, problem, player.problem),
        problem_step=jnp.where(first, t, player.problem_step),
        residual=jnp.maximum(player.residual, jnp.where(player.stopped, 0, info.residual)),
    )


def advance_in_turn(
    rule: Rule,
    optimizer: Transformation,
    every: int,
    view: View,
    player: PlayerState,
    other_logits: Array,
    t: Array,
) -> PlayerState:
    """Return `advance(…)` at steps divisible by `every`, else the player as it was."""
    moved = advance(rule, optimizer, view, player, other_logits, t)
    if every == 1:
        return moved
    return jax.tree.map(functools.partial(jnp.where, t % every == 0), moved, player)


def facing(players: Sequence[Array], i: int) -> Array:
    """Return the parameters of all others than player i, one after the other."""
    others = [x for j, x in enumerate(players) if j != i]
    return others[0] if len(others) == 1 else jnp.concatenate(others)


def _play(
    view: RepeatedGame | GroupGame,
    players: tuple[Array, ...],
    distinct: tuple[Rule, ...],
    which: tuple[int, ...],
    optimizers: tuple[Optimizer, ...],
    steps: int,
    every: tuple[int, ...],
) -> Learning:
    """Return `learn` on a view of the game [...] and checked logits [..., h].

    Two rules that are the same are one argument, so that what both players compute is computed once.
    """
    learners = [*zip([distinct[i] for i in which], optimizers, every, strict=True)]
    shape, views, first = side_by_side(view, *players)

    def earned(view: RepeatedGame | GroupGame, *players: Array) -> Array:
        return jnp.stack([seat.own(players[i], facing(players, i)) for i, seat in enumerate(view.seats())])

    def step(carry: tuple[Any, Any], t: Array) -> tuple[tuple[Any, Any], Array]:
        players, views = carry

        def move(view: RepeatedGame | GroupGame, *players: PlayerState) -> tuple[PlayerState, ...]:
            logits, seats = [player.logits for player in players], view.seats()
            return tuple(
                advance_in_turn(rule, optimizer, turn, seats[i], players[i], facing(logits, i), t)
                for i, (rule, optimizer, turn) in enumerate(learners)
            )

        moved: tuple[PlayerState, ...] = batched(move)(views, *players)
        return (moved, varying(views)), batched(earned)(views, *(player.logits for player in players))

    def begin(*players: Array) -> tuple[PlayerState, ...]:
        return tuple(
            enter(rule, optimizer, players[i], facing(players, i)) for i, (rule, optimizer, _) in enumerate(learners)
        )

    (last, _), returns = jax.lax.scan(step, (batched(begin)(*first), views), jnp.arange(steps, dtype=jnp.int32))
    end = batched(earned)(views, *(p.logits for p in last))
    all_ = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(p._replace(memory=(), optimizer=()) for p in last))
    learning = Learning(
        all_.logits, jnp.concatenate([returns, end[None]]), all_.problem, all_.problem_step, all_.residual
    )
    return pairs_first(learning, shape)


@compiled("which", "optimizers", "steps", "every", ranks=PAIR_RANKS)
def _learn(view: RepeatedGame, x: Array, y: Array, distinct: tuple[Rule, ...], **settings: Any) -> Learning:
    """Return `_play` of two, compiled once for each kind of rules."""
    return _play(view, (x, y), distinct, **settings)


@compiled("which", "optimizers", "steps", "every")
def _learn_in_group(
    view: GroupGame, players: tuple[Array, ...], distinct: tuple[Rule, ...], **settings: Any
) -> Learning:
    """Return `_play` of any number, compiled once for each kind of rules."""
    return _play(view, players, distinct, **settings)


def turns_of(every: Any, number: int) -> tuple[int, ...]:
    """Return at which multiples of a step each of some rules moves, or raise unless they are whole numbers ≥ 1."""
    if not isinstance(every, tuple | list) or len(every) != number:
        raise ValueError(f"every must be {number} whole numbers, one for each rule; got {every!r}")
    return tuple(_checks.whole(f"every[{i}]", count, 1) for i, count in enumerate(every))


@checked
def learn(
    game: MatrixGame,
    rules: tuple[Rule, ...],
    logits: Float[ArrayLike, "... _"],
    other_logits: Float[ArrayLike, "... _"],
    *more_logits: Float[ArrayLike, "... _"],
    discount: ArrayLike,
    optimizers: tuple[Transformation, ...],
    steps: int,
    every: tuple[int, ...] | None = None,
    normalized: bool = True,
) -> Learning:
    """Let rules, one for each player, learn against each other in a repeated game, exactly.

    At each step all players compute their directions from the same parameters, then all move.

    Args:
        game: the stage game, or a batch of them [...], for two players or more.
        rules: the rules of player 1, player 2, …. A rule made anew by the same call is the same rule. Among more than
            two, those that are defined there (`Rule.among_many`): naive, LOLA, what looks ahead along naive steps.
        logits: [..., h] player 1's first logits, of any memory; batch axes broadcast.
        other_logits: [..., h] player 2's, in its own view, of the same memory.
        *more_logits: [..., h] those of players 3, 4, … where there are more than two.
        discount: [...] γ in [0, 1].
        optimizers: what turns each player's direction into a step, optax optimizers, e.g. `(optax.sgd(1.0),) * 2`.
        steps: how many steps, 1 or more.
        every: player i moves at steps divisible by every[i] only and is frozen in between; at each if None.
        normalized: returns are averages a step; otherwise sums Σ γ^t r.

    Returns:
        Final logits, returns along the way, and what went wrong, for every pair or group [...].

    Raises:
        ValueError: if a shape is wrong, a discount leaves [0, 1], `steps` or `every` is not positive, or a rule is for
            two players only and there are more.
    """
    n = game.num_players
    players = checked_players(n, logits, other_logits, more_logits)
    _hold_batch(game, players, discount)
    chosen = checked_rules("rules", rules, n)
    distinct, which = distinct_rules(chosen)
    settings: dict[str, Any] = {
        "which": which,
        "optimizers": checked_optimizers(optimizers, n),
        "steps": _checks.whole("steps", steps, 1),
        "every": turns_of((1,) * n if every is None else every, n),
    }
    dtype = players[0].dtype
    learning: Learning
    if n == 2:
        x, y = players
        learning = _learn(repeated_game(game, discount, dtype, normalized), x, y, distinct=distinct, **settings)
        return learning
    held_among_many("rules", chosen)
    view = group_game(game, discount, dtype, normalized)
    learning = _learn_in_group(view, tuple(players), distinct=distinct, **settings)
    return learning


def checked_players(
    count: int, logits: ArrayLike, other_logits: ArrayLike, more: Sequence[ArrayLike], alike: bool = True
) -> list[Array]:
    """Return the players' logits as arrays of one dtype, or raise unless they are `count`, `alike` in their memory."""
    if len(more) != count - 2:
        raise ValueError(f"more_logits must be {count - 2}, for there are {count} players; got {len(more)}")
    named = {"logits": logits, "other_logits": other_logits} | {f"more_logits[{i}]": x for i, x in enumerate(more)}
    arrays = checked_logits(any_memory=True, num_players=count, **named)
    length = arrays[0].shape[-1]
    for name, x in zip(named, arrays, strict=True):
        if alike and x.shape[-1] != length:
            raise ValueError(f"{name} must be of the memory of logits, {length} long; got shape {x.shape}")
    return arrays


def _hold_batch(game: MatrixGame, players: Sequence[Array], discount: ArrayLike) -> None:
    """Raise `ValueError` unless the batch axes of players, of which those of all fit, of game and discount do."""
    logits = np.broadcast_shapes(*(x.shape[:-1] for x in players))
    _checks.batch(logits=logits, game=game.batch_axes, discount=np.shape(discount))


def held_among_many(name: str, rules: Sequence[Rule]) -> None:
    """Raise `ValueError` unless all rules are for more than two players as well."""
    for i, rule in enumerate(rules):
        if not rule.among_many:
            raise ValueError(
                f"{name}[{i}] must be a rule for more than two players, such as rules.naive(); got {rule!r}"
            )


@checked
def direction(
    game: MatrixGame,
    rule: Rule,
    logits: Float[ArrayLike, "... _"],
    other_logits: Float[ArrayLike, "... _"],
    *more_logits: Float[ArrayLike, "... _"],
    discount: ArrayLike,
    normalized: bool = True,
) -> Float[Array, "... h"]:
    """Return what player 1 ascends by a fresh rule at given logits; arguments and errors are those of `learn`."""
    players = checked_players(game.num_players, logits, other_logits, more_logits, alike=game.num_players > 2)
    _hold_batch(game, players, discount)
    (rule,) = checked_rules("rule", (rule,))
    ascended: Array
    if game.num_players == 2:
        x, y = players
        ascended = _direction(repeated_game(game, discount, x.dtype, normalized), x, y, rule=rule)
        return ascended
    held_among_many("rule", (rule,))
    ascended = _direction_in_group(group_game(game, discount, players[0].dtype, normalized), tuple(players), rule=rule)
    return ascended


@compiled(ranks=PAIR_RANKS)
def _direction(view: RepeatedGame, x: Array, y: Array, rule: Rule) -> Array:
    return over_pairs(functools.partial(_ascended, rule), view, x, y)


@compiled()
def _direction_in_group(view: GroupGame, players: tuple[Array, ...], rule: Rule) -> Array:
    return over_pairs(functools.partial(_ascended, rule), view, *players)


def _ascended(rule: Rule, game: RepeatedGame | GroupGame, *players: Array) -> Array:
    x, y = players[0], facing(players, 0)
    return rule.update(game.seats()[0], x, y, rule.init(x, y))[0]
