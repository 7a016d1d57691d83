"""Best replies in fractions: ties at exact thresholds, brute force in fractions, and the floating-point ones."""

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import replies, strategies
from ipd_theory.replies import exact
from tests.searches import contexts_after, largest_means

AXELROD = ipd.games.axelrod()
PAYOFFS = (3, 0, 5, 1)
EITHER, COOPERATE, DEFECT = [True, True], [True, False], [False, True]
TINY = Fraction(1, 10**30)


def donation(cost: int, benefit: int) -> ipd.MatrixGame:
    return ipd.games.donation_game(float(benefit), float(cost))


@pytest.mark.parametrize(
    ("game", "name", "threshold"),
    [
        (AXELROD, "TFT", Fraction(2, 3)),
        (AXELROD, "GRIM", Fraction(1, 2)),
        (donation(2, 7), "TFT", Fraction(2, 7)),  # c/b
        (donation(2, 7), "GRIM", Fraction(2, 7)),
        (donation(2, 7), "WSLS", Fraction(2, 5)),  # c/(b − c)
    ],
)
def test_cooperators_are_indifferent_exactly_at_their_threshold(
    game: ipd.MatrixGame, name: str, threshold: Fraction
) -> None:
    """After mutual cooperation both actions are optimal there, one below by 10^−30 and the other above."""
    table = strategies.named(name)
    found = {d: exact.best_responses(game, table, discount=threshold + d) for d in (-TINY, Fraction(0), TINY)}
    after_peace = [x.optimal[1].tolist() for x in found.values()]
    assert after_peace == [DEFECT, EITHER, COOPERATE]
    R = Fraction(int(game.payoffs[0, 0, 0]))
    assert found[Fraction(0)].value == found[TINY].value == R < found[-TINY].value


def test_all_ties_of_tit_for_tat_and_the_limit_of_means() -> None:
    tft = [1, 1, 0, 1, 0]
    found = exact.best_responses(AXELROD, tft, discount=Fraction(2, 3))
    assert found.optimal.tolist() == [EITHER, EITHER, EITHER, COOPERATE, COOPERATE]
    assert found.value == 3
    limit = exact.best_responses(AXELROD, tft)
    assert limit.optimal.tolist() == [COOPERATE] * 5
    assert limit.value == 3
    assert exact.best_responses(donation(99, 100), tft).optimal.tolist() == [COOPERATE] * 5  # from γ = 0.99 on
    # Against WSLS of the donation game c/(b − c) = 1 only in the limit: peace and exploitation earn the same average.
    even = exact.best_responses(donation(1, 2), [1, 1, 0, 0, 1])
    assert even.value == 1
    assert even.optimal[1].tolist() == DEFECT  # for every γ below 1
    # A step's advantage that is forgotten: nothing but the first payoff depends on the first action.
    assert exact.best_responses(AXELROD, [1, 0, 0, 0, 0]).optimal.tolist() == [DEFECT] * 5


def enumerated(q: list[Fraction], payoffs: list[Fraction], gamma: Fraction) -> tuple[Fraction, list[list[bool]]]:
    """The value at the start and the optimal actions against q, from the values of all 32 pure strategies."""
    after, seen = contexts_after(1), [q[i] for i in (0, 1, 3, 2, 4)]

    def worth(c: int, a: int, values: list[Fraction]) -> Fraction:
        ways = ((2 * a, seen[c]), (2 * a + 1, 1 - seen[c]))
        return sum((p * (payoffs[o] + gamma * values[after[c, o]]) for o, p in ways), Fraction(0))

    def values_of(policy: tuple[int, ...]) -> list[Fraction]:
        rows = []
        for c in range(5):
            row = [Fraction(int(c == s)) for s in range(5)]
            for b, p in ((0, seen[c]), (1, 1 - seen[c])):
                row[after[c, 2 * policy[c] + b]] -= gamma * p
            rows.append([*row, worth(c, policy[c], [Fraction(0)] * 5)])
        for k in range(5):  # Gauss and Jordan
            rows[k] = [x / rows[k][k] for x in rows[k]]
            rows = [
                row if i == k else [x - row[k] * y for x, y in zip(row, rows[k], strict=True)]
                for i, row in enumerate(rows)
            ]
        return [row[-1] for row in rows]

    every = [values_of(policy) for policy in itertools.product((0, 1), repeat=5)]
    best = [max(column) for column in zip(*every, strict=True)]
    both = [[worth(c, a, best) for a in (0, 1)] for c in range(5)]
    return (1 - gamma) * best[0], [[x == max(pair) for x in pair] for pair in both]


@pytest.mark.parametrize("number", [40, pytest.param(1500, marks=pytest.mark.slow)])
def test_ties_and_values_equal_enumeration_in_fractions(rng: np.random.Generator, number: int) -> None:
    ties = 0
    for _ in range(number):
        q = [Fraction(int(x), 2) for x in rng.integers(0, 3, 5)]
        payoffs = [Fraction(int(x)) for x in rng.integers(-2, 4, 4)]
        gamma = Fraction(int(rng.integers(0, 4)), 4)
        game = ipd.games.symmetric_game(*(float(x) for x in payoffs))
        found = exact.best_responses(game, q, discount=gamma)
        value, optimal = enumerated(q, payoffs, gamma)
        assert (found.value, found.optimal.tolist()) == (value, optimal), (q, payoffs, gamma)
        ties += sum(pair == EITHER for pair in optimal)
    assert ties > number / 10


def test_the_limit_of_means_is_what_is_optimal_near_one(rng: np.random.Generator) -> None:
    """In fractions at γ = 1 − 10^−12, beyond which nothing changes for these opponents, and at 1 − 10^−15."""
    for _ in range(25):
        q = [Fraction(int(x), 2) for x in rng.integers(0, 3, 5)]
        limit = exact.best_responses(AXELROD, q)
        for near in (Fraction(1, 10**12), Fraction(1, 10**15)):
            value, optimal = enumerated(q, [Fraction(x) for x in PAYOFFS], 1 - near)
            assert limit.optimal.tolist() == optimal
            assert abs(limit.value - value) < 100 * near
        every = ipd.expected_returns(AXELROD, strategies.all_pure(1), np.array([float(x) for x in q]), discount=1.0)
        assert float(limit.value) == pytest.approx(float(every[:, 0].max()), abs=1e-12)


@pytest.mark.parametrize(("memory", "number"), [(2, 4), (3, 2), pytest.param(2, 300, marks=pytest.mark.slow)])
def test_longer_memory_equals_floating_point_and_cycles(rng: np.random.Generator, memory: int, number: int) -> None:
    h = strategies.num_contexts(memory)
    for kind in (rng.integers(0, 5, (number, h)) / 4, rng.integers(0, 2, (number, h)).astype(float)):
        near = replies.best_responses(AXELROD, kind, discount=0.9)
        for i, q in enumerate(kind):
            found = exact.best_responses(AXELROD, q, discount=0.9)
            assert float(found.value) == pytest.approx(float(near.value[i]), abs=1e-12)
            np.testing.assert_array_equal(found.optimal, near.optimal[i])
    means = largest_means(kind, memory)
    for q, mean in zip(kind, means, strict=True):
        value = exact.best_responses(AXELROD, q).value
        assert float(value) == pytest.approx(mean, abs=1e-12)
        assert value.denominator <= 4**memory


def test_finite_games_in_fractions() -> None:
    q, after = [Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(1), Fraction(0)], contexts_after(1)

    def best(context: int, left: int) -> Fraction:
        if left == 0:
            return Fraction(0)
        seen = [q[i] for i in (0, 1, 3, 2, 4)][context]
        return max(
            sum(
                (p * (PAYOFFS[2 * a + b] + Fraction(4, 5) * best(after[context, 2 * a + b], left - 1)))
                for b, p in ((0, seen), (1, 1 - seen))
            )
            for a in (0, 1)
        )

    found = exact.best_responses(AXELROD, q, discount=Fraction(4, 5), horizon=4)
    assert found.value == best(0, 4) / sum(Fraction(4, 5) ** t for t in range(4))
    floating = replies.best_responses(AXELROD, np.array(q, float), discount=0.8, horizon=4)
    np.testing.assert_array_equal(found.optimal, floating.optimal)


def test_any_seat_among_three() -> None:
    game = ipd.games.public_goods(3, 2.4)
    others = [[Fraction(k, 8) for k in range(9)], [Fraction(8 - k, 8) for k in range(9)]]
    for player in range(3):
        found = exact.best_responses(game, *others, discount=Fraction(4, 5), player=player)
        near = replies.best_responses(game, *(np.array(x, float) for x in others), discount=0.8, player=player)
        assert float(found.value) == pytest.approx(float(near.value), abs=1e-12)
        np.testing.assert_array_equal(found.optimal, near.optimal)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"others": ([1, 1, 0, 1, Fraction(3, 2)],)}, r"others\[0\] holds 3/2; every entry must lie in \[0, 1\]"),
        ({"others": ([1, 1, 0, 1, "x"],)}, r"others\[0\] must hold numbers or fractions; 'x' is not"),
        ({"others": ([1, 1],)}, "last axis must be one of"),
        ({"others": ()}, "others holds 0 strategies"),
        ({"discount": Fraction(-1, 2)}, "discount holds -1/2"),
        ({"discount": float("nan")}, "discount must hold numbers or fractions; nan is not"),
        ({"player": 2}, "player must be one of 0, 1; got 2"),
        ({"horizon": 0}, "horizon must be a whole number, 1 or more; got 0"),
        ({"game": ipd.games.donation_game(np.array([2.0, 3.0]), 1.0)}, "game holds a batch of games"),
    ],
)
def test_bad_input_is_named(changes: dict[str, Any], message: str) -> None:
    arguments = {"game": AXELROD, "others": ([1, 1, 0, 1, 0],)} | changes
    game, others = arguments.pop("game"), arguments.pop("others")
    with pytest.raises(ValueError, match=message):
        exact.best_responses(game, *others, **arguments)
