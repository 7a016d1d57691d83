"""The settings of every environment that agents train in; `build.environment` makes them playable."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from ipd_theory._arguments import hold_fields


class EnvironmentSettings:
    """What settings of an environment derive from.

    Those of one's own are a frozen dataclass, too, of numbers, words and tuples, with a method `build()` that returns
    an `environment.Environment`.
    """


@dataclass(frozen=True)
class IteratedDilemma(EnvironmentSettings):
    """A symmetric two-player matrix game, repeated.

    Args:
        payoffs: R, S, T, P, the payoffs after CC, CD, DC and DD.
    """

    payoffs: tuple[float, float, float, float] = (1.0, -1.0, 2.0, 0.0)

    def __post_init__(self) -> None:
        payoffs: Any = self.payoffs
        numbers = isinstance(payoffs, tuple) and all(isinstance(x, Real) and math.isfinite(x) for x in payoffs)
        if not numbers or len(payoffs) != 4:
            raise ValueError(f"payoffs must be a tuple of four finite numbers R, S, T, P; got {payoffs!r}")


@dataclass(frozen=True)
class CleanUpLite(EnvironmentSettings):
    """A sequential social dilemma on a grid: cleaning a river makes apples grow that anyone may take.

    Args:
        rows: Rows of the grid, at most 32.
        columns: Columns; the left one is the orchard, the right one the river.
        dirt_probability: Probability a step that a river cell gets dirty.
        saturating_dirt: Dirty cells from which on no apple grows.
        initial_dirt: Dirty cells at the start.
        zap_probability: Probability that a zap in range hits.
        zap_range: Farthest distance of a hit, in cells.
        distance: manhattan adds distances along rows and columns, chebyshev takes the larger one.
        freeze_steps: Steps that a player does nothing after a hit.
        share_cells: Whether both players may stand on one cell.
        shared_apple: Who takes an apple that both stand on: one of them by a coin, or each half of its reward.
        orchard: grid for apples on cells, level for one count that an earlier description of the game has.
        max_level: Most apples of the level variant.
    """

    rows: int = 5
    columns: int = 4
    dirt_probability: float = 0.35
    saturating_dirt: int = 3
    initial_dirt: int = 3
    zap_probability: float = 0.9
    zap_range: int = 2
    distance: Literal["manhattan", "chebyshev"] = "manhattan"
    freeze_steps: int = 5
    share_cells: bool = True
    shared_apple: Literal["coin", "split"] = "coin"
    orchard: Literal["grid", "level"] = "grid"
    max_level: int = 4

    def __post_init__(self) -> None:
        hold_fields(self)
        least = {
            "rows": 1,
            "columns": 2,
            "saturating_dirt": 1,
            "initial_dirt": 0,
            "zap_range": 0,
            "freeze_steps": 0,
            "max_level": 1,
        }
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be {bound} or more; got {getattr(self, name)}")
        for name in ("initial_dirt", *(("max_level",) if self.orchard == "level" else ())):
            if getattr(self, name) > self.rows:
                raise ValueError(f"{name} must be at most rows={self.rows}; got {getattr(self, name)}")
        if self.rows > 32:
            raise ValueError(f"rows must be at most 32; got {self.rows}")
        for name in ("dirt_probability", "zap_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1]; got {getattr(self, name)}")


ENVIRONMENTS = (IteratedDilemma, CleanUpLite)
