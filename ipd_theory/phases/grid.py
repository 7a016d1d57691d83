"""Grids of pools: the settings that vary from cell to cell, and those that one program shares."""

import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from ipd_theory.games import symmetric_game
from ipd_theory.learning import pool as pools
from ipd_theory.phases.settings import ABOUT as ABOUT
from ipd_theory.phases.settings import AXES as AXES
from ipd_theory.phases.settings import Axis as Axis
from ipd_theory.phases.settings import Cell as Cell
from ipd_theory.phases.settings import Training


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
    def longest(self) -> int:
        """The largest M of any cell."""
        longest = [max(axis.values) for axis in self.axes if axis.name == "inner_episodes"]
        return int(longest[0] if longest else self.cell.inner_episodes)

    def cells(self) -> dict[str, Float[np.ndarray, " cells"]]:
        """Return every setting of every cell, the last axis fastest."""
        n = math.prod(self.shape)
        columns = {name: np.full(n, float(value)) for name, value in dataclasses.asdict(self.cell).items()}
        grids = np.meshgrid(*(np.asarray(axis.values, float) for axis in self.axes), indexing="ij")
        return columns | {axis.name: grid.reshape(-1) for axis, grid in zip(self.axes, grids, strict=True)}

    def pool(self, cells: dict[str, Float[np.ndarray, " runs"]]) -> pools.Pool:
        """Return the pools [runs] of given settings. All pools of a sweep compile the same, longest, inner loop."""
        x = {name: np.asarray(column, self.dtype) for name, column in cells.items()}
        if not (cells["inner_episodes"] == np.round(cells["inner_episodes"])).all():
            raise ValueError(f"inner_episodes must be whole numbers; got {np.unique(cells['inner_episodes'])}")
        if not (cells["batch_size"] >= 1).all():
            raise ValueError(f"batch_size must be 1 or more; got {cells['batch_size'].min()}")
        if not (cells["R"] > cells["P"]).all():
            R, P = (cells[name][np.argmin(cells["R"] > cells["P"])] for name in "RP")
            raise ValueError(f"R must lie above P in every cell; got R={R:g}, P={P:g}")
        return pools.Pool(
            p_naive=jnp.asarray(x["p_naive"]),
            discount=cells["discount"],
            learning_rate=jnp.asarray(x["learning_rate"]),
            num_inner_episodes=self.longest,
            num_agents=self.num_agents,
            num_learners=self.num_learners,
            learner_std=jnp.asarray(x["learner_std"]),
            sum_episodes=self.sum_episodes,
            inner_episodes=jnp.asarray(x["inner_episodes"], jnp.int32),
            shaping_weight=jnp.asarray(1 / x["batch_size"]),
            tremble=jnp.asarray(x["tremble"]),
            game=symmetric_game(*(jnp.asarray(x[name]) for name in "RSTP")),
            optimizer=_adamw(self.meta_rate),
        )


@functools.cache
def _adamw(rate: float) -> optax.GradientTransformation:
    return optax.adamw(rate)
