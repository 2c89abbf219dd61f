"""A contact sheet of a film: one frame of each shot, with its time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.media.film.excerpt import together
from pipeline.media.film.index import Index
from pipeline.media.film.scan import stamp
from pipeline.media.film.source import decoded, moving_picture, open_film

_TILE: Final = 240
_COLUMNS: Final = 6
_LABEL: Final = 20
# More would not fit into a JPEG; of more shots an even selection is shown.
_MOST: Final = 1200

Pixels = NDArray[np.uint8]


def contact_sheet(film: Path, index: Index) -> Pixels:
    """Draw the middle frame of each shot, upright, row by row.

    Args:
        film: the coloured film.
        index: scan of its source, whose times are written under the frames.

    Returns:
        uint8 BGR (H, W, 3).
    """
    tiles = [_tile(picture, moment(_seconds(index, frame))) for frame, picture in _pictures(film, index)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % min(_COLUMNS, len(tiles)))
    columns = min(_COLUMNS, len(tiles))
    return np.vstack([np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)])


def _middles(index: Index) -> list[int]:
    ends = np.append(index.shots[1:], index.frames)
    middles = (index.shots + ends) // 2
    picked = np.linspace(0, len(middles) - 1, min(len(middles), _MOST)).astype(int)
    return [int(each) for each in middles[picked]]


def _seconds(index: Index, frame: int) -> float:
    return float(int(index.timestamps[frame]) * index.time_base) - index.start_time / 1_000_000


def _pictures(film: Path, index: Index) -> Iterator[tuple[int, Pixels]]:
    """Yield the frames of a finished film, whose frames are those of the index, one after another."""
    wanted = _middles(index)
    times = together(index).timestamps
    shift = int(times[0])
    with open_film(film) as container:
        stream = moving_picture(container)
        unit = index.time_base / (stream.time_base or index.time_base)
        start = stream.start_time or 0
        aspect = Fraction(index.geometry.aspect or 1)
        for number in wanted:
            aim = start + float((int(times[number]) - shift) * unit)
            container.seek(int(aim), stream=stream)
            for frame in decoded(container, stream):
                if (stamp(frame) or 0) >= aim - 1:
                    yield number, _small(frame, aspect)
                    break


def _small(frame: VideoFrame, aspect: Fraction) -> Pixels:
    """Return a frame upright and as wide as its samples mean it to be, in a tile's width."""
    turns = round(frame.rotation / 90) % 4
    picture = np.rot90(frame.reformat(format="bgr24", threads=1).to_ndarray(), turns)
    height, width = picture.shape[:2]
    shown = float(width * aspect) if turns % 2 == 0 else float(width / aspect)
    size = (_TILE, max(1, round(_TILE * height / shown)))
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA), np.uint8)


def _tile(picture: Pixels, text: str) -> Pixels:
    label = np.full((_LABEL, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(label, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack((picture, label))


def moment(seconds: float) -> str:
    """Return a time in a film as its clock shows it: "0:01:05.20"."""
    hundredths = round(max(0.0, seconds) * 100)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"
