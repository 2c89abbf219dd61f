"""A net takes the memory that a net may take: what it asks for beyond, it does not get, in whichever engine."""

from __future__ import annotations

import importlib.util
import resource
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground.errors import EngineError, out_of_memory
from pipeline.ground.memory import bounded
from pipeline.nets.engine import Engine
from pipeline.nets.engines import open as opening
from pipeline.nets.engines.open import open_net
from pipeline.nets.resolve import resolve

onnx = pytest.importorskip("onnx", reason="such nets are made with the extra import")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
MB = 1 << 20


def swelling(path: Path, kind: str) -> Path:
    """Write a net of a few hundred bytes that is fed 64 x 64 and has 18,000 x 18,000 in the middle: 1.3 GB."""
    weights = {"to ab": np.full((2, 1, 1, 1), 0.01, np.float32)}
    if kind == "Pad":
        weights["size"] = np.array([0, 0, 9_000, 9_000, 0, 0, 9_000, 9_000], np.int64)
    elif kind == "Tile":
        weights["size"] = np.array([1, 1, 282, 282], np.int64)
    else:
        weights["size"] = np.array([1, 1, 18_000, 18_000], np.int64)
    given = ["size"] if kind == "ConstantOfShape" else ["l", "size"]
    more = {"value": numpy_helper.from_array(np.ones(1, np.float32))} if kind == "ConstantOfShape" else {}
    nodes = [
        helper.make_node(kind, given, ["large"], **more),
        helper.make_node("GlobalAveragePool", ["large"], ["one"]),
        helper.make_node("Add", ["l", "one"], ["small"]),
        helper.make_node("Conv", ["small", "to ab"], ["ab"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 64, 64])]
        for name, channels in (("l", 1), ("ab", 2))
    ]
    held = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "swelling", *ends, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("kind", ["Pad", "Tile", "ConstantOfShape"])
@pytest.mark.parametrize("engine", ["opencv", "onnxruntime", "openvino"])
def test_a_net_that_swells_inside_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, kind: str
) -> None:
    if importlib.util.find_spec({"opencv": "cv2"}.get(engine, engine)) is None:
        pytest.skip(f"the extra {engine} is not installed")
    spec = resolve(str(swelling(tmp_path / "swelling.onnx", kind)))
    monkeypatch.setattr(opening, "_MOST", 500 * MB)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(
        EngineError, match=rf"The engine {engine}.* cannot run swelling: it asks for more memory"
    ) as caught:
        open_net(spec, Engine(engine, "float32"), cache_dir=tmp_path)
    assert "500 MB" in str(caught.value)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_the_bound_goes_with_the_last_thread_inside() -> None:
    before, inside, leave = resource.getrlimit(resource.RLIMIT_DATA), threading.Event(), threading.Event()

    def stay() -> None:
        with bounded(100 * MB):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait()
    with bounded(100 * MB), pytest.raises(MemoryError) as caught:
        np.ones(300 * MB, np.uint8)
    assert out_of_memory(caught.value)
    assert resource.getrlimit(resource.RLIMIT_DATA) != before
    leave.set()
    thread.join()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert np.ones(300 * MB, np.uint8).all()
