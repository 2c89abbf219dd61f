"""The engine onnxruntime (extra "onnxruntime"): float32 on the processor, or on a GPU where a provider is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pipeline.ground.errors import EngineError, in_short
from pipeline.ground.homes import user_cache
from pipeline.nets.content import content
from pipeline.nets.net import Run
from pipeline.nets.spec import NetSpec

_CPU = "CPUExecutionProvider"


def _gpu_providers(cache_dir: Path) -> list[tuple[str, dict[str, str]]]:
    # In the order in which they are tried; all of them are told to compute in float32. TensorRT builds its engine for
    # minutes, so the workers share what the first one built.
    shared = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(cache_dir / "tensorrt")}
    wished = [
        ("TensorrtExecutionProvider", {"trt_fp16_enable": "0", **shared}),
        ("CUDAExecutionProvider", {"use_tf32": "0"}),
        ("DmlExecutionProvider", {}),
        ("CoreMLExecutionProvider", {}),
    ]
    there = onnxruntime.get_available_providers()
    return [(name, settings) for name, settings in wished if name in there]


def load(spec: NetSpec, precision: str = "float32", cache_dir: Path | None = None, *, on_gpu: bool = False) -> Run:
    """Load a net into onnxruntime with one thread that never spins.

    Args:
        spec: the net.
        precision: float32 is all there is here.
        cache_dir: where TensorRT's engines are kept; None: the user's cache.
        on_gpu: use TensorRT, CUDA, DirectML or CoreML instead of the processor.

    Raises:
        EngineError: onnxruntime cannot read the file, or no GPU can be used.
        ModelError: it was changed since it was checked.
    """
    if spec.form != "onnx":
        raise EngineError("onnxruntime cannot read Caffe models; `colorize models import` converts them.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    gpus = _gpu_providers(cache_dir or user_cache()) if on_gpu else []
    if on_gpu and not gpus:
        raise EngineError(
            "This onnxruntime was built without GPUs; its packages onnxruntime-gpu and -directml have them."
        )
    (model,) = content(spec)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[*gpus, (_CPU, {})])
    except Exception as error:  # its exceptions have no common class
        raise EngineError(f"onnxruntime cannot read {spec.path}: {in_short(error)}.") from None
    if on_gpu and session.get_providers()[0] == _CPU:  # it falls back without a word
        raise EngineError("onnxruntime found no GPU it could use.")
    first = session.get_outputs()[0].name

    def run(feed: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        try:
            return np.asarray(session.run([first], feed)[0])
        except Exception as error:
            raise EngineError(f"onnxruntime cannot run {spec.path}: {in_short(error)}.") from None

    return run
