"""Players who move in turn: against play followed pair by pair, exact fractions, and how errors are corrected."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import alternating, automata, strategies
from ipd_theory.automata import Automaton

GAME = ipd.games.axelrod()
PAYOFF = {"CC": (3, 3), "CD": (0, 5), "DC": (5, 0), "DD": (1, 1)}
CONTEXTS = ("start", "CC", "CD", "DC", "DD")


def followed(p: np.ndarray, q: np.ndarray, discount: float, mover: int | None, steps: int) -> np.ndarray:
    """Both returns from the chances of every pair in force, move by move; who moves is random if `mover` is None."""
    chances = {}
    for x, y in itertools.product("CD", repeat=2):
        chances[x + y] = (p[0] if x == "C" else 1 - p[0]) * (q[0] if y == "C" else 1 - q[0])
    total = np.zeros(2)
    for step in range(steps):
        for pair, chance in chances.items():
            total += discount**step * chance * np.array(PAYOFF[pair])
        onward = dict.fromkeys(PAYOFF, 0.0)
        for pair, chance in chances.items():
            for who in (0, 1) if mover is None else ((mover + step) % 2,):
                table, seen = (p, pair) if who == 0 else (q, pair[::-1])
                share = chance * (0.5 if mover is None else 1.0)
                c = table[CONTEXTS.index(seen)]
                for action, probability in (("C", c), ("D", 1 - c)):
                    onward[action + pair[1] if who == 0 else pair[0] + action] += share * probability
        chances = onward
    return total / sum(discount**step for step in range(steps))


@pytest.mark.parametrize("mover", [0, 1, None])
def test_returns_are_those_of_play_followed_move_by_move(rng: np.random.Generator, mover: int | None) -> None:
    pairs = rng.random((4, 2, 5)).round(1)  # some sure, some not
    options = {"order": "random"} if mover is None else {"next_mover": mover}
    found = alternating.expected_returns(GAME, pairs[:, 0], pairs[:, 1], discount=0.8, **options)
    expected = [followed(*pair, 0.8, mover, 200) for pair in pairs]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tables_and_automata_agree(rng: np.random.Generator) -> None:
    p, q = rng.random((2, 5))
    pair = [automata.of_table(x) for x in (p, q)]
    for mover, discount in ((0, 0.7), (1, 1.0)):
        found = alternating.automata_returns(GAME, *pair, discount=discount, next_mover=mover)
        expected = alternating.expected_returns(GAME, p, q, discount=discount, next_mover=mover)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_finer_of_two_automata_says_how_finely_is_counted(rng: np.random.Generator) -> None:
    p, q = rng.random((2, 5))
    coarse = automata.of_table(p.astype(np.float32))
    for pair in ((coarse, automata.of_table(q)), (automata.of_table(q), coarse)):
        tables = [np.asarray(x.cooperate, float) for x in pair]
        found = alternating.automata_returns(GAME, *pair, discount=0.7)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, alternating.expected_returns(GAME, *tables, discount=0.7), atol=1e-12)


def sampled(first: Automaton, second: Automaton, moves: int, rng: np.random.Generator) -> np.ndarray:
    """Both players' mean payoffs over a course of play, the automata's states kept by hand."""
    players, states, actions = (first, second), [0, 0], [0, 0]
    arrays = [[np.asarray(x) for x in (a.cooperate, a.moves)] for a in players]
    for i in (0, 1):
        actions[i] = int(rng.random() >= arrays[i][0][0])
    total = np.zeros(2)
    for step in range(moves):
        i = step % 2
        row = arrays[i][1][states[i], 2 * actions[i] + actions[1 - i]]
        states[i] = int(rng.choice(len(row), p=row))
        actions[i] = int(rng.random() >= arrays[i][0][states[i]])
        total += PAYOFF["CD"[actions[0]] + "CD"[actions[1]]]
    return total / moves


def test_automata_that_take_turns_as_sampled() -> None:
    """The mean of 40 runs may be off by 4 standard errors, 6·10⁻⁵ by chance."""
    rng = np.random.default_rng(7)
    pair = [
        automata.with_errors(x, defecting=0.1, cooperating=0.1) for x in (automata.forgiver(), automata.punishment(2))
    ]
    runs = np.array([sampled(*pair, 500, rng) for _ in range(40)])
    found = alternating.automata_returns(GAME, *pair, discount=1.0)
    assert (np.abs(runs.mean(0) - found) < 4 * runs.std(0, ddof=1) / np.sqrt(40)).all()


def in_fractions(table: list[Fraction], error: Fraction) -> Fraction:
    """The share of cooperation in self-play with errors, in the long run, by exact elimination over eight states."""

    def flipped(x: Fraction) -> Fraction:
        return x + error * (1 - 2 * x)

    pairs = ["CC", "CD", "DC", "DD"]
    states = [(pair, mover) for mover in (0, 1) for pair in pairs]
    rows = []
    for pair, mover in states:
        c = flipped(table[CONTEXTS.index(pair if mover == 0 else pair[::-1])])
        row = [Fraction(0)] * 8
        for action, chance in (("C", c), ("D", 1 - c)):
            after = action + pair[1] if mover == 0 else pair[0] + action
            row[states.index((after, 1 - mover))] += chance
        rows.append(row)
    # π (M − 1) = 0 with the last equation replaced by Σ π = 1.
    matrix = [[rows[j][i] - (i == j) for j in range(8)] + [Fraction(0)] for i in range(7)] + [[Fraction(1)] * 9]
    for k in range(8):
        pivot = next(i for i in range(k, 8) if matrix[i][k] != 0)
        matrix[k], matrix[pivot] = matrix[pivot], matrix[k]
        matrix[k] = [x / matrix[k][k] for x in matrix[k]]
        matrix = [
            row if i == k else [x - row[k] * y for x, y in zip(row, matrix[k], strict=True)]
            for i, row in enumerate(matrix)
        ]
    shares = [row[-1] for row in matrix]
    return sum(
        (share * Fraction(pair.count("C"), 2) for (pair, _), share in zip(states, shares, strict=True)), Fraction(0)
    )


@pytest.mark.parametrize(
    "table",
    [(1, 1, 0, 1, 0), (1, 1, 0, 0, 1), (1, 1, 0, 1, 1), (1, 1, 0, 0, 0), (1, 1, Fraction(1, 3), 1, Fraction(1, 3))],
)
def test_cooperation_under_errors_in_fractions(table: tuple) -> None:
    error = Fraction(1, 100)
    donation = ipd.games.donation_game(1.0, 0.0)  # pays the other's cooperation
    own = strategies.tremble([float(x) for x in table], float(error))
    found = alternating.expected_returns(donation, own, own, discount=1.0)
    np.testing.assert_allclose(found, float(in_fractions([Fraction(x) for x in table], error)), atol=1e-12)


def test_who_corrects_errors_in_turn_and_who_does_not() -> None:
    """Tit for tat is at one half for every error. Firm but fair loses two cooperations an error, generous tit for tat
    as often as it does not forgive; win-stay, lose-shift does not find back, though it does at the same time."""
    donation = ipd.games.donation_game(1.0, 0.0)
    error = 1e-6

    def cooperation(table: jax.Array) -> float:
        own = strategies.tremble(table, error)
        return float(alternating.expected_returns(donation, own, own, discount=1.0)[0])

    assert cooperation(strategies.tit_for_tat()) == pytest.approx(1 / 2, abs=1e-9)
    assert (1 - cooperation(strategies.firm_but_fair())) / error == pytest.approx(2, abs=1e-4)
    for q in (0.25, 0.5):  # an error, and 1 − q, (1 − q)², … answers
        lost = (1 - cooperation(strategies.generous_tit_for_tat(q))) / error
        assert lost == pytest.approx(1 / q, abs=1e-3)
    assert cooperation(strategies.win_stay_lose_shift()) < 0.7
    together = strategies.tremble(strategies.win_stay_lose_shift(), error)
    assert float(ipd.expected_returns(donation, together, together, discount=1.0)[0]) > 1 - 10 * error


def test_a_forgiver_pays_for_an_error_with_three_defections() -> None:
    """The error, its answer, and the answer to that; then both forgive, whatever the other did."""
    error = 1e-6
    own = automata.with_errors(automata.forgiver(), defecting=error, cooperating=error)
    share = alternating.automata_returns(ipd.games.donation_game(1.0, 0.0), own, own, discount=1.0)[0]
    assert float(1 - share) / error == pytest.approx(3, abs=1e-4)


def test_reactive_strategies_cooperate_as_often_as_at_the_same_time(rng: np.random.Generator) -> None:
    """x = q + r y and y = q' + r' x whoever moves when: (q + r q') / (1 − r r')."""
    donation = ipd.games.donation_game(3.0, 1.0)
    (p1, q1), (p2, q2) = rng.uniform(0.05, 0.95, (2, 2))
    pair = strategies.reactive(0.5, p1, q1), strategies.reactive(0.5, p2, q2)
    found = alternating.expected_returns(donation, *pair, discount=1.0)
    x = (q1 + (p1 - q1) * q2) / (1 - (p1 - q1) * (p2 - q2))
    y = (q2 + (p2 - q2) * q1) / (1 - (p1 - q1) * (p2 - q2))
    np.testing.assert_allclose(found, [3 * y - x, 3 * x - y], atol=1e-12)
    np.testing.assert_allclose(found, ipd.expected_returns(donation, *pair, discount=1.0), atol=1e-12)


def test_derivatives(rng: np.random.Generator) -> None:
    p, q = jnp.asarray(rng.random((2, 5)))

    def earned(table: jax.Array) -> jax.Array:
        return alternating.expected_returns(GAME, table, q, discount=0.9)[0]

    step = 1e-6 * np.eye(5)
    slopes = [(earned(p + d) - earned(p - d)) / 2e-6 for d in step]
    np.testing.assert_allclose(jax.grad(earned)(p), slopes, atol=1e-8)


def test_what_cannot_be_is_refused() -> None:
    tft = strategies.tit_for_tat()
    for arguments, options, words in (
        ((ipd.games.public_goods(3, 2.0), tft, tft), {}, "game must be for two players; it is for 3"),
        ((GAME, strategies.tit_for_two_tats(), tft), {}, "p remembers 2 rounds"),
        ((GAME, tft, tft), {"next_mover": 2}, "next_mover must be one of 0, 1"),
        ((GAME, tft, tft), {"order": "together"}, "order must be one of 'turns', 'random'"),
        ((GAME, np.stack([tft] * 2), np.stack([tft] * 3)), {}, r"batch axes must broadcast.*p \(2,\), q \(3,\)"),
    ):
        with pytest.raises(ValueError, match=words):
            alternating.expected_returns(*arguments, discount=0.9, **options)
