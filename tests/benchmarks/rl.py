"""Environment steps of whole training iterations against a straightforward recurrent PPO loop.

The peer is built as PureJaxRL's `ppo_rnn`: embedding and two small heads over all steps at once, between them a GRU
whose training pass is a scan over single steps, gradients over whole minibatches, all co-players at once. Game,
co-players' learning, widths, epochs and minibatches are the same.
"""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ipd_theory.rl import devices, losses, train
from ipd_theory.rl.config import PRESETS, Config
from tests.benchmarks import Row, compare


class GRUPolicy(eqx.Module):
    """Dense, GRU, then a hidden layer each for actor and critic."""

    embedding: jax.Array
    to_gates: jax.Array
    from_hidden: jax.Array
    bias: jax.Array
    actor: tuple[jax.Array, jax.Array]
    critic: tuple[jax.Array, jax.Array]

    @staticmethod
    def create(key: jax.Array, width: int = 32) -> "GRUPolicy":
        """Return a policy for the repeated game, its last layers small."""
        keys = iter(jax.random.split(key, 7))

        def dense(*shape: int, gain: float = 1.0) -> jax.Array:
            return gain * jax.random.normal(next(keys), shape, jnp.float32) / shape[0] ** 0.5

        return GRUPolicy(
            dense(5, width),
            dense(width, 3 * width),
            dense(width, 3 * width),
            jnp.zeros(3 * width, jnp.float32),
            (dense(width, width), dense(width, 2, gain=0.01)),
            (dense(width, width), dense(width, 1)),
        )

    def ready(self, steps: int = 1) -> "GRUPolicy":
        """Return itself."""
        return self

    def initial_state(self, *batch: int) -> jax.Array:
        """Return zero hidden units."""
        return jnp.zeros((*batch, self.embedding.shape[1]), jnp.float32)

    def _embed(self, observations: jax.Array) -> jax.Array:
        return jax.nn.relu(jax.nn.one_hot(observations, 5, dtype=jnp.float32) @ self.embedding)

    def _heads(self, hidden: jax.Array) -> jax.Array:
        return jnp.concatenate([jax.nn.relu(hidden @ first) @ last for first, last in (self.actor, self.critic)], -1)

    def _cell(self, embedded: jax.Array, resets: jax.Array, hidden: jax.Array) -> jax.Array:
        hidden = jnp.where(resets[..., None], 0, hidden)
        from_input = jnp.split(embedded @ self.to_gates + self.bias, 3, -1)
        from_hidden = jnp.split(hidden @ self.from_hidden, 3, -1)
        reset, update = (jax.nn.sigmoid(a + b) for a, b in zip(from_input[:2], from_hidden[:2], strict=True))
        return update * hidden + (1 - update) * jnp.tanh(from_input[2] + reset * from_hidden[2])

    def step(self, observations: jax.Array, resets: jax.Array, hidden: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Advance by one step."""
        hidden = self._cell(self._embed(observations), resets, hidden)
        return self._heads(hidden), hidden

    def sequence(self, observations: jax.Array, resets: jax.Array, hidden: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Advance the cell step by step, embedding and heads over all steps at once."""

        def step(hidden: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            hidden = self._cell(*at, hidden)
            return hidden, hidden

        hidden, along = jax.lax.scan(step, hidden, (self._embed(observations), resets))
        return self._heads(along), hidden


def peer_state(config: Config) -> train.TrainState:
    """Return an initial state of GRU agents."""
    keys = jax.random.split(jax.random.key(0), len(config.methods) + config.num_naive)
    everyone = jax.vmap(GRUPolicy.create)(keys)
    P = len(config.methods)
    meta, naive = (jax.tree.map(lambda x, part=part: x[part], everyone) for part in (slice(0, P), slice(P, None)))
    transform = losses.optimizer(config.meta.optimizer, config.meta.learning_rate, config.meta.max_gradient_norm)
    return train.TrainState(meta, jax.vmap(transform.init)(meta), naive, jax.random.key(1), jnp.zeros((), jnp.int32))


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
    peer, peer_peak = compiled(whole, peer_state(whole))
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
