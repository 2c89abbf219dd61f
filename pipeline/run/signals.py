"""SIGINT, SIGTERM, SIGHUP: the first asks for a stop in good order, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from pipeline.ground.errors import ExitCode


@dataclass(slots=True)
class Stop:
    """Whether, and by what, the run was asked to stop.

    Attributes:
        code: the exit code of the signal, or None while the run may go on.
        at_once: a second signal came: do not wait for what is in flight.
    """

    code: ExitCode | None = None
    at_once: bool = False

    @property
    def requested(self) -> bool:
        """Whether no further item may be begun."""
        return self.code is not None


@contextmanager
def stop_on_signals(announce: Callable[[str], None]) -> Iterator[Stop]:
    """Turn SIGINT, SIGTERM and SIGHUP (the terminal was closed) into a `Stop` for the length of the block.

    Args:
        announce: told, in a sentence, what the signal will do.
    """
    stop = Stop()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            stop.at_once = True
            return
        stop.code = ExitCode.SIGINT if number == signal.SIGINT else ExitCode.SIGTERM
        announce("Stopping: finishing the pictures in flight. The same signal again stops at once.")

    if threading.current_thread() is not threading.main_thread():
        yield stop  # signal handlers can be set in the main thread only; a caller in another one stops by itself
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
