"""A picture of a TIFF as a file of its own: no other page has to be read, or counted, to decode it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from pipeline.media.photo.directories import offsets
from pipeline.media.photo.tiff import Directory

STRIPS: Final = (273, 279)
TILES: Final = (324, 325)
LONG: Final = 4
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LONG8: Final = 16
_COMPRESSION, _OLD_JPEG = 259, 6
# What says how samples are stored, turned and meant. Nothing else is copied.
_NEEDED: Final = frozenset(
    (
        *range(256, 260),
        262,
        266,
        274,
        277,
        278,
        284,
        292,
        293,
        317,
        320,
        322,
        323,
        332,
        338,
        339,
        347,
        529,
        530,
        531,
        532,
    )
)
_LARGEST_VALUE: Final = 1 << 20
_MOST_ENTRIES: Final = 4096
_WASTE: Final = 1 << 16  # bytes beside the strips that are no other page's


class Entry(NamedTuple):
    """An entry of a directory: its type, how many values it has, and these as they lie in the file."""

    kind: int
    number: int
    value: bytes


def alone(file: io.BufferedReader, chosen: Directory, size: int) -> bytes:
    """Return the picture as the only one of a TIFF; nothing where the file holds little else, or it can't be done.

    Args:
        file: the TIFF.
        chosen: the directory.
        size: of the file, in bytes.
    """
    file.seek(0)
    header = file.read(8)
    order, big = "<" if header[:2] == b"II" else ">", b"+" in header[2:4]
    chain = [] if chosen.offset else offsets(file)
    if not chosen.offset and chosen.number >= len(chain):
        return b""
    try:
        entries = dict(_entries(file, chosen.offset or chain[chosen.number], order, big))
        names = STRIPS if STRIPS[0] in entries else TILES
        starts, counts = (_numbers(entries.pop(tag), order) for tag in names)
    except (KeyError, struct.error):
        return b""
    if len(starts) != len(counts) or not starts or sum(counts) * 2 + _WASTE > size:
        return b""
    if _numbers(entries.get(_COMPRESSION, Entry(3, 1, struct.pack(f"{order}H", 1))), order) == (_OLD_JPEG,):
        return b""
    parts = list[bytes]()
    for start, count in zip(starts, counts, strict=True):
        file.seek(start)
        parts.append(file.read(count))
    return tiff_of(order, {tag: each for tag, each in entries.items() if tag in _NEEDED}, parts, names)


def _entries(file: io.BufferedReader, at: int, order: str, big: bool) -> Iterator[tuple[int, Entry]]:
    """Yield a directory's entries of which something is to be copied."""
    file.seek(at)
    (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", file.read(8 if big else 2))
    form = struct.Struct(f"{order}{'HHQ8s' if big else 'HHI4s'}")
    table = file.read(form.size * min(count, _MOST_ENTRIES))
    for tag, kind, number, field in form.iter_unpack(table[: len(table) // form.size * form.size]):
        size = _SIZES.get(kind, 0) * number
        if tag not in _NEEDED and tag not in (*STRIPS, *TILES):
            continue
        if size > _LARGEST_VALUE and tag in _NEEDED:
            continue
        if size > len(field):
            file.seek(int.from_bytes(field, "little" if order == "<" else "big"))
            field = file.read(size)
        yield tag, _classic(Entry(kind, number, field[:size]), order)


def _classic(entry: Entry, order: str) -> Entry:
    """Return an entry without numbers of 64 bits, which only BigTIFF knows; strips' are written anew anyway."""
    if entry.kind != _LONG8:
        return entry
    values = struct.unpack(f"{order}{entry.number}Q", entry.value)
    if max(values, default=0) >= 1 << 32:
        return entry
    return Entry(LONG, entry.number, struct.pack(f"{order}{entry.number}I", *values))


def _numbers(entry: Entry, order: str) -> tuple[int, ...]:
    return struct.unpack(f"{order}{entry.number}{ {3: 'H', LONG: 'I', _LONG8: 'Q'}[entry.kind] }", entry.value)


def tiff_of(order: str, entries: Mapping[int, Entry], parts: Sequence[bytes], names: tuple[int, int]) -> bytes:
    """Return a TIFF of one directory.

    Args:
        order: of its bytes, "<" or ">".
        entries: of the directory by tag, but for those of its strips or tiles.
        parts: these, coded.
        names: the tags of their places and lengths.
    """
    whole: dict[int, Any] = dict(entries)
    lengths = [len(part) for part in parts]
    for tag in names:  # the places are not known yet, but how many there are
        whole[tag] = Entry(LONG, len(parts), struct.pack(f"{order}{len(parts)}I", *lengths))
    table = 8 + 2 + 12 * len(whole) + 4
    at = table + sum(len(each.value) + len(each.value) % 2 for each in whole.values() if len(each.value) > 4)
    places = list(accumulate(lengths[:-1], initial=at))
    whole[names[0]] = Entry(LONG, len(parts), struct.pack(f"{order}{len(parts)}I", *places))
    body, fields = b"", list[bytes]()
    for tag, each in sorted(whole.items()):
        field = each.value.ljust(4, b"\0")
        if len(each.value) > 4:
            field = struct.pack(f"{order}I", table + len(body))
            body += each.value + bytes(len(each.value) % 2)
        fields.append(struct.pack(f"{order}HHI", tag, each.kind, each.number) + field)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}IH", 8, len(whole))
    return b"".join((head, *fields, bytes(4), body, *parts))
