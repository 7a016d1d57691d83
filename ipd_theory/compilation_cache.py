"""Compiled programs kept on disk, so that the next process reads them instead of compiling them again.

The commands do so; in Python `ipd_theory.compilation_cache.use()` does, and importing the package does not. The folder
is `ipd-theory/compiled` in the user's cache folder, or the one that the variable IPD_THEORY_CACHE names; with
IPD_THEORY_CACHE=off nothing is kept. Whoever has told jax of a folder (JAX_COMPILATION_CACHE_DIR) keeps that.

jax finds a program by its text, its compiler and its options. What it does not look at is here: which processor a
program was compiled for, how much is kept, and what to do about a file whose writing was cut off.
"""

import contextlib
import functools
import glob
import hashlib
import os
import platform
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from ipd_theory._arguments import checked

VARIABLE = "IPD_THEORY_CACHE"
MAX_BYTES = 2**28
_ENTRY = re.compile(r"[\w.<>-]+-[0-9a-f]{64}-cache")
_TROUBLE = re.compile(r"Error (?P<what>reading|writing) persistent compilation cache entry for '(?P<program>[^']*)'")
# Programs here are many and small. jax would by default keep those that take a second.
_SETTINGS = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}


@checked
def use(folder: str | os.PathLike[str] | None = None, *, max_bytes: int = MAX_BYTES) -> Path | None:
    """Keep compiled programs on disk from here on, in this process and in those that it starts.

    Args:
        folder: where; by default as IPD_THEORY_CACHE says, or in the user's cache folder.
        max_bytes: what may be kept from one process to the next: if there is more, those that were not read for longest
            go, down to half of it.

    Returns:
        The folder, which is jax's if it has one; None where nothing is kept: it is switched off, or cannot be written.

    Raises:
        TypeError: if `folder` is no path, or `max_bytes` no whole number.
        ValueError: if `max_bytes` is below 0.
    """
    if max_bytes < 0:
        raise ValueError(f"max_bytes must be 0 or more; got {max_bytes}")
    if told := _folder_of_jax():
        return Path(told)
    chosen = _default_folder() if folder is None else Path(folder).expanduser()
    if chosen is None:
        return None
    mine = chosen.absolute() / _processor()
    try:
        mine.mkdir(mode=0o700, parents=True, exist_ok=True)
        _keep_within(chosen, max_bytes)
    except OSError:
        return None
    if not os.access(mine, os.W_OK | os.X_OK):
        return None
    _tell_jax(mine)
    _mend_what_cannot_be_read(mine)
    return mine


def _default_folder() -> Path | None:
    said = os.environ.get(VARIABLE, "").strip()
    if said:
        return None if said.lower() in ("off", "0", "no", "false") else Path(said).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
    # Where there is no home, `~` stays as it is, which is no place to write to.
    home = Path(os.path.expanduser(base if os.path.isabs(os.path.expanduser(base)) else "~/.cache"))
    return home / "ipd-theory" / "compiled" if home.is_absolute() else None


def _folder_of_jax() -> str:
    if "jax" in sys.modules:
        return sys.modules["jax"].config.jax_compilation_cache_dir or ""
    return os.environ.get("JAX_COMPILATION_CACHE_DIR", "")


def _tell_jax(folder: Path) -> None:
    settings: dict[str, Any] = {"jax_compilation_cache_dir": str(folder)}
    settings |= {name: value for name, value in _SETTINGS.items() if name.upper() not in os.environ}
    for name, value in settings.items():
        os.environ[name.upper()] = str(value)
        if "jax" in sys.modules:
            sys.modules["jax"].config.update(name, value)


def _processor() -> str:
    """Return a name for what programs are compiled for: homes are shared by computers that differ."""
    features = ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256("|".join((platform.machine(), platform.processor(), features)).encode()).hexdigest()[:12]


def _keep_within(folder: Path, max_bytes: int) -> None:
    """Remove the entries that were not read for longest, if all together are too large."""
    found = []
    for path in folder.glob("*/*-cache"):
        with contextlib.suppress(OSError):  # another process has removed it
            if _ENTRY.fullmatch(path.name):
                stat = path.stat()
                found.append((max(stat.st_atime, stat.st_mtime), stat.st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= max_bytes:
        return
    for _, size, path in sorted(found):
        if total <= max_bytes // 2:
            return
        path.unlink(missing_ok=True)
        total -= size


def is_about(warning: Any) -> bool:
    """Return whether a warning of jax's is about a compiled program that it could not read or write."""
    return _TROUBLE.match(str(warning)) is not None


def _mend_what_cannot_be_read(folder: Path) -> None:
    """Remove what was cut off when jax finds it, so that it is written anew; and leave a full disk unsaid."""
    warnings.filterwarnings("always", "Error (reading|writing) persistent compilation cache entry", UserWarning)
    warnings.showwarning = functools.partial(_shown, folder, warnings.showwarning)


def _shown(folder: Path, otherwise: Any, message: Any, *where: Any, **named: Any) -> None:
    trouble = _TROUBLE.match(str(message))
    if trouble is None:
        otherwise(message, *where, **named)
    elif trouble["what"] == "reading":
        for path in folder.glob(f"{glob.escape(trouble['program'])}-*-cache"):
            with contextlib.suppress(OSError):
                path.unlink()
