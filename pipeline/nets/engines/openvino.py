"""The engine OpenVINO (extra "openvino"): float32, and bfloat16 where the processor has it."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import EngineError, in_short
from pipeline.ground.homes import at_home, user_cache
from pipeline.nets.content import content
from pipeline.nets.net import Run
from pipeline.nets.prediction import input_shape
from pipeline.nets.spec import NetSpec

with at_home():  # its telemetry looks for one
    import openvino

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def load(spec: NetSpec, precision: str = "float32", cache_dir: Path | None = None, *, on_gpu: bool = False) -> Run:
    """Load a net into OpenVINO: into its CPU plugin with one thread, or onto an Intel GPU.

    Args:
        spec: the net.
        precision: "float32" or "bfloat16".
        cache_dir: where its own form of the net is kept; None: the user's cache.
        on_gpu: use the GPU.

    Raises:
        EngineError: OpenVINO cannot read the file, this processor has no bfloat16, or there is no GPU it can use.
        ModelError: it was changed since it was checked.
    """
    if precision == "bfloat16" and not has_bfloat16():
        raise EngineError("This processor has no bfloat16 arithmetic: use --precision float32.")
    if spec.form != "onnx":
        raise EngineError("OpenVINO cannot read Caffe models; `colorize models import` converts them.")
    core = _core()
    if on_gpu and "GPU" not in {device.partition(".")[0] for device in core.available_devices}:
        raise EngineError("OpenVINO found no GPU it could use.")
    # Left alone, OpenVINO takes bfloat16 (on a GPU float16) by itself: a picture would differ from host to host.
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    if not on_gpu:
        # Pinned, the one thread of every worker would sit on the same core.
        settings |= {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    try:
        compiled = core.compile_model(
            _read(core, spec, precision, cache_dir or user_cache()),
            "GPU" if on_gpu else "CPU",
            settings,
        )
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot read {spec.path}: {in_short(error)}.") from None
    request = compiled.create_infer_request()
    first = compiled.output(0)

    def run(feed: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        try:
            request.infer(dict(feed), share_inputs=True)
            return np.asarray(request.get_tensor(first).data)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot run {spec.path}: {in_short(error)}.") from None

    return run


@cache
def _core() -> openvino.Core:
    """Return the one core of this process.

    A core's CPU plugin gives its thread another stack for signals, and puts the former one back when the core goes. Of
    two that go in the order in which they came, the last puts back one that is there no more: the next Ctrl-C, or
    SIGTERM, would end the process with a segmentation fault.
    """
    return openvino.Core()


def _read(core: openvino.Core, spec: NetSpec, precision: str, cache_dir: Path) -> openvino.Model:
    """Read the net from OpenVINO's own form on disk, written on first use.

    Weights read from there are mapped, not copied, so that all workers share their pages: with a net of the release's
    size 102 MB of a worker's memory are its own instead of 226 (bfloat16). For bfloat16 they are kept as half-precision
    numbers, which have more digits than the arithmetic.
    """
    half = precision == "bfloat16"
    name = f"{spec.sha256[:16]}-{spec.input_size}-{'half' if half else 'float32'}-{openvino.__version__.split('-')[0]}"
    folder = cache_dir / "openvino" / name
    if not (folder / "net.xml").is_file():
        model = core.read_model(io.BytesIO(content(spec)[0]))
        model.reshape({port.name: input_shape(port, spec.input_size) for port in spec.inputs})
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as part:
                whole = Path(part) / "net"
                whole.mkdir()
                openvino.save_model(model, whole / "net.xml", compress_to_fp16=half)
                with contextlib.suppress(OSError):  # another process was faster
                    whole.rename(folder)
        except (OSError, RuntimeError):
            return model  # a cache that cannot be written costs memory, nothing else
    return core.read_model(folder / "net.xml")


def has_bfloat16() -> bool:
    """Tell whether this processor computes in bfloat16 itself (AVX512-BF16 or AMX)."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
