"""The tone curve of a picture whose numbers are not sRGB: what a net is shown of it, how colour is coded in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.lightness import grey_lightness

Floats = NDArray[np.float32]

# Steps between black and white at which a curve is known.
STEPS: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """What the numbers of a picture mean.

    Attributes:
        light: float32 (256,), never falling: linear light, 0..1, of the numbers 0 to 255, or their like in 16 bits.
    """

    light: Floats

    def seen(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Return what a picture looks like, in sRGB.

        Args:
            pixels: uint8 or uint16, any shape; of colour, each channel has this curve.
        """
        whole = np.linspace(0, STEPS - 1, int(np.iinfo(pixels.dtype).max) + 1, dtype=np.float32)
        table = np.rint(255 * in_srgb(np.interp(whole, np.arange(STEPS), self.light))).astype(np.uint8)
        return np.take(table, pixels)

    def lightness_of(self, luma: Floats) -> Floats:
        """Return the Lab lightness, 0..100, of greys: float32, any shape, 0..255."""
        looks = 255 * in_srgb(np.interp(luma, np.arange(STEPS), self.light))
        lightness: Floats = np.interp(looks, np.arange(256), grey_lightness()).astype(np.float32)
        return lightness

    def numbers_of(self, light: NDArray[np.floating[Any]]) -> Floats:
        """Return the numbers, float32, 0..255, of linear light of any shape."""
        numbers: Floats = np.interp(light, self.light, np.arange(STEPS)).astype(np.float32)
        return numbers


def in_srgb(light: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return sRGB, 0..1, of linear light, 0..1 (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)


def apart(light: Floats) -> float:
    """Return by how much lightness lies from sRGB's, 0..100, on average over the numbers from black to white."""
    return float(np.abs(Tones(light).lightness_of(np.arange(STEPS, dtype=np.float32)) - grey_lightness()).mean())
