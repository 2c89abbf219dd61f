"""Large pictures are written band by band; what is written is what would be written as a whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.colour.exact import exact_bands, exact_rgb
from pipeline.ground.errors import ItemError
from pipeline.media.photo import bands, deflate
from pipeline.media.photo.metadata import Metadata, gather
from pipeline.media.photo.write import LZW, encode

SIZE = (301, 203)
METADATA = Metadata(xmp=b"<x:xmpmeta/>", density=(300.0, 300.0), comment=b"a barn")


def picture(channels: int, dtype: type) -> NDArray[Any]:
    random = np.random.default_rng(channels)
    return random.integers(0, np.iinfo(dtype).max, (SIZE[1], SIZE[0], channels), dtype, endpoint=True)


def cut(pixels: NDArray[Any], rows: int) -> Iterator[NDArray[Any]]:
    return (pixels[top : top + rows] for top in range(0, len(pixels), rows))


def decoded(data: bytes) -> NDArray[Any]:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_in_bands_holds_the_same_pixels_and_metadata(channels: int, dtype: type) -> None:
    pixels, file = picture(channels, dtype), io.BytesIO()
    bands.write_png(file, cut(pixels, 50), SIZE, METADATA)
    assert np.array_equal(decoded(file.getvalue()), pixels)
    Image.open(io.BytesIO(file.getvalue())).verify()
    found = gather(file.getvalue())
    assert (found.xmp, found.comment) == (METADATA.xmp, METADATA.comment)
    assert found.density == pytest.approx(METADATA.density, abs=0.1)


@pytest.mark.parametrize("compression", [1, LZW, 8, 32773])
@pytest.mark.parametrize(("channels", "dtype"), [(3, np.uint8), (3, np.uint16), (4, np.uint8), (4, np.uint16)])
def test_a_tiff_in_bands_holds_the_same_pixels_tags_and_metadata(compression: int, channels: int, dtype: type) -> None:
    pixels, file = picture(channels, dtype), io.BytesIO()
    lost = bands.write_tiff(file, cut(pixels, 50), SIZE, METADATA, compression=compression, rows=10)
    assert lost == []
    assert np.array_equal(decoded(file.getvalue()), pixels)
    whole = Image.open(io.BytesIO(bytes(encode(pixels, "tif", compression=compression, strip=10))))
    made = Image.open(io.BytesIO(file.getvalue()))
    for tag in (256, 257, 258, 259, 262, 277, 278, 284, 317, 338):
        assert made.tag_v2.get(tag) == whole.tag_v2.get(tag), tag  # type: ignore[attr-defined]
    assert len(made.tag_v2[273]) == 21  # type: ignore[attr-defined]
    assert gather(file.getvalue()).xmp == METADATA.xmp


def test_of_one_strip_too(capfd: pytest.CaptureFixture[str]) -> None:
    pixels, file = picture(3, np.uint8), io.BytesIO()
    bands.write_tiff(file, [pixels], SIZE, Metadata(), compression=1, rows=SIZE[1])
    assert np.array_equal(decoded(file.getvalue()), pixels)
    assert capfd.readouterr().err == ""


def test_a_tiff_that_cannot_hold_its_offsets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_LARGEST", 1000)
    with pytest.raises(ItemError, match="too large for tif: more than 4 GB"):
        bands.write_tiff(io.BytesIO(), cut(picture(3, np.uint8), 50), SIZE, Metadata(), compression=1, rows=10)


@pytest.mark.parametrize("shape", [(203, 301), (1, 1), (40, 20_000), (5000, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_in_bands_is_that_of_the_whole(shape: tuple[int, int], dtype: type) -> None:
    random = np.random.default_rng(3)
    grey = random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    ab = random.uniform(-40, 40, (12, 12, 2)).astype(np.float32)
    made = list(exact_bands(grey, ab, 16))
    assert [len(band) for band in made[:-1]] == [16] * (len(made) - 1)
    whole, joined = exact_rgb(grey, ab), np.concatenate(made)
    assert np.array_equal(cv2.cvtColor(joined, cv2.COLOR_BGR2GRAY), grey)
    apart = np.abs(joined.astype(np.int32) - whole)
    assert float(np.mean(apart > (0 if dtype is np.uint8 else 8))) < 0.001  # floats, in other strips


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 3, 4])
def test_deflate_holds_the_same_samples_by_whichever_library(
    monkeypatch: pytest.MonkeyPatch, installed: bool, dtype: type, channels: int
) -> None:
    if not installed:
        monkeypatch.setattr(deflate, "_FAST", None)
    pixels = picture(channels, dtype) if channels else picture(3, dtype)[:, :, 0].copy()
    png, tiff = io.BytesIO(), io.BytesIO()
    bands.write_png(png, [pixels], SIZE, METADATA)
    bands.write_tiff(tiff, [pixels], SIZE, METADATA, compression=32946, rows=7)
    for file in (png, tiff):
        assert np.array_equal(decoded(file.getvalue()), pixels)
    made = Image.open(io.BytesIO(tiff.getvalue()))
    assert (made.tag_v2[259], made.tag_v2[317]) == (8, 2)  # type: ignore[attr-defined]
    made.load()
    again = io.BytesIO()
    bands.write_png(again, [pixels], SIZE, METADATA)
    assert again.getvalue() == png.getvalue()
