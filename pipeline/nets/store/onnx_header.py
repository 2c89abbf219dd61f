"""What an ONNX file declares of itself: inputs, outputs, metadata.

The fastest way to choose how a net is fed is to read it from the file, and that must work with the core dependencies
alone. The `onnx` package is an extra (it is needed to write such files), cv2.dnn tells neither names nor metadata, so
this reads the few fields it needs from the protocol-buffer wire format and steps over the weights unread.
Field numbers are those of onnx.proto3 (ONNX, Apache-2.0); https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.ground.errors import ModelError
from pipeline.nets.spec import Port

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ELEMENTS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


@dataclass(frozen=True, slots=True)
class OnnxHeader:
    """Declared inputs (without initializers), outputs and metadata of an ONNX file."""

    producer: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: dict[str, str]


def read_header(path: Path) -> OnnxHeader:
    """Read what the ONNX file `path` declares of itself.

    Raises:
        ModelError: the file is cut short or no ONNX at all.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except ValueError:
            raise ModelError(f"{path} is empty.") from None
    producer, metadata = "", {}
    inputs: list[Port] = []
    outputs: list[Port] = []
    initializers: set[str] = set()
    try:
        for number, value in _fields(content):
            if number == 2:  # ModelProto.producer_name
                producer = _text(value)
            elif number == 14:  # ModelProto.metadata_props
                pair = dict(_fields(_view(value)))
                metadata[_text(pair.get(1, b""))] = _text(pair.get(2, b""))
            elif number == 7:  # ModelProto.graph
                for part, inner in _fields(_view(value)):
                    if part == 5:  # GraphProto.initializer: TensorProto.name
                        initializers.update(_text(name) for key, name in _fields(_view(inner)) if key == 8)
                    elif part == 11:
                        inputs.append(_port(_view(inner)))
                    elif part == 12:
                        outputs.append(_port(_view(inner)))
    except (IndexError, ValueError, TypeError):
        raise ModelError(f"{path} is not a whole ONNX file: it is damaged, cut short, or something else.") from None
    if not outputs:
        raise ModelError(f"{path} is not an ONNX file: it declares no output.")
    return OnnxHeader(
        producer, tuple(each for each in inputs if each.name not in initializers), tuple(outputs), metadata
    )


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield field number and value (an int, or the bytes) of each field of one message."""
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        kind = key & 7
        value: memoryview | int
        if kind == _VARINT:
            value, at = _varint(view, at)
        elif kind == _BYTES:
            size, at = _varint(view, at)
            value, at = view[at : at + size], at + size
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
            value, at = int.from_bytes(view[at : at + size], "little"), at + size
        else:
            raise ValueError(f"wire type {kind}")
        if at > end:
            raise IndexError("a field reaches over the end")
        yield key >> 3, value


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = view[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise ValueError("a number without end")


def _view(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where a message was due")
    return value


def _text(value: memoryview | bytes | int) -> str:
    if isinstance(value, int):
        raise TypeError("a number where a text was due")
    return bytes(value).decode("utf-8")


def _port(view: memoryview) -> Port:
    """Read a ValueInfoProto: name = 1, type = 2 {tensor_type = 1 {elem_type = 1, shape = 2 {dim = 1 {value = 1}}}}."""
    name, element = "", "float32"
    shape: list[int | None] = []
    for number, value in _fields(view):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for _, tensor in _fields(_view(value)):
                for part, inner in _fields(_view(tensor)):
                    if part == 1 and isinstance(inner, int):
                        element = _ELEMENTS.get(inner, str(inner))
                    elif part == 2:
                        shape = [_dimension(_view(dim)) for key, dim in _fields(_view(inner)) if key == 1]
    return Port(name, tuple(shape), element)


def _dimension(view: memoryview) -> int | None:
    size = dict(_fields(view)).get(1)
    return size if isinstance(size, int) and size > 0 else None
