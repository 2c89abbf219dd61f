"""Of a large grey JPEG half the size is decoded, large copies are written in bands: nothing is lost by either."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.hints import Hints, Stroke
from pipeline.media.photo import bands, memory
from pipeline.media.photo.jpeg.luma import decoded
from pipeline.media.photo.jpeg.record import original
from pipeline.nets.engines.samples import sample_lightness

GREY: Any = cv2.resize((sample_lightness(256, 1)[0] * 2.55).astype(np.uint8), (1201, 803))


def jpeg(orientation: int = 1, **how: Any) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(buffer, "JPEG", quality=90, exif=exif, **how)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("progressive", [False, True])
def test_half_the_size_gives_the_same_luma_and_nearly_the_same_colour(
    make: Any, monkeypatch: pytest.MonkeyPatch, orientation: int, progressive: bool
) -> None:
    data = jpeg(orientation, progressive=progressive)
    whole, path = make(data, "a.jpg", "whole.jpg")
    before = path.read_bytes()
    monkeypatch.setattr(memory, "LARGE", 1000)
    half, path = make(data, "a.jpg", "half.jpg")
    after = path.read_bytes()
    assert (half.seen.width, half.seen.height) == (whole.seen.width, whole.seen.height)
    assert half.metadata == ""
    assert np.array_equal(decoded(after), decoded(data))
    assert hashlib.sha256(original(after)).digest() == hashlib.sha256(data).digest()
    one, other = (np.asarray(Image.open(io.BytesIO(each)).convert("YCbCr"), np.int16) for each in (before, after))
    assert one.shape == other.shape
    assert float(np.abs(one - other)[:, :, 1:].mean()) < 1.5
    assert float(np.abs(other[:, :, 1:] - 128).mean()) > 0.5


def test_what_cannot_be_kept_is_read_again_as_a_whole(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGE", 1000)
    monkeypatch.setattr("pipeline.media.develop.refusal", lambda jpeg: "of a kind that the test makes up")
    monkeypatch.setattr(
        "pipeline.media.photo.jpeg.luma.luma_refusal", lambda data, jpeg: "of a kind that the test makes up"
    )
    result, path = make(jpeg(), "a.jpg")
    assert result.metadata.startswith("the luma was coded anew")
    assert Image.open(path).size == (1201, 803)


@pytest.mark.parametrize(
    "changes",
    [{"lightness": "lab"}, {"layout": "side-by-side"}, {"chroma_sampling": "444"}, {"jpeg_scans": "interleaved"}],
)
def test_other_ways_have_the_size_of_the_source(make: Any, monkeypatch: pytest.MonkeyPatch, changes: Any) -> None:
    monkeypatch.setattr(memory, "LARGE", 1000)
    _, path = make(jpeg(), "a.jpg", **changes)
    assert Image.open(path).size == ((2402, 803) if "layout" in changes else (1201, 803))


@pytest.mark.parametrize("format", ["png", "tif"])
def test_what_is_written_in_bands_has_the_colours_that_a_person_named(
    make: Any, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    data = cv2.imencode(".png", GREY)[1].tobytes()
    hints = Hints(strokes=(Stroke((40, 60, 200), ((0.5, 0.5),)),), saturation=0.5)
    _, path = make(data, "a.png", f"whole.{format}", hints=hints)
    whole = cv2.imread(str(path))
    monkeypatch.setattr(bands, "IN_BANDS", 1000)
    _, path = make(data, "a.png", f"bands.{format}", hints=hints)
    assert np.array_equal(cv2.imread(str(path)), whole)


@pytest.mark.parametrize("shape", [(1, 1), (10, 30000), (30000, 10), (1, 7)])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_of_any_shape(make: Any, shape: tuple[int, int], suffix: str) -> None:
    pixels = cv2.resize(GREY, shape[::-1], interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, {"jpg": "JPEG", "tif": "TIFF", "png": "PNG"}[suffix])
    result, path = make(buffer.getvalue(), f"a.{suffix}")
    assert result.status == "done", result
    with Image.open(path) as copy:
        assert (copy.size, copy.mode) == (shape[::-1], "RGB")
        luma = decoded(path.read_bytes()) if suffix == "jpg" else np.asarray(copy.convert("L"))
    assert np.array_equal(luma, decoded(buffer.getvalue()) if suffix == "jpg" else pixels)
