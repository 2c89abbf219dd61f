"""Fit the verdict "is it in colour?": `python -m models.training.verdict PHOTOS... --out pipeline/colour/verdict.json`.

Each photograph is taken as it is and after what colour pictures suffer (label 1), and as black-and-white prints of some
of the ten kinds of `old_prints` (label 0); `pipeline.colour.features` measures them all; a net of one hidden layer is
fitted to the measures by Adam (Kingma, Ba 2015) on the cross-entropy. One photograph in five, by a hash of its name, is
held out with all that was made of it: the curve of misses against false alarms is drawn from those.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from models.training.old_prints import COLOUR_KINDS, KINDS, filed, grey_of
from models.training.prepare import photographs, reason_to_drop, split_lab, square
from pipeline.colour.features import measured, small

NAMES: Final = (*KINDS, *COLOUR_KINDS)
_PRINTS: Final = 4  # made of each photograph
_SIDES: Final = (180, 400)
_DECAY: Final = 0.02

Floats = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured: features (N, F), kinds (N,) as indices into `NAMES`, held out (N,)."""

    features: Floats
    kinds: npt.NDArray[np.int64]
    held: npt.NDArray[np.bool_]

    @property
    def in_colour(self) -> npt.NDArray[np.bool_]:
        """The truth."""
        return self.kinds >= len(KINDS)


def _drawn(picture: Bytes, name: str) -> Iterator[tuple[str, Bytes]]:
    """Yield (kind, picture) of what is made of one photograph; always the same for the same name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if reason_to_drop(*split_lab(square(picture))) is not None:
        return
    yield "colour", picture
    side = int(rng.integers(*_SIDES))
    size = side, round(side * picture.shape[0] / picture.shape[1])
    large = np.clip(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255, 0, 1)
    for kind in rng.choice(list(COLOUR_KINDS)[1:], 1):
        made = filed(rng, COLOUR_KINDS[kind](rng, large))
        if reason_to_drop(*split_lab(square(made))) not in ("monochrome", "toned"):
            yield kind, made
    for kind in rng.choice(list(KINDS), _PRINTS, replace=False):
        yield kind, filed(rng, KINDS[kind](rng, grey_of(large, rng)))


def decoded(data: bytes) -> Bytes:
    """Decode an encoded picture: uint8 BGR (H, W, 3)."""
    picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return picture.astype(np.uint8)


def _measure(source: tuple[Path, int]) -> list[tuple[Floats, int, bool]]:
    path, every = source
    cv2.setNumThreads(1)
    found = []
    for number, (name, data) in enumerate(photographs(path)):
        if number % every:
            continue
        picture = decoded(data)
        held = zlib.crc32(name.encode()) % 5 == 0
        found += [(measured(small(made)), NAMES.index(kind), held) for kind, made in _drawn(picture, name)]
    return found


def measure(sources: list[Path], every: int, jobs: int) -> Measures:
    """Make and measure pictures of one photograph in `every`."""
    with multiprocessing.Pool(jobs) as pool:
        parts = pool.map(_measure, [(path, every) for path in sources], chunksize=1)
    rows = [row for part in parts for row in part]
    features, kinds, held = zip(*rows, strict=True)
    return Measures(np.stack(features), np.array(kinds), np.array(held))


class Layers:
    """One hidden layer of tanh over standardized features; its weights, and their Adam."""

    def __init__(self, features: Floats, hidden: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.mean, self.scale = features.mean(axis=0), features.std(axis=0) + 1e-3
        inputs = features.shape[1]
        self.weights: list[Floats] = [
            (rng.normal(0, inputs**-0.5, (inputs, hidden))).astype(np.float32),
            np.zeros(hidden, np.float32),
            rng.normal(0, hidden**-0.5, hidden).astype(np.float32),
            np.zeros(1, np.float32),
        ]
        self._moments = [(np.zeros_like(each), np.zeros_like(each)) for each in self.weights]
        self._steps = 0

    def standardized(self, features: Floats) -> Floats:
        """Return features as the layers take them."""
        return np.clip((features - self.mean) / self.scale, -4, 4)

    def logits(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Return the hidden layer (N, hidden) and the logits (N,) of standardized features."""
        first, bias, second, last = self.weights
        hidden = np.tanh(inputs @ first + bias)
        return hidden, hidden @ second + last

    def step(self, inputs: Floats, truth: Floats, weight: Floats, rate: float) -> None:
        """Take one step down the weighted cross-entropy."""
        hidden, logits = self.logits(inputs)
        error = weight * (1 / (1 + np.exp(-logits)) - truth) / len(truth)
        back = error[:, np.newaxis] * self.weights[2] * (1 - hidden**2)
        slopes = [inputs.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(keepdims=True)]
        self._steps += 1
        for weights, slope, (first, second) in zip(self.weights, slopes, self._moments, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            ahead = first / (1 - 0.9**self._steps)
            spread = np.sqrt(second / (1 - 0.999**self._steps)) + 1e-8
            weights -= rate * (ahead / spread + _DECAY * weights * (weights.ndim > 1))


def fit(measures: Measures, hidden: int, epochs: int, seed: int = 1) -> Layers:
    """Fit to what is not held out; each kind weighs as much as its share of its label asks for."""
    taken = ~measures.held
    layers = Layers(measures.features[taken], hidden, seed)
    inputs, truth = layers.standardized(measures.features[taken]), measures.in_colour[taken].astype(np.float32)
    weight = _weights(measures.kinds[taken])
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        rate = 3e-3 * (0.5 + 0.5 * np.cos(np.pi * epoch / epochs)) + 1e-5
        order = rng.permutation(len(truth))
        for start in range(0, len(order), 256):
            some = order[start : start + 256]
            layers.step(inputs[some], truth[some], weight[some], rate)
    return layers


def _weights(kinds: npt.NDArray[np.int64]) -> Floats:
    """Plain colour photographs weigh half of all colour; of the rest each kind the same."""
    shares = np.full(len(NAMES), 0.5 / len(KINDS))
    shares[len(KINDS) :] = 0.25 / (len(COLOUR_KINDS) - 1)
    shares[NAMES.index("colour")] = 0.25
    return (shares / np.maximum(np.bincount(kinds, minlength=len(NAMES)), 1) * len(kinds))[kinds].astype(np.float32)


def scores(layers: Layers, features: Floats) -> Floats:
    """Return the logits (N,) of features (N, F)."""
    return layers.logits(layers.standardized(features))[1]


def curve(layers: Layers, measures: Measures) -> None:
    """Print misses against false alarms on what was held out, by threshold and by kind."""
    held, kinds = measures.held, measures.kinds[measures.held]
    found = scores(layers, measures.features[held])
    print("threshold  worst kind  " + "  ".join(f"{name[:15]:>8}" for name in NAMES))
    for threshold in np.arange(-4, 4.5, 0.5):
        wrong = [_wrong(found[kinds == number], number, threshold) for number in range(len(NAMES))]
        print(f"{threshold:9.1f}  {max(wrong[: len(KINDS)]):9.2f}%  " + "  ".join(f"{each:7.2f}%" for each in wrong))


def _wrong(found: Floats, kind: int, threshold: float) -> float:
    wrong = found < threshold if kind >= len(KINDS) else found >= threshold
    return 100 * float(wrong.mean()) if len(found) else 0.0


def table(layers: Layers, threshold: float, doubt: float) -> dict[str, Any]:
    """Return the weights as they are written: a threshold on the logit, and how near to it is doubtful."""
    first, bias, second, last = layers.weights

    def rounded(values: Floats) -> Any:
        return np.array([float(f"{each:.4g}") for each in values.ravel()]).reshape(values.shape).tolist()

    return {
        "mean": rounded(layers.mean),
        "scale": rounded(layers.scale),
        "hidden": rounded(first),
        "bias": rounded(bias),
        "output": rounded(second),
        "threshold": round(threshold - float(last[0]), 4),
        "doubt": doubt,
    }


def main() -> None:
    """Parse the command line, measure, fit, draw the curve, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="+", type=Path, help="folders or zips of colour photographs")
    parser.add_argument("--out", required=True, type=Path, help="the table")
    parser.add_argument("--measures", type=Path, help="NPZ file of measures: written, or read where it is there")
    parser.add_argument("--every", type=int, default=8, help="take one photograph in so many")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=160)
    parser.add_argument("--threshold", type=float, default=3.0, help="on the logit, from the curve")
    parser.add_argument("--doubt", type=float, default=1.5, help="logits from the threshold that are doubtful")
    arguments = parser.parse_args()
    measures = _measures(arguments)
    layers = fit(measures, arguments.hidden, arguments.epochs)
    curve(layers, measures)
    text = json.dumps(table(layers, arguments.threshold, arguments.doubt), separators=(",", ":"))
    arguments.out.write_text(text.replace("],", "],\n") + "\n", encoding="utf-8")


def _measures(arguments: argparse.Namespace) -> Measures:
    cache = arguments.measures
    if cache is not None and cache.exists():
        with np.load(cache) as file:
            return Measures(file["features"], file["kinds"], file["held"])
    measures = measure(arguments.input, arguments.every, arguments.jobs)
    if cache is not None:
        np.savez_compressed(cache, features=measures.features, kinds=measures.kinds, held=measures.held)
    return measures


if __name__ == "__main__":
    main()
