"""Which engines there are, what each computes in, and whether it is installed; none is imported here."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from pipeline.ground.errors import EngineError

# The engine that is always there comes first; so does the precision that all others are held to. What runs on a GPU is
# an engine of its own: it answers a little differently, and the manifest is to say so.
PRECISIONS = {
    "opencv": ("float32",),
    "onnxruntime": ("float32",),
    "openvino": ("float32", "bfloat16"),
    "onnxruntime-gpu": ("float32",),
    "openvino-gpu": ("float32",),
}
ENGINES = tuple(PRECISIONS)

# The module to import, and the packages that may bring it.
PACKAGES = {
    "opencv": (
        "cv2",
        ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
    ),
    "onnxruntime": ("onnxruntime", ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")),
    "openvino": ("openvino", ("openvino",)),
}


def library(engine: str) -> str:
    """Return the library that an engine runs in: "openvino" for "openvino-gpu"."""
    return engine.removesuffix("-gpu")


def installed(engine: str) -> bool:
    """Tell whether the engine's package is there, without importing it; whether it finds a GPU is seen when it runs."""
    return importlib.util.find_spec(PACKAGES[library(engine)][0]) is not None


def package_version(engine: str) -> str:
    """Return the version of the engine's package; empty where it is not installed."""
    for name in PACKAGES[library(engine)][1]:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def remedy(engine: str) -> str:
    """Say how to install an engine."""
    return f"`pip install 'colorize-archive[{library(engine)}]'` brings it"


def require(engine: str, precision: str) -> None:
    """Check that an engine and a precision that are asked for can be had; either may be "auto".

    Raises:
        EngineError: there is no such engine, it is not installed (the extra is named), or computes in other precisions.
    """
    if engine != "auto":
        if engine not in ENGINES:
            raise EngineError(f'There is no engine "{engine}"; there are {", ".join(ENGINES)}.')
        if not installed(engine):
            raise EngineError(f"The engine {engine} is not installed: {remedy(engine)}.")
    known = {each for name in ENGINES if engine in ("auto", name) for each in PRECISIONS[name]}
    if precision not in {"auto", *known}:
        who = "Engines here compute" if engine == "auto" else f"The engine {engine} computes"
        choice = " or ".join(sorted(known, reverse=True))
        raise EngineError(f"{who} in {choice}, not in {precision}: choose another --precision.")
