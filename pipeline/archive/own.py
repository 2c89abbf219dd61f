"""The program's own files in OUTPUT: none is written through a link, or waited for that is a pipe."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from pipeline.ground import shelf
from pipeline.ground.addresses import NOT_HERE
from pipeline.ground.errors import OutputError
from pipeline.ground.files import words
from pipeline.ground.storage import Origin

FOLDER: Final = ".colorize"
MANIFEST: Final = "manifest.csv"
JOURNAL: Final = "journal.sqlite"
COPY: Final = "journal.copy.sqlite"
GALLERY: Final = "gallery"  # what `colorize gallery` knows of its thumbnails, and what of it is unfinished
GALLERY_LOCK: Final = "gallery.lock"
NOTE: Final = "storage.json"  # in a state folder: which storage the outputs stand in
HINTS_LOCK: Final = "hints.lock"  # held while OUTPUT's hints are read, changed and written
GALLERY_MARK: Final = "colorize-gallery.json"  # lies in a gallery's folder: that is ours, and holds no originals
_BESIDE: Final = tuple(f"{JOURNAL}-{suffix}" for suffix in ("wal", "shm", "journal"))
_FOLDERS: Final = ("tmp", "parts", GALLERY)
OF_A_RUN: Final = (JOURNAL, *_BESIDE, "owner.json", "lock.soft", "lock")  # files that are made before it begins
_NAMES: Final = (*_FOLDERS, *OF_A_RUN, GALLERY_LOCK, HINTS_LOCK, NOTE, COPY)


def resolved(output: Path) -> Path:
    """Follow the links on the way to OUTPUT, once: it may lie on another disk, but does not move while a run works.

    Raises:
        OutputError: they lead in a circle, or cannot be read, or OUTPUT is a file or an address.
    """
    if isinstance(output, Origin):
        raise OutputError(f"{output}: {NOT_HERE}")
    if output.is_file():
        raise OutputError(f"{output} is a file: OUTPUT is a folder, give another name.")
    try:
        real = output.resolve()
        return output if real == Path(os.path.abspath(output)) else real  # noqa: PTH100 - it follows no link
    except (OSError, RuntimeError) as error:
        why = words(error) if isinstance(error, OSError) else "links that lead in a circle"
        raise OutputError(f"{output} cannot be used: {why}.") from None


def check_own(output: Path) -> None:
    """Look at the places of the program's own files, before any of them is opened to write.

    Raises:
        OutputError: one of them is a symbolic link, a pipe or a device; or OUTPUT is the state folder of an address.
    """
    if shelf.of(output) is None and (output / FOLDER / NOTE).exists():
        raise OutputError(f"{output} is the state folder of an OUTPUT in a storage: name the address of that.")
    for path in (output / FOLDER, output / MANIFEST, *(output / FOLDER / name for name in _NAMES)):
        try:
            mode = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise OutputError(f"{path} cannot be looked at: {words(error)}.") from None
        if stat.S_ISLNK(mode):
            raise OutputError(f"{path} is a symbolic link, and no link is written through: remove it and run again.")
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):  # to open it would be to wait for ever
            raise OutputError(f"{path} is a pipe or a device, and no file: remove it and run again.")
