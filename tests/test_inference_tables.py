"""Tables, memories and changes: against plain Python, and against what was simulated."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from ipd_theory import inference, strategies
from ipd_theory.inference import memories, tables

TRUE = np.array([0.8, 0.9, 0.2, 0.6, 0.4])
OTHER = np.array([0.5, 0.7, 0.3, 0.6, 0.5])


def logs(table: np.ndarray, number: int, matches: int, rounds: int, seed: int) -> np.ndarray:
    """Independent logs [number, matches, rounds, 2] against one opponent."""
    played = inference.play_out(table, OTHER, matches=number * matches, rounds=rounds, seed=seed)
    return played.reshape(number, matches, rounds, 2)


def first_side(actions: np.ndarray) -> inference.Plays:
    return inference.from_actions(actions).of("1")


def test_estimates_are_shares_and_unvisited_contexts_are_said() -> None:
    fit = inference.fit_counts(np.array([[3, 1], [4, 0], [0, 2], [0, 0], [1, 1]]), level=0.9)
    np.testing.assert_array_equal(fit.estimate, [0.75, 1, 0, np.nan, 0.5])
    np.testing.assert_array_equal(fit.visited, [True, True, True, False, True])
    np.testing.assert_allclose(fit.mean, [4 / 6, 5 / 6, 1 / 4, 1 / 2, 1 / 2])
    # With a uniform prior the distribution function after n cooperations and nothing else is x^(n + 1).
    assert (fit.low[1], fit.high[1]) == (pytest.approx(0.1 ** (1 / 5)), 1)
    assert (fit.low[2], fit.high[2]) == (0, pytest.approx(1 - 0.1 ** (1 / 3)))
    np.testing.assert_allclose([fit.low[3], fit.high[3]], [0.05, 0.95])
    for c, d, low, high in ((3, 1, fit.low[0], fit.high[0]), (1, 1, fit.low[4], fit.high[4])):
        inside = stats.beta.cdf(high, c + 1, d + 1) - stats.beta.cdf(low, c + 1, d + 1)
        assert inside == pytest.approx(0.9)


def test_likelihoods_and_evidence_are_those_of_plain_python(rng: np.random.Generator) -> None:
    """The evidence as a product of predictive probabilities (c + a) / (n + a + b), one action after the other."""
    actions = rng.integers(0, 2, (4, 25, 2))
    plays = first_side(actions)
    for memory in (0, 1, 2):
        fit = inference.fit_table(plays, memory)
        seen: dict[tuple[tuple[int, int], ...], list[int]] = {}
        log_likelihood, log_evidence = 0.0, dict.fromkeys(((1.0, 1.0), (2.0, 0.5)), 0.0)
        contexts = ["·".join("CD"[a] + "CD"[b] for a, b in h) or "start" for h in histories(memory)]
        for match in actions:
            for t, (own, _) in enumerate(match):
                context = tuple((int(a), int(b)) for a, b in match[max(t - memory, 0) : t])
                c, d = seen.setdefault(context, [0, 0])
                for prior in log_evidence:
                    log_evidence[prior] += math.log(((c, d)[own] + prior[own]) / (c + d + sum(prior)))
                seen[context][own] += 1
                p = fit.estimate[contexts.index("·".join("CD"[a] + "CD"[b] for a, b in context) or "start")]
                log_likelihood += math.log(1 - p if own else p)
        assert fit.log_likelihood == pytest.approx(log_likelihood)
        for prior, wanted in log_evidence.items():
            assert tables.log_evidence(fit.counts, prior) == pytest.approx(wanted)


def histories(memory: int) -> list[tuple[tuple[int, int], ...]]:
    outcomes = list(itertools.product((0, 1), repeat=2))
    return [h for length in range(memory + 1) for h in itertools.product(outcomes, repeat=length)]


def test_a_table_for_each_player_or_for_all(rng: np.random.Generator) -> None:
    plays = inference.from_actions(rng.integers(0, 2, (6, 20, 2)))
    each = inference.fit_table(plays, by_player=True)
    alone = inference.fit_table(plays.of("2"))
    np.testing.assert_array_equal(each.counts[1], alone.counts)
    np.testing.assert_allclose(each.low[1], alone.low)
    np.testing.assert_array_equal(inference.fit_table(plays).counts, each.counts.sum(0))


def test_draws_are_of_the_posterior() -> None:
    """Kolmogorov-Smirnov in five contexts: a false alarm in 10^4 runs."""
    fit = inference.fit_counts(np.array([[3, 1], [40, 0], [0, 2], [0, 0], [10, 12]]), prior=(0.5, 2.0))
    drawn = inference.posterior_tables(fit, 4000, seed=3)
    for context, (c, d) in enumerate(fit.counts):
        assert stats.kstest(drawn[:, context], stats.beta(c + 0.5, d + 2.0).cdf).pvalue > 2e-5


def covered(number: int, seed: int) -> np.ndarray:
    """How often 95 % intervals hold the truth, a table drawn anew for each log, by context."""
    truth = np.random.default_rng(seed).uniform(size=(number, 5))
    played = inference.play_out(truth.repeat(8, 0), OTHER, matches=8 * number, rounds=25, seed=seed)
    sides = [(str(i), "other") for i in range(number) for _ in range(8)]
    counts = inference.count(inference.from_actions(played, [(a, f"{a} {b}") for a, b in sides]))[::2]
    fit = inference.fit_counts(counts)
    return ((fit.low <= truth) & (truth <= fit.high)).mean(0)


def test_intervals_cover_truths_drawn_from_the_prior() -> None:
    """200 logs, five contexts, exactly 95 % each: outside of 90 to 98.6 % in 1 of 300 runs, and the seed is fixed."""
    share = covered(200, seed=5)
    assert ((share > 0.90) & (share < 0.99)).all()


@pytest.mark.slow
def test_coverage_of_a_thousand_logs() -> None:
    share = covered(1000, seed=6)
    assert ((share >= 0.93) & (share <= 0.97)).all()
    fixed = logs(TRUE, 1000, 8, 25, seed=7)  # and of one table, at which the prior is not calibrated
    counts = np.array([inference.count(first_side(x))[0] for x in fixed])
    fit = inference.fit_counts(counts)
    share = ((fit.low <= TRUE) & (fit.high >= TRUE)).mean(0)
    assert ((share >= 0.93) & (share <= 0.97)).all()


def memory_two(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.1, 0.9, 21)


def decided(table: np.ndarray, number: int, seed: int) -> list[memories.MemoryComparison]:
    return [inference.compare_memories(first_side(x), draws=99, seed=seed) for x in logs(table, number, 10, 40, seed)]


def test_the_right_memory_is_kept_and_wrong_ones_are_rejected(rng: np.random.Generator) -> None:
    """40 logs of 400 rounds: a true hypothesis is rejected at 5 % more than 6 times in 1.4 % of runs."""
    found = decided(TRUE, 40, seed=11)
    assert sum(x.tests["memory 1"].p_value <= 0.05 for x in found) <= 6
    assert all(x.tests["memory 0"].p_value <= 0.05 for x in found)
    assert sum(x.likeliest == "memory 1" for x in found) >= 38
    found = decided(memory_two(rng), 10, seed=12)
    assert all(x.tests["memory 1"].p_value <= 0.05 for x in found)
    assert sum(x.likeliest == "memory 2" for x in found) >= 8
    reactive = np.asarray(strategies.reactive(0.7, 0.9, 0.2))
    found = decided(reactive, 20, seed=13)
    assert sum(x.likeliest == "reactive 1" for x in found) >= 18
    assert sum(x.tests["reactive 1"].p_value <= 0.05 for x in found) <= 4


@pytest.mark.slow
def test_the_level_of_a_thousand_tests() -> None:
    """What is true is rejected at 5 % in 3 to 7 % of logs, short ones too, where χ² would be far off."""
    for matches, rounds in ((2, 20), (10, 40)):
        actions = logs(TRUE, 1000, matches, rounds, seed=14)
        found = [inference.compare_memories(first_side(x), 2, draws=199, seed=i) for i, x in enumerate(actions)]
        assert 0.03 <= np.mean([x.tests["memory 1"].p_value <= 0.05 for x in found]) <= 0.07
        halves = [inference.compare_halves(first_side(x), draws=199, seed=i) for i, x in enumerate(actions)]
        assert 0.03 <= np.mean([x.p_value <= 0.05 for x in halves]) <= 0.07


def test_the_statistic_is_twice_the_gain_in_likelihood(rng: np.random.Generator) -> None:
    plays = first_side(rng.integers(0, 2, (30, 40, 2)))
    counts = inference.count(plays, 2)
    found = inference.compare_memories(plays, 2, draws=9)
    for memory in (0, 1):
        gain = tables.log_likelihood(counts[0]) - tables.log_likelihood(inference.shortened(counts, memory)[0])
        assert found.tests[f"memory {memory}"].statistic == pytest.approx(2 * gain)
    assert found.tests["memory 1"].freedom == 21 - 5
    assert found.hypotheses == ("memory 0", "memory 1", "memory 2", "reactive 1", "reactive 2")


def test_p_values_are_those_of_all_dealings() -> None:
    """Two classes in one: the p-value is Fisher's, with G to order tables; 4 standard errors of 20,000 draws."""
    counts = np.array([[[5, 1], [1, 4]]])
    drawn = memories.ratio_test(counts, np.zeros(2, int), draws=20_000, seed=1)

    def best(table: np.ndarray) -> float:
        return sum(n * math.log(n / row.sum()) for row in table for n in row if n)

    total = 0.0
    for k in range(1, 7):
        dealt = np.array([[k, 6 - k], [6 - k, 5 - (6 - k)]])
        if best(dealt) >= best(counts[0]) - 1e-12:
            total += math.comb(6, k) * math.comb(5, 6 - k) / math.comb(11, 6)
    assert abs(drawn.p_value - total) < 4 * math.sqrt(total * (1 - total) / 20_000)
    assert drawn.freedom == 1
    apart = memories.ratio_test(np.array([[[50, 0], [0, 50]]]), np.zeros(2, int), draws=99, seed=1)
    assert apart.p_value == 1 / 100  # no dealing comes near: the play itself is the one in a hundred


def test_reactive_classes_hold_the_others_actions_alone() -> None:
    contexts = strategies.contexts(2)
    for memory in (1, 2):
        classes = memories.reactive_labels(2, memory)
        for (a, one), (b, two) in itertools.combinations(zip(contexts, classes, strict=True), 2):
            seen = ["".join(o[1] for o in c.split("·"))[-memory:] if c != "start" else "" for c in (a, b)]
            assert (one == two) == (seen[0] == seen[1])


def test_players_who_differ_are_not_taken_for_players_who_remember() -> None:
    tables_of = np.array([[0.9] * 5, [0.1] * 5]).repeat(20, 0)
    played = inference.play_out(tables_of, OTHER, matches=40, rounds=20, seed=21)
    names = [("a", "a's other")] * 20 + [("b", "b's other")] * 20
    both = inference.from_actions(played, names).of("b", "a")
    assert both.players == ("b", "a")
    np.testing.assert_allclose(
        inference.fit_table(both, 0, by_player=True).estimate[:, 0], [0.1, 0.9], atol=0.075
    )  # 5 standard errors
    assert inference.compare_memories(both, 1).likeliest == "memory 0"
    assert inference.compare_players(both, 0).p_value == 0.001
    alike = inference.compare_players(both.of("a"), 1)
    assert (alike.freedom, alike.p_value) == (0, 1.0)
    halved = inference.from_actions(played[:20], [("a", "x")] * 10 + [("b", "y")] * 10).of("a", "b")
    assert inference.compare_players(halved, 0).p_value > 0.01  # of one table: a false alarm in 100 seeds
    as_one = inference.from_actions(played).of("1")
    assert inference.compare_memories(as_one, 1).likeliest == "memory 1"


def test_halves_are_halves() -> None:
    """Of four rounds two are early, of five the middle one is late; of three matches the first alone is early."""
    defects = [0, 1, 1, 1]
    four = inference.from_actions(np.stack([defects, [0] * 4], -1)[None]).of("1")
    assert inference.count_by_half(four, 0)[:, 0, 0].tolist() == [[1, 1], [0, 2]]
    five = inference.from_actions(np.stack([[*defects, 1], [0] * 5], -1)[None]).of("1")
    assert inference.count_by_half(five, 0)[:, 0, 0].tolist() == [[1, 1], [0, 3]]
    three = inference.from_actions(np.stack([[[0, 1], [1, 1], [0, 0]], np.zeros((3, 2), int)], -1)).of("1")
    assert inference.count_by_half(three, 0, "matches")[:, 0, 0].tolist() == [[1, 1], [2, 2]]


def test_who_changes_is_found_and_who_does_not_is_not() -> None:
    """30 logs that do not change: rejected at 5 % more than 5 times in 1.6 % of runs."""
    steady = logs(TRUE, 30, 10, 40, seed=15)
    assert sum(inference.compare_halves(first_side(x), draws=99).p_value <= 0.05 for x in steady) <= 5
    late = logs(np.array([0.2, 0.3, 0.1, 0.3, 0.1]), 30, 10, 40, seed=16)
    learns = np.concatenate([steady[:, :5], late[:, :5]], 1)
    assert all(inference.compare_halves(first_side(x), by="matches", draws=99).p_value <= 0.05 for x in learns)
    tires = np.concatenate([steady[:, :, :20], late[:, :, 20:]], 2)
    assert all(inference.compare_halves(first_side(x), draws=99).p_value <= 0.05 for x in tires)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: inference.fit_table(p, 4), "memory must be a whole number, from 0 to 3; got 4"),
        (lambda p: inference.fit_table(p, level=1.0), "level must be one finite number above 0 and below 1"),
        (lambda p: inference.fit_table(p, prior=(0.0, 1.0)), "prior must be one finite number above 0"),
        (lambda p: inference.compare_memories(p, 0), "longest must be a whole number, from 1 to 3"),
        (lambda p: inference.compare_halves(p, by="weeks"), "by must be one of 'rounds', 'matches'; got 'weeks'"),
        (lambda p: inference.count_by_half(p, by="weeks"), "by must be one of 'rounds', 'matches'; got 'weeks'"),
        (lambda p: inference.compare_memories(p, draws=0), "draws must be a whole number, 1 or more"),
        (lambda p: p.of("nobody"), "player 'nobody' is not in the log; its players are 1, 2"),
        (lambda p: p.of("1", "1"), "players must be one or more, each named once"),
        (lambda p: inference.shortened(inference.count(p, 1), 2), "memory must be a whole number, from 0 to 1"),
        (lambda p: inference.fit_counts(-inference.count(p, 1)), "counts must be .* cooperations and defections"),
    ],
)
def test_bad_input_is_named(call: Callable[[inference.Plays], object], message: str, rng: np.random.Generator) -> None:
    plays = inference.from_actions(rng.integers(0, 2, (3, 8, 2)))
    with pytest.raises((ValueError, TypeError), match=message):
        call(plays)


def test_inner_episodes_are_counted_one_by_one(rng: np.random.Generator) -> None:
    """By a plain loop over every trajectory, both sides; episodes differ in how often anybody cooperates."""
    M, T, E, B = 3, 5, 2, 4
    actions = (rng.random((M, T, E, 2, B)) < np.array([0.2, 0.5, 0.9])[:, None, None, None, None]).astype(int)
    for player in (0, 1):
        got = inference.fit_episodes(actions, player=player)
        for m in range(M):
            counts = np.zeros((5, 2), int)
            for e in range(E):
                for b in range(B):
                    own, other = actions[m, :, e, player, b], actions[m, :, e, 1 - player, b]
                    contexts = [0, *(1 + 2 * own[:-1] + other[:-1])]
                    np.add.at(counts, (contexts, own), 1)
            np.testing.assert_array_equal(got.counts[m], counts)
