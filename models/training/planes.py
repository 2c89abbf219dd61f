"""How far colour spreads on surfaces that are plain: `python -m models.training.planes FOLDER [--model FILE]`.

FOLDER holds the old photographs that `planes.json` names. It says, for each of them, where by eye one colour would do:
polygons in shares of the upright picture's width and height, drawn by hand over the grey picture.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.colour.lightness import net_lightness
from pipeline.colour.palette import PALETTES, with_palette
from pipeline.ground.pixels import eight_bits
from pipeline.measure.figures import Floats, enlarge
from pipeline.media.photo.read import read
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.resolve import resolve

REGIONS = Path(__file__).with_name("planes.json")
Regions = dict[str, dict[str, list[tuple[float, float]]]]


def regions() -> Regions:
    """File name -> what it is -> its corners, x and y in 0..1."""
    found: Regions = json.loads(REGIONS.read_text(encoding="utf-8"))
    return found


def inside(corners: list[tuple[float, float]], side: int) -> npt.NDArray[np.bool_]:
    """Which pixels of a picture that was squeezed to (side, side) lie in a polygon."""
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.rint(np.array(corners) * side).astype(np.int32)], (1,))
    return mask.astype(bool)


def spread(ab: Floats, mask: npt.NDArray[np.bool_]) -> float:
    """Root mean square distance of ab (S, S, 2) from its mean within a mask, Lab units."""
    return float(np.sqrt(ab[mask].var(axis=0).sum()))


def main() -> None:
    """Parse the command line, print a line for each region and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="embedded")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    net = open_net(resolve(arguments.model), Engine("opencv", "float32"))
    side = net.spec.input_size
    print(f"{'':60}", *(f"{name:>10}" for name in PALETTES))
    rows = []
    for picture, drawn in regions().items():
        lightness = net_lightness(eight_bits(read(arguments.folder / picture, max_megapixels=100).pixels), side)
        answers = [enlarge(with_palette(net, name).predict(lightness), side) for name in PALETTES]
        for what, corners in drawn.items():
            mask = inside(corners, side)
            rows.append([spread(ab, mask) for ab in answers])
            print(f"{Path(picture).stem[:40] + ', ' + what:60}", *(f"{value:10.2f}" for value in rows[-1]))
    print(f"{'mean':60}", *(f"{value:10.2f}" for value in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
