"""Whether the rows of a journal make sense: SQLite finds a broken page, not a text where a number belongs."""

from __future__ import annotations

import sqlite3
from typing import Final

from pipeline.ground.items import Kind, Status

_TABLES: Final = ("items", "claims", "runs", "pieces")
_TYPES: Final = {"TEXT": ("text",), "INTEGER": ("integer",), "REAL": ("real", "integer")}
_WORDS: Final = {"kind": Kind, "status": Status}


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
    if kind not in _TYPES or not name.isidentifier():
        raise sqlite3.DatabaseError("a column of it is none of ours")
    allowed = (*_TYPES[kind], *(() if needed or name == "key" else ("null",)))
    wrong = f"typeof({name}) NOT IN ({_listed(allowed)})"
    if name in _WORDS:
        wrong += f" OR {name} NOT IN ({_listed(('', *_WORDS[name]))})"
    return wrong


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
