"""Several pictures in one TIFF: which of its directories are pages, and how pages become one file again."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import TiffImagePlugin

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.opened import opened
from pipeline.media.photo.directories import TIFF_MARKS, directories

_NEW_SUBFILE_TYPE: Final = 254
_SUBFILE_TYPE: Final = 255
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType (TIFF 6.0, page 36)
_OLD_REDUCED: Final = 2
_LARGEST: Final = 2**32 - 1  # offsets of a TIFF that is no BigTIFF have 32 bits


def pages(path: Path) -> list[int]:
    """Return the numbers of a TIFF's directories that are pages: neither reduced copies of one nor masks.

    Raises:
        FileNotFoundError, OSError: the file cannot be opened.
        ItemError: it is no TIFF, or damaged.
    """
    with opened(path) as file:
        return list(_pages(file))


def has_several_pages(path: Path) -> bool:
    """Tell whether a file is a TIFF of more than one page; raises `OSError`.

    Damage after a page counts as another one: whoever reads them all will meet it, and say it.
    """
    with opened(path) as file:
        if file.peek(4)[:4] not in TIFF_MARKS:
            return False
        found = 0
        try:
            for _ in islice(_pages(file), 2):
                found += 1
        except ItemError:
            return found == 1
        return found == 2


def _pages(file: io.BufferedReader) -> Iterator[int]:
    for number, directory in enumerate(directories(file)):
        if is_page(directory):
            yield number


def is_page(tags: Mapping[int, Any]) -> bool:
    """Tell whether a directory is neither a reduced copy of a page nor a mask."""
    return not (tags.get(_NEW_SUBFILE_TYPE, 0) & (_REDUCED | _MASK) or tags.get(_SUBFILE_TYPE) == _OLD_REDUCED)


def join_pages(parts: Sequence[Path], destination: Path) -> None:
    """Write single-page TIFFs one after another into one file, as they are; memory does not grow with them.

    Args:
        parts: at least one TIFF (no BigTIFF), each of one page.
        destination: made anew.

    Raises:
        OSError: something cannot be read or written.
        ItemError: together they are larger than a TIFF can be.
    """
    if sum(part.stat().st_size for part in parts) > _LARGEST:
        raise ItemError("too large for tif: its pages are more than 4 GB together", Cause.FORMAT_LIMIT)
    with destination.open("w+b") as file:
        _append(parts, file)
        file.flush()
        os.fsync(file.fileno())


def _append(parts: Sequence[Path], file: BinaryIO) -> None:
    # The writer ends here, before its file is closed: later it would complain of that, from Python 3.13 on.
    appended = TiffImagePlugin.AppendingTiffWriter(file, new=True)
    for part in parts:
        with part.open("rb") as page:
            shutil.copyfileobj(page, appended, 1 << 20)
        appended.newFrame()  # moves the page's offsets to where it lies now
