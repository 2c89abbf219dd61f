"""The one list of formats that are read: what their files begin with and are called, and who decodes them, in which
order.

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
        suffixes: what its files' names end in, in lower case.
        pillow: what Pillow calls it; empty where it doesn't know it.
        order: who decodes it: the first that can.
        marked: nothing else begins so: where a folder is walked, a file of any name is taken for it.
    """

    name: str
    begins: re.Pattern[bytes]
    suffixes: tuple[str, ...]
    pillow: tuple[str, ...]
    order: tuple[str, ...]
    marked: bool


def _format(
    name: str, begins: bytes, suffixes: str, *pillow: str, order: tuple[str, ...] = (PILLOW,), marked: bool = False
) -> Format:
    return Format(name, re.compile(begins, re.DOTALL), tuple(suffixes.split()), pillow, order, marked)


# Pillow makes its MPO of a JPEG by itself.
JPEG: Final = _format(
    "JPEG",
    rb"\xff\xd8\xff",
    ".jpg .jpeg .jpe .jfif .jif .mpo",
    "JPEG",
    order=(OPENCV, PILLOW, IMAGECODECS),
    marked=True,
)
PNG: Final = _format("PNG", rb"\x89PNG\r\n\x1a\n", ".png .apng", "PNG", order=(OPENCV, PILLOW), marked=True)
TIFF: Final = _format(
    "TIFF", rb"II\*\0|MM\0\*|II\+\0|MM\0\+", ".tif .tiff", "TIFF", order=(PILLOW, OPENCV, TIFFFILE), marked=True
)
WEBP: Final = _format("WebP", rb"RIFF....WEBP", ".webp", "WEBP", order=(PILLOW, OPENCV), marked=True)
JPEG2000: Final = _format(
    "JPEG 2000",
    rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    ".jp2 .j2c .j2k .jpc .jpf .jpm .jpx",
    "JPEG2000",
    order=(PILLOW, OPENCV, IMAGECODECS),
    marked=True,
)
HEIC: Final = _format(
    "HEIC", rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", ".heic .heics .heif .hif", "HEIF", order=(LIBHEIF,)
)
BMP: Final = _format("BMP", rb"BM", ".bmp .dib", "BMP", order=(PILLOW, OPENCV))
GIF: Final = _format("GIF", rb"GIF8[79]a", ".gif", "GIF", marked=True)
QOI: Final = _format("QOI", rb"qoif", ".qoi", "QOI", marked=True)
AVIF: Final = _format(
    "AVIF", rb"....ftyp(?:avi[fs]|(?:mif1|msf1).{4}(?:.{4}){0,8}?avi[fs])", ".avif", "AVIF", order=(PILLOW, OPENCV)
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
    _format("PNM", rb"P[1-7fFy]\s", ".pnm .pbm .pgm .ppm .pfm", "PPM"),
    QOI,
    _format("Sun raster", rb"\x59\xa6\x6a\x95", ".ras .sun", "SUN", marked=True),
    _format("SGI", rb"\x01\xda[\x00\x01][\x01\x02]", ".sgi .rgb", "SGI"),
    _format("PCX", rb"\x0a[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08]", ".pcx", "PCX"),
    _format("DCX", rb"\xb1\x68\xde\x3a", ".dcx", "DCX", marked=True),
    _format("Photoshop", rb"8BPS", ".psd .psb", "PSD", marked=True),
    _format("DDS", rb"DDS ", ".dds", "DDS", marked=True),
    _format("FITS", rb"SIMPLE  =", ".fits .fit", "FITS", marked=True),
    _format("icon", rb"\x00\x00\x01\x00[^\x00]\x00", ".ico", "ICO"),
    _format("cursor", rb"\x00\x00\x02\x00[^\x00]\x00", ".cur", "CUR"),
    _format("XPM", rb"/\* XPM \*/", ".xpm", "XPM"),
    _format("XBM", rb"\s*#define[ \t]+\S+_width", ".xbm", "XBM"),
    _format("TGA", rb".(?:\x00[\x02\x03\x0a\x0b]|\x01[\x01\x09]).{9}", ".tga", "TGA"),
)
# What the marks of files begin with that need no name to be known.
MARKS: Final = re.compile(b"|".join(b"(?:%b)" % each.begins.pattern for each in FORMATS if each.marked), re.DOTALL)
# Pillow learns to know HEIC only when one is met (`heif.prepare`).
PILLOW_FORMATS: Final = tuple(name for each in FORMATS if each is not HEIC for name in each.pillow)


def recognise(head: bytes) -> Format | None:
    """Return the format that a file's first bytes are of; None where it is none of those that are read."""
    return next((each for each in FORMATS if each.begins.match(head)), None)
