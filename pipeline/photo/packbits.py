"""Damage inside a TIFF in PackBits, which has no checksum: packets must make as many bytes as a strip has rows for.

Format: TIFF 6.0, section 9.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.photo.words import LENGTH

_WIDTH, _HEIGHT, _BITS, _SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH = 256, 257, 258, 277, 278, 284, 322
_NOTHING: Final = 128
_PADDING: Final = 2  # bytes that a careless writer may leave


def damage_of(file: io.BufferedReader, strips: Sequence[tuple[int, int]], tags: Mapping[int, Any]) -> str:
    """Return what is wrong with the strips of a directory, as a phrase; empty for nothing, or where it has tiles.

    Args:
        file: the TIFF.
        strips: where each begins, and its length.
        tags: of the directory.
    """
    if _WIDTH not in tags or _HEIGHT not in tags or _TILE_WIDTH in tags:
        return ""
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    row, rows = _row(tags, width), min(int(tags.get(_ROWS, height)) or height, height)
    for number, (start, size) in enumerate(strips):
        file.seek(start)
        first = number * rows % height if _planes(tags) == 1 else 0
        wanted = {rows * row, min(rows, height - first) * row}  # some fill the last strip up
        if not _fits(file.read(size), wanted):
            return LENGTH
    return ""


def _row(tags: Mapping[int, Any], width: int) -> int:
    found = tags.get(_BITS, 1)
    bits = int(found[0] if isinstance(found, tuple) else found)
    samples = int(tags.get(_SAMPLES, 1)) if _planes(tags) == 1 else 1
    return (width * samples * bits + 7) // 8


def _planes(tags: Mapping[int, Any]) -> int:
    return int(tags.get(_PLANAR, 1))


def _fits(data: bytes, wanted: set[int]) -> bool:
    """Tell whether packets make so many bytes, exactly, and nothing is left of them."""
    at = made = 0
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
