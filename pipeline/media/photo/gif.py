"""Damage inside a GIF, which has no checksum: its codes must make as many pixels as the picture has, and no more.

Pillow notices fewer alone. So it is given the same codes for a picture of a few pixels more, and must miss them.
Format: GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

from typing import Final

from pipeline.media.photo.decoders import GIF
from pipeline.media.photo.trial import decodes
from pipeline.media.photo.words import LENGTH

_TABLE, _INTERLACED = 0x80, 0x40
_LARGEST: Final = 65_535
_MOST_MORE: Final = 64


def damage_of(data: bytes) -> str:
    """Return what is wrong inside the first picture of a GIF that was decoded, as a phrase; empty for nothing."""
    at = _image(data)
    if at < 0 or len(data) < at + 11:
        return ""
    width, height = (int.from_bytes(data[at + 5 + 2 * n : at + 7 + 2 * n], "little") for n in (0, 1))
    larger = _larger(width * height)
    if larger is None:
        return ""
    codes = at + 10 + _table(data[at + 9])
    size = b"".join(side.to_bytes(2, "little") for side in larger)
    flags = bytes([data[at + 9] & ~(_TABLE | _INTERLACED) & 0xF8])
    head = b"GIF89a" + size + bytes([_TABLE | 7]) + bytes(2) + bytes(256 * 3)
    made = head + b"," + bytes(4) + size + flags + data[codes : _behind(data, codes + 1)] + b";"
    return LENGTH if decodes(made, GIF) else ""


def _table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & _TABLE else 0


def _image(data: bytes) -> int:
    """Return where the first image descriptor stands, -1 where none is found."""
    at = 13 + _table(data[10])
    while at + 2 < len(data) and data[at] == 0x21:  # an extension, in blocks
        at = _behind(data, at + 2)
    return at if at < len(data) and data[at] == 0x2C else -1


def _behind(data: bytes, at: int) -> int:
    """Return where blocks end that begin here, each with its length before it, the last of length 0."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _larger(pixels: int) -> tuple[int, int] | None:
    """Return width and height of a picture that has a few pixels more, as few as can be."""
    for more in range(1, _MOST_MORE):
        wanted = pixels + more
        start = max(1, -(-wanted // _LARGEST))
        for width in range(start, min(start + 4096, wanted) + 1):
            if wanted % width == 0 and wanted // width <= _LARGEST:
                return width, wanted // width
    return None
