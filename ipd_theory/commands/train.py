"""`ipd-theory train`."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ipd_theory.commands.console import messages, only_results_on_stdout, print_json, results
from ipd_theory.commands.endings import say_error
from ipd_theory.rl.config import PRESETS, Config

WHEN_INTERRUPTED = "interrupted; the run is kept up to its last checkpoint, and the same command goes on from there"

if TYPE_CHECKING:
    Preset = Config
else:  # every field of the chosen preset is an option of its own
    Preset = tyro.extras.subcommand_type_from_defaults(PRESETS, prefix_names=False)


def train(
    config: Annotated[tyro.conf.AvoidSubcommands[Preset], tyro.conf.arg(name="")],
    out: Path | None = None,
    seed: int = 0,
    seeds: int = 1,
    log_every: int = 10,
    checkpoint_every: int = 200,
    max_minutes: float = float("inf"),
    cpu_devices: int = 1,
    coordinator: str | None = None,
    processes: int = 1,
    process: int = 0,
    wandb_project: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Train sequence-model agents by reinforcement learning alone, on the iterated prisoner's dilemma or CleanUp-lite.

    The run's folder gets config.json, metrics.jsonl, TensorBoard events and checkpoints. Run the same command again
    to go on from the latest checkpoint.

    Several processes, on one machine or many, share a run when each is given the same command but for its own number,
    and a folder that all of them see; say for two, each with all the devices of its machine:

      ipd-theory train ipd-mixed --out runs/a --coordinator HOST:PORT --processes 2 --process 0

      ipd-theory train ipd-mixed --out runs/a --coordinator HOST:PORT --processes 2 --process 1

    When one of them ends, all do; start all of them again to go on.

    Args:
        config: Settings to start from; every one can be changed by an option of its own.
        out: Folder of the run; runs/METHODS-seedN if not given.
        seed: First seed.
        seeds: How many seeds to train side by side, counted up from the first.
        log_every: Iterations averaged into one line of metrics.
        checkpoint_every: Iterations between checkpoints, a multiple of log-every.
        max_minutes: Wall-clock minutes after which to save a checkpoint and stop.
        cpu_devices: Split the meta-batch over so many cores; two are about twice as fast, with other random numbers.
        coordinator: HOST:PORT at which process 0 of several is to be reached by the others: its machine, any free port.
        processes: How many processes share the run.
        process: Which of them this is, counted from 0, which alone writes metrics.
        wandb_project: Track the run in this Weights & Biases project, too (needs wandb).
        dry_run: Compile, say how much memory an iteration takes on each device, and stop before anything is written.
        json: Print the result as JSON.
    """
    import jax

    from ipd_theory.rl import devices, runs
    from ipd_theory.rl.run_folder import Line, read_metrics
    from ipd_theory.rl.tracking import trackers

    for name, count in (("seeds", seeds), ("cpu-devices", cpu_devices)):
        if count < 1:
            raise ValueError(f"{name} must be 1 or more; got {count}")
    if cpu_devices > 1:
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    _join(coordinator, processes, process)
    every_seed = tuple(range(seed, seed + seeds))
    if dry_run:
        program = devices.compiled_iteration(config, every_seed, devices.mesh_for(config))
        if json:
            print_json({"devices": program.devices, "bytes_per_device": program.memory})
        else:
            results.print(_memory(program), soft_wrap=True)
        return
    directory = out or Path("runs") / f"{'+'.join(config.methods)}-seed{seed}"
    tracked = trackers(directory, wandb_project) if process == 0 else contextlib.nullcontext(lambda line: None)
    try:
        with only_results_on_stdout(), tracked as track, _progress(config.iterations) as (announce, show):

            def report(line: Line) -> None:
                track(line)
                show(line)

            runs.train(
                config,
                directory,
                every_seed,
                log_every=log_every,
                checkpoint_every=checkpoint_every,
                max_minutes=max_minutes,
                announce=announce,
                report=report,
            )
    except jax.errors.JaxRuntimeError as error:
        if processes == 1:
            raise
        what = f"process {process} lost the others: one of them has ended, or its machine is not reached"
        say_error(f"{what}; start all again to go on. ({error})")
        os._exit(1)  # An orderly end would wait for the others, and abort.
    if process > 0:
        return
    last = read_metrics(directory)[-1]
    if json:
        print_json({"directory": str(directory), **last})
    else:
        results.print(f"{directory}: iteration {last['iteration']}, {_rewards(last)}", soft_wrap=True)


def _join(coordinator: str | None, processes: int, process: int) -> None:
    """Join the other processes of a run, if there are several."""
    import jax

    if not 0 <= process < processes:
        raise ValueError(f"process must lie in 0 to processes - 1 = {processes - 1}; got {process}")
    if (coordinator is None) != (processes == 1):
        raise ValueError(f"coordinator goes with several processes; got {coordinator} with processes={processes}")
    if coordinator is not None:
        if not coordinator.rpartition(":")[2].isdigit():
            raise ValueError(f"coordinator must be HOST:PORT; got {coordinator}")
        jax.config.update("jax_enable_preemption_service", False)  # which would catch SIGTERM and go on
        jax.distributed.initialize(coordinator, processes, process)


@contextlib.contextmanager
def _progress(iterations: int) -> Iterator[tuple[Callable[[Any], None], Callable[[dict[str, Any]], None]]]:
    """Show how far a run is; gives the functions to call with its compiled program and with each line of metrics."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    count, what = map(TextColumn, ("iteration {task.completed:.0f}/{task.total:.0f}", "{task.description}"))
    with Progress(count, BarColumn(), what, TimeElapsedColumn(), console=messages) as bar:
        task = bar.add_task("compiling", total=iterations)
        begun_at: list[tuple[int, float]] = []

        def announce(program: Any) -> None:
            messages.print(_memory(program))
            bar.update(task, description="training")

        def show(line: dict[str, Any]) -> None:
            begun_at.append((line["iteration"], line["seconds"]))
            (first, begin), (last, now) = begun_at[0], begun_at[-1]
            left = (iterations - last) * (now - begin) / max(last - first, 1) / 60
            description = f"{_rewards(line)} · {line['steps_per_second']:,.0f} steps/s · {left:.1f} min left"
            bar.update(task, completed=line["iteration"], description=description)

        yield announce, show


def _memory(program: Any) -> str:
    """Write how much memory a compiled iteration takes on each device."""
    import jax

    device = jax.local_devices()[0]
    limit = (device.memory_stats() or {}).get("bytes_limit")
    of = f" of {limit / 2**20:,.0f}" if limit else ""
    devices = "the one device" if program.devices == 1 else f"each of {program.devices} devices"
    return f"an iteration takes {program.memory / 2**20:,.1f}{of} MiB on {devices} ({device.device_kind})"


def _rewards(line: dict[str, Any]) -> str:
    """Write an iteration's mean reward a step by kind of co-player, over seeds, agents and inner episodes."""
    parts = []
    for kind in ("naive", "meta"):
        values = [x for seed in line[f"against_{kind}"]["reward"] for agent in seed for x in agent if x is not None]
        if values:
            parts.append(f"{sum(values) / len(values):.3f} against {kind}")
    return ", ".join(parts)
