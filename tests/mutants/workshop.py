"""A copy of the tree in which one formula after another is broken, tested and mended.

What takes longest to load is loaded once: every run of the tests is a fork of this process, which goes to the copy and
leaves behind what it knows of the original.
"""

import enum
import hashlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

from tests.mutants import Mutant

COPIED = ("ipd_theory", "paper_figures", "tests", "pyproject.toml", "README.md", "LICENSE")
OURS = ("ipd_theory", "paper_figures", "tests")
LOADED_ONCE = ("pytest", "hypothesis", "jax.numpy", "equinox", "optax", "optimistix", "nashpy", "sympy", "beartype")
PASSED, FAILED, NOTHING_SELECTED = 0, 1, 5  # pytest's exit statuses


class Verdict(enum.StrEnum):
    """What became of a mutant."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    TOO_LONG = "too long"
    ERROR = "error"  # the tests fail without the mutant, or cannot be run


@dataclass(frozen=True)
class Workshop:
    """A copy of a repository in which modules may be broken.

    Args:
        origin: the root of the repository.
        copy: the root of the copy.
        limit: seconds that the tests of one mutant may take.
    """

    origin: Path
    copy: Path
    limit: float

    def furnish(self) -> None:
        """Copy what git knows of the package and its tests, changes that are not committed included; load the rest."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *COPIED]
        listed = subprocess.run(command, cwd=self.origin, capture_output=True, check=True, text=True).stdout
        for name in listed.rstrip("\0").split("\0"):
            if (self.origin / name).is_file():
                (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.origin / name, self.copy / name)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(self.copy / ".jax"))  # what is not broken compiles once
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        for name in LOADED_ONCE:
            importlib.import_module(name)

    def run_tests(self, file: str, only: str) -> tuple[Verdict, str]:
        """Run tests in the copy as it stands; caught means that one failed. With it, the last line of the output."""
        flags = ["-q", "-x", "--tb=line", "--no-header", "-p", "no:cacheprovider", "-m", "not slow"]
        flags += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is loaded already
        log = self.copy / "output"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jax is loaded, but has started no threads
            child = os.fork()
        if child == 0:
            self._be_pytest([*flags, f"tests/{file}", *(["-k", only] if only else [])], log)
        status = _awaited(child, self.limit)
        last = (log.read_text().strip() or "no output").splitlines()[-1].strip("= ")
        if status is None:
            return Verdict.TOO_LONG, f"more than {self.limit:g} s"
        if status == PASSED:
            return Verdict.SURVIVED, last
        if status == FAILED:
            return Verdict.CAUGHT, last
        return Verdict.ERROR, "no such test" if status == NOTHING_SELECTED else last

    def _be_pytest(self, arguments: list[str], log: Path) -> None:
        """Become pytest in the copy; does not return."""
        status = 3
        try:
            os.setsid()
            os.chdir(self.copy)
            os.environ["PYTHONPATH"] = str(self.copy)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
                del sys.modules[name]
            sys.path[:] = [str(self.copy), *(path for path in sys.path if path not in ("", str(self.origin)))]
            status = int(importlib.import_module("pytest").main(arguments))
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def try_out(self, mutant: Mutant) -> tuple[Verdict, str]:
        """Break the mutant's formula, run its tests, and mend it."""
        path = self.copy / mutant.file
        right = path.read_text()
        try:
            _write(path, mutant.broken(right))
            verdict, line = self.run_tests(mutant.tests, mutant.only)
        finally:
            _write(path, right)
        return (Verdict.CAUGHT, line) if verdict == Verdict.TOO_LONG and mutant.never_ends else (verdict, line)

    def fingerprint(self, mutant: Mutant) -> str:
        """Return a digest of all that the verdict depends on most: the mutant, its module and its tests."""
        texts = ((self.copy / file).read_text() for file in (mutant.file, f"tests/{mutant.tests}"))
        return hashlib.sha256("\0".join((repr(mutant), *texts)).encode()).hexdigest()[:16]


def _awaited(child: int, limit: float) -> int | None:
    """Return a child's exit status, or end it and return None if it takes longer than the limit."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*"):  # of the same second and size, perhaps
        stale.unlink()
