"""What somebody did to an output is told from what we wrote, and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.archive.journal import Journal
from pipeline.archive.schema import Claim
from pipeline.ground import files, inside
from pipeline.ground.errors import InputError
from pipeline.ground.items import Result

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


@pytest.fixture
def hashed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive whose outputs have their hash recorded, as real ones have."""
    work = type(archive).work

    def with_hash(self: Archive, claim: Claim, source: Path) -> Result:
        result = work(self, claim, source)
        if result.filed is None:
            return result
        digest = hashlib.sha256((self.output / result.filed.place).read_bytes()).hexdigest()
        return replace(result, filed=replace(result.filed, sha256=digest))

    monkeypatch.setattr(type(archive), "work", with_hash)
    return archive


def edit(path: Path, *, same_size: bool = False) -> bytes:
    data = path.read_bytes()
    edited = b"X" + data[1:] if same_size else data + b" retouched"
    path.write_bytes(edited)
    os.utime(path, ns=(10**18, 10**18))
    return edited


@pytest.mark.parametrize("same_size", [False, True])
@pytest.mark.parametrize("changes", [{}, {"fingerprint": "f2"}, {"suffix": ".png"}])
def test_an_edited_output_is_kept_and_counted(hashed: Archive, same_size: bool, changes: dict[str, str]) -> None:
    hashed.put("1.jpg")
    hashed.run()
    path = hashed.output / "1.jpg"
    edited = edit(path, same_size=same_size)
    for _ in range(2):
        hashed.run(**changes)
        assert path.read_bytes() == edited
        assert hashed.statuses() == {"1.jpg": "edited"}
        assert hashed.why(**changes) == {
            "1.jpg": ("keep", "edited: changed by somebody since it was written; --replace-edited makes it anew")
        }
    hashed.put("1.jpg", b"\xff\xd8\xff developed anew")
    hashed.run()
    assert path.read_bytes() == edited
    hashed.run(replace_edited=True)
    assert path.read_bytes() != edited
    assert hashed.statuses() == {"1.jpg": "done"}


def test_an_output_put_back_as_it_was_is_done_again(hashed: Archive) -> None:
    hashed.put("1.jpg")
    hashed.run()
    path = hashed.output / "1.jpg"
    before = path.read_bytes()
    edit(path)
    hashed.run()
    path.write_bytes(before)
    hashed.run()
    assert hashed.statuses() == {"1.jpg": "done"}
    assert hashed.made == ["1.jpg"]


def test_copies_of_an_archive_without_times_are_compared_once_and_nothing_is_done_anew(
    hashed: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        hashed.put(f"{number}.jpg")
    hashed.run()
    for path in [*hashed.source.iterdir(), *hashed.output.glob("*.jpg")]:
        os.utime(path, ns=(10**18, 10**18))
    hashed.run()
    assert len(hashed.made) == 3
    assert hashed.statuses() == {f"{number}.jpg": "done" for number in range(3)}
    monkeypatch.setattr("pipeline.ground.files.sha256", lambda path: pytest.fail("hashed again"))
    monkeypatch.setattr(inside, "sha256", lambda root, place: pytest.fail("hashed again"))
    assert hashed.counts() == {"done": 3}


def test_what_a_killed_run_published_is_ours_and_what_was_changed_after_it_is_not(hashed: Archive) -> None:
    hashed.put("1.jpg")
    hashed.run()
    tmp = hashed.output / ".colorize" / "tmp" / "killed"
    tmp.mkdir(parents=True)
    hashed.put("1.jpg", b"\xff\xd8\xff another")
    hashed.run(kill_after=0, publish_before_kill=True)
    assert hashed.why() == {"1.jpg": ("todo", "source changed")}
    for path in (tmp, tmp.parent):
        os.utime(path, ns=(10**18, 10**18))  # the run died long ago
    assert hashed.why()["1.jpg"][0] == "hold"
    hashed.run()
    assert hashed.statuses() == {"1.jpg": "edited"}
    assert (hashed.output / "1.jpg").read_bytes() == b"colour of \xff\xd8\xff another"


def test_an_output_that_was_deleted_is_made_again_or_taken_as_rejected(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    (archive.output / "1.jpg").unlink()
    assert archive.why() == {"1.jpg": ("todo", "output missing")}
    archive.run(deleted_outputs="rejected")
    assert archive.statuses() == {"1.jpg": "rejected"}
    archive.run(fingerprint="f2")
    assert archive.made == ["1.jpg"]


def test_an_empty_output_is_nobodys_work(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    (archive.output / "1.jpg").write_bytes(b"")
    assert archive.why() == {"1.jpg": ("todo", "output missing")}


def test_a_gone_source_keeps_its_output_and_may_come_back(archive: Archive) -> None:
    path = archive.put("1.jpg")
    archive.put("2.jpg")
    archive.copies = {"1.jpg"}
    archive.run()
    path.rename(archive.source.parent / "away.jpg")
    archive.run()
    archive.run()
    assert archive.statuses() == {"1.jpg": "gone", "2.jpg": "done"}
    assert (archive.output / "1.jpg").exists()
    (archive.source.parent / "away.jpg").rename(path)
    archive.run()
    assert archive.statuses() == {"1.jpg": "copied", "2.jpg": "done"}
    assert len(archive.made) == 2


def test_an_input_that_is_empty_or_lacks_most_is_refused_and_nothing_changes(archive: Archive) -> None:
    for number in range(30):
        archive.put(f"{number:02d}.jpg")
    archive.run()
    away = archive.source.parent / "away"
    shutil.copytree(archive.source, away)
    for number in range(14):
        (archive.source / f"{number:02d}.jpg").unlink()
    assert archive.counts() == {"done": 16}
    for number in range(14, 20):
        (archive.source / f"{number:02d}.jpg").unlink()
    with pytest.raises(InputError, match="holds 10 files where 30 are known"):
        archive.run()
    for path in archive.source.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="is a disk not mounted") as caught:
        archive.run()
    assert caught.value.exit_code == 5
    with Journal(archive.output) as journal:
        assert journal.counts() == {"done": 30}
    archive.run(accept_gone=True)
    assert set(archive.statuses().values()) == {"gone"}


def test_one_of_two_inputs_that_is_empty_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.jpg")
    other = tmp_path / "other"
    other.mkdir()
    (other / "2.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    archive.run(inputs=[archive.source, other])
    (other / "2.jpg").unlink()
    with pytest.raises(InputError, match="other holds 0 files"):
        archive.plan(inputs=[archive.source, other])


def test_outputs_follow_their_renamed_sources_edited_or_not(hashed: Archive) -> None:
    for number in range(3):
        hashed.put(f"box/{number}.jpg", b"\xff\xd8\xff\xe0 %d" % number)
    hashed.run()
    edited = edit(hashed.output / "box" / "1.jpg")
    before = (hashed.output / "box" / "0.jpg").read_bytes()
    (hashed.source / "box").rename(hashed.source / "crate")
    assert hashed.run().total() == 0, "nothing is left of what was found as new"
    assert len(hashed.made) == 3
    assert not (hashed.output / "box").exists()
    assert (hashed.output / "crate" / "0.jpg").read_bytes() == before
    assert (hashed.output / "crate" / "1.jpg").read_bytes() == edited
    hashed.run()
    assert hashed.statuses() == {"crate/0.jpg": "done", "crate/1.jpg": "edited", "crate/2.jpg": "done"}
    assert len(hashed.made) == 3


@pytest.mark.parametrize("retouched", [False, True, "of a version that kept no times"])
def test_a_renamed_source_under_other_settings_is_made_anew_and_leaves_no_second_output(
    hashed: Archive, retouched: bool | str
) -> None:
    hashed.put("1.jpg", b"\xff\xd8\xff one")
    hashed.put("2.jpg", b"\xff\xd8\xff another")
    hashed.run()
    if retouched:
        edited = edit(hashed.output / "1.jpg", same_size=retouched == "of a version that kept no times")
    if retouched == "of a version that kept no times":
        with Journal(hashed.output) as journal:
            journal.db.execute("UPDATE items SET output_mtime_ns = 0")
    (hashed.source / "1.jpg").rename(hashed.source / "grandmother.jpg")
    hashed.made.clear()
    hashed.run(fingerprint="f2")
    assert sorted(path.name for path in hashed.output.glob("*.jpg")) == ["2.jpg", "grandmother.jpg"]
    assert hashed.made == (["2.jpg"] if retouched else ["2.jpg", "grandmother.jpg"])
    made = (hashed.output / "grandmother.jpg").read_bytes()
    assert made == (edited if retouched else b"colour of \xff\xd8\xff one")
    hashed.run(fingerprint="f2")
    assert hashed.statuses() == {"2.jpg": "done", "grandmother.jpg": "edited" if retouched else "done"}


def test_a_folder_that_was_renamed_costs_one_reading_of_each_file(
    hashed: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        path = hashed.put(f"old/{number}.jpg", b"\xff\xd8\xff of one size %d" % number)
        os.utime(path, ns=(number * 10**9, number * 10**9))
    hashed.put("gone.jpg", b"\xff\xd8\xff of one size 9")
    hashed.run()
    (hashed.source / "old").rename(hashed.source / "new")
    (hashed.source / "gone.jpg").unlink()
    read: list[str] = []
    sha256 = files.sha256
    monkeypatch.setattr("pipeline.ground.files.sha256", lambda path: (read.append(path.name), sha256(path))[1])
    hashed.made.clear()
    hashed.run()
    assert hashed.made == []
    assert len(read) == len(set(read)) == 8
    assert sorted(path.name for path in (hashed.output / "new").iterdir()) == [f"{number}.jpg" for number in range(8)]
    assert hashed.statuses()["gone.jpg"] == "gone"


def test_many_of_one_size_and_time_that_were_renamed(hashed: Archive) -> None:
    for number in range(250):
        path = hashed.put(f"old/{number:03d}.jpg", b"\xff\xd8\xff of one size %03d" % number)
        os.utime(path, ns=(1, 1))
    hashed.run()
    (hashed.source / "old").rename(hashed.source / "new")
    hashed.made.clear()
    hashed.run()
    assert (hashed.made, set(hashed.statuses().values()), len(hashed.statuses())) == ([], {"done"}, 250)
