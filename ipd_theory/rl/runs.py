"""Run directories: the loop that trains seeds side by side and leaves its settings, metrics and checkpoints behind.

A directory holds `config.json`, `metrics.jsonl` (one line each `log_every` iterations: averages over them, with axes
[seed, meta agent, …], beside how fast that went and in how much memory) and `checkpoints/`. The same call goes on
where the latest checkpoint was taken.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped

from ipd_theory.rl.checkpoint import Checkpoints
from ipd_theory.rl.config import Config
from ipd_theory.rl.devices import Program, agreed, compiled_iteration, initial_states, mesh_for, on_every_device
from ipd_theory.rl.run_folder import Line, describe, iterations_done, read_config, read_metrics, write_whole
from ipd_theory.rl.train import Metrics, TrainState


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

    Args:
        config: the run.
        directory: its folder; made if it is not there.
        seeds: trained side by side, one entry each.
        log_every: iterations averaged into one line of metrics.
        checkpoint_every: iterations between checkpoints, a multiple of `log_every`.
        max_minutes: wall-clock time after which to save and stop.
        announce: called with the compiled iteration before the first one is run.
        report: called with each line of metrics.

    Returns:
        The directory.

    Raises:
        ValueError: if the directory holds another run, or `checkpoint_every` is no multiple of `log_every`.
        FloatingPointError: if a loss is not finite; the last good checkpoint is kept.
    """
    if log_every < 1 or checkpoint_every < 1 or checkpoint_every % log_every:
        raise ValueError(f"checkpoint_every={checkpoint_every} must be a positive multiple of log_every={log_every}")
    begin = time.monotonic()
    describe(config, seeds, directory)
    folder = directory / "checkpoints"
    if not folder.exists() and iterations_done(directory) >= config.iterations:
        return directory  # a finished run of which only the record was kept
    checkpoints = Checkpoints(folder)
    try:
        states = initial_states(config, seeds)
        if checkpoints.latest() is not None:
            states = checkpoints.restore(states)
        done = int(states.iteration[0])
        log = directory / "metrics.jsonl"
        kept = [line for line in read_metrics(directory) if line["iteration"] <= done]
        first = jax.process_index() == 0
        if first:
            write_whole(log, "".join(json.dumps(line) + "\n" for line in kept))
        if done >= config.iterations:
            return directory
        mesh = mesh_for(config)
        if mesh is not None:
            states = on_every_device(states, mesh)
        program = compiled_iteration(config, seeds, mesh)
        announce(program)
        while done < config.iterations:
            since = time.monotonic()
            window = []
            for _ in range(min(log_every, config.iterations - done)):
                states, metrics = program.step(states)
                window.append(metrics)
            done += len(window)
            window = jax.device_get(window)
            line = _summary(window, done, begin)
            steps = len(seeds) * len(window) * config.steps_per_iteration
            line |= {
                "steps_per_second": steps / (time.monotonic() - since),
                "devices": program.devices,
                "bytes_per_device": program.memory,
            }
            if not all(np.isfinite(loss).all() for metrics in window for loss in metrics.losses):
                raise FloatingPointError(
                    f"a loss was not finite by iteration {done}; the last good checkpoint is {checkpoints.latest()}"
                )
            if first:
                with log.open("a") as file:
                    file.write(json.dumps(line) + "\n")
            report(line)
            out_of_time = agreed(time.monotonic() - begin > 60 * max_minutes)
            if done % checkpoint_every == 0 or done == config.iterations or out_of_time:
                checkpoints.save(done, states)
            if out_of_time:
                break
    finally:
        checkpoints.close()
    return directory


def read_states(directory: Path, iteration: int | None = None) -> TrainState:
    """Return the states [seeds] of a run after an iteration, by default the latest checkpoint's.

    Raises:
        ValueError: if the directory holds no run, or no such checkpoint.
    """
    config, seeds = read_config(directory)
    checkpoints = Checkpoints(directory / "checkpoints")
    try:
        return checkpoints.restore(jax.eval_shape(lambda: initial_states(config, seeds)), iteration)
    finally:
        checkpoints.close()


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
