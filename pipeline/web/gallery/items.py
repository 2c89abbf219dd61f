"""What a gallery shows of each item of the journal: its row, and where original and output lie now."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.archive.journal import Journal
from pipeline.archive.places import Root, known_places, places_of, source_path
from pipeline.archive.row import Row
from pipeline.archive.schema import Run
from pipeline.archive.spelling import unescape
from pipeline.ground import inside, shelf
from pipeline.ground.items import PICTURED, Kind, Status
from pipeline.ground.shelf import Sight
from pipeline.ground.storage import Origin

# A decoder killed its process on these twice.
_DEADLY: Final = Status.CRASHED


@dataclass(frozen=True, slots=True)
class File:
    """A picture or film that is there.

    Attributes:
        path: where.
        digest: hexadecimal, another one for other contents: the sha256 where the file is as the journal knows it.
        size: in bytes.
        film: whether it moves.
        shown: may be opened to make a thumbnail of it.
    """

    path: Path
    digest: str
    size: int
    film: bool
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        row: what the journal says.
        source, output: the files; None where they are not there, or are no pictures.
        place: of the output, relative to OUTPUT, as the system spells it.
    """

    row: Row
    source: File | None
    output: File | None
    place: str


def items_of(journal: Journal, runs: Mapping[str, Run]) -> Iterator[Item]:
    """Yield all items, by key. No file is opened, and a storage is not asked for each: a million would take hours.

    Raises:
        OutputError: OUTPUT lies in a storage that cannot be read.
    """
    places, sight = places_of(runs.values(), journal.output), Sight(journal.output, listing=True)
    for row in journal.rows():
        run = runs.get(row.run_id)
        yield _item(row, places[run.inputs] if run else [], journal.output, sight, asked=False)


def item_of(journal: Journal, key: str) -> Item | None:
    """Return one item, or None where there is none of this key; raises `OutputError` as `items_of`."""
    row = journal.row(key)
    if row is None:
        return None
    run = journal.runs().get(row.run_id)
    roots = known_places(run.inputs, journal.output) if run else []
    return _item(row, roots, journal.output, Sight(journal.output), asked=True)


def _item(row: Row, roots: Sequence[Root], output: Path, sight: Sight, *, asked: bool) -> Item:
    place = unescape(row.output) if row.output and inside.is_inside(row.output) else ""
    return Item(row, _source(row, roots, asked=asked), _output(row, place, output, sight), place)


def _source(row: Row, roots: Sequence[Root], *, asked: bool) -> File | None:
    if not roots or row.kind not in PICTURED or not inside.is_inside(row.key):
        return None
    path = source_path(roots, unescape(row.key))
    known = row.source_sha256, row.source_size, row.source_mtime_ns
    if isinstance(path, Origin) and not asked:
        gone = not row.source_sha256 or row.status in (Status.GONE, Status.VANISHED)
        return None if gone else File(path, known[0], known[1], row.kind == Kind.FILM, row.status != _DEADLY)
    return _file(path, path.stat, row, known) if path.is_absolute() else None


def _output(row: Row, place: str, output: Path, sight: Sight) -> File | None:
    if not place:
        return None
    known = row.output_sha256, row.output_size, row.output_mtime_ns
    return _file(shelf.path(output, place), lambda: sight.look(place), row, known)


def _file(path: Path, look: Callable[[], os.stat_result], row: Row, known: tuple[str, int, int]) -> File | None:
    """Return a regular file; its contents are taken for the known ones where size and time are."""
    try:
        found = look()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return None
    digest, size, mtime_ns = known
    if not digest or (found.st_size, found.st_mtime_ns) != (size, mtime_ns):
        said = b"%s\0%d\0%d" % (os.fsencode(path), found.st_size, found.st_mtime_ns)
        digest = hashlib.sha256(said).hexdigest()
    return File(path, digest, found.st_size, row.kind == Kind.FILM, row.status != _DEADLY)
