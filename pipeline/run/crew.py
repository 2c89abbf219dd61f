"""The crew: tasks go in, outcomes come out, whatever happens to a worker.

A loky worker that dies breaks its whole pool. The tasks then in flight are the suspects: each is tried once more, alone
in a pool of one, where a second death convicts it, if the worker had come up before. All others go on in a fresh pool.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

from pipeline.errors import ColorizeError
from pipeline.run.signals import Stop
from pipeline.work import Job, Outcome, Task, prepare, process

# Tasks in the pool for each worker: one at work, one waiting, so that no worker idles while the driver writes.
LOOK_AHEAD = 2

# How often the driver looks whether a signal came while all workers are busy, in seconds.
GLANCE = 0.25

# A worker is one thread: libraries that would start as many as there are cores are told so before they load.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

CRASHED = "its worker process died twice on this item (a crash of a decoder, or out of memory)"

# So often a worker may die before it has taken anything, until the run ends: no picture is to blame then.
STARTS = 3

NO_START = (
    "The worker processes die before they take a picture (out of memory, or killed by something). "
    "Try fewer --jobs; --executor serial works without them."
)


def serial(tasks: Iterable[Task], job: Job, stop: Stop) -> Generator[Outcome]:
    """Do the tasks one by one in this process: for tests and debugging."""
    prepared = False
    for task in tasks:
        if stop.requested:
            return
        if not prepared:
            prepare(job)
            prepared = True
        yield process(task)


def loky(
    tasks: Iterable[Task],
    job: Job,
    stop: Stop,
    *,
    jobs: int,
    on_crash: Callable[[int], None] = lambda suspects: None,
) -> Generator[Outcome]:
    """Do the tasks in `jobs` worker processes; outcomes come in the order of their completion.

    Args:
        tasks: taken lazily, `LOOK_AHEAD` a worker.
        job: what `prepare` gets in every worker.
        stop: once requested, nothing more is taken; what is in flight is finished, or dropped if `at_once`.
        jobs: number of workers.
        on_crash: told how many suspects are about to be tried alone.
    """
    waiting = iter(tasks)
    while True:
        suspects: list[Task] = []
        yield from _pool(waiting, job, stop, jobs, suspects)
        if not suspects:
            return
        on_crash(len(suspects))
        for suspect in suspects:
            if stop.requested:
                return
            convicted: list[Task] = []
            yield from _pool(iter([suspect]), job, stop, 1, convicted, pool=_ready_pool(job, stop))
            if convicted:
                yield Outcome(suspect.key, "crashed", reason=CRASHED)


def _open_pool(job: Job, jobs: int) -> ProcessPoolExecutor:
    try:
        _start_tracker()
        return ProcessPoolExecutor(max_workers=jobs, initializer=prepare, initargs=(job,), env=ONE_THREAD)
    except OSError as error:
        raise _no_workers(error) from None


def _start_tracker() -> None:
    """Start loky's housekeeper deaf to SIGHUP, as it is to SIGINT and SIGTERM: it is to outlive the workers."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        resource_tracker.ensure_running()
    finally:
        signal.signal(signal.SIGHUP, before)


def _no_workers(error: OSError) -> ColorizeError:
    if isinstance(error, BrokenPipeError):  # it died before it had read its first words
        return ColorizeError(NO_START)
    return ColorizeError(
        f"Worker processes cannot be started: {(error.strerror or str(error)).lower()}. "
        "Try fewer --jobs; --executor serial works without them."
    )


def _ready_pool(job: Job, stop: Stop) -> ProcessPoolExecutor:
    """Return a pool of one worker that has come up (or is to be left at once).

    Raises:
        ColorizeError: none comes up.
    """
    for _ in range(STARTS):
        pool = _open_pool(job, 1)
        try:
            up = pool.submit(os.getpid)
            while not up.done() and not stop.at_once:
                wait([up], timeout=GLANCE)
            if stop.at_once or up.exception() is None:
                return pool
        except BrokenProcessPool:
            pass
        except OSError as error:
            raise _no_workers(error) from None
        pool.shutdown(wait=True, kill_workers=True)
    raise ColorizeError(NO_START)


def _pool(
    tasks: Iterator[Task],
    job: Job,
    stop: Stop,
    jobs: int,
    suspects: list[Task],
    *,
    pool: ProcessPoolExecutor | None = None,
) -> Generator[Outcome]:
    """Run one pool until the tasks end or a worker dies; what was then in flight is added to `suspects`."""
    pool = pool or _open_pool(job, jobs)
    in_flight: dict[Future[Outcome], Task] = {}
    try:
        while True:
            # A broken pool takes nothing more, but fails every future it still holds: those are collected below.
            while len(in_flight) < LOOK_AHEAD * jobs and not stop.requested and not suspects:
                task = next(tasks, None)
                if task is None:
                    break
                try:
                    in_flight[pool.submit(process, task)] = task
                except BrokenProcessPool:  # a worker died between two looks
                    suspects.append(task)
                except OSError as error:
                    raise _no_workers(error) from None
            if not in_flight or stop.at_once:
                break
            finished, _ = wait(in_flight, timeout=GLANCE, return_when=FIRST_COMPLETED)
            for future in finished:
                task = in_flight.pop(future)
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    suspects.append(task)
                else:
                    yield outcome
    finally:
        # Left early, by a second signal or an error of the driver: nobody waits for the workers then.
        pool.shutdown(wait=True, kill_workers=bool(suspects) or bool(in_flight))
