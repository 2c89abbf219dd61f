"""One small source for each reader that there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image

from tests.conftest import landscape, write_tiff

_EXIF: Final = 0x010E  # ImageDescription


def _pillow(path: Path, **options: object) -> None:
    exif = Image.Exif()
    exif[_EXIF] = "a landscape"
    Image.fromarray(landscape(3)).save(path, exif=exif, **options)


def _opencv(path: Path, *options: int) -> None:
    cv2.imwrite(str(path), landscape(3), options)


def _sixteen(path: Path) -> None:
    cv2.imwrite(str(path), landscape(3).astype(np.uint16) * 257)


def _colour(path: Path) -> None:
    Image.fromarray(landscape(3)).convert("RGB").save(path, quality=90)


def _pages(path: Path) -> None:
    write_tiff(path, landscape(3), landscape(4), compression="tiff_lzw")


def _clip(path: Path) -> None:
    from tests.film.clips import scenes, write_clip

    sound = [] if path.suffix == ".avi" else [("aac", "mono")]
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"
    write_clip(path, scenes(8, 64, 48), codec=codec, sound=sound)


# Decoded by Pillow, OpenCV and tifffile; by libtiff inside of Pillow; their metadata by Pillow; films by FFmpeg.
STILLS: Final[dict[str, Callable[[Path], None]]] = {
    "grey.jpg": _pillow,
    "progressive.jpg": lambda path: _pillow(path, progressive=True),
    "colour.jpg": _colour,
    "grey.png": _pillow,
    "deep.png": _sixteen,
    "raw.tif": lambda path: write_tiff(path, landscape(3)),
    "lzw.tif": lambda path: write_tiff(path, landscape(3), compression="tiff_lzw"),
    "jpeg.tif": lambda path: write_tiff(path, landscape(3), compression="jpeg"),
    "fax.tif": lambda path: write_tiff(path, landscape(3) > 150, compression="group4"),
    "deep.tif": _sixteen,
    "pages.tif": _pages,
    "grey.webp": lambda path: _pillow(path, lossless=True),
    "lossy.webp": _opencv,
    "grey.jp2": _opencv,
    "grey.bmp": _opencv,
    "grey.gif": lambda path: Image.fromarray(landscape(3)).save(path),
    "grey.pgm": _opencv,
}
FILMS: Final[dict[str, Callable[[Path], None]]] = dict.fromkeys(("film.mp4", "film.mkv", "film.avi"), _clip)


def write(folder: Path, *names: str) -> None:
    """Write the sources of these names into a folder."""
    for name in names:
        (STILLS | FILMS)[name](folder / name)
