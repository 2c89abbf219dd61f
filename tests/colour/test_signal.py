from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.colour import recipe
from pipeline.colour.recipe import Look
from pipeline.colour.signal import (
    Signal,
    chroma_planes,
    differences,
    fitted,
    lightness_of_luma,
    limited,
    seen_by_net,
)
from tests.conftest import landscape

WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
SIGNALS = [
    Signal(8, False, "bt601", 2, 2),
    Signal(8, True, "bt601", 1, 1),
    Signal(8, False, "bt709", 2, 1),
    Signal(10, False, "bt709", 2, 2),
    Signal(10, True, "bt2020", 1, 1),
    Signal(12, False, "bt601", 2, 1),
]


def exact_rgb(lab: np.ndarray) -> np.ndarray:
    """Lab (D65) to gamma-corrected sRGB in float64, by the definitions."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * [0.950456, 1.0, 1.088754]
    matrix = np.linalg.inv(
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    )
    linear = np.clip(xyz @ matrix.T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def exact_chroma(rgb: np.ndarray, signal: Signal) -> tuple[np.ndarray, np.ndarray]:
    red, blue = WEIGHTS[signal.matrix]
    y = rgb @ [red, 1 - red - blue, blue]
    return (
        signal.middle + signal.chroma_span * (rgb[..., 2] - y) / (2 * (1 - blue)),
        signal.middle + signal.chroma_span * (rgb[..., 0] - y) / (2 * (1 - red)),
    )


def primaries(luma: np.ndarray, u: np.ndarray, v: np.ndarray, signal: Signal) -> np.ndarray:
    red, blue = WEIGHTS[signal.matrix]
    y = (luma.astype(float) - signal.black) / signal.luma_span
    cb = (u.astype(float) - signal.middle) / signal.chroma_span
    cr = (v.astype(float) - signal.middle) / signal.chroma_span
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    return np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], axis=-1)


@pytest.mark.parametrize("signal", SIGNALS, ids=str)
def test_differences_match_an_exact_computation(signal: Signal) -> None:
    random = np.random.default_rng(4)
    lab = np.stack([random.uniform(5, 95, (40, 50)), *random.uniform(-60, 60, (2, 40, 50))], -1).astype(np.float32)
    wanted = exact_chroma(exact_rgb(lab.astype(float)), signal)
    for samples, exact in zip(differences(lab, signal), wanted, strict=True):
        assert samples.dtype == (np.uint8 if signal.bits == 8 else np.uint16)
        off = np.abs(samples - exact)
        assert off.max() <= 0.5 + 0.002 * signal.chroma_span
        assert off.mean() < 0.3 + 0.0005 * signal.chroma_span


@pytest.mark.parametrize("signal", SIGNALS, ids=str)
@pytest.mark.parametrize("size", [(64, 96), (75, 101), (5, 3), (1, 1)])
def test_planes_have_the_size_and_kind_of_the_signal(signal: Signal, size: tuple[int, int]) -> None:
    dtype = np.uint8 if signal.bits == 8 else np.uint16
    luma = np.random.default_rng(1).integers(0, 1 << signal.bits, size).astype(dtype)
    before = luma.copy()
    u, v = chroma_planes(luma, np.zeros((14, 14, 2), np.float32), signal)
    wanted = -(-size[0] // signal.down), -(-size[1] // signal.across)
    assert u.shape == v.shape == wanted
    assert u.dtype == v.dtype == dtype
    assert np.array_equal(luma, before)
    assert np.all(u == signal.middle)
    assert np.all(v == signal.middle)


@pytest.mark.parametrize("signal", SIGNALS, ids=str)
def test_even_pictures_get_the_colour_that_was_asked_for(signal: Signal) -> None:
    lightness, ab = 60.0, (25.0, -30.0)
    level = int(np.abs(lightness_of_luma(signal.bits, signal.full) - lightness).argmin())
    luma = np.full((48, 64), level, np.uint8 if signal.bits == 8 else np.uint16)
    field = np.full((14, 14, 2), ab, np.float32)
    u, v = chroma_planes(luma, field, signal)
    shown = lightness_of_luma(signal.bits, signal.full)[level]
    exact = exact_chroma(exact_rgb(np.array([[shown, *ab]], float)), signal)
    assert np.ptp(u) == np.ptp(v) == 0
    assert abs(u[0, 0] - exact[0][0]) <= 0.6 + 0.002 * signal.chroma_span
    assert abs(v[0, 0] - exact[1][0]) <= 0.6 + 0.002 * signal.chroma_span
    pale, _ = chroma_planes(luma, field, signal, saturation=0.0)
    assert np.all(pale == signal.middle)


@pytest.mark.parametrize("signal", SIGNALS, ids=str)
def test_chroma_is_limited_to_what_the_luma_can_show(signal: Signal) -> None:
    random = np.random.default_rng(3)
    dtype = np.uint8 if signal.bits == 8 else np.uint16
    luma = random.integers(signal.black, signal.black + signal.luma_span + 1, (60, 80)).astype(dtype)
    reach = signal.chroma_span * 0.45
    u, v = (random.uniform(signal.middle - reach, signal.middle + reach, luma.shape).astype(dtype) for _ in range(2))
    assert (np.abs(primaries(luma, u, v, signal) - 0.5).max(axis=-1) > 0.51).mean() > 0.2
    inside = np.abs(primaries(luma, u, v, signal) - 0.5).max(axis=-1) <= 0.5
    new_u, new_v = limited(luma, u, v, signal)
    after = primaries(luma, new_u, new_v, signal)
    step = 2 / 219
    assert after.min() >= -step
    assert after.max() <= 1 + step
    assert np.array_equal(new_u[inside], u[inside])
    assert np.array_equal(new_v[inside], v[inside])
    moved = (new_u != u) & (np.abs(new_u - signal.middle) > signal.chroma_span / 20)
    hue = np.arctan2(v - signal.middle, u - signal.middle) - np.arctan2(new_v - signal.middle, new_u - signal.middle)
    assert np.abs(np.angle(np.exp(1j * hue)))[moved].max() < 0.12


def test_black_and_white_stay_without_colour() -> None:
    signal = Signal(8, False, "bt601", 1, 1)
    for level in (0, 16, 235, 255):
        u, v = chroma_planes(np.full((16, 16), level, np.uint8), np.full((8, 8, 2), 60, np.float32), signal)
        assert np.abs(u.astype(int) - 128).max() <= 1
        assert np.abs(v.astype(int) - 128).max() <= 1


def test_lightness_follows_range_and_bits() -> None:
    table = lightness_of_luma(8, False)
    assert table[16] == table[0] == 0
    assert table[235] == pytest.approx(100)
    assert lightness_of_luma(10, False)[4 * 126] == pytest.approx(table[126])
    assert lightness_of_luma(8, True)[119] == pytest.approx(50, abs=0.3)


def test_the_net_sees_lightness_of_its_own_size() -> None:
    seen = seen_by_net(np.full((75, 101), 126, np.uint8), 64, Signal())
    assert seen.shape == (64, 64)
    assert seen.dtype == np.float32
    assert seen.min() == seen.max() == lightness_of_luma(8, False)[126]
    assert seen_by_net(np.full((20, 30), 126, np.uint8), 64, Signal()).shape == (64, 64)


def test_luma_is_fitted_to_other_bits_and_back() -> None:
    luma = np.arange(256, dtype=np.uint8).reshape(16, 16)
    eight, ten = Signal(8, False), Signal(10, False)
    assert fitted(luma, eight, eight) is luma
    assert np.array_equal(fitted(fitted(luma, eight, ten), ten, eight), luma)
    full = fitted(luma, Signal(8, True), ten)
    assert (int(full.min()), int(full.max())) == (64, 940)


@pytest.mark.parametrize("down", [1, 2])
def test_a_frame_with_the_signal_of_a_jpeg_gets_the_chroma_of_a_photograph(down: int) -> None:
    grey = cv2.GaussianBlur(landscape(3, 240, 320), (0, 0), 3)
    ab = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 60, (24, 24, 2)).astype(np.float32), (0, 0), 2)
    of_film = chroma_planes(grey, ab, Signal(8, True, "bt601", down, down), 0.8)
    of_photograph = recipe.planes(grey, ab, Look(saturation=0.8), half=down == 2)
    for made, wanted in zip(of_film, of_photograph, strict=True):
        apart = np.abs(made.astype(int) - wanted)
        assert np.ptp(wanted) > 20
        assert (np.percentile(apart, 99), apart.max()) <= (1, 3)
