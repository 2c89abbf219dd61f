"""Workers of a Dask cluster, or of a local one: the engine's own client, each call pinned to one worker.

Joblib's backend hangs when a task kills its worker, and Dask itself lets a task that kills die four times, together
with all that waited behind it; here the driver knows what each worker has in hand, and decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import wait as wait_for
from typing import Any, Final

import dask
import psutil
from distributed import Client, LocalCluster

from pipeline.ground.errors import ClusterError, first_line
from pipeline.run.executors.child import ONE_THREAD
from pipeline.run.executors.fleet import Lost, Member
from pipeline.run.executors.roll import Roll

# How long Dask waits for the next process where one was lost, before it closes the nanny: its own 15 s are too few on a
# busy machine. Its clock knows nothing of a process that came up and was lost in its turn, and may close a nanny
# that is about to be of use: those that are missing are begun anew with each refresh.
_WAIT_FOR_NEXT: Final = "2 minutes"

# Events say who comes and goes; one that was missed is made up for after so many seconds.
_REFRESH: Final = 10.0

_CONNECT: Final = 20.0
_ENDING: Final = 5.0

_QUIET: Final = ("distributed", "tornado.application")


class Dask:
    """Implements `Fleet`."""

    def __init__(self, address: str, jobs: int) -> None:
        """Connect to a scheduler; without an address, start one with so many workers on this machine.

        Raises:
            ClusterError: it does not answer, or no worker comes up.
        """
        for name in _QUIET:  # who was lost says the run
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._others = psutil.Process().children()
        self._jobs, self._settings = jobs, contextlib.ExitStack()
        self._cluster = None if address else self._local()
        self.place = f"the Dask scheduler at {address}" if address else "Dask on this machine"
        try:
            self._client = Client(address or self._cluster, timeout=_CONNECT, set_as_default=False, name="colorize")
        except Exception as error:  # each protocol has its own
            self._end_cluster()
            raise ClusterError(f"{self.place} does not answer: {first_line(error)}.") from None
        self._names: dict[str, str] = {}  # by address: a process that takes another's place may have the same
        self._roll = Roll()
        self._ending: set[str] = set()  # addresses of workers that are told to end, and have not yet
        self._endings: list[Any] = []
        self._refreshed = 0.0
        self._client.subscribe_topic("all", self._heard)

    def _heard(self, event: tuple[float, Any]) -> None:
        said = event[1]
        if isinstance(said, dict) and said.get("action") == "remove-worker":
            self._gone(said.get("worker", ""))
            self._ending.discard(said.get("worker", ""))
        elif isinstance(said, dict) and said.get("action") == "add-worker":
            self._refreshed = 0.0

    def _gone(self, address: str) -> None:
        self._roll.leave(self._names.pop(address, ""))

    def members(self) -> Mapping[str, Member]:
        """See `Fleet.members`."""
        if self._client.status != "running":
            raise ClusterError(f"{self.place} does not answer any more; the same command goes on.")
        if time.monotonic() - self._refreshed > _REFRESH:
            self._refreshed = time.monotonic()
            self._refresh()
        return self._roll.members()

    def _refresh(self) -> None:
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:
            raise ClusterError(f"{self.place} does not answer any more: {first_line(error)}.") from None
        if self._cluster is not None:
            self._cluster.scale(self._jobs)
        for address in set(self._names) - set(workers):
            self._gone(address)
        self._ending &= set(workers)
        for address, told in workers.items():
            if address not in self._names and address not in self._ending and told["status"] == "running":
                name = f"{address} {uuid.uuid4().hex}"
                self._roll.expect(name)
                self._names[address] = name  # from here on the news of its loss finds it
                self._roll.join(Member(name, told["host"], told["memory_limit"] or 0))

    def call(self, member: str, label: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See `Fleet.call`."""
        done = self._roll.begin(member)
        if done.done():
            return done
        word, _, item = label.partition(" ")
        key = f"colorize-{word}-{uuid.uuid4().hex} {item}".strip()  # Dask counts by what stands before the number
        coroutine = self._call(done, member, key, function, arguments)
        asyncio.run_coroutine_threadsafe(coroutine, self._client.loop.asyncio_loop)
        return done

    async def _call(
        self, done: Future[Any], member: str, key: str, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        address = _address(member)
        future = self._client.submit(
            function, *arguments, key=key, workers=[address], allow_other_workers=False, pure=False
        )
        # Where the worker is lost, Dask would let the task wait for its return: let go of it then, and it is forgotten.
        lost = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda _: _from_any_thread(lost))
        answer = asyncio.ensure_future(future._result())
        await asyncio.wait({answer, lost}, return_when=asyncio.FIRST_COMPLETED)
        future.release()
        if answer.done():
            self._hand_over(answer, member, done)
        else:  # not cancelled: it may be gathering for others, too, and all of their answers would be lost with it
            answer.add_done_callback(_noted)
        self._roll.finish(member, done)

    def _hand_over(self, answer: asyncio.Future[Any], member: str, done: Future[Any]) -> None:
        error = Lost() if answer.cancelled() else answer.exception()
        if type(error).__name__ in _LOSSES:
            # Where the news of its loss does not follow, the worker is as new: it is asked again whether it can work.
            if self._names.get(_address(member)) == member:
                del self._names[_address(member)]
            self._roll.leave(member)
            return
        with contextlib.suppress(InvalidStateError):  # lost at this very moment
            if error is None:
                done.set_result(answer.result())
            else:
                done.set_exception(error)

    def end(self, member: str) -> None:
        """See `Fleet.end`; a worker without a nanny is told to close, and is left where it does not."""
        address = _address(member)
        self._ending.add(address)
        self._gone(address)

        async def end() -> None:
            with contextlib.suppress(Exception):
                try:
                    await self._client.run(_kill, workers=[address], nanny=True)
                except Exception:
                    await self._client.restart_workers([address], timeout=_ENDING, raise_for_error=False)

        self._endings.append(asyncio.run_coroutine_threadsafe(end(), self._client.loop.asyncio_loop))

    def close(self) -> None:
        """See `Fleet.close`."""
        if self._cluster is None:
            wait_for(self._endings, timeout=_ENDING)
        with contextlib.suppress(Exception):
            self._client.unsubscribe_topic("all")
            self._client.close(timeout=5)
        self._end_cluster()

    def _local(self) -> LocalCluster:
        settings = {
            "distributed.worker.multiprocessing-method": "spawn",
            "distributed.deploy.lost-worker-timeout": _WAIT_FOR_NEXT,
        }
        self._settings.enter_context(dask.config.set(settings))  # some are asked for when a worker is lost
        try:
            return LocalCluster(
                n_workers=self._jobs,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL + 1,
                preload=["pipeline.run.executors.child"],
                env=ONE_THREAD,
            )
        except Exception as error:
            self._settings.close()
            raise ClusterError(
                f"Dask's workers cannot be started here: {first_line(error)}. Try fewer --jobs, or --executor loky."
            ) from None

    def _end_cluster(self) -> None:
        self._settings.close()
        if self._cluster is None:
            return
        for nanny in self._cluster.workers.values():
            nanny.auto_restart = False
        self._kill_own()  # all have answered, or nobody waits for them
        with contextlib.suppress(Exception):
            self._cluster.close(timeout=5)
        self._kill_own()  # a nanny may have been about to begin one

    def _kill_own(self) -> None:
        own = [each for each in psutil.Process().children() if each not in self._others and _is_worker(each)]
        for process in own:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(own, timeout=5)


def _is_worker(process: psutil.Process) -> bool:
    """Tell a process that Dask has begun, under either of its names, from housekeepers of Python's and loky's."""
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return "spawn_main" in command or command.startswith("dask worker")


def _kill(dask_worker: Any) -> None:
    """Kill the process that a nanny watches, on whose host this runs; the nanny begins another."""
    os.kill(dask_worker.pid, signal.SIGKILL)


def _from_any_thread(lost: asyncio.Future[None]) -> None:
    def note() -> None:
        if not lost.done():
            lost.set_result(None)

    with contextlib.suppress(RuntimeError):  # the loop is closed
        lost.get_loop().call_soon_threadsafe(note)


def _address(member: str) -> str:
    return member.split(" ", 1)[0]


def _noted(answer: asyncio.Future[Any]) -> None:
    """Look at how something ended that nobody waits for any more: asyncio would complain otherwise."""
    if not answer.cancelled():
        answer.exception()


# What Dask raises where a worker is gone: by name, since their places change from version to version.
_LOSSES: Final = {"Lost", "KilledWorker", "FutureCancelledError", "CancelledError", "CommClosedError", "NoWorkerError"}
