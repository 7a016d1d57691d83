"""CleanUp-lite: every rule on constructed states; `test_cleanup_play` has play as a whole."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory.rl import cleanup
from ipd_theory.rl.cleanup import DOWN, LEFT, NOTHING, RIGHT, UP, ZAP, Chance, State
from ipd_theory.rl.environments import CleanUpLite

RULES = CleanUpLite()
LEVEL = CleanUpLite(orchard="level")
VARIANTS = (RULES, LEVEL, CleanUpLite(share_cells=False, distance="chebyshev", shared_apple="split", rows=3, columns=6))
ORCHARD, RIVER = 0, 3
STILL = (NOTHING, NOTHING)

step = jax.jit(cleanup.step, static_argnums=0)


def games(rows: Any, columns: Any, frozen: Any = (0, 0), dirt: Any = 0, apples: Any = 0) -> State:
    """States from what is given for both players, broadcast to one batch."""
    per_player = [np.moveaxis(np.asarray(x), -1, 0) for x in (rows, columns, frozen)]
    batch = np.broadcast_shapes(*(x.shape[1:] for x in per_player), np.shape(dirt), np.shape(apples))
    spread = lambda x, shape: jnp.asarray(np.broadcast_to(x, shape))
    row, column, left = (
        spread(x.reshape(2, *(1,) * (len(batch) - x.ndim + 1), *x.shape[1:]), (2, *batch)).astype(jnp.int32)
        for x in per_player
    )
    masks = [spread(np.asarray(x, np.uint32), batch) for x in (dirt, apples)]
    return State(row, column, left, *masks, row < 0, row < 0)


def luck(state: State, **given: Any) -> Chance:
    """Chance with nothing happening but what is given."""
    batch = state.dirt.shape
    default = {"dirt": 0.99, "apple": 1.0, "hits": 0.99, "picks": 0.99}
    values = {name: np.broadcast_to(np.float32(given.get(name, x)), batch) for name, x in default.items()}
    for name in ("hits", "picks"):
        values[name] = np.stack([values[name]] * 2)
    second = np.broadcast_to(given.get("second_first", False), batch)
    return Chance(**{name: jnp.asarray(x) for name, x in values.items()}, second_first=jnp.asarray(second))


def act(state: State, *actions: Any) -> jax.Array:
    return jnp.stack([jnp.broadcast_to(jnp.asarray(a, jnp.int32), state.dirt.shape) for a in actions])


def after(state: State, actions: Any = STILL, rules: CleanUpLite = RULES, **given: Any) -> tuple[State, np.ndarray]:
    next_state, rewards = step(rules, state, act(state, *actions), luck(state, **given))
    return next_state, np.asarray(rewards)


def every_free_cell(mask: int, rows: int = 5) -> list[tuple[float, int]]:
    """A uniform number inside each share of [0, 1), and the cell that it must choose."""
    free = [r for r in range(rows) if not mask >> r & 1]
    return [((k + 0.5) / len(free), row) for k, row in enumerate(free)]


def test_1_dirt_appears_on_each_free_river_cell_and_none_on_a_full_river() -> None:
    cases = [(mask, 0.35 * u, mask | 1 << row) for mask in range(31) for u, row in every_free_cell(mask)]
    cases += [(mask, u, mask) for mask in range(32) for u in (0.3501, 0.7)] + [(31, u, 31) for u in (0.0, 0.2)]
    before, uniform, expected = map(np.array, zip(*cases, strict=True))
    state, _ = after(games((0, 0), (1, 1), dirt=before), dirt=uniform)
    np.testing.assert_array_equal(state.dirt, expected)


def test_2_apples_grow_by_the_dirt_that_is_there_after_the_first_rule() -> None:
    cases = []
    for dirt in (0b0, 0b1, 0b101, 0b111, 0b11111):
        growth = max(0.0, 1 - dirt.bit_count() / 3)
        for apples in range(31):
            cases += [(dirt, apples, growth * u, apples | 1 << row) for u, row in every_free_cell(apples) if growth]
            cases.append((dirt, apples, growth + 1e-6, apples))
    dirt, before, uniform, expected = map(np.array, zip(*cases, strict=True))
    state, _ = after(games((0, 0), (1, 1), dirt=dirt, apples=before), apple=uniform)
    np.testing.assert_array_equal(state.apples, expected)
    # A third patch that appears now stops growth; one that is cleaned now does not start it.
    state, _ = after(games((0, 0), (1, 1), dirt=0b11), apple=0.1, dirt=0.1)
    assert (int(state.dirt).bit_count(), int(state.apples)) == (3, 0)
    state, _ = after(games((0, 0), (RIVER, 1), dirt=0b111), apple=0.1)
    assert (int(state.dirt), int(state.apples)) == (0b110, 0)


def test_3_a_player_takes_the_apple_it_stands_on_unless_frozen() -> None:
    cells = [(r, c) for r in range(5) for c in range(4)]
    rows, columns = (np.array([[cell[i], 2] for cell in cells]) for i in (0, 1))
    for frozen, active in ((0, 1), (1, 0), (5, 0)):
        state, rewards = after(games(rows, columns, (frozen, 0), apples=0b10110))
        takes = active * np.array([c == ORCHARD and r in (1, 2, 4) for r, c in cells])
        np.testing.assert_array_equal(rewards[0], takes)
        np.testing.assert_array_equal(rewards[1], 0)
        np.testing.assert_array_equal(state.apples, 0b10110 - (takes << rows[:, 0]))
    # An apple that grows under a player is taken in the same step.
    state, rewards = after(games((2, 0), (ORCHARD, 1), apples=0b11011), apple=0.5)
    assert (rewards.tolist(), int(state.apples)) == ([1, 0], 0b11011)


@pytest.mark.parametrize(
    ("frozen", "rules", "second_first", "expected"),
    [
        ((0, 0), RULES, False, [1, 0]),
        ((0, 0), RULES, True, [0, 1]),
        ((3, 0), RULES, False, [0, 1]),
        ((0, 2), RULES, True, [1, 0]),
        ((0, 0), dataclasses.replace(RULES, shared_apple="split"), True, [0.5, 0.5]),
    ],
)
def test_3_an_apple_under_both_is_taken_once(
    frozen: tuple[int, int], rules: CleanUpLite, second_first: bool, expected: list[float]
) -> None:
    state, rewards = after(games((3, 3), (0, 0), frozen, apples=0b01001), rules=rules, second_first=second_first)
    assert (rewards.tolist(), int(state.apples)) == (expected, 0b00001)
    _, rewards = after(games((3, 0), (0, 0), apples=0b01001), rules=rules, second_first=second_first)
    assert rewards.tolist() == [1, 1]


def test_4_a_player_cleans_the_cell_it_stands_on_unless_frozen() -> None:
    cells = [(r, c) for r in range(5) for c in range(4)]
    rows, columns = (np.array([[2, cell[i]] for cell in cells]) for i in (0, 1))
    for frozen, active in ((0, 1), (2, 0)):
        state, rewards = after(games(rows, columns, (0, frozen), dirt=0b01101))
        cleans = active * np.array([c == RIVER and r in (0, 2, 3) for r, c in cells])
        np.testing.assert_array_equal(state.cleaned, [0 * cleans, cleans])
        np.testing.assert_array_equal(state.dirt, 0b01101 - (cleans << rows[:, 1]))
        np.testing.assert_array_equal(rewards, 0)
    state, _ = after(games((0, 4), (RIVER, RIVER), dirt=0b11110), dirt=0.01)
    assert (state.cleaned.tolist(), int(state.dirt)) == ([True, True], 0b01110)
    state, _ = after(games((1, 1), (RIVER, RIVER), dirt=0b10))
    assert (state.cleaned.tolist(), int(state.dirt)) == ([True, True], 0)


@pytest.mark.parametrize("distance", ["manhattan", "chebyshev"])
def test_5_a_zap_reaches_two_cells(distance: Any) -> None:
    rules = dataclasses.replace(RULES, distance=distance)
    cells = np.array([(r, c) for r in range(5) for c in range(4)])
    one, other = np.repeat(cells, 20, 0), np.tile(cells, (20, 1))
    away = np.abs(one - other)
    near = (away.sum(1) if distance == "manhattan" else away.max(1)) <= 2
    where = games(np.stack([one[:, 0], other[:, 0]], -1), np.stack([one[:, 1], other[:, 1]], -1))
    for uniform, lucky in ((0.8999, 1), (0.9001, 0)):
        state, _ = after(where, (ZAP, NOTHING), rules, hits=uniform)
        np.testing.assert_array_equal(state.frozen, [0 * near, 5 * near * lucky])
        assert np.asarray(state.zapped[0]).all()
        assert not np.asarray(state.zapped[1]).any()
    state, _ = after(where, (ZAP, ZAP), rules, hits=0.5)
    np.testing.assert_array_equal(state.frozen, [5 * near, 5 * near])


def test_5_frozen_players_neither_zap_nor_are_hit() -> None:
    left = np.arange(6)
    pairs = np.stack([np.repeat(left, 6), np.tile(left, 6)], -1)
    state, _ = after(games((1, 2), (1, 1), pairs), (ZAP, ZAP), hits=0.0)
    free = pairs == 0
    expected = np.where(free[:, ::-1] & free, 5, np.maximum(pairs - 1, 0))
    np.testing.assert_array_equal(state.frozen.T, expected)
    np.testing.assert_array_equal(state.zapped.T, free)


def test_5_a_hit_player_does_nothing_for_exactly_five_steps() -> None:
    state, _ = after(games((2, 2), (0, 1)), (ZAP, LEFT), hits=0.0)
    assert state.column[1] == 0  # the move of the step of the hit
    for remaining in (5, 4, 3, 2, 1):
        assert state.frozen[1] == remaining
        assert cleanup.measure(state, act(state, *STILL), state)["co_player_frozen"]
        state = state._replace(apples=jnp.uint32(0b00100), row=jnp.array([0, 2], jnp.int32))
        state, rewards = after(state, (ZAP, DOWN), hits=0.0)
        assert (state.row[1], rewards[1], state.apples) == (2, 0, 0b00100)
    assert state.frozen[1] == 0
    state, rewards = after(state, (NOTHING, DOWN))
    assert (state.row[1], rewards[1]) == (3, 1)


def test_6_moves_stop_at_walls_and_frozen_players_stay() -> None:
    cells = np.array([(r, c) for r in range(5) for c in range(4)])
    for action, change in {
        RIGHT: (0, 1),
        LEFT: (0, -1),
        UP: (-1, 0),
        DOWN: (1, 0),
        ZAP: (0, 0),
        NOTHING: (0, 0),
    }.items():
        start = np.stack([cells, cells], -1)
        state, _ = after(games(start[:, 0], start[:, 1], (0, 1)), (action, action))
        moved = np.clip(cells + change, 0, (4, 3))
        np.testing.assert_array_equal(state.row.T, np.stack([moved[:, 0], cells[:, 0]], -1))
        np.testing.assert_array_equal(state.column.T, np.stack([moved[:, 1], cells[:, 1]], -1))


def test_6_without_sharing_no_two_players_meet_on_a_cell() -> None:
    rules = dataclasses.replace(RULES, share_cells=False)
    for columns, actions, expected in (
        ((0, 2), (RIGHT, LEFT), (0, 2)),  # both to the cell between
        ((1, 2), (RIGHT, NOTHING), (1, 2)),  # into one that stays
        ((1, 2), (RIGHT, RIGHT), (2, 3)),  # into one that leaves
        ((1, 2), (RIGHT, LEFT), (2, 1)),  # past each other
    ):
        assert after(games((2, 2), columns), actions, rules)[0].column.tolist() == list(expected)
        assert after(games((2, 2), columns), actions)[0].column.tolist() == [
            c + (a == RIGHT) - (a == LEFT) for c, a in zip(columns, actions, strict=True)
        ]
    for rows, actions, expected in (((0, 2), (DOWN, UP), [0, 2]), ((1, 2), (DOWN, NOTHING), [1, 2])):
        assert after(games(rows, (2, 2)), actions, rules)[0].row.tolist() == expected
    opening = cleanup.reset(rules, jax.random.key(0), (5000,))
    together = (opening.row[0] == opening.row[1]) & (opening.column[0] == opening.column[1])
    assert not np.asarray(together).any()


def test_what_is_measured_of_a_step() -> None:
    """Apples and dirt that are there after it; who was frozen during it; who cleaned or zapped in it."""
    before = games((0, 3), (1, RIVER), frozen=(1, 0), dirt=0b11000, apples=0b1)
    state, _ = after(before, (ZAP, ZAP), dirt=0.01, apple=0.99)
    seen = cleanup.measure(before, act(before, ZAP, ZAP), state)
    assert bin(int(state.dirt)).count("1") == int(seen["dirt"]) == 2  # one more, one cleaned
    assert {name: int(x) for name, x in seen.items() if name != "dirt"} == {
        "apples": 1, "cleaning": 0, "co_player_cleaning": 1, "zaps": 0, "co_player_zaps": 1, "frozen": 1,
        "co_player_frozen": 0,
    }  # fmt: skip
    grown, _ = after(games((0, 0), (1, 1)), apple=0.0)
    assert int(cleanup.measure(games((0, 0), (1, 1)), act(before, *STILL), grown)["apples"]) == 1


def test_the_level_variant_grows_to_its_cap_and_is_picked_in_proportion() -> None:
    masks = [0b0, 0b1, 0b11, 0b111, 0b1111]
    for level, mask in enumerate(masks):
        state, _ = after(games((0, 0), (1, 1), apples=mask), rules=LEVEL, apple=0.99)
        assert int(state.apples) == masks[min(level + 1, 4)]
        for pick, wins in ((max(level / 4 - 0.01, 0), level > 0), (level / 4 + 0.01, False)):
            state, rewards = after(games((0, 0), (0, 1), apples=mask), rules=LEVEL, picks=pick)
            assert (rewards.tolist(), int(state.apples)) == ([float(wins), 0.0], masks[level - wins])
    # The second to pick faces what the first has left.
    for second_first, expected in ((False, [1, 0]), (True, [0, 1])):
        state, rewards = after(games((0, 3), (0, 0), apples=0b11), rules=LEVEL, picks=0.4, second_first=second_first)
        assert (rewards.tolist(), int(state.apples)) == (expected, 0b1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows must be 1 or more; got 0"),
        ({"rows": 33}, "rows must be at most 32; got 33"),
        ({"columns": 1}, "columns must be 2 or more; got 1"),
        ({"initial_dirt": 6}, "initial_dirt must be at most rows=5; got 6"),
        ({"orchard": "level", "max_level": 6}, "max_level must be at most rows=5; got 6"),
        ({"zap_probability": 1.5}, "zap_probability must lie in"),
        ({"dirt_probability": float("nan")}, "dirt_probability must be a finite number; got nan"),
    ],
)
def test_bad_rules_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CleanUpLite(**change)


def test_masks_reach_every_row_of_the_largest_grid() -> None:
    rules = CleanUpLite(rows=32, initial_dirt=32, dirt_probability=1.0)
    opening = cleanup.reset(rules, jax.random.key(0), (3,))
    assert opening.dirt.tolist() == [2**32 - 1] * 3
    state = opening._replace(dirt=jnp.zeros_like(opening.dirt), column=jnp.ones_like(opening.column))
    for i in range(32):
        assert np.bitwise_count(np.asarray(state.dirt)).tolist() == [i] * 3
        state, _ = step(rules, state, act(state, *STILL), luck(state, dirt=0.99))
    assert state.dirt.tolist() == [2**32 - 1] * 3
