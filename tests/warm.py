"""The command line in processes of their own that do not begin cold: forks of one that has imported the program.

What Python or the system's loader reads as a process begins is the same for all of them. Where a test is about that,
or about the beginning itself, or sends signals, it starts `conftest.ENTRY`.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_AT_THE_START = ("LC_", "LANG", "PYTHON", "LD_", "MALLOC_")


class Program:
    """The command line; where forks are safe, from a process that has begun before."""

    def __init__(self, entry: Sequence[str], line: socket.socket | None, environment: Mapping[str, str]) -> None:
        self._entry, self._line, self._environment = entry, line, environment

    def call(
        self, words: Sequence[object], *, env: Mapping[str, str], cwd: Path | None = None, given: bytes = b"",
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
        """Call `colorize` with these words; raises TimeoutExpired."""
        call = [*self._entry, *map(str, words)]
        changed = dict(env.items() ^ self._environment.items())
        if self._line is None or any(name.startswith(_AT_THE_START) for name in changed):
            return subprocess.run(
                call, env=env, cwd=cwd, input=given, capture_output=True, timeout=timeout, check=False
            )
        (stdin, write), (out, stdout), (err, stderr), (answer, told) = [os.pipe() for _ in range(4)]
        order = json.dumps(
            {"words": call[len(self._entry) :], "env": dict(env), "cwd": str(cwd or Path.cwd())}
        ).encode()
        socket.send_fds(self._line, [len(order).to_bytes(4, "big")], [stdin, stdout, stderr, told])
        self._line.sendall(order)
        for each in (stdin, stdout, stderr, told):
            os.close(each)
        with os.fdopen(answer) as answers:
            process = int(answers.readline())
            try:
                printed, errors = _communicated(write, given, (out, err), timeout)
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(call, timeout) from None
            return subprocess.CompletedProcess(call, int(answers.readline()), printed, errors)


def as_text(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    """Decode what was said, as `text=True` does."""
    printed, errors = (io.TextIOWrapper(io.BytesIO(each)).read() for each in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, printed, errors)


def _communicated(write: int, given: bytes, read: Sequence[int], timeout: float) -> list[bytes]:
    """Write what is given, read both streams to their ends, and close all."""
    found, until = {number: bytearray() for number in read}, time.monotonic() + timeout
    os.set_blocking(write, False)
    with selectors.DefaultSelector() as selector:
        selector.register(write, selectors.EVENT_WRITE)
        for number in read:
            selector.register(number, selectors.EVENT_READ)
        try:
            while selector.get_map():
                ready = selector.select(until - time.monotonic())
                if not ready:
                    raise TimeoutError
                for number in (key.fd for key, _ in ready):
                    if number == write:
                        try:
                            given = given[os.write(write, given[:65_536]) :] if given else b""
                        except BrokenPipeError:
                            given = b""
                        over = not given
                    else:
                        data = os.read(number, 65_536)
                        found[number] += data
                        over = not data
                    if over:
                        selector.unregister(number)
                        os.close(number)
        finally:
            for key in list(selector.get_map().values()):
                os.close(key.fd)
    return [bytes(found[number]) for number in read]


@contextmanager
def program(entry: Sequence[str], environment: Mapping[str, str], checkout: Path) -> Iterator[Program]:
    """Begin the process from which calls are made; on macOS a fork of one that has loaded frameworks is not safe."""
    if sys.platform != "linux":
        yield Program(entry, None, environment)
        return
    ours, its = socket.socketpair()
    with ours:
        with its:
            process = subprocess.Popen(
                [sys.executable, "-c", f"from tests.warm import serve; serve({its.fileno()})"],
                env=dict(environment), cwd=checkout, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        yield Program(entry, ours, environment)
    process.wait(60)


def serve(number: int) -> None:
    """Import the program, and be forked for each call until the line is closed."""
    from pipeline.cli.main import COMMANDS

    for name in ("pipeline.run.driver", "pipeline.run.single", *(f"pipeline.cli.{each}" for each in COMMANDS)):
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=number) as line:
        while True:
            head, files, *_ = socket.recv_fds(line, 4, 4)
            if not head:
                return
            order = b""
            while len(order) < int.from_bytes(head, "big"):
                order += line.recv(65_536)
            if not os.fork():
                break
            for each in files:
                os.close(each)
            while _reaped():
                pass
    _answer(json.loads(order), files)


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


def _answer(order: dict[str, object], files: Sequence[int]) -> None:
    """Tell who does the call, and how it ended; returns in neither."""
    *streams, told = files
    process = os.fork()
    if not process:
        os.close(told)
        _be_called(order, streams)
    for each in streams:
        os.close(each)
    os.write(told, f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _be_called(order: dict[str, object], streams: Sequence[int]) -> None:
    for place, each in enumerate(streams):
        os.dup2(each, place)
        os.close(each)
    os.chdir(str(order["cwd"]))
    os.environ.clear()
    os.environ.update(order["env"])  # type: ignore[arg-type]
    sys.argv = ["-c", *order["words"]]  # type: ignore[misc]
    from pipeline.cli.main import main

    main()
