"""TIFFs with any tags: what other programs write and none here can."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

_SIZES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 7: "B", 11: "f", 12: "d", 16: "Q"}
Tags = Mapping[int, tuple[int, Sequence[Any]]]


def tags_of(pixels: np.ndarray, bits: int = 0, photometric: int | None = None, **more: Any) -> dict[int, Any]:
    """The tags that an uncompressed picture needs."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    kind = {"u": 1, "i": 2, "f": 3, "b": 1}[pixels.dtype.kind]
    return {
        256: (4, [pixels.shape[1]]),
        257: (4, [pixels.shape[0]]),
        258: (3, [bits or pixels.dtype.itemsize * 8] * channels),
        259: (3, [1]),
        262: (3, [(2 if channels >= 3 else 1) if photometric is None else photometric]),
        277: (3, [channels]),
        278: (4, [pixels.shape[0]]),
        339: (3, [kind] * channels),
    } | {int(tag[1:]): value for tag, value in more.items()}


def packed(pixels: np.ndarray, bits: int) -> bytes:
    """Samples of any number of bits, each row beginning at a byte."""
    shifts = np.arange(bits - 1, -1, -1)
    rows = (pixels.reshape(len(pixels), -1, 1).astype(np.uint32) >> shifts) & 1
    return np.packbits(rows.reshape(len(pixels), -1).astype(np.uint8), axis=1).tobytes()


def tiff(*pictures: tuple[Tags, bytes], order: str = "<", big: bool = False, within: int = 0) -> bytes:
    """Write directories, each with its strip; the last `within` lie in SubIFDs of the first."""
    word = "Q" if big else "I"
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HH", 8, 0) if big else b""
    body, at = bytearray(), len(head) + (8 if big else 4)
    links, places = list[int](), list[int]()
    for tags, strip in pictures:
        own = dict(tags) | {273: (16 if big else 4, [at + len(body)]), 279: (16 if big else 4, [len(strip)])}
        body += strip + b"\0" * (len(strip) % 2)
        if within and not places:
            own[330] = (16 if big else 4, [0] * within)
        entries = bytearray()
        for tag, (kind, values) in sorted(own.items()):
            data = b"".join(struct.pack(order + _SIZES[kind], value) for value in values)
            if len(data) > (8 if big else 4):
                data, where = struct.pack(order + word, at + len(body)), data
                body += where + b"\0" * (len(where) % 2)
            if tag == 330:
                links.append(len(entries))
            entries += struct.pack(order + "HH" + word, tag, kind, len(values)) + data.ljust(8 if big else 4, b"\0")
        places.append(at + len(body))
        body += struct.pack(order + ("Q" if big else "H"), len(own)) + entries + struct.pack(order + word, 0)
        body += b"\0" * (len(body) % 2)
    chain = places[: len(places) - within]
    whole = bytearray(head + struct.pack(order + word, chain[0]) + body)
    for here, there in pairwise(chain):
        count = struct.unpack_from(order + ("Q" if big else "H"), whole, here)[0]
        struct.pack_into(order + word, whole, here + (8 + 20 * count if big else 2 + 12 * count), there)
    if within == 1:
        struct.pack_into(order + word, whole, chain[0] + 2 + links[0] + 8, places[-1])
    return bytes(whole)
