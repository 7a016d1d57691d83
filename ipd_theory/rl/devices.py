"""One iteration of every seed, compiled for the devices that share it."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from ipd_theory.rl.checkpoint import like, plain
from ipd_theory.rl.config import Config
from ipd_theory.rl.train import Metrics, TrainState, initial_state, iterate


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


def on_every_device(states: TrainState, mesh: jax.sharding.Mesh) -> TrainState:
    """Return the states on every device of a mesh, which may belong to several processes that all hold them."""
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def place(leaf: jax.Array) -> jax.Array:
        values = np.asarray(plain(leaf))
        return like(leaf, jax.make_array_from_callback(values.shape, sharding, lambda index: values[index]))

    return jax.tree.map(place, states)


def agreed(*questions: bool) -> tuple[bool, ...]:
    """Return for each question whether the answer is yes in any process, in all of them."""
    if jax.process_count() == 1:
        return questions
    return tuple(multihost_utils.process_allgather(np.array(questions)).any(0).tolist())
