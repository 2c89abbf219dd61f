"""A Caffe net as plain data: its layers from the prototxt, their weights from the caffemodel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.content import read_file
from pipeline.nets.convert.caffe_schema import net_class
from pipeline.nets.store.caffe_sound import check_caffemodel, check_prototxt
from pipeline.nets.store.integrity import impostor

Blobs = dict[str, list[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a prototxt.

    Attributes:
        name, type: as Caffe calls them ("conv1_1", "Convolution").
        bottom, top: names of what it takes and gives.
        numbers: its parameters by Caffe's names, defaults filled in.
    """

    name: str
    type: str
    bottom: str
    top: str
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topology:
    """A net without weights: its input's name and shape (1, 1, S, S), and its layers in order."""

    input: str
    shape: tuple[int, ...]
    layers: tuple[Layer, ...]


def read_prototxt(text: str, *, name: str = "the prototxt") -> Topology:
    """Parse the text of a deploy prototxt.

    Raises:
        ModelError: it is no prototxt, or has no single input of four dimensions.
    """
    if what := impostor(text[:512].encode()):
        raise ModelError(f"{name} is {what}.")
    check_prototxt(name, text)
    net = net_class()()
    try:
        text_format.Parse(text, net, allow_unknown_field=True)
    except (text_format.ParseError, RecursionError) as error:
        raise ModelError(f"{name} is not a Caffe prototxt: {error}.") from None
    if net.layers and not net.layer:
        raise ModelError(f"{name} is of an old form of Caffe; its upgrade_net_proto_text makes a new one of it.")
    inputs = [(top, list(shape.dim)) for top, shape in zip(net.input, net.input_shape, strict=False)]
    if net.input and net.input_dim:
        inputs = [(net.input[0], list(net.input_dim))]
    layers: list[Layer] = []
    for each in net.layer:
        if each.type == "Input":
            inputs += [(top, list(shape.dim)) for top, shape in zip(each.top, each.input_param.shape, strict=False)]
        else:
            layers.append(_layer(each, name))
    if len(inputs) != 1 or len(inputs[0][1]) != 4 or not layers:
        raise ModelError(f"{name} declares {len(inputs)} inputs and {len(layers)} layers; one input was expected.")
    return Topology(inputs[0][0], tuple(inputs[0][1]), tuple(layers))


def read_caffemodel(path: Path, content: bytes | None = None) -> Blobs:
    """Read the weights of all layers: layer name -> arrays in Caffe's order, float32.

    Args:
        path: the file.
        content: its bytes, where they are here already.

    Raises:
        ModelError: it cannot be read, is no caffemodel, is cut short, of the old form, or holds unfit weights.
    """
    content = read_file(path) if content is None else content
    if what := impostor(content[:512]):
        raise ModelError(f"{path} is {what}.")
    check_caffemodel(path, content)
    net = net_class()()
    try:
        net.ParseFromString(content)
    except DecodeError:
        raise ModelError(f"{path} is not a whole caffemodel: it is damaged, cut short, or something else.") from None
    if not net.layer:
        old = "is of an old form of Caffe" if net.layers else "holds no layers"
        raise ModelError(f"{path} {old}: it cannot be converted.")
    return {each.name: [_array(blob, f"{path}, layer {each.name}") for blob in each.blobs] for each in net.layer}


def _array(blob: Any, place: str) -> NDArray[np.float32]:
    values = np.frombuffer(blob.data, "<f4") if blob.data else np.frombuffer(blob.double_data, "<f8")
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    if int(np.prod(shape)) != values.size:
        raise ModelError(f"{place}: {values.size} weights where the shape {shape} was expected.")
    return np.ascontiguousarray(values, np.float32).reshape(shape)


def _layer(each: Any, name: str) -> Layer:
    numbers: dict[str, Any] = {}
    if each.type in ("Convolution", "Deconvolution"):
        given = each.convolution_param
        for key, default in (("kernel_size", 0), ("pad", 0), ("stride", 1), ("dilation", 1)):
            values = list(getattr(given, key)) or [default]
            if len(set(values)) > 1:
                raise ModelError(f"{name}, layer {each.name}: different {key} in height and width.")
            numbers[key] = values[0]
        numbers |= {"num_output": given.num_output, "group": given.group, "bias_term": given.bias_term}
    elif each.type == "BatchNorm":
        numbers["eps"] = each.batch_norm_param.eps
    elif each.type == "Scale":
        numbers |= {"value": each.scale_param.filler.value, "bias_term": each.scale_param.bias_term}
    elif each.type == "ReLU":
        numbers["negative_slope"] = each.relu_param.negative_slope
    bottoms = list(each.bottom)
    if len(bottoms) != 1 or len(each.top) > 1:
        raise ModelError(f"{name}, layer {each.name}: {len(bottoms)} inputs; a chain of layers was expected.")
    return Layer(each.name, each.type, bottoms[0], each.top[0] if each.top else "", numbers)
