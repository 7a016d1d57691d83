"""Two learning rules at play: who moves when, with which optimiser, and what went wrong where."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, Int

from ipd_theory.games import MatrixGame
from ipd_theory.learning.rules.base import Problem, RepeatedGame, Rule, checked_logits, repeated_game

Optimisers = tuple[optax.GradientTransformation, optax.GradientTransformation]


class Learning(NamedTuple):
    """What became of a pair, or a batch of pairs [...].

    Args:
        logits: [..., 2, 5] of both players after the last step, each in its own view.
        returns: [..., steps + 1, 2] of both players, before the first step and after each.
        problem: [..., 2] the first `Problem` of each player's rule, 0 for none.
        problem_step: [..., 2] the step (from 0) at which it arose, −1 for none.
        residual: [..., 2] the largest residual of each player's inner solver.

    Where a player's step is not finite, both players of the pair stay where they are from then on.
    """

    logits: Float[Array, "... 2 5"]
    returns: Float[Array, "... times 2"]
    problem: Int[Array, "... 2"]
    problem_step: Int[Array, "... 2"]
    residual: Float[Array, "... 2"]

    def problems(self) -> list[str]:
        """Return one line for each kind of problem that arose: what, in how many pairs, from which step."""
        lines = []
        for player in (0, 1):
            codes, steps = self.problem[..., player].ravel(), self.problem_step[..., player].ravel()
            for problem in Problem:
                met = codes == problem
                if problem != Problem.NONE and met.any():
                    what = problem.name.lower().replace("_", " ")
                    first = int(jnp.where(met, steps, jnp.iinfo(steps.dtype).max).min())
                    lines.append(
                        f"player {player + 1}: {what} in {int(met.sum())} of {met.size} pairs, first at step {first}"
                    )
        return lines


class _State(NamedTuple):
    logits: tuple[Array, Array]
    memory: tuple[Any, Any]
    optimiser: tuple[Any, Any]
    stopped: Array
    problem: Array
    problem_step: Array
    residual: Array


def _learn_pair(
    view: RepeatedGame,
    x: Array,
    y: Array,
    rules: tuple[Rule, Rule],
    optimisers: Optimisers,
    steps: int,
    every: tuple[int, int],
) -> Learning:
    """Return what becomes of one pair; see `learn`."""

    def move(i: int, state: _State, t: Array) -> tuple[Array, Any, Any, Array, Array, Array]:
        own, other = state.logits[i], state.logits[1 - i]
        seen = view if i == 0 else view.swapped()
        direction, memory, info = rules[i].update(seen, own, other, state.memory[i])
        change, optimiser = optimisers[i].update(-direction, state.optimiser[i], own)
        finite = jnp.isfinite(own + change).all()
        moves = t % every[i] == 0
        new = jnp.where(moves & finite & ~state.stopped, own + change, own)
        keep = functools.partial(jnp.where, moves)
        memory = jax.tree.map(keep, memory, state.memory[i])
        optimiser = jax.tree.map(keep, optimiser, state.optimiser[i])
        problem = jnp.where(finite | (info.problem != Problem.NONE), info.problem, Problem.NOT_FINITE)
        problem = jnp.where(moves, problem, Problem.NONE).astype(jnp.int32)
        return new, memory, optimiser, moves & ~finite, problem, jnp.where(moves, info.residual, 0)

    def earned(logits: tuple[Array, Array]) -> Array:
        return jnp.stack([view.own(*logits), view.other(*logits)])

    def step(state: _State, t: Array) -> tuple[_State, Array]:
        new, memory, optimiser, failed, problem, residual = zip(*(move(i, state, t) for i in (0, 1)), strict=True)
        first = (state.problem == Problem.NONE) & (jnp.stack(problem) != Problem.NONE) & ~state.stopped
        next_state = _State(
            logits=tuple(jnp.where(failed[0] | failed[1], old, x) for x, old in zip(new, state.logits, strict=True)),
            memory=memory,
            optimiser=optimiser,
            stopped=state.stopped | failed[0] | failed[1],
            problem=jnp.where(first, jnp.stack(problem), state.problem),
            problem_step=jnp.where(first, t, state.problem_step),
            residual=jnp.maximum(state.residual, jnp.where(state.stopped, 0, jnp.stack(residual))),
        )
        return next_state, earned(state.logits)

    none = jnp.zeros(2, jnp.int32)
    state = _State(
        logits=(x, y),
        memory=(rules[0].init(x, y), rules[1].init(y, x)),
        optimiser=(optimisers[0].init(x), optimisers[1].init(y)),
        stopped=jnp.array(False),
        problem=none,
        problem_step=none - 1,
        residual=jnp.zeros(2, x.dtype),
    )
    state, returns = jax.lax.scan(step, state, jnp.arange(steps, dtype=jnp.int32))
    returns = jnp.concatenate([returns, earned(state.logits)[None]])
    return Learning(jnp.stack(state.logits), returns, state.problem, state.problem_step, state.residual)


def over_pairs(function: Callable[..., Any], view: RepeatedGame, x: Array, y: Array) -> Any:
    """Return `function(view, x, y)` over the leading axes of all three, broadcast; results carry those axes first.

    The batch runs along the last axis, so that each logit of all pairs lies side by side.
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
    results = jax.vmap(function, in_axes=-1, out_axes=-1)(views, last(x, 1), last(y, 1))
    return jax.tree.map(lambda r: jnp.moveaxis(r, -1, 0).reshape(*shape, *r.shape[:-1]), results)


@functools.partial(jax.jit, static_argnames=("rules", "optimisers", "steps", "every"))
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
    run = functools.partial(_learn_pair, rules=rules, optimisers=optimisers, steps=steps, every=every)
    return over_pairs(run, view, x, y)


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
    return learn_unchecked(view, x, y, rules, optimisers, steps, every)


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
    return _direction(repeated_game(game, discount, x.dtype, normalized), x, y, rule)


@functools.partial(jax.jit, static_argnames="rule")
def _direction(view: RepeatedGame, x: Array, y: Array, rule: Rule) -> Array:
    def one(view: RepeatedGame, x: Array, y: Array) -> Array:
        return rule.update(view, x, y, rule.init(x, y))[0]

    return over_pairs(one, view, x, y)
