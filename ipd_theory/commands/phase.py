"""`ipd-theory phase`."""

import dataclasses
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ipd_theory._arguments import did_you_mean
from ipd_theory.commands.console import folder_to_write, messages, print_json, progress_bar, results
from ipd_theory.commands.options import Count, OutputFolder
from ipd_theory.phases.settings import AXES, Axis, Cell, Training

WHEN_INTERRUPTED = "interrupted; what was finished is kept, and the same command goes on from there"
MOST_POINTS = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size(Training):
    """How fine a diagram is, and how its pools are trained.

    Args:
        points: Cells along an axis that does not say how many.
    """

    points: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.points <= MOST_POINTS:
            raise ValueError(f"points must lie in 2 to {MOST_POINTS}; got {self.points}")


CORES = min(4, os.cpu_count() or 1)
PRESETS = {
    "quick": Size(points=16, seeds=8, steps=800, num_learners=4),
    "paper": Size(points=64, seeds=32, steps=3000, num_learners=16),
}
if TYPE_CHECKING:
    Preset = Size
else:  # every field of the chosen preset is an option of its own
    Preset = tyro.extras.subcommand_type_from_defaults(PRESETS, prefix_names=False, sort_subcommands=False)


def phase(
    size: Annotated[Preset, tyro.conf.arg(name="")] = PRESETS["quick"],
    cell: Annotated[Cell, tyro.conf.arg(name="")] = Cell(),  # noqa: B008  (frozen)
    x: str = "p_naive:0:1",
    y: str = "learning_rate:0.5:500::log",
    boundary: bool = False,
    efficiency: bool = False,
    out: OutputFolder | None = None,
    cpu_devices: Count = CORES,
    distributed: bool = False,
    json: bool = False,
) -> None:
    """Map where learning-aware agents cooperate, extort or defect, over two settings.

    Every cell trains pools of agents exactly, several seeds each. The folder gets sweep.zarr (every agent, every
    measure; open it with ipd_theory.phases.store.load), phase.png and phase.pdf. Kill it whenever you like: the same
    command goes on with what is missing, and the result is the same to the last bit, on any number of devices. With
    other axes, cells or more seeds the folder gets a further store and picture, for which runs that are there already
    are not computed again.

    Payoffs are R, S, T and P. A game that looks different from its two sides has R2, S2, T2, P2 for player 2, who every
    second agent then is; any of them may be an axis, too:

      ipd-theory phase --R 3 --S 0 --T 5 --P 1 --R2 2 --S2 0 --P2 1 --x p_naive:0:1 --y T2:2:6

    Several GPUs of one machine are used without asking. On a cluster, start the same command once a process with
    --distributed and a folder that all can see, for example with SLURM

        srun --nodes 4 --ntasks-per-node 1 ipd-theory phase paper --distributed --out /shared/phase

    Args:
        size: quick is 16 × 16 cells, 8 seeds and 800 steps; paper 64 × 64, 32 and 3000, with more learners.
        cell: The settings that are no axis.
        x: Horizontal axis, NAME:FROM:TO[:POINTS[:log]]; NAME is any setting from p_naive to P2.
        y: Vertical axis, e.g. learning_rate:0.5:500:16:log, T:0.5:2 or inner_episodes:1:40.
        boundary: Outline the cells in which theory says that unconditional defection is unstable.
        efficiency: Look in every cell for the best policy against its naive learners, too, and draw in a second
            picture, phase-efficiency, which share of what it gains over unconditional defection the agents gain: 1 if
            they are as good, below 0 if they earn less than defection. Takes about as long as training at the quick
            preset.
        out: Folder of the results; phases/X-Y if not given.
        cpu_devices: Without a GPU, how many processor cores to use; the program is compiled once for each.
        distributed: Join the other processes of the same command first.
        json: Print the outcomes as JSON instead of a preview.
    """
    axes = tuple(axis_of(text, size.points) for text in (x, y))
    folder = folder_to_write("--out", out or Path("phases") / f"{axes[0].name}-{axes[1].name}")
    for axis in axes:
        if getattr(cell, axis.name) != getattr(Cell(), axis.name):
            raise ValueError(f"--{axis.name.replace('_', '-')} is an axis, which has values of its own; leave it out")
    if boundary and size.memory != 1:
        raise ValueError(f"--boundary is theory of agents of memory 1; got --memory {size.memory}")
    import jax

    if cpu_devices > 1:
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    if size.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    if distributed:
        jax.config.update("jax_enable_preemption_service", False)  # which would catch SIGTERM and go on
        jax.distributed.initialize()
    from ipd_theory.phases import store, sweep
    from ipd_theory.phases.grid import Sweep

    training = {field.name: getattr(size, field.name) for field in dataclasses.fields(Training)}
    grid = Sweep(axes, cell, **training)
    number = "" if _belongs(store, grid, folder / "sweep.zarr") else f"-{store.fingerprint(grid)}"
    path = folder / f"sweep{number}.zarr"
    others = [other for other in sorted(folder.glob("sweep*.zarr")) if other != path]
    cells = " × ".join(str(n) for n in grid.shape)
    with progress_bar(f"{cells} cells, {grid.seeds} seeds, {grid.steps} steps") as progress:
        found = sweep.run(grid, path, progress, reuse=others)
    if jax.process_index() == 0:
        if efficiency:
            from ipd_theory.phases.efficiency import measure

            with progress_bar(f"{cells} cells, the best policy in each") as progress:
                found = measure(grid, path, progress)
        _show(found, grid, folder / f"phase{number}", boundary, efficiency, json)
        messages.print(f"kept {path}", soft_wrap=True)


def _belongs(store: Any, grid: Any, path: Path) -> bool:
    """Return whether a sweep belongs into a store; False if it takes one beside it, with which it shares runs.

    Raises:
        ValueError: naming the setting, where it shares none.
    """
    different = store.difference(grid, path) if path.exists() else None
    if different is not None and different[0] not in store.OF_RUNS:
        raise ValueError(f"{path} holds a sweep with {different[1]}; use another folder with --out")
    return different is None


def axis_of(text: str, points: int) -> Axis:
    """Return the `Axis` that NAME:FROM:TO[:POINTS[:log]] names; POINTS may be left empty."""
    name, *numbers = text.split(":")
    if name not in AXES:
        raise ValueError(f"axis {text!r} names no setting; there are {', '.join(AXES)}{did_you_mean(name, AXES)}")
    log = numbers[-1:] == ["log"]
    low, high, *rest = [*(numbers[:-1] if log else numbers), "", ""][: max(2, len(numbers) - log)]
    whole = rest == [] or (len(rest) == 1 and re.fullmatch(r"[0-9]+" if not log else r"[0-9]*", rest[0]))
    first, last = _number(low), _number(high)
    if not whole or math.isnan(first + last):
        raise ValueError(f"axis {text!r} must be NAME:FROM:TO[:POINTS[:log]], e.g. T:1:2:16 or T:1:2:16:log")
    count = int(rest[0]) if any(rest) else points
    if not first < last or not 2 <= count <= MOST_POINTS or (log and first <= 0):
        raise ValueError(
            f"axis {text!r} must rise over 2 points or more ({MOST_POINTS} at most), from above 0 if it is logarithmic"
        )
    import numpy as np

    values = np.geomspace(first, last, count) if log else np.linspace(first, last, count)
    if name == "inner_episodes":
        values = np.unique(np.round(values))
    return Axis(name, tuple(float(f"{x:.10g}") for x in values))


def _number(text: str) -> float:
    """Return a finite number, NaN where the text is none."""
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _show(found: Any, grid: Any, stem: Path, boundary: bool, efficiency: bool, json: bool) -> None:
    from ipd_theory.drawing import phase_maps, style
    from ipd_theory.drawing.preview import preview
    from ipd_theory.phases.boundaries import unstable_cells
    from ipd_theory.phases.outcomes import Outcome

    x, y = (axis.name for axis in grid.axes)
    unstable = unstable_cells(grid) if boundary else None
    figures = {stem: phase_maps.phase_diagram(found, x, y, unstable=unstable)}
    about = {stem: f"Outcomes of pools over {x} and {y}"}
    if efficiency:
        beside = stem.with_name(f"{stem.name}-efficiency")
        figures[beside] = phase_maps.measure_map(found, "efficiency", x, y)
        about[beside] = f"Efficiency of agents against naive learners over {x} and {y}"
    for to, figure in figures.items():
        for path in (to.with_name(f"{to.name}.png"), to.with_name(f"{to.name}.pdf")):
            style.save(figure, path, about[to])
            messages.print(f"drew {path}", soft_wrap=True)
    shares = found.efficiency.mean(("seed", "agent")).transpose(x, y) if efficiency else None
    if json:
        outcome = found.outcome.transpose(x, y, "seed")
        axes = {name: found[name].values for name in (x, y)}
        names = {int(kind): kind.label for kind in Outcome}
        line = {} if unstable is None else {"defection_unstable": unstable}
        line |= {} if shares is None else {"efficiency": shares.values}
        print_json({**axes, "outcome": outcome.values, "names": names, **line, "settings": found.attrs})
        return
    results.print(preview(found, x, y))
    if shares is not None and shares.notnull().any():
        best = shares.where(shares.notnull(), -math.inf).argmax(...)
        where = ", ".join(f"{name} {float(found[name][best[name]]):.3g}" for name in (x, y))
        words = f"efficiency: {float(shares.mean()):.0%} on average, at most {float(shares.max()):.0%} ({where})"
        results.print(f"{words}, the agents' share of what the best policy gains over defection of naive learners")
