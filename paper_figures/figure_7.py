"""Figure 7: CleanUp-lite in a mixed pool of naive learners and meta agents: what the trained agents do.

A. Reward. B. How much more of the time the co-player cleans. C. How often an agent zaps. The agents of a pool are
averaged, so against meta agents B is zero but for sampling.
"""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from paper_figures import cleanup_runs
from paper_figures.about import PAPER, About
from paper_figures.cleanup_runs import Arrays, Settings

ABOUT = About(
    "7",
    f"{PAPER}, Figure 7",
    1,
    cleanup_runs.arrays(cleanup_runs.BEHAVIOUR),
    remark=cleanup_runs.REMARK,
    keeps="runs",
    recorded=True,
)
PRESETS = cleanup_runs.MIXED


def compute(settings: Settings, seed: int, progress: Callable[[float], None], folder: Path) -> Arrays:
    """Read or train every run; the seeds are those of the settings."""
    return cleanup_runs.compute(cleanup_runs.BEHAVIOUR, settings, progress, folder)


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three panels."""
    return cleanup_runs.plot(cleanup_runs.BEHAVIOUR, arrays, settings)
