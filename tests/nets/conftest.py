import json
import socketserver
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def make_net(tmp_path):
    """Write a tiny random-weight ONNX of one of the field's kinds and return its path."""
    onnx = pytest.importorskip("onnx", reason="writing ONNX files needs the extra import")
    from onnx import TensorProto, helper, numpy_helper

    def make(kind: str, *, size: int | None = 64, name: str = "", metadata: dict[str, str] | None = None) -> Path:
        random = np.random.default_rng(len(kind))
        shapes = {
            # kind: inputs, channels of the first output, how much smaller the output is
            "zhang": ([("data_l", 1)], 2, 4),
            "raw": ([("input", 1)], 2, 1),
            "siggraph": ([("data_l", 1), ("user_ab", 2), ("user_map", 1)], 2, 1),
            "ddcolor": ([("input", 3)], 2, 1),
            "deoldify": ([("input", 3)], 3, 1),
            "half": ([("input", 3)], 2, 1),
            "unknown": ([("input", 5)], 7, 1),
        }
        inputs, outgoing, smaller = shapes[kind]
        weights, nodes = [], []
        number, element = (np.float16, TensorProto.FLOAT16) if kind == "half" else (np.float32, TensorProto.FLOAT)

        def weight(title, *shape, factor=1.0):
            values = random.standard_normal(shape).astype(np.float32) * np.float32(factor / np.sqrt(np.prod(shape[1:])))
            weights.append(numpy_helper.from_array(values.astype(number), title))
            return title

        source = inputs[0][0]
        if len(inputs) > 1:
            nodes.append(helper.make_node("Concat", [each for each, _ in inputs], ["all"], axis=1))
            source = "all"
        incoming = sum(channels for _, channels in inputs)
        first = [source, weight("w1", 8, incoming, 3, 3)]
        step = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [smaller] * 2}
        nodes.append(helper.make_node("Conv", first, ["hidden"], **step))
        nodes.append(helper.make_node("Relu", ["hidden"], ["shown"]))
        factor = 20.0 if kind in ("ddcolor", "half") else 0.7
        nodes.append(helper.make_node("Conv", ["shown", weight("w2", outgoing, 8, 1, 1, factor=factor)], ["last"]))
        last = "last"
        if kind == "deoldify":  # RGB as 0..255
            nodes.append(helper.make_node("Sigmoid", ["last"], ["unit"]))
            weights.append(numpy_helper.from_array(np.float32(255).reshape(1), "full"))
            nodes.append(helper.make_node("Mul", ["unit", "full"], ["rgb"]))
            last = "rgb"
        side = size or "side"
        small = size // smaller if size else "small"
        graph = helper.make_graph(
            nodes,
            kind,
            [helper.make_tensor_value_info(each, element, [1, n, side, side]) for each, n in inputs],
            [helper.make_tensor_value_info(last, element, [1, outgoing, small, small])],
            weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="test")
        model.ir_version = 8
        if metadata:
            helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        path = tmp_path / f"{name or kind}.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return make


@pytest.fixture
def contract():
    """The text of our own metadata for a net."""

    def text(size: int = 64, feed: dict | None = None, answer: dict | None = None, sources: dict | None = None) -> str:
        return json.dumps({"input_size": size, "feed": feed or {}, "answer": answer or {}, "sources": sources or {}})

    return text


@pytest.fixture
def serve():
    """Start local web servers with the handlers they are given; all end with the test."""
    import threading

    servers = []

    def start(handler) -> str:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler, bind_and_activate=True)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
