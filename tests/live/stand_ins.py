"""Sources and calls that the tests of live pictures share."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import ENTRY, environment, landscape

ENGINE = ("--engine", "opencv", "--precision", "float32")


class Pictures:
    """A source of made pictures; `rate` frames a second as they come, or timed like a film's."""

    name = "made"

    def __init__(self, count: int, *, rate: float = 0, timed: bool = False, error: Exception | None = None) -> None:
        self._count, self._rate, self._timed, self._error = count, rate, timed, error

    def pictures(self) -> Iterator[tuple[float | None, np.ndarray]]:
        wide = landscape(3, 48, 160)
        for number in range(self._count):
            if self._rate and not self._timed:
                time.sleep(1 / self._rate)
            grey = wide[:, number % 80 :][:, :64]
            yield (number / self._rate if self._timed else None), np.dstack([grey] * 3)
        if self._error:
            raise self._error


def get(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Ask a server as a program would that sends what it likes; returns status, body and headers."""
    port = int(address.rstrip("/").split(":")[2].partition("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers={"Host": f"127.0.0.1:{port}"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def frame_of(address: str, after: int | None = None) -> dict[str, Any]:
    """Ask for a frame that is newer than `after`."""
    status, body, _ = get(address, "/frame" if after is None else f"/frame?after={after}")
    assert status == 200, body
    return json.loads(body)


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something holds, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


class Called:
    """`colorize live` in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def address(self) -> str:
        """Wait for the page's address."""

        def found() -> re.Match[str] | None:
            assert self.process.poll() is None or "Live at" in self.said, self.said
            return re.search(r"Live at (\S+)", self.said)

        return until(found)[1]


@contextmanager
def called(folder: Path, cache: Path, arguments: Sequence[object], stdin: int | None = None) -> Iterator[Called]:
    """Call `colorize live` on a free port; it is ended after the block."""
    log = folder / "said.txt"
    words = [*ENTRY, "live", *map(str, arguments), "--port", "0", *ENGINE]
    with log.open("wb") as file:
        process = subprocess.Popen(
            words,
            env=environment(XDG_CACHE_HOME=str(cache)),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stderr=file,
            # A terminal of its own: only a program in its foreground hears keys.
            preexec_fn=None if stdin is None else lambda: _take_terminal(stdin),
            start_new_session=stdin is not None,
        )
    try:
        yield Called(process, log)
    finally:
        process.kill()
        process.wait()


def _take_terminal(number: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(number, termios.TIOCSCTTY, 0)
    assert os.tcgetpgrp(number) == os.getpgrp()
