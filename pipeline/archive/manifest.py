"""The manifest: the journal as a table for people and spreadsheets, `OUTPUT/manifest.csv`."""

from __future__ import annotations

import codecs
import csv
import io
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.archive.journal import Journal
from pipeline.archive.own import FOLDER, MANIFEST, check_own
from pipeline.archive.row import HEADERS, cells, is_header
from pipeline.ground import inside, shelf
from pipeline.ground.errors import OutputError
from pipeline.ground.files import Room, appearing, sync_folder, words

NAME: Final = MANIFEST
EVERY: Final = 60.0  # seconds
_FACT: Final = "manifest"


def check_manifest(output: Path) -> None:
    """Refuse a `manifest.csv` in OUTPUT that is not ours, before a night's work rather than after it.

    Raises:
        OutputError: with what to do.
    """
    check_own(output)
    path = output / NAME
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is not a file: move it away, or give another OUTPUT.")
    try:
        with path.open("rb") as file:
            header = file.readline(1000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {words(error)}.") from None
    if header and not is_header(header):
        raise OutputError(f"{path} is not a manifest of this program: move it away, or give another OUTPUT.")


def write_manifest(journal: Journal, output: Path, *, bom: bool | None = None) -> Path:
    """Draw the manifest from the journal: RFC 4180, UTF-8, one row an item, sorted by source.

    Args:
        journal: what is drawn.
        output: OUTPUT.
        bom: whether it begins with a byte order mark; None: as the old one does.

    The old one stays whole until the new one is on the disk. Rows are streamed: memory does not grow with them.

    Returns:
        Its path.

    Raises:
        OutputError: it can't be written, or a file that is not ours is in its place.
    """
    check_manifest(output)
    path = output / NAME
    encoding = "utf-8-sig" if (_has_bom(path) if bom is None else bom) else "utf-8"
    try:
        with inside.opened(output, f"{FOLDER}/tmp", make=True):
            pass
        with appearing(NAME, Room(output, output / FOLDER / "tmp")) as file:
            text = io.TextIOWrapper(file, encoding=encoding, errors="backslashreplace", newline="")
            writer = csv.writer(text, lineterminator="\r\n")
            writer.writerow(HEADERS)
            writer.writerows(map(cells, journal.rows()))
            text.flush()
            text.detach()
        sync_folder(output)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {words(error)}.") from None
    shelf.mirror(output, NAME)
    return path


def is_drawn(journal: Journal, output: Path, *, bom: bool) -> bool:
    """Tell whether the manifest is as `note_drawn` saw it: with a million rows, it is not drawn anew for nothing."""
    return journal.fact(_FACT) == _look(output, bom)


def note_drawn(journal: Journal, output: Path, *, bom: bool) -> None:
    """Write down that the manifest shows all that the journal knows."""
    journal.put_fact(_FACT, _look(output, bom))


def note_change(journal: Journal) -> None:
    """Write down, with whatever changes it, that the manifest is to be drawn anew."""
    journal.put_fact(_FACT, "changed")


def _look(output: Path, bom: bool) -> str:
    try:
        found = (output / NAME).lstat()
    except OSError:
        return "not there"
    return f"{found.st_size} {found.st_mtime_ns} {bom}"


def _has_bom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(3) == codecs.BOM_UTF8
    except OSError:
        return False


class ManifestDrawer:
    """Draws the manifest now and then while a run works, in a thread of its own: nobody waits for it.

    A drawing of a million rows takes longer than a minute is worth: the next one waits until the last has cost less
    than a twentieth of the time.
    """

    def __init__(self, output: Path, *, every: float = EVERY, bom: bool | None = None) -> None:
        """Take OUTPUT, whose journal can be read while it is written; the first drawing is due in `every` seconds."""
        self._output, self._every, self._bom = output, every, bom
        self._due = time.monotonic() + every
        self._thread: threading.Thread | None = None

    def draw_when_due(self) -> None:
        """Begin a drawing if it is time; return at once."""
        if time.monotonic() >= self._due and (self._thread is None or not self._thread.is_alive()):
            self.draw()

    def draw(self) -> None:
        """Begin a drawing; return at once."""
        self._due = float("inf")
        self._thread = threading.Thread(target=self._draw, name="manifest", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when no drawing is under way."""
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        began = time.monotonic()
        # What is wrong is said when the last one is drawn.
        with suppress(OutputError, OSError), Journal(self._output, read_only=True) as journal:
            write_manifest(journal, self._output, bom=self._bom)
        took = time.monotonic() - began
        self._due = time.monotonic() + max(self._every, 20 * took)
