"""Measure an exported net: `python -m models.training.evaluate NET FOLDER`, FOLDER holding colour photographs.

The figures are those of `colorize evaluate` (`pipeline.measure`), without the need to register the net first.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from pipeline.measure.card import card_lines
from pipeline.measure.evaluation import Measured, Result, measure_picture, points_table, summarise
from pipeline.nets.engine import Engine
from pipeline.nets.net import Net
from pipeline.nets.store.identify import resolve_file

Floats = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Spec:
    """The few things measuring asks of a net's registry entry."""

    name: str
    input_size: int
    sha256: str = ""


@dataclass(frozen=True)
class Candidate:
    """A net that is not in the registry: `answer` maps lightness (S, S), 0..100, to ab (h, w, 2) in Lab units."""

    spec: Spec
    answer: Callable[[Floats], Floats]
    engine: Engine

    def predict(self, lightness: Floats) -> Floats:
        """Lightness (S, S) -> ab (h, w, 2)."""
        return self.answer(lightness)


def exported(path: Path, size: int, threads: int = 1) -> Candidate:
    """An exported net in onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def answer(lightness: Floats) -> Floats:
        ab = session.run(None, {"L": (lightness - 50)[None, None].astype(np.float32)})[0]
        return np.ascontiguousarray(ab[0, :2].transpose(1, 2, 0))

    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Candidate(Spec(path.stem, size, sha256), answer, Engine("onnxruntime", "float32"))


def pictures_in(folder: Path, limit: int | None = None) -> Iterable[tuple[str, Picture]]:
    """Name and BGR uint8 pixels of a folder's pictures, or of `limit` spread evenly over it."""
    paths = sorted(folder.iterdir())
    if limit is not None and limit < len(paths):
        paths = [paths[place * len(paths) // limit] for place in range(limit)]
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            yield path.name, picture.astype(np.uint8)


def measure(candidate: Candidate, pictures: Iterable[tuple[str, Picture]], saturations: Sequence[float]) -> Result:
    """All figures of the card at each saturation."""
    net, table = cast(Net, candidate), points_table()
    measured: list[Measured] = [measure_picture(name, each, net, saturations, table) for name, each in pictures]
    return summarise(net, measured, saturations)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, help="side of the square it is fed, if not what the file says")
    parser.add_argument("--saturation", type=float, nargs="+", default=[0.5, 0.6, 0.7, 0.8, 1.0, 1.2])
    parser.add_argument("--limit", type=int, help="only so many pictures, spread evenly")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = list(pictures_in(arguments.folder, arguments.limit))
    size = arguments.size or resolve_file(arguments.net, name=arguments.net.stem).input_size
    candidate = exported(arguments.net, size, arguments.threads)
    for line in card_lines([measure(candidate, pictures, arguments.saturation)], len(pictures)):
        print(line)


if __name__ == "__main__":
    main()
