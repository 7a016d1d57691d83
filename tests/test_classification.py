"""All pure strategies at once against one by one: cycles, fractions, trembles, and counts that are recorded."""

import functools
from fractions import Fraction

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import replies, strategies
from ipd_theory.replies import exact
from tests.searches import largest_means

AXELROD, PAPER = ipd.games.axelrod(), ipd.prisoners_dilemma()
# Of all 65,536 of memory two, the unplayed rounds taken for mutual cooperation, in the limit of means.
COUNTS = {
    "Axelrod": (9624, 8768, 4485, 7639, 19, 1996),
    "paper": (12526, 11264, 4485, 7639, 19, 1996),
}
KINDS = ("nash", "partner", "rival", "efficient", "perfect", "friendly_rival")


@functools.cache
def classes(name: str, discount: float = 1.0) -> replies.Classes:
    game = AXELROD if name == "Axelrod" else PAPER
    return replies.classify(game, replies.all_pure_of_memory(2), discount=discount)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_memory_two(name: str) -> None:
    found = classes(name)
    assert tuple(int(getattr(found, kind).sum()) for kind in KINDS) == COUNTS[name]
    assert int((found.friendly_rival & found.efficient).sum()) == 16
    listed = {row.tobytes(): i for i, row in enumerate(replies.all_pure_of_memory(2))}
    member = {x: listed[np.asarray(strategies.extend(strategies.named(x), 2)).tobytes()] for x in ("TFT-ATFT", "AON2")}
    assert found.friendly_rival[member["TFT-ATFT"]]
    assert found.efficient[member["TFT-ATFT"]]
    assert found.partner[member["AON2"]]
    assert found.perfect[member["AON2"]]
    assert not found.rival[member["AON2"]]


def sample(rng: np.random.Generator, found: replies.Classes, number: int) -> np.ndarray:
    """Some strategies at random, and some of each class."""
    kinds = [np.flatnonzero(getattr(found, kind)) for kind in KINDS]
    some = [rng.choice(kind, min(number // 10, len(kind)), replace=False) for kind in kinds]
    return np.unique(np.concatenate([rng.integers(0, 2**16, number), *some]))


@pytest.mark.parametrize("number", [300, pytest.param(6000, marks=pytest.mark.slow)])
def test_nash_and_rivals_by_cycles(rng: np.random.Generator, number: int) -> None:
    """A rival leaves no cycle of positive lead to others; Nash, none of a larger mean than its own (Karp)."""
    found = classes("Axelrod")
    chosen = sample(rng, found, number)
    tables = replies.all_pure_of_memory(2)[chosen]
    lead = largest_means(tables, 2, np.array([0.0, -5.0, 5.0, 0.0]))
    np.testing.assert_array_equal(found.rival[chosen], lead < 1e-9)
    np.testing.assert_array_equal(found.nash[chosen], largest_means(tables, 2) < found.earns[chosen] + 1e-9)
    earned = ipd.expected_returns(AXELROD, tables, tables, discount=1.0)[..., 0]
    np.testing.assert_allclose(found.earns[chosen], earned, atol=1e-12)


def optimal_against_itself(game: ipd.MatrixGame, table: np.ndarray, discount: Fraction) -> bool:
    optimal = exact.best_responses(game, table, discount=discount).optimal
    return bool(optimal[np.arange(len(table)), 1 - table.astype(int)].all())


@pytest.mark.parametrize("number", [10, pytest.param(1000, marks=pytest.mark.slow)])
def test_perfect_ones_in_fractions(rng: np.random.Generator, number: int) -> None:
    for discount in (1.0, 0.9):
        found = classes("Axelrod", discount)
        perfect = np.flatnonzero(found.perfect)
        chosen = np.unique(np.concatenate([perfect, rng.integers(0, 2**16, number)]))
        for i in chosen:
            table = replies.all_pure_of_memory(2)[i]
            assert (
                optimal_against_itself(AXELROD, table, Fraction(9, 10) if discount < 1 else Fraction(1))
                == found.perfect[i]
            )


@pytest.mark.parametrize("payoffs", [(4, 1, 0, -1), (-3, -3, 0, 4), (3, -1, 3, -3)])
def test_perfect_ones_where_cycles_earn_the_same(payoffs: tuple[int, int, int, int]) -> None:
    """Where one step in a cycle is worth more than another though their averages are one."""
    game, tables = ipd.games.symmetric_game(*map(float, payoffs)), replies.all_pure_of_memory(1)
    wanted = [optimal_against_itself(game, table, Fraction(1)) for table in tables]
    np.testing.assert_array_equal(replies.classify(game, tables).perfect, wanted)


@pytest.mark.parametrize("number", [100, pytest.param(5000, marks=pytest.mark.slow)])
def test_efficient_ones_by_small_trembles(rng: np.random.Generator, number: int) -> None:
    """At trembles of 10^−7 a pair earns R but for less than 10^−4, or less than R by more than 10^−2."""
    found = classes("Axelrod")
    chosen = sample(rng, found, number)
    trembling = strategies.tremble(replies.all_pure_of_memory(2)[chosen], 1e-7)
    lost = 3 - np.asarray(ipd.expected_returns(AXELROD, trembling, trembling, discount=1.0)[..., 0])
    np.testing.assert_array_equal(found.efficient[chosen], lost < 1e-4)
    assert not ((lost > 1e-4) & (lost < 1e-2)).any()
    # Mixed ones as well: generous tit for tat forgives, tit for tat and a cooperator that is not sure do not.
    some = [strategies.generous_tit_for_tat(0.1), strategies.tit_for_tat(), strategies.reactive(1.0, 0.9, 0.9)]
    np.testing.assert_array_equal(replies.is_efficient(np.array(some)), [True, False, False])
    np.testing.assert_array_equal(
        [bool(replies.is_efficient(strategies.named(x))) for x in ("CAPRI", "AON(3)", "HTFT", "GTF2T", "TF3T")],
        [True, True, False, True, True],
    )


@pytest.mark.parametrize(
    ("memory", "discount"),
    [
        *((1, x) for x in (0.0, 0.6, 0.9, 1.0)),
        (2, 0.9),
        *(pytest.param(3, x, marks=pytest.mark.slow) for x in (0.9, 1)),
    ],
)
def test_memory_one_to_three_by_single_verdicts(rng: np.random.Generator, memory: int, discount: float) -> None:
    tables = rng.integers(0, 2, (32, strategies.num_contexts(memory))).astype(float)
    tables = np.asarray(strategies.all_pure(1)) if memory == 1 else tables
    found = replies.classify(AXELROD, tables, discount=discount)
    for kind, single in (
        ("nash", replies.is_nash),
        ("perfect", replies.is_subgame_perfect),
        ("partner", replies.is_partner),
        ("rival", replies.is_rival),
    ):
        np.testing.assert_array_equal(getattr(found, kind), single(AXELROD, tables, discount=discount), kind)


def test_shapes_payoffs_and_progress() -> None:
    told: list[float] = []
    tables = replies.all_pure_of_memory(1)
    thirds = ipd.games.symmetric_game(R=1.0, S=-1 / 3, T=4 / 3, P=1 / 6)  # counted in sixths
    found = replies.classify(thirds, tables.reshape(2, 8, 5), progress=told.append)
    assert found.nash.shape == (2, 8)
    assert told == [1.0]
    single = replies.is_nash(thirds, tables, discount=1.0)
    np.testing.assert_array_equal(found.nash.reshape(-1), single)
    assert found.earns.max() == pytest.approx(1.0)


def test_what_cannot_be_classified_is_said() -> None:
    with pytest.raises(ValueError, match="tables must hold pure strategies"):
        replies.classify(AXELROD, strategies.generous_tit_for_tat(0.1))
    with pytest.raises(ValueError, match="game must be symmetric"):
        replies.classify(ipd.games.matching_pennies(), strategies.tit_for_tat())
    with pytest.raises(ValueError, match="game must be one game for two players; it is for 3"):
        replies.classify(ipd.games.public_goods(3, 2.0), strategies.tit_for_tat())
    with pytest.raises(ValueError, match="no common unit of ordinary size"):
        replies.classify(ipd.games.symmetric_game(3.0, 0.0, np.pi * 1e9, np.e / 7), strategies.tit_for_tat())
    with pytest.raises(ValueError, match=r"memory must be a whole number, from 0 to 2; got 3"):
        replies.all_pure_of_memory(3)
