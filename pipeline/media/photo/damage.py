"""Damage that a decoder passes over in silence, looked for where a format allows it; and files that are cut short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from numpy.typing import NDArray

from pipeline.ground.errors import ItemError
from pipeline.media.photo import gif, png, qoi, webp
from pipeline.media.photo.decoders import AVIF, GIF, JPEG, JPEG2000, PNG, QOI, WEBP, Format
from pipeline.media.photo.jpeg import warnings
from pipeline.media.photo.words import LENGTH, TRUNCATED, ZEROS, heard

# Arithmetic-coded data hold no such run; a lost sector is one.
_HOLE: Final = bytes(256)
# Formats that are looked into beyond what their decoders say.
LOOKED_INTO: Final = (JPEG, PNG, WEBP, JPEG2000, QOI, AVIF, GIF)
_TAIL: Final = 1 << 16
_SOD: Final = b"\xff\x93"


def damage_of(format: Format, data: bytes, said: str, pixels: NDArray[Any], listen: Callable[[bytes], str]) -> str:
    """Return what is wrong inside a picture that was decoded, as a phrase; empty for nothing. TIFF has its own.

    Args:
        format: of the file, one of `LOOKED_INTO`.
        data: the whole file.
        said: what the decoder printed.
        pixels: what it made of it, as stored.
        listen: decodes a file and returns what is printed.

    Raises:
        ItemError: it is cut short.
    """
    if format is JPEG:
        return warnings.damage_of(data, said, pixels, listen)
    if format not in (GIF, PNG) and cut_short(format, data):  # their last bytes are often left out
        raise ItemError(TRUNCATED)
    return heard(said) or _CHECKS[format](data)


def cut_short(format: Format, data: bytes) -> bool:
    """Tell whether a file is shorter than it says; False where its format doesn't say, or is not known here."""
    if format is WEBP:
        return webp.cut_short(data)
    if format is PNG:
        return _png_is_cut(data)
    ends = {JPEG.name: b"\xff\xd9", JPEG2000.name: b"\xff\xd9", "GIF": b";"}.get(format.name)
    if format.name == "BMP":
        return len(data) < min(int.from_bytes(data[2:6], "little"), 1 << 31)
    return ends is not None and ends not in data[-_TAIL:]


def _png_is_cut(data: bytes) -> bool:
    at = 8
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return False
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return True


def _of_codestream(data: bytes) -> str:
    """Walk the tile-parts of a JPEG 2000 codestream (ISO 15444-1, A.4.2), whose lengths must lead to its end."""
    start = data.find(b"\xff\x4f\xff\x51")
    at = data.find(b"\xff\x90\0\x0a", start)
    if start < 0 or at < 0:
        return ""
    if data.find(_HOLE, data.find(_SOD, at), len(data)) >= 0:
        return ZEROS
    while data[at : at + 4] == b"\xff\x90\0\x0a":
        length = int.from_bytes(data[at + 6 : at + 10], "big")
        if length == 0:  # to the end
            return ""
        at += length
    return "" if data[at : at + 2] == b"\xff\xd9" else LENGTH


def _of_avif(data: bytes) -> str:
    """Look for a lost sector in the coded picture, and whether its boxes end in the file."""
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"mdat" and _HOLE in data[at : at + size if size else len(data)]:
            return ZEROS
        if size < 8:  # to the end, or of 64 bits
            return ""
        at += size
    return LENGTH if at > len(data) else ""


_CHECKS: Final[dict[Format, Callable[[bytes], str]]] = {
    PNG: png.damage_of,
    WEBP: webp.damage_of,
    JPEG2000: _of_codestream,
    QOI: qoi.damage_of,
    AVIF: _of_avif,
    GIF: gif.damage_of,
}
