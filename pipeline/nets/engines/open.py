"""From a `NetSpec` to a net that predicts."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import EngineError, out_of_memory
from pipeline.ground.memory import bounded
from pipeline.nets.engine import Engine
from pipeline.nets.engines.catalogue import library, require
from pipeline.nets.net import LoadedNet, Run
from pipeline.nets.spec import NetSpec

# Bytes that a net may take beside what it holds (`NetSpec.held`). The nets that colour take a tenth; but a file of a
# kilobyte can ask for any size of picture inside, and neither its shapes nor an engine say so before they are computed.
_MOST: Final = 4 << 30


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
    on_gpu = engine.name != library(engine.name)
    most = _MOST + spec.held
    try:
        if on_gpu:  # its driver lays out more addresses than there is memory
            net = LoadedNet(spec, engine, module.load(spec, engine.precision, cache_dir, on_gpu=True))
        else:
            with bounded(most):
                run = module.load(spec, engine.precision, cache_dir, on_gpu=False)
            net = LoadedNet(spec, engine, _within(most, run))
        # The first forward pass lays out memory and meets whatever the engine cannot run: better here.
        net.predict(np.full((spec.input_size, spec.input_size), 50, np.float32))
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise EngineError(
            f"The engine {engine} cannot run {spec.name}: it asks for more memory than there is, or than the "
            f"{most >> 20:,} MB that a net of its size may take."
        ) from None
    return net


def _within(most: int, run: Run) -> Run:
    """Return the same with a bound: what a net asks for may depend on what it is fed."""

    def bound(feed: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        with bounded(most):
            return run(feed)

    return bound
