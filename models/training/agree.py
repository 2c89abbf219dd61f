"""Do the engines agree on a net? `python -m models.training.agree NET`: onnxruntime against the installed cv2."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

TOLERANCE = 5e-4


def largest_difference(path: Path, sides: tuple[int, ...] = (96, 160, 224)) -> float:
    """Largest difference of ab between onnxruntime and cv2.dnn on smooth noise, Lab units; RuntimeError above 5e-4."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for side in sides:
        noise = rng.standard_normal((side, side)).astype(np.float32)
        lightness = np.clip(cv2.GaussianBlur(noise, (0, 0), 6) * 250, -50, 50)[None, None].astype(np.float32)
        net = cv2.dnn.readNetFromONNX(str(path))
        net.setInput(lightness)
        worst = max(worst, float(np.abs(net.forward() - session.run(None, {"L": lightness})[0]).max()))
    if not worst <= TOLERANCE:
        raise RuntimeError(f"cv2 {cv2.__version__} and onnxruntime differ by {worst:.1e} Lab units on {path}")
    return worst


def main() -> None:
    """Parse the command line, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("net", type=Path)
    print(f"cv2 {cv2.__version__}: {largest_difference(parser.parse_args().net):.1e}")


if __name__ == "__main__":
    main()
