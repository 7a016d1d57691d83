"""How a command ends: one line on standard error where something is wrong, and an exit status that says what.

0    done
1    the work failed: a claim does not hold, training diverged, the disk or the memory is full
2    the command line asks for something that cannot be
130  interrupted by Ctrl-C
141  whoever read the output has closed it; nothing is said, as is the custom
143  ended by SIGTERM, as clusters send it

Errors that no input explains are bugs and keep their traceback; `python -X dev -m ipd_theory …` shows it for all.
"""

import contextlib
import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

from ipd_theory._extras import MissingExtraError
from ipd_theory.rl.interruption import RAISED, Terminated

NOTHING_KEPT = "interrupted; nothing was kept"
USUAL: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
FULL = {"the disk is full": (errno.ENOSPC,), "a limit on disk space is reached": (errno.EDQUOT, errno.EFBIG)}
TOLD = (ValueError, ArithmeticError, OSError, MemoryError, MissingExtraError, RuntimeError, AssertionError)


def ended(work: Callable[[], None]) -> None:
    """Do the work; whatever way it ends is told in one line, and leaves with the status of the table above."""
    with _interrupts_that_crash_no_import(), _interrupts_that_cannot_be_lost():
        status = _status(work)
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries once more, and complains
        status = _told(error)
    if status:
        sys.exit(status)


def say_error(words: str) -> None:
    """Print `words` as an error, on one line, as they are: nothing in them is markup."""
    mark = "\033[1;31merror:\033[0m" if sys.stderr.isatty() and "NO_COLOR" not in os.environ else "error:"
    print(mark, " ".join(words.split("\n")), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _interrupts_that_crash_no_import() -> Iterator[None]:
    """Leave at once where an interrupt comes during an import: compiled modules that are half loaded crash on it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
                os.write(2, b"interrupted\n")
                os._exit(128 + number)
            frame = frame.f_back
        raise RAISED[signal.Signals(number)]

    main = threading.current_thread() is threading.main_thread()
    ours = [number for number, usual in USUAL.items() if main and signal.getsignal(number) is usual]
    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, USUAL[number])


@contextlib.contextmanager
def _interrupts_that_cannot_be_lost() -> Iterator[None]:
    """Send an interrupt again that came where exceptions are ignored, as when jax helps to collect garbage."""
    usual = sys.unraisablehook

    def hook(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            number = signal.SIGTERM if issubclass(ignored.exc_type, Terminated) else signal.SIGINT
            threading.Timer(0.02, os.kill, (os.getpid(), number)).start()
        else:
            usual(ignored)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = usual


def _status(work: Callable[[], None]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt as stop:
        _interrupted(str(stop) or "interrupted", 143 if isinstance(stop, Terminated) else 130)
    except TOLD as error:
        return _told(error)
    return 0


def _interrupted(words: str, status: int) -> NoReturn:
    """Leave at once: threads that still compile or compute would be torn down with the interpreter, and crash it."""
    for number in RAISED:
        signal.signal(number, signal.SIG_IGN)
    print(words, file=sys.stderr, flush=True)
    if "jax" not in sys.modules:
        sys.exit(status)
    try:
        sys.stdout.flush()
    finally:
        os._exit(status)


def _told(error: Exception) -> int:
    words, status = _explained(error)
    if words:
        say_error(words)
    return status


def _explained(error: Exception) -> tuple[str, int]:
    """Return the words and the exit status for an error, or raise it again."""
    if sys.flags.dev_mode:
        raise error
    for words, kinds in FULL.items():
        for cause in _causes(error):
            if any(os.strerror(kind) in str(cause) for kind in kinds):
                return f"{words}: {_about(cause)}", 1
    match error:
        case BrokenPipeError():
            return "", 141
        case OSError():
            return _about(error), 1 if error.errno == errno.EIO else 2
        case MemoryError():
            return f"out of memory: {error}", 1
        case FloatingPointError():
            return str(error), 1
        case OverflowError():
            return f"a number is too large: {error}", 2
        case ValueError() | MissingExtraError():
            return str(error), 2
    return _explained_by_jax(error)


def _explained_by_jax(error: Exception) -> tuple[str, int]:
    text = str(error)
    if os.environ.get("JAX_PLATFORMS") and not _has_device():
        return f"JAX_PLATFORMS={os.environ['JAX_PLATFORMS']} names no device of this machine; without it jax chooses", 2
    if type(error).__name__ == "JaxRuntimeError":
        if stopped := re.search(r"^([\w.]*Terminated|KeyboardInterrupt)", text, re.MULTILINE):
            _interrupted(NOTHING_KEPT, 130 if stopped[1] == "KeyboardInterrupt" else 143)
        checks = re.findall(r"^ValueError: (.*)", text, re.MULTILINE)
        if checks:  # a check inside a compiled function
            return checks[-1], 2
        if "RESOURCE_EXHAUSTED" in text:
            return f"out of memory: {text}", 1
    raise error


def _has_device() -> bool:
    try:
        return "jax" not in sys.modules or bool(sys.modules["jax"].devices())
    except (RuntimeError, AssertionError):  # jax asserts where a plugin is missing
        return False


def _causes(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_causes(error.__cause__ or error.__context__)]


def _about(error: BaseException) -> str:
    """Name the file that an error of the operating system is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
