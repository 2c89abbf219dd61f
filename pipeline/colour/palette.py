"""Palettes: what is done to a net's answer before it is put to a picture.

The numbers were set on 550 held-out photographs of the embedded net's training (`models/training/LOG.md`), none of them
a measuring one. They are applied to whatever net is asked; "plain" is a net's own answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.calm import calmed
from pipeline.nets.engine import Engine
from pipeline.nets.net import Net
from pipeline.nets.spec import NetSpec

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Palette:
    """One way to treat an answer, in the order of its steps.

    Attributes:
        stretch: the net sees the lightness with its 1st and 99th percentile at 3 and 97: faded pictures.
        calm: how far the chroma of smooth surfaces is drawn to their mean, 0..1 (`colour.calm`).
        cast: share of the picture's mean ab that is taken out.
        curve: chroma c becomes c (c / 15) ** curve: what is pale becomes paler, whites become white.
        gain: factor on chroma.
        reds: share that is left of what red and purple chroma has above 12: unsure reds become browns.
    """

    stretch: bool = False
    calm: float = 0.0
    cast: float = 0.0
    curve: float = 0.0
    gain: float = 1.0
    reds: float = 1.0


PALETTES: Final = {
    "natural": Palette(calm=0.7, cast=0.15, curve=0.2, gain=0.88),
    "restrained": Palette(stretch=True, calm=0.7, cast=0.15, curve=0.2, gain=0.88, reds=0.3),
    "vivid": Palette(calm=0.7, cast=0.15, curve=0.2, gain=1.04),
    "plain": Palette(),
}

_MIDDLE: Final = 15.0
_KNEE: Final = 12.0
# Degrees: nothing, all, all, nothing. Skin begins at 45.
_REDS: Final = (-60.0, -50.0, 38.0, 48.0)
# A picture with less than this between its percentiles is a blank sheet; more would make a drawing of its grain.
_LEAST_SPAN: Final = 20.0


@dataclass(frozen=True, slots=True)
class WithPalette:
    """A net whose answers are treated (implements `Net`)."""

    net: Net
    palette: Palette

    @property
    def spec(self) -> NetSpec:
        """What the net is."""
        return self.net.spec

    @property
    def engine(self) -> Engine:
        """What runs it."""
        return self.net.engine

    def predict(self, lightness: Floats) -> Floats:
        """See `Net.predict`."""
        seen = stretched(lightness) if self.palette.stretch else lightness
        return treated(self.net.predict(seen), lightness, self.palette)


def with_palette(net: Net, name: str) -> Net:
    """Return `net` with its answers treated by the palette `name`; "plain" is the very net."""
    return net if name == "plain" else WithPalette(net, PALETTES[name])


def repainted(net: Net, name: str) -> Net:
    """Return what `with_palette` loaded under another palette."""
    return with_palette(net.net if isinstance(net, WithPalette) else net, name)


def treated(ab: Floats, lightness: Floats, palette: Palette) -> Floats:
    """Treat an answer.

    Args:
        ab: float32 (h, w, 2), Lab units, of any size.
        lightness: float32 (S, S), 0..100, of the picture as it is.
        palette: how.

    Returns:
        float32 (h, w, 2).
    """
    if palette.calm:
        ab = calmed(ab, lightness, palette.calm)
    ab = ab - np.float32(palette.cast) * ab.mean(axis=(0, 1), keepdims=True)
    chroma = np.hypot(ab[:, :, 0], ab[:, :, 1])
    curved = (np.maximum(chroma, 1e-3) / _MIDDLE) ** palette.curve
    factor: Floats = (palette.gain * curved).astype(np.float32)
    if palette.reds < 1:
        factor = factor * _knee(ab, chroma * factor, palette.reds)
    result: Floats = (ab * factor[:, :, np.newaxis]).astype(np.float32)
    return result


def _knee(ab: Floats, chroma: Floats, left: float) -> Floats:
    """Return the factor 0..1 on chroma (h, w) that leaves of a red's chroma above the knee the share `left`."""
    hue = np.degrees(np.arctan2(ab[:, :, 1], ab[:, :, 0]))
    red = np.interp(hue, _REDS, (0, 1, 1, 0)).astype(np.float32)
    over = np.maximum(chroma - np.float32(_KNEE), 0)
    factor: Floats = 1 - red * np.float32(1 - left) * over / np.maximum(chroma, np.float32(_KNEE))
    return factor


def stretched(lightness: Floats) -> Floats:
    """Return lightness (S, S), 0..100, with its 1st and 99th percentile at 3 and 97."""
    low, high = np.percentile(lightness, (1, 99))
    scale = 94 / max(high - low, _LEAST_SPAN)
    result: Floats = np.clip((lightness - low) * scale + 3, 0, 100).astype(np.float32)
    return result
