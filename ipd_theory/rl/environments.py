"""The settings of every environment that agents train in; `build.environment` makes them playable."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class IteratedDilemma:
    """A symmetric two-player matrix game, repeated.

    Args:
        payoffs: R, S, T, P, the payoffs after CC, CD, DC and DD.
    """

    payoffs: tuple[float, float, float, float] = (1.0, -1.0, 2.0, 0.0)


@dataclass(frozen=True)
class CleanUpLite:
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
        choices = {
            "distance": ("manhattan", "chebyshev"),
            "shared_apple": ("coin", "split"),
            "orchard": ("grid", "level"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be {' or '.join(allowed)}; got {getattr(self, name)!r}")


EnvironmentSettings = IteratedDilemma | CleanUpLite
ENVIRONMENTS = (IteratedDilemma, CleanUpLite)
