"""What becomes of items whose sources are gone, renamed, or not to be reached."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.archive import discover
from pipeline.archive.begin import begin
from pipeline.archive.decision import Decision
from pipeline.archive.journal import Journal
from pipeline.archive.prune import prunable, prune
from pipeline.ground.items import Kind

if TYPE_CHECKING:
    from tests.archive.conftest import Archive

JPEG = b"\xff\xd8\xff\xe0"


def test_items_that_are_gone(archive: Archive) -> None:
    paths = {name: archive.put(f"{name}.jpg", JPEG + name.encode()) for name in ["done", "failed", "waiting", "rest"]}
    notes = archive.put("notes.txt", b"notes")
    archive.fails = {"failed.jpg"}
    archive.run(kill_after=2)  # done, failed; then rest, waiting are left
    for path in [*paths.values(), notes]:
        if path.name != "rest.jpg":
            path.unlink()
    archive.run()
    assert archive.statuses() == {
        "done.jpg": "gone",
        "failed.jpg": "vanished",
        "rest.jpg": "done",
        "waiting.jpg": "vanished",
    }
    with Journal(archive.output, read_only=True) as journal:
        rows = {row.key: row for row in journal.rows()}
    assert (rows["failed.jpg"].kind, rows["failed.jpg"].reason) == ("vanished", "gone since it failed: truncated")
    assert (rows["waiting.jpg"].kind, rows["waiting.jpg"].reason) == ("vanished", "gone before its turn came")
    archive.run()
    assert len(archive.statuses()) == 4


def test_what_is_decided_of_the_gone_says_so(archive: Archive) -> None:
    archive.put("failed.jpg")
    notes = archive.put("notes.txt", b"notes")
    archive.put("waiting.jpg")
    archive.fails = {"failed.jpg"}
    archive.run(kill_after=1)
    for path in list(archive.source.iterdir()):
        path.unlink()
    with Journal(archive.output) as journal:
        decisions = list(archive._decisions(journal, accept_gone=True))
    assert {(each.found.path, each.found.place, each.found.kind, each.names) for each in decisions} == {
        ("", "", Kind.VANISHED, None)
    }
    assert [(each.found.key, each.action, each.why) for each in decisions] == [
        ("failed.jpg", "record", "vanished: gone since it failed: truncated"),
        (notes.name, "forget", "gone; unsupported before: not a picture or film"),
        ("waiting.jpg", "record", "vanished: gone before its turn came"),
    ]


def test_outputs_whose_sources_are_gone_say_so_and_those_of_renamed_ones_go_along(archive: Archive) -> None:
    for name in ("gone", "old", "without a hash", "kept"):
        archive.put(f"{name}.jpg", JPEG + name.encode())
    archive.run()
    with Journal(archive.output) as journal:
        journal.db.execute("UPDATE items SET source_sha256 = '' WHERE key LIKE 'without%'")
    (archive.source / "gone.jpg").unlink()
    for before, after in (("old", "new"), ("without a hash", "then")):
        (archive.source / f"{before}.jpg").rename(archive.source / f"{after}.jpg")
    archive.made.clear()
    archive.run()
    with Journal(archive.output, read_only=True) as journal:
        gone = {row.key: row.reason for row in journal.rows() if row.status == "gone"}
    assert gone == dict.fromkeys(("gone.jpg", "without a hash.jpg"), "its source is no longer there")
    assert archive.made == ["then.jpg"]


@pytest.mark.parametrize(("fingerprint", "action"), [("f1", "move"), ("f2", "renew")])
def test_a_rename_is_told(archive: Archive, fingerprint: str, action: str) -> None:
    archive.put("old.jpg", JPEG + b"old")
    archive.put("kept.jpg")
    archive.run()
    (archive.source / "old.jpg").rename(archive.source / "new.jpg")
    told: list[Decision] = []

    def overheard(decisions: Iterable[Decision]) -> Iterator[Decision]:
        for decision in decisions:
            told.append(decision)
            yield decision

    with Journal(archive.output) as journal, journal.transaction():
        plan = overheard(archive._decisions(journal, fingerprint=fingerprint))
        begin(plan, journal, run_id="r", fingerprint=lambda kind, key: fingerprint, on_failure=lambda result: None)
    (decision,) = [each for each in told if not each.found.path]
    assert (decision.found.key, decision.action, decision.why) == ("old.jpg", action, "renamed to new.jpg")
    assert (decision.found.kind, decision.found.place) == (Kind.VANISHED, "")


def test_what_cannot_be_read_is_nobody_s_new_name(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.put("old.jpg", JPEG + b"old")
    archive.put("kept.jpg")
    archive.run()
    (archive.source / "old.jpg").rename(archive.source / "new.jpg")

    def refuse(_: Path) -> str:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.ground.files.sha256", refuse)
        archive.run()
    assert archive.statuses() == {"kept.jpg": "done", "new.jpg": "done", "old.jpg": "gone"}


def test_an_unreadable_file_hides_no_other_that_is_gone(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.put("2")
    gone = archive.put("2b.jpg")
    archive.fails = {"2b.jpg"}
    archive.run()
    gone.unlink()
    os.utime(archive.source / "2", ns=(1, 1))

    def refuse(_: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(discover, "_head", refuse)
    archive.run()
    assert archive.statuses() == {"2": "failed", "2b.jpg": "vanished"}


def test_a_folder_that_cannot_be_listed_fails_and_its_items_wait(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.put("locked/1.jpg")
    archive.fails = {"locked/1.jpg"}
    archive.run()
    scandir = os.scandir
    with monkeypatch.context() as patch:

        def refuse(path: str) -> object:
            if str(path).endswith("locked"):
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        patch.setattr(os, "scandir", refuse)
        archive.run()
        assert archive.statuses() == {"locked/": "failed", "locked/1.jpg": "failed"}
        assert archive.why() == {"locked/": ("keep", "failed: this folder cannot be read: permission denied")}
    archive.run()
    assert archive.statuses() == {"locked/1.jpg": "failed"}


def test_what_has_its_source_again_is_not_pruned(archive: Archive) -> None:
    """A disk below INPUT that was not mounted for one night."""
    for name in ("box/1.jpg", "box/2.jpg", "3.jpg"):
        archive.put(name, name.encode())
    archive.run()
    away = archive.source.parent / "away"
    (archive.source / "box").rename(away)
    (archive.source / "box").mkdir()
    archive.run()
    assert archive.statuses() == {"3.jpg": "done", "box/1.jpg": "gone", "box/2.jpg": "gone"}
    (archive.source / "box").rmdir()
    away.rename(archive.source / "box")
    (archive.source / "box" / "2.jpg").unlink()
    kept = {key: why for key, _, why in prunable(archive.output)}
    assert kept == {"box/1.jpg": "its source is there again", "box/2.jpg": ""}
    assert prune(archive.output).removed == 1
    assert (archive.output / "box" / "1.jpg").exists()
    made = len(archive.made)
    archive.run()
    assert (archive.statuses(), len(archive.made)) == ({"3.jpg": "done", "box/1.jpg": "done"}, made)
