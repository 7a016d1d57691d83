"""What every command shares: results on standard output, messages and progress on standard error."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

messages = Console(stderr=True, highlight=False)
results = Console(highlight=False)


def print_json(data: Any) -> None:
    """Print plain data (numpy and jax arrays become lists) as JSON on standard output."""
    json.dump(data, sys.stdout, indent=2, default=lambda x: x.tolist() if hasattr(x, "tolist") else str(x))
    sys.stdout.write("\n")


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Show a bar with the time left while the block runs; the block reports the fraction done, 0 to 1."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task(description, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)


@contextlib.contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """Send to standard error what libraries in other languages write on standard output while the block runs."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
