"""From a `NetSpec` to a net that predicts."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from pipeline.nets.net import LoadedNet, Net
from pipeline.nets.spec import NetSpec

ENGINES = ("opencv", "onnxruntime", "openvino")


def open_net(spec: NetSpec, engine: str = "auto", precision: str = "auto", *, cache_dir: Path | None = None) -> Net:
    """Load a net into an engine with one thread, and let it predict once.

    Args:
        spec: from `pipeline.nets.registry.resolve`.
        engine: "opencv", "onnxruntime", "openvino", or "auto": see `pipeline.nets.parity.choose_engine`.
        precision: "float32", "bfloat16", or "auto".
        cache_dir: where engines and checks keep what they found; None: the user's cache.

    Raises:
        EngineError: the engine is not installed, or cannot run this net.
        ModelError: the net's output is not what its entry says.
    """
    from pipeline.nets.parity import choose_engine  # its trials open nets, so it needs this module

    chosen = choose_engine(spec, engine, precision, cache_dir)
    module = importlib.import_module(f"pipeline.nets.{chosen.engine}_engine")
    run = module.load(spec, chosen.precision, cache_dir)
    net = LoadedNet(spec, chosen.engine, chosen.precision, run)
    # The first forward pass lays out memory and meets whatever the engine cannot run: better here than in a picture.
    net.predict(np.full((spec.input_size, spec.input_size), 50, np.float32))
    return net
