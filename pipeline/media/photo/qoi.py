"""Damage inside a QOI, which has no checksum: its chunks must make as many pixels as its header says, and no more.

Format: https://qoiformat.org/qoi-specification.pdf
"""

from __future__ import annotations

from typing import Final

from pipeline.media.photo.words import LENGTH, STEP

_HEADER: Final = 14
_END: Final = bytes(7) + b"\1"


def _chunks() -> tuple[bytes, list[int]]:
    """Return for each first byte of a chunk how long the chunk is, and how many pixels it makes."""
    # Index, difference, luma, run; the last two are RGB and RGBA.
    sizes = bytes([*[1] * 64, *[1] * 64, *[2] * 64, *[1] * 62, 4, 5])
    pixels = [*[1] * 192, *range(1, 63), 1, 1]
    return sizes, pixels


_SIZES, _PIXELS = _chunks()


def damage_of(data: bytes) -> str:
    """Return what is wrong inside a QOI that was decoded, as a phrase; empty for nothing."""
    wanted = int.from_bytes(data[4:8], "big") * int.from_bytes(data[8:12], "big")
    at, made, end, before = _HEADER, 0, len(data) - len(_END), -1
    while at < end and made < wanted:
        first = data[at]
        if first < 64 and first == before:  # an encoder writes a run instead
            return STEP
        before = first
        made += _PIXELS[first]
        at += _SIZES[first]
    return "" if made == wanted and data[at : at + len(_END)] == _END else LENGTH
