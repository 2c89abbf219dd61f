"""Dask's own client under the driver: who is lost, who comes back, whose answers stay."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from pipeline.ground.errors import ClusterError
from pipeline.run.executors.fleet import Lost, Member
from tests.live.stand_ins import until
from tests.run.executor_bench import children

dask = pytest.importorskip("pipeline.run.executors.dask", reason="extra: dask")
PATIENCE = 100.0  # seconds


def members(fleet: dask.Dask, there: Callable[[Mapping[str, Member]], bool]) -> list[str]:
    """Return the names of the members once they are as they are to be."""
    return sorted(until(lambda: there(found := fleet.members()) and found, PATIENCE))


@pytest.fixture
def fleet(begun: Callable[[str], str]) -> Iterator[dask.Dask]:
    """Both workers of a cluster."""
    found = dask.Dask(begun("dask"), 2)
    try:
        members(found, lambda both: len(both) == 2)
        yield found
    finally:
        found.close()


def test_an_answer_that_is_fetched_together_with_that_of_a_lost_worker_is_not_lost(
    fleet: dask.Dask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, held = fleet._client, asyncio.Event()
    fetch = client._gather_remote

    async def wait_and_fetch(*arguments: object) -> object:
        await held.wait()
        return await fetch(*arguments)

    monkeypatch.setattr(client, "_gather_remote", wait_and_fetch)
    one, other = fleet.members()
    calls = [fleet.call(name, "pid", os.getpid) for name in (one, other)]
    until(lambda: len(client._gather_keys or ()) >= 2, PATIENCE)  # the second waits for what the first has asked
    fleet._roll.leave(one)
    with pytest.raises(Lost):
        calls[0].result(PATIENCE)
    client.loop.add_callback(held.set)
    assert calls[1].result(PATIENCE) != os.getpid()
    assert fleet.call(other, "pid", os.getpid).result(PATIENCE) == calls[1].result()


def test_a_worker_whose_answer_alone_was_lost_is_there_again_under_another_name(fleet: dask.Dask) -> None:
    before = set(fleet.members())
    gone, other = sorted(before)
    call = fleet.call(gone, "nap", time.sleep, 3600)
    (key,) = until(lambda: fleet._client.futures, PATIENCE)
    fleet._client.futures[key].cancel()
    with pytest.raises(Lost):
        call.result(PATIENCE)
    fleet._refreshed = 0.0
    after = members(fleet, lambda found: len(found) == 2)
    assert other in after
    assert gone not in after
    assert {name.split()[0] for name in after} == {name.split()[0] for name in before}
    fleet.end(next(name for name in after if name != other))  # it naps on


@pytest.mark.soak
def test_a_nanny_that_dask_has_closed_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_WAIT_FOR_NEXT", "100 ms")
    monkeypatch.setattr(dask, "_REFRESH", 0.5)
    fleet = dask.Dask("", 1)
    try:
        (name,) = members(fleet, lambda found: len(found) == 1)
        fleet._cluster.sync(fleet._cluster.workers[0].close)
        (again,) = members(fleet, lambda found: len(found) == 1 and name not in found)
        assert fleet.call(again, "pid", os.getpid).result(PATIENCE)
    finally:
        fleet.close()


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_dask_on_this_machine_leaves_signals_to_the_driver_and_no_process_behind() -> None:
    before = children()
    fleet = dask.Dask("", 1)
    try:
        while not fleet.members():
            time.sleep(0.05)
        (name,) = fleet.members()
        worker = fleet.call(name, "pid", os.getpid).result(30)
        assert worker in children() - before
        counted = fleet._client.run_on_scheduler(lambda dask_scheduler: sorted(dask_scheduler.task_prefixes))
        assert counted == ["colorize-pid"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(worker, number)
        assert fleet.call(name, "pid", os.getpid).result(30) == worker
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(Lost):
            fleet.call(name, "pid", os.getpid).result(30)
    finally:
        fleet.close()
    until = time.monotonic() + 10
    while children() - before and time.monotonic() < until:
        time.sleep(0.05)
    assert not children() - before


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_CONNECT", 0.5)
    with pytest.raises(ClusterError, match=r"the Dask scheduler at tcp://127\.0\.0\.1:9 does not answer"):
        dask.Dask("tcp://127.0.0.1:9", 1)
