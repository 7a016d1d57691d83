"""Two learning rules at play: who moves when, with which optimiser, and what went wrong where."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame
from ipd_theory.learning.rules.base import PAIR_RANKS, Problem, RepeatedGame, Rule, checked_logits, repeated_game

Optimisers = tuple[optax.GradientTransformation, optax.GradientTransformation]


class Learning(NamedTuple):
    """What became of a pair, or a batch of pairs [...].

    Args:
        logits: [..., 2, 5] of both players after the last step, each in its own view.
        returns: [..., steps + 1, 2] of both players, before the first step and after each.
        problem: [..., 2] the first `Problem` of each player's rule, 0 for none.
        problem_step: [..., 2] the step (from 0) at which it arose, −1 for none.
        residual: [..., 2] the largest residual of each player's inner solver.

    A player whose step is not finite stays where it is from then on.
    """

    logits: Float[Array, "... 2 5"]
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


def describe_problems(problem: Int[Array, "*pairs"], problem_step: Int[Array, "*pairs"]) -> list[str]:
    """Return one line for each kind of problem among pairs: what, in how many of them, from which step."""
    lines = []
    for kind in Problem:
        met = problem == kind
        if kind != Problem.NONE and met.any():
            first = int(jnp.where(met, problem_step, jnp.iinfo(problem_step.dtype).max).min())
            what = kind.name.lower().replace("_", " ")
            lines.append(f"{what} in {int(met.sum())} of {met.size} pairs, first at step {first}")
    return lines


class Player(NamedTuple):
    """One player while it learns: what it plays, what its rule and optimiser remember, what went wrong."""

    logits: Array
    memory: Any
    optimiser: Any
    stopped: Array
    problem: Array
    problem_step: Array
    residual: Array


def enter(rule: Rule, optimiser: optax.GradientTransformation, logits: Array, other_logits: Array) -> Player:
    """Return a player before its first step."""
    none = jnp.zeros((), jnp.int32)
    memory, zero = rule.init(logits, other_logits), jnp.zeros((), logits.dtype)
    return Player(logits, memory, optimiser.init(logits), jnp.array(False), none, none - 1, zero)


def advance(
    rule: Rule, optimiser: optax.GradientTransformation, view: Any, player: Player, other_logits: Array, t: Array
) -> Player:
    """Return the player after one step of its rule against the other's present logits.

    Args:
        rule: its rule.
        optimiser: what turns the rule's direction into a step.
        view: the game from the player's side.
        player: as it is before the step.
        other_logits: the other's parameters before the step.
        t: the number of the step.
    """
    direction, memory, info = rule.update(view, player.logits, other_logits, player.memory)
    change, remembered = optimiser.update(-direction, player.optimiser, player.logits)
    moved = player.logits + change
    finite = jnp.isfinite(moved).all()
    problem = jnp.where(finite | (info.problem != Problem.NONE), info.problem, Problem.NOT_FINITE).astype(jnp.int32)
    first = (player.problem == Problem.NONE) & (problem != Problem.NONE) & ~player.stopped
    return Player(
        logits=jnp.where(finite & ~player.stopped, moved, player.logits),
        memory=memory,
        optimiser=remembered,
        stopped=player.stopped | ~finite,
        problem=jnp.where(first, problem, player.problem),
        problem_step=jnp.where(first, t, player.problem_step),
        residual=jnp.maximum(player.residual, jnp.where(player.stopped, 0, info.residual)),
    )


def advance_in_turn(
    rule: Rule,
    optimiser: optax.GradientTransformation,
    every: int,
    view: Any,
    player: Player,
    other_logits: Array,
    t: Array,
) -> Player:
    """Return `advance(…)` at steps divisible by `every`, else the player as it was."""
    moved = advance(rule, optimiser, view, player, other_logits, t)
    if every == 1:
        return moved
    return jax.tree.map(functools.partial(jnp.where, t % every == 0), moved, player)


def side_by_side(view: RepeatedGame, x: Array, y: Array) -> tuple[tuple[int, ...], RepeatedGame, Array, Array]:
    """Return the leading axes of all three, broadcast, and the three with those axes as one, the last.

    So each logit of all pairs lies side by side.
    """
    shape = jnp.broadcast_shapes(
        x.shape[:-1], y.shape[:-1], view.delta.shape, view.own_payoffs.shape[:-1], view.other_payoffs.shape[:-1]
    )

    def last(leaf: Array, rank: int) -> Array:
        own = leaf.shape[leaf.ndim - rank :]
        return jnp.moveaxis(jnp.broadcast_to(leaf, (*shape, *own)).reshape(-1, *own), 0, -1)

    views = RepeatedGame(
        last(view.own_payoffs, 1), last(view.other_payoffs, 1), last(view.delta, 0), last(view.scale, 0)
    )
    return shape, views, last(x, 1), last(y, 1)


def batched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of one pair as one of many, side by side along the last axis."""
    return jax.vmap(function, in_axes=-1, out_axes=-1)


def pairs_first(results: Any, shape: tuple[int, ...]) -> Any:
    """Return results of `batched` with the axes of `side_by_side` first again."""
    return jax.tree.map(lambda r: jnp.moveaxis(r, -1, 0).reshape(*shape, *r.shape[:-1]), results)


def over_pairs(function: Callable[..., Any], view: RepeatedGame, x: Array, y: Array) -> Any:
    """Return `function(view, x, y)` over the leading axes of all three, broadcast; results carry those axes first."""
    shape, *pairs = side_by_side(view, x, y)
    return pairs_first(batched(function)(*pairs), shape)


@compiled("rules", "optimisers", "steps", "every", ranks=PAIR_RANKS)
def learn_unchecked(
    view: RepeatedGame,
    x: Array,
    y: Array,
    rules: tuple[Rule, Rule],
    optimisers: Optimisers,
    steps: int,
    every: tuple[int, int],
) -> Learning:
    """Return `learn` on a view of the game [...] and checked logits [..., 5]; compiled once for each pair of rules."""
    shape, views, x, y = side_by_side(view, x, y)

    def earned(view: RepeatedGame, x: Array, y: Array) -> Array:
        return jnp.stack([view.own(x, y), view.other(x, y)])

    def step(players: tuple[Player, Player], t: Array) -> tuple[tuple[Player, Player], Array]:
        def move(view: RepeatedGame, first: Player, second: Player) -> tuple[Player, Player]:
            return (
                advance_in_turn(rules[0], optimisers[0], every[0], view, first, second.logits, t),
                advance_in_turn(rules[1], optimisers[1], every[1], view.swapped(), second, first.logits, t),
            )

        moved: tuple[Player, Player] = batched(move)(views, *players)
        return moved, batched(earned)(views, *(player.logits for player in players))

    players = tuple(
        batched(functools.partial(enter, rule, optimiser))(own, other)
        for rule, optimiser, own, other in zip(rules, optimisers, (x, y), (y, x), strict=True)
    )
    players, returns = jax.lax.scan(step, players, jnp.arange(steps, dtype=jnp.int32))
    last = batched(earned)(views, *(p.logits for p in players))
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(p._replace(memory=(), optimiser=()) for p in players))
    learning = Learning(
        both.logits, jnp.concatenate([returns, last[None]]), both.problem, both.problem_step, both.residual
    )
    return pairs_first(learning, shape)


def learn(
    game: MatrixGame,
    rules: tuple[Rule, Rule],
    logits: Float[ArrayLike, "... _"],
    other_logits: Float[ArrayLike, "... _"],
    *,
    discount: ArrayLike,
    optimisers: Optimisers,
    steps: int,
    every: tuple[int, int] = (1, 1),
    normalized: bool = True,
) -> Learning:
    """Let two rules learn against each other in a repeated game, exactly.

    At each step both players compute their directions from the same parameters, then both move.

    Args:
        game: the stage game, or a batch of them [...].
        rules: the rules of player 1 and player 2. A rule made anew by the same call is the same rule.
        logits: [..., 5] player 1's first logits; batch axes broadcast.
        other_logits: [..., 5] player 2's, in its own view.
        discount: [...] γ in [0, 1].
        optimisers: what turns each direction into a step, any optax optimiser, e.g. `optax.sgd(1.0)`.
        steps: how many steps, 1 or more.
        every: player i moves at steps divisible by every[i] only and is frozen in between.
        normalized: returns are averages a step; otherwise sums Σ γ^t r.

    Returns:
        Final logits, returns along the way, and what went wrong, for every pair [...].

    Raises:
        ValueError: if a shape is wrong, a discount leaves [0, 1], or `steps` or `every` is not positive.
    """
    x, y = checked_logits(logits=logits, other_logits=other_logits)
    for name, counts in (("steps", (steps,)), ("every", every)):
        if not all(isinstance(count, int) and count >= 1 for count in counts):
            raise ValueError(f"{name} must be whole numbers, 1 or more; got {counts}")
    view = repeated_game(game, discount, x.dtype, normalized)
    learning: Learning = learn_unchecked(view, x, y, rules=rules, optimisers=optimisers, steps=steps, every=every)
    return learning


def direction(
    game: MatrixGame,
    rule: Rule,
    logits: Float[ArrayLike, "... _"],
    other_logits: Float[ArrayLike, "... _"],
    *,
    discount: ArrayLike,
    normalized: bool = True,
) -> Float[Array, "... 5"]:
    """Return what a fresh rule ascends at given logits; arguments and errors are those of `learn`."""
    x, y = checked_logits(logits=logits, other_logits=other_logits)
    ascended: Array = _direction(repeated_game(game, discount, x.dtype, normalized), x, y, rule=rule)
    return ascended


@compiled("rule", ranks=PAIR_RANKS)
def _direction(view: RepeatedGame, x: Array, y: Array, rule: Rule) -> Array:
    def one(view: RepeatedGame, x: Array, y: Array) -> Array:
        return rule.update(view, x, y, rule.init(x, y))[0]

    return over_pairs(one, view, x, y)
