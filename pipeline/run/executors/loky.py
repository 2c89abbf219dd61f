"""Units in worker processes of this machine, and what happens when one of them dies."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker

from pipeline.ground import heap, inside
from pipeline.ground.errors import ColorizeError, MachineError, ModelError, out_of_memory
from pipeline.ground.files import words
from pipeline.ground.items import Answer, Halt, Unit
from pipeline.media.medium import Job
from pipeline.run.executors.child import ONE_THREAD, be_hurt, follow
from pipeline.run.executors.executor import Take, crashed
from pipeline.run.limits import START, Awake, Patience, limit, too_long
from pipeline.run.signals import Stop
from pipeline.run.worker import Worker

# Units in the pool for each worker: one at work, one waiting, so that no worker idles while the driver writes.
LOOK_AHEAD = 2

# How often the driver looks whether a signal came while all workers are busy, in seconds.
GLANCE = 0.25

# So often a worker may die before it has taken anything, until the run ends: no picture is to blame then.
STARTS = 3

NO_START = (
    "The worker processes die before they take a picture (out of memory, or killed by something). "
    "Try fewer --jobs; --executor serial works without them."
)


class Loky:
    """Implements `Executor`: a pool of processes that ends with this one."""

    def __init__(self, job: Job, jobs: int, *, on_crash: Callable[[int], None] = lambda suspects: None) -> None:
        """Take the job, the number of workers, and who is told how many suspects are about to be tried alone."""
        self._job, self._jobs, self._on_crash = job, jobs, on_crash
        self.at_hand = 0

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        """See `Executor.answers`."""
        again = deque[Unit]()
        while True:
            left = _Left()
            yield from self._pool(lambda: again.popleft() if again else take(), stop, left, again)
            if left.late:
                yield from self._ended(left)
                again.extend(left.suspects)  # innocent: they went with the pool
            elif left.suspects:
                yield from self._tried_alone(left.suspects, stop)
            else:
                return

    def _ended(self, left: _Left) -> Generator[tuple[Unit, Answer]]:
        for unit in left.late:
            yield unit, too_long(unit, self._job.settings)

    def _tried_alone(self, suspects: list[Unit], stop: Stop) -> Generator[tuple[Unit, Answer]]:
        self._on_crash(len(suspects))
        for suspect in suspects:
            if stop.requested:
                return
            yield from self._alone(suspect, stop)

    def _alone(self, suspect: Unit, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        left, once = _Left(), iter([suspect])
        yield from self._pool(lambda: next(once, None), stop, left, deque(), pool=self._ready_pool(stop))
        if left.late:
            yield from self._ended(left)
        elif left.suspects:
            yield suspect, crashed(suspect)

    def _open_pool(self, jobs: int) -> ProcessPoolExecutor:
        try:
            _start_tracker()
            known = self._job, inside.pinned_as(self._job.output), os.getpid()
            return ProcessPoolExecutor(max_workers=jobs, initializer=_be_a_worker, initargs=known, env=ONE_THREAD)
        except OSError as error:
            raise _no_workers(error) from None

    def _ready_pool(self, stop: Stop) -> ProcessPoolExecutor:
        """Return a pool of one worker that has come up (or is to be left at once).

        Raises:
            MachineError: none comes up.
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
        raise MachineError(NO_START)

    def _pool(
        self, take: Take, stop: Stop, left: _Left, held: deque[Unit], *, pool: ProcessPoolExecutor | None = None
    ) -> Generator[tuple[Unit, Answer]]:
        """Run one pool until no unit is left, a worker dies, or one is late; what was then in flight is in `left`.

        Nothing flies beside a unit that is to be done alone; one that has to wait for that is put into `held`.
        """
        jobs = 1 if pool else self._jobs
        flight = _Flight(pool or self._open_pool(jobs), self._job, left)
        try:
            while True:
                # A broken pool takes nothing more, but fails every future it still holds: those are collected below.
                while len(flight.units) < LOOK_AHEAD * jobs and not stop.requested and not left and not flight.alone:
                    unit = take()
                    if unit is None:
                        break
                    if unit.alone and flight.units:
                        held.appendleft(unit)
                        break
                    flight.submit(unit)
                if not flight.units or stop.at_once or flight.patience.is_over(stop):
                    break
                landed = flight.landed()
                for self.at_hand in range(len(landed) - 1, -1, -1):
                    yield landed[-1 - self.at_hand]
                if flight.late():
                    break
        finally:
            # Left early, by a signal, a late unit or an error of the driver: nobody waits for the workers then.
            flight.pool.shutdown(wait=True, kill_workers=bool(left) or bool(flight.units))


@dataclass
class _Left:
    """Units that a pool took with it: whose worker died, or who might have been its end; those that took too long."""

    suspects: list[Unit] = field(default_factory=list)
    late: list[Unit] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.suspects or self.late)


class _Flight:
    """What is in the hands of a pool, and until when."""

    def __init__(self, pool: ProcessPoolExecutor, job: Job, left: _Left) -> None:
        self.pool, self._job, self._left = pool, job, left
        self.units: dict[Future[Answer], Unit] = {}
        self._deadlines: dict[Future[Answer], float] = {}
        self._clock = Awake()
        self.patience = Patience(self._clock)
        self._start = START

    @property
    def alone(self) -> bool:
        """Whether what flies is to have the memory for itself."""
        return any(unit.alone for unit in self.units.values())

    def submit(self, unit: Unit) -> None:
        # A unit may wait for one that is at work: it has that one's time, too.
        longest = max((limit(other, self._job.settings) for other in self.units.values()), default=0.0)
        try:
            future = self.pool.submit(_do, self._job, unit)
        except BrokenProcessPool:  # a worker died between two looks
            self._left.suspects.append(unit)
        except OSError as error:
            raise _no_workers(error) from None
        else:
            self.units[future] = unit
            self._deadlines[future] = self._clock.now() + self._start + longest + limit(unit, self._job.settings)

    def landed(self) -> list[tuple[Unit, Answer]]:
        landed = list[tuple[Unit, Answer]]()
        finished, _ = wait(self.units, timeout=GLANCE, return_when=FIRST_COMPLETED)
        for future in finished:
            unit = self.units.pop(future)
            del self._deadlines[future]  # it would keep the future, and all that came of it
            try:
                answer = future.result()
            except BrokenProcessPool:
                self._left.suspects.append(unit)
            else:
                self._start = 0.0
                landed.append((unit, answer))
        return landed

    def late(self) -> bool:
        """Part those that are late from those that go with them; tell whether there are any."""
        now = self._clock.now()
        if not any(self._deadlines[future] < now for future in self.units):
            return False
        for future, unit in self.units.items():
            (self._left.late if self._deadlines[future] < now else self._left.suspects).append(unit)
        return True


def _start_tracker() -> None:
    """Start loky's housekeeper deaf to SIGHUP, as it is to SIGINT and SIGTERM: it is to outlive the workers."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        resource_tracker.ensure_running()
    finally:
        signal.signal(signal.SIGHUP, before)


def _no_workers(error: OSError) -> MachineError:
    if isinstance(error, BrokenPipeError):  # it died before it had read its first words
        return MachineError(NO_START)
    return MachineError(
        f"Worker processes cannot be started: {words(error)}. Try fewer --jobs; --executor serial works without them."
    )


# What runs in the worker processes.


@functools.lru_cache(maxsize=1)
def _worker(job: Job) -> Worker:
    """Return this process's worker for a job: made once, and never another job's."""
    return Worker(job)


def _be_a_worker(job: Job, output: inside.Identity | None, driver: int) -> None:
    """Make this process ready; never raises: an initializer that does breaks the pool without a word."""
    follow(driver)
    heap.keep()
    with contextlib.suppress(OSError):  # what it can't be held for, the first unit meets
        inside.pin(job.output, output)
    try:
        _worker(job)
    except Exception:  # the first unit meets it again, and says it
        return


def _do(job: Job, unit: Unit) -> Answer:
    be_hurt(unit)
    try:
        worker = _worker(job)
    except ColorizeError as error:
        return Halt(error)
    except Exception as error:
        if out_of_memory(error):
            return Halt(MachineError("There is not enough memory to load the net in a worker: try fewer --jobs."))
        return Halt(ModelError(f"The net cannot be loaded in a worker: {type(error).__name__}: {error}."))
    return worker.do(unit)
