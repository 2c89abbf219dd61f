"""A process of its own for one workload: asked over a pipe, timed inside or out."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any

from pipeline.ground.errors import ColorizeError

# What a process does with each question; made in it, see `workloads`.
Work = Callable[[Any], Any]

# A question that takes longer has lost its process.
_TIME_LIMIT = 600.0


class Process:
    """A process that is ready and waiting.

    Attributes:
        started: how long it took to get ready, in seconds.
    """

    def __init__(
        self, make: Callable[..., Work], *arguments: Any, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Start the process and let it make its work.

        Args:
            make: a function of a module, called in the process; what it returns answers the questions.
            arguments: for `make`; both are pickled.
            environment: variables that the process has beside this one's.

        Raises:
            ColorizeError: it fails or dies.
        """
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        began = time.perf_counter()
        with _variables(environment):
            self._process.start()
        theirs.close()
        try:
            self.receive()
        except ColorizeError:
            self.close()
            raise
        self.started = time.perf_counter() - began

    def ask(self, question: Any) -> Any:
        """Have one question answered; raises `ColorizeError` when the process fails."""
        self.send(question)
        return self.receive()

    def send(self, question: Any) -> None:
        """Ask without waiting."""
        with suppress(BrokenPipeError):  # `receive` says that it died
            self._ours.send(question)

    def receive(self) -> Any:
        """Wait for the answer; raises `ColorizeError` when the process fails."""
        try:
            if not self._ours.poll(_TIME_LIMIT):
                raise ColorizeError("A process of the measurement does not answer.")
            kind, value = self._ours.recv()
        except (EOFError, ConnectionResetError):
            raise ColorizeError("A process of the measurement died (out of memory?).") from None
        if kind == "fault":
            raise ColorizeError(f"A process of the measurement failed: {value}.")
        return value

    def close(self) -> None:
        """End the process."""
        self._ours.close()  # which it takes for the end of the questions
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()


@contextmanager
def _variables(added: Mapping[str, str]) -> Iterator[None]:
    """Add to this process's environment, which a new one inherits, for the length of a block."""
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


def _serve(connection: Connection, make: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
    """Make the work and say so, then answer what is asked until the other end is closed."""
    try:
        work = make(*arguments)
        connection.send(("ready", None))
        while True:
            connection.send(("answer", work(connection.recv())))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
    except Exception as error:
        connection.send(("fault", f"{type(error).__name__}: {error}"))
