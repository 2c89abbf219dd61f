"""Outputs that follow their renamed sources: written into the journal with the plan, done after it, safe to repeat.

Names may be exchanged, or shifted along a series: what stands where another is to go is put aside first. Before a file
is moved the name that it gets is claimed for it, so that after a kill the next run knows where it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from pipeline.archive.caseless import is_one
from pipeline.archive.journal import Journal, remove_superseded
from pipeline.archive.names import ending
from pipeline.archive.own import FOLDER
from pipeline.archive.spelling import unescape
from pipeline.ground import inside, shelf
from pipeline.ground.errors import OutputError
from pipeline.ground.files import words
from pipeline.ground.items import KEPT, Filed, Kind, Result, Status

_ON_ITS_WAY: Final = "//"  # before the key of a row that gets it when all is known: no source's begins so
_SUPERSEDED: Final = "superseded "  # a fact: a file that goes, as it was written, with its place
_ASIDE: Final = f"{FOLDER}/moving"
_BATCH: Final = 256


def follow(journal: Journal, old: str, result: Result) -> Kind:
    """Let the row of a source that was renamed have its new key; inside a `transaction` of the caller.

    Args:
        journal: open to write.
        old: its key.
        result: the new key, and what the item is from now on: `DONE` is as it was made.

    Returns:
        What the item was claimed as.
    """
    new, away = result.key, _leave(journal, old, result.key)
    output, copy_output = journal.claimed(new)
    query = "SELECT kind, source_mtime_ns FROM claims WHERE key = ?"
    kind, mtime_ns = journal.db.execute(query, (new,)).fetchone()
    journal.db.execute("UPDATE items SET source_mtime_ns = ? WHERE key = ?", (mtime_ns, away))
    if result.status is Status.DONE:
        journal.unmark(away)
    else:
        journal.mark(away, result.status, result.reason, result.cause)
    made_as, place = journal.db.execute(
        "SELECT CASE WHEN was != '' THEN was ELSE status END, output FROM items WHERE key = ?", (away,)
    ).fetchone()
    if result.status is Status.REJECTED and _look(journal, place) is None:
        place = ""
        journal.db.execute("UPDATE items SET output = '' WHERE key = ?", (away,))
    journal.db.execute("UPDATE claims SET pending = 0, output = ?, copy_output = '' WHERE key = ?", (place, new))
    if place:
        wanted = copy_output if made_as == Status.COPIED else output
        if ending(wanted) != ending(place):
            wanted = _with_its_suffix(journal, wanted, place, {old, new})
        journal.db.execute("INSERT OR REPLACE INTO moves VALUES (?, ?)", (new, wanted))
    return Kind(kind)


def inherit(journal: Journal, old: str, new: str) -> None:
    """Let a renamed source that is made anew have its old row: what it had made before goes when it is finished."""
    _leave(journal, old, new)


def _leave(journal: Journal, old: str, new: str) -> str:
    away = f"{_ON_ITS_WAY}{new}"
    journal.db.execute("UPDATE items SET key = ? WHERE key = ?", (away, old))
    journal.db.execute(
        "DELETE FROM claims WHERE key = ? AND NOT EXISTS (SELECT 1 FROM displaced WHERE key = ?1)", (old,)
    )
    return away


def _with_its_suffix(journal: Journal, wanted: str, place: str, own: set[str]) -> str:
    """Return a name that says what somebody's file is, whatever format is made now."""
    suffix = PurePosixPath(place).suffix
    named = f"{wanted.removesuffix(PurePosixPath(wanted).suffix)}{suffix}"
    return named if journal.owners(unescape(named)) <= own else _apart(named)


def _apart(place: str) -> str:
    """Return another name for a place that is taken."""
    path = PurePosixPath(place)
    digits = hashlib.sha256(place.encode()).hexdigest()[:8]
    return str(path.with_name(f"{path.stem[:200]}~{digits}{path.suffix}"))


def arrange(journal: Journal) -> None:
    """Give rows on their way their keys, when the plan is written; what others had made under these is superseded."""
    query = "SELECT key FROM items WHERE key >= ? AND key < '/0'"
    for (away,) in journal.db.execute(query, (_ON_ITS_WAY,)).fetchall():
        key = away.removeprefix(_ON_ITS_WAY)
        _supersede(journal, key)
        journal.db.execute("DELETE FROM items WHERE key = ?", (key,))
        journal.db.execute("UPDATE items SET key = ? WHERE key = ?", (key, away))
    query = (
        "SELECT items.key, moves.place, moves.key FROM moves JOIN items ON items.output = moves.place "
        "WHERE items.output != '' AND items.key != moves.key AND items.key NOT IN (SELECT key FROM moves)"
    )
    for other, place, key in journal.db.execute(query).fetchall():
        _supersede(journal, other)
        journal.take_name(other, place, key)


def _supersede(journal: Journal, key: str) -> None:
    row = journal.row(key)
    if row is not None and row.output and row.status in KEPT:
        journal.put_fact(f"{_SUPERSEDED}{row.output}", json.dumps([row.output_size, row.output_sha256]))


class _Move(NamedTuple):
    """An output that is to have another name; escaped, as they stand in the journal."""

    key: str
    place: str
    at: str  # where it lies, says its row
    claimed: str  # where it was about to be moved


def foresee_moves(journal: Journal) -> None:
    """Say in a journal that is no OUTPUT's where the outputs would lie if `finish_moves` were called."""
    for batch in _batches(journal):
        for move in batch:
            at = move.at if _own(journal, move) else move.claimed
            if at and _look(journal, at):
                journal.elsewhere[move.place] = at
                journal.db.execute("UPDATE items SET output = ? WHERE key = ?", (move.place, move.key))
                journal.db.execute("UPDATE claims SET output = ? WHERE key = ?", (move.place, move.key))
    journal.db.execute("DELETE FROM moves")


def finish_moves(journal: Journal) -> None:
    """Give outputs the names that were written down for them; one that cannot be moved stays where it is.

    Raises:
        OutputError: one cannot be moved, and what another item makes would take its name.
    """
    for place, said in journal.facts(_SUPERSEDED).items():
        size, sha256 = json.loads(said)
        remove_superseded(Filed(unescape(place), size, sha256), journal.output)
        journal.drop_fact(f"{_SUPERSEDED}{place}")
    for last in (False, True):
        for batch in _batches(journal):
            _finish(journal, batch, last=last)


def _batches(journal: Journal) -> Iterator[list[_Move]]:
    query = (
        "SELECT moves.key, moves.place, coalesce(items.output, ''), coalesce(claims.copy_output, '') "
        "FROM moves LEFT JOIN items USING (key) LEFT JOIN claims USING (key) "
        "WHERE moves.key > ? ORDER BY moves.key LIMIT ?"
    )
    after = ""
    while True:
        with journal.speaking():
            found = [_Move(*row) for row in journal.db.execute(query, (after, _BATCH)).fetchall()]
        if not found:
            return
        yield found
        after = found[-1].key


def _finish(journal: Journal, batch: list[_Move], *, last: bool) -> None:
    steps = [(move, _step(journal, move, last=last)) for move in batch]
    with journal.transaction(durable=True):
        for move, to in steps:
            journal.db.execute("UPDATE claims SET copy_output = ? WHERE key = ?", (to, move.key))
    ends = [(move, *_moved(journal, move, to)) for move, to in steps]
    stuck = [each for each in ends if last and _is_stuck(journal, *each[:2])]
    with journal.transaction():
        for move, at, _ in ends:
            journal.db.execute("UPDATE items SET output = ? WHERE key = ?", (at, move.key))
            journal.db.execute("UPDATE claims SET output = ?, copy_output = '' WHERE key = ?", (at, move.key))
        for move, at, why in ends:
            if (last or at in ("", move.place)) and (move, at, why) not in stuck:
                journal.db.execute("DELETE FROM moves WHERE key = ?", (move.key,))
    for move, at, why in stuck:
        raise OutputError(f"{shelf.name(journal.output)}/{at} cannot be renamed to {move.place}: {why}.")


def _step(journal: Journal, move: _Move, *, last: bool) -> str:
    """Return the name that an output is to be given now; empty where there is none."""
    if move.at in ("", move.place):
        return ""
    here, there = _own(journal, move), _look(journal, move.place)
    if here is None:  # it was moved by a run that was killed then, or is gone
        return move.claimed if move.claimed and _look(journal, move.claimed) else ""
    near = shelf.of(journal.output) is None  # what stands in a storage has no number of its own
    if (
        there is None
        or (near and os.path.samestat(here, there))
        or is_one(journal.output, unescape(move.at), unescape(move.place))
    ):
        return move.place
    if last:
        return _apart(move.place)
    aside = f"{_ASIDE}/{hashlib.sha256(move.key.encode()).hexdigest()[:32]}{PurePosixPath(move.place).suffix}"
    return aside if aside != move.at else ""


def _own(journal: Journal, move: _Move) -> os.stat_result | None:
    """Look where an output lies, says its row; what was moved there since is another's."""
    query = "SELECT 1 FROM items WHERE output = ? AND output != '' AND key != ?"
    taken = journal.db.execute(query, (move.at, move.key)).fetchone()
    return None if taken else _look(journal, move.at)


def _moved(journal: Journal, move: _Move, to: str) -> tuple[str, str]:
    """Give an output its name; return where it lies then, and what kept it from getting there."""
    if not to:
        return move.at, "something else has its name"
    old, new = unescape(move.at), unescape(to)
    if _own(journal, move) is not None:
        try:
            if is_one(journal.output, old, new):
                inside.respell(journal.output, old, new.rpartition("/")[2])
            else:
                shelf.move(journal.output, old, new)
        except OSError as error:
            return move.at, words(error)
    shelf.remove_empty(journal.output, old.rpartition("/")[0])
    return to, ""


def _is_stuck(journal: Journal, move: _Move, at: str) -> bool:
    """Tell whether an output lies where it cannot stay."""
    if at in ("", move.place) or _own(journal, move._replace(at=at)) is None:
        return False
    return at.startswith(f"{_ASIDE}/") or not journal.owners(unescape(at)) <= {move.key}


def _look(journal: Journal, place: str) -> os.stat_result | None:
    try:
        return shelf.look(journal.output, unescape(place))
    except OSError:
        return None
