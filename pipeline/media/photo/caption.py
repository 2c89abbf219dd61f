"""A line of text in a white band below a picture: that it was colorized can then be seen on a print, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.ground.errors import SettingsError

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
# Of the picture's shorter side; and pixels, below which nobody reads it.
_TEXT_SHARE: Final = 0.03
_LEAST: Final = 9
_BAND: Final = 1.8  # its height in heights of the text
_UNKNOWN: Final = "\uffff"  # drawn as the font draws what it doesn't have


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands below a picture.

    Attributes:
        text: one line; empty: nothing stands there.
        font: path of a TrueType or OpenType font; empty: Pillow's own, which has letters without accents alone.
    """

    text: str
    font: str = ""

    def at(self, size: float) -> _Font:
        """Return its font at a size in pixels. Raises `OSError` where its file is none, or can't be read."""
        return ImageFont.truetype(self.font, size) if self.font else ImageFont.load_default(size)


def check_caption(caption: Caption) -> None:
    """Raise `SettingsError` where a caption is more than a line, or its font is none or lacks one of the letters."""
    text = caption.text
    if any(not letter.isprintable() for letter in text):
        raise SettingsError("caption: it is one line of text, without control characters.")
    try:
        font = caption.at(20)
    except (OSError, ValueError) as error:
        raise SettingsError(f"caption_font: {caption.font} cannot be read as a font: {error}.") from None
    if not isinstance(font, ImageFont.FreeTypeFont):
        lacking = sorted({letter for letter in text if ord(letter) > 255})
    else:
        box = _drawn(font, _UNKNOWN)
        lacking = sorted({letter for letter in text if not letter.isspace() and _drawn(font, letter) == box})
    if lacking:
        raise SettingsError(f"caption: its font has no {' '.join(lacking[:5])}; --caption-font names one that has.")


def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> bytes:
    return bytes(font.getmask(letter))


def band_height(width: int, height: int) -> int:
    """Return how many rows the band of a picture of this size has."""
    return round(_BAND * _size(width, height))


def _size(width: int, height: int) -> int:
    return max(_LEAST, round(_TEXT_SHARE * min(width, height)))


def captioned(pixels: NDArray[Any], caption: Caption) -> NDArray[Any]:
    """Return a picture with the band below, in which the text stands, as large as the width allows.

    Args:
        pixels: uint8 or uint16, (H, W) or (H, W, 3).
        caption: that `check_caption` let pass.

    Returns:
        The same dtype, (H + `band_height`, W) or with 3 channels.
    """
    height, width = pixels.shape[:2]
    band = _band(caption, width, _size(width, height), band_height(width, height)).astype(pixels.dtype)
    band *= np.iinfo(pixels.dtype).max // 255
    return np.concatenate([pixels, band if pixels.ndim == 2 else np.dstack([band] * 3)])


def _band(caption: Caption, width: int, size: int, height: int) -> NDArray[np.uint8]:
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)
    text, font = caption.text, caption.at(size)
    room = width - size
    if (needed := draw.textlength(text, font)) > room > 0:
        font = caption.at(max(1.0, size * room / needed))
    draw.text((size / 2, height / 2), text, fill=0, font=font, anchor="lm" if _scales(font) else None)
    return np.asarray(image)


def _scales(font: object) -> bool:
    return isinstance(font, ImageFont.FreeTypeFont)
