"""The one list of formats that are read: what their files begin with, and who decodes them, in which order.

Content decides, never a name. Nothing that is not named here is handed to a decoder, and Pillow is told by name what it
may take a file for: some of its plugins start a program because a file asks for it (Ghostscript, for PostScript).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

OPENCV, PILLOW, TIFFFILE, IMAGECODECS, LIBHEIF = "OpenCV", "Pillow", "tifffile", "imagecodecs", "libheif"


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read.

    Attributes:
        name: as people call it.
        begins: what its first bytes match.
        pillow: what Pillow calls it; empty where it doesn't know it.
        order: who decodes it: the first that can.
    """

    name: str
    begins: re.Pattern[bytes]
    pillow: tuple[str, ...]
    order: tuple[str, ...] = (PILLOW,)


def _format(name: str, begins: bytes, *pillow: str, order: tuple[str, ...] = (PILLOW,)) -> Format:
    return Format(name, re.compile(begins, re.DOTALL), pillow, order)


# Pillow makes its MPO of a JPEG by itself.
JPEG: Final = _format("JPEG", rb"\xff\xd8\xff", "JPEG", order=(OPENCV, PILLOW, IMAGECODECS))
PNG: Final = _format("PNG", rb"\x89PNG\r\n\x1a\n", "PNG", order=(OPENCV, PILLOW))
TIFF: Final = _format("TIFF", rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "TIFF", order=(PILLOW, OPENCV, TIFFFILE))
WEBP: Final = _format("WebP", rb"RIFF....WEBP", "WEBP", order=(PILLOW, OPENCV))
JPEG2000: Final = _format(
    "JPEG 2000",
    rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "JPEG2000",
    order=(PILLOW, OPENCV, IMAGECODECS),
)
HEIC: Final = _format("HEIC", rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", "HEIF", order=(LIBHEIF,))
BMP: Final = _format("BMP", rb"BM", "BMP", order=(PILLOW, OPENCV))
GIF: Final = _format("GIF", rb"GIF8[79]a", "GIF")
QOI: Final = _format("QOI", rb"qoif", "QOI")
AVIF: Final = _format(
    "AVIF", rb"....ftyp(?:avi[fs]|(?:mif1|msf1).{4}(?:.{4}){0,8}?avi[fs])", "AVIF", order=(PILLOW, OPENCV)
)
# The last one has no mark of its own; Pillow looks at the rest of its header.
FORMATS: Final = (
    JPEG,
    PNG,
    TIFF,
    WEBP,
    JPEG2000,
    # Before HEIC: either may only call itself a picture of the common kind, and name the other thing behind it.
    AVIF,
    HEIC,
    BMP,
    GIF,
    _format("PNM", rb"P[1-7fFy]\s", "PPM"),
    QOI,
    _format("Sun raster", rb"\x59\xa6\x6a\x95", "SUN"),
    _format("SGI", rb"\x01\xda[\x00\x01][\x01\x02]", "SGI"),
    _format("PCX", rb"\x0a[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08]", "PCX"),
    _format("DCX", rb"\xb1\x68\xde\x3a", "DCX"),
    _format("Photoshop", rb"8BPS", "PSD"),
    _format("DDS", rb"DDS ", "DDS"),
    _format("FITS", rb"SIMPLE  =", "FITS"),
    _format("icon", rb"\x00\x00\x01\x00[^\x00]\x00", "ICO"),
    _format("cursor", rb"\x00\x00\x02\x00[^\x00]\x00", "CUR"),
    _format("XPM", rb"/\* XPM \*/", "XPM"),
    _format("XBM", rb"\s*#define[ \t]+\S+_width", "XBM"),
    _format("TGA", rb".(?:\x00[\x02\x03\x0a\x0b]|\x01[\x01\x09]).{9}", "TGA"),
)
# Pillow learns to know HEIC only when one is met (`heif.prepare`).
PILLOW_FORMATS: Final = tuple(name for each in FORMATS if each is not HEIC for name in each.pillow)


def recognise(head: bytes) -> Format | None:
    """Return the format that a file's first bytes are of; None where it is none of those that are read."""
    return next((each for each in FORMATS if each.begins.match(head)), None)
