"""An ONNX file held to what an engine takes for granted, before any engine sees it.

The importers trust what they are given: one follows a path out of the file, one takes 3 numbers for 32, one frees the
wrong memory after a negative size. Field numbers are those of onnx.proto3 (ONNX, Apache-2.0).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.wire import DAMAGED, Budget, count_varints, fields, message, packed, text, whole, wholes

MOST_NODES: Final = 20_000
_MOST_SIDES: Final = 8  # dimensions of one array
_LARGEST_SIDE: Final = 1 << 16  # of what is fed and answered
_LARGEST_STEP: Final = 4096  # of a kernel, a stride
_DEEPEST: Final = 4  # graphs in graphs

_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")
# What may never end, and what names a file of its own.
_ENDLESS: Final = ("Loop", "Scan", "SequenceMap")
_OUTSIDE: Final = ("EPContext",)
_STEPS: Final = ("kernel_shape", "strides", "dilations", "group")

# TensorProto.data_type -> bytes of a number, its numpy type where it may be infinite, its field where it is not raw.
_FLOATS: Final = {1: "<f4", 10: "<f2", 11: "<f8", 16: "bfloat16"}
_SIZES: Final = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
_DIMS, _TYPE, _FLOAT, _INT32, _STRING, _INT64, _RAW, _DOUBLE, _UINT64 = 1, 2, 4, 5, 6, 7, 9, 10, 11
_SEGMENT, _EXTERNAL, _LOCATION = 3, 13, 14
_HELD_IN: Final = {1: _FLOAT, 7: _INT64, 11: _DOUBLE, 12: _UINT64, 13: _UINT64}  # all others: _INT32
_FIXED: Final = {_FLOAT: "<f4", _DOUBLE: "<f8"}
_LISTS: Final = (_FLOAT, _INT32, _STRING, _INT64, _DOUBLE, _UINT64)


class _Unfit(Exception):
    """Why the file is not run, as a phrase."""


def check_sound(path: Path, content: bytes) -> None:
    """Look at every weight and node of an ONNX file; nothing is run and nothing but `content` is read.

    Raises:
        ModelError: weights lie in another file, have another size than their shape, or are no finite numbers; a size
            is not positive; or the net is larger, deeper or freer than one that colours has to be.
    """
    try:
        _Walk().model(memoryview(content))
    except _Unfit as error:
        raise ModelError(f"{path} is not run: {error}.") from None
    except DAMAGED:
        raise ModelError(f"{path} is not a whole ONNX file: it is damaged, cut short, or something else.") from None


class _Walk:
    """One walk over a file."""

    def __init__(self) -> None:
        self._budget = Budget()
        self._nodes = 0

    def _fields(self, value: memoryview | int, *once: int) -> Iterator[tuple[int, memoryview | int]]:
        return fields(message(value), self._budget, once=once)

    def model(self, view: memoryview) -> None:
        """Walk a ModelProto."""
        for number, value in self._fields(view, 7):
            if number == 7:
                self._graph(value, 1)
            elif number in (20, 25):  # training_info, functions
                raise _Unfit("it holds functions or training of its own, which no engine here needs")

    def _graph(self, value: memoryview | int, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Unfit(f"its graphs lie in one another more than {_DEEPEST} deep")
        for number, inner in self._fields(value):
            if number == 1:
                self._node(inner, depth)
            elif number == 5:
                self._tensor(inner)
            elif number in (11, 12, 13):
                self._declared(inner, least=0 if number == 13 else 1)
            elif number == 15:
                raise _Unfit("it holds sparse weights, which are not read")

    def _node(self, value: memoryview | int, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _Unfit(f"it has more than {MOST_NODES:,} nodes")
        kind = domain = ""
        for number, inner in self._fields(value, 4, 7):
            if number == 4:
                kind = text(inner)
            elif number == 7:
                domain = text(inner)
            elif number == 5:
                self._attribute(inner, depth)
        if domain not in _DOMAINS or kind in _OUTSIDE:
            raise _Unfit(f"it asks for {_quoted(f'{domain}:{kind}')}, which is not of ONNX")
        if kind in _ENDLESS:
            raise _Unfit(f"it has a {kind}, which may never end")

    def _attribute(self, value: memoryview | int, depth: int) -> None:
        name, numbers = "", list[int]()
        for number, inner in self._fields(value, 1, 5, 6):
            if number == 1:
                name = text(inner)
            elif number in (3, 8):
                numbers += wholes(inner)
            elif number in (2, 7):  # a float, a list of them
                held = packed(inner, "<f4") if isinstance(inner, memoryview) else _single(inner)
                _finite(held, "a setting of a node")
            elif number in (5, 10):
                self._tensor(inner)
            elif number in (6, 11):
                self._graph(inner, depth + 1)
            elif number in (22, 23):
                raise _Unfit("it holds sparse weights, which are not read")
        if name in _STEPS and not all(0 < each <= _LARGEST_STEP for each in numbers):
            raise _Unfit(f"a {name} of {max(numbers, key=abs)} makes no sense")

    def _declared(self, value: memoryview | int, *, least: int) -> None:
        """Walk a ValueInfoProto: type = 2 {tensor_type = 1 {shape = 2 {dim = 1 {value = 1}}}}."""
        for number, kind in self._fields(value, 2):
            for tensor, inner in self._fields(kind, 1) if number == 2 else ():
                for part, shape in self._fields(inner, 2) if tensor == 1 else ():
                    for _, dim in self._fields(shape) if part == 2 else ():
                        self._side(dim, least)

    def _side(self, dim: memoryview | int, least: int) -> None:
        for number, value in self._fields(dim, 1):
            if number == 1 and not least <= whole(value) <= _LARGEST_SIDE:
                raise _Unfit(f"a size of {whole(value)} makes no sense")

    def _tensor(self, value: memoryview | int) -> None:
        """Walk a TensorProto: as many numbers as its shape has, in the one place where they belong, all finite."""
        name, kind, shape = "", 0, list[int]()
        held: dict[int, memoryview | int] = {}
        for number, inner in self._fields(value, _TYPE, *_LISTS, _RAW):
            if number in (_EXTERNAL, _SEGMENT) or (number == _LOCATION and inner != 0):
                raise _Unfit("its weights lie in another file (external data), and no other file is opened")
            if number == _DIMS:
                shape += wholes(inner)
            elif number == _TYPE:
                kind = whole(inner)
            elif number == 8:
                name = _quoted(text(inner))
            elif number in (*_LISTS, _RAW):
                held[number] = inner
        if kind not in _SIZES:
            raise _Unfit(f"the weights {name} are of a type (number {kind}) that is not read")
        self._filled(name, kind, shape, held)

    def _filled(self, name: str, kind: int, shape: list[int], held: dict[int, memoryview | int]) -> None:
        empty = shape == [0]  # an input of Resize that nobody gave
        if len(shape) > _MOST_SIDES or not (empty or all(side > 0 for side in shape)):
            raise _Unfit(f"the weights {name} have a shape that makes no sense: {str(shape)[:100]}")
        place = _RAW if _RAW in held else _HELD_IN.get(kind, _INT32)
        if any(other != place and not _is_empty(inner) for other, inner in held.items()):
            raise _Unfit(f"the weights {name} are given twice, or as numbers of another type")
        count, numbers = _numbers(kind, place, held.get(place, memoryview(b"")))
        if count != math.prod(shape):
            raise _Unfit(f"the weights {name} are {count:,} numbers where their shape has {math.prod(shape):,}")
        if numbers is not None:
            _finite(numbers, f"the weights {name}")


def _is_empty(value: memoryview | int) -> bool:
    return isinstance(value, memoryview) and not len(value)


def _numbers(kind: int, place: int, value: memoryview | int) -> tuple[int, NDArray[Any] | None]:
    """Return how many numbers a field of a TensorProto holds, and themselves where they may be infinite or none."""
    view = message(value)
    if place == _RAW:
        count, rest = divmod(len(view), _SIZES[kind])
        if rest:
            raise _Unfit("its weights end inside a number")
        return count, _floats(kind, view) if kind in _FLOATS else None
    if place in _FIXED:
        numbers = packed(view, _FIXED[place])
        return numbers.size, numbers
    if kind in (10, 16):  # half-precision numbers, each as a whole number of its bits
        bits = np.asarray(wholes(view) if len(view) <= 1 << 20 else [-1])
        if not ((bits >= 0) & (bits < 1 << 16)).all():
            raise _Unfit("it holds half-precision weights in a form that is not read")
        return bits.size, _floats(kind, memoryview(bits.astype("<u2").tobytes()))
    return count_varints(view), None


def _floats(kind: int, view: memoryview) -> NDArray[Any]:
    if kind == 16:  # the upper half of a float32
        return (np.frombuffer(view, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(view, _FLOATS[kind])


def _single(bits: int) -> NDArray[Any]:
    return np.frombuffer((bits & 0xFFFF_FFFF).to_bytes(4, "little"), "<f4")


def _finite(numbers: NDArray[Any], what: str) -> None:
    if not np.isfinite(numbers).all():
        raise _Unfit(f"{what} hold numbers that are infinite or none (NaN)")


def _quoted(name: str) -> str:
    return ascii(name[:80])
