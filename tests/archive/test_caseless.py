"""OUTPUT on a file system that tells no case: sources that differ by it, or are renamed to it, lose nothing there."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.archive.journal import Journal
from pipeline.archive.schema import Claim
from pipeline.ground import inside
from pipeline.ground.items import Result
from tests.caseless import become_caseless

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


@pytest.fixture
def archive(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """One whose OUTPUT tells no case, and whose outputs have a hash and appear as real ones do."""
    work = type(archive).work

    def published(self: Archive, claim: Claim, source: Path) -> Result:
        result = work(replace(self, output=self.output.parent / "made"), claim, source)
        if result.filed is None:
            return result
        made, there = self.output.parent / "made" / result.filed.place, self.output / result.filed.place
        there.parent.mkdir(parents=True, exist_ok=True)
        made.replace(there)
        data = b"colour of " + source.read_bytes()
        return replace(result, filed=replace(result.filed, sha256=hashlib.sha256(data).hexdigest()))

    monkeypatch.setattr(type(archive), "work", published)
    archive.output.mkdir()
    become_caseless(archive.output, monkeypatch)
    return archive


def outputs(archive: Archive) -> dict[str, bytes]:
    return {
        path.relative_to(archive.output).as_posix(): path.read_bytes()
        for path in sorted(archive.output.rglob("*.jpg"))
        if path.is_file()
    }


@pytest.mark.parametrize(("before", "after"), [("Scan.jpg", "scan.jpg"), ("Box/1.jpg", "box/1.jpg")])
@pytest.mark.parametrize("fingerprint", ["f1", "f2"])
def test_a_source_renamed_to_another_case_keeps_its_output(
    archive: Archive, before: str, after: str, fingerprint: str
) -> None:
    archive.put(before)
    archive.run()
    (archive.source / before.split("/")[0]).rename(archive.source / after.split("/")[0])
    for _ in range(2):
        archive.run(fingerprint=fingerprint)
        assert archive.statuses() == {after: "done"}
        with Journal(archive.output) as journal:
            assert inside.sha256(archive.output, next(journal.rows()).output)
    (made,) = outputs(archive)
    assert made.lower() == after
    assert archive.made == ([before] if fingerprint == "f1" else [before, after])


def test_another_picture_of_a_name_that_differs_by_case_does_not_replace_what_is_gone(archive: Archive) -> None:
    archive.put("Scan.jpg", b"\xff\xd8\xff one")
    archive.put("other.jpg", b"\xff\xd8\xff two")
    archive.run()
    (archive.source / "Scan.jpg").unlink()
    archive.put("scan.jpg", b"\xff\xd8\xff another")
    archive.run()
    assert archive.statuses() == {"Scan.jpg": "gone", "other.jpg": "done", "scan.jpg": "failed"}
    assert outputs(archive)["Scan.jpg"] == b"colour of \xff\xd8\xff one"
    with Journal(archive.output) as journal:
        row = journal.row("scan.jpg")
        assert row is not None
        assert row.reason == "OUTPUT tells no case, and a name is in the way that is the output of Scan.jpg"


@pytest.mark.parametrize("caseless", [False, True])
def test_what_a_killed_run_had_linked_and_not_unlinked_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caseless: bool
) -> None:
    if caseless:
        become_caseless(tmp_path, monkeypatch)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"made")
    os.link(tmp_path / "a" / "1.jpg", tmp_path / "a" / "2.jpg")
    inside.move(tmp_path, "a/1.jpg", "a/2.jpg")
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == {"2.jpg": b"made"}
    (tmp_path / "a" / "3.jpg").write_bytes(b"another")
    with pytest.raises(FileExistsError):
        inside.move(tmp_path, "a/2.jpg", "a/3.jpg")
    os.link(tmp_path / "a" / "2.jpg", tmp_path / "2.jpg")
    inside.move(tmp_path, "a/2.jpg", "2.jpg")
    assert not (tmp_path / "a" / "2.jpg").exists()
    assert (tmp_path / "2.jpg").read_bytes() == b"made"
