"""The part of Caffe's protocol buffers that a colorization net uses, described at run time.

Field numbers are those of caffe.proto (Caffe, BSD-2-Clause). The `protobuf` package comes with the extra "import".
Weights are packed floats, which on the wire are one length-delimited field: declared as `bytes` they reach numpy as
one buffer instead of 32 million Python numbers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

_TYPES = {"string": 9, "bytes": 12, "int32": 5, "int64": 3, "uint32": 13, "float": 2, "bool": 8}
_OPTIONAL, _REPEATED, _MESSAGE = 1, 3, 11

# message -> field -> (number, type); "*" marks a repeated field, "=" its default.
_SCHEMA: dict[str, dict[str, tuple[int, str]]] = {
    "BlobShape": {"dim": (1, "*int64 packed")},
    "BlobProto": {
        "shape": (7, "BlobShape"),
        "data": (5, "bytes"),
        "double_data": (8, "bytes"),
        "num": (1, "int32"),
        "channels": (2, "int32"),
        "height": (3, "int32"),
        "width": (4, "int32"),
    },
    "FillerParameter": {"type": (1, "string"), "value": (2, "float")},
    "InputParameter": {"shape": (1, "*BlobShape")},
    "ConvolutionParameter": {
        "num_output": (1, "uint32"),
        "bias_term": (2, "bool=true"),
        "pad": (3, "*uint32"),
        "kernel_size": (4, "*uint32"),
        "group": (5, "uint32=1"),
        "stride": (6, "*uint32"),
        "dilation": (18, "*uint32"),
    },
    "BatchNormParameter": {"eps": (3, "float=1e-05")},
    "ScaleParameter": {"filler": (3, "FillerParameter"), "bias_term": (4, "bool=false")},
    "ReLUParameter": {"negative_slope": (1, "float")},
    "LayerParameter": {
        "name": (1, "string"),
        "type": (2, "string"),
        "bottom": (3, "*string"),
        "top": (4, "*string"),
        "blobs": (7, "*BlobProto"),
        "convolution_param": (106, "ConvolutionParameter"),
        "relu_param": (123, "ReLUParameter"),
        "batch_norm_param": (139, "BatchNormParameter"),
        "scale_param": (142, "ScaleParameter"),
        "input_param": (143, "InputParameter"),
    },
    "NetParameter": {
        "name": (1, "string"),
        "input": (3, "*string"),
        "input_dim": (4, "*int32"),
        "input_shape": (8, "*BlobShape"),
        "layers": (2, "*OldLayer"),
        "layer": (100, "*LayerParameter"),
    },
    "OldLayer": {},  # V1LayerParameter: recognised, to be told apart, never read
}


@cache
def net_class() -> Any:
    """Return the message class of Caffe's NetParameter."""
    file = descriptor_pb2.FileDescriptorProto(name="colorize_caffe.proto", package="colorize_caffe", syntax="proto2")
    for name, members in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for member, (number, declared) in members.items():
            repeated, declared = declared.startswith("*"), declared.removeprefix("*")
            declared, _, default = declared.partition("=")
            declared, _, packed = declared.partition(" ")
            field = message.field.add(name=member, number=number, label=_REPEATED if repeated else _OPTIONAL)
            if declared in _TYPES:
                field.type = _TYPES[declared]
            else:
                field.type, field.type_name = _MESSAGE, f".colorize_caffe.{declared}"
            if default:
                field.default_value = default
            if packed:
                field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("colorize_caffe.NetParameter"))
