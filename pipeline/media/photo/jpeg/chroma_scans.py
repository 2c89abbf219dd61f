"""Cb and Cr as the scans that are appended to a JPEG: each is encoded as a grey JPEG of its own."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ItemError
from pipeline.media.photo.encode import encoded
from pipeline.media.photo.jpeg.record import segment
from pipeline.media.photo.jpeg.segments import DHT, DQT, SOS, Jpeg, Scan, body_of, parse

# Slot 0 is the source's in all but odd files. Decoders that read all tables first would mix them up.
_SLOT: Final = 1
_LARGE: Final = 16_000_000


class ChromaScans(NamedTuple):
    """What a colour JPEG needs beside its luma.

    Attributes:
        quantization: the DQT segment of both planes.
        scans: Huffman tables and scans of both planes.
    """

    quantization: bytes
    scans: bytes


def chroma_scans(
    cb: NDArray[np.uint8], cr: NDArray[np.uint8], *, quality: int, progressive: bool, slot: int
) -> ChromaScans:
    """Encode Cb and Cr as scans of components 2 and 3.

    Args:
        cb, cr: uint8 (h, w), 128 is grey, at most 65,500 pixels a side.
        quality: 1 to 100, as libjpeg scales its quantization tables.
        progressive: as the frame is; a frame's scans are all of one kind.
        slot: of the quantization table, 0..3.

    Raises:
        ItemError: the encoder refuses the planes.
    """
    tables: dict[int, bytes] = {}
    quantization, parts = b"", list[bytes]()
    for component, plane in ((2, cb), (3, cr)):
        data = _encoded(plane, quality, progressive)
        jpeg = parse(data)
        scans = {scan.segment: scan for scan in jpeg.scans}
        quantization = _quantization(data, jpeg, slot)
        for part in jpeg.segments:
            if part.marker == DHT:
                parts += _new_tables(body_of(data, part), tables)
            elif part.marker == SOS:
                parts.append(_scan(data, scans[part], component, progressive))
    return ChromaScans(quantization, b"".join(parts))


def _encoded(plane: NDArray[np.uint8], quality: int, progressive: bool) -> bytes:
    # Own Huffman tables cost a third more time and save a sixth of the bytes.
    # The encoder then holds all coefficients, two bytes each: too much for the largest.
    wanted = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, int(plane.size < _LARGE)]
    wanted += [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return encoded(".jpg", plane, wanted, ItemError("its chroma cannot be encoded")).tobytes()


def _quantization(data: bytes, jpeg: Jpeg, slot: int) -> bytes:
    """Return the one table of a grey JPEG, moved to another slot."""
    body = next(body_of(data, part) for part in jpeg.segments if part.marker == DQT)
    return segment(DQT, bytes((body[0] & 0xF0 | slot,)) + body[1:])


def _new_tables(body: bytes, tables: dict[int, bytes]) -> list[bytes]:
    """Return a DHT segment for each table that isn't there already (T.81, B.2.4.2)."""
    new, at = list[bytes](), 0
    while at < len(body):
        size = 17 + sum(body[at + 1 : at + 17])
        kind, table = body[at] & 0xF0 | _SLOT, body[at + 1 : at + size]
        if tables.get(kind) != table:
            tables[kind] = table
            new.append(segment(DHT, bytes((kind,)) + table))
        at += size
    return new


def _scan(data: bytes, scan: Scan, component: int, progressive: bool) -> bytes:
    """Return a scan, header and data, as one of another component and other tables."""
    # The half that a progressive scan doesn't use has to be 0 (T.81, B.2.3).
    direct = 0 if progressive and scan.first > 0 else _SLOT
    alternating = 0 if progressive and scan.first == 0 else _SLOT
    header = bytes((1, component, direct << 4 | alternating, scan.first, scan.last, scan.high << 4 | scan.low))
    return segment(SOS, header) + data[scan.segment.end : scan.end]
