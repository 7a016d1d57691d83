"""Being asked to stop: by Ctrl-C, or by SIGTERM, which clusters send some time before they end a process."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


RAISED: dict[signal.Signals, type[KeyboardInterrupt]] = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


class Interruption:
    """Whether the process was asked to stop, and the exception that says by what."""

    asked = False
    kind: type[KeyboardInterrupt] = KeyboardInterrupt


@contextlib.contextmanager
def heeded() -> Iterator[Interruption]:
    """Give an `Interruption` that the first signal sets while the block runs; a second one raises it.

    Signals reach a program's main thread alone; in others, and where they were to be ignored, nothing changes.
    """
    interruption = Interruption()

    def ask(number: int, frame: FrameType | None) -> None:
        interruption.kind = RAISED[signal.Signals(number)]
        if interruption.asked:
            raise interruption.kind
        interruption.asked = True

    main = threading.current_thread() is threading.main_thread()
    left_alone = (signal.SIG_IGN, None)
    numbers = [n for n in RAISED if main and signal.getsignal(n) not in left_alone]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
