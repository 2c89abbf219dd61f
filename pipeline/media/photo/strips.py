"""Damage inside the strips of a TIFF in PackBits or LZW, which have no checksum.

They must make as many bytes as a strip has rows for, neither fewer nor more; decoders notice fewer alone. Formats:
TIFF 6.0, sections 9 and 13.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pipeline.media.photo.decode import Refused, with_opencv
from pipeline.media.photo.words import LENGTH

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _FILL_ORDER, _SAMPLES, _ROWS, _PLANAR = 256, 257, 258, 259, 266, 277, 278, 284
_TILE_WIDTH, _PHOTOMETRIC = 322, 262
_YCBCR: Final = 6  # rows of halved chroma have another length
_PACKBITS, _LZW = 32773, 5
_NOTHING: Final = 128
_MORE: Final = 4096
_LARGEST: Final = 1 << 26  # decoded, OpenCV holds four times as much
_PADDING: Final = 2  # bytes that a careless writer may leave
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_SHORT: Final = re.compile(r"not enough data at scanline \d+ \(short (\d+) bytes\)")


def damage_of(file: io.BufferedReader, strips: Sequence[tuple[int, int]], tags: Mapping[int, Any]) -> str:
    """Return what is wrong with the strips of a directory, as a phrase; empty for nothing.

    Tiles and YCbCr are not looked at.

    Args:
        file: the TIFF.
        strips: where each begins, and its length.
        tags: of the directory.
    """
    fits = _CHECKS.get(int(tags.get(_COMPRESSION, 1)))
    if (
        fits is None
        or _WIDTH not in tags
        or _HEIGHT not in tags
        or _TILE_WIDTH in tags
        or tags.get(_PHOTOMETRIC) == _YCBCR
    ):
        return ""
    height, row = int(tags[_HEIGHT]), _row(tags)
    rows = min(int(tags.get(_ROWS, height)) or height, height)
    for number, (start, size) in enumerate(strips):
        file.seek(start)
        first = number % -(-height // rows) * rows  # planes lie one behind the other
        wanted = {rows * row, min(rows, height - first) * row}  # some fill the last strip up
        if not fits(file.read(size), wanted, tags):
            return LENGTH
    return ""


def in_order(data: bytes, tags: Mapping[int, Any]) -> bytes:
    """Return bytes whose highest bit comes first, whatever a directory says of theirs (TIFF 6.0, FillOrder)."""
    return data.translate(_MIRRORED) if tags.get(_FILL_ORDER, 1) == 2 else data


def _row(tags: Mapping[int, Any]) -> int:
    found = tags.get(_BITS, 1)
    bits = int(found[0] if isinstance(found, tuple) else found)
    samples = int(tags.get(_SAMPLES, 1)) if _planes(tags) == 1 else 1
    return (int(tags[_WIDTH]) * samples * bits + 7) // 8


def _planes(tags: Mapping[int, Any]) -> int:
    return int(tags.get(_PLANAR, 1))


def _packs(data: bytes, wanted: set[int], tags: Mapping[int, Any]) -> bool:
    """Tell whether packets make so many bytes, exactly, and nothing is left of them."""
    data, at, made = in_order(data, tags), 0, 0
    most, end = max(wanted), len(data)
    while at < end and made < most and not (made in wanted and end - at <= _PADDING):
        head = data[at]
        if head < _NOTHING:
            at += head + 2
            made += head + 1
        else:
            at += 2 if head > _NOTHING else 1
            made += 257 - head if head > _NOTHING else 0
    return made in wanted and 0 <= end - at <= _PADDING


def _unpacks(data: bytes, wanted: set[int], tags: Mapping[int, Any]) -> bool:
    """Tell whether LZW makes so many bytes: libtiff is asked for a few more, and must miss just those."""
    most, row = max(wanted), _row(tags)
    if most > _LARGEST:
        return True
    asked = (most // row + 1 + _MORE // row) * row
    try:
        said = with_opencv(_alone(data, row, asked // row, int(tags.get(_FILL_ORDER, 1)))).said
    except Refused as refused:
        said = str(refused) or "nothing"
    if found := _SHORT.search(said.lower()):
        return asked - int(found[1]) in wanted
    return bool(said.strip())  # of something else; without a word, all of it was there


def _alone(data: bytes, width: int, height: int, fill_order: int) -> bytes:
    """Return a strip as a grey TIFF of 8 bits."""
    start = 8 + 2 + 12 * 10 + 4
    entries = (
        (_WIDTH, width), (_HEIGHT, height), (_BITS, 8), (_COMPRESSION, _LZW), (262, 1), (_FILL_ORDER, fill_order),
        (273, start), (_SAMPLES, 1), (_ROWS, height), (279, len(data)),
    )  # fmt: skip
    fields = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(fields) + bytes(4) + data


_CHECKS: Final[dict[int, Callable[[bytes, set[int], Mapping[int, Any]], bool]]] = {_PACKBITS: _packs, _LZW: _unpacks}
