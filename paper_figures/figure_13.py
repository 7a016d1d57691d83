"""Figure 13: CleanUp-lite against naive learners only: what becomes of the co-players and the common.

A. Reward of the naive learners. B. Dirty river cells. C. Apples that hang in the orchard.
"""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from paper_figures import cleanup_runs
from paper_figures.about import PAPER, About
from paper_figures.cleanup_runs import Arrays, Settings

ABOUT = About(
    "13",
    f"{PAPER}, Figure 13",
    1,
    cleanup_runs.arrays(cleanup_runs.SURROUNDINGS),
    remark=cleanup_runs.REMARK,
    keeps="runs",
    recorded=True,
)
PRESETS = cleanup_runs.SHAPING


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Read or train every run; the seeds are those of the settings."""
    return cleanup_runs.compute(cleanup_runs.SURROUNDINGS, settings, progress, folder)


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three panels."""
    return cleanup_runs.plot(cleanup_runs.SURROUNDINGS, arrays, settings)
