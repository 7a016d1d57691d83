"""`ipd-theory train`."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ipd_theory.commands import presets
from ipd_theory.commands.console import (
    folder_to_write,
    messages,
    only_results_on_stdout,
    print_json,
    results,
    warnings_in_one_line,
)
from ipd_theory.commands.endings import say_error
from ipd_theory.commands.options import Count, OutputFolder, Positive, Seed, Within
from ipd_theory.commands.training_progress import memory, progress, rewards
from ipd_theory.rl.config import PRESETS

WHEN_INTERRUPTED = "interrupted; the run is kept up to its last checkpoint, and the same command goes on from there"

if TYPE_CHECKING:
    Preset = presets.Chosen
else:
    Preset = presets.options(PRESETS)


def train(
    chosen: Annotated[tyro.conf.AvoidSubcommands[Preset], tyro.conf.arg(name="")],
    out: OutputFolder | None = None,
    seed: Seed = 0,
    seeds: Count = 1,
    log_every: Count = 10,
    checkpoint_every: Count = 200,
    max_minutes: Positive = float("inf"),
    cpu_devices: Count = 1,
    coordinator: str | None = None,
    processes: Count = 1,
    process: Annotated[int, Within(0)] = 0,
    wandb_project: str | None = None,
    own_environment: Annotated[str | None, tyro.conf.arg(metavar="FILE:CLASS")] = None,
    own_network: Annotated[str | None, tyro.conf.arg(metavar="FILE:CLASS")] = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Train sequence-model agents by reinforcement learning alone, on the iterated prisoner's dilemma or CleanUp-lite.

    The run's folder gets config.json, metrics.jsonl and checkpoints, and TensorBoard events where tensorboardX is
    installed. Ctrl-C or SIGTERM stops it with a checkpoint. Run the same command again to go on from the latest one.

      ipd-theory train ipd-shaping-quick

      ipd-theory train ipd-mixed-quick --methods coala m_fos --seed 1 --out runs/mine

      ipd-theory evaluate runs/mine

    Several processes, on one machine or many, share a run when each is given the same command but for its own number,
    and a folder that all of them see; say for two, each with all the devices of its machine:

      ipd-theory train ipd-mixed --out runs/a --coordinator HOST:PORT --processes 2 --process 0

      ipd-theory train ipd-mixed --out runs/a --coordinator HOST:PORT --processes 2 --process 1

    When one of them ends, all do; start all of them again to go on.

    Args:
        chosen: Settings to start from; every one can be changed by an option of its own.
        out: Folder of the run; runs/PRESET-METHODS-seedN if not given.
        seed: Seed of everything random: initial weights, draws and play. The first one, if there are several.
        seeds: How many seeds to train side by side, counted up from the first.
        log_every: Iterations averaged into one line of metrics.
        checkpoint_every: Iterations between checkpoints, a multiple of log-every.
        max_minutes: Wall-clock minutes after which to save a checkpoint and stop.
        cpu_devices: Split the meta-batch over so many cores; two are about twice as fast, with other random numbers.
        coordinator: HOST:PORT at which process 0 of several is to be reached by the others: its machine, any free port.
        processes: How many processes share the run.
        process: Which of them this is, counted from 0, which alone writes metrics.
        wandb_project: Track the run in this Weights & Biases project, too (needs wandb).
        own_environment: Play an environment of your own: a class of settings, say game.py:Game, at its defaults. It
            derives from rl.environments.EnvironmentSettings, and its method build returns the game.
        own_network: Train a network of your own, or another of the package (ipd_theory.rl.networks:GRUSettings): a
            class that derives from rl.networks.NetworkSettings, and whose method build returns a fresh agent.
        dry_run: Compile, say how much memory an iteration takes on each device, and stop before anything is written.
        json: Print the result as JSON.
    """
    import jax

    from ipd_theory.rl import devices, runs
    from ipd_theory.rl.run_folder import CONFIG, Line, read_metrics
    from ipd_theory.rl.tracking import has_tensorboard, trackers

    config = presets.with_own(chosen.config, own_environment, own_network)
    if cpu_devices > 1:
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    _join(coordinator, processes, process)
    every_seed = tuple(range(seed, seed + seeds))
    directory = folder_to_write("--out", out or default_folder(chosen.preset, config.methods, every_seed))
    if dry_run:
        program = devices.compiled_iteration(config, every_seed, devices.mesh_for(config))
        if json:
            print_json({"devices": program.devices, "bytes_per_device": program.memory})
        else:
            results.print(memory(program), soft_wrap=True)
        return
    if process == 0 and not has_tensorboard():
        messages.print("no TensorBoard events: tensorboardX is not installed (pip install 'ipd-theory[tracking]')")
    tracked = trackers(directory, wandb_project) if process == 0 else contextlib.nullcontext(lambda line: None)
    try:
        with (
            warnings_in_one_line(),
            only_results_on_stdout(),
            tracked as track,
            progress("iteration", config.iterations) as show,
        ):

            def report(line: Line) -> None:
                track(line)
                show(line["iteration"], f"{rewards(line)} · {line['steps_per_second']:,.0f} steps/s")

            runs.train(
                config,
                directory,
                every_seed,
                log_every=log_every,
                checkpoint_every=checkpoint_every,
                max_minutes=max_minutes,
                announce=lambda program: messages.print(memory(program), soft_wrap=True),
                report=report,
            )
    except KeyboardInterrupt as stop:
        nothing = () if (directory / CONFIG).exists() else ("interrupted before the first iteration; nothing was kept",)
        raise type(stop)(*(stop.args or nothing)) from None
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
        print_json({"directory": directory, **last})
    else:
        results.print(f"{directory}: iteration {last['iteration']}, {rewards(last)}", soft_wrap=True)


def default_folder(preset: str, methods: tuple[str, ...], seeds: tuple[int, ...]) -> Path:
    """Return a folder whose name says what is trained, another one for each preset, pool and choice of seeds."""
    counted = f"seed{seeds[0]}" if len(seeds) == 1 else f"seeds{seeds[0]}-{seeds[-1]}"
    short = (method.rpartition(":")[2] for method in methods)
    return Path("runs") / f"{preset}-{'+'.join(short)}-{counted}"


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
