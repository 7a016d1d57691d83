"""Where a run or a search stopped: its newest checkpoint that is whole, that its metrics reach, and that is its own."""

import warnings
from pathlib import Path
from typing import TypeVar

from ipd_theory.rl.checkpoint import Checkpoints, Settings
from ipd_theory.rl.run_folder import CHECKPOINTS, METRICS, decisive, differences

State = TypeVar("State")


def where_it_stopped(directory: Path, blank: State, settings: Settings, recorded: int) -> tuple[int, State] | None:
    """Return the iteration and the state to go on from; None if nothing was saved yet.

    Args:
        directory: the folder.
        blank: a state, or `jax.eval_shape` of one, with the same structure, shapes and dtypes.
        settings: of the run that is to go on.
        recorded: the last iteration of its metrics.

    Raises:
        ValueError: if there are checkpoints, but none that is whole and that the metrics reach, or it is another run's.
    """
    checkpoints = Checkpoints(directory / CHECKPOINTS)
    there = checkpoints.iterations()
    if there and recorded < there[-1]:
        missing = f"{directory / METRICS} ends at iteration {recorded}, before the checkpoint of iteration {there[-1]}"
        if recorded < there[0]:
            raise ValueError(f"{missing}: lines of it are missing, and there is no earlier checkpoint to go on from")
        warnings.warn(f"{missing}: lines of it are missing, and an earlier checkpoint is used", stacklevel=3)
    try:
        found = checkpoints.newest(blank, recorded)
    finally:
        checkpoints.close()
    if found is None:
        return None
    iteration, state, belongs_to = found
    hold_checkpoint(directory, iteration, belongs_to, settings)
    return iteration, state


def hold_checkpoint(directory: Path, iteration: int, belongs_to: Settings, settings: Settings) -> None:
    """Hold the settings that a checkpoint belongs to against those of the folder; one of version 0.1 does not know any.

    Raises:
        ValueError: if they differ.
    """
    differing = differences(belongs_to, decisive(settings))
    if differing:
        place = directory / CHECKPOINTS / str(iteration)
        raise ValueError(f"checkpoint {place} belongs to a run with other settings than its folder: {differing}")
