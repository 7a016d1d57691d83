r"""Players that learn within one long match, exactly: Bayes-optimal play against an unknown memory-one opponent.

The opponent plays a memory-one strategy whose five probabilities are drawn once, each from a Beta law, U(0, 1) unless
said otherwise. A predictor trained on such opponents that predicts as well as can be counts: if the opponent has
cooperated in c of its v decisions after outcome k, it does so next with probability

    (α_k + c) / (α_k + β_k + v).

What is known is therefore (k; v, c), the last outcome and two numbers for each of CC, CD, DC, DD, here as the agent
sees them, and the best reply to what is believed solves

    V(k; v, c) = max_a E_{a'} [ r(a, a') + V(aa'; v + e_k, c + e_k 1{a' = C}) ],      V = 0 after the last round.

States are kept in blocks, one for each v, indexed by the last outcome and by c: a step back is then a shift of a block.
An agent that plays so is a deterministic function of what it sees; whoever knows it can lead it anywhere
(`exploitation`). The first iteration of predictive policy improvement (`policy_improvement`) uses the same recursion.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._fractions import fraction
from ipd_theory.games import MatrixGame

Visits = tuple[int, ...]  # how often the opponent has decided after CC, CD, DC, DD
Layer = dict[Visits, np.ndarray]  # [4, v_CC + 1, …, v_DD + 1] by the last outcome and the opponent's cooperations
Number = Any  # a float, or a fraction where play is exact
SAME = 1e-10  # values of two actions that floats cannot tell apart; then the agent defects
MOST_ROUNDS = 32  # 30 rounds hold half a gigabyte


@dataclass(frozen=True)
class Exploitation:
    """What the best exploiter of a Bayes-optimal player gets, and what it leaves.

    Args:
        exploiter: its sum of payoffs over the horizon.
        agent: the player's sum.
        actions: the agent's and the exploiter's action in each round, 0 cooperate, 1 defect.
    """

    exploiter: Fraction | float
    agent: Fraction | float
    actions: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Improvement:
    """One step of predictive policy improvement.

    Args:
        before: expected sum of payoffs of the policy that the model has learnt.
        after: that of the improved policy.
        residual: largest change of a probability of cooperating over what may happen; 0 at a fixed point.
    """

    before: float
    after: float
    residual: float


@checked
def bayes_value(
    game: MatrixGame, horizon: int, *, exact: bool = True, prior: ArrayLike | None = None
) -> Fraction | float:
    """Return the expected sum of payoffs over the horizon of the Bayes-optimal player 1.

    Args:
        game: the stage game.
        horizon: how many rounds are played and known to be, 1 to 32; fractions are for 12 or so.
        exact: compute in fractions; in floats otherwise.
        prior: [5, 2] the parameters α, β of the Beta law of the opponent's probability of cooperating in the first
            round and after CC, CD, DC, DD as player 1 sees them; all 1 if None, the uniform law.

    Raises:
        ValueError: if the game is a batch or not for two, the horizon is out of range, or a parameter is not positive.

    Source: the setting of arXiv 2602.16301; Duff 2002 for the recursion (Bayes-adaptive decisions).
    """
    match = _match(game, horizon, exact, prior)
    after = match.nothing(horizon - 1)
    for rounds in range(horizon - 2, -1, -1):
        after = {v: np.stack([np.maximum(*q) for q in match.actions(after, v)]) for v in _visits(rounds)}
    value: Fraction | float = max(match.first(after[0, 0, 0, 0]))
    return value


@checked
def bayes_player(
    game: MatrixGame, horizon: int, *, exact: bool = True, prior: ArrayLike | None = None
) -> Callable[[Sequence[tuple[int, int]]], int]:
    """Return the Bayes-optimal player: from the rounds so far, its action and the opponent's, to its next action.

    Where two actions are as good, it defects.

    Args:
        game: the stage game; the agent is player 1.
        horizon: as `bayes_value`, 1 to 20.
        exact: compute in fractions; in floats otherwise.
        prior: [5, 2] as `bayes_value`.

    Raises:
        ValueError: as `bayes_value`.
    """
    plan = _plan(game, horizon, exact, prior)

    def act(history: Sequence[tuple[int, int]]) -> int:
        if len(history) >= horizon:
            raise ValueError(f"history must have fewer than {horizon} rounds, the horizon; got {len(history)}")
        if not history:
            return plan.opens
        visits, cooperations = [0] * 4, [0] * 4
        for (a, b), (_, then) in itertools.pairwise(history):
            visits[2 * a + b] += 1
            cooperations[2 * a + b] += 1 - then
        last = 2 * history[-1][0] + history[-1][1]
        return int(plan.defects[len(history) - 1][tuple(visits)].item(last, *cooperations))

    return act


@checked
def exploitation(game: MatrixGame, horizon: int, *, exact: bool = True, prior: ArrayLike | None = None) -> Exploitation:
    """Return what the best exploiter of the Bayes-optimal player gets: an opponent that knows how it learns.

    The exploiter is bound to no strategy: it plays any sequence of actions. Where two actions are as good, the agent
    defects, and the exploiter takes the one that leaves the agent more.

    Args:
        game: the stage game; the agent is player 1.
        horizon: as `bayes_value`, 1 to 20.
        exact: compute in fractions; in floats otherwise.
        prior: [5, 2] as `bayes_value`.

    Raises:
        ValueError: as `bayes_value`.
    """
    plan = _plan(game, horizon, exact, prior)
    match = plan.match
    exploiter = agent = match.nothing(horizon - 1)
    leads: list[Layer] = []
    for rounds in range(horizon - 2, -1, -1):
        found = {v: match.led(exploiter, agent, v, plan.defects[rounds][v]) for v in _visits(rounds)}
        exploiter, agent, lead = ({v: three[i] for v, three in found.items()} for i in range(3))
        leads.insert(0, lead)
    last = [2 * plan.opens + b for b in (0, 1)]
    options = [
        (match.r2[plan.opens, b] + exploiter[0, 0, 0, 0].item(k), match.r[plan.opens, b] + agent[0, 0, 0, 0].item(k))
        for b, k in enumerate(last)
    ]
    begins = max((0, 1), key=lambda b: options[b])
    return Exploitation(*options[begins], _played(plan.defects, leads, (plan.opens, begins)))


@checked
def policy_improvement(
    game: MatrixGame,
    horizon: int,
    strategy: Float[np.ndarray, " _"],
    *,
    inverse_temperature: float,
    prior: ArrayLike | None = None,
) -> Improvement:
    """Return what one step of predictive policy improvement, π(a|h) ∝ p(a|h) exp(β Q_p(h, a)), does to a policy.

    Q_p is what player 1 expects from action a and p ever after, where it believes as the counting predictor does.

    Args:
        game: the stage game.
        horizon: as `bayes_value`.
        strategy: [5] the memory-one strategy p that the model has learnt to play.
        inverse_temperature: β, 0 or more.
        prior: [5, 2] as `bayes_value`.

    Raises:
        ValueError: as `bayes_value`, or if the strategy is not five probabilities or β is negative.

    Source: arXiv 2602.16301, predictive policy improvement, with the predictor replaced by the exact one.
    """
    p = np.asarray(_checks.probabilities("strategy", strategy), float)
    _checks.last_axis("strategy", p, (5,), "start, CC, CD, DC, DD")
    beta = _checks.number("inverse_temperature", inverse_temperature, 0.0)
    match = _match(game, horizon, False, prior)
    before = after = match.nothing(horizon - 1)
    residual = 0.0

    def improved(q: Any, cooperates: float) -> Any:
        return cooperates / (cooperates + (1 - cooperates) * np.exp(np.clip(beta * (q[1] - q[0]), -700, 700)))

    for rounds in range(horizon - 2, -1, -1):
        old, new = {}, {}
        for v in _visits(rounds):
            q, better = match.actions(before, v), match.actions(after, v)
            pi = [improved(both, x) for both, x in zip(q, p[1:], strict=True)]
            old[v] = np.stack([_mean(x, both) for both, x in zip(q, p[1:], strict=True)])
            new[v] = np.stack([_mean(x, both) for both, x in zip(better, pi, strict=True)])
            residual = max(residual, *(float(np.abs(x - y).max()) for x, y in zip(pi, p[1:], strict=True)))
        before, after = old, new
    first, bettered = match.first(before[0, 0, 0, 0]), match.first(after[0, 0, 0, 0])
    x = float(improved(first, p[0]))
    residual = max(residual, abs(x - float(p[0])))
    return Improvement(float(_mean(p[0], first)), float(_mean(x, bettered)), residual)


@checked
def informed_value(game: MatrixGame, horizon: int, opponents: Float[np.ndarray, "... _"]) -> np.ndarray:
    """Return the expected sum of payoffs [...] of a player 1 that knows its opponent's probabilities.

    Its mean over opponents bounds `bayes_value` from above; over many rounds, it is as many times the best reply's
    return at discount 1 (`replies.best_responses`).

    Args:
        game: the stage game.
        horizon: how many rounds are played, 1 or more.
        opponents: [..., 5] memory-one strategies in player 2's own view.

    Raises:
        ValueError: if the game is a batch or not for two, or a strategy is not five probabilities.
    """
    _checks.two_players(game, batch=False)
    _checks.whole("horizon", horizon, 1)
    q = np.asarray(_checks.probabilities("opponents", opponents), float)
    _checks.last_axis("opponents", q, (5,), "start, CC, CD, DC, DD")
    q = q[..., (0, 1, 3, 2, 4)]  # by the outcome as player 1 sees it
    r = np.asarray(game.payoffs[0], float)
    value = np.zeros((*q.shape[:-1], 2, 2))
    for left in range(horizon):
        x = q[..., :1] if left == horizon - 1 else q[..., 1:]
        gains = r + value
        value = np.maximum(*(x * gains[..., a, :1] + (1 - x) * gains[..., a, 1:] for a in (0, 1)))
        value = value[..., 0] if left == horizon - 1 else value.reshape(*q.shape[:-1], 2, 2)
    return value


@dataclass(frozen=True)
class _Match:
    """Payoffs of both by their actions, and the prior's parameters; all fractions or all floats."""

    r: np.ndarray
    r2: np.ndarray
    prior: np.ndarray
    same: Number

    def nothing(self, rounds: int) -> Layer:
        """Return the layer after the last round: nothing is to come."""
        kind = object if self.prior.dtype == object else float
        return {v: np.zeros((4, *(n + 1 for n in v)), kind) for v in _visits(rounds)}

    def actions(self, after: Layer, visits: Visits) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return, for each last outcome, the values [v + 1 …] of cooperating and of defecting."""
        return [self._actions(after, visits, k) for k in range(4)]

    def _actions(self, after: Layer, visits: Visits, k: int) -> tuple[np.ndarray, np.ndarray]:
        given, refused = _next(after, visits, k)
        alpha, beta = self.prior[k + 1]
        count = np.arange(visits[k] + 1, dtype=self.prior.dtype).reshape([-1 if i == k else 1 for i in range(4)])
        x = (count + alpha) / (visits[k] + alpha + beta)
        c, d = (self._expected(x, given[2 * a], refused[2 * a + 1], self.r[a]) for a in (0, 1))
        return c, d

    @staticmethod
    def _expected(x: np.ndarray, given: np.ndarray, refused: np.ndarray, r: np.ndarray) -> np.ndarray:
        """Return x (r_C + given) + (1 − x) (r_D + refused), with few passes over what is large."""
        q = given - refused
        q *= x
        q += refused
        q += r[1] + x * (r[0] - r[1])
        return q

    def led(
        self, exploiter: Layer, agent: Layer, visits: Visits, plays: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what the exploiter and the agent get [4, v + 1 …] where the agent plays so, and the leading action."""
        shown: list[list[np.ndarray]] = [[], [], []]
        for k in range(4):
            theirs, mine = _next(exploiter, visits, k), _next(agent, visits, k)
            e, u = (
                [np.where(plays[k], r[1, b] + x[b][2 + b], r[0, b] + x[b][b]) for b in (0, 1)]
                for r, x in ((self.r2, theirs), (self.r, mine))
            )
            close = np.abs(e[1] - e[0]) <= self.same
            defects = np.where(close, u[1] > u[0], e[1] > e[0])
            for to, x in zip(shown, (np.where(defects, *e[::-1]), np.where(defects, *u[::-1]), defects), strict=True):
                to.append(x)
        led, left, leads = (np.stack(x) for x in shown)
        return led, left, leads

    def first(self, after: np.ndarray) -> tuple[Number, Number]:
        """Return the values of cooperating and of defecting in the first round, given the one block after it."""
        alpha, beta = self.prior[0]
        x = alpha / (alpha + beta)
        c, d = (
            x * (self.r[a, 0] + after.item(2 * a)) + (1 - x) * (self.r[a, 1] + after.item(2 * a + 1)) for a in (0, 1)
        )
        return c, d


def _mean(x: Any, both: tuple[Any, Any]) -> Any:
    """Return the value of cooperating with probability x."""
    return x * both[0] + (1 - x) * both[1]


def _next(after: Layer, visits: Visits, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a later layer's block where the opponent cooperates after outcome k, and where it defects."""
    block = after[tuple(v + (i == k) for i, v in enumerate(visits))]
    given, refused = ([slice(None)] * 5 for _ in range(2))
    given[k + 1], refused[k + 1] = slice(1, None), slice(None, -1)
    return block[tuple(given)], block[tuple(refused)]


def _visits(rounds: int) -> Iterator[Visits]:
    for cuts in itertools.combinations_with_replacement(range(rounds + 1), 3):
        yield cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1], rounds - cuts[2]


def _match(game: MatrixGame, horizon: int, exact: bool, prior: ArrayLike | None) -> _Match:
    _checks.two_players(game, batch=False)
    _checks.whole("horizon", horizon, 1, MOST_ROUNDS)
    given = np.ones((5, 2)) if prior is None else np.asarray(prior)
    if given.shape != (5, 2) or not (np.isfinite(given.astype(float)) & (given.astype(float) > 0)).all():
        raise ValueError(f"prior must be (5, 2) positive parameters α, β; got {given}")
    number: Callable[[Any], Number] = fraction if exact else float
    kind = object if exact else float

    def array(x: Any) -> np.ndarray:
        numbers = [number(y) for y in np.asarray(x).ravel()]
        return np.array(numbers, kind).reshape(np.shape(x))

    return _Match(array(game.payoffs[0]), array(game.payoffs[1]), array(given), Fraction(0) if exact else SAME)


@dataclass(frozen=True)
class _Plan:
    """What the Bayes-optimal player does: its first action, and whether it defects in each later round's states."""

    match: _Match
    opens: int
    defects: list[Layer]


def _plan(game: MatrixGame, horizon: int, exact: bool, prior: ArrayLike | None) -> _Plan:
    _checks.whole("horizon", horizon, 1, 20)
    match = _match(game, horizon, exact, prior)
    after = match.nothing(horizon - 1)
    defects: list[Layer] = []
    for rounds in range(horizon - 2, -1, -1):
        values, plays = {}, {}
        for v in _visits(rounds):
            q = match.actions(after, v)
            values[v] = np.stack([np.maximum(*both) for both in q])
            plays[v] = np.stack([both[0] <= both[1] + match.same for both in q])
        after = values
        defects.insert(0, plays)
    cooperates, refuses = match.first(after[0, 0, 0, 0])
    return _Plan(match, int(cooperates <= refuses + match.same), defects)


def _played(defects: list[Layer], leads: list[Layer], first: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the actions of agent and exploiter in each round."""
    played = [first]
    visits, cooperations = [0] * 4, [0] * 4
    for agent, exploiter in zip(defects, leads, strict=True):
        k = 2 * played[-1][0] + played[-1][1]
        a, b = (int(layer[tuple(visits)].item(k, *cooperations)) for layer in (agent, exploiter))
        visits[k] += 1
        cooperations[k] += 1 - b
        played.append((a, b))
    return tuple(played)
