"""A linear picture gets the colours that the same picture has in sRGB, in every format, and keeps its luma."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.conftest import landscape
from tests.media.conftest import Make
from tests.photo.test_profile import gamma, grey_profile

SHOWN = landscape(2, 120, 160)
LINEAR = np.rint(255 * np.where(SHOWN <= 10, SHOWN / 255 / 12.92, ((SHOWN / 255 + 0.055) / 1.055) ** 2.4))
LINEAR = LINEAR.astype(np.uint8)


def encoded(pixels: np.ndarray, format: str, profile: bytes) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels if format != "webp" else np.dstack([pixels] * 3))
    how = {"quality": 98} if format == "jpeg" else {"lossless": True} if format == "webp" else {}
    image.save(buffer, format, **how, **({"icc_profile": profile} if profile else {}))  # type: ignore[arg-type]
    return buffer.getvalue()


def ab(path: Path) -> np.ndarray:
    """The colours that are seen, smoothed over what a format codes coarsely: (H, W, 2)."""
    with Image.open(path) as image:
        profile, shown = image.info.get("icc_profile"), image.convert("RGB")
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        shown = ImageCms.profileToProfile(shown, source, ImageCms.createProfile("sRGB"), 1) or shown
    return cv2.blur(cv2.cvtColor(np.asarray(shown).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[:, :, 1:], (9, 9))


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "gamma"])
def test_colours_are_those_of_the_picture_in_srgb(make: Make, format: str) -> None:
    if format == "gamma":
        data = encoded(LINEAR, "png", b"")
        body = b"gAMA" + struct.pack(">I", 100000)
        data = data[:33] + b"\0\0\0\4" + body + zlib.crc32(body).to_bytes(4, "big") + data[33:]
    else:
        data = encoded(LINEAR, format, grey_profile(gamma(1.0)))
    suffix = {"jpeg": "jpg", "tiff": "tif"}.get(format, "png")
    result, made = make(data, f"linear.{suffix}")
    plain, usual = make(encoded(SHOWN, "png", b""), "plain.png")
    apart = np.hypot(*np.moveaxis(ab(made) - ab(usual), 2, 0))[SHOWN > 60]
    assert apart.mean() < 2
    assert np.hypot(*np.moveaxis(ab(usual), 2, 0)).mean() > 4  # there are colours at all
    assert result.seen.doubt == pytest.approx(plain.seen.doubt, abs=5)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    luma = np.asarray(Image.open(made).convert("YCbCr" if suffix == "jpg" else "L"))
    luma = luma[:, :, 0] if luma.ndim == 3 else luma
    assert np.abs(luma.astype(int) - decoded).max() <= (1 if suffix == "jpg" else 0)
