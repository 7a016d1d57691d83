"""Environment steps of whole training iterations against a straightforward recurrent PPO loop.

The peer is built as PureJaxRL's `ppo_rnn`, of the same network (`rl.gru`): embedding and two small heads over all steps
at once, between them a GRU whose training pass is a scan over single steps, gradients over whole minibatches, all
co-players at once. Game, co-players' learning, widths, epochs and minibatches are the same.
"""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from typing import Any

import jax

from ipd_theory.rl import devices, train
from ipd_theory.rl.config import PRESETS, Config
from ipd_theory.rl.networks import GRUSettings
from tests.benchmarks import Row, compare


def timed(name: str) -> list[Row]:
    """Time one training iteration of a preset against the peer's, on one device and on all of them.

    The peer's loop knows one device, whose matrix products XLA may spread over all cores.
    """
    config = dataclasses.replace(PRESETS[name], gradient_parts_every=0)
    meta = dataclasses.replace(config.meta, trajectories_at_once=0)
    whole = dataclasses.replace(config, co_players_at_once=0, meta=meta)
    mesh = devices.mesh_for(config)

    def compiled(config: Config, state: train.TrainState, mesh: jax.sharding.Mesh | None = None) -> Any:
        states = jax.tree.map(lambda x: x[None], state)
        # Without donation: the same state is used again.
        once = jax.jit(devices.iterate_on.__wrapped__, static_argnums=(0, 2))
        step = once.lower(config, states, mesh).compile()
        memory = step.memory_analysis()
        peak = (memory.temp_size_in_bytes + memory.output_size_in_bytes) / 2**20 if memory else float("nan")
        return functools.partial(step, states), peak

    start = train.initial_state(config, jax.random.key(0))
    whole = dataclasses.replace(whole, network=GRUSettings())
    peer, peer_peak = compiled(whole, train.initial_state(whole, jax.random.key(0)))
    rows = []
    for where, on in (("one device", None), (f"{mesh.size if mesh else 1} devices", mesh)):
        ours, peak = compiled(config, start, on)
        what = f"{name}, {where}: {config.steps_per_iteration} steps ({peak:.0f} MiB against {peer_peak:.0f} MiB)"
        rows.append(compare(what, ours, peer, target=3.0, repeats=11))
    return rows


def run() -> list[Row]:
    """Time the quick presets and the paper's in a process of its own, which counts each core as a device."""
    command = [sys.executable, "-m", "tests.benchmarks.rl", "ipd-shaping-quick", "ipd-mixed-quick", "ipd-shaping"]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [Row(*row) for row in json.loads(found.stdout)]


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    print(json.dumps([row for name in sys.argv[1:] for row in timed(name)]))
