"""What a picture takes of a worker's memory at its peak, told by its header: one estimate, for all who ask.

It follows the bytes through the room: file, samples as a decoder holds them, pixels, and what is written. The factors
were measured (`benchmarks/peaks.py`, held by `tests/soak/test_memory.py`): never less than what was taken, at most half
as much again.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from pipeline.ground.opened import status_of
from pipeline.media.photo.decoders import WEBP, Format
from pipeline.media.photo.precision import bits_of
from pipeline.media.photo.tiff import Directory

# Bytes of a picture in colour; larger ones are written in bands.
IN_BANDS: Final = 64 << 20
# Pixels of a picture of which half the size is decoded where that suffices.
LARGE: Final = 4_000_000
# Bytes that a decoder takes of its own, and those of a picture whose size it never came to tell.
_DECODER: Final = 16 << 20
_UNTOLD: Final = 64 << 20
# By Pillow's mode: channels, and bytes of a sample.
_MODES: Final = {
    "1": (1, 1),
    "L": (1, 1),
    "LA": (2, 1),
    "P": (3, 1),
    "PA": (4, 1),
    "RGB": (3, 1),
    "RGBA": (4, 1),
    "CMYK": (4, 1),
    "I": (1, 4),
    "F": (1, 4),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a header says of a picture.

    Attributes:
        format: its name in `decoders`.
        width, height: in pixels; 0: not known yet, only how large the file is.
        channels: of a pixel, as decoded, transparency included.
        depth: bytes of a sample, as decoded: 1, 2, 4 or 8.
        stored: bytes of the file.
        progressive: a JPEG whose coefficients are all held until it is read.
        lossless: a WebP that is, and that what is made of it will be.
        by_strips: a TIFF of which only a strip is read at a time.
    """

    format: str
    width: int
    height: int
    channels: int = 3
    depth: int = 1
    stored: int = 0
    progressive: bool = False
    lossless: bool = True
    by_strips: bool = False

    @property
    def pixels(self) -> int:
        """Their number."""
        return self.width * self.height


def large(size: tuple[int, int]) -> bool:
    """Tell whether a picture of this width and height is so large that not all its pixels are decoded without need."""
    return size[0] * size[1] > LARGE


def shape_of(
    image: Image.Image | None, format: Format, size: tuple[int, int], head: bytes, file: io.BufferedReader
) -> Shape:
    """Return the shape of a picture that is no TIFF.

    Args:
        image: it, opened by Pillow; None where Pillow can't, and the most is taken.
        format: of it.
        size: width and height.
        head: its first bytes, 33 of a PNG.
        file: it.
    """
    channels, depth = (4, 2) if image is None else _MODES.get(image.mode, (1 if image.mode[:1] == "I" else 4, 2))
    if image is not None and image.mode == "P" and image.has_transparency_data:
        channels = 4
    if bits_of(format, head) > 8:
        depth = 2
    stored = status_of(file).st_size
    progressive = image is not None and bool(image.info.get("progressive"))
    lossless = format is not WEBP or b"VP8 " not in head[12:] or b"VP8L" in head[12:]
    return Shape(format.name, *size, channels, depth, stored, progressive, lossless)


def shape_of_tiff(chosen: Directory, file: io.BufferedReader) -> Shape:
    """Return the shape of the picture in a TIFF that is to be read."""
    depth = next(size for size in (1, 2, 4, 8) if chosen.bits <= 8 * size or size == 8)
    channels, alone = chosen.samples, chosen.pages == 1 and not chosen.offset
    # Others are handed to their decoder as a whole, or heard by one that must have all of it.
    by_strips = alone and not chosen.forgiving and (depth == 1 or (depth == 2 and channels == 1)) and channels in (1, 3)
    return Shape("TIFF", *chosen.size, channels, depth, status_of(file).st_size, by_strips=by_strips)


def peak(shape: Shape, into: str, *, anew: bool = False) -> int:
    """Return the bytes that a picture takes at its peak, beyond what an idle worker holds.

    Args:
        shape: of it.
        into: what is made of it: "jpg", "png", "tif" or "webp".
        anew: nothing of its luma is kept as it is: the tutorial's arithmetic, or side by side.
    """
    return int(max(_reading(shape, half=_halved(shape, into, anew=anew)), _writing(shape, into, anew=anew)))


def can_be_read(shape: Shape | None, path: Path) -> bool:
    """Tell whether there is memory to decode a picture now: some decoders have but one word for damage and for lack.

    Args:
        shape: None: no decoder got so far.
        path: the file.
    """
    try:
        needed = _reading(shape, half=False) if shape else _UNTOLD + path.stat().st_size
        np.empty(int(needed) + _DECODER, np.uint8)  # asked for, and not touched
    except MemoryError:
        return False
    except OSError:
        return True
    return True


def _halved(shape: Shape, into: str, *, anew: bool) -> bool:
    """Tell whether of a grey JPEG half the size is decoded."""
    kept = shape.format == "JPEG" and into == "jpg" and not anew
    return kept and shape.channels == 1 and large((shape.width, shape.height))


def _reading(shape: Shape, *, half: bool) -> float:
    """Return the bytes while it is decoded: the file, the samples in the decoder's hands and in ours."""
    pixels, decoded = shape.pixels, shape.pixels * shape.channels * shape.depth
    if shape.format == "JPEG":
        coefficients = pixels * (2.2 if shape.channels == 1 else 3.3) if shape.progressive else 0
        return shape.stored + coefficients + (decoded / 4 if half else decoded)
    if shape.format == "JPEG 2000":
        return shape.stored + 4 * pixels * shape.channels + 2.4 * decoded
    if shape.depth > 2:
        return shape.stored + 3.6 * decoded
    if shape.format == "GIF":
        return shape.stored + 3.7 * pixels
    held = 0 if shape.by_strips else shape.stored
    return held + 2.4 * decoded + (pixels if shape.channels == 3 else 0)


def _writing(shape: Shape, into: str, *, anew: bool) -> float:
    """Return the bytes while it is coloured and encoded: pixels, colour, and what is written."""
    deep, pixels = min(shape.depth, 2), shape.pixels
    kept = pixels * deep * shape.channels
    if into == "jpg" and not anew:
        return _beside_luma(shape, kept)
    if into == "webp":
        return kept + pixels * (42 if shape.lossless else 18)
    made = 3 * pixels * deep
    grey = 0 if shape.channels < 3 else pixels * deep
    if made > IN_BANDS and not anew and into != "jpg":
        return kept + grey + 0.6 * IN_BANDS * deep
    encoded = made if into == "tif" else min(made, 3 * shape.stored)
    return kept + grey + made + 3 * encoded


def _beside_luma(shape: Shape, kept: int) -> float:
    """Return the bytes while chroma is put beside the luma of a JPEG, or one that is made for that."""
    if shape.format != "JPEG":
        return kept + 6 * shape.pixels
    if shape.channels > 1:
        return 1.3 * shape.stored + kept + 4.5 * shape.pixels
    if _halved(shape, "jpg", anew=False):
        return max(1.1 * shape.stored + 0.9 * shape.pixels, 2.4 * shape.stored + 0.4 * shape.pixels)
    return 1.3 * shape.stored + kept + 1.4 * shape.pixels
