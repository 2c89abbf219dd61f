"""The chunks of a PNG, counted and measured before any decoder sees them (PNG 1.2, 3.2)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.words import TRUNCATED

# Nothing honest comes near: a picture of a million tiny chunks is made to keep decoders busy.
MOST_CHUNKS: Final = 10_000
# Of one text or profile, unpacked. Pillow would refuse the whole picture for a packet of XMP beyond 1 MB.
LARGEST_TEXT: Final = 16 << 20
TEXTS_LEFT_OUT: Final = f"texts or profiles of more than {LARGEST_TEXT >> 20} MB were left out"
PngImagePlugin.MAX_TEXT_CHUNK = LARGEST_TEXT

_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


class _Chunk(NamedTuple):
    name: bytes
    start: int
    body: int
    end: int


def check(data: bytes) -> None:
    """Raise `ItemError` where a PNG has more chunks, beside those of its pixels, than any honest one."""
    others = 0
    for chunk in _chunks(data):
        others += chunk.name != b"IDAT"
        if others > MOST_CHUNKS:
            raise ItemError(f"a PNG of more than {MOST_CHUNKS:,} chunks is not read", Cause.NOT_SUPPORTED)


def without_large_texts(data: bytes) -> bytes:
    """Return the file without texts and profiles that are too large, one by one or together; as it is for none."""
    left = PngImagePlugin.MAX_TEXT_MEMORY
    kept, at = list[bytes](), 0
    for chunk in _chunks(data):
        if chunk.name not in _TEXTS:
            continue
        size = _unpacked(data, chunk)
        if size > LARGEST_TEXT or size > left:
            kept.append(data[at : chunk.start])
            at = chunk.end
        else:
            left -= size
    return b"".join((*kept, data[at:])) if kept else data


def with_transparency(samples: NDArray[Any], data: bytes) -> NDArray[Any]:
    """Put transparency behind grey of which one level is said to be transparent (tRNS); no decoder at hand does.

    Args:
        samples: of the file `data`, (H, W) bool, uint8 or uint16; others are left as they are.
        data: the whole file.

    Returns:
        (H, W, 2) where there is transparency, else `samples`.
    """
    if samples.ndim != 2 or data[25:26] != b"\0":
        return samples
    for chunk in _chunks(data):
        if chunk.name == b"IDAT":
            break
        if chunk.name == b"tRNS" and chunk.end - chunk.body == 6:
            bits, level = data[24], int.from_bytes(data[chunk.body : chunk.body + 2], "big")
            grey = samples if samples.dtype != bool else samples.astype(np.uint8) * np.uint8(255)
            clear = level if bits >= 8 else level * 255 // ((1 << bits) - 1)
            top = np.iinfo(grey.dtype).max
            return np.dstack([grey, np.where(grey == clear, 0, top).astype(grey.dtype)])
    return samples


def coding(data: bytes) -> bytes:
    """Return primaries, transfer, matrix and range as numbers of ITU-T H.273 (cICP); nothing where it says none."""
    for chunk in _chunks(data):
        if chunk.name in (b"cICP", b"IDAT"):
            return data[chunk.body : chunk.end - 4] if chunk.name == b"cICP" and chunk.end - chunk.body == 8 else b""
    return b""


def _chunks(data: bytes) -> Iterator[_Chunk]:
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield _Chunk(data[at + 4 : at + 8], at, at + 8, end)
        at = end


def _unpacked(data: bytes, chunk: _Chunk) -> int:
    """Return how long a text is, unpacked, or a number above `LARGEST_TEXT`; what cannot be unpacked is as it is."""
    body = data[chunk.body : chunk.end - 4]
    keyword = body.find(b"\0") + 1
    packed = {b"zTXt": keyword + 1, b"iCCP": keyword + 1}.get(chunk.name, 0)
    if chunk.name == b"iTXt" and body[keyword : keyword + 1] == b"\1":
        packed = body.find(b"\0", body.find(b"\0", keyword + 2) + 1) + 1
    if not packed:
        return len(body)
    engine = zlib.decompressobj()
    try:
        return len(engine.decompress(body[packed:], LARGEST_TEXT + 1))
    except zlib.error:
        return len(body)


def damage_of(data: bytes) -> str:
    """Return what is wrong with the chunks of a PNG's pixels, as a phrase: Pillow does not look at their checksums.

    Raises:
        ItemError: the file ends in one of them.
    """
    at, view = 8, memoryview(data)
    while at + 12 <= len(data) and (name := data[at + 4 : at + 8]) != b"IEND":
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if name == b"IDAT":
            if end + 4 > len(data):
                raise ItemError(TRUNCATED)
            if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
                return "a checksum is wrong"
        at = end + 4
    return ""
