"""Ready and warm in processes of their own, each does one block of pictures when it is asked.

Taking turns in short blocks is what makes times comparable on a machine whose speed drifts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks import reference, workloads
from benchmarks.contender import Contender, check, cycle, emptied, units
from benchmarks.process import Process
from pipeline.ground.errors import ColorizeError
from pipeline.ground.items import Unit
from pipeline.nets.spec import NetSpec
from pipeline.run.executors.child import ONE_THREAD
from pipeline.run.executors.loky import Loky
from pipeline.run.signals import Stop


class Runner(Protocol):
    """Something that takes turns."""

    def block(self, count: int) -> float:
        """Do `count` pictures (or predictions); return the seconds for each. Raises `ColorizeError` when one fails."""

    def close(self) -> None:
        """End its processes."""


class ReferenceRunner:
    """The tutorial's loop in one process (implements `Runner`).

    Attributes:
        started: seconds from nothing to a loaded net.
    """

    def __init__(self, net: NetSpec, threads: int, pictures: Sequence[Path], output: Path) -> None:
        """Start it; its OpenCV may use `threads` threads, its outputs go into the new folder `output`."""
        output.mkdir()
        self._process = Process(reference.loop, net.path, net.input_size, threads)
        self._pictures, self._output = pictures, output
        self.started = self._process.started

    def block(self, count: int) -> float:
        """See `Runner.block`."""
        seconds: list[float] = self._process.ask(
            [(source, self._output / source.name) for source in cycle(self._pictures, count)]
        )
        return sum(seconds) / len(seconds)

    def close(self) -> None:
        """See `Runner.close`."""
        self._process.close()


class NetRunner:
    """A contender's net alone, in as many processes as it has workers (implements `Runner`)."""

    def __init__(self, contender: Contender) -> None:
        """Start them."""
        jobs = range(contender.jobs)
        self._processes = [
            Process(workloads.net_alone, contender.net, contender.engine, environment=ONE_THREAD) for _ in jobs
        ]

    def block(self, count: int) -> float:
        """See `Runner.block`; every process does its share of the predictions."""
        share = max(1, count // len(self._processes))
        began = time.perf_counter()
        for process in self._processes:
            process.send(share)
        for process in self._processes:
            process.receive()
        return (time.perf_counter() - began) / (share * len(self._processes))

    def close(self) -> None:
        """See `Runner.close`."""
        for process in self._processes:
            process.close()


class PipelineRunner:
    """A contender in the worker processes of a real run, which are given block after block (implements `Runner`)."""

    def __init__(self, contender: Contender, pictures: Sequence[Path], output: Path) -> None:
        """Take a contender; the workers start with the first block."""
        self._pictures, self._job = pictures, contender.job(output)
        self._waiting: deque[Unit] = deque()
        executor = Loky(self._job, contender.jobs, on_crash=_died)
        self._answers = executor.answers(self._take, Stop())

    def block(self, count: int) -> float:
        """See `Runner.block`; from the first unit to the last answer."""
        emptied(self._job)
        self._waiting.extend(units(self._pictures, count))
        began = time.perf_counter()
        # The executor would end where it is asked for an answer when nothing is left; until the next block it is not.
        for _ in range(count):
            _, answer = next(self._answers)
            check(answer)
        return (time.perf_counter() - began) / count

    def close(self) -> None:
        """See `Runner.close`."""
        self._answers.close()

    def _take(self) -> Unit | None:
        return self._waiting.popleft() if self._waiting else None


def _died(_suspects: int) -> None:
    raise ColorizeError("A worker of the measurement died (out of memory?).")
