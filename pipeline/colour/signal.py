"""Chroma for a film's own luma: from ab to U and V planes that fit a Y plane which is never touched.

U and V are computed at an eighth of the size, where the net knows nothing finer anyway, and enlarged; then limited to
what the luma beside them can show. At 1080 lines that costs 1/20 of the way over BGR.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.tones import in_srgb

Matrix = Literal["bt601", "bt709", "bt2020"]

# Weights of red and blue in luma (ITU-R BT.601, BT.709, BT.2020).
_WEIGHTS: Final[dict[str, tuple[float, float]]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
_SHRINK: Final = 8


@dataclass(frozen=True, slots=True)
class Signal:
    """What the samples of a film's planes mean.

    Attributes:
        bits: of a sample, 8 to 16.
        full: full range (0 is black, all ones white), else limited (16 and 235, scaled to the bits).
        matrix: which luma and chroma are made of red, green and blue.
        across, down: luma samples for each chroma sample: 2, 2 in 4:2:0; 2, 1 in 4:2:2; 1, 1 in 4:4:4.
    """

    bits: int = 8
    full: bool = False
    matrix: Matrix = "bt601"
    across: int = 2
    down: int = 2

    @property
    def black(self) -> float:
        """Luma of black."""
        return 0.0 if self.full else 16.0 * (1 << (self.bits - 8))

    @property
    def luma_span(self) -> float:
        """Luma of white minus luma of black."""
        return float((1 << self.bits) - 1) if self.full else 219.0 * (1 << (self.bits - 8))

    @property
    def middle(self) -> float:
        """Chroma sample of grey."""
        return float(1 << (self.bits - 1))

    @property
    def chroma_span(self) -> float:
        """Width of the chroma range: U = middle + span * Cb with Cb in -0.5..0.5."""
        return float((1 << self.bits) - 1) if self.full else 224.0 * (1 << (self.bits - 8))


@functools.cache
def lightness_of_luma(bits: int, full: bool) -> NDArray[np.float32]:
    """Return the Lab lightness of each luma value, taken as a grey of sRGB: float32 (2**bits,), 0..100."""
    signal = Signal(bits, full)
    value = np.clip((np.arange(1 << bits) - signal.black) / signal.luma_span, 0, 1)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    cube = np.where(linear > 216 / 24389, np.cbrt(linear), (24389 / 27 * linear + 16) / 116)  # CIE 15
    table: NDArray[np.float32] = (116 * cube - 16).astype(np.float32)
    table.setflags(write=False)
    return table


def fitted(luma: NDArray[Any], source: Signal, target: Signal) -> NDArray[Any]:
    """Bring luma to other bits or another range: the very samples where both are the same.

    More bits in the same range lose nothing and come back exactly; fewer bits are rounded.

    Args:
        luma: uint8 or uint16 (H, W).
        source, target: what its samples mean, and shall mean.
    """
    if (source.bits, source.full) == (target.bits, target.full):
        return luma
    table = (np.arange(1 << source.bits) - source.black) * (target.luma_span / source.luma_span) + target.black
    samples = np.clip(np.rint(table), 0, (1 << target.bits) - 1).astype(np.uint8 if target.bits == 8 else np.uint16)
    return np.take(samples, luma)


def seen_by_net(luma: NDArray[Any], size: int, signal: Signal) -> NDArray[np.float32]:
    """Return what the net sees of a frame.

    Averaged over area, not sampled: film grain that is sampled anew in each frame makes colours flicker.

    Args:
        luma: uint8 or uint16 (H, W).
        size: side of the net's square input.
        signal: what luma means; only its bits and range count.

    Returns:
        float32 (size, size), lightness 0..100.
    """
    return np.take(lightness_of_luma(signal.bits, signal.full), averaged(luma, size, size))


def averaged(luma: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Return luma (H, W) at another size (height, width), averaged over area where it is smaller; same dtype."""
    # Halving has a fast path of its own, ten times faster than averaging over fractions of samples.
    while luma.shape[0] >= 2 * height and luma.shape[1] >= 2 * width:
        luma = _halved(luma)
    smaller = luma.shape[0] >= height and luma.shape[1] >= width
    return cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _halved(luma: NDArray[Any]) -> NDArray[Any]:
    height, width = luma.shape[0] // 2, luma.shape[1] // 2
    return cv2.resize(luma[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)


def chroma_planes(
    luma: NDArray[Any], ab: NDArray[np.float32], signal: Signal, saturation: float = 1.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute U and V for a frame whose luma stays as it is.

    Args:
        luma: uint8 or uint16 (H, W), at `signal.bits`.
        ab: float32 (h, w, 2), Lab units, any size; stretched over the frame.
        signal: of the frame.
        saturation: factor on ab, 0 or more.

    Returns:
        U and V, of luma's dtype: ceil(H / down), ceil(W / across).
    """
    small = _shrunk(luma)
    fitted: NDArray[Any] = cv2.resize(ab, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    lab = np.empty((*small.shape, 3), np.float32)
    lab[:, :, 0] = np.take(lightness_of_luma(signal.bits, signal.full), small)
    np.multiply(fitted, np.float32(saturation), out=lab[:, :, 1:])
    height, width = -(-luma.shape[0] // signal.down), -(-luma.shape[1] // signal.across)
    planes = [
        _enlarged(each, _SHRINK // signal.across, _SHRINK // signal.down)[:height, :width]
        for each in differences(lab, signal)
    ]
    return limited(_at_chroma_size(luma, signal), planes[0], planes[1], signal)


def differences(lab: NDArray[np.float32], signal: Signal) -> tuple[NDArray[Any], NDArray[Any]]:
    """Turn Lab into U and V samples, rounded; what sRGB cannot show is cut off at its bounds.

    Args:
        lab: float32 (h, w, 3).
        signal: bits, range and matrix of the samples.

    Returns:
        U, V: uint8 (8 bits) or uint16 (h, w).
    """
    rgb = _srgb(lab)
    red, blue = _WEIGHTS[signal.matrix]
    luma = rgb @ np.array([red, 1 - red - blue, blue], np.float32)
    dtype = np.uint8 if signal.bits == 8 else np.uint16
    top = (1 << signal.bits) - 1
    result = []
    for channel, weight in ((2, blue), (0, red)):
        difference = (rgb[:, :, channel] - luma) * np.float32(signal.chroma_span / (2 * (1 - weight)))
        result.append(np.clip(np.rint(difference + np.float32(signal.middle)), 0, top).astype(dtype))
    return result[0], result[1]


def _srgb(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    # OpenCV's own gamma interpolates in a coarse table; from linear light it computes.
    linear = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2LRGB), 0, 1)
    # The power is most of the cost: a table in steps of 1/65535, exact to a twentieth of a level.
    return np.take(_gamma(), (linear * np.float32(65535)).astype(np.uint16))


@functools.cache
def _gamma() -> NDArray[np.float32]:
    linear = np.minimum((np.arange(65536) + 0.5) / 65535, 1)
    return in_srgb(linear).astype(np.float32)


def _shrunk(luma: NDArray[Any]) -> NDArray[Any]:
    """Average blocks of 8 x 8; the borders are replicated up to whole blocks."""
    height, width = luma.shape
    below, beside = -height % _SHRINK, -width % _SHRINK
    if below or beside:
        luma = cv2.copyMakeBorder(luma, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    return _halved(_halved(_halved(luma)))


def _enlarged(small: NDArray[Any], across: int, down: int) -> NDArray[Any]:
    # Whole-number factors are the fast path of cv2.resize.
    size = small.shape[1] * across, small.shape[0] * down
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)


def _at_chroma_size(luma: NDArray[Any], signal: Signal) -> NDArray[Any]:
    height, width = luma.shape
    if signal.across == signal.down == 1:
        return luma
    below, beside = -height % signal.down, -width % signal.across
    if below or beside:
        luma = cv2.copyMakeBorder(luma, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    size = luma.shape[1] // signal.across, luma.shape[0] // signal.down
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA)


def limited(luma: NDArray[Any], u: NDArray[Any], v: NDArray[Any], signal: Signal) -> tuple[NDArray[Any], NDArray[Any]]:
    """Take chroma back towards grey, hue kept, wherever red, green or blue would leave 0..1 at this luma.

    Args:
        luma: (h, w), at the size of the chroma planes.
        u, v: (h, w), same dtype.
        signal: bits, range and matrix.

    Returns:
        U, V: new arrays where anything had to be limited, else those that were given.
    """
    outside = _outside(luma, u, v, signal)
    if cv2.countNonZero(outside) == 0:
        return u, v
    places = np.flatnonzero(outside)
    y = ((luma.ravel()[places] - signal.black) / signal.luma_span).astype(np.float32)
    u, v = np.array(u, order="C"), np.array(v, order="C")
    flat_u, flat_v = u.reshape(-1), v.reshape(-1)
    cb = (flat_u[places] - np.float32(signal.middle)) / np.float32(signal.chroma_span)
    cr = (flat_v[places] - np.float32(signal.middle)) / np.float32(signal.chroma_span)
    share = _share(y, cb, cr, signal.matrix)
    flat_u[places] = _towards_grey(cb * share, signal)
    flat_v[places] = _towards_grey(cr * share, signal)
    return u, v


def _towards_grey(chroma: NDArray[np.float32], signal: Signal) -> NDArray[np.float32]:
    """Return samples, rounded towards grey: the nearest sample may lie outside."""
    samples: NDArray[np.float32] = np.trunc(chroma * np.float32(signal.chroma_span)) + np.float32(signal.middle)
    return samples


def _share(
    y: NDArray[np.float32], cb: NDArray[np.float32], cr: NDArray[np.float32], matrix: Matrix
) -> NDArray[np.float32]:
    """Return the largest factor 0..1 on the chroma that keeps all three primaries within 0..1."""
    red, green, blue = _gains(matrix)
    share: NDArray[np.float32] = np.ones_like(y)
    for rise in (red * cr, green[0] * cb + green[1] * cr, blue * cb):
        room = np.where(rise > 0, 1 - y, y)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(rise != 0, np.minimum(share, room / np.abs(rise)), share)
    return np.clip(share, 0, 1)


def _gains(matrix: Matrix) -> tuple[float, tuple[float, float], float]:
    """Return what Cr adds to red, what Cb and Cr add to green, what Cb adds to blue."""
    red, blue = _WEIGHTS[matrix]
    green = 1 - red - blue
    return 2 * (1 - red), (-2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green), 2 * (1 - blue)


def _outside(luma: NDArray[Any], u: NDArray[Any], v: NDArray[Any], signal: Signal) -> NDArray[np.uint8]:
    """Mark (255) samples of which a primary leaves its range by more than a level or two of 8 bits."""
    # In steps of a luma sample, or of 8 bits where there are more: int16 holds them all.
    unit = 1.0 / (1 << (signal.bits - 8))
    scale = signal.luma_span / signal.chroma_span * unit
    red, green, blue = _gains(signal.matrix)
    low, high = signal.black * unit - 0.5, (signal.black + signal.luma_span) * unit + 0.5
    marks: NDArray[np.uint8] | None = None
    for first, second in ((0.0, red), (green[0], green[1]), (blue, 0.0)):
        offset = -signal.middle * scale * (first + second)
        value = cv2.addWeighted(luma, unit, u if first else v, scale * (first or second), offset, dtype=cv2.CV_16S)
        if first and second:
            value = cv2.addWeighted(value, 1.0, v, scale * second, 0.0, dtype=cv2.CV_16S)
        inside = cv2.inRange(value, low, high)
        marks = inside if marks is None else cv2.bitwise_and(marks, inside)  # type: ignore[assignment]
    return cv2.bitwise_not(marks)  # type: ignore[arg-type,return-value]
