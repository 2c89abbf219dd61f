"""Samples of a TIFF that no decoder at hand takes for what they are: planes, channels beside grey, inks, Lab.

OpenCV mixes planes of 16 bits and of floats up without a word, and of grey with a second channel it makes 8 bits, or
rubbish where it lies in tiles. But each of these is, to its bytes, a plain grey picture: a plane as it is, a row of N
channels as one of N times the width. So that is what it is handed, and the channels are sorted here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.photo import orientation
from pipeline.media.photo.alone import LONG, STRIPS, TILES, Entry, tiff_of
from pipeline.media.photo.decode import Decoded, Refused, of_inks, upright, with_opencv
from pipeline.media.photo.decoders import OPENCV
from pipeline.media.photo.tiff import Directory, numbers, strips_of

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_SAMPLES, _ROWS, _PLANAR, _PREDICTOR = 277, 278, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _EXTRA, _FORMAT = 322, 323, 338, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _INKS, _LAB, _ICC_LAB = 0, 1, 2, 5, 8, 9
_COLOURS: Final = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _INKS: 4, _LAB: 3, _ICC_LAB: 3}
_WHOLE, _SIGNED, _FLOAT = 1, 2, 3  # kinds of samples
_BYTEWISE: Final = (1, 5, 8, 32773, 32946, 34925, 50000)  # compressions that know nothing of pixels
_SEPARATE: Final = 2
_HORIZONTAL: Final = 2
_TRANSPARENCY: Final = (1, 2)
_BAND_SAMPLES: Final = 1 << 20
_LAB_ROWS: Final = 64


def suits(chosen: Directory) -> bool:
    """Tell whether a picture is to be read here: of 8 or 16 bits or floats, and of several channels that need it."""
    tags, kind = chosen.tags, chosen.tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)
    channels, lab = _channels(chosen), kind in (_LAB, _ICC_LAB)
    apart = tags.get(_PLANAR, 1) == _SEPARATE
    if channels < 2 or kind not in _COLOURS or channels < _COLOURS[kind] or not _plain(chosen, lab):
        return False
    needed = {_RGB: apart and chosen.bits > 8, _INKS: chosen.bits > 8 or channels > 4, _LAB: chosen.bits > 8}
    return needed.get(kind, True) and tags.get(_COMPRESSION, 1) in _BYTEWISE


def _plain(chosen: Directory, lab: bool) -> bool:
    """Tell whether the samples are numbers that OpenCV hands out as they are."""
    predictor, kind = chosen.tags.get(_PREDICTOR, 1), chosen.sample_format
    if kind == _FLOAT:
        return chosen.bits == 32 and predictor == 1
    return chosen.bits in (8, 16) and predictor <= _HORIZONTAL and (kind == _WHOLE or (lab and kind == _SIGNED))


def decode(file: io.BufferedReader, chosen: Directory) -> Decoded:
    """Decode it, upright: grey (H, W), with transparency (H, W, 2), or BGR (H, W, 3 or 4); 0 white is left as it is.

    Of Lab come 8 or 16 bits of sRGB.

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
    made[_FORMAT] = _FLOAT if chosen.sample_format == _FLOAT else _WHOLE
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
        shown = of_inks(shown)
    elif kind in (_LAB, _ICC_LAB):
        shown = _of_lab(shown, chosen)
    elif kind == _WHITE_IS_ZERO and samples.dtype == np.uint8:
        shown = np.invert(shown)
    shown = shown[:, :, ::-1]
    kinds = numbers(chosen.tags.get(_EXTRA, (_TRANSPARENCY[-1],)))
    clear = [beside[:, :, at] for at, kind in enumerate(kinds[: beside.shape[2]]) if kind in _TRANSPARENCY]
    made = np.dstack([shown, clear[0]]) if clear else shown
    return np.ascontiguousarray(made[:, :, 0] if made.shape[2] == 1 else made)


def _of_lab(samples: NDArray[Any], chosen: Directory) -> NDArray[Any]:
    """Return RGB in sRGB of Lab, its white as white: uint8 of 8 bits, else uint16 (TIFF 6.0, 23; TIFF Technote 4)."""
    made = np.empty(samples.shape, np.uint8 if samples.dtype == np.uint8 else np.uint16)
    top = np.iinfo(made.dtype).max
    for at in range(0, len(samples), _LAB_ROWS):
        shown = cv2.cvtColor(_lab(samples[at : at + _LAB_ROWS], chosen), cv2.COLOR_Lab2RGB)
        made[at : at + _LAB_ROWS] = np.rint(np.clip(shown, 0, 1) * top)
    return made


def _lab(samples: NDArray[Any], chosen: Directory) -> NDArray[np.float32]:
    """Return L of 0 to 100, a and b, as samples of that kind hold them."""
    if chosen.sample_format == _FLOAT:
        return np.ascontiguousarray(samples, np.float32)
    deep, found = samples.dtype == np.uint16, samples.astype(np.float32)
    step = 256 if deep else 1
    if chosen.tags.get(_PHOTOMETRIC) == _ICC_LAB:
        found[:, :, 0] *= 100 / 255 / step
        found[:, :, 1:] = found[:, :, 1:] / step - 128
        return found
    found[:, :, 0] *= 100 / np.iinfo(samples.dtype).max  # never signed, whatever a file says
    found[:, :, 1:] = samples[:, :, 1:].view(np.int16 if deep else np.int8)
    found[:, :, 1:] /= step
    return found
