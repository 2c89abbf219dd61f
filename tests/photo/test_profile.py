"""Grey profiles become RGB ones of the same tones, as LittleCMS sees them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.ground.settings import Settings
from pipeline.media.photo.profile import coloured, of_gamma, tones

GREYS = np.arange(256, dtype=np.uint8)[None, :]


def grey_profile(curve: bytes, space: bytes = b"XYZ ", version: bytes = b"\x02\x10\0\0") -> bytes:
    """A grey ICC profile with this tone curve, as scanners' software writes them."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    name = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"grey\0" + bytes(78)
    parts = {b"desc": name + bytes(-len(name) % 4), b"wtpt": white, b"kTRC": curve + bytes(-len(curve) % 4)}
    table, body, at = b"", b"", 128 + 4 + 12 * len(parts)
    for tag, part in parts.items():
        table += struct.pack(">4sII", tag, at + len(body), len(part))
        body += part
    head = (at + len(body)).to_bytes(4, "big") + bytes(4) + version + b"mntrGRAY" + space + bytes(12) + b"acsp"
    head += bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D) + bytes(48)
    return head + len(parts).to_bytes(4, "big") + table + body


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(value * 256).to_bytes(2, "big")


def dot_gain(gain: float) -> bytes:
    ramp = np.linspace(0, 1, 256)
    values = 1 - np.clip((1 - ramp) + 4 * gain * (1 - ramp) * ramp, 0, 1)
    return b"curv\0\0\0\0" + (256).to_bytes(4, "big") + np.round(values * 65535).astype(">u2").tobytes()


def lightness(profile: bytes, mode: str) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    image = Image.fromarray(GREYS).convert(mode)
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("LAB"), mode, "LAB", 1)
    return np.asarray(ImageCms.applyTransform(image, transform))[0].astype(int)


@pytest.mark.parametrize("curve", [gamma(1.8), gamma(2.2), dot_gain(0.2)], ids=["1.8", "2.2", "20"])
def test_all_256_greys_keep_their_lightness(curve: bytes) -> None:
    grey = grey_profile(curve)
    made = coloured(grey)
    before, after = lightness(grey, "L"), lightness(made, "RGB")
    assert np.abs(before[:, 0] - after[:, 0]).max() <= 1
    assert np.abs(before[:, 0] - after[:, 0]).mean() < 0.05
    assert set(np.unique(after[:, 1:])) <= {0, 1, 255, -1, 128}  # neutral
    assert coloured(grey) == made


def test_rgb_stays_and_what_cannot_be_is_empty() -> None:
    rgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert coloured(rgb) == rgb
    assert coloured(grey_profile(gamma(1.8), b"Lab ")) == b""
    assert coloured(b"") == b""
    whole = grey_profile(gamma(2.2))
    for cut in range(0, len(whole), 7):
        coloured(whole[:cut])


def table(power: float, count: int) -> bytes:
    values = np.round(np.linspace(0, 1, count) ** power * 65535).astype(">u2")
    return b"curv\0\0\0\0" + count.to_bytes(4, "big") + values.tobytes()


def parametric(kind: int, *numbers: float) -> bytes:
    values = np.round(np.array(numbers) * 65536).astype(">i4")
    return b"para\0\0\0\0" + kind.to_bytes(2, "big") + b"\0\0" + values.tobytes()


FAR = {
    "identity": b"curv" + bytes(8),
    "linear": gamma(1.0),
    "1.4": gamma(1.4),
    "table": table(1.3, 1024),
    "short table": table(1.2, 17),
    "dot gain 40 %": dot_gain(0.4),
    "parametric 0": parametric(0, 1.3),
    "parametric 1": parametric(1, 1.3, 0.9, 0.1),
    "parametric 2": parametric(2, 1.4, 0.8, 0.1, 0.1),
    "parametric 3": parametric(3, 1.4, 0.9, 0.1, 0.3, 0.1),
    "parametric 4": parametric(4, 1.4, 0.9, 0.05, 0.5, 0.1, 0.05, 0.02),
}


@pytest.mark.parametrize("curve", FAR.values(), ids=FAR)
def test_tones_far_from_srgbs_are_those_of_littlecms(curve: bytes) -> None:
    profile = grey_profile(curve, version=b"\x04\x20\0\0")
    known = tones(profile, Settings())
    assert known is not None
    source = ImageCms.ImageCmsProfile(io.BytesIO(coloured(profile)))
    image = Image.fromarray(GREYS).convert("RGB")
    shown = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), 1, outputMode="RGB")
    assert np.abs(known.seen(GREYS).astype(int) - np.asarray(shown)[:, :, 1]).max() <= 1
    np.testing.assert_array_equal(known.seen(GREYS.astype(np.uint16) * 257), known.seen(GREYS))
    assert tones(profile, Settings(lightness="lab")) is None


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    "profile",
    [b"", SRGB, *(grey_profile(each) for each in (gamma(1.8), gamma(2.2), gamma(2.4), dot_gain(0.2)))],
    ids=["none", "sRGB", "1.8", "2.2", "2.4", "dot gain 20 %"],
)
def test_ordinary_tones_are_left_alone(profile: bytes) -> None:
    assert tones(profile, Settings()) is None


def test_a_pngs_gamma_has_tones() -> None:
    assert tones(of_gamma(1.0), Settings()) is not None


BROKEN = {
    "falling": b"curv\0\0\0\0" + (3).to_bytes(4, "big") + np.array([0, 60000, 50000], ">u2").tobytes(),
    "black": table(1.0, 9)[:-2] + b"\0\0",
    "cut short": table(1.0, 9)[:-4],
    "huge": b"curv\0\0\0\0\xff\xff\xff\xff" + bytes(20),
    "no number": parametric(1, 0.5, 0.0, -0.5),
    "nothing": b"para\0\0\0\0\0\1",
    "unknown": parametric(9, 1.0),
    "endless": parametric(0, -30000.0),
}


@pytest.mark.parametrize("curve", BROKEN.values(), ids=BROKEN)
def test_a_curve_that_is_none_is_left_alone(curve: bytes) -> None:
    assert tones(grey_profile(curve), Settings()) is None
