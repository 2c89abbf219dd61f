"""Channels beside grey, planes of their own, inks, Lab, multiplied colours: what others take for something else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.ground.errors import ItemError
from pipeline.media.photo.read import read
from tests.conftest import landscape
from tests.photo.tiffs import tags_of, tiff

tifffile = pytest.importorskip("tifffile")
BITS = (8, 16)
WAYS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 20},
    "one strip": {"rowsperstrip": 1000},
    "tiles": {"tile": (32, 48), "compression": "zlib", "predictor": True},
    "differences": {"rowsperstrip": 20, "compression": "zlib", "predictor": True, "byteorder": ">"},
    "BigTIFF": {"bigtiff": True, "byteorder": "<"},
}


def grey(bits: int) -> np.ndarray:
    made = landscape(3, 61, 83)
    if bits == 8:
        return made
    return (made.astype(np.uint16) << 8) | np.random.default_rng(2).integers(0, 256, made.shape, np.uint16)


def write(path: Path, channels: list[np.ndarray], separate: bool, way: str, **how: Any) -> Path:
    data = np.stack(channels, axis=0 if separate else 2)
    how |= WAYS[way] | {"planarconfig": "separate" if separate else "contig", "metadata": None}
    tifffile.imwrite(path, data, **how)
    return path


@pytest.fixture(params=[(bits, separate, way) for bits in BITS for separate in (False, True) for way in WAYS])
def stored(request: pytest.FixtureRequest) -> tuple[int, bool, str]:
    return request.param  # type: ignore[no-any-return]


def test_a_channel_beside_grey_is_no_transparency(tmp_path: Path, stored: tuple[int, bool, str]) -> None:
    bits, separate, way = stored
    luma = grey(bits)
    for kind, shown in (("minisblack", luma), ("miniswhite", np.invert(luma))):
        path = write(tmp_path / "a.tif", [shown, luma // 3], separate, way, photometric=kind, extrasamples=[0])
        picture = read(path, max_megapixels=1)
        assert np.array_equal(picture.pixels, luma), (stored, kind)
        assert picture.alpha is None
        assert "no transparency" in picture.note


def test_transparency_beside_grey_is_kept(tmp_path: Path, stored: tuple[int, bool, str]) -> None:
    bits, separate, way = stored
    luma, veil = grey(bits), grey(bits) // 2
    path = write(tmp_path / "a.tif", [luma, veil], separate, way, photometric="minisblack", extrasamples=[2])
    picture = read(path, max_megapixels=1)
    assert np.array_equal(picture.pixels, luma)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, veil)


def test_planes_of_colour_are_put_together(tmp_path: Path, stored: tuple[int, bool, str]) -> None:
    bits, separate, way = stored
    red, green, blue = grey(bits), grey(bits) // 2, grey(bits) // 3
    path = write(tmp_path / "a.tif", [red, green, blue, red], separate, way, photometric="rgb", extrasamples=[0])
    picture = read(path, max_megapixels=1)
    assert np.array_equal(picture.pixels, np.dstack([blue, green, red]))
    assert picture.alpha is None


def test_inks_become_light(tmp_path: Path, stored: tuple[int, bool, str]) -> None:
    bits, separate, way = stored
    luma = grey(bits)
    inks = [np.invert(luma)] * 3 + [np.zeros_like(luma)]
    path = write(tmp_path / "a.tif", inks, separate, way, photometric="separated")
    picture = read(path, max_megapixels=1)
    assert picture.pixels.dtype == luma.dtype
    assert int(np.abs(picture.pixels[:, :, 0].astype(np.int64) - luma).max()) <= (1 if bits == 8 else 0)


def test_a_palette_of_8_bits_is_not_black(tmp_path: Path) -> None:
    luma = grey(8)
    colours = np.repeat(np.arange(256, dtype=np.uint16)[np.newaxis], 3, axis=0)
    tifffile.imwrite(tmp_path / "a.tif", luma, photometric="palette", colormap=colours)
    assert np.array_equal(read(tmp_path / "a.tif", max_megapixels=1).pixels[:, :, 1], luma)


def test_planes_that_are_missing_are_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", [grey(16)] * 3, True, "strips", photometric="rgb")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ItemError, match=r"truncated|damaged"):
        read(path, max_megapixels=1)


MULTIPLIED = {
    "8 bits": (np.uint8, "contig", 255),
    "16 bits": (np.uint16, "contig", 65535),
    "floats": (np.float32, "contig", 1),
    "planes": (np.uint8, "separate", 255),
    "planes of 16 bits": (np.uint16, "separate", 65535),
}


@pytest.mark.parametrize("kind", ["minisblack", "rgb"])
@pytest.mark.parametrize("name", MULTIPLIED)
def test_colours_that_were_multiplied_by_their_transparency_are_divided(tmp_path: Path, kind: str, name: str) -> None:
    dtype, planar, top = MULTIPLIED[name]
    luma, veil = grey(16) / 65535, np.linspace(0.3, 1, 61 * 83).reshape(61, 83)
    channels = [luma * veil] * (3 if kind == "rgb" else 1) + [veil]
    stored = np.stack(channels, axis=0 if planar == "separate" else 2) * top
    stored = stored.astype(dtype) if dtype is np.float32 else np.rint(stored).astype(dtype)
    how = {"photometric": kind, "planarconfig": planar, "extrasamples": ["assocalpha"], "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", stored, **how)
    picture = read(tmp_path / "a.tif", max_megapixels=1)
    shown = picture.pixels if picture.pixels.ndim == 2 else picture.pixels[:, :, 1]
    assert np.abs(shown / np.iinfo(shown.dtype).max - luma).max() < (0.02 if dtype is np.uint8 else 0.0001)
    assert picture.alpha is not None


LAB = {
    "16 bits": ("cielab", lambda v: v * 655.35, lambda c: c.astype(np.int16).view(np.uint16), np.uint16),
    "ICC, 8 bits": ("icclab", lambda v: v * 2.55, lambda c: c / 256 + 128, np.uint8),
    "ICC, 16 bits": ("icclab", lambda v: v * 652.8, lambda c: c + 32768, np.uint16),
    "floats": ("cielab", lambda v: v, lambda c: c / 256, np.float32),
}


@pytest.mark.parametrize("name", LAB)
def test_lab_becomes_srgb(tmp_path: Path, name: str) -> None:
    kind, lightness, colour, dtype = LAB[name]
    wanted = np.dstack([grey(8) // 2 + 40, grey(8) // 2 + 50, grey(8) // 2 + 60]).astype(np.float32) / 255
    lab = cv2.cvtColor(wanted, cv2.COLOR_RGB2Lab)
    parts = [lightness(lab[:, :, 0]), *(colour(np.rint(lab[:, :, at] * 256)) for at in (1, 2))]
    stored = np.dstack([part if dtype is np.float32 else np.rint(part) for part in parts]).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=kind, metadata=None)
    made = read(tmp_path / "a.tif", max_megapixels=1).pixels
    assert made.dtype == (np.uint8 if dtype is np.uint8 else np.uint16)
    assert np.abs(made[:, :, ::-1] / np.iinfo(made.dtype).max - wanted).max() < (0.012 if dtype is np.uint8 else 0.003)


def test_planes_of_floats_are_put_together(tmp_path: Path) -> None:
    stored = np.stack([grey(8), grey(8) // 2, grey(8) // 3]).astype(np.float32) / 255
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig="separate", metadata=None)
    made = read(tmp_path / "a.tif", max_megapixels=1).pixels
    assert np.abs(made[:, :, 0] / 65535 - stored[2]).max() < 0.0001


def test_inks_with_transparency(tmp_path: Path) -> None:
    inks = np.dstack([255 - grey(8)] * 3 + [np.zeros_like(grey(8)), grey(8) // 2])
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated", extrasamples=["unassalpha"], metadata=None)
    picture = read(tmp_path / "a.tif", max_megapixels=1)
    np.testing.assert_array_equal(picture.pixels[:, :, 0], grey(8))
    np.testing.assert_array_equal(picture.alpha, grey(8) // 2)


@pytest.mark.parametrize(("bits", "compression", "said"), [(24, 1, "with 24-bit samples"), (8, 50001, "as WebP")])
def test_what_an_extra_reads_is_named(tmp_path: Path, bits: int, compression: int, said: str) -> None:
    if importlib.util.find_spec("imagecodecs"):
        pytest.skip("the extra is here")
    data = tiff((tags_of(grey(8), bits=bits) | {259: (3, [compression])}, grey(8).tobytes() * 3))
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ItemError, match=f"{said}: `pip install"):
        read(tmp_path / "a.tif", max_megapixels=1)


def test_8_bits_in_a_container_of_16_are_no_black_picture(tmp_path: Path) -> None:
    for dtype in (np.uint16, np.int16):
        tifffile.imwrite(tmp_path / "a.tif", grey(8).astype(dtype), metadata=None)
        picture = read(tmp_path / "a.tif", max_megapixels=1)
        assert picture.pixels.max() == np.iinfo(picture.pixels.dtype).max / 255 * grey(8).max()
        assert "white is taken at 255" in picture.note
