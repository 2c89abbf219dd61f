"""One picture to bytes."""

from __future__ import annotations

import io
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import Cause, ItemError

SUFFIXES: Final = {"jpg": ".jpg", "png": ".png", "tif": ".tif", "webp": ".webp"}
# Longest side: JPEG_MAX_DIMENSION of libjpeg, WEBP_MAX_DIMENSION of libwebp, PNG_USER_WIDTH_MAX of libpng.
_LONGEST: Final = {"jpg": 65500, "webp": 16383, "png": 1_000_000}


def encode(
    pixels: NDArray[np.uint8], format: str, quality: int = 95, alpha: NDArray[np.uint8] | None = None
) -> memoryview:
    """Encode a picture.

    JPEG: baseline, chroma at full size (4:4:4), since chroma is what we made. PNG: zlib level 1. TIFF: LZW with
    horizontal differencing. WebP: method 2, half the time of the default at the same size.

    Args:
        pixels: uint8 BGR (H, W, 3) or grey (H, W).
        format: "jpg", "png", "tif" or "webp".
        quality: 1 to 100, of JPEG and WebP.
        alpha: uint8 (H, W), 255 opaque; dropped by JPEG, which has none.

    Returns:
        The file's bytes.

    Raises:
        ItemError: the picture is too large for the format, or the encoder refuses it.
        ValueError: unknown format.
    """
    if format not in SUFFIXES:
        raise ValueError(f"unknown format {format!r}")
    height, width = pixels.shape[:2]
    if max(height, width) > _LONGEST.get(format, max(height, width)):
        raise ItemError(
            f"too large for {format}: {width} x {height}, and its longest side is {_LONGEST[format]} pixels; "
            f"choose format {'tif' if max(height, width) > _LONGEST['png'] else 'png or tif'}",
            Cause.FORMAT_LIMIT,
        )
    if format == "webp":
        return _webp(pixels, quality, alpha)
    parameters = {
        "jpg": [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
        "tif": [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, 2],
    }[format]
    if alpha is not None and format != "jpg":
        pixels = _with_alpha(pixels, alpha)
    try:
        fine, encoded = cv2.imencode(SUFFIXES[format], pixels, parameters)
    except cv2.error as error:
        raise ItemError(f"cannot be encoded as {format}: {error.err}", Cause.FORMAT_LIMIT) from None
    if not fine:
        raise ItemError(f"cannot be encoded as {format}", Cause.FORMAT_LIMIT)
    return memoryview(encoded).cast("B")  # type: ignore[arg-type]


def _with_alpha(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colour = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels
    blue, green, red = cv2.split(colour)
    return cv2.merge((blue, green, red, alpha))  # type: ignore[return-value]


def _webp(pixels: NDArray[np.uint8], quality: int, alpha: NDArray[np.uint8] | None) -> memoryview:
    if alpha is not None:
        ordered = cv2.cvtColor(_with_alpha(pixels, alpha), cv2.COLOR_BGRA2RGBA)
    else:
        ordered = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB)
    buffer = io.BytesIO()
    try:
        Image.fromarray(ordered).save(buffer, "WEBP", quality=quality, method=2)
    except (OSError, ValueError) as error:
        raise ItemError(f"cannot be encoded as webp: {error}", Cause.FORMAT_LIMIT) from None
    return buffer.getbuffer()
