"""Run directories: the loop that trains seeds side by side and leaves its settings, metrics and checkpoints behind.

A directory holds `config.json`, `metrics.jsonl` (one line each `log_every` iterations: averages over them, with axes
[seed, meta agent, …], beside how fast that went and in how much memory) and `checkpoints/`. The same call goes on
where the latest checkpoint was taken.
"""

import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Shaped

from ipd_theory.rl.checkpoint import Checkpoints, like, plain
from ipd_theory.rl.config import Config, Meta, Naive
from ipd_theory.rl.environments import ENVIRONMENTS
from ipd_theory.rl.networks import NETWORKS
from ipd_theory.rl.tagging import from_tagged, to_tagged
from ipd_theory.rl.train import Metrics, TrainState, initial_state, iterate

Line = dict[str, Any]
KNOWN = {"environment": ENVIRONMENTS, "network": NETWORKS}  # settings whose class is stored with them


def initial_states(config: Config, seeds: tuple[int, ...]) -> TrainState:
    """Return the states before the first iteration, stacked over seeds."""
    create = jax.jit(jax.vmap(lambda seed: initial_state(config, jax.random.key(seed))))
    return create(jnp.asarray(seeds, jnp.uint32))


def iterate_seeds(config: Config, states: TrainState, axis: str | None = None) -> tuple[TrainState, Metrics]:
    """Do one iteration of every seed; a single seed is not batched, which would cost speed."""
    once = functools.partial(iterate, config, axis=axis)
    if states.iteration.shape[0] > 1:
        return jax.vmap(once)(states)
    result = once(jax.tree.map(lambda x: x[0], states))
    return jax.tree.map(lambda x: x[None], result)


@functools.partial(jax.jit, static_argnums=(0, 2), donate_argnums=1)
def iterate_on(config: Config, states: TrainState, mesh: jax.sharding.Mesh | None) -> tuple[TrainState, Metrics]:
    """Do one iteration of every seed, the meta-batch split over the devices of a mesh of one axis, if any."""
    if mesh is None:
        return iterate_seeds(config, states)
    (axis,) = mesh.axis_names
    everywhere = jax.sharding.PartitionSpec()
    once = functools.partial(iterate_seeds, config, axis=axis)
    split = jax.shard_map(once, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=False)
    return split(states)


def mesh_for(config: Config) -> jax.sharding.Mesh | None:
    """Return a mesh of as many devices as divide the meta-batch with its minibatches, None for one device.

    Raises:
        ValueError: if that leaves out all devices of some process.
    """

    def fits(devices: int) -> bool:
        share, rest = divmod(config.meta_batch, devices)
        return rest == 0 and share * config.batch % config.meta.minibatches == 0

    count = max(filter(fits, range(1, jax.device_count() + 1)))
    devices = jax.devices()[:count]
    if len({device.process_index for device in devices}) < jax.process_count():
        raise ValueError(
            f"meta_batch={config.meta_batch} (batch={config.batch}, meta.minibatches={config.meta.minibatches}) splits "
            f"over {count} of {jax.device_count()} devices, too few for {jax.process_count()} processes"
        )
    if count == 1:
        return None
    automatic = (jax.sharding.AxisType.Auto,)
    return jax.make_mesh((count,), ("meta_batch",), axis_types=automatic, devices=devices)


class Program(NamedTuple):
    """One iteration of every seed, compiled.

    `step` takes the states and gives them up; `devices` is how many devices share it, and `memory` the bytes that it
    takes on each of them, states and results included.
    """

    step: Callable[[TrainState], tuple[TrainState, Metrics]]
    devices: int
    memory: int


@functools.lru_cache
def compiled_iteration(config: Config, seeds: tuple[int, ...], mesh: jax.sharding.Mesh | None = None) -> Program:
    """Compile `iterate_on` for the states of some seeds without running anything.

    The memory is what the compiler lays out: buffers that live at the same time, not what libraries take beside them.
    """
    states = jax.eval_shape(lambda: initial_states(config, seeds))
    if mesh is not None:
        everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        states = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere), states)
    step = iterate_on.lower(config, states, mesh).compile()
    sizes = step.memory_analysis()
    assert sizes is not None  # as on CPUs, GPUs and TPUs
    arguments_and_results = sizes.argument_size_in_bytes + sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    devices = 1 if mesh is None else mesh.size
    return Program(step, devices, arguments_and_results + sizes.temp_size_in_bytes)


def _everywhere(states: TrainState, mesh: jax.sharding.Mesh) -> TrainState:
    """Return the states on every device of a mesh, which may belong to several processes that all hold them."""
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def place(leaf: jax.Array) -> jax.Array:
        values = np.asarray(plain(leaf))
        return like(leaf, jax.make_array_from_callback(values.shape, sharding, lambda index: values[index]))

    return jax.tree.map(place, states)


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
    _describe(config, seeds, directory)
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
            _write_whole(log, "".join(json.dumps(line) + "\n" for line in kept))
        if done >= config.iterations:
            return directory
        mesh = mesh_for(config)
        if mesh is not None:
            states = _everywhere(states, mesh)
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
            out_of_time = _agreed(time.monotonic() - begin > 60 * max_minutes)
            if done % checkpoint_every == 0 or done == config.iterations or out_of_time:
                checkpoints.save(done, states)
            if out_of_time:
                break
    finally:
        checkpoints.close()
    return directory


def _agreed(decision: bool) -> bool:
    """Return the first process's decision in all of them."""
    return bool(multihost_utils.broadcast_one_to_all(np.bool_(decision)))


def _describe(config: Config, seeds: tuple[int, ...], directory: Path) -> None:
    """Write the settings of a run, or hold them against those already there.

    More iterations are allowed, and another number of sequences at once, which changes no result beyond rounding.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "config.json"
    described = {"seeds": seeds, **dataclasses.asdict(config)}
    for name, known in KNOWN.items():
        described[name] = to_tagged(name, getattr(config, name), known)
    if path.exists():
        there, seeds_there = read_config(directory)
        before, now = _decisive(there), _decisive(config)
        names = [field.name for field in dataclasses.fields(Config)]
        differing = ["seeds"] if seeds_there != seeds else []
        differing += [name for name in names if getattr(before, name) != getattr(now, name)]
        if differing:
            raise ValueError(f"directory {directory} holds a run with other settings: {', '.join(differing)}")
        if there.iterations >= config.iterations:
            return
    if jax.process_index() == 0:
        _write_whole(path, json.dumps(described, indent=2) + "\n")


def _decisive(config: Config) -> Config:
    """Return those settings of a run that another part of it must share, the rest set alike."""
    meta = dataclasses.replace(config.meta, trajectories_at_once=None)
    return dataclasses.replace(config, meta=meta, iterations=1, co_players_at_once=None)


def _write_whole(path: Path, text: str) -> None:
    """Write a file under another name and rename it: a kill, or another process that reads, meets no half of it."""
    partial = path.with_name(f".{path.name}-{os.getpid()}")
    partial.write_text(text)
    os.replace(partial, path)


def read_config(directory: Path) -> tuple[Config, tuple[int, ...]]:
    """Return the settings and the seeds of a run.

    Raises:
        ValueError: if the directory holds none.
    """
    path = directory / "config.json"
    if not path.exists():
        raise ValueError(f"directory {directory} holds no run: there is no {path.name}")
    plain: dict[str, Any] = json.loads(path.read_text())
    seeds = tuple(plain.pop("seeds"))
    plain |= {name: part(**plain[name]) for name, part in {"naive": Naive, "meta": Meta}.items()}
    plain |= {name: from_tagged(name, plain[name], known) for name, known in KNOWN.items()}
    plain["methods"] = tuple(plain["methods"])
    return Config(**plain), seeds


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


def read_metrics(directory: Path) -> list[Line]:
    """Return the lines of a run's metrics; a last line cut short by a kill is dropped."""
    path = directory / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]


def iterations_done(directory: Path) -> int:
    """Return the last iteration of a run's metrics, 0 if there is none."""
    lines = read_metrics(directory)
    return int(lines[-1]["iteration"]) if lines else 0


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
