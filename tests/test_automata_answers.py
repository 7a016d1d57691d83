"""What automata are: published thresholds of punishment, and one deviation at a time by hand."""

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, strategies
from ipd_theory.automata import Automaton

GAME = ipd.games.axelrod()


@pytest.mark.parametrize("length", [1, 2, 3, 5])
@pytest.mark.parametrize("payoffs", [(3.0, 0.0, 4.0, 1.0), (3.0, -1.0, 5.0, 2.0), (2.0, -1.0, 3.0, 0.0)])
def test_punishment_is_perfect_where_its_gain_from_deviation_is_none(
    length: int, payoffs: tuple[float, float, float, float]
) -> None:
    """A defection gains (T − R) − (δ + … + δⁿ)(R − P)."""
    R, S, T, P = payoffs
    game = ipd.games.prisoners_dilemma(R=R, S=S, T=T, P=P)
    discounts = np.linspace(0, 1, 41)[:-1] + 0.0123
    punish = automata.punishment(length)
    gain = (T - R) - sum(discounts**k for k in range(1, length + 1)) * (R - P)
    perfect = automata.is_subgame_perfect(game, punish, discount=discounts)
    np.testing.assert_array_equal(perfect, gain <= 0)
    np.testing.assert_array_equal(automata.is_nash(game, punish, discount=discounts), gain <= 0)
    np.testing.assert_array_equal(automata.is_partner(game, punish, discount=discounts), gain <= 0)


@pytest.mark.parametrize(
    ("payoffs", "length", "least"), [((3, 0, 4, 1), 2, (np.sqrt(3) - 1) / 2), ((3, -1, 5, 2), None, 2 / 3)]
)
def test_published_thresholds(payoffs: tuple[float, ...], length: int | None, least: float) -> None:
    game = ipd.games.prisoners_dilemma(*payoffs)
    strategy = automata.grim() if length is None else automata.punishment(length)
    below, above = automata.is_subgame_perfect(game, strategy, discount=least + np.array([-1e-9, 1e-9]))
    assert (bool(below), bool(above)) == (False, True)


def values(automaton: Automaton, discount: float) -> np.ndarray:
    """What each pair of states of two copies of a pure automaton is worth, in sum, from then on."""
    n = automaton.num_states
    follow, earned = np.zeros((n * n, n * n)), np.zeros(n * n)
    for s, t in np.ndindex(n, n):
        a, b = (1 - int(automaton.cooperate[x]) for x in (s, t))
        after = [int(automaton.moves[x, o].argmax()) for x, o in ((s, 2 * a + b), (t, 2 * b + a))]
        follow[s * n + t, after[0] * n + after[1]] = 1
        earned[s * n + t] = [[3, 0], [5, 1]][a][b]
    return np.linalg.solve(np.eye(n * n) - discount * follow, earned).reshape(n, n)


def perfect_by_hand(automaton: Automaton, discount: float) -> bool:
    """No single deviation gains, from any pair of states that any play leads to."""
    worth, reached, todo = values(automaton, discount), set(), [(0, 0)]
    while todo:
        s, t = todo.pop()
        if (s, t) in reached:
            continue
        reached.add((s, t))
        for a, b in np.ndindex(2, 2):
            todo.append(tuple(int(automaton.moves[x, o].argmax()) for x, o in ((s, 2 * a + b), (t, 2 * b + a))))
    for s, t in reached:
        b = 1 - int(automaton.cooperate[t])
        for a in (0, 1):
            after = tuple(int(automaton.moves[x, o].argmax()) for x, o in ((s, 2 * a + b), (t, 2 * b + a)))
            if [[3, 0], [5, 1]][a][b] + discount * worth[after] > worth[s, t] + 1e-9:
                return False
    return True


def test_perfect_by_one_deviation_at_a_time(rng: np.random.Generator) -> None:
    discounts = np.array([0.2, 0.55, 0.7, 0.93])
    named = [automata.grim(), automata.forgiver(), automata.grudger(), automata.contrite_tit_for_tat()]
    random = [Automaton(rng.integers(0, 2, 2).astype(float), np.eye(2)[rng.integers(0, 2, (2, 4))]) for _ in range(60)]
    some = 0
    for automaton in (*named, *random):
        found = automata.is_subgame_perfect(GAME, automaton, discount=discounts)
        expected = [perfect_by_hand(automaton, d) for d in discounts]
        np.testing.assert_array_equal(found, expected)
        some += sum(expected)
    assert 20 < some < 200


def test_tables_as_automata_are_what_they_are(rng: np.random.Generator) -> None:
    tables = np.asarray(strategies.all_pure(1))
    pure = automata.of_table(tables)
    for of_automata, of_tables in (
        (automata.is_nash, ipd.replies.is_nash),
        (automata.is_partner, ipd.replies.is_partner),
        (automata.is_rival, ipd.replies.is_rival),
        (automata.is_subgame_perfect, ipd.replies.is_subgame_perfect),
    ):
        expected = np.asarray(of_tables(GAME, tables, discount=0.7))
        np.testing.assert_array_equal(of_automata(GAME, pure, discount=0.7), expected)
        assert 0 < expected.sum() < len(tables)


def test_rivals_and_who_is_exploited() -> None:
    assert bool(automata.is_rival(GAME, automata.of_table(np.zeros(5))))
    assert not bool(automata.is_rival(GAME, automata.forgiver()))
    tft = automata.of_table(strategies.tit_for_tat())
    assert bool(automata.is_rival(GAME, tft))
    assert float(automata.gap(GAME, automata.forgiver(), tft, discount=0.99)) == 0
    # The best that alternating defection takes from a forgiver: T and then R, less than ever, T, P, T, P, ….
    best = automata.best_responses(GAME, automata.forgiver(), discount=1.0)
    assert float(best.value) == pytest.approx(3.0)


def test_names_are_read_with_their_numbers() -> None:
    for text, states in (
        ("punish(2)", 3),
        ("Punish-3", 4),
        ("GRIM automaton", 2),
        ("prober 2", 9),
        ("davis(rounds=3)", 8),
    ):
        assert automata.named(text).num_states == states
    np.testing.assert_array_equal(automata.named("TFT"), strategies.tit_for_tat())
    for text, words in (
        ("punish(1.5)", "length must be a whole number"),
        ("punish(0)", r"strategy 'punish\(0\)': length must be 1 or more"),
        ("punish", r"write PUNISH\(length\)"),
        ("nobody", "ALLC.*GRIM_AUTOMATON, GRUDGER, PUNISH"),
    ):
        with pytest.raises(ValueError, match=words):
            automata.named(text)
