"""Where does the driver become the limit? A run over a cluster that only sleeps: `python -m benchmarks.sleepers`.

Everything is the program's own but the engine and the pictures: the plan, the schedule, the leases, the journal and the
manifest are real. How many units Dask's scheduler passes on is measured beside it, with real workers that do nothing.
"""

from __future__ import annotations

import heapq
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

from pipeline import __version__
from pipeline.ground.items import Answer, Filed, Result, Seen, Status, Unit
from pipeline.ground.settings import Settings
from pipeline.nets.engines.catalogue import package_version
from pipeline.run import driver
from pipeline.run.executors import lease as leases
from pipeline.run.executors import member
from pipeline.run.executors.fleet import Fleet, Member
from pipeline.run.executors.remote import Remote
from pipeline.run.progress import Progress


class Sleepers:
    """Implements `Fleet`: workers that answer after a while that all is done."""

    place = "a cluster that sleeps"

    def __init__(self, count: int, seconds: float) -> None:
        """Take how many there are, and how long a picture takes."""
        names = [f"sleeper {number}" for number in range(count)]
        self._members = {name: Member(name, f"10.0.{number // 16}.1") for number, name in enumerate(names)}
        self._seconds = seconds
        self._due: list[tuple[float, int, Future[Any], Any]] = []
        self._free = dict.fromkeys(names, 0.0)
        self._order = itertools.count()
        self._change = threading.Condition()
        self._open = True
        self._versions = (__version__, package_version("opencv"))
        threading.Thread(target=self._answer, daemon=True).start()

    def members(self) -> Mapping[str, Member]:
        """See `Fleet.members`."""
        return self._members

    def call(self, name: str, label: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See `Fleet.call`."""
        done: Future[Any] = Future()
        if function is member.look:
            done.set_result(self._look(*arguments))
        elif function is not member.do:
            done.set_result("")
        else:
            with self._change:
                begins = max(time.monotonic(), self._free[name])
                self._free[name] = begins + self._seconds
                heapq.heappush(self._due, (self._free[name], next(self._order), done, _made(arguments[-1])))
                self._change.notify()
        return done

    def _look(self, ticket: member.Ticket) -> member.Report:
        leases.answer(ticket.job.tmp_dir)
        return member.Report("sleeper", self._versions, memory=1 << 40)

    def _answer(self) -> None:
        while self._open:
            with self._change:
                wait = self._due[0][0] - time.monotonic() if self._due else 1.0
                if wait > 0:
                    self._change.wait(wait)
                ready = []
                while self._due and self._due[0][0] <= time.monotonic():
                    ready.append(heapq.heappop(self._due))
            for _, _, done, answer in ready:
                done.set_result(answer)

    def end(self, name: str) -> None:
        """See `Fleet.end`."""

    def close(self) -> None:
        """See `Fleet.close`."""
        self._open = False


def _made(unit: Unit) -> Answer:
    seen = Seen(source_size=unit.size, source_mtime_ns=unit.mtime_ns, source_sha256="0" * 64, verdict="neutral")
    return Result(unit.key, Status.DONE, filed=Filed(unit.output, 1, "0" * 64, mtime_ns=1), seen=seen)


def write_pictures(folder: Path, count: int) -> None:
    """Write tiny photographs of different sizes, a hundred in a folder."""
    picture = cv2.imencode(".jpg", np.full((8, 8), 90, np.uint8))[1].tobytes()
    for number in range(count):
        path = folder / f"{number // 100:04d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture + b"\0" * number)


def pace(source: Path, workers: int, seconds: float, items: int) -> tuple[float, float]:
    """Return pictures a second of a run over so many workers, and processor time of the driver's thread for each, in s.

    Counted are those of the second round on, in the time since the first answer: the first round comes all at once.
    """
    moments: list[tuple[float, float]] = []

    def on_fleet(job: Any, jobs: int, roots: Any, say: Callable[[str], None]) -> Remote:
        def opened() -> Fleet:
            return Sleepers(workers, seconds)

        return Remote(job, opened, roots, say=say)

    ended = Progress.ended

    def note(progress: Progress, result: Result) -> None:
        moments.append((time.monotonic(), time.thread_time()))
        ended(progress, result)

    with (
        tempfile.TemporaryDirectory() as output,
        mock.patch.object(driver, "on_fleet", on_fleet),
        mock.patch.object(Progress, "ended", note),
        mock.patch.object(driver, "check_executor"),
    ):
        settings = Settings(executor="dask", cluster="stub", engine="opencv", precision="float32")
        driver.run_archive([source], Path(output), settings, bar=False, quiet=True)
    took, work = (moments[-1][at] - moments[0][at] + 1e-9 for at in (0, 1))
    return (items - workers) / took, work / len(moments)


def dask_pace(workers: int, calls: int, deep: int) -> float:
    """Return calls a second that Dask passes to local workers and back, so many in flight for each."""
    from pipeline.run.executors.dask import Dask

    fleet = Dask("", workers)
    try:
        while len(fleet.members()) < workers:
            time.sleep(0.1)
        began, left, flying = time.monotonic(), calls, dict[Future[Any], str]()
        for name in [*fleet.members()] * deep:
            flying[fleet.call(name, "nothing", os.getpid)] = name
        while flying:
            for done in [each for each in flying if each.done()]:
                name = flying.pop(done)
                left -= 1
                if left >= deep * workers:
                    flying[fleet.call(name, "nothing", os.getpid)] = name
            time.sleep(0.0005)
        return calls / (time.monotonic() - began)
    finally:
        fleet.close()


def main() -> None:
    """Print a table."""
    for workers, seconds in ((20, 0.0), (200, 1.0), (2000, 10.0), (2000, 1.0)):
        items = max(4000, 6 * workers)
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), items)
            wanted = workers / seconds if seconds else float("inf")
            found, work = pace(Path(folder), workers, seconds, items)
            print(
                f"{workers:5d} workers, {seconds:4.1f} s a picture: {wanted:7.0f}/s wanted, {found:7.0f}/s; "
                f"the driver's thread {work * 1e6:4.0f} us a picture",
                flush=True,
            )
    for deep in (2, 64):
        found = dask_pace(2, 2000, deep)
        print(f"Dask, 2 workers that do nothing, {deep} calls in flight for each: {found:.0f} calls/s", flush=True)


if __name__ == "__main__":
    main()
