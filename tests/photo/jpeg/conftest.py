"""Grey JPEGs of every kind, made by the encoders at hand."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

KINDS = ["baseline", "optimized", "progressive", "restarts", "coarse", "pillow"]


def textured(height: int, width: int, seed: int = 1) -> np.ndarray:
    """A picture (height, width) uint8 that fills the range and holds edges."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.normal(0, 60, (height, width)).astype(np.float32), (0, 0), 1.2)
    shade = np.linspace(0, 255, width)[None, :] + 60 * np.sign(np.sin(np.arange(height) / 5))[:, None]
    return np.clip(noise.reshape(height, width) + shade, 0, 255).astype(np.uint8)


def grey_jpeg(kind: str, picture: np.ndarray) -> bytes:
    wanted = {
        "baseline": [],
        "optimized": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
        "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
        "coarse": [cv2.IMWRITE_JPEG_QUALITY, 30, cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 1],
    }
    if kind == "pillow":
        buffer = io.BytesIO()
        exif = Image.Exif()
        exif[0x010E] = "a caption"
        Image.fromarray(picture).save(buffer, "JPEG", quality=88, dpi=(300, 300), comment=b"hello", exif=exif)
        return buffer.getvalue()
    return cv2.imencode(".jpg", picture, wanted[kind])[1].tobytes()


def as_grey(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)


def as_colour(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def chroma(height: int, width: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    small = random.integers(90, 166, (2, 4, 5), dtype=np.uint8)
    cb, cr = (cv2.resize(plane, (width, height)) for plane in small)
    return cb, cr


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest) -> bytes:
    return grey_jpeg(request.param, textured(75, 101))
