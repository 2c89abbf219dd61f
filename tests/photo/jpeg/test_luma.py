import contextlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg import coefficients, turbo
from pipeline.media.photo.jpeg.luma import luma_of, luma_refusal
from pipeline.media.photo.jpeg.record import segment
from pipeline.media.photo.jpeg.segments import parse
from pipeline.media.photo.jpeg.splice import refusal, splice
from tests.photo.jpeg.conftest import as_colour, as_grey, chroma, grey_jpeg, textured

WAYS = [
    pytest.param(way, marks=pytest.mark.skipif(not way.available(), reason="not installed"), id=way.__name__[15:])
    for way in (turbo, coefficients)
]


def toned(height, width, **wanted):
    grey = textured(height, width).astype(np.float32)
    picture = np.stack((grey, grey * 0.9, grey * 0.7), axis=-1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=90, comment=b"a note", **wanted)
    return buffer.getvalue()


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    for other in {turbo, coefficients} - {request.param}:
        monkeypatch.setattr(other, "available", lambda: False)
    return request.param


@pytest.mark.parametrize("wanted", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
@pytest.mark.parametrize("shape", [(1, 1), (40, 50), (33, 121)])
def test_luma_is_equal_and_takes_new_chroma(way, shape, wanted):
    source = toned(*shape, **wanted)
    grey = luma_of(source)
    assert refusal(parse(grey)) == ""
    np.testing.assert_array_equal(as_grey(grey), as_grey(source))
    kept = [grey[part.start : part.end] for part in parse(grey).segments if part.marker >= 0xE0]
    assert kept == [source[part.start : part.end] for part in parse(source).segments if part.marker >= 0xE0]
    made = splice(grey, *chroma(*((side + 1) // 2 for side in shape)), keep=False)
    np.testing.assert_array_equal(as_grey(made), as_grey(source))


def test_damage_ends_in_a_phrase(way):
    source = toned(64, 80)
    scan = parse(source).scans[0]
    middle = (scan.segment.end + scan.end) // 2
    damaged = source[:middle] + b"\x12\x34\x56" * 9 + source[middle + 400 :]
    with contextlib.suppress(ItemError):
        luma_of(damaged)


def test_an_incomplete_progressive_picture_is_refused():
    source = toned(40, 50, progressive=True)
    jpeg = parse(source)
    last = [scan for scan in jpeg.scans if 1 in scan.components][-1]
    cut = source[: last.segment.start] + source[last.end :]
    assert luma_refusal(cut, parse(cut)).startswith("progressive")


@pytest.mark.skipif(not turbo.available(), reason="not installed")
@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts"])
@pytest.mark.parametrize("progressive", [False, True])
def test_several_scans_can_be_made_one(kind, progressive):
    source = grey_jpeg(kind, textured(40, 50))
    made = splice(source, *chroma(20, 25))
    one = turbo.rewrite(made, progressive=progressive)
    assert parse(one).frame.progressive == progressive
    assert progressive or len(parse(one).scans) == 1
    np.testing.assert_array_equal(as_colour(one), as_colour(made))


def test_without_a_library_it_says_so(monkeypatch):
    for way in (turbo, coefficients):
        monkeypatch.setattr(way, "available", lambda: False)
    with pytest.raises(ItemError, match="neither libturbojpeg nor jpeglib"):
        luma_of(toned(40, 50))


def test_other_kinds_are_refused():
    cmyk = io.BytesIO()
    Image.new("CMYK", (20, 20)).save(cmyk, "JPEG")
    assert luma_refusal(cmyk.getvalue(), parse(cmyk.getvalue())) == "stored as CMYK"
    rgb = io.BytesIO()
    Image.new("RGB", (20, 20)).save(rgb, "JPEG", keep_rgb=True)
    assert luma_refusal(rgb.getvalue(), parse(rgb.getvalue())) == "stored as RGB"
    plain = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    bare = plain[:2] + plain[parse(plain).segments[0].end :]
    adobe = bare[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0") + bare[2:]
    assert luma_refusal(adobe, parse(adobe)) == "stored as RGB"
    at = parse(plain).frame.segment.body
    fewer = plain[: at + 7] + b"\x11" + plain[at + 8 : at + 10] + b"\x22" + plain[at + 11 :]
    assert luma_refusal(fewer, parse(fewer)) == "its luma has fewer samples than its chroma"
