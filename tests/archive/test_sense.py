"""A journal whose rows make no sense is damaged, and says so."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pipeline.archive import sense
from pipeline.archive.journal import Journal
from pipeline.ground.errors import OutputError

RUN = ("INSERT INTO runs VALUES ('r', '2026-01-01T00:00:00Z', '', '[\"a\"]', '{}', '', 'h', 1, '1', NULL, 0)",)
CLAIM = ("INSERT INTO claims VALUES ('a', 'a', '', 'r', 0, 0, 0, 'photo', '')",)


def hurt(tmp_path: Path, *statements: str) -> None:
    Journal(tmp_path).close()
    with sqlite3.connect(tmp_path / ".colorize" / "journal.sqlite") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def test_sound_rows_make_sense(tmp_path: Path) -> None:
    hurt(tmp_path, *RUN, *CLAIM)
    Journal(tmp_path).close()


@pytest.mark.parametrize(
    "statements",
    [
        (*RUN, "UPDATE runs SET inputs = 'box'"),
        (*RUN, "UPDATE runs SET inputs = '{}'"),
        (*RUN, "UPDATE runs SET settings = '[1]'"),
        (*RUN, "UPDATE runs SET pid = 'many'"),
        (*CLAIM, "UPDATE claims SET kind = 'sculpture'"),
        (*CLAIM, "UPDATE claims SET output = x'ff'"),
        ("ALTER TABLE runs ADD COLUMN more INTMGER",),
        ("ALTER TABLE runs ADD COLUMN more TEXT",),
        ("CREATE TRIGGER wipe AFTER INSERT ON claims BEGIN DELETE FROM items; END",),
        (
            "DROP TABLE moves",
            "CREATE VIEW moves AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n)"
            " SELECT x AS key, x AS place FROM n",
        ),
        ("DROP TABLE facts", "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT AS (hex(zeroblob(1e9)))) "),
        ("CREATE TABLE more (x TEXT DEFAULT (hex(zeroblob(900000000))))",),
        ("DROP INDEX items_output", "CREATE INDEX items_output ON items (hex(zeroblob(length(output))))"),
        (
            "PRAGMA writable_schema = ON",
            "INSERT INTO sqlite_master VALUES ('trigger', 'sqlite_stat1', 'claims', 0,"
            " 'CREATE TRIGGER sqlite_stat1 AFTER INSERT ON claims BEGIN DELETE FROM items; END')",
        ),
        ("DROP TABLE pieces",),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_rows_without_sense_are_damage(tmp_path: Path, statements: tuple[str, ...], read_only: bool) -> None:
    hurt(tmp_path, *statements)
    with pytest.raises(OutputError, match=r"is damaged .*colorize recover"):
        Journal(tmp_path, read_only=read_only)


def test_a_row_of_absurd_size_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurt(tmp_path, *RUN, f'UPDATE runs SET settings = \'{{"a": "{"x" * 5000}"}}\'')
    monkeypatch.setattr(sense, "_LONGEST", 4000)
    for read_only in (False, True):
        with (
            pytest.raises(OutputError, match=r"is damaged .*too big"),
            Journal(tmp_path, read_only=read_only) as journal,
        ):
            journal.last_run()
