import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipd_theory import strategies


def _history(context):
    return [] if context == "start" else context.split("·")


@pytest.mark.parametrize(("memory", "players"), [(0, 2), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3)])
def test_contexts_run_from_the_empty_history_oldest_outcome_first(memory, players):
    names = strategies.contexts(memory, players)
    assert len(names) == len(set(names)) == strategies.num_contexts(memory, players)
    assert names[0] == "start"
    assert [len(_history(c)) for c in names] == sorted(len(_history(c)) for c in names)


@pytest.mark.parametrize(("memory", "player", "players"), [(1, 1, 2), (2, 1, 2), (3, 1, 2), (1, 2, 3), (2, 1, 3)])
def test_view_reorders_each_outcome_own_action_first(memory, player, players):
    names = strategies.contexts(memory, players)

    def seen(outcome):
        return outcome[player] + "".join(a for i, a in enumerate(outcome) if i != player)

    expected = [names.index("·".join(map(seen, _history(c))) or "start") for c in names]
    assert strategies.view(memory, player, players).tolist() == expected


def test_the_swap_of_view_is_the_familiar_one():
    assert strategies.view(1, 1).tolist() == [0, 1, 3, 2, 4]
    assert strategies.view(2, 0).tolist() == list(range(21))


@given(st.integers(0, 2), st.integers(0, 3))
def test_a_longer_memory_forgets_what_the_shorter_never_knew(old, new):
    if new < old:
        with pytest.raises(ValueError, match=f"memory={new} is shorter"):
            strategies.extend(np.zeros(strategies.num_contexts(old)), new)
        return
    table = np.arange(strategies.num_contexts(old), dtype=float)
    names = strategies.contexts(old)
    extended = strategies.extend(table, new)
    for context, value in zip(strategies.contexts(new), extended, strict=True):
        recent = "·".join(_history(context)[-old:] if old else []) or "start"
        assert names[int(value)] == recent


def test_named_strategies_play_as_they_are_described():
    def reply(table, history):
        return float(table[strategies.contexts(2).index("·".join(history) or "start")])

    for history in itertools.chain.from_iterable(
        itertools.product(["CC", "CD", "DC", "DD"], repeat=n) for n in range(3)
    ):
        others = [o[1] for o in history]
        assert reply(strategies.tit_for_two_tats(), history) == float(others[-2:] != ["D", "D"])
        assert reply(strategies.two_tits_for_tat(), history) == float("D" not in others[-2:])
    np.testing.assert_array_equal(strategies.tit_for_tat(), [1, 1, 0, 1, 0])
    np.testing.assert_array_equal(strategies.win_stay_lose_shift(), [1, 1, 0, 0, 1])
    np.testing.assert_array_equal(strategies.grim(), [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(strategies.suspicious_tit_for_tat(), [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(strategies.firm_but_fair(), [1, 1, 0, 1, 1])
    np.testing.assert_allclose(strategies.generous_tit_for_tat(0.3), [1, 1, 0.3, 1, 0.3])
    np.testing.assert_array_equal(strategies.always_cooperate() - strategies.always_defect(), np.ones(5))


def test_all_pure_strategies_are_listed_once():
    pure = np.asarray(strategies.all_pure())
    assert pure.shape == (32, 5)
    assert len({tuple(row) for row in pure}) == 32
    assert set(np.unique(pure)) == {0.0, 1.0}
    with pytest.raises(ValueError, match=r"memory=2 has 2\^21"):
        strategies.all_pure(2)


def test_trembles_flip_actions():
    np.testing.assert_allclose(strategies.tremble(strategies.tit_for_tat(), 0.1), [0.9, 0.9, 0.1, 0.9, 0.1])
    with pytest.raises(ValueError, match=r"error holds 1\.5"):
        strategies.tremble(strategies.tit_for_tat(), 1.5)


def test_a_table_of_no_valid_length_is_named():
    with pytest.raises(ValueError, match=r"q has shape \(4,\); its last axis must be one of \(1, 5, 21, 85\)"):
        strategies.memory_of(np.zeros(4), name="q")


def test_reactive_strategies_by_the_names_of_contexts(rng):
    for n in (1, 2, 3):
        p, r = rng.random(2**n), rng.random(n + 1)
        reactive, own, counting = strategies.reactive_n(p), strategies.self_reactive_n(p), strategies.counting_n(r)
        for context, a, b, c in zip(strategies.contexts(n), reactive, own, counting, strict=True):
            history = [] if context == "start" else context.split("·")
            mine, theirs = (("C" * n + "".join(o[i] for o in history))[-n:] for i in (0, 1))
            number = {text: int(text.replace("C", "0").replace("D", "1"), 2) for text in (mine, theirs)}
            assert (float(a), float(b)) == (p[number[theirs]], p[number[mine]])
            assert float(c) == r[theirs.count("C")]
    np.testing.assert_array_equal(strategies.reactive_n(np.array([1.0, 0.0])), strategies.tit_for_tat())


def test_responses_of_a_length_that_no_memory_has_are_refused():
    with pytest.raises(ValueError, match=r"p has shape \(3,\); its last axis must be one of \(2, 4, 8\)"):
        strategies.reactive_n(np.zeros(3))
    with pytest.raises(ValueError, match=r"r holds 1\.5"):
        strategies.counting_n(np.array([0.0, 1.5]))


@pytest.mark.parametrize("memory", [0, 1, 2, 3])
def test_successors_are_the_strategies_contexts(memory):
    names, table = strategies.contexts(memory), strategies.successors(memory)
    for context, row in zip(names, table, strict=True):
        for outcome, name in enumerate(["CC", "CD", "DC", "DD"]):
            history = [*_history(context), name]
            assert names[row[outcome]] == ("·".join(history[-memory:]) if memory else "start")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("error", 10.0 ** -np.arange(1, 18))
def test_cooperators_err_as_often_as_defectors_or_not_at_all(error, dtype):
    """What 1 − error rounds away is refused: GRIM would stand by for ever where it should fall."""
    table = np.asarray(strategies.grim(), dtype)
    if error < 8 * np.finfo(dtype).eps:
        with pytest.raises(ValueError, match=r"error holds .* every entry must be 0 or at least"):
            strategies.tremble(table, error)
    else:
        trembled = np.asarray(strategies.tremble(table, error))
        assert trembled.dtype == dtype
        np.testing.assert_allclose(np.abs(trembled - table), error, rtol=0.07)
