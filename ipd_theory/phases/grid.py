"""Grids of pools: the settings that vary from cell to cell, and those that one program shares."""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from ipd_theory.games import symmetric_game
from ipd_theory.learning import pool as pools

LANES = 16  # a block is a multiple of this many runs, so that every run meets the same vector instructions


def _setting(default: int | float, long_name: str, units: str = "1") -> Any:
    """A field with the words that label its axis."""
    return dataclasses.field(default=default, metadata={"long_name": long_name, "units": units})


@dataclasses.dataclass(frozen=True)
class Cell:
    """The settings that may be axes.

    Args:
        p_naive: weight of the naive learners in what agents ascend, 0 to 1.
        learning_rate: the naive learner's step η on its normalised return.
        discount: γ of play within an inner episode.
        inner_episodes: M, the naive learner's steps.
        batch_size: B by which the shaping part of the gradient is divided; 1 is the true gradient.
        tremble: probability, 0 to ½, with which any intended action is flipped.
        learner_std: standard deviation of the naive learners' first logits.
        R, S, T, P: payoffs after CC, CD, DC, DD.
    """

    p_naive: float = _setting(0.25, "p_naive, weight of naive learners")
    learning_rate: float = _setting(5.0, "learner's step η")
    discount: float = _setting(0.95, "discount γ")
    inner_episodes: int | float = _setting(20, "inner episodes M")
    batch_size: float = _setting(1.0, "batch size B (shaping / B)")
    tremble: float = _setting(0.0, "tremble ε")
    learner_std: float = _setting(1.0, "spread of first logits")
    R: float = _setting(1.0, "reward R", "payoff")
    S: float = _setting(-1.0, "sucker's payoff S", "payoff")
    T: float = _setting(2.0, "temptation T", "payoff")
    P: float = _setting(0.0, "punishment P", "payoff")


ABOUT = {field.name: dict(field.metadata) for field in dataclasses.fields(Cell)}  # long name and units of each setting
AXES = tuple(ABOUT)


class Axis(NamedTuple):
    """One axis of a grid: a setting of `Cell` and its values."""

    name: str
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A grid of pools and how they are trained.

    Args:
        axes: the grid's axes; no axis is a single cell.
        cell: every other setting.
        seeds: runs of each cell.
        steps: training steps.
        meta_rate: the agents' AdamW step.
        num_agents: agents in a pool.
        num_learners: naive learners drawn for each agent at each step.
        num_judges: naive learners drawn for each agent to measure it in the end.
        start: probability of cooperation, in every context, from which agents start; N(0, 1) logits if None.
        sum_episodes: weight naive learners by the sum over their episodes, as the paper does, instead of the mean.
        block: runs computed together on a device, a multiple of 16; it bounds the memory.
        dtype: float32, or float64 where jax has it switched on.
        seed: the seed of everything random.

    Raises:
        ValueError: if an axis is unknown, repeated or empty, or a number is out of range.
    """

    axes: tuple[Axis, ...] = ()
    cell: Cell = Cell()
    seeds: int = 8
    steps: int = 1000
    meta_rate: float = 0.02
    num_agents: int = 2
    num_learners: int = 4
    num_judges: int = 32
    start: float | None = None
    sum_episodes: bool = False
    block: int = 256
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        for axis in self.axes:
            if axis.name not in AXES or names.count(axis.name) > 1:
                raise ValueError(f"axes holds {axis.name!r}; each axis is another of {', '.join(AXES)}")
            if not axis.values or not np.isfinite(axis.values).all():
                raise ValueError(f"axes: {axis.name} has values {axis.values}; it needs finite numbers, one or more")
        for name in ("seeds", "num_learners", "num_judges"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more; got {getattr(self, name)}")
        if self.num_agents < 2:
            raise ValueError(f"num_agents must be 2 or more; got {self.num_agents}")
        if self.steps < 0:
            raise ValueError(f"steps must be 0 or more; got {self.steps}")
        if self.block % LANES or self.block < self.seeds:
            raise ValueError(f"block must be a multiple of {LANES} and hold the {self.seeds} seeds; got {self.block}")
        if self.start is not None and not 0 < self.start < 1:
            raise ValueError(f"start must lie in (0, 1); got {self.start}")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64; got {self.dtype}")
        self.pool(self.cells())  # its checks name a setting that is out of range

    @property
    def shape(self) -> tuple[int, ...]:
        """The grid's shape, an entry an axis."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def cells_per_block(self) -> int:
        """How many whole cells a block holds."""
        return self.block // self.seeds

    @property
    def num_blocks(self) -> int:
        """How many blocks the grid takes."""
        return math.ceil(math.prod(self.shape) / self.cells_per_block)

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
        longest = [max(axis.values) for axis in self.axes if axis.name == "inner_episodes"]
        return pools.Pool(
            p_naive=jnp.asarray(x["p_naive"]),
            discount=cells["discount"],
            learning_rate=jnp.asarray(x["learning_rate"]),
            num_inner_episodes=int(longest[0] if longest else self.cell.inner_episodes),
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
