"""PROTOTXT + CAFFEMODEL + POINTS -> one ONNX that needs no Caffe importer (extra "import").

What OpenCV's tutorial fills in by hand is filled in here: the cluster centres are the weights of `class8_ab`, and
`conv8_313_rh` scales the logits by 2.606 (Zhang, Isola, Efros 2016: annealed mean, T = 0.38).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.convert.caffe_reader import Blobs, Layer, Topology, read_caffemodel, read_prototxt
from pipeline.nets.convert.onnx_writer import GraphWriter
from pipeline.nets.points import read_points
from pipeline.nets.spec import Answer, Feed, contract_json
from pipeline.nets.store import integrity

ANNEALING = 2.606
_DROPPED = ("Silence", "Dropout")


def convert_caffe(prototxt: Path, caffemodel: Path, points: Path, destination: Path) -> None:
    """Write the ONNX file `destination` from the tutorial's three files.

    Raises:
        ModelError: one of them is missing, damaged, or not of this net.
    """
    read = [(each, *integrity.read(each)) for each in (caffemodel, prototxt, points)]
    weights, described, centres = (content for _, content, _ in read)
    topology = read_prototxt(described.decode("utf-8", "replace"), name=str(prototxt))
    sources = {path.name: sha256 for path, _, sha256 in read}
    write_onnx(
        topology, read_caffemodel(caffemodel, weights), read_points(points, centres), destination, sources=sources
    )


def write_onnx(
    topology: Topology,
    blobs: Blobs,
    points: NDArray[np.float32],
    destination: Path,
    *,
    sources: dict[str, str] | None = None,
) -> None:
    """Write a chain of Caffe layers as ONNX: 1x1xSxS lightness minus 50 in, ab in Lab units out.

    Args:
        topology: the layers.
        blobs: their weights.
        points: float32 (2, N), the cluster centres of ab.
        destination: file to write.
        sources: file name -> sha256, for the metadata.

    Raises:
        ModelError: a layer that is not known, or weights that are missing or do not fit.
    """
    write_chain(
        topology,
        {**blobs, **_filled_in(topology, blobs, points)},
        destination,
        contract=contract_json(topology.shape[2], Feed(offset=-50.0), Answer(), sources),
        channels=2,
    )


def write_chain(topology: Topology, blobs: Blobs, destination: Path, *, contract: str, channels: int) -> None:
    """Write any chain of layers as ONNX, its weights as they are in `blobs`; it must end in so many `channels`.

    Raises:
        ModelError: see `write_onnx`.
    """
    plan = _Plan(topology, blobs)
    shape: tuple[int, ...] = topology.shape
    writer = GraphWriter()
    last = topology.input
    for layer in plan.layers:
        shape = _sized(layer, shape)
        last = _write(writer, layer, last, plan)
    if shape[1] != channels:
        raise ModelError(f"The net ends in {shape[1]} channels; {channels} were expected.")
    inputs, outputs = {topology.input: topology.shape}, {last: shape}
    writer.write(destination, name="zhang2016", inputs=inputs, outputs=outputs, contract=contract)


@dataclass(frozen=True, slots=True)
class _Affine:
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


class _Plan:
    """The layers that remain once every affine layer that follows a convolution directly is folded into it."""

    def __init__(self, topology: Topology, blobs: Blobs) -> None:
        self.layers: list[Layer] = []
        self.weights: dict[str, tuple[NDArray[np.float32], NDArray[np.float32] | None]] = {}
        self.affines: dict[str, _Affine] = {}
        renamed: dict[str, str] = {}  # the top of a layer that is gone -> what stands for it
        for layer in topology.layers:
            source = renamed.get(layer.bottom, layer.bottom)
            if layer.type in _DROPPED:
                renamed[layer.top] = source
                continue
            if source != (self.layers[-1].top if self.layers else topology.input):
                raise ModelError(f"Layer {layer.name} does not follow the one before it: a chain was expected.")
            if layer.type in ("BatchNorm", "Scale"):
                affine = _affine(layer, blobs)
                before = self.layers[-1] if self.layers else None
                if before and before.top == source and self._fold(before, affine):
                    renamed[layer.top] = source
                    continue
                self.affines[layer.name] = affine
            elif layer.type in ("Convolution", "Deconvolution"):
                self.weights[layer.name] = _weights(layer, blobs)
            elif layer.type not in ("ReLU", "Softmax"):
                raise ModelError(f"Layer {layer.name}: the converter knows no layers of type {layer.type}.")
            renamed.pop(layer.top, None)  # a layer in place gives the old name a new meaning
            self.layers.append(Layer(layer.name, layer.type, source, layer.top, layer.numbers))

    def _fold(self, before: Layer, affine: _Affine) -> bool:
        """Fold into the layer before: exact after a convolution, and after another affine layer."""
        if before.name in self.weights:
            weights, bias = self.weights[before.name]
            if before.type == "Deconvolution" and before.numbers["group"] != 1:
                return False
            axes = (1, -1, 1, 1) if before.type == "Deconvolution" else (-1, 1, 1, 1)
            bias = affine.shift if bias is None else bias * affine.scale + affine.shift
            self.weights[before.name] = (weights * affine.scale.reshape(axes), bias)
            return True
        if before.name in self.affines:
            first = self.affines[before.name]
            self.affines[before.name] = _Affine(first.scale * affine.scale, first.shift * affine.scale + affine.shift)
            return True
        return False


def _filled_in(topology: Topology, blobs: Blobs, points: NDArray[np.float32]) -> Blobs:
    known = {layer.name: layer for layer in topology.layers}
    for name in ("class8_ab", "conv8_313_rh"):
        if name not in known:
            raise ModelError(f"The net has no layer {name}: it is not the colorization net of Zhang 2016.")
    count = points.shape[1]
    bias = blobs.get("class8_ab", [])[1:]  # caffemodels carry two zeros
    return {
        "class8_ab": [points.reshape(2, count, 1, 1), *bias],
        "conv8_313_rh": [np.full(count, ANNEALING, np.float32)],
    }


def _weights(layer: Layer, blobs: Blobs) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    found = blobs.get(layer.name, [])
    if not found or found[0].ndim != 4:
        raise ModelError(f"The caffemodel has no weights for the layer {layer.name}: it belongs to another net.")
    weights = found[0]
    outputs = weights.shape[1] * layer.numbers["group"] if layer.type == "Deconvolution" else weights.shape[0]
    side = layer.numbers["kernel_size"]
    if outputs != layer.numbers["num_output"] or weights.shape[2:] != (side, side):
        raise ModelError(f"Layer {layer.name}: its weights {weights.shape} do not fit the prototxt.")
    bias = found[1].reshape(-1) if len(found) > 1 and layer.numbers["bias_term"] else None
    if bias is not None and bias.size != outputs:
        raise ModelError(f"Layer {layer.name}: {bias.size} biases for {outputs} channels.")
    return weights, bias


def _affine(layer: Layer, blobs: Blobs) -> _Affine:
    found = [each.reshape(-1) for each in blobs.get(layer.name, [])]
    if layer.type == "Scale":
        if not found:
            raise ModelError(f"The caffemodel has no weights for the layer {layer.name}: it belongs to another net.")
        return _Affine(found[0], found[1] if len(found) > 1 else np.zeros_like(found[0]))
    if len(found) != 3 or found[0].size != found[1].size or found[2].size != 1:
        raise ModelError(f"Layer {layer.name}: mean, variance and their factor were expected.")
    # Caffe keeps sums of moving averages; the third blob is what they have to be divided by.
    factor = 0.0 if found[2][0] == 0 else 1 / float(found[2][0])
    mean, variance = found[0].astype(np.float64) * factor, found[1].astype(np.float64) * factor
    scale = 1 / np.sqrt(variance + layer.numbers["eps"])
    return _Affine(scale.astype(np.float32), (-mean * scale).astype(np.float32))


def _sized(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    if layer.type not in ("Convolution", "Deconvolution"):
        return shape
    numbers = layer.numbers
    reach = numbers["dilation"] * (numbers["kernel_size"] - 1) + 1
    if layer.type == "Convolution":
        sides = [(side + 2 * numbers["pad"] - reach) // numbers["stride"] + 1 for side in shape[2:]]
    else:
        sides = [numbers["stride"] * (side - 1) + reach - 2 * numbers["pad"] for side in shape[2:]]
    return (shape[0], int(numbers["num_output"]), *sides)


def _write(writer: GraphWriter, layer: Layer, source: str, plan: _Plan) -> str:
    if layer.type in ("Convolution", "Deconvolution"):
        weights, bias = plan.weights[layer.name]
        return writer.convolution(
            source,
            layer.name,
            weights,
            bias,
            transposed=layer.type == "Deconvolution",
            **{key: int(layer.numbers[key]) for key in ("pad", "stride", "dilation", "group")},
        )
    if layer.type == "ReLU":
        slope = float(layer.numbers["negative_slope"])
        if slope:
            return writer.node("LeakyRelu", [source], layer.name, alpha=slope)
        return writer.node("Relu", [source], layer.name)
    if layer.type == "Softmax":
        return writer.node("Softmax", [source], layer.name, axis=1)
    affine = plan.affines[layer.name]
    return writer.affine(source, layer.name, affine.scale, affine.shift)
