from __future__ import annotations

import csv
import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.archive.journal import Journal
from pipeline.archive.manifest import check_manifest, write_manifest
from pipeline.archive.row import HEADERS
from pipeline.archive.spelling import uncell
from pipeline.ground.errors import OutputError
from pipeline.ground.items import Kind, Result, Status

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_one_row_an_item_sorted_by_source(archive: Archive) -> None:
    for name in ["b.jpg", "a/1.jpg", "ä.jpg", "notes.txt"]:
        archive.put(name)
    archive.put("notes.txt", b"notes")
    archive.run()
    with Journal(archive.output) as journal:
        path = write_manifest(journal, archive.output)
    assert path.read_bytes().startswith(",".join(HEADERS).encode() + b"\r\n")
    rows = read(path)
    assert [row["source"] for row in rows] == ["a/1.jpg", "b.jpg", "notes.txt", "ä.jpg"]
    first, notes = rows[0], rows[2]
    assert [first[name] for name in ("output", "kind", "status", "chroma", "width", "frames", "seconds")] == [
        "a/1.jpg",
        "photo",
        "done",
        "1.23",
        "4",
        "",
        "0.500",
    ]
    assert [notes[name] for name in ("output", "kind", "status", "reason", "chroma")] == [
        "",
        "",
        "unsupported",
        "not a picture or film",
        "",
    ]
    assert not list((archive.output / ".colorize/tmp").iterdir())


def test_strange_names_and_reasons_survive(tmp_path: Path) -> None:
    keys = ["a,b", 'quo"te', "new\nline", "cr\rlf\r\n", "=1+1", " lead", "\x01\x7f", "'", r"\xe9"]
    keys += ["+1", "-rf", "@SUM(A1)", "\x1b[2J", "a\u202egpj.exe", "two\u2028lines", r"\u001b", r"back\slash", "\x1b\\"]
    keys += ["'=1", "''", "\x85"]
    with Journal(tmp_path) as journal:
        for key in keys:
            result = Result(key, Status.FAILED, reason="bad\0\r\nthing \udce9")
            journal.record(result, kind=Kind.PHOTO, fingerprint="f", run_id="r")
        rows = read(write_manifest(journal, tmp_path))
    assert sorted(uncell(row["source"]) for row in rows) == sorted(keys)
    assert not any(re.search("^[=+@-]|[\x00-\x1f\x7f-\x9f\u2028-\u202e]", row["source"]) for row in rows)
    assert {uncell(row["reason"]) for row in rows} == {r"bad   thing \udce9"}


def test_a_failed_write_leaves_the_old_manifest_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path) as journal:
        path = write_manifest(journal, tmp_path)
        before = path.read_bytes()
        journal.record(Result("1", Status.DONE), kind=Kind.PHOTO, fingerprint="f", run_id="r")

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="no space left"):
            write_manifest(journal, tmp_path)
    assert path.read_bytes() == before
    assert list((tmp_path / ".colorize/tmp").iterdir()) == []


def test_a_byte_order_mark_is_written_on_request_and_kept_by_what_was_not_asked(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    path = archive.output / "manifest.csv"
    with Journal(archive.output) as journal:
        for asked, there in ((None, False), (True, True), (None, True), (False, False)):
            write_manifest(journal, archive.output, bom=asked)
            assert path.read_bytes().startswith(b"\xef\xbb\xbfsource,") == there


def test_a_manifest_that_is_not_ours_stays(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("ship,passengers\n")
    with pytest.raises(OutputError, match="not a manifest of this program"):
        check_manifest(tmp_path)
    with Journal(tmp_path) as journal, pytest.raises(OutputError):
        write_manifest(journal, tmp_path)
    assert path.read_text() == "ship,passengers\n"
    path.write_text('\ufeff"source";"output";"kind";"status"\n')
    check_manifest(tmp_path)
