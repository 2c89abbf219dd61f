"""What every executor owes a run: one suite over all that `--executor` can name."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.ground.errors import Cause, ColorizeError, ExitCode, ModelError
from pipeline.ground.items import Alone, Answer, Halt, Kind, Result, Span, Status, Unit, Verb
from pipeline.ground.settings import Settings, field_of
from pipeline.media.medium import Memory
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run import driver, limits
from pipeline.run.context import Context
from pipeline.run.executors import child, loky, member
from pipeline.run.executors.executor import Executor
from pipeline.run.progress import Progress
from pipeline.run.signals import Stop, stop_on_signals
from tests.conftest import write_archive
from tests.run import clusters

EXECUTORS = field_of("executor").metadata["choices"]
IN_PROCESSES = [name for name in EXECUTORS if name != "serial"]
ON_CLUSTERS = [name for name in EXECUTORS if name in clusters.BEGIN]


@dataclass
class Told(Progress):
    """Keeps what a person would be told."""

    told: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.told.append(sentence)


@dataclass
class Bench:
    """An executor as the driver makes it, and photographs to do."""

    context: Context
    tmp_dir: Path
    sources: list[Path]
    told: list[str]

    def executor(self, **changes: object) -> Executor:
        context = replace(self.context, **changes)
        jobs = driver._jobs(context, Counter({Kind.PHOTO: len(self.sources)}))
        return driver._executor(context, jobs, self.tmp_dir, Told(len(self.sources), told=self.told))

    def units(self) -> list[Unit]:
        return [Unit(Verb.MAKE, path.name, Kind.PHOTO, path, f"{path.stem}.png", path.name) for path in self.sources]


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Give the address of a cluster of an executor's, begun once; empty for those that need none."""
    found: dict[str, str] = {}
    with ExitStack() as stack:

        def address(executor: str) -> str:
            if executor not in found:
                begin = clusters.BEGIN[executor]
                found[executor] = stack.enter_context(begin(str(tmp_path_factory.mktemp(executor))))
            return found[executor]

        yield lambda executor: address(executor) if executor in ON_CLUSTERS else ""


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path, tiny_net: Path, begun: Callable[[str], str]) -> Bench:
    if request.param in ON_CLUSTERS and importlib.util.find_spec(clusters.MODULES[request.param]) is None:
        pytest.skip(f"extra: {request.param}")
    settings = Settings(executor=request.param, cluster=begun(request.param), jobs=2, format="png")
    tmp_dir = tmp_path / "colour" / "tmp"
    tmp_dir.mkdir(parents=True)
    sources = write_archive(tmp_path / "scans", 9)
    context = Context(
        [tmp_path / "scans"], tmp_path / "colour", [], settings, resolve(str(tiny_net)), Engine("opencv", "float32")
    )
    return Bench(context, tmp_dir, sources, [])


def _of(names: Iterable[str]) -> pytest.MarkDecorator:
    marks = {"ray": [pytest.mark.soak]}  # its workers take many seconds to come up
    return pytest.mark.parametrize(
        "bench", [pytest.param(name, marks=marks.get(name, [])) for name in names], indirect=True
    )


every = _of(EXECUTORS)
in_processes = _of(IN_PROCESSES)
in_children = _of(["loky"])


def taking(units: list[Unit]) -> Callable[[], Unit | None]:
    return lambda: units.pop(0) if units else None


def children() -> set[int]:
    """Processes that this one has started, loky's housekeeper aside."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            command = status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields["PPid"]) == os.getpid() and b"resource_tracker" not in command:
            found.add(int(status.parent.name))
    return found


@every
def test_every_unit_is_answered_once_with_its_own_answer(bench: Bench) -> None:
    stop = Stop()
    found = list(bench.executor().answers(taking(bench.units()), stop))
    assert sorted(unit.key for unit, _ in found) == sorted(path.name for path in bench.sources)
    for unit, answer in found:
        assert isinstance(answer, Result)
        assert (answer.key, answer.status, answer.model) == (unit.key, Status.DONE, "tiny")
        assert answer.filed is not None
        assert answer.filed.place == unit.output
        assert (bench.context.output / unit.output).stat().st_size == answer.filed.size
    assert stop.code is None


@every
def test_an_executor_keeps_nothing_of_what_it_has_answered(bench: Bench) -> None:
    """A million answers of some three kilobytes would fill the driver."""

    def alive() -> int:
        gc.collect()
        return sum(isinstance(each, Result) for each in gc.get_objects())

    before, most = alive(), 0
    with closing(bench.executor().answers(taking(bench.units()), Stop())) as answers:
        for _ in answers:
            most = max(most, alive() - before)
    assert most <= 2 * loky.LOOK_AHEAD + 1


@every
def test_without_units_nothing_is_answered_and_no_net_is_loaded(bench: Bench) -> None:
    gone = replace(bench.context.net, path=Path("gone.onnx"))
    assert list(bench.executor(net=gone).answers(lambda: None, Stop())) == []


@every
def test_units_that_an_answer_brings_up_are_done_too(bench: Bench) -> None:
    waiting = bench.units()
    ready = [waiting.pop()]
    answered = []
    with closing(bench.executor().answers(taking(ready), Stop())) as answers:
        for unit, _ in answers:
            answered.append(unit.key)
            ready.extend(waiting[:2])  # as a scan's pieces, and as the join of the last one
            del waiting[:2]
    assert sorted(answered) == sorted(path.name for path in bench.sources)


@every
def test_what_fails_is_an_answer_like_any_other(bench: Bench) -> None:
    bench.sources[3].write_bytes(b"no picture")
    bench.sources[5].unlink()  # alone in its folder: as if the disk had gone
    bench.sources[7].unlink()
    found = {unit.key: answer for unit, answer in bench.executor().answers(taking(bench.units()), Stop())}
    statuses = [getattr(found[path.name], "status", None) for path in bench.sources]
    assert statuses[3:8] == [Status.FAILED, Status.DONE, Status.FAILED, Status.DONE, Status.VANISHED]
    assert statuses.count(Status.DONE) == 6


@every
def test_once_stopped_nothing_more_is_taken_and_what_was_taken_is_answered(bench: Bench) -> None:
    taken: list[Unit] = []
    units = bench.units()

    def take() -> Unit | None:
        unit = units.pop(0) if units else None
        taken.extend([unit] if unit else [])
        return unit

    stop, answered = Stop(), []
    for unit, _ in bench.executor().answers(take, stop):
        answered.append(unit)
        stop.code = ExitCode.SIGINT
    assert len(taken) < len(bench.sources)
    assert sorted(unit.key for unit in answered) == sorted(unit.key for unit in taken)


@every
def test_a_reader_who_leaves_early_leaves_no_worker_behind(bench: Bench) -> None:
    before = children()
    answers = bench.executor().answers(taking(bench.units()), Stop())
    next(answers)
    answers.close()
    deadline = time.monotonic() + 10
    while children() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children() - before


@in_children
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_workers_are_ended_where_there_is_no_pgrep(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = children()
    monkeypatch.setenv("PATH", str(tmp_path))  # as in slim containers: joblib is to have something better
    answers = bench.executor().answers(taking(bench.units()), Stop())
    next(answers)
    ended = threading.Thread(target=answers.close, daemon=True)
    ended.start()
    ended.join(60)
    assert not ended.is_alive()
    assert children() <= before


@every
def test_a_net_that_cannot_be_loaded_is_said(bench: Bench) -> None:
    gone = replace(bench.context.net, path=Path("gone.onnx"))

    def first() -> Answer:
        with closing(bench.executor(net=gone).answers(taking(bench.units()), Stop())) as answers:
            return next(answers)[1]

    try:
        answer = first()
    except ModelError as error:
        answer = Halt(error)
    assert isinstance(answer, Halt)
    assert isinstance(answer.error, ModelError)
    assert "gone.onnx" in str(answer.error)


@every
def test_two_jobs_after_one_another_have_each_their_own_net(bench: Bench) -> None:
    other = resolve("embedded")
    unit = bench.units()[0]
    models = []
    for net in (bench.context.net, other, bench.context.net):
        ((_, answer),) = bench.executor(net=net).answers(taking([unit]), Stop())
        assert isinstance(answer, Result)
        models.append(answer.model)
    assert models == ["tiny", other.name, "tiny"]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each unit take a minute, as a picture of 500 megapixels on an old machine."""

    def sleep(*arguments: object) -> Answer:
        unit = arguments[-1]
        assert isinstance(unit, Unit)
        time.sleep(60)
        return Result(unit.key, Status.DONE)

    monkeypatch.setattr(loky, "_do", sleep)
    monkeypatch.setattr(member, "do", sleep)


@pytest.mark.usefixtures("slow")
@in_processes
def test_at_once_does_not_wait_for_what_is_in_flight(bench: Bench) -> None:
    before, stop = children(), Stop()

    def insist() -> None:
        stop.code, stop.at_once = ExitCode.SIGINT, True

    threading.Timer(1.5, insist).start()
    began = time.monotonic()
    assert list(bench.executor().answers(taking(bench.units()), stop)) == []
    assert 1 < time.monotonic() - began < 15
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
    assert time.monotonic() - began < 15
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
    monkeypatch.setattr(limits.time, "monotonic", lambda: next(moments))
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


@in_processes
def test_nobody_is_at_work_beside_a_unit_that_is_to_be_done_alone(bench: Bench) -> None:
    units = bench.units()
    units[3] = replace(units[3], alone=True)
    told, waiting = list[str](), list(units)

    def take() -> Unit | None:
        if not waiting:
            return None
        told.append(f"take {waiting[0].key}")
        return waiting.pop(0)

    with closing(bench.executor().answers(take, Stop())) as answers:
        for unit, answer in answers:
            assert isinstance(answer, Result)
            assert answer.status is Status.DONE
            told.append(f"done {unit.key}")
    alone = units[3].key
    before = told[: told.index(f"done {alone}")]
    taken = {each.removeprefix("take ") for each in before if each.startswith("take ")}
    assert taken - {alone} == {each.removeprefix("done ") for each in before if each.startswith("done ")}
    assert len([each for each in told if each.startswith("done ")]) == len(units)


@in_children
def test_a_picture_too_large_for_a_share_is_given_back_and_done_alone(bench: Bench) -> None:
    job = bench.context.job(bench.tmp_dir)
    crowded = loky.Loky(replace(job, memory=Memory(share=1, whole=10**9)), 2)
    units = bench.units()
    with closing(crowded.answers(taking(list(units)), Stop())) as answers:
        assert {answer for _, answer in answers} == {Alone()}
    alone = [replace(unit, alone=True) for unit in units]
    with closing(crowded.answers(taking(alone), Stop())) as answers:
        assert all(isinstance(answer, Result) and answer.status is Status.DONE for _, answer in answers)


@every
def test_a_picture_too_large_for_all_the_memory_fails_and_says_what_to_set(bench: Bench) -> None:
    settings = replace(bench.context.settings, max_memory=100)
    with closing(bench.executor(settings=settings).answers(taking(bench.units()[:1]), Stop())) as answers:
        ((_, answer),) = answers
    assert isinstance(answer, Result)
    assert (answer.status, answer.cause) == (Status.FAILED, Cause.MEMORY)
    assert "raise max_memory (now 100) to try it" in answer.reason
