"""Made-up scans to measure with: grey JPEG files with smooth areas, edges and grain."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.nets.engines.samples import sample_lightness

_QUALITY = 92
_GRAIN = 4.0  # standard deviation in levels, about that of a scanned negative
_TILE = 1024
_STRIP = 512


def sides(megapixels: float) -> tuple[int, int]:
    """Return width and height of a picture of so many million pixels, in the shape of a 4 x 3 print."""
    height = max(1, round((megapixels * 1e6 * 3 / 4) ** 0.5))
    return max(1, round(height * 4 / 3)), height


def write_pictures(folder: Path, megapixels: float, count: int) -> list[Path]:
    """Write `count` different grey JPEG files (quality 92) of one size into `folder`; always the same ones."""
    width, height = sides(megapixels)
    paths = []
    for number, lightness in enumerate(sample_lightness(512, count)):
        levels = (lightness * np.float32(2.55)).astype(np.uint8)
        picture: NDArray[np.uint8] = cv2.resize(levels, (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
        add_grain(picture, np.random.default_rng(number))
        path = folder / f"{megapixels:g}mp-{number}.jpg"
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        path.write_bytes(data.tobytes())
        paths.append(path)
    return paths


def add_grain(picture: NDArray[np.uint8], random: np.random.Generator) -> None:
    """Add the grain of film to a grey picture (H, W), in place."""
    # One tile of noise serves the whole picture: an encoder does not remember what it saw above.
    tile = np.rint(random.normal(0, _GRAIN, (_STRIP, _TILE))).astype(np.int16)
    across = -(-picture.shape[1] // _TILE)
    wide = np.tile(tile, (1, across))[:, : picture.shape[1]]
    for top in range(0, picture.shape[0], _STRIP):
        strip = picture[top : top + _STRIP]
        strip[:] = np.clip(strip + wide[: strip.shape[0]], 0, 255)
