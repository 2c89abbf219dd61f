"""What was done to a file, written into it, so that the original can be taken out again byte for byte."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg.segments import Segment, body_of, parse

# APP15: of the application segments the one that hardly anybody uses; the name tells ours from others'.
_APP15: Final = 0xEF
_APP11: Final = 0xEB
_NAME: Final = b"colorize original\0\x01"
_MOST: Final = 65533 - len(_NAME) - 2
_HEAD: Final = struct.Struct(">32sQI")
_EDIT: Final = struct.Struct(">QQI")


class Edit(NamedTuple):
    """Bytes of a file that others take the place of.

    Attributes:
        start, end: offsets in the file as it was; equal where something is inserted.
        new: what comes in their place; empty where they are dropped.
    """

    start: int
    end: int
    new: bytes


def apply(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return `data` with all edits made.

    Raises:
        ValueError: edits that overlap, are out of order or lie outside of the data.
    """
    view, at, parts = memoryview(data), 0, list[bytes | memoryview]()
    for edit in edits:
        if not at <= edit.start <= edit.end <= len(data):
            raise ValueError("edits overlap, are out of order or outside of the data")
        parts += (view[at : edit.start], edit.new)
        at = edit.end
    parts.append(view[at:])
    return b"".join(parts)


def inverse(data: bytes, edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits that make `data` of `apply(data, edits)`."""
    back, growth = list[Edit](), 0
    for edit in edits:
        start = edit.start + growth
        back.append(Edit(start, start + len(edit.new), data[edit.start : edit.end]))
        growth += len(edit.new) - (edit.end - edit.start)
    return back


def record(source: bytes, edits: Sequence[Edit], digest: bytes | None = None) -> bytes:
    """Return the segments that say how `source` comes out of `apply(source, edits)`.

    Args:
        source: the whole original file.
        edits: what is done to it.
        digest: its sha256, 32 bytes, where it is known already.

    Raises:
        ItemError: the edits drop more than 255 segments hold, 16 MB.
    """
    back = inverse(source, edits)
    body = _HEAD.pack(digest or hashlib.sha256(source).digest(), len(source), len(back))
    body += b"".join(_EDIT.pack(edit.start, edit.end - edit.start, len(edit.new)) + edit.new for edit in back)
    pieces = [body[at : at + _MOST] for at in range(0, len(body), _MOST)]
    if len(pieces) > 255:
        raise ItemError("too much of it would have to be put aside")
    return b"".join(
        segment(_APP15, _NAME + bytes((number, len(pieces))) + piece) for number, piece in enumerate(pieces, 1)
    )


def segment(marker: int, body: bytes) -> bytes:
    """Return a marker segment.

    Raises:
        ValueError: more than 65,533 bytes.
    """
    if len(body) > 65533:
        raise ValueError(f"{len(body)} bytes do not fit in a segment")
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def is_record(data: bytes, part: Segment) -> bool:
    """Say whether a segment is one of those that `record` makes."""
    return part.marker == _APP15 and data[part.body : part.body + len(_NAME)] == _NAME


def original(coloured: bytes) -> bytes:
    """Take the original out of a file that `splice` made.

    Args:
        coloured: the whole file, as it was written.

    Returns:
        The source, byte for byte; its sha256 was checked.

    Raises:
        ItemError: it holds no original, or the file was changed since.
    """
    parts = [part for part in parse(coloured).segments if is_record(coloured, part)]
    if not parts:
        raise ItemError("there is no original inside")
    stripped = apply(coloured, [Edit(part.body - 4, part.end, b"") for part in parts])
    bodies = [body_of(coloured, part)[len(_NAME) :] for part in parts]
    numbers = [tuple(body[:2]) for body in bodies]
    if numbers != [(number, len(bodies)) for number in range(1, len(bodies) + 1)]:
        raise ItemError("the original inside is damaged: a part of its record is missing")
    digest, length, edits = _unpack(b"".join(body[2:] for body in bodies))
    try:
        source = apply(stripped, edits)
        if not _is(source, length, digest):
            source = apply(_unsigned(stripped), edits)
    except ValueError:
        raise ItemError("the original inside is damaged: its record does not fit the file") from None
    if not _is(source, length, digest):
        raise ItemError("the original inside does not match its sha256: the file was changed since it was made")
    return source


def holds_original(coloured: bytes) -> bool:
    """Say whether `original` takes one out of a file."""
    try:
        return bool(original(coloured))
    except ItemError:
        return False


def _is(source: bytes, length: int, digest: bytes) -> bool:
    return len(source) == length and hashlib.sha256(source).digest() == digest


def _unsigned(data: bytes) -> bytes:
    """Take out Content Credentials, which a signature put in after the record was made (C2PA 2.1, A.3.1)."""
    parts = [
        part for part in parse(data).segments if part.marker == _APP11 and data[part.body : part.body + 2] == b"JP"
    ]
    return apply(data, [Edit(part.body - 4, part.end, b"") for part in parts])


def _unpack(body: bytes) -> tuple[bytes, int, list[Edit]]:
    try:
        digest, length, count = _HEAD.unpack_from(body)
        at, edits = _HEAD.size, list[Edit]()
        for _ in range(count):
            start, taken, size = _EDIT.unpack_from(body, at)
            at += _EDIT.size
            edits.append(Edit(start, start + taken, body[at : at + size]))
            at += size
    except struct.error:
        raise ItemError("the original inside is damaged: its record is cut short") from None
    return digest, length, edits
