"""Run directories: the loop that trains seeds side by side and leaves its settings, metrics and checkpoints behind.

A directory holds `config.json`, `metrics.jsonl` (one line each `log_every` iterations: averages over them, with axes
[seed, meta agent, …], beside how fast that went and in how much memory) and `checkpoints/`. The same call goes on
where the latest checkpoint was taken.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped

from ipd_theory._arguments import checked
from ipd_theory._checks import whole
from ipd_theory.rl import run_folder
from ipd_theory.rl.checkpoint import Checkpoints, drop_after
from ipd_theory.rl.config import Config
from ipd_theory.rl.devices import Program, agreed, compiled_iteration, initial_states, mesh_for, on_every_device
from ipd_theory.rl.interruption import Interruption, heeded
from ipd_theory.rl.resuming import hold_checkpoint, where_it_stopped
from ipd_theory.rl.run_folder import CHECKPOINTS, CONFIG, Line
from ipd_theory.rl.train import Metrics, TrainState


@checked
def train(
    config: Config,
    directory: Path,
    seeds: tuple[int, ...] = (0,),
    *,
    log_every: int = 10,
    checkpoint_every: int = 200,
    max_minutes: float = float("inf"),
    announce: Callable[[Program], None] = lambda program: None,
    report: Callable[[Line], None] = lambda line: None,
) -> Path:
    """Train until the last iteration or until time is up, going on from the latest checkpoint if there is one.

    The meta-batch is split over all of jax's devices, those of other processes included (each then calls this after
    `jax.distributed.initialize`, with the same folder, which the first one writes); how many devices there are changes
    the random numbers of a run.

    Ctrl-C and SIGTERM end it after the iteration under way, with a checkpoint; a second one ends it at once, without.

    Args:
        config: the run.
        directory: its folder; made if it is not there, once the run has been compiled.
        seeds: trained side by side, one entry each.
        log_every: iterations averaged into one line of metrics.
        checkpoint_every: iterations between checkpoints, a multiple of `log_every`.
        max_minutes: wall-clock time after which to save and stop.
        announce: called with the compiled iteration before the first one is run.
        report: called with each line of metrics.

    Returns:
        The directory.

    Raises:
        ValueError: if the directory holds another run or one that cannot be read, if another process writes it, or if
            `checkpoint_every` is no multiple of `log_every`.
        FloatingPointError: if a loss is not finite; the last good checkpoint is kept.
        KeyboardInterrupt: if it was asked to stop (`Terminated` by SIGTERM); it says what was saved.
    """
    log_every, checkpoint_every = whole("log_every", log_every, 1), whole("checkpoint_every", checkpoint_every, 1)
    if checkpoint_every % log_every:
        raise ValueError(f"checkpoint_every={checkpoint_every} must be a positive multiple of log_every={log_every}")
    if not max_minutes >= 0:
        raise ValueError(f"max_minutes must be 0 or more; got {max_minutes}")
    begin = time.monotonic()
    seeds = _checked_seeds(seeds)
    settings = run_folder.described(config, seeds)
    run_folder.hold(directory, CONFIG, settings)
    if not (directory / CHECKPOINTS).exists() and run_folder.iterations_done(directory) >= config.iterations:
        return directory  # a finished run of which only the record was kept
    first = jax.process_index() == 0
    with run_folder.held(directory) if first else contextlib.nullcontext():
        blank = jax.eval_shape(lambda: initial_states(config, seeds))
        found = where_it_stopped(directory, blank, settings, run_folder.iterations_done(directory))
        if found is not None and found[0] >= config.iterations:
            return directory
        mesh = mesh_for(config)
        program = compiled_iteration(config, seeds, mesh)
        done, states = (0, initial_states(config, seeds)) if found is None else found
        if mesh is not None:
            states = on_every_device(states, mesh)
        if first:
            _begin_writing(directory, config, settings, done)
        announce(program)
        agreed(True)  # the others wait until the first one has cleared the way
        checkpoints = Checkpoints(directory / CHECKPOINTS, keep=2)
        try:
            with heeded() as interruption:
                while done < config.iterations:
                    states, window, seconds = _some_iterations(
                        program, states, min(log_every - done % log_every, config.iterations - done), interruption
                    )
                    done += len(window)
                    line = _summary(window, done, begin)
                    steps = len(seeds) * len(window) * config.steps_per_iteration
                    line |= {
                        "steps_per_second": steps / seconds,
                        "devices": program.devices,
                        "bytes_per_device": program.memory,
                    }
                    if not all(np.isfinite(loss).all() for metrics in window for loss in metrics.losses):
                        checkpoints.wait()
                        raise FloatingPointError(
                            f"a loss was not finite by iteration {done}; "
                            f"the last good checkpoint is {max(checkpoints.iterations(), default=None)}"
                        )
                    if first:
                        run_folder.append(directory, line)
                    report(line)
                    out_of_time, asked = agreed(time.monotonic() - begin > 60 * max_minutes, interruption.asked)
                    if done % checkpoint_every == 0 or done == config.iterations or out_of_time or asked:
                        checkpoints.save(done, states, run_folder.decisive(settings))
                    if out_of_time or asked:
                        break
                checkpoints.wait()
        finally:
            checkpoints.close()
    if done < config.iterations and asked:
        raise interruption.kind(
            f"interrupted; {directory} is saved up to iteration {done}, and the same command goes on from there"
        )
    return directory


def _checked_seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """Return seeds as plain numbers, having checked that there are some, all different and of 32 bits."""
    seeds = tuple(whole("seeds", seed, 0, 2**32 - 1) for seed in seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be one or more different numbers; got {seeds}")
    return seeds


def _begin_writing(directory: Path, config: Config, settings: dict[str, Any], done: int) -> None:
    """Write the settings, if this run goes farther than what is there, and drop what came after a checkpoint."""
    path = directory / CONFIG
    if not path.exists() or run_folder.read_config(directory)[0].iterations < config.iterations:
        run_folder.write_settings(path, settings)
    run_folder.rewind(directory, [x for x in run_folder.read_metrics(directory) if x["iteration"] <= done])
    drop_after(directory / CHECKPOINTS, done)


def _some_iterations(
    program: Program, states: TrainState, count: int, interruption: Interruption
) -> tuple[TrainState, list[Metrics], float]:
    """Do so many iterations, fewer if asked to stop; gives their metrics and how many seconds they took."""
    since, window = time.monotonic(), list[Metrics]()
    alone = jax.process_count() == 1  # several have to do the same
    while len(window) < count and not (alone and window and interruption.asked):
        states, metrics = program.step(states)
        window.append(metrics)
        if alone:
            _wait(window[-2:-1])  # one iteration always lies ready, so that the devices never wait
    _wait(window)
    return states, jax.device_get(window), time.monotonic() - since


def _wait(arrays: Any) -> None:
    """Wait until arrays are computed, open to signals meanwhile."""
    for leaf in jax.tree.leaves(arrays):
        while not leaf.is_ready():
            time.sleep(0.001)


@checked
def read_states(directory: Path, iteration: int | None = None) -> TrainState:
    """Return the states [seeds] of a run after an iteration, by default the latest checkpoint's that can be read.

    Raises:
        ValueError: if the directory holds no run, or no such checkpoint, or one that belongs to other settings.
    """
    if iteration is not None:
        whole("iteration", iteration, 0)
    config, seeds = run_folder.read_config(directory)
    checkpoints = Checkpoints(directory / CHECKPOINTS)
    there = checkpoints.iterations()
    example = jax.eval_shape(lambda: initial_states(config, seeds))
    try:
        if not there:
            raise ValueError(f"run {directory} has no checkpoint: only its record was kept, or it has not come so far")
        if iteration is None:
            found = checkpoints.newest(example)
        elif iteration in there:
            found = (iteration, *checkpoints.restore(example, iteration))
        else:
            raise ValueError(
                f"run {directory} has no checkpoint of iteration {iteration}; there are {', '.join(map(str, there))}"
            )
    finally:
        checkpoints.close()
    assert found is not None
    hold_checkpoint(directory, found[0], found[2], run_folder.described(config, seeds))
    return found[1]


def _summary(window: list[Metrics], iteration: int, begin: float) -> Line:
    """Average the metrics of some iterations; what was not observed in any of them is None."""

    def mean(*values: Shaped[np.ndarray, "*shape"]) -> Any:
        stacked = np.stack(values).astype(np.float64)
        seen = np.isfinite(stacked)
        total, count = np.where(seen, stacked, 0).sum(0), seen.sum(0)
        return _with_nulls(np.where(count > 0, total / np.maximum(count, 1), np.nan).tolist())

    means = jax.tree.map(mean, *window)._asdict()
    means |= {name: means[name]._asdict() for name in ("losses", "gradients")}
    return {"iteration": iteration, "seconds": time.monotonic() - begin, **means}


def _with_nulls(x: Any) -> Any:
    """Write NaN, which JSON does not know, as None in nested lists, and numbers to six digits."""
    return [_with_nulls(part) for part in x] if isinstance(x, list) else None if np.isnan(x) else float(f"{x:.6g}")
