"""What every executor owes a run: one suite over all that `--executor` can name."""

from __future__ import annotations

import gc
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.ground.errors import Cause, ExitCode, ModelError
from pipeline.ground.items import Alone, Answer, Halt, Result, Status, Unit
from pipeline.media.medium import Memory
from pipeline.nets.resolve import resolve
from pipeline.run.executors import loky
from pipeline.run.signals import Stop
from tests.run.executor_bench import Bench, bench, children, every, in_children, in_processes, taking

__all__ = ["bench"]


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
