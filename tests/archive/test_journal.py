from __future__ import annotations

import os
import sqlite3
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.archive import database, runs
from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal
from pipeline.ground.errors import Cause, OutputError
from pipeline.ground.items import Filed, Kind, Result, Seen, Status


def record(journal: Journal, key: str, status: Status = Status.DONE, **rest: object) -> None:
    result = Result(key, status, **rest)  # type: ignore[arg-type]
    journal.record(result, kind=Kind.PHOTO, fingerprint="f", run_id="r")


def test_keeps_a_result_whole(tmp_path: Path) -> None:
    seen = Seen(
        source_size=2**40,
        source_mtime_ns=1_700_000_000_123_456_789,
        source_sha256="aa",
        verdict="toned",
        chroma=3.5,
        width=7,
        height=5,
        bits=16,
        frames=2,
    )
    result = Result(
        "a/1.jpg",
        Status.DONE,
        Cause.MEMORY,
        reason="salvaged: half",
        filed=Filed("a/" + os.fsdecode(b"\xe9.jpg"), 9, "bb"),
        seen=seen,
        model="embedded-v1",
        engine="opencv/float32",
        seconds=1.5,
        metadata="icc",
    )
    with Journal(tmp_path) as journal:
        journal.record(result, kind=Kind.PHOTO, fingerprint="f", run_id="r")
    with Journal(tmp_path, read_only=True) as journal:
        row = journal.row("a/1.jpg")
        assert row is not None
        for name in ("key", "status", "cause", "reason", "model", "engine", "seconds", "metadata"):
            assert getattr(row, name) == getattr(result, name), name
        for each in fields(seen):
            assert getattr(row, each.name) == getattr(seen, each.name), each.name
        assert (row.output, row.output_size, row.output_sha256) == (r"a/\xe9.jpg", 9, "bb")
        assert (row.kind, row.fingerprint, row.run_id, row.attempts) == ("photo", "f", "r", 1)
        assert row.finished_at.endswith("+00:00")
        assert journal.row("a/2.jpg") is None


def test_an_item_has_one_row_and_counts_its_attempts(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        record(journal, "1", Status.FAILED, reason="no")
        record(journal, "1")
        assert [(row.status, row.reason, row.attempts) for row in journal.rows()] == [("done", "", 2)]
        assert journal.counts() == {"done": 1}


def test_rows_come_by_key(tmp_path: Path) -> None:
    keys = ["b", "a/2", "a/10", "ä", "B", "new\nline"]
    with Journal(tmp_path) as journal:
        for key in keys:
            record(journal, key)
        assert [row.key for row in journal.rows()] == sorted(keys, key=str.encode)


def test_a_reader_reads_while_the_driver_writes(tmp_path: Path) -> None:
    with Journal(tmp_path) as writer:
        record(writer, "1")
        with Journal(tmp_path, read_only=True) as reader:
            record(writer, "2")
            assert reader.counts() == {"done": 2}
            with pytest.raises(OutputError):
                record(reader, "3")


def test_reads_a_copy_where_sqlite_cannot_read_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path) as writer:
        record(writer, "1")  # only in the WAL yet
        connect, asked = sqlite3.connect, []

        def read_only_disk(path: str, **options: object) -> sqlite3.Connection:
            asked.append(path)
            if len(asked) == 1:
                raise sqlite3.OperationalError("unable to open database file")
            return connect(path, **options)  # type: ignore[call-overload,no-any-return]

        monkeypatch.setattr(sqlite3, "connect", read_only_disk)
        with Journal(tmp_path, read_only=True) as reader:
            assert reader.counts() == {"done": 1}
    assert len(asked) == 2


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:

        def half_way() -> None:
            with journal.transaction(durable=True):
                journal.put(Result("1", Status.DONE), kind=Kind.PHOTO, fingerprint="f", run_id="r")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            half_way()
        assert journal.counts() == {}
        record(journal, "2")
        assert journal.counts() == {"done": 1}


def test_runs(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert journal.last_run() is None
        for number in range(3):
            run_id = journal.start_run(
                inputs=[tmp_path / "in"], settings={"jobs": number}, fingerprint="f", version="0.1"
            )
            journal.planned(run_id, number)
        run = journal.last_run()
        assert run is not None
        assert (run.run_id, run.settings, run.planned, run.exit_code) == (run_id, {"jobs": 2}, 2, None)
        assert run.inputs == (str(tmp_path / "in"),)
        assert run.pid == os.getpid()
        journal.finish_run(run_id, 3)
        finished = journal.last_run()
        assert finished is not None
        assert finished.exit_code == 3
        assert finished.finished_at >= finished.started_at


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("content", [b"not a database, but a text " * 50, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_journal_is_said(tmp_path: Path, content: bytes, read_only: bool) -> None:
    path = journal_path(tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(OutputError, match="damaged"):
        Journal(tmp_path, read_only=read_only)
    assert path.read_bytes() == content


def test_damage_inside_is_said(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal, journal.transaction():
        for number in range(500):
            journal.put(Result(f"{number:05d}", Status.DONE), kind=Kind.PHOTO, fingerprint="f", run_id="r")
    path = journal_path(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(OutputError, match="damaged"):
        Journal(tmp_path)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (name)")
    db.close()
    with pytest.raises(OutputError, match="not written by this program"):
        Journal(tmp_path)


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    with sqlite3.connect(journal_path(tmp_path)) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(OutputError, match="newer colorize"):
        Journal(tmp_path)


def test_an_older_journal_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path) as journal:
        record(journal, "1")
    step = "CREATE TABLE notes (text TEXT); INSERT INTO notes SELECT key FROM items;"
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
    with Journal(tmp_path) as journal:
        assert journal.counts() == {"done": 1}
    with sqlite3.connect(journal_path(tmp_path)) as db:
        assert db.execute("SELECT text FROM notes").fetchall() == [("1",)]
        assert db.execute("PRAGMA user_version").fetchone() == (len(database.MIGRATIONS),)
    db.close()


def test_a_failed_migration_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal(tmp_path).close()
    step = "CREATE TABLE notes (text TEXT); CREATE TABLE items (a);"
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
        with pytest.raises(OutputError):
            Journal(tmp_path)
    with Journal(tmp_path) as journal:
        assert journal.counts() == {}


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        record(journal, "1")
        journal.db.execute("PRAGMA max_page_count = 1")  # SQLite's own way to a full disk
        with pytest.raises(OutputError, match="No space is left"):
            record(journal, "2", reason="x" * 100_000)
        assert journal.counts() == {"done": 1}


def test_no_journal_to_read(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no journal"):
        Journal(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        Journal(tmp_path / "file")


def test_a_journal_that_was_never_finished_reads_as_an_empty_one(tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    path.parent.mkdir()
    path.touch()
    with Journal(tmp_path, read_only=True) as journal:
        assert journal.last_run() is None
        assert journal.counts() == {}
    Journal(tmp_path).close()


def test_the_last_run_is_the_last_though_the_clock_went_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = []
    with Journal(tmp_path) as journal:
        for moment in (
            "2026-11-26T20:00:00.000+00:00",
            "2058-01-01T00:00:00.000+00:00",
            "1970-01-01T00:00:09.000+00:00",
        ):
            monkeypatch.setattr(runs, "now", lambda moment=moment: moment)
            began.append(journal.start_run(inputs=[tmp_path], settings={}, fingerprint="f", version="1"))
        last = journal.last_run()
        assert last is not None
        assert last.run_id == began[-1]
        assert list(journal.runs()) == began


def test_a_double_is_found_by_its_hash_among_a_million_sources_of_one_size(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number in range(3):
            seen = Seen(source_size=9, source_sha256=f"{number}" * 64)
            record(journal, f"{number}.jpg", seen=seen, filed=Filed(f"{number}.jpg", 1, "o"))
        asked: list[str] = []
        journal.db.set_trace_callback(asked.append)
        assert [row.key for row in journal.twins(9, "1" * 64)] == ["1.jpg"]
        journal.db.set_trace_callback(None)
        (query,) = asked
        (step, *_) = [row[-1] for row in journal.db.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert "items_twins (source_size=? AND <expr>=?)" in step, "else each reads all rows of its size"
