"""Two learning rules at play: who moves when, with which optimizer, and what went wrong where."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame
from ipd_theory.learning.batching import batched, over_pairs, pairs_first, side_by_side
from ipd_theory.learning.optimizers import Optimizer, Transformation, checked_optimizers
from ipd_theory.learning.rules.base import Problem, Rule, checked_rules, distinct_rules
from ipd_theory.learning.views import PAIR_RANKS, RepeatedGame, View, checked_logits, repeated_game

Optimizers = tuple[Transformation, Transformation]


class Learning(NamedTuple):
    """What became of a pair, or a batch of pairs [...].

    Args:
        logits: [..., 2, h] of both players after the last step, each in its own view.
        returns: [..., steps + 1, 2] of both players, before the first step and after each.
        problem: [..., 2] the first `Problem` of each player's rule, 0 for none.
        problem_step: [..., 2] the step (from 0) at which it arose, −1 for none.
        residual: [..., 2] the largest residual of each player's inner solver.

    A player whose step is not finite stays where it is from then on.
    """

    logits: Float[Array, "... 2 h"]
    returns: Float[Array, "... times 2"]
    problem: Int[Array, "... 2"]
    problem_step: Int[Array, "... 2"]
    residual: Float[Array, "... 2"]

    def problems(self) -> list[str]:
        """Return one line for each kind of problem that arose: what, in how many pairs, from which step."""
        return [
            f"player {player + 1}: {line}"
            for player in (0, 1)
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


@compiled("which", "optimizers", "steps", "every", ranks=PAIR_RANKS)
def _learn(
    view: RepeatedGame,
    x: Array,
    y: Array,
    distinct: tuple[Rule, ...],
    which: tuple[int, ...],
    optimizers: tuple[Optimizer, ...],
    steps: int,
    every: tuple[int, ...],
) -> Learning:
    """Return `learn` on a view of the game [...] and checked logits [..., h]; compiled once for each kind of rules.

    Two rules that are the same are one argument, so that what both players compute is computed once.
    """
    rules = [distinct[i] for i in which]
    shape, views, x, y = side_by_side(view, x, y)

    def earned(view: RepeatedGame, x: Array, y: Array) -> Array:
        return jnp.stack([view.own(x, y), view.other(x, y)])

    def step(players: tuple[PlayerState, PlayerState], t: Array) -> tuple[tuple[PlayerState, PlayerState], Array]:
        def move(view: RepeatedGame, first: PlayerState, second: PlayerState) -> tuple[PlayerState, PlayerState]:
            return (
                advance_in_turn(rules[0], optimizers[0], every[0], view, first, second.logits, t),
                advance_in_turn(rules[1], optimizers[1], every[1], view.swapped(), second, first.logits, t),
            )

        moved: tuple[PlayerState, PlayerState] = batched(move)(views, *players)
        return moved, batched(earned)(views, *(player.logits for player in players))

    players = tuple(
        batched(functools.partial(enter, rule, optimizer))(own, other)
        for rule, optimizer, own, other in zip(rules, optimizers, (x, y), (y, x), strict=True)
    )
    players, returns = jax.lax.scan(step, players, jnp.arange(steps, dtype=jnp.int32))
    last = batched(earned)(views, *(p.logits for p in players))
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(p._replace(memory=(), optimizer=()) for p in players))
    learning = Learning(
        both.logits, jnp.concatenate([returns, last[None]]), both.problem, both.problem_step, both.residual
    )
    return pairs_first(learning, shape)


def turns_of(every: Any, number: int) -> tuple[int, ...]:
    """Return at which multiples of a step each of some rules moves, or raise unless they are whole numbers ≥ 1."""
    if not isinstance(every, tuple | list) or len(every) != number:
        raise ValueError(f"every must be {number} whole numbers, one for each rule; got {every!r}")
    return tuple(_checks.whole(f"every[{i}]", count, 1) for i, count in enumerate(every))


@checked
def learn(
    game: MatrixGame,
    rules: tuple[Rule, Rule],
    logits: Float[ArrayLike, "... _"],
    other_logits: Float[ArrayLike, "... _"],
    *,
    discount: ArrayLike,
    optimizers: Optimizers,
    steps: int,
    every: tuple[int, int] = (1, 1),
    normalized: bool = True,
) -> Learning:
    """Let two rules learn against each other in a repeated game, exactly.

    At each step both players compute their directions from the same parameters, then both move.

    Args:
        game: the stage game, or a batch of them [...].
        rules: the rules of player 1 and player 2. A rule made anew by the same call is the same rule.
        logits: [..., h] player 1's first logits, of any memory; batch axes broadcast.
        other_logits: [..., h] player 2's, in its own view, of the same memory.
        discount: [...] γ in [0, 1].
        optimizers: what turns each player's direction into a step, two optax optimizers, e.g. `(optax.sgd(1.0),) * 2`.
        steps: how many steps, 1 or more.
        every: player i moves at steps divisible by every[i] only and is frozen in between.
        normalized: returns are averages a step; otherwise sums Σ γ^t r.

    Returns:
        Final logits, returns along the way, and what went wrong, for every pair [...].

    Raises:
        ValueError: if a shape is wrong, a discount leaves [0, 1], or `steps` or `every` is not positive.
    """
    x, y = checked_logits(any_memory=True, logits=logits, other_logits=other_logits)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"other_logits must be of the memory of logits, {x.shape[-1]} long; got shape {y.shape}")
    distinct, which = distinct_rules(checked_rules("rules", rules, 2))
    optimized = checked_optimizers(optimizers, 2)
    turns = turns_of(every, 2)
    view = repeated_game(game, discount, x.dtype, normalized)
    learning: Learning = _learn(
        view,
        x,
        y,
        distinct=distinct,
        which=which,
        optimizers=optimized,
        steps=_checks.whole("steps", steps, 1),
        every=turns,
    )
    return learning


@checked
def direction(
    game: MatrixGame,
    rule: Rule,
    logits: Float[ArrayLike, "... _"],
    other_logits: Float[ArrayLike, "... _"],
    *,
    discount: ArrayLike,
    normalized: bool = True,
) -> Float[Array, "... h"]:
    """Return what a fresh rule ascends at given logits; arguments and errors are those of `learn`."""
    x, y = checked_logits(any_memory=True, logits=logits, other_logits=other_logits)
    (rule,) = checked_rules("rule", (rule,))
    ascended: Array = _direction(repeated_game(game, discount, x.dtype, normalized), x, y, rule=rule)
    return ascended


@compiled(ranks=PAIR_RANKS)
def _direction(view: RepeatedGame, x: Array, y: Array, rule: Rule) -> Array:
    def one(view: RepeatedGame, x: Array, y: Array) -> Array:
        return rule.update(view, x, y, rule.init(x, y))[0]

    return over_pairs(one, view, x, y)
