"""The PyTorch releases of eccv16 and siggraph17 -> ONNX (extra "import"; torch is not needed).

Both nets take (L - 50) / 100 and give ab / 110. Here that scaling is left to the `colorize` metadata, so that the file
holds convolutions only; and the last step of eccv16 in PyTorch, ab enlarged by 4, is left to the composition, which
enlarges it to the picture's own size in one step. Layers: colorizers/eccv16.py and siggraph17.py of
richzhang/colorization (BSD-2-Clause); Zhang, Zhu, Isola et al., SIGGRAPH 2017.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.convert.onnx_writer import GraphWriter
from pipeline.nets.convert.torch_reader import read_torch
from pipeline.nets.spec import Answer, Feed, contract_json
from pipeline.nets.store import integrity

_SIZE = 256
_EPSILON = 1e-5
_FEED = Feed(scale=0.01, offset=-0.5)
_ANSWER = Answer(scale=110.0)

Weights = dict[str, NDArray[np.float32]]


def convert_torch(source: Path, destination: Path) -> None:
    """Write the ONNX file `destination` from a PyTorch release of eccv16 or siggraph17.

    Raises:
        ModelError: the file is damaged, holds more than tensors, or belongs to another net.
    """
    content, sha256 = integrity.read(source)
    weights = read_torch(source, content)
    contract = contract_json(_SIZE, _FEED, _ANSWER, {source.name: sha256})
    try:
        if "model_out.0.weight" in weights:
            _siggraph17(weights, destination, contract)
        elif "model_out.weight" in weights:
            _eccv16(weights, destination, contract)
        else:
            raise ModelError(f"{source} holds the weights of another net than eccv16 and siggraph17.")
    except KeyError as error:
        raise ModelError(f"{source} lacks the weights {error.args[0]}: it belongs to another net.") from None


class _Chain:
    """A graph that grows at its end, layers named after PyTorch's `Sequential` blocks."""

    def __init__(self, weights: Weights, source: str) -> None:
        self.writer = GraphWriter()
        self.weights = weights
        self.last = source

    def conv(self, key: str, *, stride: int = 1, dilation: int = 1, up: bool = False) -> str:
        """Add the (transposed) convolution `key`; the padding keeps the size."""
        weights = self.weights[f"{key}.weight"]
        pad = 1 if up else dilation * (weights.shape[2] // 2)
        bias = self.weights.get(f"{key}.bias")
        self.last = self.writer.convolution(
            self.last, key, weights, bias, pad=pad, stride=stride, dilation=dilation, transposed=up
        )
        return self.last

    def relu(self) -> str:
        self.last = self.writer.node("Relu", [self.last], f"{self.last}.relu")
        return self.last

    def norm(self, key: str) -> str:
        """Add the BatchNorm `key`, its four arrays as one factor and one summand a channel."""
        scale = self.weights[f"{key}.weight"] / np.sqrt(self.weights[f"{key}.running_var"] + np.float32(_EPSILON))
        shift = self.weights[f"{key}.bias"] - self.weights[f"{key}.running_mean"] * scale
        self.last = self.writer.affine(self.last, key, scale, shift)
        return self.last

    def block(self, name: str, count: int, *, stride: int = 1, dilation: int = 1, first: int = 0) -> str:
        """Add `count` convolutions with ReLU and the BatchNorm after them; only the last one has the stride."""
        for number in range(count):
            step = stride if number == count - 1 else 1
            self.conv(f"{name}.{first + 2 * number}", stride=step, dilation=dilation)
            self.relu()
        return self.norm(f"{name}.{first + 2 * count}")

    def every_second(self) -> str:
        """Keep every second row and column (a maximum over single pixels: all engines know it)."""
        name = f"{self.last}.half"
        self.last = self.writer.node("MaxPool", [self.last], name, kernel_shape=[1, 1], strides=[2, 2])
        return self.last


def _eccv16(weights: Weights, destination: Path, contract: str) -> None:
    net = _Chain(weights, "data_l")
    for name, count, stride, dilation in (
        ("model1", 2, 2, 1),
        ("model2", 2, 2, 1),
        ("model3", 3, 2, 1),
        ("model4", 3, 1, 1),
        ("model5", 3, 1, 2),
        ("model6", 3, 1, 2),
        ("model7", 3, 1, 1),
    ):
        net.block(name, count, stride=stride, dilation=dilation)
    net.conv("model8.0", stride=2, up=True)
    net.relu()
    for key in ("model8.2", "model8.4"):
        net.conv(key)
        net.relu()
    net.last = net.writer.node("Softmax", [net.conv("model8.6")], "softmax", axis=1)
    # PyTorch's own scaling: these weights are the cluster centres over 110.
    last = net.conv("model_out")
    side = _SIZE // 4
    net.writer.write(
        destination,
        name="eccv16",
        inputs={"data_l": (1, 1, _SIZE, _SIZE)},
        outputs={last: (1, 2, side, side)},
        contract=contract,
    )


def _siggraph17(weights: Weights, destination: Path, contract: str) -> None:
    inputs = {"data_l": 1, "user_ab": 2, "user_map": 1}
    net = _Chain(weights, "input")
    net.writer.node("Concat", list(inputs), "input", axis=1)
    skips = {}
    for name, count, dilation in (
        ("model1", 2, 1),
        ("model2", 2, 1),
        ("model3", 3, 1),
        ("model4", 3, 1),
        ("model5", 3, 2),
        ("model6", 3, 2),
        ("model7", 3, 1),
    ):
        skips[name] = net.block(name, count, dilation=dilation)
        if name in ("model1", "model2", "model3"):
            net.every_second()
    _up(net, "model8up", "model3short8", skips["model3"])
    net.relu()
    net.block("model8", 2, first=1)
    _up(net, "model9up", "model2short9", skips["model2"])
    net.relu()
    net.block("model9", 1, first=1)
    _up(net, "model10up", "model1short10", skips["model1"])
    net.relu()
    net.conv("model10.1")
    net.last = net.writer.node("LeakyRelu", [net.last], "model10.2", alpha=0.2)
    last = net.writer.node("Tanh", [net.conv("model_out.0")], "color_ab")
    net.writer.write(
        destination,
        name="siggraph17",
        inputs={name: (1, channels, _SIZE, _SIZE) for name, channels in inputs.items()},
        outputs={last: (1, 2, _SIZE, _SIZE)},
        contract=contract,
    )


def _up(net: _Chain, up: str, short: str, skip: str) -> None:
    """Double the size and add a convolution of what an earlier block gave."""
    larger = net.conv(f"{up}.0", stride=2, up=True)
    net.last = skip
    beside = net.conv(f"{short}.0")
    net.last = net.writer.node("Add", [larger, beside], f"{up}.sum")
