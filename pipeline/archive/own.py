"""The program's own files in OUTPUT: none of them is ever written through a link that somebody put in its place."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from pipeline.ground.errors import OutputError
from pipeline.ground.files import words

FOLDER: Final = ".colorize"
MANIFEST: Final = "manifest.csv"
JOURNAL: Final = "journal.sqlite"
COPY: Final = "journal.copy.sqlite"
GALLERY: Final = "gallery"  # what `colorize gallery` knows of its thumbnails, and what of it is unfinished
GALLERY_LOCK: Final = "gallery.lock"
GALLERY_MARK: Final = "colorize-gallery.json"  # lies in a gallery's folder: that is ours, and holds no originals
_BESIDE: Final = tuple(f"{JOURNAL}-{suffix}" for suffix in ("wal", "shm", "journal"))
_NAMES: Final = (
    "tmp",
    "parts",
    "owner.json",
    "lock",
    "lock.soft",
    GALLERY,
    GALLERY_LOCK,
    COPY,
    JOURNAL,
    *_BESIDE,
)


def check_own(output: Path) -> None:
    """Look at the places of the program's own files, before any of them is opened to write.

    Raises:
        OutputError: one of them is a symbolic link.
    """
    for path in (output / FOLDER, output / MANIFEST, *(output / FOLDER / name for name in _NAMES)):
        try:
            mode = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise OutputError(f"{path} cannot be looked at: {words(error)}.") from None
        if stat.S_ISLNK(mode):
            raise OutputError(f"{path} is a symbolic link, and no link is written through: remove it and run again.")
