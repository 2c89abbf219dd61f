"""Measure an exported net on a folder of colour photographs: `python -m models.training.evaluate NET FOLDER --bins FILE`.

Every picture is area-resized to the net's input size, its lightness coloured, and compared with the truth as the model
card describes. Prints one row a saturation, then calm and the chroma gradient where lightness is flat.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from models.training import figures
from models.training.figures import Floats

Predict = Callable[[Floats], Floats]


def predictor(path: Path, threads: int = 1) -> Predict:
    """A function from lightness (S, S) 0..100 to ab (2, S/4, S/4), run by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda lightness: session.run(None, {"L": (lightness - 50)[None, None].astype(np.float32)})[0][0]


def enlarge(ab: Floats, side: int) -> Floats:
    """ab (2, s, s) -> (2, side, side), bilinear."""
    return np.stack([cv2.resize(channel, (side, side), interpolation=cv2.INTER_LINEAR) for channel in ab])


def read_folder(folder: Path, side: int, limit: int | None = None) -> list[tuple[Floats, Floats]]:
    """All pictures of a folder area-resized to (side, side): lightness and true ab."""
    pictures = []
    for path in sorted(folder.iterdir())[:limit]:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
            pictures.append(figures.to_lab(small.astype(np.uint8)))
    return pictures


def shifted_change(predict: Predict, lightness: Floats) -> float:
    """Calm: mean change of ab (distance, Lab units) when the picture moves one pixel right."""
    side = lightness.shape[0]
    moved = np.concatenate([lightness[:, :1], lightness[:, :-1]], 1)
    before, after = enlarge(predict(lightness), side), enlarge(predict(moved), side)
    return float(np.hypot(*(after[:, :, 1:] - before[:, :, :-1])).mean())


def blurred_change(predict: Predict, lightness: Floats) -> float:
    """Calm: mean change of ab (distance, Lab units) when the picture is blurred by sigma 0.7."""
    blurred = cv2.GaussianBlur(lightness, (0, 0), 0.7)
    return float(np.hypot(*(predict(blurred.astype(np.float32)) - predict(lightness))).mean())


def measure(
    predict: Predict, pictures: Sequence[tuple[Floats, Floats]], centres: Floats, saturations: Sequence[float]
) -> dict[str, object]:
    """All figures of the card. `pictures` holds lightness (S, S) and true ab (2, S, S); centres (313, 2)."""
    side = pictures[0][0].shape[0]
    truths = [figures.to_bgr8(lightness, ab) for lightness, ab in pictures]
    truths_small = np.stack([figures.at_auc_size(ab) for _, ab in pictures])
    weights = figures.rarity(truths_small, centres)
    guesses = [enlarge(predict(lightness), side) for lightness, _ in pictures]

    def row(saturation: float) -> dict[str, float]:
        psnr, delta, colour, true_colour, distances = [], [], [], [], []
        for (lightness, ab), truth, small, guess in zip(pictures, truths, truths_small, guesses, strict=True):
            scaled = guess * saturation
            coloured = figures.to_bgr8(lightness, scaled)
            psnr.append(figures.psnr(coloured, truth))
            delta.append(_delta(coloured, truth))
            colour.append(figures.colourfulness(coloured))
            true_colour.append(figures.colourfulness(truth))
            distances.append(np.hypot(*(figures.at_auc_size(scaled) - small)))
        distance = np.stack(distances)
        return {
            "psnr": float(np.mean(psnr)),
            "ciede2000": float(np.mean(delta)),
            "colourfulness": 100 * float(np.mean(colour) / np.mean(true_colour)),
            "auc": figures.shares_within(distance),
            "rebalanced_auc": figures.shares_within(distance, weights),
        }

    grey = row(0.0)
    rows = {}
    for saturation in saturations:
        mine = row(saturation)
        rows[f"{saturation:g}"] = {k: v if k == "colourfulness" else v - grey[k] for k, v in mine.items()}
    calm = pictures[:: max(1, len(pictures) // 120)]
    flat = [
        (figures.chroma_gradient_where_flat(lightness, guess), figures.chroma_gradient_where_flat(lightness, ab))
        for (lightness, ab), guess in zip(pictures, guesses, strict=True)
    ]
    gradients = np.nanmean(np.array(flat), 0)
    return {
        "grey": grey,
        "against grey": rows,
        "shift": float(np.mean([shifted_change(predict, lightness) for lightness, _ in calm])),
        "blur": float(np.mean([blurred_change(predict, lightness) for lightness, _ in calm])),
        "flat gradient of the truth's": float(gradients[0] / gradients[1]),
    }


def _delta(guess: figures.Bytes, truth: figures.Bytes) -> float:
    """Mean CIEDE2000 of two 8-bit pictures."""
    lightness, ab = figures.to_lab(guess)
    true_lightness, true_ab = figures.to_lab(truth)
    return figures.ciede2000(lightness, ab, true_ab, true_lightness)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bins", type=Path, required=True, help="pts_in_hull.npy, 313x2")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--saturation", type=float, nargs="+", default=[0.5, 0.7, 0.8, 1.0, 1.2])
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = read_folder(arguments.folder, arguments.size, arguments.limit)
    centres = np.load(arguments.bins).astype(np.float32)
    result = measure(predictor(arguments.net, arguments.threads), pictures, centres, arguments.saturation)
    print(json.dumps(result) if arguments.json else report(result))


def report(result: dict[str, object]) -> str:
    """The result of `measure` as a small table."""
    lines = [f"{'saturation':>10} {'PSNR':>7} {'CIEDE':>7} {'colour':>7} {'AuC':>6} {'rebal':>6}"]
    rows = {"grey": result["grey"], **dict(result["against grey"])}  # type: ignore[call-overload]
    for name, row in rows.items():
        numbers = f"{row['psnr']:7.2f} {row['ciede2000']:7.2f} {row['colourfulness']:6.0f}%"
        lines.append(f"{name:>10} {numbers} {row['auc']:6.2f} {row['rebalanced_auc']:6.2f}")
    names = ("shift", "blur", "flat gradient of the truth's")
    return "\n".join([*lines, ", ".join(f"{name} {result[name]:.2f}" for name in names)])


if __name__ == "__main__":
    main()
