"""The journal's file: opened to write or to read, checked, brought up to date, and its errors put into sentences."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from pipeline.archive.own import FOLDER, JOURNAL, check_own
from pipeline.archive.schema import APPLICATION_ID, MIGRATIONS
from pipeline.archive.sense import check_schema, check_sense, distrust
from pipeline.ground import inside, shelf
from pipeline.ground.errors import OutputError
from pipeline.ground.files import words
from pipeline.ground.mounts import file_system, over_network

_NAME = JOURNAL


def journal_path(output: Path) -> Path:
    """Return where the journal of OUTPUT lies."""
    return output / FOLDER / _NAME


class Database:
    """The open file of one OUTPUT; a context manager.

    Every method raises `OutputError` where the file is damaged, of a newer version, not ours, or can't be written.

    Attributes:
        output: OUTPUT.
        path: the file.
        shared: whether it can be read while it is written, without one waiting for the other.
        elsewhere: outputs that a killed run has not given their names, where only a look is taken.
    """

    def __init__(self, output: Path, *, read_only: bool = False) -> None:
        """Open the file; the driver's is made or brought up to date, a reader's must be there."""
        self.output = output
        self.path = journal_path(output)
        self.shared = True
        self.elsewhere: dict[str, str] = {}
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        with self.speaking():
            self.db = self._open_to_read() if read_only else self._open_to_write()

    @classmethod
    def empty(cls, output: Path) -> Self:
        """Return one without a file, in memory: for a look at an OUTPUT that no run has written to yet."""
        made = cls.__new__(cls)
        made.output, made.path, made.shared, made._copy = output, journal_path(output), False, None
        made.elsewhere = {}
        made.db = sqlite3.connect(":memory:", isolation_level=None)
        _bring_up_to_date(made.db)
        return made

    @classmethod
    def rehearsal(cls, output: Path) -> Self:
        """Return a copy, in a file without a name, that takes what a run would write; OUTPUT stays as it is."""
        made = cls.empty(output)
        made.db = sqlite3.connect("", isolation_level=None)
        if made.path.exists():
            with cls(output, read_only=True) as there, there.speaking():
                there.db.backup(made.db)
        _bring_up_to_date(made.db)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing that was recorded is lost if this is never called."""
        self.db.close()
        if self._copy is not None:
            self._copy.cleanup()

    def _open_to_write(self) -> sqlite3.Connection:
        check_own(self.output)
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            with inside.opened(self.output, FOLDER, make=True) as folder:
                return self._open_in(folder)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be made or opened: {words(error)}.") from None

    def _open_in(self, folder: int) -> sqlite3.Connection:
        with suppress(FileExistsError):  # as the umask says, which SQLite does not ask
            os.close(inside.create(_NAME, folder))
        self.shared = not over_network(self.path.parent)
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            self._in_its_place(_NAME, folder)
            if not self.shared and _has_log(self.path):  # OUTPUT was moved here: read it without shared memory
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._check(db)
            self._choose_log(db)
            db.execute("PRAGMA synchronous = NORMAL")
            _bring_up_to_date(db)
            if db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":  # which is opened with the first look
                self._in_its_place(f"{_NAME}-wal", folder)
        except BaseException:
            db.close()
            raise
        return db

    def _in_its_place(self, name: str, folder: int) -> None:
        """Raise `OutputError` where SQLite, which goes by names, has opened another file than the folder's.

        A network may number its files anew while they are open: there nothing is looked at.
        """
        if self.shared and not inside.has_open(name, folder):
            raise OutputError(f"{self.path.parent} was exchanged while the journal was opened: look who writes there.")

    def _choose_log(self, db: sqlite3.Connection) -> None:
        """Let readers look while we write, where there is shared memory; a network only pretends to have it."""
        with suppress(sqlite3.OperationalError):
            if self.shared:
                db.execute("PRAGMA journal_mode = WAL")
                return
        self.shared = False
        db.execute("PRAGMA journal_mode = DELETE")  # gvfs fails where a file is cut short and filled again
        db.execute("PRAGMA locking_mode = NORMAL")

    def _open_to_read(self) -> sqlite3.Connection:
        check_own(self.output)
        if not self.path.exists():
            raise OutputError(f"{self.output} holds no journal: no run has written there yet.")
        try:
            return self._connect_to_read(self.path)
        except sqlite3.OperationalError:
            # WAL wants to write beside the file even to read it: on a read-only disk, read a copy.
            return self._read_copy()

    def _read_copy(self) -> sqlite3.Connection:
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
            # An older one is read as a copy brought up to date; so is one whose driver was killed as it made it.
            if version(db) < len(MIGRATIONS):
                db = _newer_copy(db)
            db.execute("SELECT count(*) FROM runs").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        distrust(db)
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        identity = db.execute("PRAGMA application_id").fetchone()[0]
        if tables and identity != APPLICATION_ID:
            raise OutputError(f"{self.path} was not written by this program: give another OUTPUT.")
        if version(db) > len(MIGRATIONS):
            raise OutputError(f"{self.path} was written by a newer colorize: update this one, or give another OUTPUT.")
        check_schema(db)
        if tables and db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check found it malformed")
        check_sense(db)

    def copy_to(self, name: str, folder: int) -> None:
        """Copy all of it into an empty file beside it, in the open folder of both, and check the copy."""
        with self.speaking():
            copy = sqlite3.connect(self.path.with_name(name), isolation_level=None)
            try:
                self._in_its_place(name, folder)
                self.db.backup(copy)
                if copy.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                    raise sqlite3.DatabaseError("its copy is malformed")
            finally:
                copy.close()

    def speaking(self) -> _Speaking:
        """Turn what SQLite raises in the block into a sentence."""
        return _Speaking(self)

    def sentence(self, error: sqlite3.DatabaseError | UnicodeDecodeError) -> OutputError:
        """Return the sentence on what SQLite raised."""
        if isinstance(error, sqlite3.OperationalError):
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                return OutputError(f"No space is left for {self.path}: make room and run again.")
            return OutputError(f"The journal {self.path} cannot be used: {error}.{self._advice()}")
        said = "it holds what is no text" if isinstance(error, UnicodeDecodeError) else error
        return OutputError(
            f"The journal {self.path} is damaged ({said}): "
            f"`colorize recover {shelf.typed(self.output)}` takes back what its copy and the manifest know."
        )

    def _advice(self) -> str:
        kind = file_system(self.output) if not self.shared else ""
        if not kind.startswith("fuse."):
            return ""
        return (
            f" It lies on {kind}, which cannot hold a database: mount the share itself (mount -t cifs, nfs, or "
            "rclone mount --vfs-cache-mode full), or give an OUTPUT on a disk and copy it there."
        )

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Make all that is written inside one step, or nothing; `durable` waits until the disk has it."""
        with self.speaking():
            if durable:
                self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
            if durable:
                self.db.execute("PRAGMA synchronous = NORMAL")


class _Speaking:
    """See `Database.speaking`; no generator, for it is entered several times for each item."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError):
            raise self._database.sentence(error) from None


def _has_log(path: Path) -> bool:
    """Tell whether a file is written by way of a log (WAL): byte 18 of a database says so."""
    try:
        with path.open("rb") as file:
            return file.read(19)[18:] == b"\2"
    except OSError:
        return False


def _newer_copy(db: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", isolation_level=None)
    db.backup(copy)
    db.close()
    _bring_up_to_date(copy)
    return copy


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    for step in range(version(db), len(MIGRATIONS)):
        db.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[step]} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {step + 1}; COMMIT;"
        )


def version(db: sqlite3.Connection) -> int:
    """Return which of the `MIGRATIONS` the file has seen."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])
