"""Whether a journal makes sense: SQLite finds a broken page, not a text where a number belongs, nor a view or trigger.

A file of ours that somebody else has written to may hold both; what a trigger does, it does in our name.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Final

from pipeline.archive.schema import MIGRATIONS
from pipeline.ground.items import Kind, Status

_TABLES: Final = ("items", "claims", "runs", "pieces")
_TYPES: Final = {"TEXT": ("text",), "INTEGER": ("integer",), "REAL": ("real", "integer")}
_WORDS: Final = {"kind": Kind, "status": Status}
_OF_SQLITE: Final = (("table", "sqlite_stat1"), ("table", "sqlite_stat4"))  # somebody had it analysed
_LONGEST: Final = 1 << 26  # bytes of one row


def distrust(db: sqlite3.Connection) -> None:
    """Make SQLite doubt a file that is open: nothing in its schema calls out, and no row takes all memory."""
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)


def check_schema(db: sqlite3.Connection) -> None:
    """Look for tables, indexes, views and triggers that the `MIGRATIONS` up to its version do not make.

    Raises:
        sqlite3.DatabaseError: there are some, or ours are not there.
    """
    db.execute("BEGIN")  # both are of one moment: a driver may bring the file up to date just now
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if _schema(db) not in (_made_by(version), frozenset()):
        raise sqlite3.DatabaseError("its tables are not those that this program makes")
    db.execute("COMMIT")


@cache
def _made_by(version: int) -> frozenset[tuple[str, str, str]]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for step in MIGRATIONS[:version]:
            made.executescript(step)
        return _schema(made)
    finally:
        made.close()


def _schema(db: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """Return kind, name and SQL of all there is, but for what SQLite makes itself."""
    found = db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    own = (
        (kind, name, sql)
        for kind, name, sql in found
        if (kind, name) not in _OF_SQLITE and (kind, sql) != ("index", "")
    )
    return frozenset((kind, name, " ".join(sql.split())) for kind, name, sql in own)


def check_sense(db: sqlite3.Connection) -> None:
    """Look at every row once.

    Raises:
        sqlite3.DatabaseError: one of them was not written by this program.
    """
    for table in _TABLES:
        columns = db.execute(f"PRAGMA table_info({table})").fetchall()
        wrong = [_wrong(name, kind, needed) for _, name, kind, needed, *_ in columns]
        if table == "runs":
            wrong.append("CASE WHEN json_valid(inputs) THEN json_type(inputs) ELSE '' END != 'array'")
            wrong.append("CASE WHEN json_valid(settings) THEN json_type(settings) ELSE '' END != 'object'")
        if columns and db.execute(f"SELECT 1 FROM {table} WHERE {' OR '.join(wrong)} LIMIT 1").fetchone():
            raise sqlite3.DatabaseError(f"a row of its table {table} makes no sense")


def _wrong(name: str, kind: str, needed: int) -> str:
    """Return what is true of a cell that holds something else than its column."""
    allowed = (*_TYPES[kind], *(() if needed or name == "key" else ("null",)))
    wrong = f"typeof({name}) NOT IN ({_listed(allowed)})"
    if name in _WORDS:
        wrong += f" OR {name} NOT IN ({_listed(('', *_WORDS[name]))})"
    return wrong


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
