"""Files that are written whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name in the same folder, with the same ending, to write to; the file gets its own name afterwards.

    A kill, a full disk or another process that reads meets no half of it, and what stood there before stays.

    Raises:
        OSError: naming the file, if it cannot be written.
    """
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno is not None:
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        partial.unlink(missing_ok=True)
