"""Checkpoints of a whole run, written atomically in the background (orbax), and restored to the bit."""

from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ipd_theory._extras import needs

with needs("rl"):
    import orbax.checkpoint as ocp

State = TypeVar("State")


class Checkpoints:
    """The checkpoints of one run: a folder in which only whole ones have a name that `restore` will read.

    Args:
        directory: where they lie.
        keep: how many of the latest to keep.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, cleanup_tmp_directories=True)
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def latest(self) -> int | None:
        """Return the iteration of the latest whole checkpoint, None if there is none."""
        latest: int | None = self._manager.latest_step()
        return latest

    def save(self, iteration: int, state: State) -> None:
        """Begin to save a state and return; one that holds NaN or infinity is not saved.

        Raises:
            FloatingPointError: if the state is not finite.
        """
        # Copies, because the buffers of a state that is trained on are written over meanwhile.
        leaves = [np.array(plain(leaf)) for leaf in jax.tree.leaves(state)]
        if not all(np.isfinite(leaf).all() for leaf in leaves):
            raise FloatingPointError(f"the state after iteration {iteration} is not finite; it was not saved")
        self._manager.save(iteration, args=ocp.args.StandardSave(leaves))

    def restore(self, example: State, iteration: int | None = None) -> State:
        """Return the state saved after an iteration, by default the latest.

        Args:
            example: a state, or `jax.eval_shape` of one, with the same structure, shapes and dtypes.
            iteration: which checkpoint.

        Raises:
            ValueError: if there is no such checkpoint, or its shapes are others.
        """
        iteration = self.latest() if iteration is None else iteration
        if iteration is None or iteration not in self._manager.all_steps():
            raise ValueError(f"iteration {iteration} has no checkpoint; there are {list(self._manager.all_steps())}")
        leaves, structure = jax.tree.flatten(example)
        shapes = [jax.eval_shape(plain, leaf) for leaf in leaves]
        blank = [np.zeros(shape.shape, shape.dtype) for shape in shapes]
        saved = self._manager.restore(iteration, args=ocp.args.StandardRestore(blank))
        restored = [like(leaf, jnp.asarray(x)) for x, leaf in zip(saved, leaves, strict=True)]
        return jax.tree.unflatten(structure, restored)

    def close(self) -> None:
        """Wait until everything is written."""
        self._manager.wait_until_finished()
        self._manager.close()


def plain(leaf: jax.Array) -> jax.Array:
    """Return an array as numbers: a random key's data, anything else itself."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def like(leaf: Any, numbers: jax.Array) -> jax.Array:
    """Undo `plain` for numbers that stand for an array of the leaf's kind."""
    return jax.random.wrap_key_data(numbers) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else numbers
