"""Metadata put into PNG and TIFF files that an encoder just made."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image, TiffImagePlugin

from pipeline.media.photo.deflate import crc
from pipeline.media.photo.directories import DAMAGE
from pipeline.media.photo.jpeg.marks import photoshop
from pipeline.media.photo.metadata import DESCRIPTIVE, DIRECTORIES, Metadata, names_of

_METRES: Final = 39.37007874  # inches to a metre
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 2, 3, 4, 5, 7
_Entry = tuple[int, int, int, bytes]  # tag, type, count, value


def png_chunks(metadata: Metadata) -> bytes:
    """Return EXIF, XMP, IPTC (as ImageMagick writes it), profile, resolution and comment as chunks of a PNG.

    They stand between its header and its pixels.
    """
    parts = list[bytes]()
    if metadata.profile:
        parts.append(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.profile)))
    if all(metadata.density):
        across, down = (round(each * _METRES) for each in metadata.density)
        parts.append(chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        parts.append(chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        parts.append(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    if metadata.iptc:
        body = photoshop(metadata.iptc)
        text = f"\niptc\n{len(body):8d}\n{body.hex()}\n".encode()
        parts.append(chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(text)))
    if metadata.comment:
        parts.append(chunk(b"iTXt", b"Comment\0\0\0\0\0" + _utf8(metadata.comment)))
    return b"".join(parts)


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return b"".join((len(body).to_bytes(4, "big"), name, body, crc(name, body).to_bytes(4, "big")))


def _utf8(text: bytes) -> bytes:
    try:
        return text.decode().replace("\0", " ").encode()
    except UnicodeDecodeError:
        return text.decode("latin-1").replace("\0", " ").encode()


def tiff_tail(kept: dict[int, bytes], end: int, metadata: Metadata) -> tuple[bytes, int, list[str]]:
    """Return what stands behind the strips of a TIFF: metadata and its directory.

    Args:
        kept: the directory's entries so far, by tag, 12 bytes each.
        end: where it is put in the file, an even number.
        metadata: that is added.

    Returns:
        The bytes, where in the file the directory begins, and what could not be put in, as phrases.
    """
    kept, body, lost = dict(kept), b"", list[str]()
    entries = list(_entries(metadata))
    try:
        with warnings.catch_warnings(action="ignore"):
            exif = _exif(metadata.exif)
            entries += _described(exif, {tag for tag, *_ in entries})
            for tag in DIRECTORIES:
                if directory := exif.get_ifd(tag):
                    entries.append((tag, _LONG, 1, (end + len(body)).to_bytes(4, "little")))
                    body += _directory(dict(directory), end + len(body))
            if names := dict.fromkeys(names_of(exif)):
                lost.append(f"tags: {', '.join(names)}")
    except DAMAGE as error:
        lost.append(f"EXIF: {error or type(error).__name__}")
    for tag, kind, number, value in entries:
        field = value.ljust(4, b"\0") if len(value) <= 4 else (end + len(body)).to_bytes(4, "little")
        kept[tag] = struct.pack("<HHI", tag, kind, number) + field
        body += b"" if len(value) <= 4 else value + bytes(len(value) % 2)
    table = struct.pack("<H", len(kept)) + b"".join(kept[tag] for tag in sorted(kept)) + bytes(4)
    return body + table, end + len(body), lost


def _entries(metadata: Metadata) -> Iterator[_Entry]:
    if metadata.profile:
        yield 34675, _UNDEFINED, len(metadata.profile), metadata.profile
    if metadata.xmp:
        yield 700, _BYTE, len(metadata.xmp), metadata.xmp
    if metadata.iptc:
        yield 33723, _UNDEFINED, len(metadata.iptc), metadata.iptc
    if all(metadata.density):
        for tag, value in zip((282, 283), metadata.density, strict=True):
            yield tag, _RATIONAL, 1, struct.pack("<II", round(value * 1000), 1000)
        yield 296, _SHORT, 1, b"\2\0"
    if metadata.comment:
        text = metadata.comment.rstrip(b"\0") + b"\0"
        yield 270, _ASCII, len(text), text


def _exif(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    if block:
        exif.load(b"Exif\0\0" + block)
    return exif


def _described(exif: Image.Exif, taken: set[int]) -> Iterator[_Entry]:
    for tag in DESCRIPTIVE:
        if tag in exif and tag not in taken:
            text = str(exif[tag]).encode() + b"\0"
            yield tag, _ASCII, len(text), text


def _directory(tags: dict[int, object], offset: int) -> bytes:
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in tags.items():
        if not isinstance(value, dict):  # directories within: interoperability
            directory[tag] = value
    made: bytes = directory.tobytes(offset)
    return made + bytes(len(made) % 2)
