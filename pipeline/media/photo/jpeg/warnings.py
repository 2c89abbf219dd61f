"""What libjpeg's one warning means. It prints the first and keeps the others to itself, so a harmless one is taken away
from the file and the rest is heard again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg.segments import APP0, COM, SOS, Jpeg, first_scan, incomplete, parse
from pipeline.media.photo.words import SCANS, STEP, TRUNCATED, ZEROS, heard

_EXTRANEOUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_ENDS_EARLY: Final = "premature end of data segment"
_END: Final = b"\xff\xd9"
_ZEROS: Final = bytes(256)
_FEW: Final = 4  # bytes that a careless writer may leave
_CUT_SHARE: Final = 8  # reading out of step may lose a few rows, a cut loses more


def damage_of(data: bytes, said: str, pixels: NDArray[Any], listen: Callable[[bytes], str]) -> str:
    """Return what is damaged inside a JPEG that was decoded, as a phrase; empty for nothing.

    Bytes left over before a header cost no pixel; left over behind a scan they say that it was read out of step, unless
    they are zeros, which some cameras pad with.

    Args:
        data: the whole file.
        said: what libjpeg printed; only the first warning is there.
        pixels: what it made of the file.
        listen: decodes a file and returns what libjpeg prints.

    Raises:
        ItemError: it is cut short.
    """
    if not said.strip():
        if data.find(_END, first_scan(data)) < 0:  # zeros in the place of what is lost are read as blocks
            raise ItemError(TRUNCATED)
        return _unheard(data)
    if "premature end of jpeg" in said.lower():
        raise ItemError(TRUNCATED)
    phrase = _phrase(data, said)
    if not phrase and (cleaned := _cleaned(data)):
        phrase = _phrase(cleaned, listen(cleaned))
    if phrase and _ENDS_EARLY in said.lower() and _is_cut(data, pixels):
        raise ItemError(TRUNCATED)
    return phrase or _unheard(data)


def end_of(data: bytes, listen: Callable[[bytes], str]) -> int:
    """Return where the data of a picture end that lacks nothing but the marker of its end; 0 for any other.

    So Samsung's telephones write panoramas: their own notes, or a film, follow at once. With the marker put there a
    decoder has nothing to say, for it has found data for every block.

    Args:
        data: the whole file.
        listen: decodes a file and returns what libjpeg prints, be it that nothing can be decoded.
    """
    if _can_be_parsed(data):
        return 0
    end = len(data[: len(data) - _length_of_notes(data)].rstrip(b"\0"))  # zeros would be read as blocks that are lost
    closed = data[:end] + _END
    return 0 if not _can_be_parsed(closed) or listen(closed).strip() or _unheard(closed) else end


def _length_of_notes(data: bytes) -> int:
    """Return the bytes of what Samsung's telephones write behind a picture; 0 where there is nothing of theirs.

    It ends with a directory, whose entries say how far before it they begin: a decoder cannot tell them from data.
    """
    size = int.from_bytes(data[-8:-4], "little")
    at = len(data) - 8 - size
    if data[-4:] != b"SEFT" or at < 0 or data[at : at + 4] != b"SEFH":
        return 0
    count = min(int.from_bytes(data[at + 8 : at + 12], "little"), size // 12)
    entries = range(at + 12, at + 12 + 12 * count, 12)
    back = [int.from_bytes(data[entry + 4 : entry + 8], "little") for entry in entries]
    return min(len(data), 8 + size + max(back, default=0))


def _can_be_parsed(data: bytes) -> bool:
    try:
        parse(data)
    except ItemError:
        return False
    return True


def _unheard(data: bytes) -> str:
    """Look for what libjpeg passes over: a progressive file without its last scans, or with a lost sector.

    Scans of AC coefficients hold no such run of zeros, for blocks without coefficients are counted there (T.81,
    G.1.2.2). The other scans may, in a picture that is blank.
    """
    try:
        jpeg = parse(data)
    except ItemError:
        return ""
    if not jpeg.frame.progressive:
        return ""
    if incomplete(jpeg):
        return SCANS
    holes = (data.find(_ZEROS, scan.segment.end, scan.end) >= 0 for scan in jpeg.scans if scan.first > 0)
    return ZEROS if any(holes) else ""


def _phrase(data: bytes, said: str) -> str:
    if found := _EXTRANEOUS.search(said):
        return "" if _is_padding(data, int(found[1]), last=found[2] == "d9") else STEP
    return heard(said)


def _is_padding(data: bytes, count: int, *, last: bool) -> bool:
    """Tell whether so many bytes lie between segments, or are zeros at the end of a scan, or few behind the last."""
    try:
        jpeg = parse(data)
    except ItemError:
        return False
    ends = {scan.end for scan in jpeg.scans}
    if last and count <= _FEW:
        return True
    if any(part.body - 4 - part.start >= count for part in jpeg.segments if part.start not in ends):
        return True
    return any(not data[end - count : end].strip(b"\0") for end in ends)


def _cleaned(data: bytes) -> bytes:
    """Return the file without metadata and without what lies between its segments; nothing where it can't be parsed."""
    try:
        jpeg = parse(data)
    except ItemError:
        return b""
    scans = iter(jpeg.scans)
    made = [data[:2]]
    for part in jpeg.segments:
        if APP0 <= part.marker <= APP0 + 15 or part.marker == COM:
            continue
        made.append(data[part.body - 4 : next(scans).end if part.marker == SOS else part.end])
    return b"".join((*made, _END))


def _is_cut(data: bytes, pixels: NDArray[Any]) -> bool:
    """Tell whether a picture lacks its end, not something within: its last rows are of one value, or scans are missing.

    libjpeg repeats the last value that it read wherever data are missing.
    """
    try:
        jpeg: Jpeg = parse(data)
    except ItemError:
        return True
    if jpeg.frame.progressive:
        return bool(incomplete(jpeg))
    if any(data.find(bytes(64), scan.segment.end, scan.end) >= 0 for scan in jpeg.scans):
        return False  # a lost sector does the same
    last = np.asarray(pixels[-max(8, len(pixels) // _CUT_SHARE) :])
    return bool((last == last[-1, -1]).all())
