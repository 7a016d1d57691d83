"""Strategies of memory two and three: by what their papers say that they do, and published shares of cooperation."""

import itertools

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import strategies


def histories(memory: int) -> list[tuple[str, ...]]:
    """All histories, the shorter ones first, filled up with mutual cooperation."""
    every = itertools.chain.from_iterable(itertools.product(("CC", "CD", "DC", "DD"), repeat=n) for n in range(4))
    return [("CC",) * (memory - len(h)) + h for h in every if len(h) <= memory]


def test_what_strategies_do_after_each_history(rng: np.random.Generator) -> None:
    for name, memory, cooperates in (
        ("TF2T", 2, lambda own, other: other != "DD"),
        ("TF3T", 3, lambda own, other: other != "DDD"),
        ("2TFT", 2, lambda own, other: "D" not in other),
        ("2TF2T", 3, lambda own, other: other not in ("DDC", "CDD", "DDD")),
        ("HTFT", 3, lambda own, other: other.count("D") == 0),
        ("AON(1)", 1, lambda own, other: own == other),
        ("AON(2)", 2, lambda own, other: own == other),
        ("AON(3)", 3, lambda own, other: own == other),
    ):
        table = strategies.named(name)
        for chance, history in zip(table, histories(memory), strict=True):
            own, other = ("".join(o[i] for o in history) for i in (0, 1))
            assert float(chance) == float(cooperates(own, other)), (name, history)
    np.testing.assert_array_equal(strategies.all_or_none(1), strategies.win_stay_lose_shift())
    forgiving = strategies.generous_tit_for_two_tats(np.array([0.0, 0.25]))
    np.testing.assert_array_equal(forgiving[0], strategies.tit_for_two_tats())
    assert set(np.unique(forgiving[1])) == {0.25, 1.0}
    p = rng.random(16)
    table = strategies.memory_n(p)
    numbers = {outcome: i for i, outcome in enumerate(("CC", "CD", "DC", "DD"))}
    np.testing.assert_array_equal(table, [p[4 * numbers[a] + numbers[b]] for a, b in histories(2)])


def played(table: np.ndarray, rounds: int, mistake: int) -> list[str]:
    """What a pure strategy and its copy do when the first of them errs once."""
    memory = strategies.memory_of(table)
    names, outcomes = strategies.contexts(memory), []
    for now in range(rounds):
        actions = []
        for player in (0, 1):
            seen = [o if player == 0 else o[::-1] for o in outcomes[-memory:]]
            meant = table[names.index("·".join(seen) or "start")] == 1
            actions.append("C" if meant != (now == mistake and player == 0) else "D")
        outcomes.append("".join(actions))
    return outcomes


def test_how_a_mistake_is_mended() -> None:
    mended = {
        "TFT-ATFT": ["DC", "DD", "CD", "CC", "CC", "CC"],  # Yi, Baek & Choi 2017
        "CAPRI": ["DC", "CD", "CC", "CC", "CC", "CC"],  # punished once, which is accepted
        "AON(2)": ["DC", "DD", "DD", "CC", "CC", "CC"],
        "AON(3)": ["DC", "DD", "DD", "DD", "CC", "CC"],
        "TFT": ["DC", "CD", "DC", "CD", "DC", "CD"],
    }
    for name, after in mended.items():
        assert played(np.asarray(strategies.named(name)), 10, 4)[4:] == after, name


@pytest.mark.parametrize(("name", "published"), [("CAPRI", 0.985644), ("TFT-ATFT", 0.987122)])
def test_published_shares_of_mutual_cooperation_in_three_rounds(name: str, published: float) -> None:
    """At error 1e-3 in the limit of means the pair has cooperated for three rounds that often (Murase & Baek 2020)."""
    trembling = strategies.extend(strategies.tremble(strategies.named(name), 1e-3), 3)
    three = strategies.contexts(3)[1:].index("CC·CC·CC")
    assert float(context_shares(np.asarray(trembling))[three]) == pytest.approx(published, abs=5e-7)


def context_shares(table: np.ndarray) -> np.ndarray:
    """The stationary shares of the non-empty contexts of a strategy and its copy, by powers of the chain."""
    p, q = table, table[strategies.view(3, 1)]
    after = strategies.successors(3)
    moves = np.zeros((len(p), len(p)))
    for s in range(len(p)):
        for outcome, chance in enumerate((p[s] * q[s], p[s] * (1 - q[s]), (1 - p[s]) * q[s], (1 - p[s]) * (1 - q[s]))):
            moves[s, after[s, outcome]] += chance
    for _ in range(40):
        moves = moves @ moves
        moves /= moves.sum(1, keepdims=True)
    return moves[0, 1:]


def test_proportional_tit_for_tat_is_fair(rng: np.random.Generator) -> None:
    """In a public goods game everyone earns the same in the long run (Hilbe, Wu, Traulsen & Nowak 2014)."""
    for players in (2, 3, 4):
        game = ipd.games.public_goods(players, 1.7)
        fair = strategies.proportional_tit_for_tat(players)
        others = rng.uniform(0.05, 0.95, (players - 1, 1 + 2**players))
        earned = np.asarray(ipd.expected_returns(game, fair, *others, discount=1.0))
        assert earned[0] == pytest.approx(earned[1:].mean(), abs=1e-12)
    np.testing.assert_array_equal(strategies.proportional_tit_for_tat(), strategies.tit_for_tat())
