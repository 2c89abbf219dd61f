"""A film's poster: its first frame that shows something, and a few of those that follow."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from pipeline.ground.errors import ItemError
from pipeline.media.film.source import decoded, moving_picture, open_film

_LOOKED_AT: Final = 300  # frames: a black beginning is rarely longer
_DARK: Final = 24.0  # mean of luma
_PLAIN: Final = 10.0  # its standard deviation
_FRAMES: Final = 12
_EVERY: Final = 0.2  # seconds


def poster(path: Path, side: int) -> tuple[list[Image.Image], str]:
    """Return the first good frame and up to 11 more, a fifth of a second apart, and the film's comment.

    Args:
        path: of a film.
        side: the longest side, in pixels.

    Raises:
        ItemError: no frame can be decoded.
    """
    with open_film(path) as container:
        comment = next((value for key, value in container.metadata.items() if key.lower() == "comment"), "")
        stream = moving_picture(container)
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
        frames = [_upright(each, side, aspect) for each in _picked(decoded(container, stream))]
    if not frames:
        raise ItemError("no frame of it can be decoded")
    return frames, comment


def _picked(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    first: VideoFrame | None = None
    due, count = 0.0, 0
    for number, frame in enumerate(frames):
        first = first or frame
        if count == 0 and number < _LOOKED_AT and not _good(frame):
            continue
        at = frame.time or 0.0
        if count and at < due:
            continue
        yield frame
        count, due = count + 1, at + _EVERY
        if count == _FRAMES or number > _LOOKED_AT:
            return
    if first is not None and count == 0:
        yield first


def _good(frame: VideoFrame) -> bool:
    small = frame.reformat(width=64, height=48, format="gray").to_ndarray()
    return bool(small.mean() > _DARK and small.std() > _PLAIN)


def _upright(frame: VideoFrame, side: int, aspect: Fraction) -> Image.Image:
    image = Image.fromarray(np.asarray(frame.reformat(format="rgb24", threads=1).to_ndarray(), np.uint8))
    shown = (max(1, round(image.width * float(aspect))), image.height)
    scale = min(1.0, side / max(shown))
    image = image.resize((max(1, round(shown[0] * scale)), max(1, round(shown[1] * scale))), Image.Resampling.BOX)
    turns = round(frame.rotation / 90) % 4
    return image.rotate(90 * turns, expand=True) if turns else image
