"""Compare decodings on the held-out split: `python -m models.training.choose CHECKPOINT DATA`.

What `export` can be told is chosen here, never on the pictures that the model card measures. The held-out pictures are
128 pixels wide and are measured at `--size`. Temperature, logit adjustment and saturation all set colourfulness:
compare rows that are alike in it.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.training import dataset
from models.training.bins import CENTRES, read_centres
from models.training.evaluate import Picture, exported, measure
from models.training.export import Decoding, averaged_net, export

CANDIDATES: dict[str, list[Any]] = {
    "temperature": [0.4, 0.5, 0.65],
    "logit_adjustment": [0.0, 0.15, 0.3],
    "blur": [0.6],
    "soften": [True],
}
FIGURES = ("psnr", "ciede2000", "colourfulness", "auc", "rebalanced_auc", "shift", "blur", "flat_gradient")


def held_out_pictures(folder: Path, limit: int) -> list[tuple[str, Picture]]:
    """The first `limit` held-out pictures put together again: BGR uint8 (128, 128, 3)."""
    photographs = dataset.load(folder)
    pictures = []
    for index in photographs.held_out[:limit]:
        lightness = photographs.lightness[index].astype(np.float32) / 2.55
        chroma = photographs.chroma[index].astype(np.float32).transpose(1, 2, 0)
        lab = np.dstack([lightness, cv2.resize(chroma, lightness.shape, interpolation=cv2.INTER_LINEAR)])
        bgr = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) * 255 + 0.5, 0, 255).astype(np.uint8)
        pictures.append((str(index), bgr))
    return pictures


def main() -> None:
    """Parse the command line, print one row for each decoding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path, help="folder written by models.training.prepare")
    parser.add_argument("--bins", type=Path, default=CENTRES, help="pts_in_hull.npy, 313x2")
    for name, values in CANDIDATES.items():
        kind = float if isinstance(values[0], float) else lambda text: text == "yes"
        parser.add_argument("--" + name.replace("_", "-"), type=kind, nargs="+", default=values)
    parser.add_argument("--saturation", type=float, nargs="+", default=[0.9, 1.0, 1.1])
    parser.add_argument("--size", type=int, default=160, help="side of the square the net is given")
    parser.add_argument("--limit", type=int, default=300)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = held_out_pictures(arguments.data, arguments.limit)
    centres = read_centres(arguments.bins)
    print(",".join((*CANDIDATES, "saturation", *FIGURES)), flush=True)
    for chosen in itertools.product(*(getattr(arguments, name) for name in CANDIDATES)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "candidate.onnx"
            decoding = Decoding(**dict(zip(CANDIDATES, chosen, strict=True)))
            export(averaged_net(arguments.checkpoint, centres), path, decoding)
            result = measure(exported(path, arguments.size), pictures, arguments.saturation)
        for saturation, row in result.saturations.items():
            cells = ",".join(f"{row[name].value:.2f}" for name in FIGURES)
            print(",".join(map(str, chosen)), saturation, cells, sep=",", flush=True)


if __name__ == "__main__":
    main()
