"""The chunks of a PNG, counted and measured before any decoder sees them (PNG 1.2, 3.2)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from PIL import PngImagePlugin

from pipeline.ground.errors import Cause, ItemError

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
