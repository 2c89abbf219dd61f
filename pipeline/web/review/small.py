"""Pictures at a small size, as they are looked at: read once, in sRGB, with what a net sees of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.colour.lightness import net_lightness
from pipeline.colour.recipe import as_shown
from pipeline.colour.tones import Tones
from pipeline.ground.pixels import eight_bits
from pipeline.ground.settings import Settings
from pipeline.media.photo.profile import coloured, tones
from pipeline.media.photo.read import read
from pipeline.web.gallery.rendition import in_srgb, opaque

_QUALITY: Final = 88


@dataclass(frozen=True, slots=True)
class Small:
    """A picture that was read.

    Attributes:
        pixels: uint8, BGR (H, W, 3) or grey (H, W), upright and small.
        profile: ICC, of `pixels` in colour.
        tones: their tone curve, where it is far from sRGB's.
        lightness: what a net sees of the whole picture, by the side of its input: float32 (S, S), 0..100.
    """

    pixels: NDArray[np.uint8]
    profile: bytes
    lightness: Mapping[int, NDArray[np.float32]]
    tones: Tones | None = None

    def shown(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring pixels that are made of these to sRGB: uint8 RGB (H, W, 3)."""
        rgb = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return np.asarray(in_srgb(Image.fromarray(rgb), self.profile).convert("RGB"))


def read_small(source: Path, settings: Settings, side: int, sizes: Iterable[int]) -> Small:
    """Read a picture.

    Args:
        source: the original.
        settings: how large it may be, and whether a damaged one is taken.
        side: longest side of what is kept, in pixels.
        sizes: sides of the inputs of nets that are to see it.

    Raises:
        ItemError, FileNotFoundError: as `read`.
    """
    picture = read(source, max_megapixels=settings.max_megapixels, damaged=settings.on_damage == "done")
    seen, curve = eight_bits(picture.pixels), tones(picture.profile, settings)
    looks = seen if curve is None else as_shown(picture.pixels, curve)
    lightness = {size: net_lightness(looks, size) for size in set(sizes)}
    pixels, scale = opaque(seen, picture.alpha), side / max(seen.shape[:2])
    if scale < 1:
        small = max(1, round(seen.shape[1] * scale)), max(1, round(seen.shape[0] * scale))
        pixels = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
    return Small(pixels, coloured(picture.profile), lightness, curve)


def read_poster(source: Path, side: int, sizes: Iterable[int]) -> Small:
    """Read a film's poster, the rest as `read_small`; raises `ItemError` where no frame of it can be decoded."""
    from pipeline.web.gallery.poster import poster

    frames, _ = poster(source, side)
    pixels = np.ascontiguousarray(np.asarray(frames[0].convert("RGB"))[:, :, ::-1])
    return Small(pixels, b"", {size: net_lightness(pixels, size) for size in set(sizes)})


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Encode RGB (H, W, 3) uint8."""
    data: bytes = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return data
