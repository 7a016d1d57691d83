"""Every learning rule against every other, all seeds at once, in one compiled program.

Rule i meets rule j twice, as player 1 and as player 2, from the same first logits for every pair of rules (common
random numbers). Each rule is traced once and advances all its players side by side: both roles, all opponents,
all seeds.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ipd_theory import _checks, equilibria
from ipd_theory._arguments import checked
from ipd_theory._engine import compiled
from ipd_theory.games import MatrixGame, is_symmetric
from ipd_theory.learning.batching import batched
from ipd_theory.learning.optimizers import Optimizer, Transformation, checked_optimizers
from ipd_theory.learning.play import PlayerState, advance_in_turn, describe_problems, enter, turns_of
from ipd_theory.learning.rules.base import Problem, Rule, checked_rule, checked_rules, number
from ipd_theory.learning.rules.entrants import FIRST_TWELVE, Entrant, entrant
from ipd_theory.learning.views import RepeatedGame, checked_logits, repeated_game


class Tournament(NamedTuple):
    """The outcome of a round robin of n rules over S seeds.

    Args:
        scores: [2, n, n, S] average return over the last steps of the owner of row i, in role 0 or 1, against
            the rule of column j.
        returns: [2, n, n, times] return before and after each step, averaged over seeds.
        problem: [2, n, n, S] the first `Problem` that the row's rule met.
        problem_step: [2, n, n, S] when, −1 for never.
        residual: [2, n, n, S] the largest residual of the row's inner solver.
    """

    scores: Float[Array, "2 n n seeds"]
    returns: Float[Array, "2 n n times"]
    problem: Int[Array, "2 n n seeds"]
    problem_step: Int[Array, "2 n n seeds"]
    residual: Float[Array, "2 n n seeds"]


def _opponents(logits: Array) -> Array:
    """Return whom each player faces; `logits` is [n rules, 5, 2 roles, n opponents, S]."""
    return jnp.swapaxes(logits[:, :, ::-1], 0, 3)


@compiled("optimizers", "steps", "every", "tail")
def _play_all(
    view: RepeatedGame,
    first: Array,
    rules: tuple[Rule, ...],
    optimizers: tuple[Optimizer, ...],
    steps: int,
    every: tuple[int, ...],
    tail: int,
) -> Tournament:
    """Return the tournament from first logits [S, 2, 5] of both roles, each in its own view."""
    n, seeds = len(rules), first.shape[0]
    shape = (2, n, seeds)
    views = jax.tree.map(lambda a, b: jnp.stack([a, b], -1), view, view.exchanged())
    views = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf[..., None, None], (*leaf.shape[:-1], *shape)).reshape(*leaf.shape[:-1], -1),
        views,
    )

    def gathered(players: tuple[PlayerState, ...]) -> Array:
        return jnp.stack([player.logits.reshape(-1, *shape) for player in players])

    def faced(players: tuple[PlayerState, ...]) -> list[Array]:
        return list(_opponents(gathered(players)).reshape(n, -1, 2 * n * seeds))

    def earned(players: tuple[PlayerState, ...]) -> Array:
        returns = [batched(RepeatedGame.own)(views, p.logits, y) for p, y in zip(players, faced(players), strict=True)]
        return jnp.swapaxes(jnp.stack(returns).reshape(n, *shape), 0, 1)

    def step(
        state: tuple[tuple[PlayerState, ...], Array], t: Array
    ) -> tuple[tuple[tuple[PlayerState, ...], Array], Array]:
        players, total = state
        returns = earned(players)
        moved = []
        for rule, optimizer, turn, player, other in zip(rules, optimizers, every, players, faced(players), strict=True):

            def move(view: RepeatedGame, player: PlayerState, other: Array, rule: Rule = rule) -> PlayerState:
                return advance_in_turn(rule, optimizer, turn, view, player, other, t)  # noqa: B023 (used at once)

            moved.append(batched(move)(views, player, other))
        return (tuple(moved), total + jnp.where(t > steps - tail, returns, 0)), returns.mean(-1)

    starts = jnp.moveaxis(first, 0, -1)  # [2, 5, S]
    both = jnp.broadcast_to(jnp.moveaxis(starts, 0, 1)[:, :, None], (5, *shape)).reshape(5, -1)
    other = jnp.broadcast_to(jnp.moveaxis(starts[::-1], 0, 1)[:, :, None], (5, *shape)).reshape(5, -1)
    players = tuple(
        batched(functools.partial(enter, rule, optimizer))(both, other)
        for rule, optimizer in zip(rules, optimizers, strict=True)
    )
    zero = jnp.zeros((2, n, n, seeds), first.dtype)
    (players, total), returns = jax.lax.scan(step, (players, zero), jnp.arange(steps, dtype=jnp.int32))
    last = earned(players)

    def across(leaves: list[Array]) -> Array:
        return jnp.swapaxes(jnp.stack(leaves).reshape(n, *shape), 0, 1)

    return Tournament(
        scores=(total + last) / tail,
        returns=jnp.moveaxis(jnp.concatenate([returns, last.mean(-1)[None]]), 0, -1),
        problem=across([p.problem for p in players]),
        problem_step=across([p.problem_step for p in players]),
        residual=across([p.residual for p in players]),
    )


@checked
def play_all(
    game: MatrixGame,
    rules: tuple[Rule, ...],
    logits: Float[ArrayLike, "seeds 2 _"],
    *,
    discount: float,
    optimizers: tuple[Transformation, ...],
    steps: int,
    tail: int = 1,
    every: tuple[int, ...] | None = None,
) -> Tournament:
    """Play every rule against every rule, itself included, in both roles.

    Args:
        game: the stage game.
        rules: the n rules.
        logits: [S, 2, 5] first logits of player 1 and player 2, each in its own view, for each of S seeds.
        discount: γ in [0, 1]; returns are averages a step.
        optimizers: what turns each rule's direction into a step, one for each rule.
        steps: learning steps of each match.
        tail: scores average the returns after the last `tail` steps, 1 … steps.
        every: rule i moves at steps divisible by every[i] only and is frozen in between; all move always if None.

    Raises:
        ValueError: if a shape is wrong, or steps, tail or every are out of range.
    """
    (first,) = checked_logits(logits=logits)
    if first.ndim != 3 or first.shape[1] != 2:
        raise ValueError(f"logits has shape {first.shape}; it must be (seeds, 2, 5)")
    entered = checked_rules("rules", rules)
    turns = turns_of(every or (1,) * len(entered), len(entered))
    count = _checks.whole("steps", steps, 1)
    last = _checks.whole("tail", tail, 1, count)
    view = repeated_game(game, discount, first.dtype)
    if view.delta.ndim or view.own_payoffs.ndim > 1:
        raise ValueError("game and discount must be one, not a batch")
    optimized = checked_optimizers(optimizers, len(entered))
    outcome: Tournament = _play_all(view, first, entered, optimized, count, turns, last)
    return outcome


class MetaGame(NamedTuple):
    """The bimatrix game between learning rules: payoffs [n, n] and their standard errors over seeds.

    Args:
        A: what the row's rule earns as player 1 against the column's.
        B: what the column's rule earns as player 2 against the row's.
        A_error: standard error of A.
        B_error: standard error of B.
        disowned: [n] rules that did not do what they say: in more than half of their pairs they report that a solver
            stopped early or that a step was not finite. What they earned is no result of theirs, and no equilibrium
            is looked for among them.
    """

    A: Float[np.ndarray, "n n"]
    B: Float[np.ndarray, "n n"]
    A_error: Float[np.ndarray, "n n"]
    B_error: Float[np.ndarray, "n n"]
    disowned: Bool[np.ndarray, " n"]


@checked
def meta_game(game: MatrixGame, tournament: Tournament) -> MetaGame:
    """Return the game between rules; in a symmetric stage game the two roles of a seed are averaged first.

    Args:
        game: the stage game that was played.
        tournament: its outcome, 2 seeds or more.

    Raises:
        ValueError: if there is only one seed, so that there is no standard error.
    """
    scores = np.asarray(tournament.scores)
    seeds = scores.shape[-1]
    if seeds < 2:
        raise ValueError(f"seeds must be 2 or more for a standard error; got {seeds}")
    rows = [scores.mean(0)] * 2 if is_symmetric(game) else list(scores)
    means = [role.mean(-1) for role in rows]
    errors = [role.std(-1, ddof=1) / np.sqrt(seeds) for role in rows]
    broken = np.isin(np.asarray(tournament.problem), (Problem.NOT_FINITE, Problem.UNCONVERGED))
    return MetaGame(means[0], means[1].T, errors[0], errors[1].T, broken.mean((0, 2, 3)) > 0.5)


@checked
def nash_equilibria(table: MetaGame) -> list[equilibria.Equilibrium]:
    """Return the Nash equilibria of the game between the rules that are not disowned, as shares [n] of all of them.

    Args:
        table: from `meta_game`.
    """
    kept = np.flatnonzero(~table.disowned)
    if not kept.size:
        return []
    inner = np.ix_(kept, kept)
    found = equilibria.nash_equilibria(table.A[inner], table.B[inner])
    return [e._replace(row=_spread(e.row, table.disowned), column=_spread(e.column, table.disowned)) for e in found]


@checked
def survivors(table: MetaGame) -> Float[np.ndarray, " n"]:
    """Return the shares [n] that replicator dynamics reach from equal ones of the rules that are not disowned.

    Args:
        table: from `meta_game`, of a symmetric stage game.
    """
    kept = np.flatnonzero(~table.disowned)
    shares = equilibria.survivors(table.A[np.ix_(kept, kept)]) if kept.size else np.zeros(0)
    return _spread(shares, table.disowned)


@checked
def disowned_remarks(names: Sequence[str], table: MetaGame) -> dict[str, str]:
    """Return for each disowned rule, by name, why its payoffs are not to be taken at their face."""
    if len(names) != len(table.disowned):
        raise ValueError(f"names must be {len(table.disowned)}, one for each rule of the table; got {len(names)}")
    why = "unconverged or not finite in most pairs; not ranked"
    return {name: why for name, disowned in zip(names, table.disowned, strict=True) if disowned}


def _spread(shares: np.ndarray, disowned: np.ndarray) -> np.ndarray:
    whole = np.zeros(len(disowned))
    whole[~disowned] = shares
    return whole


def _entered(name: str, given: Any, discount: float) -> Entrant:
    if isinstance(given, str):
        return entrant(given, discount)
    if isinstance(given, Entrant):
        return Entrant(given.name, checked_rule(f"{name}.rule", given.rule))
    return Entrant(repr(given), checked_rule(name, given))


class SolvedTournament(NamedTuple):
    """A tournament with the game between its rules, solved.

    Args:
        entrants: in the order of rows; each rule prints its settings.
        outcome: every match.
        table: the game between rules.
        equilibria: of that game.
        survivors: [n] shares after replicator dynamics; None where the stage game differs from its two sides.
        problems: by entrant's name, one line for each kind of problem its rule met.
    """

    entrants: tuple[Entrant, ...]
    outcome: Tournament
    table: MetaGame
    equilibria: list[equilibria.Equilibrium]
    survivors: Float[np.ndarray, " n"] | None
    problems: dict[str, list[str]]


@checked
def tournament(
    game: MatrixGame,
    entrants: Sequence[str | Rule | Entrant] = FIRST_TWELVE,
    *,
    discount: float = 0.95,
    step: float = 5.0,
    seeds: int = 16,
    steps: int = 200,
    tail: int = 50,
    every: tuple[int, ...] = (),
    seed: int = 0,
) -> SolvedTournament:
    """Let learning rules meet each other from the same random first policies, and solve the game between them.

    Args:
        game: the stage game.
        entrants: rules by name, as `rules.entrants.entrant` reads them; rules, which are called what they print; or
            `Entrant(name, rule)`.
        discount: γ in [0, 1]; returns are averages a step.
        step: every player's own gradient step, above 0; what rules assume of the other's is among their settings.
        seeds: how many first policies, N(0, 1) logits, 2 or more.
        steps: learning steps of each match.
        tail: scores average the returns after the last so many steps, 1 … steps.
        every: rule i moves at steps divisible by every[i] only; all move always if empty.
        seed: of the first policies.

    Raises:
        ValueError: if an entrant is unknown or entered twice, or a number is out of range.
    """
    number("step", step, above=True)
    _checks.whole("seed", seed, 0, 2**32 - 1)
    number("discount", discount, 0.0, 1.0)
    _checks.whole("seeds", seeds, 2)
    entered = tuple(_entered(f"entrants[{i}]", e, discount) for i, e in enumerate(entrants))
    if not entered or len({e.name for e in entered}) < len(entered):
        raise ValueError(f"entrants must be one or more, each once; got {', '.join(e.name for e in entered) or 'none'}")
    outcome = play_all(
        game,
        tuple(e.rule for e in entered),
        jax.random.normal(jax.random.key(seed), (seeds, 2, 5)),
        discount=discount,
        optimizers=(optax.sgd(step),) * len(entered),
        steps=steps,
        tail=tail,
        every=every or None,
    )
    table = meta_game(game, outcome)
    problems = {
        e.name: lines
        for i, e in enumerate(entered)
        if (lines := describe_problems(outcome.problem[:, i], outcome.problem_step[:, i]))
    }
    shares = survivors(table) if is_symmetric(game) else None
    return SolvedTournament(entered, outcome, table, nash_equilibria(table), shares, problems)
