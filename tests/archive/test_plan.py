from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.archive import discover
from pipeline.archive.journal import Journal
from pipeline.archive.row import RECOVERED
from pipeline.ground.errors import Cause
from pipeline.ground.items import Kind

if TYPE_CHECKING:
    from tests.archive.conftest import Archive

JPEG = b"\xff\xd8\xff\xe0"


def touch(path: Path, seconds: int) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + seconds * 10**9))


def test_first_run_does_all_and_the_second_nothing(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("a/2.jpg")
    archive.put("notes.txt", b"notes")
    assert archive.why() == {
        "1.jpg": ("todo", "new"),
        "a/2.jpg": ("todo", "new"),
        "notes.txt": ("record", "unsupported: not a picture or film"),
    }
    archive.run()
    assert archive.statuses() == {"1.jpg": "done", "a/2.jpg": "done", "notes.txt": "unsupported"}
    assert archive.counts() == {"done": 2, "keep": 1}


def test_without_a_journal_all_is_new_and_nothing_is_written(archive: Archive) -> None:
    archive.put("1.jpg")
    with Journal.empty(archive.output) as journal:
        decisions = list(archive._decisions(journal))
    assert [(decision.action, decision.why) for decision in decisions] == [("todo", "new")]
    assert not archive.output.exists()


def test_what_changed_is_done_again_and_the_reason_is_said(archive: Archive) -> None:
    paths = [archive.put(f"{number}.jpg") for number in range(5)]
    archive.run()
    paths[0].write_bytes(b"\xff\xd8\xff\xe1")
    paths[1].write_bytes(b"\xff\xd8\xff longer")
    (archive.output / "2.jpg").unlink()
    (archive.output / "3.jpg").write_bytes(b"torn")
    assert list(archive.why().values()) == [
        ("todo", "source changed"),
        ("todo", "source changed"),
        ("todo", "output missing"),
        ("mark", "edited: changed by somebody since it was written; --replace-edited makes it anew"),
        ("done", "done before"),
    ]
    assert archive.why(fingerprint="f2")["4.jpg"] == ("todo", "settings changed")
    archive.made.clear()
    archive.run()
    assert archive.made == ["0.jpg", "1.jpg", "2.jpg"]


def test_what_is_known_and_unchanged_is_not_opened_but_what_failed_is(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, other = archive.put("1.jpg"), archive.put("2.jpg"), archive.put("3.jpg")
    archive.fails = {"2.jpg"}
    archive.run()
    touch(other, 1)
    opened: list[str] = []
    monkeypatch.setattr(discover, "_head", lambda name: opened.append(Path(name).name) or JPEG)
    archive.plan()
    assert opened == ["2.jpg", "3.jpg"]
    path.write_bytes(JPEG + b"longer")
    opened.clear()
    archive.plan()
    assert opened == ["1.jpg", "2.jpg", "3.jpg"]


def test_what_is_to_be_done_anew_is_looked_at_anew(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.put("1.jpg")
    archive.run()
    opened: list[str] = []
    monkeypatch.setattr(discover, "_head", lambda name: opened.append(Path(name).name) or JPEG)
    archive.plan()
    assert opened == []
    archive.plan(fingerprint="f2")
    assert opened == ["1.jpg"]


def test_outputs_under_an_older_fingerprint_that_means_the_same_are_done(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run(fingerprint="v1")
    assert archive.why(also=("v1",)) == {"1.jpg": ("done", "done before")}
    assert archive.why() == {"1.jpg": ("todo", "settings changed")}


def test_what_came_back_from_a_manifest_counts_as_made_by_the_run_that_took_it_over(archive: Archive) -> None:
    path = archive.put("1.jpg")
    archive.run(fingerprint="of yore")
    with Journal(archive.output) as journal:
        journal.db.execute("UPDATE items SET fingerprint = ?, run_id = ''", (RECOVERED,))
    touch(path, 5)
    archive.run()
    with Journal(archive.output, read_only=True) as journal:
        last = journal.last_run()
        assert last is not None
        assert [(row.fingerprint, row.run_id) for row in journal.rows()] == [("f1", last.run_id)]
    assert archive.made == ["1.jpg"]
    assert archive.why() == {"1.jpg": ("done", "done before")}
    assert archive.why(fingerprint="f2") == {"1.jpg": ("todo", "settings changed")}


def test_what_was_copied_or_skipped_stays_so(archive: Archive) -> None:
    archive.put("1.png", b"\x89PNG\r\n\x1a\n")
    archive.put("2.png", b"\x89PNG\r\n\x1a\n")
    archive.copies, archive.skips = {"1.png"}, {"2.png"}
    archive.run()
    assert archive.why() == {
        "1.png": ("done", "done before"),
        "2.png": ("done", "skipped: already in colour"),
    }
    assert archive.why(fingerprint="f2") == dict.fromkeys(("1.png", "2.png"), ("todo", "settings changed"))
    archive.put("2.png", b"\x89PNG\r\n\x1a\n of another day")
    assert archive.why()["2.png"] == ("todo", "source changed")


def test_an_archive_whose_pictures_all_changed_is_still_the_same_one(archive: Archive) -> None:
    for number in range(3):
        archive.put(f"{number}.jpg")
    archive.run()
    for number in range(3):
        archive.put(f"{number}.jpg", JPEG + b"developed anew")
    assert set(archive.why().values()) == {("todo", "source changed")}


def test_a_source_that_cannot_be_verified_has_changed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.put("1.jpg")
    archive.run()

    def refuse(_: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pipeline.ground.files.sha256", refuse)
    assert archive.why(verify=True) == {"1.jpg": ("todo", "source changed")}


def test_a_file_that_goes_while_the_folder_is_read_has_vanished_and_may_come_back(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.put("1.jpg")

    def gone(_: str) -> bytes:
        raise FileNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr(discover, "_head", gone)
        archive.run()
    assert archive.statuses() == {"1.jpg": "vanished"}
    os.utime(archive.source / "1.jpg", ns=(1, 1))
    assert archive.why() == {"1.jpg": ("todo", "found again")}


def test_what_was_finished_is_not_called_failed_because_it_cannot_be_opened_now(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.put("1.jpg")
    archive.put("new.jpg")
    archive.fails = {"new.jpg"}
    archive.run()

    def refuse(_: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(discover, "_head", refuse)
    assert archive.why(fingerprint="f2") == {
        "1.jpg": ("todo", "settings changed"),
        "new.jpg": ("record", "failed: it cannot be read: permission denied"),
    }


def test_a_failure_of_a_run_that_nobody_knows_is_left_alone(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.fails, archive.cause = {"1.jpg"}, Cause.TOO_LARGE
    archive.run()
    with Journal(archive.output) as journal:
        journal.db.execute("DELETE FROM runs")
    assert archive.why() == {"1.jpg": ("keep", "failed before: truncated")}


def test_notes_that_changed_are_recorded_as_they_are_now(archive: Archive) -> None:
    archive.put("notes.txt", b"notes")
    archive.run()
    assert archive.why() == {"notes.txt": ("keep", "unsupported: not a picture or film")}
    archive.put("notes.txt", b"more notes")
    assert archive.why() == {"notes.txt": ("record", "unsupported: not a picture or film")}


def test_verify_goes_by_content(archive: Archive) -> None:
    same, other = archive.put("1.jpg"), archive.put("2.jpg")
    archive.run()
    status = other.stat()
    other.write_bytes(b"\xff\xd8\xff\xe1")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    touch(same, 5)
    assert archive.why()["2.jpg"] == ("done", "done before")
    assert archive.why(verify=True) == {"1.jpg": ("done", "done before"), "2.jpg": ("todo", "source changed")}


def test_failed_items_wait_for_retry_failed_or_another_source(archive: Archive) -> None:
    path = archive.put("1.jpg")
    archive.fails = {"1.jpg"}
    archive.run()
    assert archive.why() == {"1.jpg": ("keep", "failed before: truncated")}
    assert archive.why(fingerprint="f2")["1.jpg"] == ("keep", "failed before: truncated")
    assert archive.why(retry_failed=True) == {"1.jpg": ("todo", "failed before: truncated")}
    touch(path, 1)
    assert archive.why() == {"1.jpg": ("todo", "source changed")}


def test_a_crash_is_held_against_the_source_that_was_found(archive: Archive) -> None:
    path = archive.put("1.jpg")
    archive.crashes = {"1.jpg"}
    archive.run()
    assert archive.why() == {"1.jpg": ("keep", "crashed before: its worker died twice")}
    touch(path, 1)
    assert archive.why() == {"1.jpg": ("todo", "source changed")}


def test_after_a_kill_only_the_rest_is_done(archive: Archive) -> None:
    for number in range(5):
        archive.put(f"{number}.jpg")
    archive.run(kill_after=2)
    assert [action for action, _ in archive.why().values()] == ["done", "done", "todo", "todo", "todo"]
    assert archive.why()["3.jpg"] == ("todo", "unfinished")
    archive.run()
    assert archive.made == [f"{number}.jpg" for number in range(5)]


def test_an_output_published_just_before_a_kill_is_known_as_ours(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run(kill_after=0, publish_before_kill=True)
    assert (archive.output / "1.jpg").exists()
    assert archive.why() == {"1.jpg": ("todo", "unfinished")}
    archive.run()
    assert archive.statuses() == {"1.jpg": "done"}


def test_a_foreign_file_is_never_written_over(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("2.png", b"\x89PNG\r\n\x1a\n")
    archive.put("3.jpg")
    archive.put("deep/4.jpg")
    archive.output.mkdir()
    (archive.output / "1.jpg").write_bytes(b"mine")
    (archive.output / "2.png").write_bytes(b"mine too")
    (archive.output / "3.jpg").mkdir()
    (archive.output / "deep").write_bytes(b"mine as well")
    archive.put("far/away/5.jpg")
    archive.put("far/away/from/6.jpg")
    archive.put("lost/7.jpg")
    (archive.output / "far").mkdir()
    (archive.output / "far" / "away").write_bytes(b"and mine")
    (archive.output / "lost").symlink_to(archive.output / "nowhere")
    archive.run()
    assert (archive.output / "1.jpg").read_bytes() == b"mine"
    with Journal(archive.output, read_only=True) as journal:
        assert [(row.status, row.reason) for row in journal.rows()] == [
            ("failed", "a file that this program did not write is in the way: 1.jpg"),
            ("failed", "a file that this program did not write is in the way: 2.png"),
            ("failed", "a folder is in the way: 3.jpg"),
            ("failed", "a file is in the way of the folder: deep"),
            ("failed", "a file is in the way of the folder: far/away"),
            ("failed", "a file is in the way of the folder: far/away"),
            ("failed", "a symbolic link is in the way of the folder: lost"),
        ]
    assert {action for action, _ in archive.why().values()} == {"record"}
    (archive.output / "1.jpg").unlink()
    assert archive.why()["1.jpg"][0] == "todo"


def test_output_may_be_a_link_but_no_folder_in_it(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.jpg")
    archive.put("box/2.jpg")
    (tmp_path / "disk" / "elsewhere").mkdir(parents=True)
    archive.output.symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "box").symlink_to("elsewhere")
    assert archive.why() == {
        "1.jpg": ("todo", "new"),
        "box/2.jpg": ("record", "a symbolic link is in the way of the folder: box"),
    }


def test_what_a_person_said_of_an_item_goes_before_what_holds_for_all(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("2.jpg")
    archive.run()
    assert archive.why(listed={"1.jpg": {Kind.PHOTO: ("f1 listed",)}}) == {
        "1.jpg": ("todo", "settings changed"),
        "2.jpg": ("done", "done before"),
    }
    listed = {"1.jpg": {Kind.PHOTO: ("f1",)}}
    assert {key: action for key, (action, _) in archive.why(fingerprint="f2", listed=listed).items()} == {
        "1.jpg": "done",
        "2.jpg": "todo",
    }


def test_an_output_of_ours_stays_ours_when_its_item_fails_later(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    archive.fails = {"1.jpg"}
    archive.run(fingerprint="f2")
    assert archive.statuses() == {"1.jpg": "failed"}
    archive.fails = set()
    archive.run(fingerprint="f2", retry_failed=True)
    assert archive.statuses() == {"1.jpg": "done"}


def test_what_somebody_made_by_hand_for_a_failed_item_stays(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.fails = {"1.jpg"}
    archive.run()
    (archive.output / "1.jpg").write_bytes(b"coloured by hand")
    assert archive.why() == {"1.jpg": ("keep", "failed before: truncated")}
    action, why = archive.why(retry_failed=True)["1.jpg"]
    assert (action, why[:31]) == ("record", "a file that this program did no")


def test_a_newcomer_changes_names_and_the_old_output_goes(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    archive.put("1.png", b"\x89PNG\r\n\x1a\n")
    assert archive.why()["1.jpg"] == ("todo", "its output has another name now")
    archive.run()
    assert sorted(path.name for path in archive.output.glob("*.*g")) == ["1.jpg.jpg", "1.png.jpg"]
    assert archive.counts() == {"done": 2}


def test_an_old_output_that_somebody_edited_stays(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    (archive.output / "1.jpg").write_bytes(b"retouched for hours")
    archive.run(suffix=".png")
    assert (archive.output / "1.jpg").read_bytes() == b"retouched for hours"
    assert archive.statuses() == {"1.jpg": "edited"}
    archive.run(suffix=".png", replace_edited=True)
    assert (archive.output / "1.jpg").read_bytes() == b"retouched for hours"
    assert (archive.output / "1.png").exists()


def test_a_renamed_source_takes_over_its_output(archive: Archive) -> None:
    path = archive.put("1.tif", b"II*\0")
    archive.run()
    path.rename(path.with_suffix(".tiff"))
    archive.run()
    assert archive.statuses() == {"1.tiff": "done"}
    with Journal(archive.output) as journal:
        assert journal.owners("1.jpg") == {"1.tiff"}


def test_names_swapped_between_sources_lose_nothing(archive: Archive) -> None:
    # A literal a.jpg.jpg had that name first; a.png makes a.jpg want it.
    archive.put("a.jpg.jpg", JPEG + b"literal")
    archive.put("a.jpg", JPEG + b"plain")
    archive.run()
    archive.put("a.png", b"\x89PNG\r\n\x1a\n")
    archive.run()
    outputs = {}
    with Journal(archive.output, read_only=True) as journal:
        for row in journal.rows():
            outputs[row.key] = (archive.output / row.output).read_bytes().removeprefix(b"colour of ")
    assert outputs == {path.name: path.read_bytes() for path in archive.source.iterdir()}
    assert archive.counts() == {"done": 3}


def test_excluded_items_are_skipped_until_they_are_not(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("2.jpg")
    archive.run(exclude=["1.*"])
    assert archive.statuses() == {"1.jpg": "skipped", "2.jpg": "done"}
    assert archive.why(exclude=["1.*"])["1.jpg"][0] == "keep"
    assert archive.why()["1.jpg"] == ("todo", "skipped before: excluded by --exclude")
    assert archive.why(exclude=["2.*"])["2.jpg"] == ("keep", "excluded by --exclude; made by an earlier run")
    archive.run(exclude=["2.*"])
    assert archive.statuses() == {"1.jpg": "done", "2.jpg": "done"}


def test_a_text_that_became_a_picture_is_taken_up(archive: Archive) -> None:
    path = archive.put("1.dat", b"text")
    archive.run()
    status = path.stat()
    path.write_bytes(JPEG)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert archive.why()["1.dat"][0] == "todo"
