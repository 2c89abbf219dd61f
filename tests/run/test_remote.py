"""Workers that come and go, told apart without any engine: a fleet that answers as a test wants it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.ground import files
from pipeline.ground.errors import Cause, ClusterError, OutputError, SettingsError
from pipeline.ground.items import Answer, Halt, Kind, Result, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.media.own_net import OwnNet
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run.executors import lease as leases
from pipeline.run.executors import member
from pipeline.run.executors.crew import LOOK_AHEAD
from pipeline.run.executors.fleet import Lost, Member
from pipeline.run.executors.fleets import check_executor
from pipeline.run.executors.lease import Leases
from pipeline.run.executors.remote import Remote
from pipeline.run.signals import Stop

Do = Callable[[str, Unit], Answer]


def done(host: str, unit: Unit) -> Answer:
    return Result(unit.key, Status.DONE, engine=host)


@dataclass
class Made:
    """Implements `Fleet`: each member does what `do` says, in order, in a thread; `Lost` from it ends the member."""

    do: Do = done
    hosts: dict[str, str] = field(default_factory=lambda: {"a": "host-a", "b": "host-b"})
    look: Callable[[member.Ticket, str], member.Report] = lambda ticket, host: replace(member.look(ticket), host=host)
    place: str = "a made-up cluster"
    ended: list[str] = field(default_factory=list)
    most: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    flying: dict[str, list[Future[Any]]] = field(default_factory=dict)
    turns: dict[str, threading.Lock] = field(default_factory=dict)

    def members(self) -> Mapping[str, Member]:
        return {name: Member(name, host) for name, host in self.hosts.items()}

    def call(self, name: str, label: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.labels[label] += 1
        self.flying.setdefault(name, []).append(future)
        self.most[name] = max(self.most[name], sum(not each.done() for each in self.flying[name]))
        threading.Thread(target=self._run, args=(name, future, function, arguments), daemon=True).start()
        return future

    def _run(self, name: str, future: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        with self.turns.setdefault(name, threading.Lock()):
            host = self.hosts.get(name)
            try:
                if host is None:
                    raise Lost
                found: Any = None
                if function is member.look:
                    found = self.look(arguments[0], host)
                elif function is member.enter:
                    found = ""
                elif function is member.do:
                    leases.begin(arguments[0], arguments[1])
                    found = self.do(host, arguments[2])
                if not future.done():
                    future.set_result(found)
            except FileNotFoundError:  # its lease is gone
                future.set_exception(member.Stranger())
            except Lost as error:
                self.hosts.pop(name, None)
                for each in [future, *self.flying[name]]:
                    if not each.done():
                        each.set_exception(error)

    def end(self, name: str) -> None:
        self.ended.append(name)
        self.hosts.pop(name, None)

    def close(self) -> None:
        self.hosts.clear()


@dataclass
class Place:
    job: Job
    source: Path
    told: list[str] = field(default_factory=list)

    def run(self, fleet: Made, count: int = 12, stop: Stop | None = None) -> dict[str, Result]:
        units = [
            Unit(Verb.MAKE, str(number), Kind.PHOTO, self.source / f"{number}.jpg", f"{number}.jpg", f"{number}.jpg")
            for number in range(count)
        ]
        remote = Remote(self.job, lambda: fleet, [self.source], say=self.told.append)
        found = {}
        for unit, answer in remote.answers(lambda: units.pop(0) if units else None, stop or Stop()):
            assert isinstance(answer, Result), answer
            assert unit.key not in found
            found[unit.key] = answer
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    source, tmp_dir = tmp_path / "scans", tmp_path / "colour" / "tmp"
    for folder in (source, tmp_dir):
        folder.mkdir(parents=True)
    for number in range(12):
        (source / f"{number}.jpg").write_bytes(b"picture")
    engine = Engine("opencv", "float32")
    return Place(Job(Settings(), resolve("embedded"), engine, tmp_path / "colour", tmp_dir), source)


def test_every_worker_has_work_and_no_more_than_it_can_hold(place: Place) -> None:
    fleet = Made(lambda host, unit: (time.sleep(0.02), done(host, unit))[1])
    found = place.run(fleet)
    assert len(found) == 12
    assert {result.engine for result in found.values()} == {"host-a", "host-b"}
    assert max(fleet.most.values()) <= LOOK_AHEAD
    assert place.told == []
    assert fleet.labels == Counter(greet=2, load=2, leave=2) + Counter(f"make {number}" for number in range(12))


def test_a_unit_that_ends_two_workers_has_crashed_on_two_hosts(place: Place) -> None:
    died = []

    def do(host: str, unit: Unit) -> Answer:
        if unit.key == "3":
            died.append(host)
            raise Lost
        time.sleep(0.02)
        return done(host, unit)

    fleet = Made(do, {"a": "host-a", "b": "host-a", "c": "host-b", "d": "host-b"})
    found = place.run(fleet)
    assert len(found) == 12
    assert (found.pop("3").cause, len(died)) == (Cause.CRASH, 2)
    assert set(died) == {"host-a", "host-b"}
    assert {result.status for result in found.values()} == {Status.DONE}
    assert len(place.told) == 1
    assert "tried once more elsewhere" in place.told[0]


def test_an_answer_that_went_with_its_worker_blames_the_one_at_work(place: Place) -> None:
    """It had finished the first and begun the second, of whose answers neither came."""
    worked: list[str] = []

    def do(host: str, unit: Unit) -> Answer:
        worked.append(unit.key)
        if host == "host-a" and len(worked) == 1:
            return done(host, unit)
        if host == "host-a":
            raise Lost
        return done(host, unit)

    fleet = Made(do, {"a": "host-a"})
    kept = fleet._run

    def late(name: str, future: Future[Any], function: Any, arguments: tuple[Any, ...]) -> None:
        first = function is member.do and name == "a" and not worked
        kept(name, Future() if first else future, function, arguments)  # the first answer never arrives
        if name not in fleet.hosts:
            fleet.hosts["b"] = "host-b"

    fleet._run = late  # type: ignore[method-assign]
    found = place.run(fleet, 2)
    assert {result.status for result in found.values()} == {Status.DONE}
    assert sorted(worked) == ["0", "0", "1", "1"]


def test_a_worker_that_joins_is_used_and_one_that_leaves_is_not_waited_for(place: Place) -> None:
    fleet = Made(hosts={"a": "host-a"})

    def do(host: str, unit: Unit) -> Answer:
        fleet.hosts.setdefault("c", "host-c")
        if host == "host-a" and unit.key == "5":
            raise Lost
        time.sleep(0.05)
        return done(host, unit)

    fleet.do = do
    found = place.run(fleet)
    assert {result.status for result in found.values()} == {Status.DONE}
    assert "host-c" in {result.engine for result in found.values()}


def test_a_host_that_does_not_share_output_is_named_at_the_start(place: Place) -> None:
    def look(ticket: member.Ticket, host: str) -> member.Report:
        lost = replace(ticket, job=replace(ticket.job, tmp_dir=Path("/nowhere"))) if host == "host-b" else ticket
        return replace(member.look(lost), host=host)

    with pytest.raises(ClusterError, match="host-b cannot write and read /nowhere"):
        place.run(Made(look=look))


def test_a_host_that_writes_somewhere_else_is_named(place: Place) -> None:
    def look(ticket: member.Ticket, host: str) -> member.Report:
        report = member.look(ticket)
        if host == "host-b":
            (ticket.job.tmp_dir / "answered").unlink()
        return replace(report, host=host)

    with pytest.raises(ClusterError, match=r"host-b writes .* but not where this machine reads it"):
        place.run(Made(look=look))


def test_a_host_without_input_or_of_another_version_is_named(place: Place, tmp_path: Path) -> None:
    ticket = member.Ticket(place.job, (tmp_path / "gone",), {})
    Leases(tmp_path / "colour", place.job.tmp_dir)
    (place.job.tmp_dir / "asked").write_bytes(b"?")
    assert f"cannot read {tmp_path / 'gone'}" in member.look(ticket).problem
    old = Made(look=lambda ticket, host: replace(member.look(ticket), host=host, version=("0.0.1", "")))
    with pytest.raises(ClusterError, match=r"version 0\.0\.1"):
        place.run(old)


@pytest.mark.parametrize(
    "fault",
    [
        lambda unit: Result(unit.key, Status.VANISHED, Cause.SYSTEM, "the file was found, then gone"),
        lambda unit: Result(unit.key, Status.FAILED, Cause.FOLDER_GONE, "in whatever words"),
        lambda unit: Halt(OutputError("The output cannot be written: stale file handle.")),
    ],
)
def test_a_host_that_has_lost_its_disk_is_left_out(place: Place, fault: Callable[[Unit], Answer]) -> None:
    found = place.run(Made(lambda host, unit: fault(unit) if host == "host-b" else done(host, unit)))
    assert {(result.status, result.engine) for result in found.values()} == {(Status.DONE, "host-a")}
    assert any("host-b has lost what it works on" in sentence for sentence in place.told)


def test_a_file_that_is_gone_for_all_is_no_fault_of_a_host(place: Place) -> None:
    (place.source / "4.jpg").unlink()
    gone = Result("4", Status.VANISHED, Cause.SYSTEM, "the file was found, then gone")
    found = place.run(Made(lambda host, unit: gone if unit.key == "4" else done(host, unit)))
    assert found["4"].status is Status.VANISHED
    assert place.told == []


def test_workers_that_die_at_the_start_end_the_run(place: Place) -> None:
    def look(ticket: member.Ticket, host: str) -> member.Report:
        fleet.hosts[f"next {time.monotonic()}"] = host
        raise Lost

    fleet = Made(look=look)
    with pytest.raises(ClusterError, match="die before they take a picture"):
        place.run(fleet)


def test_the_net_reaches_a_host_that_has_none_by_its_hash(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "user_cache", lambda: tmp_path / "cache")
    net, given = place.job.net, Leases(place.job.output, place.job.tmp_dir)
    for _ in range(2):
        given.lay_out(net)
    elsewhere = replace(place.job, net=replace(net, path=Path("/nowhere/net.onnx")))
    assert member._net_here(elsewhere.net) is None
    assert member.enter(elsewhere, given.weights) == ""
    kept = member._net_here(elsewhere.net)
    assert kept is not None
    assert kept.path.read_bytes() == net.path.read_bytes()
    kept.path.write_bytes(b"changed")
    assert member._net_here(elsewhere.net) is None
    (given.weights / net.sha256 / "0").write_bytes(b"torn")
    assert "damaged" in member.enter(elsewhere, given.weights)
    member.leave(place.job.tmp_dir)


class Elsewhere(Made):
    """Its hosts have none of the driver's nets."""

    def __init__(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(hosts={"a": "host-a"})
        monkeypatch.setattr(member, "user_cache", lambda: cache)
        self.entered: list[Job] = []

    def _run(self, name: str, future: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if function is member.look:
            job = arguments[0].job
            arguments = (replace(arguments[0], job=self._moved(job)),)
        elif function is member.enter:
            assert member.enter(self._moved(arguments[0]), arguments[1]) == ""
            self.entered.append(member._ready[arguments[0].tmp_dir]._job)
            member.leave(arguments[0].tmp_dir)
        super()._run(name, future, function, arguments)

    @staticmethod
    def _moved(job: Job) -> Job:
        own = tuple(replace(each, spec=each.spec and replace(each.spec, path=Path("/nowhere/x"))) for each in job.own)
        return replace(job, net=replace(job.net, path=Path("/nowhere/net.onnx")), own=own)


def test_nets_of_single_pictures_reach_a_host_too_and_those_that_are_gone_fail_alone(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_net: Path
) -> None:
    lost = tmp_path / "lost.onnx"
    lost.write_bytes(tiny_net.read_bytes() + bytes(1))  # another hash
    own = (
        OwnNet("tiny", resolve(str(tiny_net)), place.job.engine),
        OwnNet("lost", replace(resolve(str(tiny_net)), path=lost, sha256=files.sha256(lost)), place.job.engine),
        OwnNet("never", problem="There is no such net."),
    )
    lost.unlink()
    place.job = replace(place.job, own=own)
    fleet = Elsewhere(tmp_path / "cache", monkeypatch)
    assert len(place.run(fleet, 3)) == 3
    (job,) = fleet.entered
    tiny, gone, never = job.own
    assert tiny.spec is not None
    assert tiny.spec.path.is_relative_to(tmp_path / "cache")
    assert tiny.spec.path.read_bytes() == tiny_net.read_bytes()
    assert (gone.spec, never.spec) == (None, None)
    assert "cannot be read" in gone.problem
    assert never == own[2]
    assert place.told == []


def test_nets_that_were_brought_and_are_asked_for_no_more_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "user_cache", lambda: tmp_path)
    folders = [tmp_path / "weights" / f"{number:02d}" for number in range(member._KEPT_NETS + 3)]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "0.onnx").write_bytes(b"net")
        os.utime(folder, (number, number))
    member._forget_all_but("00")
    assert [each.exists() for each in folders] == [True, False, False, *[True] * member._KEPT_NETS]


def test_a_cluster_without_an_executor_for_it_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="--executor dask or ray"):
        check_executor(Settings(cluster="tcp://host:8786"))
