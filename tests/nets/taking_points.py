"""A made ONNX that takes points of colour as the net of SIGGRAPH 2017 does: it spreads them over what lies near."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.nets.spec import Answer, Feed, contract_json

BASE = (6.0, 12.0)
REACH = 10  # pixels


def write(path: Path, size: int = 64, scale: float = 110.0) -> Path:
    """Write it: ab of a point, in units of `scale`, over a square of 2 REACH + 1 pixels; elsewhere `BASE`."""
    pytest.importorskip("onnx", reason="writing ONNX files needs the extra import")
    from onnx import TensorProto, checker, helper, numpy_helper

    side = 2 * REACH + 1
    both = np.zeros((2, 2, side, side), np.float32)
    both[0, 0] = both[1, 1] = 1
    weights = {
        "both": both, "one": np.ones((1, 1, side, side), np.float32), "little": np.float32(1e-6),
        "unlit": np.zeros((2, 1, 1, 1), np.float32), "base": (np.float32(BASE) / np.float32(scale)).reshape(1, 2, 1, 1),
        "minus": np.float32(-1), "unit": np.float32(1),
    }  # fmt: skip
    padded = {"pads": [REACH] * 4, "kernel_shape": [side, side]}
    nodes = [
        helper.make_node("Conv", ["user_ab", "both"], ["told"], **padded),
        helper.make_node("Conv", ["user_map", "one"], ["count"], **padded),
        helper.make_node("Add", ["count", "little"], ["some"]),
        helper.make_node("Div", ["told", "some"], ["mean"]),
        helper.make_node("Clip", ["count"], ["near"], min=0.0, max=1.0),
        helper.make_node("Mul", ["near", "minus"], ["minused"]),
        helper.make_node("Add", ["minused", "unit"], ["far"]),
        helper.make_node("Mul", ["far", "base"], ["own"]),
        helper.make_node("Conv", ["data_l", "unlit"], ["nothing"], kernel_shape=[1, 1]),
        helper.make_node("Add", ["mean", "own"], ["spread"]),
        helper.make_node("Add", ["spread", "nothing"], ["ab"]),
    ]
    channels = {"data_l": 1, "user_ab": 2, "user_map": 1}
    graph = helper.make_graph(
        nodes,
        "points",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n, size, size]) for name, n in channels.items()],
        [helper.make_tensor_value_info("ab", TensorProto.FLOAT, [1, 2, size, size])],
        [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 6)], producer_name="test")
    model.ir_version = 8
    helper.set_model_props(model, {"colorize": contract_json(size, Feed(scale=0.01, offset=-0.5), Answer(scale=scale))})
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
