r"""What play says of a strategy: what it earns and enforces, what it is, and how one would exploit it.

Tables drawn from the posterior (`tables.posterior_tables`) go through the exact engine, all at once; what comes out of
each is a draw from the posterior of the result. With one table, of which one is sure, the results are those of
`expected_returns`, `zero_determinant` and `replies`.

No table drawn from a continuous posterior is a best reply to itself to the last digit, or on a line of payoffs exactly.
A word therefore holds of a table within what is stated: Nash, if no reply gains more than a *margin* a step; rival, if
no opponent gets ahead by more; partner, if Nash and after mutual cooperation it cooperates up to the *closeness*, a
probability; extortionate, if p̃ (`zero_determinant`) is so near, in Euclidean distance, to that of an extortioner with
χ > 1. A margin and a closeness of 0 make them the words of `replies`.

A context that was never visited is drawn from the prior: what then comes out is what the prior says there.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ipd_theory import _checks, automata, replies, strategies, zero_determinant
from ipd_theory._arguments import checked
from ipd_theory.automata import Automaton
from ipd_theory.games import MatrixGame
from ipd_theory.replies.best import race, rounding_of_returns, same_from_all_sides
from ipd_theory.returns import expected_returns, state_occupancy
from ipd_theory.strategies.tables import contexts_of_cooperation

OWN_C, OTHER_C = (1.0, 1.0, 0.0, 0.0), (1.0, 0.0, 1.0, 0.0)  # who cooperates in CC, CD, DC, DD
USUAL_MARGIN = 0.05  # of the span of payoffs


class Spread(NamedTuple):
    """A quantity [...] over the draws, its median and the ends of its credible interval.

    Args:
        median, low, high: [...] order statistics of the draws in which it is defined; NaN where it is so in none.
        defined: [...] the share of those draws.
        draws: [draws, ...] the quantity itself, NaN where it is not defined.
    """

    median: Float[np.ndarray, "..."]
    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]
    defined: Float[np.ndarray, "..."]
    draws: Float[np.ndarray, "draws ..."]


class Encounter(NamedTuple):
    """What the strategy and an opponent earn, a step, and how often each cooperates."""

    own: Spread
    other: Spread
    own_cooperation: Spread
    other_cooperation: Spread


class Line(NamedTuple):
    """The line s (π₁ − l) = π₂ − l nearest to what tables enforce; it is enforced where the distance is 0.

    Args:
        slope, baseline: s, and l in payoff units; not defined where p̃ = 0, since every line fits.
        distance: |p̃ − (α A + β B + κ)|, a difference of probabilities.
    """

    slope: Spread
    baseline: Spread
    distance: Spread


class Extortion(NamedTuple):
    """How likely a table is to be extortionate [...], and the χ of those draws that are."""

    probability: Float[np.ndarray, "..."]
    chi: Spread


class ReadOut(NamedTuple):
    """What tables drawn from a posterior say, each result with its uncertainty.

    Args:
        itself: what the strategy and its copy earn.
        against: the same with each opponent, by name.
        best_reply_earns: what the best reply to a table earns, were the table known.
        optimal: [..., h, 2] how likely to cooperate, and to defect, is to be optimal in a context, seen by who replies.
        exploiter: [..., h] the best reply to the posterior mean, a pure table.
        exploiter_earns: what that earns.
        gap: what a best reply to the strategy gains over the strategy itself.
        lead: by how much an opponent can get ahead of it.
        nash, partner, rival: [...] how likely it is to be each, within margin and closeness.
        line: what it enforces; None beyond memory one.
        extortion: None beyond memory one, and in games that are no prisoner's dilemma.
        margin: of payoffs, a step.
        closeness: of probabilities.
        level: probability that the intervals hold.
    """

    itself: Encounter
    against: dict[str, Encounter]
    best_reply_earns: Spread
    optimal: Float[np.ndarray, "... h 2"]
    exploiter: Float[np.ndarray, "... h"]
    exploiter_earns: Spread
    gap: Spread
    lead: Spread
    nash: Float[np.ndarray, "..."]
    partner: Float[np.ndarray, "..."]
    rival: Float[np.ndarray, "..."]
    line: Line | None
    extortion: Extortion | None
    margin: float
    closeness: float
    level: float


@checked
def read_out(
    game: MatrixGame,
    tables: Float[ArrayLike, "*draws h"],
    *,
    discount: float = 1.0,
    against: Mapping[str, ArrayLike | Automaton] | None = None,
    level: float = 0.95,
    margin: float | None = None,
    closeness: float = 0.1,
) -> ReadOut:
    """Return what tables drawn from a posterior earn, enforce and are, and what the best replies to them earn.

    Args:
        game: the stage game, symmetric, for two.
        tables: [draws, ..., h] of memory 0 to 3, as `posterior_tables` draws them.
        discount: γ in (0, 1]; 1 is the limit of means.
        against: opponents by name, tables [h] or automata.
        level: probability that the intervals hold, between 0 and 1.
        margin: in payoff units a step, from 0 to their span, within which the strategy is Nash, partner or rival; if
            not given, a twentieth of that span.
        closeness: in probabilities, 0 to 1, within which it is nice or extortionate.

    Raises:
        ValueError: if the game is not symmetric and for two, a shape is wrong, or a number is out of range.
    """
    _checks.two_players(game, batch=False)
    same_from_all_sides(game)
    drawn = _checks.probabilities("tables", tables)
    if drawn.ndim < 2 or drawn.size == 0:
        raise ValueError(f"tables must have the shape [draws, ..., h]; got {drawn.shape}")
    memory = strategies.memory_of(drawn, name="tables")
    gamma = _checks.number("discount", discount, 0, 1, open_low=True)
    _checks.number("level", level, 0, 1, open_low=True, open_high=True)
    near = _checks.number("closeness", closeness, 0, 1)
    span = float(game.payoffs.max() - game.payoffs.min())
    slack = USUAL_MARGIN * span if margin is None else _checks.number("margin", margin, 0, span)
    within = max(slack, float(rounding_of_returns(game, drawn.dtype)))

    itself = _meeting(game, drawn, drawn, gamma, level)
    best = replies.best_responses(game, drawn, discount=gamma)
    exploiter = replies.best_responses(game, drawn.mean(0), discount=gamma).strategy
    caught = expected_returns(game, exploiter, drawn, discount=gamma)[..., 0]
    gap = np.maximum(np.asarray(best.value) - itself.own.draws, 0)
    lead = np.asarray(replies.best_responses(race(game), drawn, discount=gamma, player=1).value)
    nash, nice = gap <= within, (drawn[..., contexts_of_cooperation(memory)] >= 1 - near).all(-1)
    return ReadOut(
        itself,
        {name: _meeting(game, drawn, _held(name, x), gamma, level) for name, x in (against or {}).items()},
        spread(best.value, level),
        np.asarray(best.optimal).mean(0),
        np.asarray(exploiter),
        spread(caught, level),
        spread(gap, level),
        spread(lead, level),
        np.asarray(nash.mean(0)),
        np.asarray((nash & np.asarray(nice)).mean(0)),
        np.asarray((lead <= within).mean(0)),
        _line(game, drawn, gamma, level) if memory <= 1 else None,
        _extortion(game, drawn, gamma, near, level) if memory <= 1 and _is_dilemma(game) else None,
        slack,
        near,
        level,
    )


def spread(draws: ArrayLike, level: float) -> Spread:
    """Return the median and the ends of the credible interval of draws [draws, ...], NaN where there is nothing."""
    values = np.asarray(draws, float)
    ordered, many = np.sort(values, 0), (~np.isnan(values)).sum(0)  # NaN goes last

    def at(share: float) -> np.ndarray:
        place = np.rint(share * np.maximum(many - 1, 0)).astype(int)
        return np.asarray(np.take_along_axis(ordered, place[None], 0)[0])

    outside = (1 - level) / 2
    return Spread(at(0.5), at(outside), at(1 - outside), np.asarray(many / len(values)), values)


def _held(name: str, opponent: ArrayLike | Automaton) -> Array | Automaton:
    if isinstance(opponent, Automaton):
        if opponent.cooperate.ndim != 1:
            raise ValueError(f"against {name!r} must be one automaton; got parts of shape {opponent.cooperate.shape}")
        return opponent
    table = _checks.probabilities(f"against {name!r}", opponent)
    if table.ndim != 1:
        raise ValueError(f"against {name!r} must be one table [h]; got the shape {table.shape}")
    strategies.memory_of(table, name=f"against {name!r}")
    return table


def _meeting(game: MatrixGame, tables: Array, other: Array | Automaton, gamma: float, level: float) -> Encounter:
    shares = _outcomes(tables, other, gamma)
    own, theirs = np.asarray(game.outcome_payoffs, float)
    return Encounter(*(spread(shares @ paid, level) for paid in (own, theirs, np.array(OWN_C), np.array(OTHER_C))))


def _outcomes(tables: Array, other: Array | Automaton, gamma: float) -> Float[np.ndarray, "draws *axes 4"]:
    """Return the share of time with each outcome."""
    if not isinstance(other, Automaton):
        contexts = np.asarray(state_occupancy(tables, other, discount=gamma), float)
        return contexts.reshape(*contexts.shape[:-1], -1, 4).sum(-2)  # a context's last outcome changes fastest
    machine = automata.of_table(tables)
    time = np.asarray(automata.occupancy(machine, other, discount=gamma), float)
    p, q = np.asarray(machine.cooperate)[..., :, None], np.asarray(other.cooperate)
    chances = (p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q))
    return np.stack([(time * chance).sum((-1, -2)) for chance in chances], -1)


def _line(game: MatrixGame, tables: Array, gamma: float, level: float) -> Line:
    found = zero_determinant.relation(game, strategies.extend(tables, 1), gamma)
    # Where p̃ = 0, one's own last action is repeated: every line fits, and what rounding leaves is none.
    weight = jnp.maximum(jnp.abs(found.own), jnp.abs(found.other)) * jnp.ptp(game.payoffs)
    says = weight > 64 * jnp.finfo(weight.dtype).eps
    slope, baseline = (jnp.where(says, x, jnp.nan) for x in (found.slope, found.baseline))
    return Line(spread(slope, level), spread(baseline, level), spread(jnp.sqrt(found.residual), level))


def _extortion(game: MatrixGame, tables: Array, gamma: float, near: float, level: float) -> Extortion:
    """Return how many draws are near an extortioner, which one is nearest to them: χ = 1 is fair, φ = 0 nothing."""
    found = zero_determinant.fit(game, strategies.extend(tables, 1), gamma, constrained=True)
    rounding = 64 * float(jnp.finfo(found.chi.dtype).eps)
    close: Bool[np.ndarray, "draws ..."] = np.asarray(found.residual <= max(near**2, rounding))
    chi = np.asarray(found.chi)
    extorts = close & (chi > 1 + rounding) & np.isfinite(chi)
    return Extortion(np.asarray(extorts.mean(0)), spread(np.where(extorts, chi, np.nan), level))


def _is_dilemma(game: MatrixGame) -> bool:
    R, S, T, P = np.asarray(game.outcome_payoffs)[0]
    return bool(T > R > P > S)
