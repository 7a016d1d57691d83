r"""CleanUp-lite: two players who can clean a river, pick apples, or zap each other, many games at once.

The left column of a grid is the orchard, the right column the river. One step, in this order:

    1. With probability p_pollution a patch of dirt appears on a random free river cell, if there is one.
    2. With probability 1 − min(1, P/3) an apple appears on a random free orchard cell, P being the dirty cells now.
    3. A player who is not frozen and stands on an apple takes it: reward 1.
    4. A player who is not frozen and stands on dirt cleans it.
    5. A player who is not frozen and zaps hits the other with probability 0.9 if it is at most 2 cells away and not
       frozen; it is then frozen for 5 steps.
    6. Players who are not frozen move; walls stop them.

Taking and cleaning happen by standing there, whatever the action. The apples are anyone's, the cleaning costs its
player the time to take them: mutual cleaning pays more than mutual harvesting, and a free rider more than the cleaner.

What the paper leaves open, each choice a field of `CleanUpLite`: the distance of a zap counts steps along rows and
columns (`distance`); both players may stand on one cell (`share_cells`; if not, neither moves when both would end on
one cell); a fair coin says who takes an apple that both stand on (`shared_apple`). Zaps are simultaneous, and a hit
counts from the next step: the player still makes its move of this step, then does nothing at all for exactly 5.
`orchard="level"` is an earlier description of the game: instead of cells, the orchard has a level A of at most 4; it
grows by 1 where an apple would appear, and a player anywhere in the orchard picks one with probability A/4, in an
order that the coin decides.

Chance comes as 32-bit words, 3 a step (4 for `level`), cut into fields: probabilities of dirt and apples are met to
2^−24, those of zaps and picks to 2^−16, and the n free cells are equally likely to n · 2^−24.

Source: Meulemans et al. 2025.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, UInt

from ipd_theory._arguments import checked
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.environments import CleanUpLite

ACTIONS = ("right", "left", "up", "down", "zap", "nothing")
RIGHT, LEFT, UP, DOWN, ZAP, NOTHING = range(6)


class State(NamedTuple):
    """A batch of games; players lead, and bit r of a mask is the cell in row r.

    Fields:
        row: of each player, from the top.
        column: of each player; 0 is the orchard, the last the river.
        frozen: steps that each player will still be frozen.
        dirt: mask of dirty river cells.
        apples: mask of orchard cells with an apple; in the level variant the lowest A bits.
        cleaned: whether each player cleaned a cell in the last step.
        zapped: whether each player, not frozen, zapped in the last step.
    """

    row: Int[Array, "2 *batch"]
    column: Int[Array, "2 *batch"]
    frozen: Int[Array, "2 *batch"]
    dirt: UInt[Array, "*batch"]
    apples: UInt[Array, "*batch"]
    cleaned: Bool[Array, "2 *batch"]
    zapped: Bool[Array, "2 *batch"]


class Chance(NamedTuple):
    """What a step leaves to chance: uniform numbers in [0, 1), and who comes first at an apple both could take."""

    dirt: Float[Array, "*batch"]
    apple: Float[Array, "*batch"]
    hits: Float[Array, "2 *batch"]
    picks: Float[Array, "2 *batch"]
    second_first: Bool[Array, "*batch"]


def _bit(row: Int[Array, "*shape"]) -> UInt[Array, "*shape"]:
    return jnp.left_shift(jnp.uint32(1), row.astype(jnp.uint32))


def _has(mask: UInt[Array, "*batch"], row: Int[Array, "2 *batch"]) -> Bool[Array, "2 *batch"]:
    return (mask & _bit(row)) != 0


def _fraction(words: UInt[Array, "*shape"], bits: int) -> Float[Array, "*shape"]:
    """Return the highest bits of random words as a uniform number in [0, 1)."""
    return (words >> (32 - bits)).astype(jnp.float32) * jnp.float32(2.0**-bits)


def _below(uniform: Float[Array, "*batch"], count: Int[Array, "*batch"] | int) -> Int[Array, "*batch"]:
    """Return a random integer from 0 to count − 1."""
    count = jnp.asarray(count, jnp.int32)
    return jnp.minimum((uniform * count.astype(jnp.float32)).astype(jnp.int32), count - 1)


def _random_bit(mask: UInt[Array, "*batch"], uniform: Float[Array, "*batch"], rows: int) -> UInt[Array, "*batch"]:
    """Return one random bit of a mask, none if it is empty."""
    bits = [(mask >> row) & 1 for row in range(rows)]
    wanted = _below(uniform, sum(bits, jnp.zeros_like(mask)).astype(jnp.int32)).astype(jnp.uint32)
    picked = passed = jnp.zeros_like(mask)
    for row, bit in enumerate(bits):
        picked = picked | (jnp.where(passed == wanted, bit, 0) << row)
        passed = passed + bit
    return picked


def _appears(
    free: UInt[Array, "*batch"], probability: Float[Array, "*batch"], uniform: Float[Array, "*batch"], rows: int
) -> UInt[Array, "*batch"]:
    """Return, with a probability, a random bit of the free ones: a uniform number below p is uniform on [0, p)."""
    happens = uniform < probability
    within = uniform / jnp.where(happens, probability, 1)
    return jnp.where(happens, _random_bit(free, within, rows), 0)


def reset(rules: CleanUpLite, key: Key[Array, ""], batch: tuple[int, ...]) -> State:
    """Return opening states: players on random cells, not frozen, no apples, dirt on random river cells.

    Args:
        rules: of the game.
        key: of all randomness.
        batch: shape of the batch of games.
    """
    words = jax.random.bits(key, (2 + rules.initial_dirt, *batch), jnp.uint32)
    uniforms = _fraction(words, 24)
    num_cells = rules.rows * rules.columns
    first = _below(uniforms[0], num_cells)
    if rules.share_cells:
        second = _below(uniforms[1], num_cells)
    else:
        second = _below(uniforms[1], num_cells - 1)
        second = second + (second >= first).astype(jnp.int32)
    cell = jnp.stack([first, second])
    dirt = jnp.zeros(batch, jnp.uint32)
    for uniform in uniforms[2:]:
        dirt = dirt | _random_bit(dirt ^ ((1 << rules.rows) - 1), uniform, rules.rows)
    never = jnp.zeros_like(cell, bool)
    return State(cell // rules.columns, cell % rules.columns, 0 * cell, dirt, jnp.zeros_like(dirt), never, never)


def draw(rules: CleanUpLite, key: Key[Array, ""], batch: tuple[int, ...]) -> Chance:
    """Return the chance of one step for a batch of games."""
    words = jax.random.bits(key, (4 if rules.orchard == "level" else 3, *batch), jnp.uint32)
    dirt, apple = _fraction(words[:2], 24)
    low_and_high = lambda word: jnp.stack([_fraction(word, 16), _fraction(word << 16, 16)])  # noqa: E731  (a formula)
    # The lowest bit of the second word has no part in its fraction. Only the level variant looks at picks.
    return Chance(dirt, apple, low_and_high(words[2]), low_and_high(words[-1]), (words[1] & 1) == 1)


def step(
    rules: CleanUpLite, state: State, actions: Int[Array, "2 *batch"], chance: Chance
) -> tuple[State, Float[Array, "2 *batch"]]:
    """Return the next states and both players' rewards [2, *batch].

    Args:
        rules: of the game.
        state: before.
        actions: [2, *batch] of each player, indices into `ACTIONS`.
        chance: what is left to it.
    """
    everywhere = jnp.uint32((1 << rules.rows) - 1)
    active = state.frozen == 0

    dirt = state.dirt
    pollution = jnp.full(dirt.shape, rules.dirt_probability, jnp.float32)
    dirt = dirt | _appears(dirt ^ everywhere, pollution, chance.dirt, rules.rows)
    num_dirt = jax.lax.population_count(dirt).astype(jnp.float32)
    growth = 1 - jnp.minimum(num_dirt / rules.saturating_dirt, 1)

    harvest = _harvest_level if rules.orchard == "level" else _harvest_grid
    apples, rewards = harvest(rules, state, active & (state.column == 0), growth, chance)

    cleaned = active & (state.column == rules.columns - 1) & _has(dirt, state.row)
    dirt = dirt & ~_bits_of(cleaned, state.row)

    zapped = active & (actions == ZAP)
    away = jnp.abs(state.row[0] - state.row[1]), jnp.abs(state.column[0] - state.column[1])
    distance = away[0] + away[1] if rules.distance == "manhattan" else jnp.maximum(*away)
    lands = zapped & (distance <= rules.zap_range) & (chance.hits < rules.zap_probability)
    hit = lands[::-1] & active
    frozen = jnp.where(hit, rules.freeze_steps, jnp.maximum(state.frozen - 1, 0))

    row, column = _move(rules, state, jnp.where(active, actions, NOTHING))
    return State(row, column, frozen, dirt, apples, cleaned, zapped), rewards


def _bits_of(which: Bool[Array, "2 *batch"], row: Int[Array, "2 *batch"]) -> UInt[Array, "*batch"]:
    """Return the mask of the rows of the players in `which`."""
    bits = jnp.where(which, _bit(row), 0)
    return bits[0] | bits[1]


def _harvest_grid(
    rules: CleanUpLite, state: State, present: Bool[Array, "2 *batch"], growth: Array, chance: Chance
) -> tuple[UInt[Array, "*batch"], Float[Array, "2 *batch"]]:
    everywhere = jnp.uint32((1 << rules.rows) - 1)
    apples = state.apples | _appears(state.apples ^ everywhere, growth, chance.apple, rules.rows)
    takes = present & _has(apples, state.row)
    both = takes[0] & takes[1] & (state.row[0] == state.row[1])
    loses = jnp.stack([chance.second_first, ~chance.second_first])
    shared = jnp.float32(0.5) if rules.shared_apple == "split" else jnp.where(loses, jnp.float32(0), 1)
    return apples & ~_bits_of(takes, state.row), jnp.where(takes, jnp.where(both, shared, 1), 0)


def _harvest_level(
    rules: CleanUpLite, state: State, present: Bool[Array, "2 *batch"], growth: Array, chance: Chance
) -> tuple[UInt[Array, "*batch"], Float[Array, "2 *batch"]]:
    level = jax.lax.population_count(state.apples).astype(jnp.int32)
    level = jnp.minimum(level + (chance.apple < growth).astype(jnp.int32), rules.max_level)
    swap = chance.second_first
    taken = []
    for turn in (swap, ~swap):
        tries, pick = (jnp.where(turn, x[1], x[0]) for x in (present, chance.picks))
        taken.append(tries & (pick < level.astype(jnp.float32) / rules.max_level))
        level = level - taken[-1].astype(jnp.int32)
    rewards = jnp.where(swap, jnp.stack(taken[::-1]), jnp.stack(taken))
    return _bit(level) - 1, rewards.astype(jnp.float32)


def _move(
    rules: CleanUpLite, state: State, actions: Int[Array, "2 *batch"]
) -> tuple[Int[Array, "2 *batch"], Int[Array, "2 *batch"]]:
    def go(x: Array, forward: int, back: int, size: int) -> Array:
        steps = (actions == forward).astype(jnp.int32) - (actions == back).astype(jnp.int32)
        return jnp.clip(x + steps, 0, size - 1)

    row, column = go(state.row, DOWN, UP, rules.rows), go(state.column, RIGHT, LEFT, rules.columns)
    if not rules.share_cells:
        meet = (row[0] == row[1]) & (column[0] == column[1])
        row, column = jnp.where(meet, state.row, row), jnp.where(meet, state.column, column)
    return row, column


def num_features(rules: CleanUpLite) -> int:
    """Return the length of an observation."""
    return 5 * rules.rows * rules.columns + 2


def observe(rules: CleanUpLite, state: State) -> tuple[Bool[Array, "*batch F"], Bool[Array, "*batch F"]]:
    """Return what each player sees: its own cell and the other's one-hot, each cell's content one-hot (apple, dirt,
    empty), and whether itself and the other are frozen; cells go row by row."""
    cells = jnp.arange(rules.rows * rules.columns, dtype=jnp.int32)
    own, other = (state.row * rules.columns + state.column)[..., None] == cells
    frozen = state.frozen[..., None] > 0
    in_row = jnp.arange(rules.rows, dtype=jnp.uint32)[:, None]
    columns = jnp.arange(rules.columns, dtype=jnp.int32)

    def plane(mask: UInt[Array, "*batch"], column: int) -> Bool[Array, "*batch cells"]:
        bits = ((mask[..., None, None] >> in_row) & 1) == 1
        return (bits & (columns == column)).reshape(*mask.shape, -1)

    apples, dirt = plane(state.apples, 0), plane(state.dirt, rules.columns - 1)
    grid = jnp.concatenate([apples, dirt, ~(apples | dirt)], -1)
    return (
        jnp.concatenate([own, other, grid, frozen[0], frozen[1]], -1),
        jnp.concatenate([other, own, grid, frozen[1], frozen[0]], -1),
    )


def measure(state: State, actions: Int[Array, "2 *batch"], next_state: State) -> dict[str, Array]:
    """Return what a step showed, per game: apples and dirty cells that are there after it, and whether each player
    cleaned, zapped (with or without effect) and was frozen during it."""
    count = jax.lax.population_count
    numbers: dict[str, Array] = {"apples": count(next_state.apples), "dirt": count(next_state.dirt)}
    by_player = {"cleaning": next_state.cleaned, "zaps": next_state.zapped, "frozen": state.frozen > 0}
    for name, (mine, theirs) in by_player.items():
        numbers |= {name: mine, f"co_player_{name}": theirs}
    return numbers


@checked
def environment(rules: CleanUpLite) -> Environment:
    """Return the game as an environment of the training pipeline."""

    def advance(
        state: State, actions: Int[Array, "2 *batch"], key: Key[Array, ""]
    ) -> tuple[State, Float[Array, "2 *batch"]]:
        return step(rules, state, actions, draw(rules, key, state.dirt.shape))

    return Environment(
        num_actions=len(ACTIONS),
        num_observations=num_features(rules),
        discrete=False,
        reset=functools.partial(reset, rules),
        observe=functools.partial(observe, rules),
        step=advance,
        measure=measure,
    )
