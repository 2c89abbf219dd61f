"""Does a film's file end where it says it does? FFmpeg shows what is there, and is silent about what is not."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, cast

from pipeline.ground.opened import opened

_TAIL: Final = 1 << 16
_SECTORS: Final = 4096
_OF_ITS_OWN: Final = 1024  # zeros that may be what a film ends with
_PADDING: Final = (b"free", b"skip", b"wide")
_TS_PACKETS: Final = (188, 192, 204)
_TS_PACKET: Final = 188  # what stands ahead of one, or behind it, is not the next one's beginning
_SEGMENT: Final = 0x18538067
# The ASF file properties object; behind it stand its own size, the file's name (16 bytes) and the file's size.
_ASF_PROPERTIES: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# Some programs count the header of 8 bytes as part of a RIFF.
_MISCOUNTED: Final = 8


def ends_early(path: Path, container: str) -> bool:
    """Say whether a film's file stops in the middle of something that it began.

    What was cut off exactly behind a packet of a transport stream, or of another format that does not say how long it
    is, cannot be known.

    Args:
        path: only read.
        container: FFmpeg's name of the format, as `Index.container` has it.

    Raises:
        OSError: as for any file.
    """
    look = _LOOKS.get(container.partition(",")[0])
    if look is None:
        return False
    with opened(path.absolute()) as source:
        file = cast(BinaryIO, source)
        size = file.seek(0, 2)
        return look(file, size) or (bool(zeros := _zeros(file, size)) and look(file, size - zeros))


def _zeros(file: BinaryIO, size: int) -> int:
    """Return how many zeros end a file, where they are so many that they stand for what a copy or a disk has lost."""
    at = size
    while at > 0:
        block = _read(file, at - _TAIL, min(at, _TAIL))
        at -= len(block)
        if kept := len(block.rstrip(b"\0")):
            at += kept
            break
    at += _OF_ITS_OWN
    return size - at if size - at >= max(_SECTORS, size // 100) else 0


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(max(0, at))
    return file.read(count)


def _boxes(file: BinaryIO, size: int) -> bool:
    """MP4 and MOV: boxes, each with its length; so is a fragment's head without its body, and one that is announced."""
    at, kind = 0, b""
    while at + 8 <= size:
        head = _read(file, at, 16)
        length, kind = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if not kind.isascii():  # no box: what a disk left behind the film
            return False
        if kind == b"sidx" and _announced(file, at, length) > size:
            return True
        if length < 8:  # 0: up to the end; else no box
            return False
        at += length
    return (at > size and kind not in _PADDING) or kind == b"moof" or any(_read(file, at, 8))


def _announced(file: BinaryIO, at: int, length: int) -> int:
    """Return where the fragments end that a segment index lists."""
    box = _read(file, at, min(length, _TAIL))
    form = ">8x8xQ" if box[8:9] == b"\1" else ">8x4xI"
    start = 12 + struct.calcsize(form)
    if len(box) < start + 4:
        return 0
    (first,), (count,) = struct.unpack_from(form, box, 12), struct.unpack_from(">2xH", box, start)
    sizes = struct.unpack_from(f">{3 * min(count, (len(box) - start - 4) // 12)}I", box, start + 4)[::3]
    return at + length + int(first) + sum(int(each) & 0x7FFFFFFF for each in sizes)


def _number(data: bytes, at: int, *, marked: bool) -> tuple[int, int] | None:
    """Return an EBML number and its length in bytes; None where there is none. Of a size, all ones mean unknown."""
    if at >= len(data) or not data[at]:
        return None
    length = 9 - data[at].bit_length()
    if at + length > len(data):
        return None
    value = int.from_bytes(data[at : at + length], "big")
    if marked:
        return value, length
    value &= (1 << (7 * length)) - 1
    return (-1 if value == (1 << (7 * length)) - 1 else value), length


def _elements(file: BinaryIO, size: int) -> bool:
    """Matroska and WebM: elements, each with its length, but for streams that were written as they came."""
    at = 0
    while at < size:
        head = _read(file, at, 16)
        name = _number(head, 0, marked=True)
        length = name and _number(head, name[1], marked=False)
        if not name or not length:
            return size - at < 12 and any(head)  # within an element's head; else damage, which the decoder sees
        inside = at + name[1] + length[1]
        if length[0] < 0:  # unknown: what is in it comes next
            at = inside
        elif name[0] == _SEGMENT:
            return inside + length[0] > size
        else:
            at = inside + length[0]
    return at > size


def _riff(file: BinaryIO, size: int) -> bool:
    """AVI: one or more RIFF chunks, each with its length."""
    at = 0
    while at + 12 <= size:
        name, length = struct.unpack_from("<4sI", _read(file, at, 8))
        if name != b"RIFF" or length in (0, 0xFFFFFFFF):
            return False
        at += 8 + length + length % 2
    return at > size + _MISCOUNTED


def _transport(file: BinaryIO, size: int) -> bool:
    """MPEG-TS: packets of one length."""
    head = _read(file, 0, 4096)
    for length in _TS_PACKETS:
        for first in range(min(length, len(head))):
            if head[first] == 0x47 and all(each == 0x47 for each in head[first::length]) and first + length < len(head):
                left = (size - first) % length
                return 0 < left < _TS_PACKET and _read(file, size - left, 1) == b"\x47"
    return False


def _program(file: BinaryIO, size: int) -> bool:
    """MPEG-PS: packets with their length, in packs."""
    tail = _read(file, size - _TAIL, _TAIL)
    at = tail.rfind(b"\0\0\1\xba")
    while 0 <= at < len(tail) - 4:
        if tail[at : at + 3] != b"\0\0\1":
            return False
        kind = tail[at + 3]
        if kind == 0xB9:
            return False
        if kind == 0xBA:
            if at + 14 > len(tail):
                return True
            at += 14 + (tail[at + 13] & 7) if tail[at + 4] >> 6 == 1 else 12
        elif kind >= 0xBB:
            if at + 6 > len(tail):
                return True
            at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
        else:
            return False
    return at > len(tail)


def _flash(file: BinaryIO, size: int) -> bool:
    """FLV: tags, each followed by its length; most say how long the file is, too."""
    start = _read(file, 0, _TAIL)
    at = start.find(_FLASH_SIZE)
    if at >= 0 and at + len(_FLASH_SIZE) + 8 <= len(start):
        (said,) = struct.unpack_from(">d", start, at + len(_FLASH_SIZE))
        if said > size:
            return True
    (length,) = struct.unpack(">I", _read(file, size - 4, 4))
    head = _read(file, size - 4 - length, 4) if 11 <= length <= size - 17 else b""
    return len(head) < 4 or int.from_bytes(head[1:], "big") + 11 != length


_FLASH_SIZE: Final = b"\0\x08filesize\0"


def _gif(file: BinaryIO, size: int) -> bool:
    return not _read(file, size - _TAIL, _TAIL).rstrip(b"\0").endswith(b";")


def _pages(file: BinaryIO, size: int) -> bool:
    """Ogg: pages, each with its length; the last one of a stream says that it is."""
    tail = _read(file, size - 2 * _TAIL, 2 * _TAIL)
    at = tail.rfind(b"OggS")
    if at < 0 or at + 27 > len(tail):
        return True
    lengths = tail[at + 27 : at + 27 + tail[at + 26]]
    cut = len(lengths) < tail[at + 26] or at + 27 + len(lengths) + sum(lengths) > len(tail)
    return cut or not tail[at + 5] & _LAST_PAGE


_LAST_PAGE: Final = 4


def _asf(file: BinaryIO, size: int) -> bool:
    """WMV: the header says how long the file is, unless it was sent as it came (then its flags' first bit is set)."""
    head = _read(file, 0, _TAIL)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or at + 92 > len(head):
        return False
    (said,) = struct.unpack_from("<Q", head, at + 40)
    (flags,) = struct.unpack_from("<I", head, at + 88)
    return bool(not flags & 1 and said > size)


_KLV: Final = b"\x06\x0e\x2b\x34"


def _mxf(file: BinaryIO, size: int) -> bool:
    """MXF: triplets of key, length and value; the first one mostly says where the last part begins."""
    head = _read(file, 0, _TAIL)
    at = max(0, head.find(_KLV))
    value = at + 17 + (head[at + 16] & 0x7F if len(head) > at + 16 and head[at + 16] & 0x80 else 0)
    if len(head) >= value + 32 and at + struct.unpack_from(">Q", head, value + 24)[0] >= size:
        return True
    while at < size:
        head = _read(file, at, 25)
        if not head.startswith(_KLV):
            return False
        if len(head) < 17:
            return True
        wide = head[16] & 0x7F if head[16] & 0x80 else 0
        if wide > 8:
            return False
        at += 17 + wide + (int.from_bytes(head[17 : 17 + wide], "big") if wide else head[16])
    return at > size


_LOOKS: Final[dict[str, Callable[[BinaryIO, int], bool]]] = {
    "mov": _boxes,
    "matroska": _elements,
    "avi": _riff,
    "mpegts": _transport,
    "mpeg": _program,
    "flv": _flash,
    "gif": _gif,
    "ogg": _pages,
    "asf": _asf,
    "mxf": _mxf,
}
