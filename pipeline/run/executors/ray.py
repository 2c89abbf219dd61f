"""Workers of a Ray cluster, or of a local one: an actor for each processor, which this run ends when it does."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Final

# Nothing is told to anybody.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from pipeline.ground.errors import ClusterError, first_line
from pipeline.run.executors.child import ONE_THREAD
from pipeline.run.executors.fleet import Member
from pipeline.run.executors.roll import Roll

# How often it is looked whether the cluster has grown, in seconds.
_REFRESH: Final = 5.0


class Colorize:
    """What lives in a worker process. Calls are done one at a time; `wait` is told of its end by never returning."""

    def host(self) -> str:
        """Return where it is."""
        return str(ray.util.get_node_ip_address())

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call a function."""
        return function(*arguments)

    def wait(self) -> None:
        """Never return; it fails when the process ends."""
        threading.Event().wait()


class Ray:
    """Implements `Fleet`."""

    def __init__(self, address: str, jobs: int | None) -> None:
        """Connect to a cluster, or start one here.

        Args:
            address: of the cluster, in Ray's words; empty: a local one.
            jobs: workers at most; None: as many as there are processors.

        Raises:
            ClusterError: it does not answer.
        """
        self.place = f"the Ray cluster at {address}" if address else "Ray on this machine"
        _be_quiet()
        local = {} if address else {"num_cpus": jobs, "include_dashboard": False}
        try:
            with _own_signals():
                ray.init(
                    address or "local",
                    logging_level=logging.CRITICAL,
                    log_to_driver=False,
                    configure_logging=True,
                    namespace=uuid.uuid4().hex,
                    **local,
                )
        except Exception as error:
            raise ClusterError(f"{self.place} does not answer: {first_line(error)}.") from None
        self._jobs = jobs
        self._kind = ray.remote(num_cpus=1, max_restarts=0, concurrency_groups={"watch": 1})(Colorize)
        self._actors: dict[str, Any] = {}
        self._roll = Roll()
        self._looked = float("-inf")

    def members(self) -> Mapping[str, Member]:
        """See `Fleet.members`."""
        if time.monotonic() - self._looked > _REFRESH:
            self._looked = time.monotonic()
            try:
                processors = int(ray.cluster_resources().get("CPU", 0))
            except Exception as error:
                raise ClusterError(f"{self.place} does not answer any more: {first_line(error)}.") from None
            wanted = min(processors, self._jobs or processors)
            for _ in range(wanted - len(self._actors)):
                self._begin()
        return self._roll.members()

    def _begin(self) -> None:
        name = uuid.uuid4().hex
        actor = self._actors[name] = self._kind.remote()
        self._roll.expect(name)
        actor.host.remote().future().add_done_callback(lambda done: self._came_up(name, done))
        watch = actor.wait.options(concurrency_group="watch").remote()
        watch.future().add_done_callback(lambda _: self._gone(name))

    def _came_up(self, name: str, done: Future[Any]) -> None:
        if done.exception() is None:
            self._roll.join(Member(name, done.result()))

    def _gone(self, name: str) -> None:
        self._roll.leave(name)
        self._actors.pop(name, None)
        self._looked = float("-inf")

    def call(self, member: str, label: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See `Fleet.call`."""
        done = self._roll.begin(member)
        actor = self._actors.get(member)
        if actor is None or done.done():  # lost, or at this very moment
            return done
        found = actor.call.options(name=f"colorize {label.partition(' ')[0]}").remote(function, arguments).future()
        found.add_done_callback(lambda answer: self._came_back(member, done, answer))
        return done

    def _came_back(self, member: str, done: Future[Any], answer: Future[Any]) -> None:
        error = answer.exception()
        if isinstance(error, RayActorError):
            self._gone(member)
            return
        self._roll.finish(member, done)
        with contextlib.suppress(Exception):  # lost at this very moment
            if error is None:
                done.set_result(answer.result())
            else:
                done.set_exception(error.cause if isinstance(error, RayTaskError) and error.cause else error)

    def end(self, member: str) -> None:
        """See `Fleet.end`."""
        actor = self._actors.get(member)
        if actor is not None:
            with contextlib.suppress(RayError, GetTimeoutError):
                ray.kill(actor)
            self._gone(member)

    def close(self) -> None:
        """See `Fleet.close`."""
        for name in list(self._actors):
            self.end(name)
        with contextlib.suppress(Exception):
            ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what a SIGTERM does: Ray would let it end the driver on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _be_quiet() -> None:
    """Let Ray print nothing: who was lost says the run, and standard output may be somebody's JSON."""
    with contextlib.suppress(ImportError, AttributeError):  # it has no setting for that
        from ray._private import worker

        assert worker.print_to_stdstream  # some version may call it otherwise
        worker.print_to_stdstream = lambda *_, **__: None


# Workers are one thread each; Ray hands on what the processes that begin them have.
for _name, _value in ONE_THREAD.items():
    os.environ.setdefault(_name, _value)
