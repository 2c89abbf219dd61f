"""PNG and TIFF files, written band by band: of large ones neither all colour nor all bytes are ever in memory."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.deflate import Engine, differences, engine
from pipeline.media.photo.embed import chunk, png_chunks, tiff_tail
from pipeline.media.photo.memory import IN_BANDS
from pipeline.media.photo.metadata import Metadata
from pipeline.media.photo.write import DEFLATE, NONE, encode

Band = NDArray[Any]  # uint8 or uint16, grey (h, W), BGR or BGRA (h, W, N)

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES: Final = {1: 0, 3: 2, 4: 6}  # PNG 1.2, 4.1.1, by the number of channels
_SUB: Final = 1  # the filter: differences from the pixel to the left
_STRIP_BYTES: Final = 1 << 18
_HEIGHT, _STRIPS, _ROWS, _SIZES, _COMPRESSION, _PREDICTOR, _HORIZONTAL = 257, 273, 278, 279, 259, 317, 2
_SHORT, _LONG = 3, 4
_LARGEST: Final = 2**32 - 1  # offsets of a TIFF that is no BigTIFF have 32 bits


def in_bands(pixels: Band, format: str) -> bool:
    """Tell whether a picture is so large that it is written in bands."""
    return format in ("png", "tif") and 3 * pixels.shape[0] * pixels.shape[1] * pixels.dtype.itemsize > IN_BANDS


def rows_of_strip(width: int, channels: int, itemsize: int) -> int:
    """Return how many rows a strip of a TIFF has; bands must have a multiple of them."""
    return max(1, _STRIP_BYTES // (width * channels * itemsize))


def write_png(file: BinaryIO, bands: Iterable[Band], size: tuple[int, int], metadata: Metadata) -> None:
    """Write a PNG of bands from top to bottom.

    Args:
        file: empty.
        bands: at least one; all of one type and number of channels.
        size: width and height of the picture.
        metadata: put in as by `embed.png_chunks`.
    """
    stream: Engine | None = None
    for band in bands:
        if stream is None:
            kind = _COLOUR_TYPES[_channels(band)]
            header = struct.pack(">IIBBBBB", *size, band.dtype.itemsize * 8, kind, 0, 0, 0)
            file.write(_SIGNATURE + chunk(b"IHDR", header) + png_chunks(metadata))
            stream = engine(band.dtype.itemsize)
        for top in range(0, len(band), rows := rows_of_strip(size[0], 4, 2)):
            if data := stream.compress(_filtered(band[top : top + rows]).data):
                file.write(chunk(b"IDAT", data))
    assert stream is not None
    file.write(chunk(b"IDAT", stream.flush()) + chunk(b"IEND", b""))


def _channels(band: Band) -> int:
    return band.shape[2] if band.ndim == 3 else 1


def _filtered(band: Band) -> NDArray[np.uint8]:
    order = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(_channels(band))
    ordered = np.ascontiguousarray(band) if order is None else np.asarray(cv2.cvtColor(band, order))
    big = ordered if ordered.dtype == np.uint8 or sys.byteorder == "big" else ordered.byteswap()
    rows = big.view(np.uint8).reshape(len(band), -1)
    made = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    made[:, 0] = _SUB
    made[:, 1:] = differences(rows, _channels(band) * band.dtype.itemsize)
    return made


def write_tiff(
    file: BinaryIO, bands: Iterable[Band], size: tuple[int, int], metadata: Metadata, *, compression: int, rows: int
) -> list[str]:
    """Write a TIFF of bands from top to bottom: each is encoded by itself, and its strips are put into one file.

    Args:
        file: empty.
        bands: as in `write_png`, of a multiple of `rows` rows, but for the last.
        size: width and height of the picture.
        metadata: put in as by `embed.tiff_tail`.
        compression: as in `write.encode`.
        rows: of a strip, as `rows_of_strip` says.

    Returns:
        What of the metadata could not be put in, as phrases.

    Raises:
        ItemError: it is larger than a TIFF can be.
    """
    file.write(b"II*\0\0\0\0\0")
    kept, starts, sizes = dict[int, bytes](), list[int](), list[int]()
    inflated = compression in DEFLATE
    for band in bands:
        made = encode(band, "tif", compression=NONE if inflated else compression, strip=rows)
        entries, strips = _parsed(made)
        kept = kept or _small(made, entries, file)
        for start, count in strips:
            strip = made[start : start + count]
            starts.append(file.tell())
            sizes.append(file.write(_deflated(strip, band) if inflated else strip))
        if file.tell() > _LARGEST:
            raise ItemError("too large for tif: more than 4 GB; choose format png", Cause.FORMAT_LIMIT)
    if inflated:
        for tag, value in ((_COMPRESSION, DEFLATE[0]), (_PREDICTOR, _HORIZONTAL)):
            kept[tag] = struct.pack("<HHIHH", tag, _SHORT, 1, value, 0)
    for tag, values in ((_STRIPS, starts), (_SIZES, sizes), (_HEIGHT, [size[1]]), (_ROWS, [rows])):
        kept[tag] = _entry(tag, values, file)
    file.write(bytes(file.tell() % 2))
    tail, at, lost = tiff_tail(kept, file.tell(), metadata)
    file.write(tail)
    file.seek(4)
    file.write(struct.pack("<I", at))
    return lost


def _deflated(strip: memoryview, band: Band) -> bytes:
    """Return a strip that was not compressed as one that is, with horizontal differencing."""
    step = _channels(band)
    rows = np.frombuffer(strip, band.dtype.newbyteorder("<")).reshape(-1, band.shape[1] * step)
    stream = engine(band.dtype.itemsize)
    return stream.compress(differences(rows, step).data.cast("B")) + stream.flush()


def _parsed(data: memoryview) -> tuple[dict[int, bytes], list[tuple[int, int]]]:
    """Return the entries of a little-endian TIFF's directory by tag, and its strips."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    entries = {struct.unpack_from("<H", each)[0]: each for each in _each(data, at + 2, count)}
    return entries, list(zip(_values(data, entries[_STRIPS]), _values(data, entries[_SIZES]), strict=True))


def _each(data: memoryview, at: int, count: int) -> Iterator[bytes]:
    return (bytes(data[at + 12 * number : at + 12 * number + 12]) for number in range(count))


def _values(data: memoryview, entry: bytes) -> tuple[int, ...]:
    _, kind, count = struct.unpack_from("<HHI", entry)
    form = f"<{count}{'H' if kind == 3 else 'I'}"
    return struct.unpack_from(form, entry, 8) if struct.calcsize(form) <= 4 else _elsewhere(data, entry, form)


def _elsewhere(data: memoryview, entry: bytes, form: str) -> tuple[int, ...]:
    return struct.unpack_from(form, data, int.from_bytes(entry[8:], "little"))


def _small(data: memoryview, entries: dict[int, bytes], file: BinaryIO) -> dict[int, bytes]:
    """Return a band's entries for the whole picture; values that lie elsewhere are written into the file."""
    made = dict[int, bytes]()
    for tag, entry in entries.items():
        _, kind, count = struct.unpack_from("<HHI", entry)
        size = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}.get(kind, 0) * count
        made[tag] = entry
        if size > 4 and tag not in (_STRIPS, _SIZES):
            start = int.from_bytes(entry[8:], "little")
            made[tag] = entry[:8] + struct.pack("<I", file.tell())
            file.write(bytes(data[start : start + size]) + bytes(size % 2))
    return made


def _entry(tag: int, values: list[int], file: BinaryIO) -> bytes:
    if len(values) == 1:
        return struct.pack("<HHII", tag, _LONG, 1, values[0])
    file.write(bytes(file.tell() % 2))
    at = file.tell()
    file.write(struct.pack(f"<{len(values)}I", *values))
    return struct.pack("<HHII", tag, _LONG, len(values), at)
