"""Small pictures in every format that is read, and ways to hurt a file; the same each time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image

from tests.conftest import landscape
from tests.photo.tiffs import packed, tags_of, tiff

GREY = cv2.GaussianBlur(landscape(5, 48, 64), (0, 0), 0.8)
COLOUR = np.dstack([GREY, GREY // 2 + 20, GREY // 3 + 40])
ALPHA = np.dstack([COLOUR, 255 - GREY])
DEEP = GREY.astype(np.uint16) * 257


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    """Encode a picture with Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _pages() -> bytes:
    buffer, page = io.BytesIO(), Image.fromarray(GREY)
    page.save(buffer, "TIFF", save_all=True, append_images=[page, page])
    return buffer.getvalue()


# Compressed ones first; of the others a flipped bit is another pixel, and nobody can tell.
COMPRESSED = {
    "JPEG": saved(GREY, "JPEG", quality=90),
    "JPEG in colour": saved(COLOUR, "JPEG", quality=80),
    "JPEG with restarts": saved(GREY, "JPEG", restart_marker_rows=1),
    "JPEG, progressive": saved(COLOUR, "JPEG", progressive=True),
    "PNG": saved(GREY, "PNG"),
    "PNG of 16 bits": cv2.imencode(".png", DEEP)[1].tobytes(),
    "PNG with alpha": saved(ALPHA, "PNG"),
    "TIFF, LZW": saved(COLOUR, "TIFF", compression="tiff_lzw"),
    "TIFF, Deflate": saved(GREY, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, Deflate of 16 bits": saved(DEEP, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, PackBits": saved(GREY, "TIFF", compression="packbits"),
    "TIFF, JPEG": saved(GREY, "TIFF", compression="jpeg", quality=90),
    "TIFF, fax": saved(GREY > 140, "TIFF", compression="group4"),
    "WebP": saved(COLOUR, "WEBP", quality=80),
    "WebP, lossless": saved(COLOUR, "WEBP", lossless=True),
    "WebP with alpha": saved(ALPHA, "WEBP"),
    "JPEG 2000": saved(GREY, "JPEG2000"),
    "JPEG 2000 of 16 bits": saved(DEEP, "JPEG2000"),
    "GIF": saved(GREY, "GIF"),
    "AVIF": saved(COLOUR, "AVIF", quality=80),
    "QOI": saved(COLOUR, "QOI"),
}
PLAIN = {
    "TIFF": saved(COLOUR, "TIFF"),
    "TIFF of 16 bits": saved(DEEP, "TIFF"),
    "TIFF of floats": saved((GREY / 255).astype(np.float32), "TIFF"),
    "TIFF of 10 bits": tiff((tags_of(DEEP, bits=10), packed(DEEP >> 6, 10))),
    "BigTIFF": tiff((tags_of(GREY), GREY.tobytes()), order=">", big=True),
    "TIFF with a thumbnail": tiff((tags_of(GREY[:8, :8], t254=(4, [1])), GREY[:8, :8].tobytes()),
                                  (tags_of(GREY), GREY.tobytes())),
    "TIFF with SubIFDs": tiff((tags_of(GREY[:8, :8], t254=(4, [1])), GREY[:8, :8].tobytes()),
                              (tags_of(GREY), GREY.tobytes()), within=1),
    "TIFF of pages": _pages(),
    "BMP": saved(COLOUR, "BMP"),
    "PGM": saved(GREY, "PPM"),
    "PGM of 16 bits": saved(DEEP, "PPM"),
    "SGI": saved(GREY, "SGI"),
    "PCX": saved(GREY, "PCX"),
    "TGA": saved(COLOUR, "TGA"),
    "DDS": saved(COLOUR, "DDS"),
    "icon": saved(ALPHA, "ICO"),
}  # fmt: skip
Random = np.random.Generator


def _flip(data: bytearray, random: Random) -> bytearray:
    data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
    return data


def _zero(data: bytearray, random: Random) -> bytearray:
    at = int(random.integers(len(data)))
    size = min(512, len(data) - at)
    data[at : at + size] = bytes(size)
    return data


def _cut(data: bytearray, random: Random) -> bytearray:
    return data[: int(random.integers(1, len(data)))]


def _noise(data: bytearray, random: Random) -> bytearray:
    at = int(random.integers(len(data)))
    size = min(int(random.integers(1, 200)), len(data) - at)
    data[at : at + size] = random.bytes(size)
    return data


def _insert(data: bytearray, random: Random) -> bytearray:
    at = int(random.integers(len(data)))
    data[at:at] = random.bytes(int(random.integers(1, 40)))
    return data


def _drop(data: bytearray, random: Random) -> bytearray:
    at = int(random.integers(len(data)))
    del data[at : at + int(random.integers(1, 100))]
    return data


def _header(data: bytearray, random: Random) -> bytearray:
    """Set a number among the first bytes to something large, small or negative."""
    at = int(random.integers(4, min(len(data), 200) - 4))
    data[at : at + 4] = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")[random.integers(4)]
    return data


def _tail(data: bytearray, random: Random) -> bytearray:
    """Directories of a TIFF lie there."""
    at = len(data) - 1 - int(random.integers(min(len(data) - 1, 250)))
    data[at] = int(random.integers(256))
    return data


HURT: tuple[Callable[[bytearray, Random], bytearray], ...] = (
    _flip, _zero, _cut, _noise, _insert, _drop, _header, _tail,
)  # fmt: skip


def mutated(count: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield the name of a format, what was done to the file, and its bytes; all formats in turn."""
    random, sources = np.random.default_rng(seed), {**COMPRESSED, **PLAIN}
    names = list(sources)
    for number in range(count):
        name = names[number % len(names)]
        hurt = HURT[number // len(names) % len(HURT)]
        yield name, hurt.__name__, bytes(hurt(bytearray(sources[name]), random))
