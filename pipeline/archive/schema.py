"""The tables of the journal, and one row of each as the rest of the program sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

APPLICATION_ID = 0x436F6C72  # "Colr": tells our file from any other SQLite database

# Step n takes a journal from version n to n + 1; a finished step is never edited, only followed by another.
MIGRATIONS = (
    """
    CREATE TABLE items (
        key TEXT PRIMARY KEY, status TEXT NOT NULL, reason TEXT NOT NULL, output TEXT NOT NULL, verdict TEXT NOT NULL,
        chroma REAL, width INTEGER NOT NULL, height INTEGER NOT NULL, bits INTEGER NOT NULL, frames INTEGER NOT NULL,
        model TEXT NOT NULL, engine TEXT NOT NULL, seconds REAL NOT NULL, source_size INTEGER NOT NULL,
        source_mtime_ns INTEGER NOT NULL, source_sha256 TEXT NOT NULL, output_size INTEGER NOT NULL,
        output_sha256 TEXT NOT NULL, metadata TEXT NOT NULL, kind TEXT NOT NULL, fingerprint TEXT NOT NULL,
        finished_at TEXT NOT NULL, run_id TEXT NOT NULL, attempts INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX items_output ON items (output) WHERE output != '';
    -- Names in OUTPUT that are ours: claimed before the work begins, narrowed to what was written when it ends.
    CREATE TABLE claims (
        key TEXT PRIMARY KEY, output TEXT NOT NULL, copy_output TEXT NOT NULL, run_id TEXT NOT NULL,
        pending INTEGER NOT NULL, source_size INTEGER NOT NULL, source_mtime_ns INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX claims_output ON claims (output) WHERE output != '';
    CREATE INDEX claims_copy_output ON claims (copy_output) WHERE copy_output != '';
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY, started_at TEXT NOT NULL, finished_at TEXT NOT NULL, inputs TEXT NOT NULL,
        settings TEXT NOT NULL, fingerprint TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
        version TEXT NOT NULL, exit_code INTEGER, planned INTEGER NOT NULL
    );
    """,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the journal: an `Outcome` and the run it came from.

    `output` is relative to OUTPUT, spelled as in the manifest; the other fields of `Outcome` are as they were recorded.

    Attributes:
        kind: as `discover.Found` has it.
        fingerprint: of the settings that made it.
        finished_at: ISO 8601, UTC.
        attempts: how often an outcome was recorded for this item.
    """

    key: str
    status: str
    reason: str
    output: str
    verdict: str
    chroma: float | None
    width: int
    height: int
    bits: int
    frames: int
    model: str
    engine: str
    seconds: float
    source_size: int
    source_mtime_ns: int
    source_sha256: str
    output_size: int
    output_sha256: str
    metadata: str
    kind: str
    fingerprint: str
    finished_at: str
    run_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the journal; `finished_at` is empty and `exit_code` None while it works, or if it was killed."""

    run_id: str
    started_at: str
    finished_at: str
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]
    fingerprint: str
    host: str
    pid: int
    version: str
    exit_code: int | None
    planned: int


COLUMNS = tuple(each.name for each in fields(Row))
SELECT = f"SELECT {', '.join(COLUMNS)} FROM items"
RECORD = (
    f"INSERT INTO items VALUES ({', '.join('?' * (len(COLUMNS) - 1))}, 1) ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:-1])
    + ", attempts = attempts + 1"
)
CLAIM = "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?, ?)"
TAKE_OUTPUT = "UPDATE items SET status = 'vanished', reason = ?, output = '' WHERE key = ? AND output = ?"
