"""Palettes: what is done to a net's answer before it is put to a picture.

The numbers were set on 550 held-out photographs of the embedded net's training (`models/training/LOG.md`), none of them
a measuring one. They are applied to whatever net is asked; "plain" is a net's own answer. The answer of a net that says
how sure it is (`nets.prediction.Guess`) is moved by a chart, to where the truth is found for what is answered so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.calm import calmed
from pipeline.colour.chart import chart, charted
from pipeline.nets.net import Around, Net, guessed
from pipeline.nets.prediction import Guess

Floats = NDArray[np.float32]


# Spreads, in Lab units, for which `Palette.unsure_reds` is told; a straight line lies between two of them.
SPREADS: Final = (6.0, 9.0, 11.0, 13.0, 16.0, 20.0, 28.0)


@dataclass(frozen=True, slots=True)
class Palette:
    """One way to treat an answer, in the order of its steps.

    Attributes:
        stretch: the net sees the lightness with its 1st and 99th percentile at 3 and 97: faded pictures.
        calm: how far the chroma of smooth surfaces is drawn to their mean, 0..1 (`colour.calm`).
        cast: share of the picture's mean ab that is taken out.
        curve: chroma c becomes c (c / 15) ** curve: what is pale becomes paler, whites become white.
        gain: factor on chroma.
        reds: share that is left of what red and purple chroma has above 12: they become browns.
        chart: of a net that says how sure it is, the answer is moved by this chart (`colour.chart`) instead of by curve
            and gain; empty: as of any other net.
        unsure_reds: in place of `reds` then, at each of `SPREADS`.
    """

    stretch: bool = False
    calm: float = 0.0
    cast: float = 0.0
    curve: float = 0.0
    gain: float = 1.0
    reds: float = 1.0
    chart: str = ""
    unsure_reds: tuple[float, ...] = (1.0,) * len(SPREADS)


PALETTES: Final = {
    "natural": Palette(
        calm=0.7, cast=0.15, curve=0.2, gain=0.88, chart="natural", unsure_reds=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1)
    ),
    "restrained": Palette(
        stretch=True, calm=0.7, cast=0.15, curve=0.2, gain=0.88, reds=0.3, chart="restrained",
        unsure_reds=(1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.1),
    ),
    "vivid": Palette(
        calm=0.7, cast=0.15, curve=0.2, gain=1.04, chart="vivid", unsure_reds=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.4)
    ),
    "plain": Palette(),
}  # fmt: skip

_MIDDLE: Final = 15.0
_RED_KNEE: Final = 12.0
# Degrees: nothing, all, all, nothing. Skin begins at 45.
_REDS: Final = (-60.0, -50.0, 38.0, 48.0)
# A picture with less than this between its percentiles is a blank sheet; more would make a drawing of its grain.
_LEAST_SPAN: Final = 20.0


@dataclass(frozen=True, slots=True)
class WithPalette(Around):
    """A net whose answers are treated (implements `GuessingNet`)."""

    net: Net
    palette: Palette

    def predict(self, lightness: Floats) -> Floats:
        """See `Net.predict`."""
        return self.guess(lightness).ab

    def guess(self, lightness: Floats) -> Guess:
        """See `GuessingNet.guess`; the spread is the net's own."""
        guess = guessed(self.net, stretched(lightness) if self.palette.stretch else lightness)
        return Guess(treated(guess, lightness, self.palette), guess.spread)


def with_palette(net: Net, name: str) -> Net:
    """Return `net` with its answers treated by the palette `name`; "plain" is the very net."""
    return net if name == "plain" else WithPalette(net, PALETTES[name])


def repainted(net: Net, name: str) -> Net:
    """Return what `with_palette` loaded under another palette."""
    return with_palette(net.net if isinstance(net, WithPalette) else net, name)


def chart_digest(name: str) -> str:
    """Return a short hash of the chart that the palette `name` moves colours by, and of its other steps.

    Empty: it has no chart. What other nets get is known by the palette's name alone.
    """
    by = PALETTES[name]
    numbers = repr((by.stretch, by.calm, by.cast, by.unsure_reds)).encode()
    return hashlib.sha256(numbers + chart(by.chart).tobytes()).hexdigest()[:16] if by.chart else ""


def treated(guess: Guess, lightness: Floats, palette: Palette) -> Floats:
    """Treat an answer.

    Args:
        guess: of any size.
        lightness: float32 (S, S), 0..100, of the picture as it is.
        palette: how.

    Returns:
        ab, float32 (h, w, 2), Lab units.
    """
    ab, spread = _calm(guess, lightness, palette.calm) if palette.calm else guess
    ab = ab - np.float32(palette.cast) * ab.mean(axis=(0, 1), keepdims=True)
    if palette.chart and spread is not None:
        ab = charted(ab, spread, chart(palette.chart))
        left: Floats = np.interp(spread, SPREADS, palette.unsure_reds).astype(np.float32)
        factor = _red_knee(ab, np.hypot(ab[:, :, 0], ab[:, :, 1]), left)
    else:
        chroma = np.hypot(ab[:, :, 0], ab[:, :, 1])
        factor = ((np.maximum(chroma, 1e-3) / _MIDDLE) ** palette.curve).astype(np.float32)
        factor *= np.float32(palette.gain) * _red_knee(ab, chroma * factor * palette.gain, palette.reds)
    result: Floats = (ab * factor[:, :, np.newaxis]).astype(np.float32)
    return result


def _calm(guess: Guess, lightness: Floats, strength: float) -> Guess:
    """Calm planes, of the spread too: or it would mottle what it is to be a measure for."""
    if guess.spread is None:
        return Guess(calmed(guess.ab, lightness, strength), None)
    both = calmed(np.dstack((guess.ab, guess.spread)), lightness, strength)
    return Guess(both[:, :, :2], both[:, :, 2])


def _red_knee(ab: Floats, chroma: Floats, left: Floats | float) -> Floats:
    """Return the factor 0..1 on the chroma of reds and purples (h, w), 1 for other hues."""
    hue = np.degrees(np.arctan2(ab[:, :, 1], ab[:, :, 0]))
    red: Floats = np.interp(hue, _REDS, (0, 1, 1, 0)).astype(np.float32)
    return _knee(chroma, _RED_KNEE, 1 - red * (1 - np.asarray(left, np.float32)))


def _knee(chroma: Floats, above: float, left: Floats) -> Floats:
    """Return the factor 0..1 on chroma (h, w) that leaves the share `left` (h, w) of what lies above a number."""
    over = np.maximum(chroma - np.float32(above), 0)
    factor: Floats = 1 - (1 - left) * over / np.maximum(chroma, np.float32(above))
    return factor


def stretched(lightness: Floats) -> Floats:
    """Return lightness (S, S), 0..100, with its 1st and 99th percentile at 3 and 97."""
    low, high = np.percentile(lightness, (1, 99))
    scale = 94 / max(high - low, _LEAST_SPAN)
    result: Floats = np.clip((lightness - low) * scale + 3, 0, 100).astype(np.float32)
    return result
