"""The driver from inside: what whole runs through the command line do not show."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.archive.decision import Decision
from pipeline.archive.journal import Journal
from pipeline.archive.manifest import ManifestDrawer
from pipeline.ground.errors import ColorizeError, ExitCode, InputError, OutputError
from pipeline.ground.items import Answer, Halt, Kind, Result, Status, Unit
from pipeline.ground.settings import Settings
from pipeline.run import collect, driver
from pipeline.run.executors import loky
from pipeline.run.progress import Progress
from pipeline.run.voice import Ended, Event, Voice
from pipeline.run.worker import Worker
from tests.conftest import TINY, write_archive
from tests.conftest import TINY_SETTINGS as SETTINGS

pytestmark = pytest.mark.usefixtures("tiny_net")


def rows(output: Path) -> int:
    path = output / "manifest.csv"
    return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path.exists() else 0


def test_the_manifest_is_drawn_while_the_run_is_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawers: list[ManifestDrawer] = []

    def at_once(output: Path, **_: object) -> ManifestDrawer:
        drawers.append(ManifestDrawer(output, every=0.0))
        return drawers[0]

    monkeypatch.setattr(collect, "ManifestDrawer", at_once)
    write_archive(tmp_path / "scans", 3)
    seen: list[int] = []
    step = Progress.step

    def watched(self: Progress, *, problem: bool = False) -> None:
        drawers[0].wait()
        drawers[0]._due = 0.0
        seen.append(rows(tmp_path / "colour"))
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", watched)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    # A drawing may be late enough to see the next row, never early.
    assert seen[0] == 0
    assert seen[1] in (1, 2)
    assert seen[2] in (2, 3)
    assert rows(tmp_path / "colour") == 3


def test_the_manifest_is_there_before_the_first_picture_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[ManifestDrawer] = []
    draw = ManifestDrawer.draw
    monkeypatch.setattr(ManifestDrawer, "draw", lambda self: (drawn.append(self), draw(self)))
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "scans" / "notes.txt").write_text("notes")
    do = Worker.do

    def watched(self: Worker, unit: Unit) -> Answer:
        drawn[0].wait()
        assert rows(tmp_path / "colour") == 1, "notes.txt is known by the plan"
        return do(self, unit)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "do", watched)
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", replace(SETTINGS, saturation=0.5))
    assert len(drawn) == 1, "a later run has one already"


def test_a_manifest_is_drawn_anew_only_where_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Path] = []
    write = driver.write_manifest
    monkeypatch.setattr(driver, "write_manifest", lambda *args, **rest: (drawn.append(args[1]), write(*args, **rest)))
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    write_archive(scans, 2)

    def draws(**changes: object) -> int:
        drawn.clear()
        driver.run_archive([scans], colour, replace(SETTINGS, **changes))
        return len(drawn)

    assert [draws() for _ in range(3)] == [1, 0, 0]
    assert draws(manifest_bom=True) == 1
    assert draws(manifest_bom=True) == 0
    (scans / "notes.txt").write_text("of the plan alone")
    assert [draws(), draws()] == [1, 0]
    (colour / "manifest.csv").write_bytes((colour / "manifest.csv").read_bytes().replace(b"notes", b"money"))
    assert [draws(), draws()] == [1, 0]
    (colour / "manifest.csv").unlink()
    assert [draws(), draws()] == [1, 0]
    with monkeypatch.context() as patch:
        patch.setattr(driver, "keep_copy", lambda journal: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            draws(saturation=0.5)  # as good as killed: all is recorded, and nothing drawn
    assert draws(saturation=0.5) == 1


def test_films_wait_until_what_colorizes_them_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "WORKABLE", frozenset({Kind.PHOTO, Kind.PAGES}))
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "scans" / "reel.mp4").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0" * 64)
    summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert summary.counts == {"done": 1, "unsupported": 1}
    assert summary.exit_code == ExitCode.OK
    again = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert again.worked == 0


def test_a_picture_that_goes_while_the_run_works_is_vanished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_archive(tmp_path / "scans", 2)
    step = Progress.step

    def take_away(self: Progress, *, problem: bool = False) -> None:
        (paths[1].parent / "another.txt").touch()  # in an emptied folder a disk was lost
        paths[1].unlink(missing_ok=True)
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", take_away)
    summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert summary.counts == {"done": 1, "vanished": 1}
    assert summary.exit_code == ExitCode.OK


def test_an_input_that_goes_altogether_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 3)
    step = Progress.step

    def unplug(self: Progress, *, problem: bool = False) -> None:
        (tmp_path / "scans").rename(tmp_path / "elsewhere")
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", unplug)
    with pytest.raises(InputError, match="gone"):
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert rows(tmp_path / "colour") == 1  # the others wait for the disk to come back
    monkeypatch.undo()
    (tmp_path / "elsewhere").rename(tmp_path / "scans")
    assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS).worked == 2


def test_workers_that_cannot_start_blame_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 2)
    settings = Settings(model=TINY, engine="opencv", precision="float32", jobs=1)
    # A Job is no exit code: the worker ends at once.
    monkeypatch.setattr("pipeline.run.executors.loky._be_a_worker", lambda *_: os._exit(1))
    with pytest.raises(ColorizeError, match="die before they take a picture"):
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings)
    assert rows(tmp_path / "colour") == 0
    monkeypatch.undo()
    assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS).counts == {"done": 2}


def test_an_output_that_goes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 3)
    step = Progress.step

    def remove(self: Progress, *, problem: bool = False) -> None:
        shutil.rmtree(tmp_path / "colour", ignore_errors=True)
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", remove)
    with pytest.raises(OutputError):
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert not (tmp_path / "colour").exists()


def test_no_worker_is_started_when_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 1)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)

    def never(*_: object) -> None:
        raise AssertionError("a net was loaded for nothing")

    monkeypatch.setattr("pipeline.media.medium.open_net", never)
    assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS).worked == 0


def test_what_dead_runs_left_unfinished_is_gone_before_any_work_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 1)
    dead = tmp_path / "colour" / ".colorize" / "tmp" / "20250101T000000Z-dead00"
    dead.mkdir(parents=True)
    (dead / "0123.part").write_bytes(b"half a picture")
    there: list[bool] = []
    do = Worker.do

    def watched(self: Worker, unit: Unit) -> Answer:
        there.append(dead.exists())  # or its orphans could still publish
        return do(self, unit)

    monkeypatch.setattr(Worker, "do", watched)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert there == [False]
    assert not (tmp_path / "colour" / ".colorize" / "tmp").exists() or not list(dead.parent.iterdir())


def test_claims_are_on_the_disk_before_any_work_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 2)
    full, found = 2, []
    begin, do = driver.begin, Worker.do

    def watched(plan: object, journal: Journal, **rest: object) -> object:
        todo = begin(plan, journal, **rest)  # type: ignore[arg-type]
        found.append(("synchronous", journal.db.execute("PRAGMA synchronous").fetchone()[0]))
        found.append(("in one step", journal.db.in_transaction))
        return todo

    def looked_up(self: Worker, unit: Unit) -> Answer:
        with Journal(tmp_path / "colour", read_only=True) as journal:
            found.append(("claimed", journal.owners(unit.output) == {unit.key}))
        return do(self, unit)

    monkeypatch.setattr(driver, "begin", watched)
    monkeypatch.setattr(Worker, "do", looked_up)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert found == [("synchronous", full), ("in one step", True), ("claimed", True), ("claimed", True)]


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_halt_ends_the_run_and_nothing_more_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    write_archive(tmp_path / "scans", 40)
    error = OutputError("The output cannot be written: no space left on device. Make room.")
    did = tmp_path / "did"
    did.mkdir()

    def full(worker: object, unit: Unit) -> Answer:
        (did / unit.source.name).touch()
        return Halt(error) if len(list(did.iterdir())) > 3 else Result(unit.key, Status.SKIPPED)

    monkeypatch.setattr(Worker, "do", full)
    monkeypatch.setattr(loky, "_do", full)
    settings = replace(SETTINGS, executor="loky" if jobs else "serial", jobs=jobs or "auto")
    with pytest.raises(OutputError, match="Make room") as caught:
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings)
    assert caught.value.exit_code == ExitCode.INPUT_OUTPUT
    begun = len(list(did.iterdir()))
    assert begun == 4 if jobs == 0 else 4 <= begun <= 4 + loky.LOOK_AHEAD * jobs
    made = rows(tmp_path / "colour")
    assert made == 3 if jobs == 0 else made < begun
    with Journal(tmp_path / "colour", read_only=True) as journal:
        run, left = journal.last_run(), journal.left()
    assert run is not None
    assert (run.exit_code, left) == (ExitCode.INPUT_OUTPUT, (40 - made, 0))


def test_a_manifest_that_is_not_ours_is_refused_before_the_night_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "colour").mkdir()
    (tmp_path / "colour" / "manifest.csv").write_text("ship,passengers\n")
    monkeypatch.setattr(Worker, "do", lambda self, unit: pytest.fail("work was begun"))
    with pytest.raises(OutputError, match="not a manifest of this program"):
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert [path.name for path in (tmp_path / "colour").iterdir()] == ["manifest.csv"]
    assert (tmp_path / "colour" / "manifest.csv").read_text() == "ship,passengers\n"


def test_a_signal_while_the_plan_is_drawn_leaves_no_trace_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 3)
    plan = driver._plan

    def interrupted(*arguments: object) -> Iterator[Decision]:
        for number, decision in enumerate(plan(*arguments)):  # type: ignore[arg-type]
            if number == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield decision

    monkeypatch.setattr(driver, "_plan", interrupted)
    summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert (summary.exit_code, summary.worked, summary.counts) == (ExitCode.SIGTERM, 0, {})
    assert not (tmp_path / "colour").exists()


def test_what_is_ours_stays_ours_through_changes_of_mind(tmp_path: Path) -> None:
    hues = np.dstack([np.tile(np.arange(0, 180, 2, np.uint8), (60, 1)), *[np.full((60, 90), 200, np.uint8)] * 2])
    (tmp_path / "scans").mkdir()
    cv2.imwrite(str(tmp_path / "scans" / "parrot.png"), cv2.cvtColor(hues, cv2.COLOR_HSV2BGR))
    for on_color, status in [("copy", "copied"), ("skip", "skipped"), ("recolor", "done"), ("copy", "copied")]:
        settings = replace(SETTINGS, on_color=on_color)
        assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings).counts == {status: 1}
    assert (tmp_path / "colour" / "parrot.png").exists()
    assert not (tmp_path / "colour" / "parrot.jpg").exists()


def test_the_manifest_is_there_from_the_first_minute_on_a_share_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 2)
    (tmp_path / "scans" / "notes.txt").write_text("notes")
    monkeypatch.setattr("pipeline.archive.database.over_network", lambda path: True)
    seen: list[int] = []

    def see(event: Event) -> None:
        if isinstance(event, Ended):
            seen.append(len((tmp_path / "colour" / "manifest.csv").read_text().splitlines()))

    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS, voice=Voice(listeners=(see,)))
    assert seen == [2, 2], "the head, and what is known already"
