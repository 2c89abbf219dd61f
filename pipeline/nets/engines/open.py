"""From a `NetSpec` to a net that predicts."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from pipeline.nets.engine import Engine
from pipeline.nets.engines.catalogue import library, require
from pipeline.nets.net import LoadedNet
from pipeline.nets.spec import NetSpec


def open_net(spec: NetSpec, engine: Engine, *, cache_dir: Path | None = None) -> LoadedNet:
    """Load a net into an engine with one thread, and let it predict once.

    Args:
        spec: from `pipeline.nets.resolve.resolve`.
        engine: of the `catalogue`; `choice.choose_engine` finds the best one.
        cache_dir: where engines and checks keep what they found; None: the user's cache.

    Raises:
        EngineError: the engine is not installed, or cannot run this net.
        ModelError: the net's output is not what its entry says.
    """
    require(engine.name, engine.precision)
    module = importlib.import_module(f"pipeline.nets.engines.{library(engine.name)}")
    run = module.load(spec, engine.precision, cache_dir, on_gpu=engine.name != library(engine.name))
    net = LoadedNet(spec, engine, run)
    # The first forward pass lays out memory and meets whatever the engine cannot run: better here than in a picture.
    net.predict(np.full((spec.input_size, spec.input_size), 50, np.float32))
    return net
