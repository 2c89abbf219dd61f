"""A source that lies in a storage is fetched before its unit is done, and goes afterwards."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.ground.files import unwritable
from pipeline.ground.items import MADE, Answer, Result, Unit, Verb
from pipeline.ground.storage import Origin, fetch, status
from pipeline.media.medium import Job

FOLDER: Final = "fetched"  # in the run's folder for unfinished files
_OF_THIS_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@dataclass(slots=True)
class AtHand:
    """A unit whose source is a file of this machine.

    Attributes:
        unit: it.
        found: what is known of the original, as it was when it was fetched.
        keep: it stays for the next unit of its item.
    """

    unit: Unit
    found: os.stat_result
    keep: bool = False

    def judge(self, answer: Answer) -> None:
        """Keep what was fetched where the item goes on: one film is not fetched for each of its pieces."""
        goes_on = isinstance(answer, Result) and answer.status in MADE
        scanned = self.unit.verb is Verb.SCAN and isinstance(answer, Result) and bool(answer.spans)
        self.keep = goes_on and (scanned or self.unit.verb is Verb.PIECE)


@contextmanager
def at_hand(unit: Unit, job: Job) -> Iterator[AtHand]:
    """Give a unit with its source at hand, for the length of the block.

    Raises:
        FileNotFoundError, OSError: the source is gone, or cannot be read.
        ItemError: nothing can be written there.
        OutputError: nothing can be written at all.
    """
    if not isinstance(unit.source, Origin):
        yield AtHand(unit, unit.source.stat())
        return
    said = f"{unit.source}\0{unit.size}\0{unit.mtime_ns}"
    folder = job.tmp_dir / FOLDER / hashlib.sha256(os.fsencode(said)).hexdigest()[:32]
    path = folder / unit.source.name
    held: AtHand | None = None
    try:
        held = AtHand(replace(unit, source=path), _fetched(unit, path, job))
        yield held
    finally:
        if held is None or not held.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _fetched(unit: Unit, path: Path, job: Job) -> os.stat_result:
    assert isinstance(unit.source, Origin)
    known = unit.size, unit.mtime_ns
    if path.exists():  # by another unit of its item
        return status(0o100444, *known)
    part = path.parent / f".{uuid.uuid4().hex}.part"
    try:
        for made in (path.parent.parent, path.parent):  # never the run's own: where that is gone, its run is over
            with suppress(FileExistsError):
                made.mkdir()
        found = fetch(unit.source, part, known)
        os.utime(part, ns=(found.st_mtime_ns, found.st_mtime_ns))
        part.replace(path)
    except OSError as error:
        if error.errno in _OF_THIS_DISK or not job.tmp_dir.is_dir():
            raise unwritable(error, job.tmp_dir) from None
        raise
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return found
