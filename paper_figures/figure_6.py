"""Figure 6: CleanUp-lite against naive learners only: what the trained agent does.

A. Its reward. B. How much more of the time its co-players clean than it does. C. How often it zaps.
"""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from paper_figures import cleanup_runs
from paper_figures.about import PAPER, About
from paper_figures.cleanup_runs import Arrays, Settings

ABOUT = About(
    "6",
    f"{PAPER}, Figure 6",
    1,
    cleanup_runs.arrays(cleanup_runs.BEHAVIOUR),
    remark=cleanup_runs.REMARK,
    keeps="runs",
    recorded=True,
)
PRESETS = cleanup_runs.SHAPING


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Read or train every run; the seeds are those of the settings."""
    return cleanup_runs.compute(cleanup_runs.BEHAVIOUR, settings, progress, folder)


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three panels."""
    return cleanup_runs.plot(cleanup_runs.BEHAVIOUR, arrays, settings)
