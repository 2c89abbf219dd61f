"""Outputs that follow their renamed sources: written into the journal with the plan, done after it, safe to repeat."""

from __future__ import annotations

from pipeline.archive.journal import Journal
from pipeline.archive.spelling import unescape
from pipeline.ground import shelf
from pipeline.ground.items import Kind, Status


def follow(journal: Journal, old: str, new: str) -> Kind:
    """Let the row of a source that was renamed have its new key; inside a `transaction` of the caller.

    Returns:
        What the item was claimed as.
    """
    query = "SELECT kind, output, copy_output, source_mtime_ns FROM claims WHERE key = ?"
    kind, output, copy_output, mtime_ns = journal.db.execute(query, (new,)).fetchone()
    made_as, place = journal.db.execute(
        "SELECT CASE WHEN was != '' THEN was ELSE status END, output FROM items WHERE key = ?", (old,)
    ).fetchone()
    journal.db.execute("UPDATE items SET key = ?, source_mtime_ns = ? WHERE key = ?", (new, mtime_ns, old))
    journal.db.execute("DELETE FROM claims WHERE key = ?", (old,))
    journal.db.execute("UPDATE claims SET pending = 0, output = ?, copy_output = '' WHERE key = ?", (place, new))
    wanted = copy_output if made_as == Status.COPIED else output
    journal.db.execute("INSERT OR REPLACE INTO moves VALUES (?, ?)", (new, wanted))
    return Kind(kind)


def inherit(journal: Journal, old: str, new: str) -> None:
    """Let a renamed source that is made anew have its old row: what it had made before goes when it is finished."""
    journal.db.execute("UPDATE items SET key = ? WHERE key = ?", (new, old))
    journal.db.execute("DELETE FROM claims WHERE key = ?", (old,))


def finish_moves(journal: Journal) -> None:
    """Give outputs the names that were written down for them; one that cannot be moved stays where it is."""
    while True:
        with journal.speaking():
            found = journal.db.execute("SELECT key, place FROM moves LIMIT 256").fetchall()
        if not found:
            return
        for key, place in found:
            row = journal.row(key)
            moved = row is not None and row.output not in ("", place) and _move(journal, row.output, place)
            with journal.transaction():
                if moved:
                    for table in ("items", "claims"):
                        journal.db.execute(f"UPDATE {table} SET output = ? WHERE key = ?", (place, key))
                journal.db.execute("DELETE FROM moves WHERE key = ?", (key,))


def _move(journal: Journal, place: str, to: str) -> bool:
    old = unescape(place)
    try:
        shelf.move(journal.output, old, unescape(to))
    except OSError:
        return False
    shelf.remove_empty(journal.output, old.rpartition("/")[0])
    return True
