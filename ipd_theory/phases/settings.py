"""The settings of sweeps of pools, each declared and documented once; reading them needs no jax."""

import dataclasses
from typing import Any, NamedTuple

from ipd_theory._arguments import hold_fields

LANES = 16  # a block is a multiple of this many runs, so that every run meets the same vector instructions


def _setting(default: int | float | None, long_name: str, units: str = "1") -> Any:
    """A field with the words that label its axis."""
    return dataclasses.field(default=default, metadata={"long_name": long_name, "units": units})


@dataclasses.dataclass(frozen=True)
class Cell:
    """The settings that may be axes.

    Args:
        p_naive: Weight of the naive learners in what agents ascend, 0 to 1.
        learning_rate: The naive learner's step η on its return, an average a step.
        discount: γ of play within an inner episode.
        inner_episodes: M, the naive learner's steps.
        batch_size: B by which the shaping part of the gradient is divided, as batch-unaware estimators do; 1 is the
            true gradient.
        tremble: Probability, 0 to ½, with which any intended action is flipped.
        learner_std: Standard deviation of the naive learners' first logits.
        R: Payoff of mutual cooperation, above P.
        S: Payoff of cooperating with a defector.
        T: Payoff of defecting on a cooperator.
        P: Payoff of mutual defection.
        R2: The same of player 2, who every second agent is; player 1's if not given.
        S2: What player 2 gets for cooperating with a defector.
        T2: What player 2 gets for defecting on a cooperator.
        P2: What player 2 gets for mutual defection, below R2.
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
    R2: float | None = _setting(None, "reward R of player 2", "payoff")
    S2: float | None = _setting(None, "sucker's payoff S of player 2", "payoff")
    T2: float | None = _setting(None, "temptation T of player 2", "payoff")
    P2: float | None = _setting(None, "punishment P of player 2", "payoff")

    def __post_init__(self) -> None:
        hold_fields(self)


ABOUT = {field.name: dict(field.metadata) for field in dataclasses.fields(Cell)}  # long name and units of each setting
AXES = tuple(ABOUT)
PLAYER_2 = {name: f"{name}2" for name in "RSTP"}  # player 2's payoffs by player 1's


class Axis(NamedTuple):
    """One axis of a grid: a setting of `Cell` and its values."""

    name: str
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How the pools of every cell are trained.

    Args:
        seeds: Runs of each cell.
        steps: Training steps.
        meta_rate: The agents' AdamW step; the paper's is 0.005, larger ones settle sooner.
        memory: Outcomes that agents remember, 1 to 3; naive learners remember one.
        num_agents: Agents in a pool.
        num_learners: Naive learners drawn for each agent at each step.
        num_judges: Naive learners drawn for each agent to measure it in the end.
        start: Probability of cooperation, in every context, from which agents start; N(0, 1) logits if None.
        sum_episodes: Weight naive learners by the sum over their episodes, as the paper does, instead of the mean.
        block: Runs computed together on a device, a multiple of 16; it bounds the memory.
        dtype: float32, or float64 where jax has it switched on.
        seed: The seed of everything random.

    Raises:
        ValueError: if a number is out of range.
    """

    seeds: int = 8
    steps: int = 1000
    meta_rate: float = 0.02
    memory: int = 1
    num_agents: int = 2
    num_learners: int = 4
    num_judges: int = 32
    start: float | None = None
    sum_episodes: bool = False
    block: int = 256
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        hold_fields(self)
        for name in ("seeds", "num_learners", "num_judges"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more; got {getattr(self, name)}")
        if not 1 <= self.memory <= 3:
            raise ValueError(f"memory must be 1, 2 or 3; got {self.memory}")
        if self.num_agents < 2:
            raise ValueError(f"num_agents must be 2 or more; got {self.num_agents}")
        if self.steps < 0:
            raise ValueError(f"steps must be 0 or more; got {self.steps}")
        if not 0 < self.meta_rate < float("inf"):
            raise ValueError(f"meta_rate must be a finite number above 0; got {self.meta_rate}")
        if self.block < LANES or self.block % LANES:
            raise ValueError(f"block must be a multiple of {LANES}; got {self.block}")
        if self.start is not None and not 0 < self.start < 1:
            raise ValueError(f"start must lie in (0, 1); got {self.start}")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64; got {self.dtype}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be a whole number from 0 to 2³² − 1; got {self.seed}")
