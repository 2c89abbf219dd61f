"""The directories of a TIFF, read without decoding a picture."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from PIL import TiffImagePlugin

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.opened import opened, status_of
from pipeline.media.photo.words import TRUNCATED, failure

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
MOST_DIRECTORIES: Final = 65_535
_last: list[tuple[tuple[int, ...], list[int]]] = []  # the chain that was walked last: pages are read one after another


def directories(file: io.BufferedReader) -> Iterator[TiffImagePlugin.ImageFileDirectory_v2]:
    """Yield a TIFF's directories in their order, each as its tags; a chain that bites its tail ends there.

    Raises:
        OSError: the file cannot be read.
        ItemError: it is no TIFF, or damaged.
    """
    file.seek(0)
    header = _header(file)
    seen: set[int] = set()
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(header)
        while directory.next and directory.next not in seen:
            if len(seen) >= MOST_DIRECTORIES:
                raise TooManyDirectories
            seen.add(directory.next)
            _load(directory, file)
            yield directory
    except DAMAGE as error:
        raise failure([str(error)], cut_short="requires a buffer" in str(error), kind="TIFF") from None


class TooManyDirectories(ItemError):
    """A TIFF of more directories than libtiff counts."""

    def __init__(self) -> None:
        super().__init__(f"a TIFF of more than {MOST_DIRECTORIES:,} pages is not read", Cause.NOT_SUPPORTED)


def directory(file: io.BufferedReader, number: int) -> TiffImagePlugin.ImageFileDirectory_v2 | None:
    """Return one of a TIFF's directories, by its number from 0; None where there are fewer. Raises as `directories`."""
    chain = offsets(file)
    if number >= len(chain):
        return None
    file.seek(0)
    try:
        found = TiffImagePlugin.ImageFileDirectory_v2(_header(file))
        found.next = chain[number]
        _load(found, file)
    except DAMAGE as error:
        raise failure([str(error)], cut_short="requires a buffer" in str(error), kind="TIFF") from None
    return found


def offsets(file: io.BufferedReader) -> list[int]:
    """Return where a TIFF's directories lie, in their order, up to one that is cut off: nothing else is read of them.

    Those of the file that was asked for last are kept, so that the pages of a book are not counted for each page.

    Raises:
        ItemError: there are too many.
    """
    status = status_of(file)
    key = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    if not _last or _last[0][0] != key:
        _last[:] = [(key, list(_chain(file)))]
    return _last[0][1]


def _chain(file: io.BufferedReader) -> Iterator[int]:
    file.seek(0)
    header = _header(file)
    order: Literal["little", "big"] = "little" if header[:2] == b"II" else "big"
    big = len(header) == 16
    count_size, entry, width = (8, 20, 8) if big else (2, 12, 4)
    at, seen = int.from_bytes(header[8:] if big else header[4:], order), set[int]()
    while at and at not in seen:
        if len(seen) >= MOST_DIRECTORIES:
            raise TooManyDirectories
        seen.add(at)
        yield at
        file.seek(at)
        count = int.from_bytes(file.read(count_size), order)
        file.seek(at + count_size + count * entry)
        after = file.read(width)
        at = int.from_bytes(after, order) if len(after) == width else 0


def _header(file: io.BufferedReader) -> bytes:
    header = file.read(8)
    return header + file.read(8) if header[2:3] == b"+" or header[3:4] == b"+" else header


def seek(image: Any, file: io.BufferedReader, number: int) -> None:
    """Bring a TIFF that Pillow opened to one of its directories, without reading those before it."""
    chain = offsets(file)
    if hasattr(image, "_frame_pos") and number < len(chain):
        image._frame_pos[:] = chain[: number + 1]
        if hasattr(image, "_tag_data_limits"):  # Pillow 13: bytes of values that a directory may have
            image._tag_data_limits[:] = [status_of(file).st_size] * (number + 1)
    image.seek(number)


def compression(path: Path, page: int = 0) -> int:
    """Return the number of a TIFF directory's compression; 0 where the file is no TIFF, or damaged.

    Raises:
        OSError: the file cannot be read.
    """
    with opened(path) as file:
        if file.peek(4)[:4] not in TIFF_MARKS:
            return 0
        try:
            found = directory(file, page)
            return int(found.get(_COMPRESSION, 1)) if found is not None else 0
        except (ItemError, *DAMAGE):
            return 0


def _load(directory: TiffImagePlugin.ImageFileDirectory_v2, file: io.BufferedReader) -> None:
    """Read the next directory; Pillow warns of one that is cut off, and leaves `next` as it was."""
    file.seek(directory.next)
    directory.next = -1
    with warnings.catch_warnings(action="ignore"):
        directory.load(file)
    if directory.next < 0:
        raise ItemError(TRUNCATED)
