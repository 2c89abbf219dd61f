"""OUTPUT taken by a run; where none begins, it is left as it was found: a mistyped command writes nothing that stays.

What was left behind would do harm later: a folder of originals that was named as OUTPUT by mistake would pass for one
that this program has filled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal
from pipeline.archive.lock import hold
from pipeline.archive.own import COPY, FOLDER, MANIFEST, OF_A_RUN
from pipeline.ground import inside
from pipeline.ground.errors import OutputError
from pipeline.ground.files import may_be_there


@contextmanager
def taking(output: Path) -> Iterator[None]:
    """`hold` OUTPUT for the length of the block; the journal is opened and closed inside it."""
    made = [each for each in (output, *output.parents) if not may_be_there(each.lstat)]
    unbegun = False
    try:
        with hold(output):
            try:
                yield
            finally:
                unbegun = _is_unbegun(output)
                if unbegun:
                    _clear(output)
    finally:
        with suppress(OSError):  # something else was put there meanwhile
            for folder in made if unbegun else ():
                folder.rmdir()


def _is_unbegun(output: Path) -> bool:
    """Tell whether nothing in OUTPUT tells of a run, now or ever."""
    if any(may_be_there(path.lstat) for path in (output / MANIFEST, output / FOLDER / COPY)):
        return False
    try:
        with Journal(output, read_only=True) as journal:
            return journal.last_run() is None
    except (OutputError, OSError):
        return not may_be_there(journal_path(output).lstat)


def _clear(output: Path) -> None:
    for name in OF_A_RUN:
        with suppress(OSError):
            inside.remove(output, f"{FOLDER}/{name}")
    inside.remove_empty(output, FOLDER)
