"""Bayes-optimal play against unknown opponents: against trees of histories in fractions, play, best replies."""

import functools
import itertools
from fractions import Fraction
from math import factorial

import matplotlib.pyplot as plt
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory.learning import in_context
from paper_figures import figure_in_context

AXELROD = ipd.prisoners_dilemma(R=3.0, S=0.0, T=5.0, P=1.0)
LEFTOVER = ipd.games.bimatrix([[2.0, -1.0], [3.0, 0.0]], [[1.0, 4.0], [-2.0, 0.0]])
ROUNDS = [(a, b) for a in (0, 1) for b in (0, 1)]


def likelihood(history) -> Fraction:
    """The chance of the opponent's actions given ours, integrated over U(0, 1)^5: products of c! d! / (c + d + 1)!."""
    counts: dict[object, list[int]] = {}
    for before, (_, b) in zip([None, *history], history, strict=False):
        counts.setdefault(before, [0, 0])[b] += 1
    total = Fraction(1)
    for c, d in counts.values():
        total *= Fraction(factorial(c) * factorial(d), factorial(c + d + 1))
    return total


def tree(r, horizon: int, policy: dict, history=()) -> Fraction:
    """What is to come after a history, times its chance; the best action of each history goes to `policy`."""
    if len(history) == horizon:
        return Fraction(0)
    values = []
    for a in (0, 1):
        each = [(*history, (a, b)) for b in (0, 1)]
        values.append(sum(likelihood(h) * Fraction(r[a][h[-1][1]]) + tree(r, horizon, policy, h) for h in each))
    policy[history] = int(values[0] <= values[1])
    return max(values)


@pytest.mark.parametrize("game", [AXELROD, LEFTOVER])
def test_dynamic_programming_equals_the_tree_of_histories_in_fractions(game):
    r, r2 = ([[Fraction(float(x)) for x in row] for row in game.payoffs[i]] for i in (0, 1))
    for horizon in range(1, 6 + (game is AXELROD)):
        policy: dict = {}
        value = in_context.bayes_value(game, horizon)
        assert isinstance(value, Fraction)
        assert value == tree(r, horizon, policy)
        assert abs(in_context.bayes_value(game, horizon, exact=False) - value) < 1e-12
        player = in_context.bayes_player(game, horizon)
        assert all(player(history) == action for history, action in policy.items())
        best = max(play(policy, r, r2, actions) for actions in itertools.product((0, 1), repeat=horizon))
        found = in_context.exploitation(game, horizon)
        assert (found.exploiter, found.agent) == best
        assert (sum(r2[a][b] for a, b in found.actions), sum(r[a][b] for a, b in found.actions)) == best


def play(policy, r, r2, actions):
    history: tuple = ()
    for b in actions:
        history += ((policy[history], b),)
    return sum(r2[a][b] for a, b in history), sum(r[a][b] for a, b in history)


def test_what_is_expected_is_what_is_earned():
    """Seeded; a mean of 4,000 matches leaves 4 standard errors in one of 16,000 runs."""
    horizon, matches, random = 8, 4000, np.random.default_rng(3)
    player, r = in_context.bayes_player(AXELROD, horizon, exact=False), np.asarray(AXELROD.payoffs[0])
    earned = []
    for q in random.uniform(size=(matches, 5)):
        history: list[tuple[int, int]] = []
        for _ in range(horizon):
            x = q[1 + 2 * history[-1][1] + history[-1][0]] if history else q[0]
            history.append((player(history), int(random.uniform() >= x)))
        earned.append(sum(r[a, b] for a, b in history))
    expected = in_context.bayes_value(AXELROD, horizon, exact=False)
    assert abs(np.mean(earned) - expected) < 4 * np.std(earned) / matches**0.5


def test_what_is_known_beforehand_is_not_learned():
    """A prior concentrated on one opponent gives the value of knowing it, and many rounds its best reply's return."""
    q = np.array([0.9, 0.8, 0.3, 0.6, 0.1])
    seen = q[[0, 1, 3, 2, 4]]  # by the outcome as player 1 sees it
    sure = np.stack([seen, 1 - seen], -1) * 1e9
    known = in_context.informed_value(AXELROD, 9, q)
    assert abs(in_context.bayes_value(AXELROD, 9, exact=False, prior=sure) - known) < 1e-6
    opponents = np.random.default_rng(0).uniform(size=(50, 5))
    best = np.asarray(ipd.replies.best_responses(AXELROD, opponents, discount=1.0).value)
    # Some best replies alternate: over two rounds that averages out.
    rate = (in_context.informed_value(AXELROD, 400, opponents) - in_context.informed_value(AXELROD, 398, opponents)) / 2
    np.testing.assert_allclose(rate, best, atol=1e-7)


def test_to_know_the_opponent_is_worth_more():
    """Seeded; by 5 standard errors of the mean over opponents, which chance alone brings once in 3 million."""
    opponents = np.random.default_rng(1).uniform(size=(20_000, 5))
    for horizon in (2, 5, 9):
        known = in_context.informed_value(AXELROD, horizon, opponents)
        error = known.std() / len(opponents) ** 0.5
        assert in_context.bayes_value(AXELROD, horizon, exact=False) < known.mean() - 5 * error


def test_improvement_lies_between_the_policy_and_the_best_reply():
    half, horizon = [0.5] * 5, 7
    best = in_context.bayes_value(AXELROD, horizon, exact=False)
    cold = in_context.policy_improvement(AXELROD, horizon, half, inverse_temperature=0.0)
    assert cold.residual == 0
    assert cold.before == cold.after == pytest.approx(2.25 * horizon)
    values = [in_context.policy_improvement(AXELROD, horizon, half, inverse_temperature=x).after for x in (0.1, 1, 100)]
    assert cold.after < values[0] < values[1] < best + 1e-9
    assert values[2] < best + 1e-9
    settled = in_context.policy_improvement(AXELROD, horizon, [0.0] * 5, inverse_temperature=3.0)
    assert settled.residual == 0
    assert settled.before == settled.after


def test_what_is_out_of_range_is_named():
    with pytest.raises(ValueError, match="horizon must be"):
        in_context.bayes_value(AXELROD, 33)
    with pytest.raises(ValueError, match="prior must be"):
        in_context.bayes_value(AXELROD, 3, prior=np.zeros((5, 2)))
    with pytest.raises(ValueError, match="fewer than 3 rounds"):
        in_context.bayes_player(AXELROD, 3)([(0, 0)] * 3)


def counted(r, horizon: int) -> float:
    """The value by counts of cooperations and defections after each outcome, one state at a time, from a dictionary."""

    @functools.cache
    def value(left: int, k: int, counts: tuple[tuple[int, int], ...]) -> float:
        if left == 0:
            return 0.0
        c, d = counts[k]
        x = (c + 1) / (c + d + 2)
        each = []
        for a in (0, 1):
            total = 0.0
            for b, chance in ((0, x), (1, 1 - x)):
                seen = (c + 1, d) if b == 0 else (c, d + 1)
                then = counts if k == 0 else (*counts[:k], seen, *counts[k + 1 :])
                total += chance * (r[a][b] + value(left - 1, 1 + 2 * a + b, then))
            each.append(total)
        return max(each)

    return value(horizon, 0, ((0, 0),) * 5)


def test_more_rounds_than_trees_reach():
    for game in (AXELROD, LEFTOVER):
        r = np.asarray(game.payoffs[0], float).tolist()
        assert in_context.bayes_value(game, 9, exact=False) == pytest.approx(counted(r, 9), rel=1e-13)


@pytest.mark.slow
def test_thirty_rounds():
    """What many rounds are worth, one at a time, between what fewer are and what it is to know the opponent."""
    r = np.asarray(AXELROD.payoffs[0], float).tolist()
    assert in_context.bayes_value(AXELROD, 13, exact=False) == pytest.approx(counted(r, 13), rel=1e-13)
    opponents = np.random.default_rng(2).uniform(size=(20_000, 5))
    before = in_context.bayes_value(AXELROD, 13, exact=False) / 13
    for horizon in (20, 26, 30):
        value = in_context.bayes_value(AXELROD, horizon, exact=False) / horizon
        known = in_context.informed_value(AXELROD, horizon, opponents) / horizon
        assert before < value < known.mean() - 5 * known.std() / len(opponents) ** 0.5
        before = value


def test_learning_makes_exploitable_from_some_length_on() -> None:
    """In fractions: just below it the exploiter gets what mutual defection pays, there it gets more."""
    arrays = figure_in_context.compute(
        figure_in_context.Settings(rounds=6, shown=(1.2,), temptations=(1.1, 1.2, 2.0)), 0, lambda done: None
    )
    np.testing.assert_array_equal(arrays["onset"], [4, 5, np.nan])
    five_times = ipd.games.symmetric_game(R=5.0, S=-1.0, T=6.0, P=0.0)  # T = 1.2, S = −0.2 in whole numbers
    led = [in_context.exploitation(five_times, rounds) for rounds in (4, 5, 6)]
    assert [(one.exploiter, one.agent) for one in led] == [(0, 0), (6, -1), (6, -1)]
    np.testing.assert_allclose(arrays["exploiter"][0, 3:] * [20, 25, 30], [0, 6, 6], atol=1e-9)
    np.testing.assert_allclose(arrays["agent"][0, 3:] * [20, 25, 30], [0, -1, -1], atol=1e-9)
    figure = figure_in_context.plot(arrays, figure_in_context.Settings(rounds=6, shown=(1.2,)))
    assert len(figure.axes) == 2
    plt.close(figure)
