"""A net of the release's topology with made-up weights: what tests and the benchmark run where the release is not.

The weights are He-normal, BatchNorm's statistics lie away from 0 and 1, and the 313 logits have a standard deviation
of 1 before the factor 2.606: with a peaked softmax rounding would turn into jumps. Needs the extra "import".
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.nets.convert.caffe import write_chain, write_onnx
from pipeline.nets.convert.caffe_reader import Blobs, Layer, Topology, read_prototxt
from pipeline.nets.convert.caffe_schema import net_class
from pipeline.nets.engines.samples import sample_lightness

_BINS = 313
# Zhang, Isola, Efros 2016: per block the output channels, the stride of each convolution, and the dilation.
_BLOCKS: dict[str, tuple[int, tuple[int, ...], int]] = {
    "conv1": (64, (1, 2), 1),
    "conv2": (128, (1, 2), 1),
    "conv3": (256, (1, 1, 2), 1),
    "conv4": (512, (1, 1, 1), 1),
    "conv5": (512, (1, 1, 1), 2),
    "conv6": (512, (1, 1, 1), 2),
    "conv7": (512, (1, 1, 1), 1),
}


def write_release_onnx(path: Path, *, width: float = 1.0, seed: int = 0, size: int = 224) -> None:
    """Write an ONNX of the release's topology with made-up weights, through the same converter as the real one.

    Args:
        path: where to.
        width: factor on the channel counts; 1.0 is the release's size (32.2 M parameters, 64 GFLOP at 224).
        seed: of the weights.
        size: side of the square input, divisible by 8.
    """
    topology = read_prototxt(release_prototxt(width=width, size=size))
    write_onnx(topology, release_blobs(topology, seed=seed), release_points(), path)


def write_release_caffe(folder: Path, *, width: float = 1.0, seed: int = 0, size: int = 224) -> tuple[Path, Path, Path]:
    """Write the same net as Caffe's three files.

    Returns:
        Paths of the prototxt, the caffemodel and the points.
    """
    text = release_prototxt(width=width, size=size)
    topology = read_prototxt(text)
    paths = (folder / "release.prototxt", folder / "release.caffemodel", folder / "points.npy")
    paths[0].write_text(text, encoding="utf-8")
    write_caffemodel(paths[1], topology, release_blobs(topology, seed=seed))
    np.save(paths[2], release_points().T.astype(np.int64))
    return paths


def release_prototxt(*, width: float = 1.0, size: int = 224) -> str:
    """Return the text of `colorization_deploy_v2.prototxt`, with other channel counts where `width` is not 1."""
    layers: list[str] = []

    def layer(name: str, kind: str, source: str, top: str, parameters: str = "") -> str:
        layers.append(f'layer {{ name: "{name}" type: "{kind}" bottom: "{source}" top: "{top}" {parameters} }}')
        return top

    def convolution(name: str, source: str, channels: int, *, kind: str = "Convolution", **numbers: int) -> str:
        text = " ".join(f"{key}: {value}" for key, value in {"num_output": channels, **numbers}.items())
        title = "bw_conv1_1" if name == "conv1_1" else name
        return layer(title, kind, source, name, f"convolution_param {{ {text} }}")

    def channels(full: int) -> int:
        return max(4, round(full * width))

    last = "data_l"
    for block, (full, strides, dilation) in _BLOCKS.items():
        for number, stride in enumerate(strides, 1):
            name = f"{block}_{number}"
            last = convolution(
                name, last, channels(full), kernel_size=3, pad=dilation, stride=stride, dilation=dilation
            )
            layer(f"relu{name[4:]}", "ReLU", last, last)
        last = layer(f"{last}norm", "BatchNorm", last, f"{last}norm")
    for number in (1, 2, 3):
        name, up = f"conv8_{number}", number == 1
        kind, numbers = (
            ("Deconvolution", {"kernel_size": 4, "stride": 2}) if up else ("Convolution", {"kernel_size": 3})
        )
        last = convolution(name, last, channels(256), kind=kind, pad=1, **numbers)
        layer(f"relu8_{number}", "ReLU", last, last)
    last = convolution("conv8_313", last, _BINS, kernel_size=1)
    scale = "scale_param { bias_term: false filler { type: 'constant' value: 2.606 } }"
    last = layer("conv8_313_rh", "Scale", last, "conv8_313_rh", scale)
    last = layer("class8_313_rh", "Softmax", last, "class8_313_rh")
    convolution("class8_ab", last, 2, kernel_size=1)
    shape = f"dim: 1 dim: 1 dim: {size} dim: {size}"
    data = f'layer {{ name: "data_l" type: "Input" top: "data_l" input_param {{ shape {{ {shape} }} }} }}'
    return "\n".join(['name: "LtoAB"', data, *layers, 'layer { name: "Silence" type: "Silence" bottom: "class8_ab" }'])


def release_points() -> NDArray[np.float32]:
    """Return 313 cluster centres of ab, float32 (2, 313): the nodes of a grid of 10 nearest to grey."""
    axis = np.arange(-110, 111, 10)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    nearest = np.argsort(np.hypot(grid[:, 0], grid[:, 1]), kind="stable")[:_BINS]
    return np.ascontiguousarray(grid[np.sort(nearest)].T, np.float32)


def release_blobs(topology: Topology, *, seed: int = 0, known: Blobs | None = None) -> Blobs:
    """Make up the weights of all layers of `topology` that `known` does not hold.

    Args:
        topology: from `read_prototxt`.
        seed: of the random numbers.
        known: real weights by layer name; a layer's missing arrays may be left out by an empty array.

    Returns:
        Layer name -> arrays in Caffe's order. The logits' layer is scaled to a standard deviation of 1.
    """
    random = np.random.default_rng(seed)
    blobs: Blobs = {}
    incoming = topology.shape[1]
    for layer in topology.layers:
        made = _made_up(random, layer, incoming)
        real = (known or {}).get(layer.name, [])
        blobs[layer.name] = [
            real[place] if place < len(real) and real[place].size else values for place, values in enumerate(made)
        ]
        incoming = layer.numbers.get("num_output", incoming)
    blobs = {name: arrays for name, arrays in blobs.items() if arrays}
    return _softened(topology, blobs)


def _made_up(random: np.random.Generator, layer: Layer, incoming: int) -> list[NDArray[np.float32]]:
    if layer.type == "BatchNorm":
        factor = np.full(1, 0.999, np.float32)  # Caffe divides by it
        mean, variance = random.normal(0.3, 0.2, incoming), random.uniform(0.3, 1.5, incoming)
        return [mean.astype(np.float32) * factor, variance.astype(np.float32) * factor, factor]
    if layer.type not in ("Convolution", "Deconvolution") or layer.name == "class8_ab":
        return []  # class8_ab and conv8_313_rh are filled in by whoever loads the net
    side, outgoing = layer.numbers["kernel_size"], layer.numbers["num_output"]
    shape = (outgoing, incoming, side, side)
    inputs = incoming * side * side
    if layer.type == "Deconvolution":
        shape, inputs = (incoming, outgoing, side, side), incoming * (side // layer.numbers["stride"]) ** 2
    weights = random.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / inputs))
    if incoming == 1:
        weights /= 30  # lightness minus 50 has about that spread
    return [weights, random.normal(0, 0.05, outgoing).astype(np.float32)]


def _softened(topology: Topology, blobs: Blobs) -> Blobs:
    """Scale the logits' layer so that smooth lightness gives logits with a standard deviation of 1."""
    head = next(place for place, layer in enumerate(topology.layers) if layer.name == "conv8_313")
    logits = Topology(topology.input, topology.shape, topology.layers[: head + 1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logits.onnx"
        write_chain(logits, blobs, path, contract="{}", channels=_BINS)
        net = cv2.dnn.readNetFromONNX(str(path))
        net.setInput(sample_lightness(topology.shape[2], 1)[0][np.newaxis, np.newaxis] - np.float32(50))
        spread = np.float32(np.asarray(net.forward()).std())
    return {**blobs, "conv8_313": [each / spread for each in blobs["conv8_313"]]}


def write_caffemodel(path: Path, topology: Topology, blobs: Blobs) -> None:
    """Write weights as a caffemodel, the way Caffe itself does (packed floats)."""
    net = net_class()(name="LtoAB")
    for layer in topology.layers:
        written = net.layer.add(name=layer.name, type=layer.type)
        for values in blobs.get(layer.name, []):
            written.blobs.add(data=values.astype("<f4").tobytes()).shape.dim.extend(values.shape)
    path.write_bytes(net.SerializeToString())
