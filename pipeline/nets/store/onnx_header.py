"""What an ONNX file declares of itself: inputs, outputs, metadata.

The fastest way to choose how a net is fed is to read it from the file, and that must work with the core dependencies
alone. The `onnx` package is an extra (it is needed to write such files), cv2.dnn tells neither names nor metadata, so
this reads the few fields it needs from the protocol-buffer wire format and steps over the weights unread (`sound` does
not).
Field numbers are those of onnx.proto3 (ONNX, Apache-2.0); https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.ground.errors import ModelError
from pipeline.nets.spec import Port
from pipeline.nets.wire import DAMAGED, fields, message, text

_ELEMENTS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


@dataclass(frozen=True, slots=True)
class OnnxHeader:
    """Declared inputs (without initializers), outputs and metadata of an ONNX file."""

    producer: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: dict[str, str]


def read_header(path: Path, content: bytes) -> OnnxHeader:
    """Read what an ONNX file declares of itself.

    Args:
        path: the file, for what is said of it.
        content: its bytes.

    Raises:
        ModelError: the file is cut short or no ONNX at all.
    """
    if not content:
        raise ModelError(f"{path} is empty.")
    producer, metadata = "", {}
    inputs: list[Port] = []
    outputs: list[Port] = []
    initializers: set[str] = set()
    try:
        for number, value in fields(memoryview(content)):
            if number == 2:  # ModelProto.producer_name
                producer = text(value)
            elif number == 14:  # ModelProto.metadata_props
                pair = dict(fields(message(value)))
                metadata[text(pair.get(1, b""))] = text(pair.get(2, b""))
            elif number == 7:  # ModelProto.graph
                _read_graph(message(value), inputs, outputs, initializers)
    except DAMAGED:
        raise ModelError(f"{path} is not a whole ONNX file: it is damaged, cut short, or something else.") from None
    if not outputs:
        raise ModelError(f"{path} is not an ONNX file: it declares no output.")
    return OnnxHeader(
        producer, tuple(each for each in inputs if each.name not in initializers), tuple(outputs), metadata
    )


def _read_graph(view: memoryview, inputs: list[Port], outputs: list[Port], initializers: set[str]) -> None:
    for number, value in fields(view):
        if number == 5:  # GraphProto.initializer: TensorProto.name
            initializers.update(text(name) for key, name in fields(message(value)) if key == 8)
        elif number == 11:
            inputs.append(_port(message(value)))
        elif number == 12:
            outputs.append(_port(message(value)))


def _port(view: memoryview) -> Port:
    """Read a ValueInfoProto: name = 1, type = 2 {tensor_type = 1 {elem_type = 1, shape = 2 {dim = 1 {value = 1}}}}."""
    name, element = "", "float32"
    shape: list[int | None] = []
    tensors = list[memoryview]()
    for number, value in fields(view):
        if number == 1:
            name = text(value)
        elif number == 2:
            tensors += (message(tensor) for _, tensor in fields(message(value)))
    for part, inner in (each for tensor in tensors for each in fields(tensor)):
        if part == 1 and isinstance(inner, int):
            element = _ELEMENTS.get(inner, str(inner))
        elif part == 2:
            shape = [_dimension(message(dim)) for key, dim in fields(message(inner)) if key == 1]
    return Port(name, tuple(shape), element)


def _dimension(view: memoryview) -> int | None:
    size = dict(fields(view)).get(1)
    return size if isinstance(size, int) and size > 0 else None
