"""Channels beside grey, planes of their own, inks in 16 bits: what other decoders take for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.ground.errors import ItemError
from pipeline.media.photo.read import read
from tests.conftest import landscape

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
