"""The directories of a TIFF, read without decoding a picture."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from PIL import TiffImagePlugin

from pipeline.ground.errors import ItemError
from pipeline.ground.source import reading
from pipeline.photo.words import TRUNCATED, failure

# What Pillow's parsers raise on damaged files, as found by damaging some.
DAMAGE: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    zlib.error,
    struct.error,
)
TIFF_MARKS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_COMPRESSION: Final = 259
_MOST_DIRECTORIES: Final = 65_535


def directories(file: io.BufferedReader) -> Iterator[TiffImagePlugin.ImageFileDirectory_v2]:
    """Yield a TIFF's directories in their order, each as its tags; a chain that bites its tail ends there.

    Raises:
        OSError: the file cannot be read.
        ItemError: it is no TIFF, or damaged.
    """
    file.seek(0)
    header = file.read(8)
    if header[2:3] == b"+" or header[3:4] == b"+":  # BigTIFF
        header += file.read(8)
    seen: set[int] = set()
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(header)
        while directory.next and directory.next not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(directory.next)
            _load(directory, file)
            yield directory
    except DAMAGE as error:
        raise failure([str(error)], cut_short="requires a buffer" in str(error), kind="TIFF") from None


def compression(path: Path, page: int = 0) -> int:
    """Return the number of a TIFF directory's compression; 0 where the file is no TIFF, or damaged.

    Raises:
        OSError: the file cannot be read.
    """
    with reading(path) as file:
        if file.peek(4)[:4] not in TIFF_MARKS:
            return 0
        try:
            return int(next(islice(directories(file), page, None)).get(_COMPRESSION, 1))
        except (ItemError, StopIteration, *DAMAGE):
            return 0


def _load(directory: TiffImagePlugin.ImageFileDirectory_v2, file: io.BufferedReader) -> None:
    """Read the next directory; Pillow warns of one that is cut off, and leaves `next` as it was."""
    file.seek(directory.next)
    directory.next = -1
    with warnings.catch_warnings(action="ignore"):
        directory.load(file)
    if directory.next < 0:
        raise ItemError(TRUNCATED)
