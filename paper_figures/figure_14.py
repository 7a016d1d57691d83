"""Figure 14: CleanUp-lite in a mixed pool: what becomes of the co-players and the common.

A. Reward of the co-players. B. Dirty river cells. C. Apples that hang in the orchard.
"""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from paper_figures import cleanup_runs
from paper_figures.about import PAPER, About
from paper_figures.cleanup_runs import Arrays, Settings

ABOUT = About(
    "14",
    f"{PAPER}, Figure 14",
    1,
    cleanup_runs.arrays(cleanup_runs.SURROUNDINGS),
    remark=cleanup_runs.REMARK,
    keeps="runs",
    recorded=True,
)
PRESETS = cleanup_runs.MIXED


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Read or train every run; the seeds are those of the settings."""
    return cleanup_runs.compute(cleanup_runs.SURROUNDINGS, settings, progress, folder)


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three panels."""
    return cleanup_runs.plot(cleanup_runs.SURROUNDINGS, arrays, settings)
