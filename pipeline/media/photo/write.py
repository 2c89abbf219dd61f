"""One picture to bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.pixels import eight_bits
from pipeline.media.photo.encode import encoded

Sample = TypeVar("Sample", np.uint8, np.uint16)

SUFFIXES: Final = {"jpg": ".jpg", "png": ".png", "tif": ".tif", "webp": ".webp"}
# What a name says of the format in it. Everything else (PGM, BMP, GIF, JPEG 2000, no suffix) has PNG as its home.
FORMATS: Final = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".jif"), "jpg"),
    ".png": "png",
    **dict.fromkeys((".tif", ".tiff"), "tif"),
    ".webp": "webp",
}
# How a TIFF's samples are compressed (TIFF 6.0, page 30): 8 is Adobe's Deflate, 32946 the older number of the same.
LZW: Final = 5
DEFLATE: Final = (8, 32946)
_COMPRESSIONS: Final = {1: 1, LZW: LZW, **dict.fromkeys(DEFLATE, 8), 32773: 32773}
_PREDICTED: Final = (LZW, 8)
NONE: Final = 1
# Pixels of the middle on which a compression is tried; so few samples tell nothing; bytes of a TIFF around its strips.
_TRIED, _FEW, _FRAME = 1 << 18, 1 << 14, 2048
# Longest side: JPEG_MAX_DIMENSION of libjpeg, WEBP_MAX_DIMENSION of libwebp, PNG_USER_WIDTH_MAX of libpng.
_LONGEST: Final = {"jpg": 65500, "webp": 16383, "png": 1_000_000}


def encode(
    pixels: NDArray[Sample],
    format: str,
    quality: int = 95,
    alpha: NDArray[Sample] | None = None,
    *,
    compression: int = LZW,
    strip: int = 0,
    lossless: bool = False,
    extra: Mapping[str, bytes] | None = None,
) -> memoryview:
    """Encode a picture.

    JPEG: baseline, chroma at full size (4:4:4), since chroma is what we made. PNG: zlib level 1. TIFF: LZW and
    Deflate with horizontal differencing. WebP: method 2, half the time of the default at the same size.

    Args:
        pixels: uint8 BGR (H, W, 3) or grey (H, W); uint16 in PNG and TIFF, and 8 bits of it in JPEG and WebP.
        format: "jpg", "png", "tif" or "webp".
        quality: 1 to 100, of JPEG and WebP.
        alpha: of the same dtype, (H, W), its maximum is opaque; dropped by JPEG, which has none.
        compression: of TIFF, the number in its tag: none, LZW, Deflate or PackBits; all others become LZW.
        strip: rows of a TIFF's strips; 0 leaves that to OpenCV.
        lossless, extra: of WebP: every pixel kept; `exif`, `xmp` and `icc_profile`, empty for none.

    Returns:
        The file's bytes.

    Raises:
        ItemError: the picture is too large for the format, or the encoder refuses it.
        ValueError: unknown format.
    """
    if format not in SUFFIXES:
        raise ValueError(f"unknown format {format!r}")
    check_size(pixels.shape[1], pixels.shape[0], format)
    if format == "webp":
        return _webp(eight_bits(pixels), quality, None if alpha is None else eight_bits(alpha), lossless, extra or {})
    if format == "jpg":
        return _encoded(eight_bits(pixels), format, quality)
    return _encoded(pixels if alpha is None else with_alpha(pixels, alpha), format, quality, compression, strip)


def middle(pixels: NDArray[Sample]) -> NDArray[Sample]:
    """Return the rows of a picture's middle on which a compression is tried."""
    rows = max(1, _TRIED // pixels.shape[1])
    top = max(0, (pixels.shape[0] - rows) // 2)
    return pixels[top : top + rows]


def worthwhile(rows: NDArray[Sample], compression: int) -> int:
    """Return a TIFF's compression, or that of none where it would make the picture larger than it is without.

    LZW does so with the grain of a 16-bit scan, and takes four times as long for it.

    Args:
        rows: uint8 or uint16 (h, W, 3) or (h, W), of the picture as it is to be written.
        compression: as in `encode`.
    """
    if rows.size < _FEW or _COMPRESSIONS.get(compression, LZW) == NONE:
        return compression
    return NONE if len(_encoded(rows, "tif", 0, compression)) > rows.nbytes + _FRAME else compression


def check_size(width: int, height: int, format: str) -> None:
    """Raise `ItemError` where a format cannot hold a picture so large."""
    if max(height, width) > _LONGEST.get(format, max(height, width)):
        raise ItemError(
            f"too large for {format}: {width} x {height}, and its longest side is {_LONGEST[format]} pixels; "
            f"choose format {'tif' if max(height, width) > _LONGEST['png'] else 'png or tif'}",
            Cause.FORMAT_LIMIT,
        )


def _encoded(pixels: NDArray[Sample], format: str, quality: int, compression: int = LZW, strip: int = 0) -> memoryview:
    kind = _COMPRESSIONS.get(compression, LZW)
    parameters = {
        "jpg": [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
        "tif": [cv2.IMWRITE_TIFF_COMPRESSION, kind, cv2.IMWRITE_TIFF_PREDICTOR, 2 if kind in _PREDICTED else 1],
    }[format]
    if strip and format == "tif":
        parameters += [cv2.IMWRITE_TIFF_ROWSPERSTRIP, strip]
    failure = ItemError(f"cannot be encoded as {format}", Cause.FORMAT_LIMIT)
    return memoryview(encoded(SUFFIXES[format], pixels, parameters, failure)).cast("B")  # type: ignore[arg-type]


def with_alpha(pixels: NDArray[Sample], alpha: NDArray[Sample]) -> NDArray[Sample]:
    """Return BGRA (H, W, 4) of grey or BGR and alpha."""
    colour = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels
    blue, green, red = cv2.split(colour)
    return cv2.merge((blue, green, red, alpha))  # type: ignore[return-value]


def _webp(
    pixels: NDArray[np.uint8],
    quality: int,
    alpha: NDArray[np.uint8] | None,
    lossless: bool,
    extra: Mapping[str, bytes],
) -> memoryview:
    if alpha is not None:
        ordered = cv2.cvtColor(with_alpha(pixels, alpha), cv2.COLOR_BGRA2RGBA)
    else:
        ordered = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB)
    buffer, kept = io.BytesIO(), {name: value for name, value in extra.items() if value}
    try:
        Image.fromarray(ordered).save(
            buffer, "WEBP", quality=quality, method=2, lossless=lossless, exact=lossless, **kept
        )
    except (OSError, ValueError) as error:
        raise ItemError(f"cannot be encoded as webp: {error}", Cause.FORMAT_LIMIT) from None
    return buffer.getbuffer()
