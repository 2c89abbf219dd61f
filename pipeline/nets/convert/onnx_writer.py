"""Building an ONNX graph node by node, in the subset that OpenCV 4 and 5, onnxruntime and OpenVINO all read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from pipeline.ground.files import write_whole
from pipeline.nets.spec import METADATA_KEY

# Old enough for OpenCV 4.10, new enough for a Softmax over one axis.
_OPSET, _IR_VERSION = 13, 8


class GraphWriter:
    """Nodes and weights on their way into one ONNX file; each method adds a node and returns its output's name."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def constant(self, name: str, values: NDArray[np.float32]) -> str:
        """Add a weight."""
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add any node with one output."""
        self._nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        return output

    def convolution(
        self,
        source: str,
        output: str,
        weights: NDArray[np.float32],
        bias: NDArray[np.float32] | None = None,
        *,
        pad: int = 0,
        stride: int = 1,
        dilation: int = 1,
        group: int = 1,
        transposed: bool = False,
    ) -> str:
        """Add a square convolution: weights (out, in / group, k, k), or (in, out / group, k, k) where transposed."""
        side = weights.shape[2]
        inputs = [source, self.constant(f"{output}.weight", weights)]
        if bias is not None:
            inputs.append(self.constant(f"{output}.bias", bias))
        return self.node(
            "ConvTranspose" if transposed else "Conv",
            inputs,
            output,
            kernel_shape=[side, side],
            pads=[pad] * 4,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            group=group,
        )

    def affine(self, source: str, output: str, scale: NDArray[np.float32], shift: NDArray[np.float32]) -> str:
        """Add `x * scale + shift` a channel, as a BatchNormalization: the one form that every engine runs well.

        A broadcasting Add right after a convolution fails in OpenCV 5.0.
        """
        parts = {
            "scale": scale,
            "shift": shift,
            "mean": np.zeros_like(scale),
            "variance": np.ones_like(scale),
        }
        names = [self.constant(f"{output}.{key}", values) for key, values in parts.items()]
        return self.node("BatchNormalization", [source, *names], output, epsilon=0.0)

    def write(
        self,
        path: Path,
        *,
        name: str,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, tuple[int, ...]],
        contract: str,
    ) -> None:
        """Check the graph and write it to `path`, which appears only when whole.

        Args:
            path: where to.
            name: of the graph.
            inputs, outputs: declared names and shapes, float32.
            contract: text for `metadata_props["colorize"]` (`pipeline.nets.spec.contract_json`).
        """
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, shape) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, shape) for key, shape in outputs.items()],
            self._weights,
        )
        model = helper.make_model(graph, producer_name="colorize", opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = _IR_VERSION
        helper.set_model_props(model, {METADATA_KEY: contract})
        onnx.checker.check_model(model, full_check=True)
        write_whole(path, model.SerializeToString())
