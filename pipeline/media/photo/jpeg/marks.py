"""Metadata as marker segments of a JPEG: replaced in a file whose luma is kept, or written into a new one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from pipeline.media.photo.jpeg.record import Edit, segment
from pipeline.media.photo.jpeg.segments import APP0, COM, Jpeg, Segment
from pipeline.media.photo.metadata import EXIF_HEAD, Metadata

_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_ICC: Final = b"ICC_PROFILE\0"
_APP1, _APP2, _APP13 = 0xE1, 0xE2, 0xED
_MOST: Final = 65533
_MOST_ICC: Final = 65519


def replacements(data: bytes, jpeg: Jpeg, *, xmp: bytes, profile: bytes | None) -> tuple[list[Edit], list[str]]:
    """Return edits that put in another XMP packet and another profile; all other segments stay as they are.

    Args:
        data, jpeg: the file, and it taken apart.
        xmp: the new packet; empty: what is there stays.
        profile: the new profile; None: what is there stays; empty: it goes.

    Returns:
        The edits, in order, and what could not be done, as phrases.
    """
    edits, lost = list[Edit](), list[str]()
    first = _behind_header(data, jpeg.segments)
    if profile is not None:
        edits += (Edit(part.body - 4, part.end, b"") for part in jpeg.segments if _is(data, part, _APP2, _ICC))
        edits.append(Edit(first, first, profile_segments(profile)))
    if xmp and len(xmp) + len(_XMP) > _MOST:
        lost.append("provenance: the XMP packet is too large")
    elif xmp:
        old = [part for part in jpeg.segments if _is(data, part, _APP1, _XMP)]
        edits += (Edit(part.body - 4, part.end, b"") for part in old)
        edits.append(Edit(first, first, segment(_APP1, _XMP + xmp)))
    return sorted(_joined(edits)), lost


def _joined(edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits with those that insert at one place made into one."""
    inserted = dict[int, bytes]()
    for edit in edits:
        if edit.start == edit.end:
            inserted[edit.start] = inserted.get(edit.start, b"") + edit.new
    return [each for each in edits if each.start != each.end] + [Edit(at, at, new) for at, new in inserted.items()]


def _is(data: bytes, part: Segment, marker: int, name: bytes) -> bool:
    return part.marker == marker and data.startswith(name, part.body)


def _behind_header(data: bytes, segments: Sequence[Segment]) -> int:
    """Return where segments may be put in: behind JFIF's header and EXIF, which readers look for at the beginning."""
    at = 2
    for part in segments:
        jfif = part.marker == APP0 and data.startswith(b"JF", part.body)
        if not (jfif or _is(data, part, _APP1, EXIF_HEAD)):
            return at
        at = part.end
    return at


def profile_segments(profile: bytes) -> bytes:
    """Return a profile as APP2 segments, as many as it takes (ICC.1, B.4); empty for none."""
    pieces = [profile[at : at + _MOST_ICC] for at in range(0, len(profile), _MOST_ICC)]
    return b"".join(
        segment(_APP2, _ICC + bytes((number, len(pieces))) + piece) for number, piece in enumerate(pieces, 1)
    )


def written(jpeg: bytes, metadata: Metadata) -> tuple[bytes, list[str]]:
    """Put metadata into a JPEG that an encoder just made; with none it stays as it is.

    Returns:
        The file, and what does not fit into it, as phrases.
    """
    if metadata.nothing:
        return jpeg, []
    parts, lost = [_jfif(metadata.density)], list[str]()
    for name, marker, head, body in (
        ("EXIF", _APP1, EXIF_HEAD, metadata.exif),
        ("XMP", _APP1, _XMP, metadata.xmp),
        ("IPTC", _APP13, b"Photoshop 3.0\0", photoshop(metadata.iptc)),
        ("comment", COM, b"", metadata.comment),
    ):
        if body and len(head) + len(body) > _MOST:
            lost.append(f"{name}: too large for a JPEG")
        elif body:
            parts.append(segment(marker, head + body))
    if len(metadata.profile) > 255 * _MOST_ICC:
        lost.append("ICC profile: too large for a JPEG")
    else:
        parts.append(profile_segments(metadata.profile))
    start = 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[2:4] == b"\xff\xe0" else 2
    return jpeg[:2] + b"".join(parts) + jpeg[start:], lost


def photoshop(iptc: bytes) -> bytes:
    """Return IPTC records in Photoshop's image resource; nothing for nothing."""
    return b"8BIM\x04\x04\0\0" + len(iptc).to_bytes(4, "big") + iptc + bytes(len(iptc) % 2) if iptc else b""


def _jfif(density: tuple[float, float]) -> bytes:
    across, down = (min(round(each), 65535) for each in density)
    unit = 1 if across and down else 0
    return segment(APP0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, unit, across or 1, down or 1, 0, 0))
