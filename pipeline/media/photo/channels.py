"""Samples of a TIFF that no decoder at hand takes for what they are: planes of their own, channels beside grey, inks.

OpenCV mixes planes of 16 bits up without a word, and of grey with a second channel it makes 8 bits, or rubbish where it
lies in tiles. But each of these is, to its bytes, a plain grey picture: a plane as it is, a row of N channels as one of
N times the width. So that is what it is handed, and the channels are sorted here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.media.photo import orientation
from pipeline.media.photo.alone import LONG, STRIPS, TILES, Entry, tiff_of
from pipeline.media.photo.decode import Decoded, Refused, upright, with_opencv
from pipeline.media.photo.decoders import OPENCV
from pipeline.media.photo.tiff import Directory, numbers, strips_of

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_SAMPLES, _ROWS, _PLANAR, _PREDICTOR = 277, 278, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _EXTRA = 322, 323, 338
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _INKS = 0, 1, 2, 5
_COLOURS: Final = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _INKS: 4}
_BYTEWISE: Final = (1, 5, 8, 32773, 32946, 34925, 50000)  # compressions that know nothing of pixels
_SEPARATE: Final = 2
_HORIZONTAL: Final = 2
_TRANSPARENCY: Final = (1, 2)
_BAND_SAMPLES: Final = 1 << 20


def suits(chosen: Directory) -> bool:
    """Tell whether a picture is to be read here: of 8 or 16 bits, as integers, and of several channels that need it."""
    tags, kind = chosen.tags, chosen.tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)
    channels, deep = _channels(chosen), chosen.bits == 16
    apart = tags.get(_PLANAR, 1) == _SEPARATE
    plain = (chosen.bits == 8 or deep) and chosen.sample_format == 1 and tags.get(_PREDICTOR, 1) <= _HORIZONTAL
    if not plain or channels < 2 or kind not in _COLOURS or channels < _COLOURS[kind]:
        return False
    needed = deep if kind in (_RGB, _INKS) else True
    return needed and (apart or kind != _RGB) and tags.get(_COMPRESSION, 1) in _BYTEWISE


def decode(file: io.BufferedReader, chosen: Directory) -> Decoded:
    """Decode it, upright: grey (H, W), with transparency (H, W, 2), or BGR (H, W, 3 or 4); 0 white is left as it is.

    Raises:
        Refused: OpenCV can't, or the strips are not as many as they should be.
    """
    width, height = chosen.size
    channels, strips = _channels(chosen), strips_of(chosen)
    apart = chosen.tags.get(_PLANAR, 1) == _SEPARATE
    planes = channels if apart else 1
    each, rest = divmod(len(strips), planes)
    if rest or not each:
        raise Refused("not enough strips")
    said, parts = list[str](), list[NDArray[Any]]()
    for number in range(planes):
        part = with_opencv(_alone(file, chosen, strips[number * each : (number + 1) * each], channels // planes))
        if part.samples.shape != (height, width * (channels // planes)):
            raise Refused("decoder error")
        parts.append(_summed(part.samples.reshape(height, width, -1), chosen))
        said.append(part.said)
    made = np.concatenate(parts, axis=2) if apart else parts[0]
    parts.clear()
    return Decoded(upright(_sorted(made, chosen), int(chosen.tags.get(orientation.TAG, 1))), "\n".join(said), OPENCV)


def _channels(chosen: Directory) -> int:
    return max(1, *numbers(chosen.tags.get(_SAMPLES, 1)))


def _alone(file: io.BufferedReader, chosen: Directory, strips: Sequence[tuple[int, int]], across: int) -> bytes:
    """Return strips as a grey TIFF of their own, `across` times as wide as the picture."""
    tags, tiled = chosen.tags, STRIPS[0] not in chosen.tags
    made = {_WIDTH: chosen.size[0] * across, _HEIGHT: chosen.size[1], _BITS: chosen.bits, _PHOTOMETRIC: _BLACK_IS_ZERO}
    made |= {tag: int(tags[tag]) for tag in (_COMPRESSION, _FILL_ORDER, _ROWS, _TILE_HEIGHT) if tag in tags}
    if tiled:
        made[_TILE_WIDTH] = int(tags[_TILE_WIDTH]) * across
    made[_SAMPLES] = made[_PLANAR] = 1
    parts = list[bytes]()
    for start, size in strips:
        file.seek(start)
        parts.append(file.read(size))
    file.seek(0)
    order = "<" if file.read(2) == b"II" else ">"
    entries = {tag: Entry(LONG, 1, struct.pack(f"{order}I", value)) for tag, value in made.items()}
    return tiff_of(order, entries, parts, TILES if tiled else STRIPS)


def _summed(samples: NDArray[Any], chosen: Directory) -> NDArray[Any]:
    """Undo horizontal differencing in place (TIFF 6.0, 14): it goes by channels, and begins anew in each tile."""
    if chosen.tags.get(_PREDICTOR, 1) != _HORIZONTAL:
        return samples
    width, rows = samples.shape[1], max(1, _BAND_SAMPLES // (samples.shape[1] * samples.shape[2]))
    step = width if STRIPS[0] in chosen.tags else int(chosen.tags.get(_TILE_WIDTH, width))
    for top in range(0, len(samples), rows):
        for left in range(0, width, step):
            block = samples[top : top + rows, left : left + step]
            block[:] = np.cumsum(block, axis=1, dtype=samples.dtype)
    return samples


def _sorted(samples: NDArray[Any], chosen: Directory) -> NDArray[Any]:
    """Return colours in OpenCV's order, and behind them a channel of transparency, if there is one."""
    kind = chosen.tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)
    colours = _COLOURS[kind]
    shown, beside = samples[:, :, :colours], samples[:, :, colours:]
    if kind == _INKS:
        shown = _of_inks(shown)
    elif kind == _WHITE_IS_ZERO and samples.dtype == np.uint8:
        shown = np.invert(shown)
    shown = shown[:, :, ::-1]
    kinds = numbers(chosen.tags.get(_EXTRA, (_TRANSPARENCY[-1],)))
    clear = [beside[:, :, at] for at, kind in enumerate(kinds[: beside.shape[2]]) if kind in _TRANSPARENCY]
    made = np.dstack([shown, clear[0]]) if clear else shown
    return np.ascontiguousarray(made[:, :, 0] if made.shape[2] == 1 else made)


def _of_inks(samples: NDArray[Any]) -> NDArray[Any]:
    """Return RGB of cyan, magenta, yellow and black, as Pillow takes them: each lets through what black leaves."""
    top = np.float32(np.iinfo(samples.dtype).max)
    left = top - samples[:, :, 3:].astype(np.float32)
    made = (top - samples[:, :, :3].astype(np.float32)) * left / top
    return np.rint(made).astype(samples.dtype)
