"""Figure 5: sequence-model agents that learn from experience, on the iterated prisoner's dilemma.

A. Reward against naive learners over training, by estimator. B. How often a trained agent defects within a
meta-episode: shaping, then exploiting. C. Reward of two meta agents of a mixed pool against each other.

The runs are recorded in `runs/` beside this file (settings and metrics of every seed); a run that is not there, or
has too few iterations, is trained, which takes minutes a seed for `quick` and a GPU for `paper`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ipd_theory.rl import runs
from ipd_theory.rl.config import PRESETS as TRAINING
from ipd_theory.rl.config import Method, with_method

Arrays = dict[str, np.ndarray[Any, Any]]
METHODS: dict[Method, str] = {"coala": "COALA-PG", "batch_unaware": "batch-unaware", "m_fos": "M-FOS"}
RECORDED = Path(__file__).with_name("runs")


@dataclass(frozen=True)
class Settings:
    """Which runs to show.

    Args:
        shaping: preset of the runs against naive learners only.
        shaping_meta_batch: their meta-batch.
        shaping_iterations: their length.
        shaping_seeds: seeds of each method, every entry one run of seeds side by side.
        mixed: preset of the runs in a mixed pool; none if empty.
        mixed_meta_batch: their meta-batch.
        mixed_iterations: their length.
        mixed_seeds: seeds of each method.
        last: iterations at the end over which panel B averages.
    """

    shaping: str
    shaping_meta_batch: int
    shaping_iterations: int
    shaping_seeds: tuple[tuple[int, ...], ...]
    mixed: str
    mixed_meta_batch: int
    mixed_iterations: int
    mixed_seeds: tuple[tuple[int, ...], ...]
    last: int = 100


FIVE = ((0,), (1,), (2,), (3,), (4,))
PRESETS = {
    "quick": Settings("ipd-shaping-quick", 8, 200, FIVE, "", 8, 200, FIVE, last=40),
    "paper": Settings("ipd-shaping", 128, 3000, ((0, 1, 2),), "ipd-mixed", 128, 3000, ((0, 1, 2),)),
}


def _lines(preset: str, meta_batch: int, iterations: int, method: Method, seeds: tuple[int, ...]) -> list[runs.Line]:
    """Return the metrics of one run, recorded or trained now."""
    config = replace(with_method(TRAINING[preset], method), meta_batch=meta_batch, iterations=iterations)
    name = f"{preset}-{method}-{'-'.join(map(str, seeds))}"
    recorded = RECORDED / name
    here = recorded if runs.iterations_done(recorded) >= iterations else Path("runs") / name
    lines = runs.read_metrics(runs.train(config, here, seeds, log_every=10, checkpoint_every=200))
    return [line for line in lines if line["iteration"] <= iterations]


def _series(lines: list[runs.Line], kind: str, what: str) -> np.ndarray[Any, Any]:
    """Return [seeds, lines, M], averaged over the agents of a pool."""
    return np.asarray([line[kind][what] for line in lines], float).mean(2).swapaxes(0, 1)


def compute(settings: Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Read or train every run; the seeds are those of the settings."""
    pools = [
        (
            "shaping",
            "against_naive",
            (settings.shaping, settings.shaping_meta_batch, settings.shaping_iterations),
            settings.shaping_seeds,
        ),
        (
            "mixed",
            "against_meta",
            (settings.mixed, settings.mixed_meta_batch, settings.mixed_iterations),
            settings.mixed_seeds,
        ),
    ]
    wanted = [(pool, method) for pool in pools if pool[2][0] for method in METHODS]
    arrays: Arrays = {}
    for i, ((name, kind, training, seeds), method) in enumerate(wanted):
        each = [_lines(*training, method, group) for group in seeds]
        arrays[f"{name} iteration"] = np.array([line["iteration"] for line in each[0]])
        for what in ("reward", "defection"):
            arrays[f"{name} {method} {what}"] = np.concatenate([_series(lines, kind, what) for lines in each])
        progress((i + 1) / len(wanted))
    return arrays


def _band(axis: Axes, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], label: str) -> None:
    """Draw the mean over seeds (the first axis of y) and a band of one standard deviation."""
    (line,) = axis.plot(x, y.mean(0), label=label)
    axis.fill_between(x, y.mean(0) - y.std(0), y.mean(0) + y.std(0), color=line.get_color(), alpha=0.25, linewidth=0)


def plot(arrays: Arrays, settings: Settings) -> Figure:
    """Draw the three panels."""
    panels = 3 if settings.mixed else 2
    figure, axes = plt.subplots(1, panels, figsize=(2.4 * panels, 2.7))
    iteration = arrays["shaping iteration"]
    for method, label in METHODS.items():
        _band(axes[0], iteration, arrays[f"shaping {method} reward"].mean(-1), label)
        late = arrays[f"shaping {method} defection"][:, iteration > iteration[-1] - settings.last].mean(1)
        _band(axes[1], np.arange(1, late.shape[-1] + 1), late, label)
        if settings.mixed:
            _band(axes[2], arrays["mixed iteration"], arrays[f"mixed {method} reward"].mean(-1), label)
    axes[0].set(xlabel="iteration", ylabel="reward a step", title="A  against naive learners")
    axes[1].set(xlabel="inner episode", ylabel="share of defection", ylim=(0, 1.02), title="B  within a meta-episode")
    if settings.mixed:
        axes[2].set(xlabel="iteration", ylabel="reward a step", title="C  meta against meta, mixed pool")
    axes[1].set_xticks([1, *range(5, late.shape[-1] + 1, 5)])
    handles, labels = axes[0].get_legend_handles_labels()
    title = "mean over seeds, band ± one standard deviation"
    figure.legend(handles, labels, loc="outside lower center", ncols=3, title=title, title_fontsize=7)
    return figure
