"""`ipd-theory phase`."""

import os
from pathlib import Path
from typing import Any, Literal

from ipd_theory.commands.console import messages, print_json, progress_bar, results

WHEN_INTERRUPTED = "interrupted; what was finished is kept, and the same command goes on from there"

PRESETS = {
    "quick": {"points": 16, "seeds": 8, "steps": 800, "learners": 4},
    "paper": {"points": 64, "seeds": 32, "steps": 3000, "learners": 16},
}


def axis_of(text: str, points: int) -> Any:
    """Return the `Axis` that NAME:FROM:TO[:POINTS[:log]] names."""
    import numpy as np

    from ipd_theory.phases.grid import AXES, Axis

    name, *numbers = text.split(":")
    log = numbers[-1:] == ["log"]
    try:
        low, high, *rest = numbers[:-1] if log else numbers
        first, last, count = float(low), float(high), int(rest[0]) if any(rest) else points
    except ValueError:
        raise ValueError(f"axis {text!r} must be NAME:FROM:TO[:POINTS[:log]], e.g. T:1:2:16 or T:1:2:16:log") from None
    if name not in AXES:
        raise ValueError(f"axis {text!r} names no setting; there are {', '.join(AXES)}")
    if not first < last or count < 2 or (log and first <= 0):
        raise ValueError(f"axis {text!r} must rise over 2 points or more, from above 0 if it is logarithmic")
    values = np.geomspace(first, last, count) if log else np.linspace(first, last, count)
    if name == "inner_episodes":
        values = np.unique(np.round(values))
    return Axis(name, tuple(float(f"{x:.10g}") for x in values))


def phase(
    x: str = "p_naive:0:1",
    y: str = "learning_rate:0.5:500::log",
    preset: Literal["quick", "paper"] = "quick",
    seeds: int | None = None,
    steps: int | None = None,
    learners: int | None = None,
    p_naive: float = 0.25,
    learning_rate: float = 5.0,
    discount: float = 0.95,
    inner_episodes: int = 20,
    batch_size: float = 1.0,
    tremble: float = 0.0,
    learner_std: float = 1.0,
    R: float = 1.0,
    S: float = -1.0,
    T: float = 2.0,
    P: float = 0.0,
    agents: int = 2,
    meta_rate: float = 0.02,
    start: float | None = None,
    sum_episodes: bool = False,
    out: Path | None = None,
    block: int = 256,
    cpu_devices: int = min(4, os.cpu_count() or 1),
    distributed: bool = False,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Map where learning-aware agents cooperate, extort or defect, over two settings.

    Every cell trains pools of agents exactly, several seeds each. The folder gets sweep.zarr (every agent, every
    measure; open it with ipd_theory.phases.store.load), phase.png and phase.pdf. Kill it whenever you like: the same
    command goes on with what is missing, and the result is the same to the last bit, on any number of devices.

    Several GPUs of one machine are used without asking. On a cluster, start the same command once a process with
    --distributed and a folder that all can see, for example with SLURM

        srun --nodes 4 --ntasks-per-node 1 ipd-theory phase --preset paper --distributed --out /shared/phase

    Args:
        x: Horizontal axis, NAME:FROM:TO[:POINTS[:log]]; NAME is any setting from p_naive to P below.
        y: Vertical axis, e.g. learning_rate:0.5:500:16:log, T:0.5:2 or inner_episodes:1:40.
        preset: quick is 16 × 16 cells, 8 seeds and 800 steps; paper 64 × 64, 32 and 3000, with more learners.
        seeds: Runs of each cell; the preset's if not given.
        steps: Training steps; the preset's if not given.
        learners: Naive learners drawn for each agent at each step; the preset's if not given.
        p_naive: Weight of naive learners in what agents ascend, 0 to 1.
        learning_rate: The naive learner's step η on its return, an average a step.
        discount: γ of play within an inner episode.
        inner_episodes: M, the naive learner's steps.
        batch_size: B by which the shaping part of the gradient is divided, as batch-unaware estimators do.
        tremble: Probability, 0 to 0.5, with which any intended action is flipped.
        learner_std: Standard deviation of the naive learners' first logits.
        R: Payoff of mutual cooperation.
        S: Payoff of cooperating with a defector.
        T: Payoff of defecting on a cooperator.
        P: Payoff of mutual defection, below R.
        agents: Learning-aware agents in a pool.
        meta_rate: Their AdamW step (the paper's is 0.005; larger ones settle sooner).
        start: Probability of cooperation, in every context, to start agents from; N(0, 1) logits if not given.
        sum_episodes: Weight naive learners by the sum over their episodes, as the paper does, not by the mean.
        out: Folder of the results; phases/X-Y if not given.
        block: Runs computed together on a device, a multiple of 16; it bounds the memory.
        cpu_devices: Without a GPU, how many processor cores to use; the program is compiled once for each.
        distributed: Join the other processes of the same command first.
        seed: Seed of everything random.
        json: Print the outcomes as JSON instead of a preview.
    """
    import jax

    if cpu_devices > 1:
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    if distributed:
        jax.distributed.initialize()
    from ipd_theory.phases import sweep as sweeps
    from ipd_theory.phases.grid import Cell, Sweep

    chosen = PRESETS[preset]
    axes = tuple(axis_of(text, chosen["points"]) for text in (x, y))
    cell = Cell(p_naive, learning_rate, discount, inner_episodes, batch_size, tremble, learner_std, R, S, T, P)
    grid = Sweep(
        axes,
        cell,
        seeds=chosen["seeds"] if seeds is None else seeds,
        steps=chosen["steps"] if steps is None else steps,
        num_learners=chosen["learners"] if learners is None else learners,
        meta_rate=meta_rate,
        num_agents=agents,
        start=start,
        sum_episodes=sum_episodes,
        block=block,
        seed=seed,
    )
    folder = out or Path("phases") / "-".join(axis.name for axis in axes)
    runs = grid.seeds * len(grid.cells()["p_naive"])
    with progress_bar(f"{runs} pools, {grid.steps} steps") as progress:
        found = sweeps.run(grid, folder / "sweep.zarr", progress)
    if jax.process_index() == 0:
        _show(found, axes[0].name, axes[1].name, folder, json)


def _show(found: Any, x: str, y: str, folder: Path, json: bool) -> None:
    from ipd_theory.drawing import phase_maps, style
    from ipd_theory.drawing.preview import preview
    from ipd_theory.phases.outcomes import Outcome

    figure = phase_maps.phase_diagram(found, x, y)
    for name in ("phase.png", "phase.pdf"):
        style.save(figure, folder / name)
        messages.print(f"drew {folder / name}", soft_wrap=True)
    messages.print(f"kept {folder / 'sweep.zarr'}", soft_wrap=True)
    if json:
        outcome = found.outcome.transpose(x, y, "seed")
        axes = {name: found[name].values for name in (x, y)}
        names = {int(kind): kind.label for kind in Outcome}
        print_json({**axes, "outcome": outcome.values, "names": names, "settings": found.attrs})
    else:
        results.print(preview(found, x, y))
