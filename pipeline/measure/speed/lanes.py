"""The competitors, each ready and waiting in processes of its own: a lane does one block of pictures when it is asked.

Taking turns in short blocks, with everything started and warm, is what makes their times comparable on a machine
whose speed drifts.
"""

from __future__ import annotations

import itertools
import multiprocessing
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import ColorizeError
from pipeline.measure.speed import station
from pipeline.run import crew
from pipeline.run.signals import Stop
from pipeline.work import Job, Task

# A block that takes longer has lost its worker.
_TIME_LIMIT = 600.0


class Station:
    """A process that does one thing, see `station`; `started` is how long it took to get ready, in seconds."""

    def __init__(self, make: Callable[..., station.Work], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=station.serve, args=(theirs, make, arguments), daemon=True)
        began = time.perf_counter()
        self._process.start()
        theirs.close()
        self._receive()
        self.started = time.perf_counter() - began

    def ask(self, question: Any) -> Any:
        """Have one question answered; raises `ColorizeError` when the process fails."""
        self.send(question)
        return self.receive()

    def send(self, question: Any) -> None:
        """Ask without waiting."""
        self._ours.send(question)

    def receive(self) -> Any:
        """Wait for the answer."""
        return self._receive()

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._ours.send(None)
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()  # a worker ignores the gentler signals
        self._ours.close()

    def _receive(self) -> Any:
        try:
            if not self._ours.poll(_TIME_LIMIT):
                raise ColorizeError("A process of the measurement does not answer.")
            kind, value = self._ours.recv()
        except EOFError:
            raise ColorizeError("A process of the measurement died (out of memory?).") from None
        if kind == "fault":
            raise ColorizeError(f"A process of the measurement failed: {value}.")
        return value


class ReferenceLane:
    """The tutorial's loop in one process whose OpenCV may use `threads` threads."""

    def __init__(self, net_path: Path, size: int, threads: int, folder: Path) -> None:
        self._station = Station(station.reference, net_path, size, threads)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def started(self) -> float:
        """Seconds from nothing to a loaded net."""
        return self._station.started

    def block(self, sources: Sequence[Path]) -> float:
        """Colorize the pictures; return seconds a picture."""
        pairs = [(source, self._folder / source.name) for source in sources]
        seconds: list[float] = self._station.ask(pairs)
        return sum(seconds) / len(seconds)

    def close(self) -> None:
        """End the process."""
        self._station.close()


class BareLane:
    """A net alone, in `jobs` processes at once."""

    def __init__(self, job: Job, jobs: int) -> None:
        settings = job.settings
        self._stations = [Station(station.bare, job.net, settings.engine, settings.precision) for _ in range(jobs)]

    def block(self, count: int) -> float:
        """Predict `count` times in every process; return seconds a prediction over all of them."""
        began = time.perf_counter()
        for each in self._stations:
            each.send(count)
        for each in self._stations:
            each.receive()
        return (time.perf_counter() - began) / (count * len(self._stations))

    def close(self) -> None:
        """End the processes."""
        for each in self._stations:
            each.close()


class PipelineLane:
    """Workers of a real run: `crew.loky` with `jobs` processes, fed block by block from a thread."""

    def __init__(self, job: Job, jobs: int, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._blocks: queue.Queue[list[Task] | None] = queue.Queue()
        self._seconds: queue.Queue[float | None] = queue.Queue()
        self._fault = ""
        self._waiting: list[Task] = []
        self._out = 0  # tasks handed out whose outcome has not come back
        self._began = 0.0
        self._thread = threading.Thread(target=self._run, args=(job, jobs), daemon=True)
        self._thread.start()

    def block(self, sources: Sequence[Path]) -> float:
        """Colorize the pictures; return seconds a picture, from the first task to the last outcome."""
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        outputs = [self._folder / f"{number}.jpg" for number in range(len(sources))]
        self._blocks.put([Task(o.name, s, o, o) for s, o in zip(sources, outputs, strict=True)])
        try:
            seconds = self._seconds.get(timeout=_TIME_LIMIT)
        except queue.Empty:
            seconds, self._fault = None, "it does not answer"
        if seconds is None or self._fault:
            raise ColorizeError(f"A worker of the measurement failed: {self._fault or 'it ended'}.")
        return seconds / len(sources)

    def close(self) -> None:
        """Let the workers go."""
        self._blocks.put(None)
        self._thread.join(timeout=60)

    def _run(self, job: Job, jobs: int) -> None:
        try:
            for outcome in crew.loky(self, job, Stop(), jobs=jobs):
                self._out -= 1
                if outcome.status != "done":
                    self._fault = str(outcome.halt or outcome.reason or outcome.status)
        except Exception as error:
            self._fault = f"{type(error).__name__}: {error}"
        self._seconds.put(None)

    def __iter__(self) -> Iterator[Task]:
        """Return this lane: the crew asks it for tasks."""
        return self

    def __next__(self) -> Task:
        """Return the next task; end for the moment while outcomes are awaited, and wait for a block when all came."""
        if not self._waiting and not self._out:
            if self._began:
                self._seconds.put(time.perf_counter() - self._began)
            block = self._blocks.get()
            if block is None:
                raise StopIteration
            self._waiting, self._began = block[::-1], time.perf_counter()
        if not self._waiting:
            raise StopIteration  # the crew asks again after each outcome, as long as it awaits one
        self._out += 1
        return self._waiting.pop()


def cycle(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` paths, going round and round."""
    return list(itertools.islice(itertools.cycle(paths), count))
