"""What of a picture was left out or guessed by its decoders without a word, for a person to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from PIL import Image

from pipeline.media.photo import fits, png
from pipeline.media.photo.decoders import AVIF, HEIC, JPEG, PNG, Format
from pipeline.media.photo.directories import DAMAGE

_HDR: Final = "its brightness beyond white (HDR) is taken for that of an ordinary picture"
_LIMITED: Final = "its black and white are those of video, and left so"
_PQ, _HLG = 16, 18  # transfer characteristics (ITU-T H.273, table 3)
# Primaries and transfer, two bytes each (ISO 14496-12, 12.1.5).
_COLOUR: Final = re.compile(rb"colrnclx..\0(.)", re.DOTALL)
_HEAD: Final = 1 << 16


def notes(image: Image.Image | None, format: Format, data: bytes) -> Iterator[str]:
    """Yield what is to be said of a picture that is no TIFF, as phrases.

    Args:
        image: it, opened by Pillow; None where Pillow can't.
        format: of it.
        data: the whole file.
    """
    if image is not None and (frames := _frames(image)) > 1:
        yield f"first of {frames} frames"
    if image is not None and format is JPEG and image.mode == "CMYK" and "adobe" not in image.info:
        yield "its inks are taken as inverted, as most programs write them: it does not say"
    if image is not None and image.format == "PSD" and int.from_bytes(data[12:14], "big") > len(image.getbands()):
        yield "channels beside the colours (masks, transparency) were left out"
    if image is not None and image.format == "FITS" and (planes := fits.planes(data)) > 1:
        yield f"first of {planes} planes"
    if format is PNG and (said := png.coding(data)):
        yield from [_HDR] * (said[1] in (_PQ, _HLG)) + [_LIMITED] * (said[3] == 0)
    if format in (AVIF, HEIC) and any(each[0] in (_PQ, _HLG) for each in _COLOUR.findall(data[:_HEAD])):
        yield _HDR


def _frames(image: Image.Image) -> int:
    if image.format == "MPO":  # a preview or the second eye; the first picture is the photograph
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except DAMAGE:
        return 1
