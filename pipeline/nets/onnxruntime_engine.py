"""The engine onnxruntime (extra "onnxruntime"): float32 on the processor, or on a GPU where a provider is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pipeline.errors import EngineError
from pipeline.nets.net import Run
from pipeline.nets.spec import NetSpec

# In the order in which they are tried; all of them are told to compute in float32.
_PROVIDERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("CUDAExecutionProvider", {"use_tf32": "0"}),
    ("DmlExecutionProvider", {}),
    ("CoreMLExecutionProvider", {}),
    ("CPUExecutionProvider", {}),
)


def load(spec: NetSpec, precision: str = "float32", cache_dir: Path | None = None) -> Run:
    """Load a net into onnxruntime with one thread that never spins.

    Args:
        spec: the net.
        precision: float32 is all there is here.
        cache_dir: not needed.

    Raises:
        EngineError: onnxruntime cannot read the file.
    """
    if spec.form != "onnx":
        raise EngineError("onnxruntime cannot read Caffe models; `colorize models import` converts them.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    there = onnxruntime.get_available_providers()
    providers = [(name, settings) for name, settings in _PROVIDERS if name in there]
    try:
        session = onnxruntime.InferenceSession(str(spec.path), options, providers=providers)
    except Exception as error:  # its exceptions have no common class
        raise EngineError(f"onnxruntime cannot read {spec.path}: {_short(error)}.") from None
    first = session.get_outputs()[0].name

    def run(feed: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        try:
            return np.asarray(session.run([first], feed)[0])
        except Exception as error:
            raise EngineError(f"onnxruntime cannot run {spec.path}: {_short(error)}.") from None

    return run


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(". ")
