"""What the numbers of a picture mean: any depth and sign becomes 8 or 16 bits, black at 0, white at the top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[Any]  # uint8 or uint16

_WHITES: Final = (1.0, 255.0, 65535.0)
_OVERSHOOT: Final = 0.005  # share of samples that may lie over white or under black
_SEEN: Final = 1 << 20  # samples looked at for a share


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a file says its samples are to be taken.

    Attributes:
        bits: of a sample.
        white: the number that is white, where the file says so; 0 where it doesn't.
        shifted: the decoder moved samples up to 8 or 16 bits, and filled them with zeros.
        range: black and white as SMinSampleValue and SMaxSampleValue say; None where they don't.
        inverted: 0 is white; of 8 bits the decoders have seen to it.
        guess: 16 bits may hold the numbers of a camera or scanner that has fewer.
    """

    bits: int
    white: int = 0
    shifted: bool = False
    range: tuple[float, float] | None = None
    inverted: bool = False
    guess: bool = False


def scaled(samples: NDArray[Any], meaning: Meaning) -> tuple[Pixels, str]:
    """Scale samples to the depth they deserve: uint8 up to 8 bits, uint16 above.

    Args:
        samples: bool, integers or floats, any shape.
        meaning: of them.

    Returns:
        Samples as uint8 or uint16; 8 and 16 bits as they are. And what had to be guessed, for a person; often empty.
    """
    if samples.dtype == bool:
        return samples.astype(np.uint8) * np.uint8(255), ""
    if samples.dtype == np.uint8:
        return (_filled(samples, meaning.bits) if meaning.shifted and meaning.bits < 8 else samples), ""
    pixels, guessed = _deep(samples, meaning)
    return (_turned(pixels) if meaning.inverted and samples.dtype.itemsize > 1 else pixels), guessed


def _turned(pixels: Pixels) -> Pixels:
    """Make 0 black; of a second channel, transparency, 0 stays 0."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.invert(pixels)
    return np.dstack([np.invert(pixels[:, :, 0]), pixels[:, :, 1:]])


def _deep(samples: NDArray[Any], meaning: Meaning) -> tuple[Pixels, str]:
    if samples.dtype.byteorder not in ("=", "|"):
        samples = samples.astype(samples.dtype.newbyteorder("="))
    if meaning.range and samples.dtype.itemsize > 1 and _covers(meaning.range, samples):
        black, white = meaning.range
        made = _stretched(samples - np.float32(black) if black else samples, white - black)
        return made, f"black is taken at {black:g} and white at {white:g}, as its SMin- and SMaxSampleValue say"
    if samples.dtype.kind == "f":
        return _of_floats(samples)
    if samples.dtype == np.uint16:
        return _of_16_bits(samples, meaning)
    if samples.dtype.kind == "i" and int(samples.min()) < 0:
        return _of_signed(samples)
    return _of_integers(samples, meaning)


def _of_16_bits(samples: NDArray[np.uint16], meaning: Meaning) -> tuple[Pixels, str]:
    bits = meaning.bits
    if 8 < bits < 16:
        return (_filled(samples, bits) if meaning.shifted else _stretched(samples, (1 << bits) - 1)), ""
    if 255 < meaning.white < 65535 and int(samples.max()) <= meaning.white:
        return _stretched(samples, meaning.white), f"white is taken at {meaning.white}, as its MaxSampleValue says"
    colour = _without_opaque(samples) if meaning.guess else samples
    if meaning.guess and 0 < (largest := int(colour.max())) <= 4095:
        white = next(each for each in (255, 1023, 4095) if largest <= each)
        made = _stretched(samples, white)  # of opacity the top stays the top
        return made, f"no sample is above {largest}: white is taken at {white}"
    return samples, ""


def _without_opaque(samples: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Leave out a channel of transparency that is opaque somewhere, and says nothing of how far the others go."""
    alpha = samples.ndim == 3 and samples.shape[2] in (2, 4) and int(samples[:, :, -1].max()) == 65535
    return samples[:, :, :-1] if alpha else samples


def _filled(samples: Pixels, bits: int) -> Pixels:
    """Scale samples of so many bits, which were moved up to 8 or 16, to the whole range of these."""
    moved = samples.dtype.type(8 * samples.dtype.itemsize - bits)
    made: Pixels = _stretched(samples >> moved, (1 << bits) - 1, samples.dtype.type)
    return made


def _covers(range: tuple[float, float], samples: NDArray[Any]) -> bool:
    """Tell whether a range is a range, and not a statistic of a few samples: nearly all of them lie in it."""
    black, white = range
    seen = samples.reshape(-1)[:: max(1, samples.size // _SEEN)]
    return white > black and float(np.mean((seen < black) | (seen > white))) <= 0.01


def _of_signed(samples: NDArray[Any]) -> tuple[Pixels, str]:
    """Take the least number a type can hold as black, the largest as white."""
    note = "signed samples: the least number they can hold is taken as black"
    if samples.dtype == np.int8:
        return samples.view(np.uint8) ^ np.uint8(0x80), note
    if samples.dtype == np.int16:
        return samples.view(np.uint16) ^ np.uint16(0x8000), note
    return ((samples.astype(np.int64) + (1 << 31)) >> 16).astype(np.uint16), note


def _of_integers(samples: NDArray[Any], meaning: Meaning) -> tuple[Pixels, str]:
    largest = int(samples.max(initial=0))
    top = int(np.iinfo(samples.dtype).max)
    said = meaning.white if 255 < meaning.white < top and meaning.white >= largest else 0
    if not said and meaning.bits % 8 == 0 < meaning.bits < samples.dtype.itemsize * 8:
        said = ((1 << meaning.bits) - 1) * (largest < 1 << meaning.bits)
    white = said or next((each for each in (255, 65535, 4294967295) if largest <= each < top), top)
    if white == 255 or samples.dtype == np.int8:
        return _stretched(samples, white, np.uint8), f"{_named(samples)}: white is taken at {white}"
    return _stretched(samples, white), f"{_named(samples)}: white is taken at {white}"


def _named(samples: NDArray[Any]) -> str:
    return f"{samples.dtype.itemsize * 8}-bit samples"


def _stretched(samples: NDArray[Any], white: float, dtype: type[np.uint8] | type[np.uint16] = np.uint16) -> Any:
    """Scale 0..white to the whole range of a dtype, in rows: a large picture needs no second copy as float."""
    made = np.empty(samples.shape, dtype)
    factor = np.iinfo(dtype).max / white
    for at in range(0, len(samples), 64):
        made[at : at + 64] = np.clip(samples[at : at + 64] * factor + 0.5, 0, np.iinfo(dtype).max)
    return made


def _of_floats(samples: NDArray[Any]) -> tuple[Pixels, str]:
    """Floats carry no range of their own: 0..1, 8 or 16 bits where nearly all samples fit, else what is there."""
    values = np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=0.0, neginf=0.0)
    seen = values.reshape(-1)[:: max(1, values.size // _SEEN)]
    low, high = (float(each) for each in np.quantile(seen, (_OVERSHOOT, 1 - _OVERSHOOT)))
    least, largest = float(values.min()), float(values.max())
    white = next((each for each in _WHITES if high <= each * 1.001), largest)
    black = 0.0 if low >= -0.01 * white else least
    if white <= black:
        return np.zeros(values.shape, np.uint16), "float samples: all are alike, taken as black"
    made = _stretched(values - np.float32(black) if black else values, white - black)
    if white == 1.0 and not black and largest <= 1.001 and least >= 0:  # as everybody writes them
        return made, ""
    beyond = "; some lie outside, and are clipped" if largest > white * 1.001 or least < black - 0.01 * white else ""
    return made, f"float samples: black is taken at {black:g}, white at {white:g}{beyond}"


def divided(samples: NDArray[Any]) -> NDArray[Any]:
    """Undo that colours were multiplied by the transparency behind them ("associated" alpha; TIFF 6.0, page 77).

    Args:
        samples: whole numbers or floats (H, W, 2 or 4); of floats 1 is opaque.
    """
    whole = samples.dtype.kind != "f"
    kind = np.float32 if samples.dtype.itemsize < 4 else np.float64
    top = kind(np.iinfo(samples.dtype).max if whole else 1)
    made = samples.copy()
    for at in range(0, len(samples), 64):
        alpha: Any = samples[at : at + 64, :, -1:].astype(kind)
        colour = samples[at : at + 64, :, :-1] * (top / np.where(alpha > 0, alpha, top))
        made[at : at + 64, :, :-1] = np.minimum(colour + 0.5 * whole, top)
    return made


def multiplied_as_stored(samples: NDArray[Any]) -> bool:
    """Tell of grey whose 0 is white, (H, W, 2), whether the numbers were multiplied by transparency, or the light.

    Nothing says it (TIFF 6.0 does not, and writers differ). But what was multiplied is nowhere above its opacity. Where
    that decides nothing it was the light, as libtiff takes it.
    """
    top = np.iinfo(samples.dtype).max if samples.dtype.kind != "f" else 1
    number, alpha = samples[:, :, 0], samples[:, :, 1]
    return int(np.count_nonzero(number > alpha)) < int(np.count_nonzero(top - number > alpha))


def parted(pixels: Pixels) -> tuple[Pixels, Pixels | None]:
    """Part alpha from colour.

    Args:
        pixels: (H, W), or (H, W, N) of 1 to 4 channels, BGR, alpha behind them.

    Returns:
        Grey (H, W) or BGR (H, W, 3), and alpha (H, W); None where there is none or all is opaque.
    """
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels, None
    if pixels.shape[2] == 1:
        return pixels[:, :, 0], None
    alpha: Any = np.ascontiguousarray(pixels[:, :, -1])
    colour: Any = pixels[:, :, 0] if pixels.shape[2] == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)
    return colour, None if alpha.min() == np.iinfo(alpha.dtype).max else alpha
