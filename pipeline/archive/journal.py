"""The journal: what became of every item, in SQLite, written by the driver alone and readable while it runs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pipeline.archive.schema import APPLICATION_ID, CLAIM, COLUMNS, MIGRATIONS, RECORD, SELECT, TAKE_OUTPUT, Row, Run
from pipeline.archive.spelling import escape, unescape
from pipeline.errors import OutputError
from pipeline.work import Outcome

FOLDER = ".colorize"
_NAME = "journal.sqlite"


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def journal_path(output: Path) -> Path:
    """Return where the journal of OUTPUT lies."""
    return output / FOLDER / _NAME


def input_spelling(inputs: Sequence[Path]) -> list[str]:
    """Return the real paths of INPUTs in valid UTF-8, sorted: what two runs over the same INPUTs have in common."""
    return sorted({escape(str(path.resolve())) for path in inputs})


class Journal:
    """The open journal of one OUTPUT; a context manager.

    Every method raises `OutputError` where the file is damaged, of a newer version, not ours, or can't be written.
    """

    def __init__(self, output: Path, *, read_only: bool = False) -> None:
        """Open the journal; the driver's is made or brought up to date, a reader's must be there."""
        self.output = output
        self.path = journal_path(output)
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        with self._speaking():
            self._db = self._open_to_read() if read_only else self._open_to_write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing that was recorded is lost if this is never called."""
        self._db.close()
        if self._copy is not None:
            self._copy.cleanup()

    def _open_to_write(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path.parent} cannot be made: {error.strerror}.") from None
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            self._check(db)
            try:
                db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:  # network file systems without shared memory
                db.execute("PRAGMA journal_mode = TRUNCATE")
            db.execute("PRAGMA synchronous = NORMAL")
            _bring_up_to_date(db)
        except BaseException:
            db.close()
            raise
        return db

    def _open_to_read(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise OutputError(f"{self.output} holds no journal: no run has written there yet.")
        try:
            return self._connect_to_read(self.path)
        except sqlite3.OperationalError:
            # WAL wants to write beside the file even to read it: on a read-only disk, read a copy.
            self._copy = tempfile.TemporaryDirectory(prefix="colorize-")
            for suffix in ("", "-wal"):
                part = self.path.with_name(_NAME + suffix)
                if part.exists():
                    shutil.copyfile(part, Path(self._copy.name, part.name))
            return self._connect_to_read(Path(self._copy.name, _NAME))

    def _connect_to_read(self, path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None)
        try:
            self._check(db)
            if _version(db) == 0:  # its driver was killed in the moment it made the file: it reads as an empty one
                db.close()
                db = sqlite3.connect(":memory:", isolation_level=None)
                _bring_up_to_date(db)
            db.execute("SELECT count(*) FROM runs").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        identity = db.execute("PRAGMA application_id").fetchone()[0]
        if tables and identity != APPLICATION_ID:
            raise OutputError(f"{self.path} was not written by this program: give another OUTPUT.")
        if _version(db) > len(MIGRATIONS):
            raise OutputError(f"{self.path} was written by a newer colorize: update this one, or give another OUTPUT.")
        if tables and db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check found it malformed")

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Turn what SQLite raises into a sentence."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise OutputError(f"No space is left for {self.path}: make room and run again.") from None
            raise OutputError(f"The journal {self.path} cannot be used: {error}.") from None
        except sqlite3.DatabaseError as error:
            raise OutputError(
                f"The journal {self.path} is damaged ({error}): put back a copy of it, or give another OUTPUT."
            ) from None

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Make all that is written inside one step, or nothing; `durable` waits until the disk has it."""
        with self._speaking():
            if durable:
                self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            if durable:
                self._db.execute("PRAGMA synchronous = NORMAL")

    def record(self, outcome: Outcome, *, kind: str, fingerprint: str, run_id: str) -> None:
        """Write what became of one item; from then on only the names that lie in OUTPUT for it stay claimed."""
        with self.transaction():
            self.put(outcome, kind=kind, fingerprint=fingerprint, run_id=run_id)

    def put(self, outcome: Outcome, *, kind: str, fingerprint: str, run_id: str) -> None:
        """As `record`, inside a `transaction` of the caller."""
        output = escape(os.fspath(outcome.output.relative_to(self.output))) if outcome.output else ""
        values = {name: _text(getattr(outcome, name)) for name in COLUMNS[:-5]} | {"output": output}
        with self._speaking():
            if not outcome.source_mtime_ns:
                # Its worker died, or never got at the source: that it failed holds for what was found.
                query = "SELECT source_size, source_mtime_ns FROM claims WHERE key = ?"
                found = self._db.execute(query, (outcome.key,)).fetchone()
                if found is not None:
                    values["source_size"], values["source_mtime_ns"] = found
            older = self._older(outcome.key, output) if output else ""
            self._db.execute(RECORD, (*values.values(), kind, fingerprint, now(), run_id))
            if output:
                self._db.execute(CLAIM, (outcome.key, output, older, run_id, 0, 0, 0))
            else:
                self._narrow(outcome.key)

    def _older(self, key: str, output: str) -> str:
        """Return another claimed name under which something of ours lies that no row has any more, or nothing.

        Such as the copy of a picture that was skipped since. What the row has is removed; see `remove_superseded`.
        """
        query = (
            "SELECT claims.output, claims.copy_output, coalesce(items.output, '') "
            "FROM claims LEFT JOIN items USING (key) WHERE key = ?"
        )
        *claimed, made = self._db.execute(query, (key,)).fetchone() or ("",)
        for name in claimed:
            if name not in ("", output, made) and os.path.lexists(self.output / unescape(name)):
                return str(name)
        return ""

    def _narrow(self, key: str) -> None:
        # What lies at a claimed name now is left over from us. A name still free may be taken by its owner's own
        # hand ("I coloured the broken one myself"), so it is ours no more.
        found = self._db.execute("SELECT output, copy_output FROM claims WHERE key = ?", (key,)).fetchone()
        if found is None:
            return
        left = [name if name and os.path.lexists(self.output / unescape(name)) else "" for name in found]
        if any(left):
            query = "UPDATE claims SET output = ?, copy_output = ?, pending = 0 WHERE key = ?"
            self._db.execute(query, (*left, key))
        else:
            self._db.execute("DELETE FROM claims WHERE key = ?", (key,))

    def row(self, key: str) -> Row | None:
        """Return the item, or None."""
        with self._speaking():
            found = self._db.execute(f"{SELECT} WHERE key = ?", (key,)).fetchone()
        return Row(*found) if found else None

    def rows(self) -> Iterator[Row]:
        """Yield all items by key; nothing may be recorded while they are drawn."""
        with self._speaking():
            for found in self._db.execute(f"{SELECT} ORDER BY key"):
                yield Row(*found)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop items and what they claim, inside a `transaction` of the caller or each for itself."""
        keys = list(keys)
        with self._speaking():
            self._db.executemany("DELETE FROM items WHERE key = ?", ((key,) for key in keys))
        self.unclaim(keys)

    def claim(self, key: str, output: str, copy_output: str, *, run_id: str, size: int, mtime_ns: int) -> None:
        """Say that files of these names are about to be written for an item.

        Where a name was another item's, that one loses it: its row is kept as `vanished`.

        Args:
            key: the item.
            output, copy_output: relative to OUTPUT, as the system spells them.
            run_id: of this run.
            size, mtime_ns: of the source as it was found, for an outcome that can't tell.
        """
        names = (escape(output), escape(copy_output))
        with self._speaking():
            for name in set(names):
                for other in self.owners(unescape(name)) - {key}:
                    reason = f"gone, and its output now belongs to {key}"
                    for query, values in (
                        (TAKE_OUTPUT, (reason, other, name)),
                        ("UPDATE claims SET output = '' WHERE key = ? AND output = ?", (other, name)),
                        ("UPDATE claims SET copy_output = '' WHERE key = ? AND copy_output = ?", (other, name)),
                    ):
                        self._db.execute(query, values)
            self._db.execute(CLAIM, (key, *names, run_id, 1, size, mtime_ns))

    def unfinished(self) -> dict[str, str]:
        """Return key and run id of all items that were begun (or waited to be) and never recorded."""
        with self._speaking():
            return dict(self._db.execute("SELECT key, run_id FROM claims WHERE pending"))

    def begun_again(self) -> int:
        """Return how many of the `unfinished` have an outcome of an earlier run."""
        with self._speaking():
            query = "SELECT count(*) FROM claims JOIN items USING (key) WHERE pending"
            return int(self._db.execute(query).fetchone()[0])

    def unclaim(self, keys: Iterable[str]) -> None:
        """Give up the claims of items that are gone."""
        with self._speaking():
            self._db.executemany("DELETE FROM claims WHERE key = ?", ((key,) for key in keys))

    def owners(self, output: str) -> set[str]:
        """Return the keys of the items for which we wrote, or may have written, this file.

        Args:
            output: relative to OUTPUT, as the system spells it; not empty.
        """
        query = (
            "SELECT key FROM claims WHERE output = ?1 AND output != '' UNION "
            "SELECT key FROM claims WHERE copy_output = ?1 AND copy_output != '' UNION "
            "SELECT key FROM items WHERE output = ?1 AND output != ''"
        )
        with self._speaking():
            return {key for (key,) in self._db.execute(query, (escape(output),))}

    def inputs_of(self, run_id: str) -> tuple[str, ...]:
        """Return the INPUTs of a run, as `input_spelling` gives them."""
        with self._speaking():
            found = self._db.execute("SELECT inputs FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        return tuple(json.loads(found[0])) if found else ()

    def kind_if_unchanged(self, key: str, size: int, mtime_ns: int) -> str | None:
        """Return the kind of an item that an earlier run found with this size and time: saves opening the file.

        What failed is looked at again: permissions change neither size nor time.
        """
        query = (
            "SELECT kind FROM items WHERE key = ? AND source_size = ? AND source_mtime_ns = ? AND status != 'failed'"
        )
        with self._speaking():
            found = self._db.execute(query, (key, size, mtime_ns)).fetchone()
        return found[0] if found and found[0] in ("photo", "film") else None

    def counts(self, run_id: str | None = None) -> dict[str, int]:
        """Return how many items have each status, of all or of one run."""
        query = "SELECT status, count(*) FROM items WHERE ? IS NULL OR run_id = ? GROUP BY status ORDER BY status"
        with self._speaking():
            return dict(self._db.execute(query, (run_id, run_id)).fetchall())

    def start_run(
        self,
        *,
        inputs: Sequence[Path],
        settings: Mapping[str, Any],
        fingerprint: str,
        version: str,
        planned: int,
    ) -> str:
        """Write that a run begins and return its id: the time it began and a few random digits."""
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        places = json.dumps(input_spelling(inputs))
        values = (run_id, now(), "", places, json.dumps(dict(settings)), fingerprint, socket.gethostname(), os.getpid())
        with self._speaking():
            self._db.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,NULL,?)", (*values, version, planned))
        return run_id

    def finish_run(self, run_id: str, exit_code: int) -> None:
        """Write that a run ended in good order."""
        with self._speaking():
            self._db.execute(
                "UPDATE runs SET finished_at = ?, exit_code = ? WHERE run_id = ?", (now(), exit_code, run_id)
            )

    def last_run(self) -> Run | None:
        """Return the run that began last, or None."""
        with self._speaking():
            found = self._db.execute("SELECT * FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1").fetchone()
        if found is None:
            return None
        run_id, started_at, finished_at, inputs, settings, *rest = found
        return Run(run_id, started_at, finished_at, tuple(json.loads(inputs)), json.loads(settings), *rest)

    def worked(self, run_id: str) -> int:
        """Return how many items of a run went through a worker; what its plan settled at once is not counted."""
        query = "SELECT count(*) FROM items WHERE run_id = ? AND (seconds > 0 OR status = 'crashed')"
        with self._speaking():
            return int(self._db.execute(query, (run_id,)).fetchone()[0])

    def last_record(self, run_id: str) -> str:
        """Return when the last item of a run was recorded; empty if none was."""
        query = "SELECT coalesce(max(finished_at), '') FROM items WHERE run_id = ?"
        with self._speaking():
            return str(self._db.execute(query, (run_id,)).fetchone()[0])


def _text(value: Any) -> Any:
    # A reason may quote a name that is not UTF-8; SQLite takes none of that.
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    for version in range(_version(db), len(MIGRATIONS)):
        db.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[version]} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {version + 1}; COMMIT;"
        )


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
