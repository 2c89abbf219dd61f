"""The tutorial's loop, as it is written there: read, colorize with `cv2.dnn`, write, one picture after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.process import Work
from pipeline.colour.reference import colorize_reference


def film_loop(net_path: Path, size: int, threads: int) -> Work:
    """Prepare the tutorial's second script: `VideoCapture`, each frame through the net, `VideoWriter`.

    Args:
        net_path, size, threads: as for `loop`.

    Returns:
        Takes (source, output, frames), gives seconds a frame.
    """
    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(str(net_path))

    def predict(lightness: Any) -> Any:
        net.setInput(np.ascontiguousarray(lightness)[np.newaxis, np.newaxis])
        return np.asarray(net.forward())[0, :2]  # a net may tell more than ab

    def answer(question: tuple[Path, Path, int]) -> float:
        source, output, frames = question
        film = cv2.VideoCapture(str(source))
        sides = (int(film.get(cv2.CAP_PROP_FRAME_WIDTH)), int(film.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        writer = cv2.VideoWriter(str(output), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, sides)
        began, done = time.perf_counter(), 0
        while done < frames:
            there, frame = film.read()
            if not there:
                break
            writer.write(colorize_reference(frame, predict, size))  # type: ignore[arg-type]
            done += 1
        writer.release()
        return (time.perf_counter() - began) / max(done, 1)

    return answer


def loop(net_path: Path, size: int, threads: int) -> Work:
    """Prepare the loop, in a process of its own.

    Args:
        net_path: an ONNX file that takes lightness minus 50 and gives ab, as the release's does.
        size: side of its square input, in pixels.
        threads: that OpenCV may use.

    Returns:
        Takes (source, output) pairs, gives the seconds of each.
    """
    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(str(net_path))

    def predict(lightness: Any) -> Any:
        net.setInput(np.ascontiguousarray(lightness)[np.newaxis, np.newaxis])
        return np.asarray(net.forward())[0, :2]  # a net may tell more than ab

    def colorize(source: Path, output: Path) -> float:
        began = time.perf_counter()
        picture = cv2.imread(str(source))
        cv2.imwrite(str(output), colorize_reference(picture, predict, size))  # type: ignore[arg-type]
        return time.perf_counter() - began

    def answer(pairs: Sequence[tuple[Path, Path]]) -> list[float]:
        return [colorize(*pair) for pair in pairs]

    return answer
