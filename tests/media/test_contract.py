"""What every medium owes a run, whatever its items are: one suite over all kinds that can be worked on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.colour.verdict import judge
from pipeline.ground.errors import Cause, EngineError, ModelError, OutputError
from pipeline.ground.items import Answer, Halt, Kind, Result, Seen, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.table import IN_PIECES, WHOLE, WORKABLE, first_verb, suffix
from pipeline.run.worker import Worker
from tests.media.specimens import SPECIMENS, Painted, first_unit, job, shown, whole

SETTINGS = Settings(format="png", encoder="ffv1")  # nothing is lost after the colour was made
CASES = {str(kind): (kind, SETTINGS) for kind in sorted(WORKABLE)} | {
    f"{kind}, the first": (kind, replace(SETTINGS, pages="first")) for kind in sorted(set(WHOLE) & set(IN_PIECES))
}


@dataclass
class Bench:
    """One item, a net, and a worker for them."""

    kind: Kind
    settings: Settings
    source: Path
    output: Path
    nets: list[Painted]

    def worker(self, **changes: object) -> Worker:
        return Worker(job(self.output, replace(self.settings, **changes)))

    def unit(self, **changes: object) -> Unit:
        return first_unit(self.source, self.kind, replace(self.settings, **changes))

    def do(self, order: Callable[[list[Unit]], list[Unit]] = lambda units: units, **changes: object) -> Answer:
        """Do all units of the item; the answer that ends it."""
        return whole(self.worker(**changes), self.unit(**changes), order)

    def made(self, **changes: object) -> Result:
        result = self.do(**changes)  # type: ignore[arg-type]
        assert isinstance(result, Result)
        return result

    def file(self, result: Result) -> Path:
        assert result.filed is not None
        return self.output / result.filed.place


@pytest.fixture(params=CASES)
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    kind, settings = CASES[request.param]
    (tmp_path / "scans").mkdir()
    (tmp_path / "colour").mkdir()
    nets: list[Painted] = []

    def open_painted(*_: object) -> Painted:
        nets.append(Painted())
        return nets[-1]

    monkeypatch.setattr("pipeline.media.medium.open_net", open_painted)
    source = SPECIMENS[kind](tmp_path / "scans", False)
    return Bench(kind, settings, source, tmp_path / "colour", nets)


def in_colour(bench: Bench) -> None:
    assert SPECIMENS[bench.kind](bench.source.parent, True) == bench.source


def left_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_kind_that_can_be_worked_on_has_a_specimen() -> None:
    assert set(SPECIMENS) == set(WORKABLE)
    assert set(WHOLE) | set(IN_PIECES) == set(WORKABLE)


def test_it_is_colorized_and_all_is_said_of_it(bench: Bench) -> None:
    result = bench.made()
    assert (result.key, result.status, result.cause) == (bench.source.name, Status.DONE, Cause.NONE)
    assert (result.model, result.engine) == ("painted", "opencv/float32")
    assert result.filed is not None
    assert result.filed.place == bench.unit().output
    data = bench.file(result).read_bytes()
    assert (result.filed.size, result.filed.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    found = bench.source.stat()
    seen = result.seen
    assert (seen.source_size, seen.source_mtime_ns) == (found.st_size, found.st_mtime_ns)
    assert seen.source_sha256 == hashlib.sha256(bench.source.read_bytes()).hexdigest()
    assert (seen.verdict, seen.width, seen.height, seen.bits) == ("neutral", 80, 60, 8)
    assert result.seconds > 0
    assert judge(shown(bench.kind, bench.file(result))).kind != "neutral"


def test_nothing_is_left_but_the_output_and_the_parts(bench: Bench) -> None:
    bench.made()
    places = left_in(bench.output)
    assert {place for place in places if not place.startswith(".colorize/parts/item/")} == {bench.unit().output}


def test_the_original_is_only_read(bench: Bench) -> None:
    bench.source.chmod(0o444)
    before = (bench.source.stat().st_mtime_ns, bench.source.read_bytes())
    bench.made()
    assert (bench.source.stat().st_mtime_ns, bench.source.read_bytes()) == before
    assert left_in(bench.source.parent) == {bench.source.name}


def test_the_order_of_pieces_and_doing_them_twice_changes_no_byte(bench: Bench) -> None:
    first = bench.made()
    data = bench.file(first).read_bytes()
    again = bench.made(order=lambda units: [*reversed(units), *units])
    assert bench.file(again).read_bytes() == data
    assert first.filed is not None
    assert again.filed is not None
    filed = replace(again.filed, mtime_ns=first.filed.mtime_ns)  # it was written at another time
    assert replace(again, filed=filed, seconds=0) == replace(first, seconds=0)


def test_spans_are_numbered_and_cover_frames_one_after_another(bench: Bench) -> None:
    if first_verb(bench.kind, bench.settings) is Verb.MAKE:
        return
    scanned = bench.worker().do(bench.unit())
    assert isinstance(scanned, Result)
    assert [span.number for span in scanned.spans] == list(range(len(scanned.spans)))
    assert all(span.start < span.stop for span in scanned.spans)
    assert all(a.stop <= b.start for a, b in zip(scanned.spans, scanned.spans[1:], strict=False))
    assert bench.nets[0].asked == 0


@pytest.mark.parametrize("on_color", ["copy", "skip", "recolor"])
def test_what_is_in_colour_is_treated_as_wished(bench: Bench, on_color: str) -> None:
    in_colour(bench)
    result = bench.made(on_color=on_color)
    assert result.seen.verdict == "color"
    if on_color == "copy":
        assert (result.status, result.cause, result.reason) == (Status.COPIED, Cause.IN_COLOUR, "already in colour")
        assert result.filed is not None
        assert result.filed.place == bench.unit().copy_output
        assert bench.file(result).read_bytes() == bench.source.read_bytes()
        assert result.filed.sha256 == hashlib.sha256(bench.source.read_bytes()).hexdigest()
        assert bench.file(result).stat().st_mtime_ns == bench.source.stat().st_mtime_ns
    elif on_color == "skip":
        assert (result.status, result.cause, result.filed) == (Status.SKIPPED, Cause.IN_COLOUR, None)
        assert not (bench.output / "made").exists()
    else:
        assert (result.status, result.cause) == (Status.DONE, Cause.NONE)
        assert result.filed is not None
        assert result.filed.place == bench.unit().output
    assert (result.model, result.engine) == (("painted", "opencv/float32") if on_color == "recolor" else ("", ""))


def test_saturation_comes_through(bench: Bench) -> None:
    spread = {}
    for saturation in (0.0, 0.5, 1.0):
        pixels = shown(bench.kind, bench.file(bench.made(saturation=saturation))).astype(int)
        spread[saturation] = float((pixels.max(axis=2) - pixels.min(axis=2)).mean())
    assert spread[0.0] <= 1
    assert spread[0.0] + 5 < spread[0.5] < spread[1.0] - 5


def test_max_megapixels_comes_through(bench: Bench) -> None:
    result = bench.made(max_megapixels=0.001)
    assert (result.status, result.cause) == (Status.FAILED, Cause.TOO_LARGE)
    assert "raise max_megapixels (now 0.001)" in result.reason
    assert result.filed is None


def test_damage_fails_it_with_a_reason(bench: Bench) -> None:
    data = bench.source.read_bytes()
    bench.source.write_bytes(data[: len(data) // 9])  # inside the first picture
    result = bench.made()
    assert result.status is Status.FAILED
    assert result.cause is Cause.DAMAGED
    assert "truncated" in result.reason or "damaged" in result.reason
    assert str(bench.source.parent) not in result.reason
    assert result.seen.source_size == len(data) // 9
    assert not (bench.output / "made").exists()


def test_what_is_no_such_thing_fails(bench: Bench) -> None:
    bench.source.write_text("<html>not found</html>")
    result = bench.made()
    assert result.status is Status.FAILED
    assert result.cause in (Cause.DAMAGED, Cause.NO_PICTURE)


def test_what_is_gone_has_vanished(bench: Bench) -> None:
    unit = bench.unit()
    bench.source.with_name("another").touch()  # else a disk was lost
    bench.source.unlink()
    answer = bench.worker().do(unit)
    assert isinstance(answer, Result)
    assert answer.status is Status.VANISHED
    assert answer.seen == Seen()


def test_what_became_a_named_pipe_is_not_opened(bench: Bench) -> None:
    unit = bench.unit()
    bench.source.unlink()
    os.mkfifo(bench.source)
    answer = bench.worker().do(unit)
    assert isinstance(answer, Result)
    assert (answer.status, answer.cause) == (Status.FAILED, Cause.SYSTEM)
    assert "something else has taken its name" in answer.reason


def test_of_a_run_that_is_over_nothing_is_published(bench: Bench) -> None:
    worker, unit = bench.worker(), bench.unit()
    (bench.output / ".colorize" / "tmp" / "run").rmdir()
    answer = whole(worker, unit)
    assert isinstance(answer, Halt)
    assert isinstance(answer.error, OutputError)
    assert left_in(bench.output) == set()


def test_a_name_that_cannot_be_written_fails_the_item_alone(bench: Bench) -> None:
    (bench.output / "made").write_text("in the way of the folder")
    result = bench.made()
    assert (result.status, result.cause) == (Status.FAILED, Cause.IN_THE_WAY)


def test_an_engine_that_stumbles_is_opened_anew_once(bench: Bench) -> None:
    worker = bench.worker()
    bench.nets[0].fails = [EngineError("The engine stopped working.")]
    result = whole(worker, bench.unit())
    assert isinstance(result, Result)
    assert result.status is Status.DONE
    assert len(bench.nets) == 2


def test_an_engine_that_is_gone_ends_the_run_and_fails_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = bench.worker()
    bench.nets[0].fails = [EngineError("The engine stopped working.")]
    dead = Painted(fails=[EngineError("The engine stopped working again.")])
    monkeypatch.setattr("pipeline.media.medium.open_net", lambda *_: dead)
    answer = whole(worker, bench.unit())
    assert isinstance(answer, Halt)
    assert isinstance(answer.error, EngineError)
    assert str(answer.error) == "The engine stopped working again."
    assert dead.asked == 1


def test_a_net_that_answers_no_colour_ends_the_run(bench: Bench) -> None:
    worker = bench.worker()
    bench.nets[0].fails = [ModelError("Its answer is not finite.")]
    answer = whole(worker, bench.unit())
    assert isinstance(answer, Halt)
    assert len(bench.nets) == 1, "another net of the same file would answer the same"


def test_want_of_memory_fails_the_item_alone(bench: Bench) -> None:
    worker = bench.worker()
    bench.nets[0].fails = [MemoryError()]
    answer = whole(worker, bench.unit())
    assert isinstance(answer, Result)
    assert (answer.status, answer.cause) == (Status.FAILED, Cause.MEMORY)


def test_a_fault_of_the_program_fails_the_item_alone(bench: Bench) -> None:
    worker = bench.worker()
    bench.nets[0].fails = [ZeroDivisionError("division by zero")]
    answer = whole(worker, bench.unit())
    assert isinstance(answer, Result)
    assert (answer.status, answer.cause) == (Status.FAILED, Cause.FAULT)
    assert "a fault of the program: ZeroDivisionError: division by zero" in answer.reason


def test_a_source_that_is_another_than_was_found_is_not_taken_for_it(bench: Bench) -> None:
    worker, unit = bench.worker(), bench.unit()
    os.utime(bench.source, ns=(1, 1))
    answer = worker.do(unit)
    assert isinstance(answer, Result)
    if unit.verb is Verb.MAKE:  # read in one go, and recorded as it was read
        assert (answer.status, answer.seen.source_mtime_ns) == (Status.DONE, 1)
    else:
        assert (answer.status, answer.cause) == (Status.FAILED, Cause.SYSTEM)
        assert "changed while it was colorized" in answer.reason


def test_the_suffix_of_the_output_says_what_it_is(bench: Bench) -> None:
    result = bench.made()
    assert bench.file(result).suffix == suffix(bench.kind, bench.source.suffix, bench.settings)
    pixels = shown(bench.kind, bench.file(result))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (60, 80, 3)
