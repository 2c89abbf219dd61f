"""What ends before its time, with every executor: a unit that hangs or kills, a run that is stopped, no workers."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.ground.errors import Cause, ColorizeError, ExitCode
from pipeline.ground.items import Answer, Kind, Result, Span, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.run import limits
from pipeline.run.executors import child, loky, member
from pipeline.run.signals import Stop, stop_on_signals
from tests.run.executor_bench import Bench, bench, children, in_children, in_processes, taking

__all__ = ["bench"]
WAITED = 600.0  # seconds


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each unit take ten minutes, and be waited for as long: who ends before does not wait, on any machine."""

    def sleep(*arguments: object) -> Answer:
        unit = arguments[-1]
        assert isinstance(unit, Unit)
        time.sleep(WAITED)
        return Result(unit.key, Status.DONE)

    monkeypatch.setattr(loky, "_do", sleep)
    monkeypatch.setattr(member, "do", sleep)
    monkeypatch.setattr(limits, "GRACE", WAITED)


@pytest.mark.usefixtures("slow")
@in_processes
def test_at_once_does_not_wait_for_what_is_in_flight(bench: Bench) -> None:
    before, stop = children(), Stop()

    def insist() -> None:
        stop.code, stop.at_once = ExitCode.SIGINT, True

    threading.Timer(1.5, insist).start()
    began = time.monotonic()
    assert list(bench.executor().answers(taking(bench.units()), stop)) == []
    assert 1 < time.monotonic() - began < WAITED / 4
    assert not children() - before


@pytest.mark.usefixtures("slow")
@in_processes
def test_the_second_signal_ends_a_run_that_the_first_would_have_kept_waiting(bench: Bench) -> None:
    over = threading.Event()

    def signals() -> None:
        while not over.wait(0.7):
            os.kill(os.getpid(), signal.SIGINT)

    said: list[str] = []
    began = time.monotonic()
    with stop_on_signals(said.append) as stop:
        sender = threading.Thread(target=signals, daemon=True)
        sender.start()
        try:
            assert list(bench.executor().answers(taking(bench.units()), stop)) == []
        finally:
            over.set()
            sender.join()
    assert time.monotonic() - began < WAITED / 4
    assert stop.code == ExitCode.SIGINT
    assert len(said) == 1


@in_processes
def test_a_unit_that_kills_its_worker_twice_is_convicted_and_the_others_are_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(child.POISON_VARIABLE, bench.sources[4].stem)
    found = {unit.key: answer for unit, answer in bench.executor().answers(taking(bench.units()), Stop())}
    assert len(found) == len(bench.sources)
    crashed = found.pop(bench.sources[4].name)
    assert isinstance(crashed, Result)
    assert (crashed.status, crashed.cause) == (Status.CRASHED, Cause.CRASH)
    assert "died twice" in crashed.reason
    assert {getattr(answer, "status", None) for answer in found.values()} == {Status.DONE}
    assert len([sentence for sentence in bench.told if not sentence.startswith("Waiting for")]) == 1


@in_processes
def test_a_unit_that_never_ends_is_ended_and_the_others_are_done(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(child.HANG_VARIABLE, bench.sources[4].stem)
    monkeypatch.setattr(loky, "START", 0.0)
    monkeypatch.setattr(limits, "START", 0.0)
    settings = replace(bench.context.settings, item_timeout=8)
    answers = bench.executor(settings=settings).answers(taking(bench.units()), Stop())
    found = {unit.key: answer for unit, answer in answers}
    assert len(found) == len(bench.sources)
    hung = found.pop(bench.sources[4].name)
    assert isinstance(hung, Result)
    assert (hung.status, hung.cause) == (Status.FAILED, Cause.TIME)
    assert hung.reason.startswith("took longer than 8 s")
    assert {getattr(answer, "status", None) for answer in found.values()} == {Status.DONE}


@in_processes
def test_what_hangs_is_not_waited_for_after_a_signal(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(child.HANG_VARIABLE, bench.sources[0].stem)
    monkeypatch.setattr(limits, "GRACE", 0.5)
    stop, done = Stop(), []
    for unit, _ in bench.executor().answers(taking(bench.units()), stop):
        done.append(unit.key)
        stop.code = ExitCode.SIGTERM
    assert bench.sources[0].name not in done
    assert done


def test_time_goes_by_size_and_frames_and_not_by_a_sleep_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = Unit(Verb.MAKE, "a", Kind.PHOTO, Path("a"), "a", "a", size=50_000_000)
    piece = replace(unit, verb=Verb.PIECE, kind=Kind.FILM, span=Span(0, 100, 350))
    assert [limits.limit(each, Settings()) for each in (unit, piece)] == [800.0, 3300.0]
    assert limits.limit(piece, Settings(item_timeout=7)) == 7.0
    moments = iter([0.0, 0.25, 9000.0, 9000.25])
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    awake = limits.Awake()
    assert [awake.now() for _ in range(3)] == [0.25, 1.25, 1.5]


@in_processes
def test_workers_that_never_come_up_end_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loky, "_be_a_worker", lambda *_: os._exit(1))
    monkeypatch.setattr(member, "look", lambda ticket: os._exit(1))
    with pytest.raises(ColorizeError, match="die before they take a picture"):
        list(bench.executor().answers(taking(bench.units()), Stop()))


def wait_until_deaf(process: int) -> None:
    """Wait until a process that was begun ignores what the test sends: a second worker may still be starting."""
    wanted = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    for _ in range(600):
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
        ignored = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
        if ignored & wanted == wanted:
            return
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@in_children
def test_workers_leave_signals_to_the_driver(bench: Bench) -> None:
    """A terminal's Ctrl-C reaches the whole group."""
    hurt, before = [], children()
    with closing(bench.executor().answers(taking(bench.units()), Stop())) as answers:
        for _, answer in answers:
            assert isinstance(answer, Result)
            if not hurt:
                hurt = list(children() - before)
                for process in hurt:
                    wait_until_deaf(process)
                    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                        os.kill(process, number)
    assert hurt
    assert bench.told == []
