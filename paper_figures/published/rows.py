"""What was published, how it is measured here, and when the two agree."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from paper_figures import run

SIGMAS = 3.5  # two independent means differ by more once in 2000 times
Verdict = Literal["agrees", "differs", "not at this scale"]
VERDICTS: tuple[Verdict, ...] = ("agrees", "differs", "not at this scale")


class Number(NamedTuple):
    """A value and its standard error, 0 where it is exact."""

    value: float
    error: float = 0.0


class Statement(NamedTuple):
    """What was published in words, and the values that bear it out."""

    words: str
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Work:
    """How rows are measured.

    Args:
        full: at the sources' sizes, not at those of a small machine.
        folder: where figures keep their data.
        progress: called with the fraction done of what takes long.
    """

    full: bool
    folder: Path
    progress: Callable[[float], None] = lambda done: None

    def figure(self, name: str) -> run.Arrays:
        """Return a figure's data, computed unless it is kept in the folder."""
        preset = "paper" if self.full else "quick"
        kept = run.stored(name, preset, 0, self.folder)
        return run.compute(name, preset, 0, self.folder, self.progress) if kept is None else kept

    def size(self, quick: int, full: int) -> int:
        """Return how many of something are drawn."""
        return full if self.full else quick


@dataclass(frozen=True)
class Row:
    """One quantity.

    Args:
        source: where it was published.
        quantity: what it is.
        published: the number, or the claim.
        ours: measures it.
        made_by: the function or figure that it comes from.
        settings: payoffs, discount, sizes and seeds.
        rounding: by how much ours may differ beyond the errors: half a unit of the last digit that was published.
        reason: why it differs, where it does.
        small: whether it is measured at a smaller size than the source's.
        too_small: whether that smaller size says nothing, however near it comes.
        telling: the largest standard error of ours that says anything.
        slow: whether it takes minutes, so that it is measured only when asked for.
    """

    source: str
    quantity: str
    published: Number | Statement
    ours: Callable[[Work], Number]
    made_by: str
    settings: str
    rounding: float = 1e-9
    reason: str = ""
    small: bool = False
    too_small: bool = False
    telling: float = math.inf
    slow: bool = False

    @property
    def name(self) -> str:
        """What the row is kept under."""
        return f"{self.source}: {self.quantity}"

    def difference(self, ours: Number) -> float:
        """Return ours less the published number, or how far ours lies outside the claim."""
        if isinstance(self.published, Number):
            return ours.value - self.published.value
        low, high = self.published.low, self.published.high
        return min(ours.value - low, 0.0) + max(ours.value - high, 0.0)

    def verdict(self, ours: Number, full: bool = False) -> Verdict:
        """Return whether ours agrees with what was published, within errors and rounding."""
        if ours.error > self.telling or (self.too_small and not full):
            return "not at this scale"
        if isinstance(self.published, Number):
            allowed = self.rounding + SIGMAS * math.hypot(ours.error, self.published.error)
        else:
            allowed = 0.0
        if abs(self.difference(ours)) <= allowed:
            return "agrees"
        return "not at this scale" if self.small and not full else "differs"


def mean(values: Any) -> Number:
    """Return the mean over independent draws and its standard error."""
    x = np.asarray(values, float).ravel()
    return Number(float(x.mean()), float(x.std(ddof=1) / math.sqrt(x.size)) if x.size > 1 else 0.0)
