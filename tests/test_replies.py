"""Best replies against brute force, value iteration, cycles of largest mean, and published thresholds."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, replies, strategies
from tests.searches import PAYOFFS, contexts_after, largest_average, largest_means, value_iteration

AXELROD = ipd.games.axelrod()


def test_memory_one_equals_brute_force_over_all_pure_strategies(rng: np.random.Generator) -> None:
    q = np.concatenate([rng.random((40, 5)), rng.integers(0, 2, (20, 5))]).astype(float)
    discounts = np.array([0.0, 0.3, 0.9, 0.999, 1.0])
    best = replies.best_responses(AXELROD, q[:, None], discount=discounts)
    every = strategies.all_pure(1)
    earned = ipd.expected_returns(AXELROD, every, q[:, None, None], discount=discounts[:, None])[..., 0]
    np.testing.assert_allclose(best.value, earned.max(-1), atol=1e-12)
    # The reply that cooperates wherever it may is one of the best.
    chosen = ipd.expected_returns(AXELROD, best.strategy, q[:, None], discount=discounts)[..., 0]
    np.testing.assert_allclose(chosen, best.value, atol=1e-12)


def random_tables(rng: np.random.Generator, number: int, memory: int) -> np.ndarray:
    """Half of them sure of nothing, half pure."""
    h = strategies.num_contexts(memory)
    return np.concatenate([rng.random((number // 2, h)), rng.integers(0, 2, (number // 2, h))]).astype(float)


def random_games(rng: np.random.Generator, number: int) -> tuple[np.ndarray, ipd.MatrixGame]:
    """Payoffs R, S, T, P [number, 4] in any order, whole numbers among them, so that ties occur."""
    payoffs = np.where(rng.random((number, 1)) < 0.5, rng.normal(size=(number, 4)), rng.integers(-3, 6, (number, 4)))
    return payoffs, ipd.games.symmetric_game(*payoffs.T)


def test_memory_one_equals_brute_force_in_any_game(rng: np.random.Generator) -> None:
    number = 3000
    q = random_tables(rng, number, 1)
    _, games = random_games(rng, number)
    discounts = rng.choice([0.0, 0.5, 0.99, 1.0], number)
    best = replies.best_responses(games, q, discount=discounts)
    every = [ipd.expected_returns(games, p, q, discount=discounts)[..., 0] for p in strategies.all_pure(1)]
    np.testing.assert_allclose(best.value, np.max(every, 0), atol=1e-12)


@pytest.mark.parametrize(
    ("memory", "number"), [(1, 40), (2, 40), (3, 8), *(pytest.param(m, 2000, marks=pytest.mark.slow) for m in (2, 3))]
)
def test_longer_memory_equals_value_iteration(rng: np.random.Generator, memory: int, number: int) -> None:
    q = random_tables(rng, number, memory)
    best = replies.best_responses(AXELROD, q, discount=0.9)
    value, gain = value_iteration(q, memory, 0.9)
    np.testing.assert_allclose(best.value, value, atol=1e-12)
    np.testing.assert_array_equal(best.optimal, np.stack([gain >= -1e-12, gain <= 1e-12], -1))


@pytest.mark.parametrize(
    ("memory", "number"), [(1, 60), (2, 60), (3, 8), *(pytest.param(m, 2000, marks=pytest.mark.slow) for m in (2, 3))]
)
def test_the_limit_of_means_equals_the_largest_mean_of_a_cycle(
    rng: np.random.Generator, memory: int, number: int
) -> None:
    q = random_tables(rng, 2 * number, memory)
    best = np.asarray(replies.best_responses(AXELROD, q, discount=1.0).value)
    np.testing.assert_allclose(best[number:], largest_means(q[number:], memory), atol=1e-12)
    np.testing.assert_allclose(best[:number], largest_average(q[:number], memory), atol=1e-12)


def test_all_best_replies_at_exact_thresholds() -> None:
    tft, grim = strategies.tit_for_tat(), strategies.grim()
    # Tit for tat at 2/3: to cooperate for ever and to alternate earn the same, from wherever the other cooperates.
    np.testing.assert_array_equal(
        replies.best_responses(AXELROD, tft, discount=2 / 3).optimal[1:], [[1, 1], [1, 1], [1, 0], [1, 0]]
    )
    below = replies.best_responses(AXELROD, tft, discount=2 / 3 - 1e-9).optimal
    assert not below[1, 0]
    for strategy, threshold in ((tft, 2 / 3), (grim, 1 / 2)):
        at = [bool(replies.is_nash(AXELROD, strategy, discount=threshold + d)) for d in (-1e-6, 0.0, 1e-6)]
        assert at == [False, True, True]
    assert bool(replies.is_subgame_perfect(AXELROD, grim, discount=0.5))
    assert not bool(replies.is_subgame_perfect(AXELROD, tft, discount=0.8))


def test_partners_and_rivals_of_the_donation_game() -> None:
    """A nice reactive-2 strategy is a partner iff (p_CD + p_DC)/2 ≤ 1 − c/2b and p_DD ≤ 1 − c/b (Glynatsi et al.)."""
    b, c = 3.0, 1.0
    game = ipd.games.donation_game(b, c)
    cases = itertools.product((0.2, 0.7, 0.95), (0.6, 0.8, 1.0), (0.0, 0.6, 0.7))

    rows = list(cases)
    found = replies.is_partner(game, strategies.reactive_n(np.array([(1.0, *row) for row in rows])))
    right = [(cd + dc) / 2 <= 1 - c / (2 * b) + 1e-12 and dd <= 1 - c / b + 1e-12 for cd, dc, dd in rows]
    np.testing.assert_array_equal(found, right)
    # Counting: r_{n−k} ≤ 1 − (k/n) c/b for every k.
    counts = [(0.0, 0.8, 1.0), (0.6, 0.83, 1.0), (0.7, 0.8, 1.0), (0.5, 0.84, 1.0)]
    partners = replies.is_partner(game, strategies.counting_n(np.array(counts)))
    np.testing.assert_array_equal(partners, [r[1] <= 1 - c / (2 * b) and r[0] <= 1 - c / b for r in counts])
    rivals = [strategies.always_defect(), strategies.tit_for_tat(), strategies.grim()]
    others = [strategies.always_cooperate(), strategies.win_stay_lose_shift(), strategies.generous_tit_for_tat(0.1)]
    np.testing.assert_array_equal(replies.is_rival(game, jnp.stack(rivals + others)), [1, 1, 1, 0, 0, 0])


def test_finite_games_are_solved_backwards(rng: np.random.Generator) -> None:
    q = rng.random(5)

    def best(context: int, left: int) -> float:
        if left == 0:
            return 0.0
        after, seen = contexts_after(1), q[[0, 1, 3, 2, 4]][context]
        return max(
            sum(
                chance * (PAYOFFS[2 * a + b] + 0.8 * best(after[context][2 * a + b], left - 1))
                for b, chance in ((0, seen), (1, 1 - seen))
            )
            for a in (0, 1)
        )

    found = replies.best_responses(AXELROD, q, discount=0.8, horizon=5)
    assert float(found.value) == pytest.approx(best(0, 5) / sum(0.8**t for t in range(5)), abs=1e-12)
    assert found.optimal.shape == (5, 5, 2)
    last_two = replies.best_responses(AXELROD, strategies.tit_for_tat(), horizon=2).optimal[:, 0]
    np.testing.assert_array_equal(last_two, [[1, 0], [0, 1]])


def test_one_replies_to_the_joint_play_of_all_others(rng: np.random.Generator) -> None:
    game = ipd.games.public_goods(3, 2.4)
    others = [rng.random(9), rng.random(9)]
    best = replies.best_responses(game, *others, discount=0.8, player=1)
    every = strategies.all_pure(1, 3)
    earned = ipd.expected_returns(game, others[0], every, others[1], discount=0.8)[..., 1]
    assert float(best.value) == pytest.approx(float(earned.max()), abs=1e-12)


def test_a_game_of_another_number_of_players_is_refused() -> None:
    with pytest.raises(ValueError, match="others holds 1 strategies; the game has 3 players"):
        replies.best_responses(ipd.games.public_goods(3, 2.0), strategies.tit_for_tat(), discount=0.9)
    with pytest.raises(ValueError, match=r"player must lie in 0 to 1; got -1"):
        replies.best_responses(AXELROD, strategies.tit_for_tat(), discount=0.9, player=-1)


def test_windows_of_the_discount() -> None:
    tft = strategies.tit_for_tat()
    np.testing.assert_allclose(replies.discount_windows(AXELROD, tft), [(2 / 3, 1.0)], atol=1e-11)
    assert replies.discount_windows(AXELROD, strategies.always_cooperate()) == []
    assert replies.discount_windows(AXELROD, strategies.always_defect(), replies.is_rival) == [(0.0, 1.0)]
    donation = ipd.games.donation_game(3.0, 1.0)  # WSLS is Nash from c/(b − c) on
    wsls = replies.discount_windows(donation, strategies.win_stay_lose_shift())
    np.testing.assert_allclose(wsls, [(1 / 2, 1.0)], atol=1e-11)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e6])
def test_an_offset_of_all_payoffs_changes_no_best_reply(offset: float) -> None:
    """Tit for tat at 2/3, solved by hand: one may do either after it cooperated, and must make up after a defection."""
    game = ipd.games.prisoners_dilemma(*(x + offset for x in (3.0, 0.0, 5.0, 1.0)))
    wanted = [[1, 1], [1, 1], [1, 1], [1, 0], [1, 0]]
    tft = strategies.tit_for_tat()
    np.testing.assert_array_equal(replies.best_responses(game, tft, discount=2 / 3).optimal, wanted)
    machine = automata.best_responses(game, automata.of_table(tft), discount=2 / 3)
    np.testing.assert_array_equal(machine.optimal, np.array(wanted)[[0, 1, 3, 2, 4]])
    assert float(machine.value) == pytest.approx(3.0 + offset, abs=1e-9)
    tenths = ipd.games.prisoners_dilemma(*(x + offset for x in (0.3, 0.0, 0.5, 0.1)))  # which an offset rounds
    np.testing.assert_array_equal(replies.best_responses(tenths, tft, discount=2 / 3).optimal, wanted)
    machine = automata.best_responses(tenths, automata.of_table(tft), discount=2 / 3)
    np.testing.assert_array_equal(machine.optimal, np.array(wanted)[[0, 1, 3, 2, 4]])
    last_two = replies.best_responses(game, tft, horizon=2)
    np.testing.assert_array_equal(last_two.optimal[:, 0], [[1, 0], [0, 1]])
    assert float(last_two.value) == pytest.approx(4.0 + offset, abs=1e-9)
    # Where one's own action pays nothing at once, ties are those of fractions.
    even, q = (3.0, 2.0, 3.0, 2.0), [1.0, 0.0, 0.0, 1.0, 1.0]
    shifted = ipd.games.symmetric_game(*(x + offset for x in even))
    wanted = replies.exact.best_responses(ipd.games.symmetric_game(*even), q, discount=0.5).optimal.tolist()
    assert replies.best_responses(shifted, q, discount=0.5).optimal.tolist() == wanted


@pytest.mark.parametrize("number", [27038, 37849, 40000])
def test_advantages_that_vanish_in_the_limit_of_means_decide_as_in_fractions(number: int) -> None:
    """Against these an action gains of the order of 1 − γ, and all of a single step if it is taken again and again."""
    q = replies.all_pure_of_memory(2)[number]
    wanted = replies.exact.best_responses(ipd.games.stag_hunt(), q).optimal
    np.testing.assert_array_equal(replies.best_responses(ipd.games.stag_hunt(), q).optimal, wanted)
    other = strategies.view(2, 1)  # an automaton's states are its own contexts
    machine = automata.best_responses(ipd.games.stag_hunt(), automata.of_table(q), discount=1.0)
    np.testing.assert_array_equal(machine.optimal, wanted[other])


@pytest.mark.parametrize("waiting", [2**10, 2**11, 2**14, 2**18])
def test_what_takes_a_thousand_steps_to_pay_is_a_best_reply_in_the_limit_of_means(waiting: int) -> None:
    """It forgives one cooperation in so many: that costs 1 a step till then and gains 2 in every step after."""
    rarely = [1.0, 1.0, 0.0, 1 / waiting, 0.0]
    wanted = replies.exact.best_responses(AXELROD, rarely).optimal.tolist()
    assert wanted == [[1, 0]] * 5
    assert replies.best_responses(AXELROD, rarely).optimal.tolist() == wanted
    assert replies.best_responses(AXELROD, rarely, discount=0.99).optimal.tolist() != wanted


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_what_the_first_rate_tells_apart_no_later_one_decides(first: float) -> None:
    """At the first rate cooperation gains in one context and ties in the other; at the second it loses in both."""

    def gains(policy: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.where(rate < 0.5, jnp.array([1.0, 0.0]), jnp.array([-1.0, -1.0])), jnp.array(1.0)

    _, optimal = replies.best.policy_iteration(gains, jnp.full(2, first), jnp.array([0.1, 0.9]))
    assert optimal.tolist() == [[True, False], [False, True]]
