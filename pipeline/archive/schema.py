"""The tables of the journal, and the steps that bring an older one up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.ground.items import Kind, StoodAt

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
    """
    ALTER TABLE items ADD COLUMN cause TEXT NOT NULL DEFAULT '';
    ALTER TABLE items ADD COLUMN hints_sha256 TEXT NOT NULL DEFAULT '';
    ALTER TABLE claims ADD COLUMN kind TEXT NOT NULL DEFAULT 'photo';
    CREATE INDEX claims_pending ON claims (key) WHERE pending;
    CREATE INDEX items_problems ON items (key) WHERE status NOT IN ('done', 'copied', 'vanished');
    -- One span of an item that is worked on in pieces; number -1 is the scan that found the spans.
    CREATE TABLE pieces (
        key TEXT NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
        status TEXT NOT NULL, cause TEXT NOT NULL, part TEXT NOT NULL, part_size INTEGER NOT NULL,
        part_sha256 TEXT NOT NULL, seen TEXT NOT NULL, seconds REAL NOT NULL, fingerprint TEXT NOT NULL,
        attempts INTEGER NOT NULL, PRIMARY KEY (key, number)
    ) WITHOUT ROWID;
    -- What version 1 said in sentences alone. A file of several pages is to be looked at again.
    UPDATE items SET kind = '' WHERE kind = 'photo' AND reason LIKE 'first of % pages';
    UPDATE items SET cause = CASE
        WHEN reason LIKE '% is in the way%' THEN 'in the way'
        WHEN reason LIKE 'too large: %' THEN 'too large'
        WHEN reason LIKE 'too large for %' OR reason LIKE 'cannot be encoded%' THEN 'format limit'
        WHEN reason LIKE '%cannot be read: %' OR reason LIKE '%permission%' OR reason LIKE 'reading failed%'
            OR reason LIKE 'cannot be written%' THEN 'system'
        WHEN reason LIKE 'not enough memory%' THEN 'memory'
        WHEN reason LIKE 'a fault of the program%' THEN 'fault'
        WHEN reason LIKE '%not supported%' OR kind = 'film' THEN 'not supported'
        WHEN status = 'crashed' THEN 'crash'
        WHEN status = 'unsupported' THEN 'no picture'
        ELSE 'damaged' END
    WHERE status IN ('failed', 'crashed', 'unsupported');
    UPDATE items SET cause = 'in colour' WHERE status IN ('copied', 'skipped') AND verdict = 'color';
    """,
    """
    -- What tells the user's work from ours; 0: written before anybody looked.
    ALTER TABLE items ADD COLUMN output_mtime_ns INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE items ADD COLUMN was TEXT NOT NULL DEFAULT '';
    ALTER TABLE items ADD COLUMN was_reason TEXT NOT NULL DEFAULT '';
    DROP INDEX items_problems;
    CREATE INDEX items_problems ON items (key)
        WHERE status NOT IN ('done', 'copied', 'vanished', 'edited', 'gone', 'rejected');
    CREATE INDEX claims_size ON claims (source_size) WHERE pending;
    -- Outputs that are to follow their renamed sources: the item's new key, and the name its output is to get.
    CREATE TABLE moves (key TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    -- Finished items by size and the beginning of the source's hash: what is a double of another is not done twice.
    CREATE INDEX items_twins ON items (source_size, substr(source_sha256, 1, 8)) WHERE status IN ('done', 'gone');
    DROP INDEX claims_size;
    CREATE INDEX claims_alike ON claims (source_size, source_mtime_ns) WHERE pending;
    -- What was found of OUTPUT itself, as JSON.
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    -- How doubtful the net's answer is, 0 to 100.
    ALTER TABLE items ADD COLUMN doubt INTEGER;
    """,
    """
    -- What versions before said in sentences alone: who does not want it, and what is doubtful of its verdict.
    ALTER TABLE items ADD COLUMN was_cause TEXT NOT NULL DEFAULT '';
    ALTER TABLE items ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;
    UPDATE items SET was_cause = cause, cause = '' WHERE status IN ('edited', 'gone', 'rejected') AND was != '';
    UPDATE items SET cause = 'by hint' WHERE status = 'rejected' AND reason = 'not wanted, by a hint';
    UPDATE items SET unsure = 1 WHERE instr(reason, ' (doubtful)') OR instr(was_reason, ' (doubtful)');
    """,
    """
    -- What the plan saw at an item's names in a storage, as JSON: nothing else is written over there. Empty: nothing.
    ALTER TABLE claims ADD COLUMN stood TEXT NOT NULL DEFAULT '';
    """,
)


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


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that is to be done; names relative to OUTPUT, as the system spells them.

    Attributes:
        company: another item, finished or to be done, has a source of the same size.
        stood: see `Unit`.
    """

    key: str
    kind: Kind
    output: str
    copy_output: str
    size: int
    mtime_ns: int
    company: bool = False
    stood: StoodAt = (None, None)
