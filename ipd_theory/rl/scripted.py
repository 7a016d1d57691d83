"""Players by hand, as ordinary policies: they play, are evaluated, watched and drawn into pools as trained ones are.

In the iterated dilemma any memory-one table is one (`policies.playing`). In CleanUp-lite a `Script` knows where it
wants to be and goes there, along its row first: to the nearest dirt if it cleans, else to the nearest apple. What
differs between scripts are numbers alone, so that different ones can be stacked.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from ipd_theory import strategies, zero_determinant
from ipd_theory._arguments import checked
from ipd_theory.games import symmetric_game
from ipd_theory.rl.cleanup import DOWN, LEFT, NOTHING, RIGHT, UP, ZAP
from ipd_theory.rl.environments import CleanUpLite, EnvironmentSettings, IteratedDilemma
from ipd_theory.rl.policies import Policy, playing

SHARPNESS = 30.0  # logit of the action taken, the others' being 0
NEVER = 1e9


class Memory(NamedTuple):
    """What a script remembers: steps since it forgot, and the other's steps in the river less its own."""

    time: Int[Array, "*batch"]
    owed: Int[Array, "*batch"]


class Script(eqx.Module):
    """A player of CleanUp-lite by hand; numbers that it compares with, `NEVER` for what never happens.

    Args:
        rules: of the game.
        cleans_from: it goes to the river when so many cells are dirty, and stays there while any is; 0 for always.
        waits: steps since it last forgot during which it keeps out of the way, neither cleaning nor harvesting.
        zaps_from: it zaps the other in reach, if not frozen, when so many cells are dirty.
        spares_cleaners: 1 if it never zaps the other in the river, 0 if it does.
        trust: it cleans only while its steps in the river exceed the other's by no more than this.

    Raises:
        ValueError: if a number lies beyond `NEVER`.
    """

    rules: CleanUpLite = eqx.field(static=True)
    cleans_from: Float[Array, "*stack"]
    waits: Float[Array, "*stack"]
    zaps_from: Float[Array, "*stack"]
    spares_cleaners: Float[Array, "*stack"]
    trust: Float[Array, "*stack"]

    @checked
    def __init__(
        self,
        rules: CleanUpLite,
        *,
        cleans_from: float = NEVER,
        waits: float = 0.0,
        zaps_from: float = NEVER,
        spares_cleaners: float = 1.0,
        trust: float = NEVER,
    ) -> None:
        numbers = {
            "cleans_from": cleans_from, "waits": waits, "zaps_from": zaps_from,
            "spares_cleaners": spares_cleaners, "trust": trust,
        }  # fmt: skip
        for name, number in numbers.items():
            if not abs(number) <= NEVER:
                raise ValueError(f"{name} must lie in -{NEVER:g} to {NEVER:g}; got {number}")
        self.rules = rules
        self.cleans_from, self.waits, self.zaps_from, self.spares_cleaners, self.trust = (
            jnp.asarray(x, jnp.float32) for x in numbers.values()
        )

    def ready(self, steps: int = 1) -> "Script":
        """Return itself: a script is ready to play."""
        return self

    def initial_state(self, *batch: int) -> Memory:
        """Return the memory of nothing."""
        return Memory(jnp.zeros(batch, jnp.int32), jnp.zeros(batch, jnp.int32))

    def step(
        self, observations: Shaped[Array, "*batch features"], resets: Bool[Array, "*batch"], state: Memory
    ) -> tuple[Float[Array, "*batch outputs"], Memory]:
        """Return logits and the value 0, and what it remembers."""
        seen = see(self.rules, observations)
        state = jax.tree.map(lambda x: jnp.where(resets, 0, x), state)
        actions = jnp.where(self._zaps(seen), ZAP, self._moves(seen, state))
        there = lambda column: (column == self.rules.columns - 1).astype(jnp.int32)  # noqa: E731  (a formula)
        owed = state.owed + there(seen.column[1]) - there(seen.column[0])
        logits = SHARPNESS * jax.nn.one_hot(actions, 6, dtype=jnp.float32)
        return jnp.concatenate([logits, jnp.zeros_like(logits[..., :1])], -1), Memory(state.time + 1, owed)

    def sequence(
        self, observations: Shaped[Array, "time *batch features"], resets: Bool[Array, "time *batch"], state: Memory
    ) -> tuple[Float[Array, "time *batch outputs"], Memory]:
        """Go through a whole sequence step by step."""

        def step(state: Memory, seen: tuple[Array, Array]) -> tuple[Memory, Array]:
            outputs, state = self.step(*seen, state)
            return state, outputs

        state, outputs = jax.lax.scan(step, state, (observations, resets))
        return outputs, state

    def _zaps(self, seen: "Board") -> Bool[Array, "*batch"]:
        away = jnp.abs(seen.row[0] - seen.row[1]), jnp.abs(seen.column[0] - seen.column[1])
        distance = away[0] + away[1] if self.rules.distance == "manhattan" else jnp.maximum(*away)
        spared = (self.spares_cleaners > 0) & (seen.column[1] == self.rules.columns - 1)
        wants = (seen.num_dirt >= self.zaps_from) & ~spared
        return wants & (distance <= self.rules.zap_range) & ~seen.frozen[1]

    def _moves(self, seen: "Board", memory: Memory) -> Int[Array, "*batch"]:
        river, num_dirt = self.rules.columns - 1, seen.num_dirt
        at_work = (seen.column[0] == river) & (num_dirt > 0) & (self.cleans_from < NEVER)
        cleans = ((num_dirt >= self.cleans_from) | at_work) & (memory.owed.astype(jnp.float32) + self.trust >= 0)
        waits = memory.time.astype(jnp.float32) < self.waits
        column = jnp.where(waits, river // 2, jnp.where(cleans, river, 0))
        nearest = jnp.where(cleans, _nearest(seen.dirt, seen.row[0]), _nearest(seen.apples, seen.row[0]))
        row = jnp.where(waits, seen.row[0], nearest)
        sideways = jnp.where(seen.column[0] < column, RIGHT, LEFT)
        along = jnp.where(seen.row[0] < row, DOWN, jnp.where(seen.row[0] > row, UP, NOTHING))
        return jnp.where(seen.column[0] == column, along, sideways)


class Board(NamedTuple):
    """An observation read: rows, columns and whether frozen, of oneself and the other; cells with apples and dirt."""

    row: tuple[Int[Array, "*batch"], Int[Array, "*batch"]]
    column: tuple[Int[Array, "*batch"], Int[Array, "*batch"]]
    frozen: tuple[Bool[Array, "*batch"], Bool[Array, "*batch"]]
    apples: Bool[Array, "*batch rows"]
    dirt: Bool[Array, "*batch rows"]

    @property
    def num_dirt(self) -> Float[Array, "*batch"]:
        """How many cells are dirty."""
        return self.dirt.sum(-1, dtype=jnp.float32)


def see(rules: CleanUpLite, observations: Shaped[Array, "*batch features"]) -> Board:
    """Return what an observation of `cleanup.observe` says.

    Args:
        rules: of the game.
        observations: [*batch, features].
    """
    cells = rules.rows * rules.columns
    seen = observations.astype(bool)
    blocks = seen[..., : 5 * cells].reshape(*seen.shape[:-1], 5, cells)
    own, other = (blocks[..., who, :].argmax(-1).astype(jnp.int32) for who in (0, 1))
    grid = blocks[..., 2:, :].reshape(*seen.shape[:-1], 3, rules.rows, rules.columns)
    return Board(
        (own // rules.columns, other // rules.columns),
        (own % rules.columns, other % rules.columns),
        (seen[..., -2], seen[..., -1]),
        grid[..., 0, :, 0],
        grid[..., 1, :, -1],
    )


def _nearest(marked: Bool[Array, "*batch rows"], row: Int[Array, "*batch"]) -> Int[Array, "*batch"]:
    """Return the nearest marked row, the upper of two; one's own if there is none."""
    rows = jnp.arange(marked.shape[-1], dtype=jnp.int32)
    distance = jnp.where(marked, jnp.abs(rows - row[..., None]), marked.shape[-1])
    return jnp.where(marked.any(-1), distance.argmin(-1).astype(jnp.int32), row)


@checked
def cleanup_players(rules: CleanUpLite, waits: float = 0.0) -> dict[str, Policy]:
    """Return the players of CleanUp-lite by name.

    A teacher keeps out of the way while the other learns to clean, then harvests, and zaps one who is lazy while the
    river is dirty.

    Args:
        rules: of the game.
        waits: steps that teachers wait; a learner needs some tenths of a meta-episode to learn to clean.

    Raises:
        ValueError: if `waits` is negative or beyond `NEVER`.
    """
    if not 0 <= waits <= NEVER:
        raise ValueError(f"waits must lie in 0 to {NEVER:g}; got {waits}")
    full = float(min(rules.saturating_dirt, rules.rows))
    return {
        "cleaner": Script(rules, cleans_from=0.0),
        "harvester": Script(rules, cleans_from=full),
        "free rider": Script(rules),
        "teacher": Script(rules, waits=waits, zaps_from=1.0),
        "patient teacher": Script(rules, waits=waits),
        "tit-for-tat cleaner": Script(rules, cleans_from=1.0, trust=5.0),
        "zapper": Script(rules, zaps_from=0.0, spares_cleaners=0.0),
    }


@checked
def by_hand(environment: EnvironmentSettings, waits: float = 0.0) -> dict[str, Policy]:
    """Return the players that a trained agent has to do better than, by name; none in an environment of one's own.

    Args:
        environment: what is played.
        waits: steps that teachers of CleanUp-lite wait.

    Raises:
        ValueError: if `waits` is negative or beyond `NEVER`.
    """
    if isinstance(environment, CleanUpLite):
        return cleanup_players(environment, waits)
    if not isinstance(environment, IteratedDilemma):
        return {}
    game = symmetric_game(*environment.payoffs)
    tables = {
        "always defect": strategies.always_defect(),
        "always cooperate": strategies.always_cooperate(),
        "tit for tat": strategies.tit_for_tat(),
        "extortion, factor 2": zero_determinant.extortion(game, 2.0, 0.15),
    }
    return {name: playing(table) for name, table in tables.items()}
