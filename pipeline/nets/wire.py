"""Protocol buffers read field by field, without the package that knows them and without trusting a byte.

https://protobuf.dev/programming-guides/encoding/. A reader that is laxer or stricter than the engine's own would see
another file than the engine does: what their parsers could take in two ways is refused here.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LARGEST_KEY: Final = 2**32 - 1
_MOST_FIELDS: Final = 2_000_000

# What is raised for damaged bytes.
DAMAGED: Final = (IndexError, ValueError, TypeError)


class Budget:
    """How many more fields of one file are looked at: weights are one field each, however many numbers they hold."""

    def __init__(self, fields: int = _MOST_FIELDS) -> None:
        """Take the number of fields that may come."""
        self.left = fields

    def spend(self) -> None:
        """Count one field; raises `ValueError` where there are too many."""
        self.left -= 1
        if self.left < 0:
            raise ValueError("more fields than any net has")


def fields(
    view: memoryview, budget: Budget | None = None, *, once: Container[int] = ()
) -> Iterator[tuple[int, memoryview | int]]:
    """Yield field number and value (an int, or the bytes) of each field of one message.

    Args:
        view: the message.
        budget: of the file it is in.
        once: numbers of fields that may come once; parsers join what comes twice, or take the last.

    Raises:
        IndexError, ValueError, TypeError: it is damaged, cut short, or no message.
    """
    at, end = 0, len(view)
    seen: set[int] = set()
    while at < end:
        if budget is not None:
            budget.spend()
        key, at = _varint(view, at)
        kind, number = key & 7, key >> 3
        if not 0 < number <= _LARGEST_KEY >> 3:
            raise ValueError(f"field number {number}")
        if number in once and number in seen:
            raise ValueError(f"field {number} comes twice")
        seen.add(number)
        value: memoryview | int
        if kind == VARINT:
            value, at = _varint(view, at)
        elif kind == BYTES:
            size, at = _varint(view, at)
            value, at = view[at : at + size], at + size
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            value, at = int.from_bytes(view[at : at + size], "little"), at + size
        else:
            raise ValueError(f"wire type {kind}")
        if at > end:
            raise IndexError("a field reaches over the end")
        yield number, value


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = view[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            raise ValueError("a number without end")


def message(value: memoryview | int) -> memoryview:
    """Return a field that must be a message or bytes."""
    if isinstance(value, int):
        raise TypeError("a number where a message was due")
    return value


def text(value: memoryview | bytes | int) -> str:
    """Return a field that must be text."""
    if isinstance(value, int):
        raise TypeError("a number where a text was due")
    return bytes(value).decode("utf-8")


def whole(value: memoryview | int) -> int:
    """Return a field that must be a whole number, as an int64."""
    if not isinstance(value, int):
        raise TypeError("bytes where a number was due")
    return value - (1 << 64) if value >> 63 else value


def wholes(value: memoryview | int) -> list[int]:
    """Return a repeated field of whole numbers, packed or not, as int64."""
    if isinstance(value, int):
        return [whole(value)]
    found, at = list[int](), 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(whole(number))
    return found


def packed(value: memoryview | int, kind: str) -> NDArray[np.generic]:
    """Return a packed field of fixed-size numbers as an array of a numpy type; raises `ValueError` for odd bytes."""
    return np.frombuffer(message(value), kind)


def count_varints(value: memoryview | int) -> int:
    """Return how many whole numbers a packed field holds."""
    held = np.frombuffer(message(value), np.uint8)
    if held.size and held[-1] >= 0x80:
        raise IndexError("a number reaches over the end")
    return int(np.count_nonzero(held < 0x80))
