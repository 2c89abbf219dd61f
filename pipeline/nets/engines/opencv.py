"""The engine that is always there: OpenCV's dnn module, 4.10 and later and 5.x, float32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import EngineError, ModelError, in_short
from pipeline.nets.content import content
from pipeline.nets.net import Run
from pipeline.nets.points import read_points
from pipeline.nets.spec import NetSpec


def load(spec: NetSpec, precision: str = "float32", cache_dir: Path | None = None, *, on_gpu: bool = False) -> Run:
    """Load a net into cv2.dnn; this process' OpenCV has one thread from then on.

    Args:
        spec: the net.
        precision: float32 is all there is.
        cache_dir: not needed.
        on_gpu: OpenCV's wheels have no GPU.

    Raises:
        EngineError: OpenCV cannot read the file.
        ModelError: it was changed since it was checked.
    """
    cv2.setNumThreads(1)
    try:
        net = _read_caffe(spec) if spec.form == "caffe" else _read_onnx(spec)
    except cv2.error as error:
        raise EngineError(f"OpenCV {cv2.__version__} cannot read {spec.path}: {in_short(error)}.") from None

    def run(feed: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        try:
            for name, values in feed.items():
                net.setInput(values.astype(np.float32, copy=False), name)  # it converts inside
            return np.asarray(net.forward())
        except cv2.error as error:
            raise EngineError(f"OpenCV {cv2.__version__} cannot run {spec.path}: {in_short(error)}.") from None

    return run


def reads_caffe() -> bool:
    """Tell whether this OpenCV has a Caffe importer (4.x has, 5.x has not)."""
    return hasattr(cv2.dnn, "readNetFromCaffe")


def _read_onnx(spec: NetSpec) -> Any:
    return cv2.dnn.readNetFromONNX(np.frombuffer(content(spec)[0], np.uint8))


def _read_caffe(spec: NetSpec) -> Any:
    """Read the tutorial's model and fill in the two layers that its caffemodel leaves empty."""
    if spec.prototxt is None or spec.points is None or not reads_caffe():
        raise EngineError(f"OpenCV {cv2.__version__} cannot read Caffe models; `colorize models import` converts them.")
    weights, prototxt, centres = content(spec)
    points = read_points(spec.points, centres)
    read: Any = getattr(cv2.dnn, "readNetFromCaffe")  # noqa: B009  (gone from OpenCV 5 and its type stubs)
    net = read(prototxt, weights)
    blobs = {
        "class8_ab": points.reshape(2, -1, 1, 1),
        "conv8_313_rh": np.full((1, points.shape[1]), 2.606, np.float32),
    }
    for layer, blob in blobs.items():
        number = net.getLayerId(layer)
        if number < 0:
            raise ModelError(f"{spec.prototxt} has no layer {layer}: it is not the colorization net of Zhang 2016.")
        net.getLayer(number).blobs = [blob]
    return net
