"""Grids of pools: the settings that vary from cell to cell, and those that one program shares."""

import dataclasses
import functools
import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory.games import MatrixGame, bimatrix, is_symmetric, symmetric_game
from ipd_theory.learning import pool as pools
from ipd_theory.phases.settings import ABOUT as ABOUT
from ipd_theory.phases.settings import AXES as AXES
from ipd_theory.phases.settings import PLAYER_2, Training
from ipd_theory.phases.settings import Axis as Axis
from ipd_theory.phases.settings import Cell as Cell


@dataclasses.dataclass(frozen=True)
class Sweep(Training):
    """A grid of pools and how they are trained; its runs are the cells times the seeds.

    Args:
        axes: the grid's axes; no axis is a single cell.
        cell: every other setting.
        seeds, steps, …: as for `Training`.

    Raises:
        ValueError: if an axis is unknown, repeated or empty, or a number is out of range.
    """

    axes: tuple[Axis, ...] = ()
    cell: Cell = dataclasses.field(default_factory=Cell)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [axis.name for axis in self.axes]
        for axis in self.axes:
            if axis.name not in AXES or names.count(axis.name) > 1:
                raise ValueError(f"axes holds {axis.name!r}; each axis is another of {', '.join(AXES)}")
            if not axis.values or not np.isfinite(axis.values).all():
                raise ValueError(f"axes: {axis.name} has values {axis.values}; it needs finite numbers, one or more")
        self.pool(self.cells())  # its checks name a setting that is out of range

    @property
    def shape(self) -> tuple[int, ...]:
        """The grid's shape, an entry an axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def num_runs(self) -> int:
        """How many runs the grid takes."""
        return math.prod(self.shape) * self.seeds

    @property
    def roles(self) -> bool:
        """Whether player 2 has payoffs of its own, so that every second agent is player 2."""
        given = {axis.name for axis in self.axes} | {n for n, x in vars(self.cell).items() if x is not None}
        return not given.isdisjoint(PLAYER_2.values())

    @property
    def longest(self) -> int:
        """The largest M of any cell."""
        longest = [max(axis.values) for axis in self.axes if axis.name == "inner_episodes"]
        return int(longest[0] if longest else self.cell.inner_episodes)

    def cells(self) -> dict[str, Float[np.ndarray, " cells"]]:
        """Return every setting of every cell, the last axis fastest; player 2's payoffs where there are roles."""
        n = math.prod(self.shape)
        given = {name: value for name, value in dataclasses.asdict(self.cell).items() if value is not None}
        columns = {name: np.full(n, float(value)) for name, value in given.items()}
        grids = np.meshgrid(*(np.asarray(axis.values, float) for axis in self.axes), indexing="ij")
        columns |= {axis.name: grid.reshape(-1) for axis, grid in zip(self.axes, grids, strict=True)}
        return columns | {two: columns.get(two, columns[one]) for one, two in PLAYER_2.items() if self.roles}

    def pool(self, cells: dict[str, Float[np.ndarray, " runs"]]) -> pools.Pool:
        """Return the pools [runs] of given settings. All pools of a sweep compile the same, longest, inner loop."""
        x = {name: np.asarray(column, self.dtype) for name, column in cells.items()}
        if not (cells["inner_episodes"] == np.round(cells["inner_episodes"])).all():
            raise ValueError(f"inner_episodes must be whole numbers; got {np.unique(cells['inner_episodes'])}")
        if not (cells["batch_size"] >= 1).all():
            raise ValueError(f"batch_size must be 1 or more; got {cells['batch_size'].min()}")
        for high, low in (("R", "P"), ("R2", "P2")):
            above = cells.get(high, cells["R"]) > cells.get(low, cells["P"])
            if not above.all():
                R, P = (cells[name][np.argmin(above)] for name in (high, low))
                raise ValueError(f"{high} must lie above {low} in every cell; got {high}={R:g}, {low}={P:g}")
        return pools.Pool(
            p_naive=jnp.asarray(x["p_naive"]),
            discount=cells["discount"],
            learning_rate=jnp.asarray(x["learning_rate"]),
            num_inner_episodes=self.longest,
            memory=self.memory,
            num_agents=self.num_agents,
            num_learners=self.num_learners,
            learner_std=jnp.asarray(x["learner_std"]),
            sum_episodes=self.sum_episodes,
            inner_episodes=jnp.asarray(x["inner_episodes"], jnp.int32),
            shaping_weight=jnp.asarray(1 / x["batch_size"]),
            tremble=jnp.asarray(x["tremble"]),
            game=game_of(x),
            roles=self.roles,
            optimizer=_adamw(self.meta_rate),
        )


def game_of(payoffs: Mapping[str, Float[np.ndarray, " runs"]]) -> MatrixGame:
    """Return the games [runs] with R, S, T, P, and R2, S2, T2, P2 if player 2 has payoffs of its own."""
    R, S, T, P = (jnp.asarray(payoffs[name]) for name in PLAYER_2)
    if "R2" not in payoffs:
        return symmetric_game(R, S, T, P)
    R2, S2, T2, P2 = (jnp.asarray(payoffs[name]) for name in PLAYER_2.values())
    return bimatrix(_matrix(R, S, T, P), _matrix(R2, T2, S2, P2))  # player 1's action in rows of both


def _matrix(cc: Array, cd: Array, dc: Array, dd: Array) -> Array:
    return jnp.stack([jnp.stack([cc, cd], -1), jnp.stack([dc, dd], -1)], -2)


@checked
def cell_of(game: MatrixGame, **settings: int | float) -> Cell:
    """Return the cell in which a game of one's own is played, symmetric or not.

    Args:
        game: one two-player game.
        **settings: any other settings of `Cell`.

    Raises:
        ValueError: if the game has not two players or is a batch.
    """
    _checks.two_players(game, batch=False)
    A, B = (np.asarray(matrix, float) for matrix in game.bimatrix())
    payoffs = dict(zip(PLAYER_2, A.reshape(-1).tolist(), strict=True))
    if not is_symmetric(game):
        payoffs |= dict(zip(PLAYER_2.values(), B.T.reshape(-1).tolist(), strict=True))
    return Cell(**payoffs, **settings)


@functools.cache
def _adamw(rate: float) -> optax.GradientTransformation:
    return optax.adamw(rate)
