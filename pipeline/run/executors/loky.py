"""Units in worker processes of this machine, and what happens when one of them dies."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker

from pipeline.ground.errors import Cause, ColorizeError, ModelError
from pipeline.ground.files import words
from pipeline.ground.items import Answer, Halt, Result, Status, Unit
from pipeline.media.medium import Job
from pipeline.run.executors.executor import Take
from pipeline.run.signals import Stop
from pipeline.run.worker import Worker

# Units in the pool for each worker: one at work, one waiting, so that no worker idles while the driver writes.
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

# Tests put a part of a file name here: a worker that meets it kills itself, as a decoder's segmentation fault would.
POISON_VARIABLE = "COLORIZE_TEST_POISON"


class Loky:
    """Implements `Executor`: a pool of processes that ends with this one."""

    def __init__(self, job: Job, jobs: int, *, on_crash: Callable[[int], None] = lambda suspects: None) -> None:
        """Take the job, the number of workers, and who is told how many suspects are about to be tried alone."""
        self._job, self._jobs, self._on_crash = job, jobs, on_crash

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        """See `Executor.answers`."""
        while True:
            suspects: list[Unit] = []
            yield from self._pool(take, stop, suspects)
            if not suspects:
                return
            self._on_crash(len(suspects))
            for suspect in suspects:
                if stop.requested:
                    return
                yield from self._alone(suspect, stop)

    def _alone(self, suspect: Unit, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        convicted: list[Unit] = []
        once = iter([suspect])
        yield from self._pool(lambda: next(once, None), stop, convicted, pool=self._ready_pool(stop))
        if convicted:
            yield suspect, Result(suspect.key, Status.CRASHED, Cause.CRASH, CRASHED)

    def _open_pool(self, jobs: int) -> ProcessPoolExecutor:
        try:
            _start_tracker()
            return ProcessPoolExecutor(
                max_workers=jobs, initializer=_be_a_worker, initargs=(self._job, os.getpid()), env=ONE_THREAD
            )
        except OSError as error:
            raise _no_workers(error) from None

    def _ready_pool(self, stop: Stop) -> ProcessPoolExecutor:
        """Return a pool of one worker that has come up (or is to be left at once).

        Raises:
            ColorizeError: none comes up.
        """
        for _ in range(STARTS):
            pool = self._open_pool(1)
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
        self, take: Take, stop: Stop, suspects: list[Unit], *, pool: ProcessPoolExecutor | None = None
    ) -> Generator[tuple[Unit, Answer]]:
        """Run one pool until no unit is left or a worker dies; what was then in flight is added to `suspects`."""
        jobs = 1 if pool else self._jobs
        pool = pool or self._open_pool(jobs)
        in_flight: dict[Future[Answer], Unit] = {}
        try:
            while True:
                # A broken pool takes nothing more, but fails every future it still holds: those are collected below.
                while len(in_flight) < LOOK_AHEAD * jobs and not stop.requested and not suspects:
                    unit = take()
                    if unit is None:
                        break
                    self._submit(pool, unit, in_flight, suspects)
                if not in_flight or stop.at_once:
                    break
                finished, _ = wait(in_flight, timeout=GLANCE, return_when=FIRST_COMPLETED)
                for future in finished:
                    unit = in_flight.pop(future)
                    try:
                        answer = future.result()
                    except BrokenProcessPool:
                        suspects.append(unit)
                    else:
                        yield unit, answer
        finally:
            # Left early, by a second signal or an error of the driver: nobody waits for the workers then.
            pool.shutdown(wait=True, kill_workers=bool(suspects) or bool(in_flight))

    def _submit(
        self, pool: ProcessPoolExecutor, unit: Unit, in_flight: dict[Future[Answer], Unit], suspects: list[Unit]
    ) -> None:
        try:
            in_flight[pool.submit(_do, self._job, unit)] = unit
        except BrokenProcessPool:  # a worker died between two looks
            suspects.append(unit)
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
        f"Worker processes cannot be started: {words(error)}. Try fewer --jobs; --executor serial works without them."
    )


# What runs in the worker processes.


@functools.lru_cache(maxsize=1)
def _worker(job: Job) -> Worker:
    """Return this process's worker for a job: made once, and never another job's."""
    return Worker(job)


def _be_a_worker(job: Job, driver: int) -> None:
    """Make this process ready; never raises: an initializer that does breaks the pool without a word."""
    # Ctrl-C, systemd and a closed terminal reach the whole group; the driver alone decides when a worker stops.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_die_with_driver, args=(driver,), daemon=True).start()
    try:
        _worker(job)
    except Exception:  # the first unit meets it again, and says it
        return


def _die_with_driver(driver: int) -> None:
    # An orphan would go on writing beside the next run; a killed driver cannot tell it to stop.
    while os.getppid() == driver:
        time.sleep(0.2)
    os._exit(1)


def _do(job: Job, unit: Unit) -> Answer:
    if (poison := os.environ.get(POISON_VARIABLE)) and poison in unit.source.name:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        worker = _worker(job)
    except ColorizeError as error:
        return Halt(error)
    except Exception as error:
        return Halt(ModelError(f"The net cannot be loaded in a worker: {type(error).__name__}: {error}."))
    return worker.do(unit)
