"""Checkpoints of a whole run, written atomically in the background (orbax), and restored to the bit."""

import contextlib
import errno
import logging
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ipd_theory._extras import needs

with needs("rl"):
    import orbax.checkpoint as ocp

State = TypeVar("State")
Settings = dict[str, Any]


class BrokenCheckpointError(ValueError):
    """A checkpoint that cannot be read, or holds something else."""


class Checkpoints:
    """The checkpoints of one run, each with the settings that it belongs to; only whole ones have a number as name.

    Args:
        directory: where they lie; made if they are to be written.
        keep: how many of the latest to keep; None for reading only, which changes nothing.
    """

    def __init__(self, directory: Path, keep: int | None = None) -> None:
        self._directory = directory.absolute()
        self._manager: Any = None
        self._quiet = contextlib.ExitStack()
        if keep is not None or directory.is_dir():
            reading = {"read_only": True, "create": False, "save_interval_steps": 0}
            writing = {"max_to_keep": keep, "cleanup_tmp_directories": True}
            options = ocp.CheckpointManagerOptions(**(reading if keep is None else writing))
            self._quiet.enter_context(_quiet())
            self._manager = ocp.CheckpointManager(
                self._directory, options=options, item_handlers=ocp.StandardCheckpointHandler()
            )

    def iterations(self) -> list[int]:
        """Return after which iterations there are checkpoints, the latest last."""
        return _numbered(self._directory)

    def save(self, iteration: int, state: State, settings: Settings) -> None:
        """Begin to save a state and return; one that holds NaN or infinity is not saved.

        Args:
            iteration: after which the state is.
            state: what to save.
            settings: JSON data that says whose state it is.

        Raises:
            FloatingPointError: if the state is not finite.
            OSError: if the disk is too full for it.
        """
        # Copies, because the buffers of a state that is trained on are written over meanwhile.
        leaves = [np.array(plain(leaf)) for leaf in jax.tree.leaves(state)]
        if not all(np.isfinite(leaf).all() for leaf in leaves):
            raise FloatingPointError(f"the state after iteration {iteration} is not finite; it was not saved")
        room = 2 * sum(leaf.nbytes for leaf in leaves) + 2**16  # orbax writes everything twice, and some more
        if shutil.disk_usage(self._directory).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._directory / str(iteration)))
        self._manager.save(iteration, args=ocp.args.StandardSave(leaves), custom_metadata=settings)

    def restore(self, example: State, iteration: int) -> tuple[State, Settings]:
        """Return the state saved after an iteration, and the settings that it belongs to ({} if it knows none).

        Args:
            example: a state, or `jax.eval_shape` of one, with the same structure, shapes and dtypes.
            iteration: which checkpoint.

        Raises:
            BrokenCheckpointError: if it cannot be read, or its shapes are others.
        """
        leaves, structure = jax.tree.flatten(example)
        shapes = [jax.eval_shape(plain, leaf) for leaf in leaves]
        blank = [np.zeros(shape.shape, shape.dtype) for shape in shapes]
        place = self._directory / str(iteration)
        try:
            settings: Settings = dict(self._manager.metadata(iteration).custom_metadata or {})
            saved = self._manager.restore(iteration, args=ocp.args.StandardRestore(blank))
        except Exception as error:  # whatever the reader of a broken file meets
            raise BrokenCheckpointError(f"checkpoint {place} cannot be read: {_first_line(error)}") from error
        if [x.shape for x in saved] != [x.shape for x in blank]:
            raise BrokenCheckpointError(f"checkpoint {place} holds arrays of other shapes than the settings ask for")
        restored = [like(leaf, jnp.asarray(x)) for x, leaf in zip(saved, leaves, strict=True)]
        return jax.tree.unflatten(structure, restored), settings

    def newest(self, example: State, up_to: int | None = None) -> tuple[int, State, Settings] | None:
        """Return the newest checkpoint that can be read, as `restore`; a warning names each that is passed over.

        Args:
            example: as for `restore`.
            up_to: the last iteration of interest, if there is one.

        Returns:
            The iteration, the state and its settings; None if there is no checkpoint.

        Raises:
            BrokenCheckpointError: if there are some and none can be read.
        """
        error = None
        for iteration in reversed([i for i in self.iterations() if up_to is None or i <= up_to]):
            if error is not None:
                warnings.warn(f"{error}; the one of iteration {iteration} is used", stacklevel=2)
            try:
                return iteration, *self.restore(example, iteration)
            except BrokenCheckpointError as broken:
                error = broken
        if error is not None:
            raise error
        return None

    def wait(self) -> None:
        """Wait until what was begun is written."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait until everything is written, and let go of it."""
        with self._quiet:
            if self._manager is not None:
                self._manager.close()


def drop_after(directory: Path, iteration: int) -> None:
    """Delete the checkpoints in a folder that come after an iteration: they are to be written anew."""
    for later in _numbered(directory):
        if later > iteration:
            shutil.rmtree(directory / str(later), ignore_errors=True)


def _numbered(directory: Path) -> list[int]:
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep orbax from telling what it raises here anyway."""
    logger, usual = logging.getLogger("absl"), sys.unraisablehook
    level = logger.level

    def hook(ignored: "sys.UnraisableHookArgs") -> None:
        if "Event loop is closed" not in str(ignored.exc_value):  # reads and writes that end after one has failed
            usual(ignored)

    logger.setLevel(logging.CRITICAL)
    sys.unraisablehook = hook
    try:
        with silent_threads("orbax"):
            yield
    finally:
        logger.setLevel(level)
        sys.unraisablehook = usual


@contextlib.contextmanager
def silent_threads(package: str) -> Iterator[None]:
    """Let threads of a package end by an error without a traceback; the main thread learns of it otherwise."""
    usual = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not type(args.thread).__module__.startswith(package):
            usual(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = usual


def _first_line(error: Exception) -> str:
    return str(error).strip("'\" \n").split("\n")[0] or type(error).__name__


def plain(leaf: jax.Array) -> jax.Array:
    """Return an array as numbers: a random key's data, anything else itself."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def like(leaf: Any, numbers: jax.Array) -> jax.Array:
    """Undo `plain` for numbers that stand for an array of the leaf's kind."""
    return jax.random.wrap_key_data(numbers) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else numbers
