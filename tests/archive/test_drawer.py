"""The manifest drawn while a run works: nobody waits for it, and the last drawing is the whole one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.archive import manifest
from pipeline.archive.journal import Journal
from pipeline.archive.manifest import ManifestDrawer, write_manifest
from pipeline.ground.errors import OutputError
from pipeline.ground.items import Kind, Result, Status


def record(journal: Journal, *keys: str) -> None:
    for key in keys:
        journal.record(Result(key, Status.DONE), kind=Kind.PHOTO, fingerprint="f", run_id="r")


def rows(output: Path) -> int:
    path = output / "manifest.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else -1


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        record(journal, "a", "b")
        yield journal


def test_nothing_is_drawn_before_its_time(journal: Journal) -> None:
    drawer = ManifestDrawer(journal.output, every=60)
    drawer.draw_when_due()
    drawer.wait()
    assert rows(journal.output) == -1


def test_it_is_drawn_when_due_from_what_was_recorded_by_then(journal: Journal) -> None:
    drawer = ManifestDrawer(journal.output, every=0)
    drawer.draw_when_due()
    drawer.wait()
    assert rows(journal.output) == 2


def test_nobody_waits_for_it_and_there_is_one_at_a_time(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, drawings = threading.Event(), threading.Event(), []

    def slow(reader: Journal, output: Path, **_: object) -> Path:
        drawings.append(threading.current_thread())
        begun.set()
        assert go_on.wait(300)
        return write_manifest(reader, output)

    monkeypatch.setattr(manifest, "write_manifest", slow)
    drawer = ManifestDrawer(journal.output, every=0)
    for number in range(50):
        drawer.draw_when_due()
        record(journal, f"c{number}")  # the driver goes on recording
    assert begun.wait(60)
    assert drawings[0].is_alive()
    assert rows(journal.output) == -1
    go_on.set()
    drawer.wait()
    assert len(drawings) == 1
    assert drawings[0] is not threading.main_thread()
    assert rows(journal.output) >= 2
    write_manifest(journal, journal.output)
    assert rows(journal.output) == 52


def test_a_drawing_that_takes_long_is_repeated_less_often(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(manifest.time, "monotonic", lambda: now[0])
    drawings: list[float] = []

    def ten_seconds(reader: Journal, output: Path, **_: object) -> None:
        drawings.append(now[0])
        now[0] += 10

    monkeypatch.setattr(manifest, "write_manifest", ten_seconds)
    drawer = ManifestDrawer(journal.output, every=60)
    for _ in range(500):
        drawer.draw_when_due()
        drawer.wait()
        now[0] += 1
    first, second, *more = drawings
    assert first == 160
    assert second == pytest.approx(first + 10 + 20 * 10, abs=2)
    assert len(more) <= 1


def test_what_keeps_it_from_being_drawn_is_not_said_before_the_end(journal: Journal) -> None:
    (journal.output / "manifest.csv").write_text("ship,passengers\n")
    drawer = ManifestDrawer(journal.output, every=0)
    drawer.draw_when_due()
    drawer.wait()
    assert (journal.output / "manifest.csv").read_text() == "ship,passengers\n"
    with pytest.raises(OutputError, match="not a manifest"):
        write_manifest(journal, journal.output)


def test_to_wait_for_nothing_is_no_wait(journal: Journal) -> None:
    ManifestDrawer(journal.output).wait()


def test_two_drawings_at_the_same_time_do_not_mix(journal: Journal) -> None:
    drawer = ManifestDrawer(journal.output, every=0)
    for _ in range(20):
        drawer.draw_when_due()
        write_manifest(journal, journal.output)
        assert rows(journal.output) == 2
    drawer.wait()
    assert rows(journal.output) == 2
    assert not list((journal.output / ".colorize" / "tmp").iterdir())
