"""CleanUp-lite at play: symmetry under swapping the players, statistics of random play, scripted players."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ipd_theory.rl import cleanup
from ipd_theory.rl.cleanup import DOWN, LEFT, NOTHING, RIGHT, UP, ZAP, State
from ipd_theory.rl.environments import CleanUpLite
from tests.test_cleanup import LEVEL, ORCHARD, RIVER, RULES, VARIANTS, step


def swapped(x: Any) -> Any:
    """The same game with the players' names exchanged."""
    return jax.tree.map(lambda x: x[::-1] if x.ndim == 2 else x, x)


@pytest.mark.parametrize("rules", VARIANTS)
def test_swapping_the_players_swaps_everything(rules: CleanUpLite) -> None:
    """4,096 states of random play, exactly."""
    state, actions = random_play(rules, 4096, 30)[0], jax.random.randint(jax.random.key(5), (2, 4096), 0, 6, jnp.int32)
    state = jax.tree.map(lambda x: x[-1], state)
    chance = cleanup.draw(rules, jax.random.key(6), (4096,))
    mirrored = swapped(chance)._replace(second_first=~chance.second_first)
    next_state, rewards = step(rules, state, actions, chance)
    other_state, other_rewards = step(rules, swapped(state), actions[::-1], mirrored)
    assert np.asarray(rewards).sum() > 0
    for a, b in zip(jax.tree.leaves(swapped(next_state)), jax.tree.leaves(other_state), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(rewards[::-1], other_rewards)
    one, other = cleanup.observe(rules, state)
    np.testing.assert_array_equal(other, cleanup.observe(rules, swapped(state))[0])
    cells = rules.rows * rules.columns
    assert one.shape == (4096, cleanup.num_features(rules)) == (4096, 5 * cells + 2)
    blocks = np.asarray(one[:, : 5 * cells]).reshape(4096, 5, cells)
    np.testing.assert_array_equal(blocks[:, :2].sum(2), 1)
    np.testing.assert_array_equal(blocks[:, 2:].sum(1), 1)
    np.testing.assert_array_equal(blocks[:, 0].argmax(1), state.row[0] * rules.columns + state.column[0])
    np.testing.assert_array_equal(one[:, -2:].T, state.frozen > 0)
    if rules.orchard == "grid":
        bits = lambda mask: np.asarray(mask)[:, None] >> np.arange(rules.rows) & 1
        grid = blocks[:, 2:].reshape(4096, 3, rules.rows, rules.columns)
        np.testing.assert_array_equal(grid[:, 0, :, 0], bits(state.apples))
        np.testing.assert_array_equal(grid[:, 1, :, -1], bits(state.dirt))


def random_play(
    rules: CleanUpLite, num_games: int, num_steps: int, seed: int = 0
) -> tuple[State, jax.Array, jax.Array]:
    """Play uniformly random actions; return states [time + 1], actions and rewards [time]."""

    @jax.jit
    def play(key: jax.Array) -> tuple[State, jax.Array, jax.Array]:
        env = cleanup.environment(rules)
        opening, moves, chance = jax.random.split(key, 3)
        actions = jax.random.randint(moves, (num_steps, 2, num_games), 0, env.num_actions, jnp.int32)

        def advance(state: State, inputs: tuple[jax.Array, jax.Array]) -> tuple[State, tuple[State, jax.Array]]:
            next_state, rewards = env.step(state, *inputs)
            return next_state, (next_state, rewards)

        start = env.reset(opening, (num_games,))
        _, (states, rewards) = jax.lax.scan(advance, start, (actions, jax.random.split(chance, num_steps)))
        return jax.tree.map(lambda x, xs: jnp.concatenate([x[None], xs]), start, states), actions, rewards

    return play(jax.random.key(seed))


def near(count: Any, trials: Any, probability: Any) -> None:
    """Hold a binomial count to 4.5 standard errors: one false alarm in 147,000."""
    assert trials > 1000
    error = np.sqrt(trials * probability * (1 - probability))
    assert abs(count - trials * probability) <= 4.5 * error, f"{count} of {trials}, expected {probability}"


def test_statistics_of_random_play_are_the_rules_probabilities() -> None:
    """2,048 games of 100 steps; some 35 comparisons at 4.5 standard errors: a false alarm in 4,000 seeds."""
    states, actions, rewards = jax.tree.map(np.asarray, random_play(RULES, 2048, 100))
    before, now = (State(*(x[part] for x in states)) for part in (slice(None, -1), slice(1, None)))
    bits = lambda mask: mask[..., None] >> np.arange(5) & 1
    both = now.cleaned.all(1) & (before.row[:, 0] == before.row[:, 1])
    cleaned_cells = now.cleaned.sum(1) - both
    dirt_before, dirt_between = bits(before.dirt).sum(-1), bits(now.dirt).sum(-1) + cleaned_cells
    near(*((dirt_between - dirt_before)[dirt_before < 5].sum(), (dirt_before < 5).sum()), 0.35)
    assert (dirt_between == dirt_before)[dirt_before == 5].all()
    apples_before = bits(before.apples).sum(-1)
    grown = bits(now.apples).sum(-1) + rewards.sum(1) - apples_before
    for amount, growth in ((0, 1), (1, 2 / 3), (2, 1 / 3), (3, 0), (4, 0), (5, 0)):
        room = (dirt_between == amount) & (apples_before < 5)
        assert room.any()
        if growth in (0, 1):
            assert (grown[room] == growth).all()
        else:
            near(grown[room].sum(), room.sum(), growth)
    # Which free cell it is, where no one can take or clean it.
    for kind, column in (("dirt", RIVER), ("apples", ORCHARD)):
        old, new = bits(getattr(before, kind)), bits(getattr(now, kind))
        away = (before.column != column).all(1)
        appeared = away & ((new - old).sum(-1) == 1)
        for free in (2, 3, 4, 5):
            here = appeared & ((1 - old).sum(-1) == free)
            rank = (np.cumsum(1 - old, -1) * (new - old)).sum(-1)[here]
            if here.sum() > 1000:
                for place in range(1, free + 1):
                    near((rank == place).sum(), here.sum(), 1 / free)
    # Zaps, one by one and together.
    active = before.frozen == 0
    distance = np.abs(before.row[:, 0] - before.row[:, 1]) + np.abs(before.column[:, 0] - before.column[:, 1])
    tries = (actions == ZAP) & active & active[:, ::-1] & (distance <= 2)[:, None]
    hits = (now.frozen[:, ::-1] == 5) & active[:, ::-1]
    near(hits[tries].sum(), tries.sum(), 0.9)
    assert not hits[~tries].any()
    near(hits.all(1)[tries.all(1)].sum(), tries.all(1).sum(), 0.81)
    # Every freeze that began and ended in time lasted 5 steps.
    frozen = np.moveaxis(states.frozen > 0, 0, -1).reshape(-1, 101).astype(int)
    change = np.diff(frozen, axis=1, prepend=0)
    starts, ends = np.argwhere(change == 1), np.argwhere(change == -1)
    lengths = [
        ends[i, 1] - starts[j, 1]
        for i, j in zip(range(len(ends)), np.searchsorted(starts @ (1000, 1), ends @ (1000, 1)) - 1, strict=True)
    ]
    assert len(lengths) > 1000
    assert set(lengths) == {5}


@pytest.mark.parametrize("rules", [RULES, LEVEL])
def test_fields_of_the_random_words_are_uniform_and_independent(rules: CleanUpLite) -> None:
    """100,000 draws cut into quarters, alone and in pairs; 270 comparisons a variant: a false alarm in 500 seeds."""
    chance = cleanup.draw(rules, jax.random.key(9), (100000,))
    fields = [chance.dirt, chance.apple, *chance.hits, chance.second_first]
    fields += [*chance.picks] if rules.orchard == "level" else []
    quarters = [np.floor(4 * np.asarray(x, np.float64)).astype(int) for x in fields]
    quarters[4] = np.asarray(chance.second_first, int)
    sizes = [2 if i == 4 else 4 for i in range(len(fields))]
    for i, (one, size) in enumerate(zip(quarters, sizes, strict=True)):
        for value in range(size):
            near((one == value).sum(), 100000, 1 / size)
        for other, other_size in zip(quarters[:i], sizes[:i], strict=True):
            for value in range(size):
                near(((one == value) & (other == value % other_size)).sum(), 100000, 1 / size / other_size)


def test_openings_are_uniform() -> None:
    """20,000 openings; 60 comparisons at 4.5 standard errors: a false alarm in 2,400 seeds."""
    opening = jax.tree.map(np.asarray, cleanup.reset(RULES, jax.random.key(3), (20000,)))
    cell = opening.row * 4 + opening.column
    for player in cell:
        for count in np.bincount(player, minlength=20):
            near(count, 20000, 1 / 20)
    masks, counts = np.unique(opening.dirt, return_counts=True)
    assert masks.tolist() == [mask for mask in range(32) if mask.bit_count() == 3]
    for count in counts:
        near(count, 20000, 1 / 10)
    near((cell[0] == cell[1]).sum(), 20000, 1 / 20)
    for never in (opening.frozen, opening.apples, opening.cleaned, opening.zapped):
        assert not never.any()


Script = Callable[[State, int], jax.Array]


def walk(state: State, player: int, mask: jax.Array, column: int) -> jax.Array:
    """Go to the nearest marked row of a column."""
    row = state.row[player]
    rows = jnp.arange(5, dtype=jnp.int32)
    away = jnp.where((mask[:, None] >> rows.astype(jnp.uint32)) & 1 == 1, jnp.abs(rows - row[:, None]), 99)
    target = jnp.where(mask > 0, away.argmin(-1).astype(jnp.int32), row)
    vertical = jnp.where(target > row, DOWN, jnp.where(target < row, UP, NOTHING))
    here = state.column[player]
    return jnp.where(here < column, RIGHT, jnp.where(here > column, LEFT, vertical))


def free_rider(state: State, player: int) -> jax.Array:
    """Wait in the orchard for apples."""
    return walk(state, player, state.apples, ORCHARD)


def cooperator(state: State, player: int) -> jax.Array:
    """Clean while two cells or more are dirty, else take apples."""
    dirty = jax.lax.population_count(state.dirt) >= 2
    return jnp.where(dirty, walk(state, player, state.dirt, RIVER), free_rider(state, player))


def zapper(state: State, player: int) -> jax.Array:
    """Zap whoever comes near while in the orchard, else ride free."""
    near = (jnp.abs(state.row[0] - state.row[1]) + jnp.abs(state.column[0] - state.column[1])) <= 2
    shoots = near & (state.frozen[1 - player] == 0) & (state.column[1 - player] <= 1)
    return jnp.where(shoots, ZAP, free_rider(state, player))


def meet(first: Script, second: Script, num_games: int = 512, num_steps: int = 128) -> np.ndarray:
    """Return mean rewards a step of both scripts and their standard errors over games, [2 statistics, 2 players]."""

    @jax.jit
    def play(key: jax.Array) -> jax.Array:
        env = cleanup.environment(RULES)

        def advance(state: State, key: jax.Array) -> tuple[State, jax.Array]:
            return env.step(state, jnp.stack([first(state, 0), second(state, 1)]).astype(jnp.int32), key)

        opening, chance = jax.random.split(key)
        return jax.lax.scan(advance, env.reset(opening, (num_games,)), jax.random.split(chance, num_steps))[1]

    returns = np.asarray(play(jax.random.key(1))).mean(0)
    return np.stack([returns.mean(-1), returns.std(-1) / num_games**0.5])


def test_scripted_players_get_what_the_dilemma_demands() -> None:
    """Each order with a margin of 5 standard errors."""
    together, apart = meet(cooperator, cooperator), meet(free_rider, free_rider)
    exploited, robbed = meet(cooperator, free_rider), meet(cooperator, zapper)

    def above(a: np.ndarray, b: np.ndarray) -> bool:
        return bool(a[0] - b[0] > 5 * np.hypot(a[1], b[1]))

    assert above(together[:, 0], apart[:, 0])
    assert above(together[:, 1], apart[:, 1])
    assert above(exploited[:, 1], exploited[:, 0])  # the free rider has more than the cleaner it plays with,
    assert above(exploited[:, 1], together[:, 1])  # more than by cleaning itself,
    assert above(exploited[:, 0], apart[:, 0])  # while the cleaner is better off than among free riders
    assert above(robbed[:, 1], robbed[:, 0])
    assert above(exploited[:, 0], robbed[:, 0])  # a zapper takes even the apples that a free rider leaves
    assert (apart[0] < 0.001).all()  # three dirty cells: nothing grows unless someone began on one of them
