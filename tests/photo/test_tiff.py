"""Which picture of a TIFF is the photograph, and what its numbers mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.items import Picture
from pipeline.media.photo.read import read
from tests.conftest import landscape
from tests.photo.mutations import PLAIN
from tests.photo.tiffs import packed, tags_of, tiff

GREY = landscape(1, 48, 64)
SMALL = landscape(2, 12, 16)
DEEP = GREY.astype(np.uint16) * 257
REDUCED, CFA = (4, [1]), 32803


def seen(tmp_path: Path, data: bytes, **options: object) -> Picture:
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    return read(path, max_megapixels=1, **options)


def one(
    pixels: np.ndarray, strip: bytes | None = None, order: str = "<", big: bool = False, **options: object
) -> bytes:
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes() if strip is None else strip
    return tiff((tags_of(pixels, **options), data), order=order, big=big)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_that_comes_first_is_passed_over(tmp_path, order):
    first = tags_of(SMALL, t254=REDUCED), SMALL.tobytes()
    photo = seen(tmp_path, tiff(first, (tags_of(GREY), GREY.tobytes()), order=order))
    np.testing.assert_array_equal(photo.pixels, GREY)
    assert (photo.note, photo.page) == ("", 1)


def test_the_full_picture_in_a_subifd_comes_before_its_reduced_copy(tmp_path):
    first = tags_of(SMALL, t254=REDUCED), SMALL.tobytes()
    photo = seen(tmp_path, tiff(first, (tags_of(GREY, t254=(4, [0])), GREY.tobytes()), within=1))
    np.testing.assert_array_equal(photo.pixels, GREY)
    assert "SubIFD" in photo.note


def test_a_reduced_copy_alone_is_better_than_nothing(tmp_path):
    np.testing.assert_array_equal(seen(tmp_path, tiff((tags_of(SMALL, t254=REDUCED), SMALL.tobytes()))).pixels, SMALL)


@pytest.mark.parametrize("within", [0, 1])
def test_camera_raw_is_camera_raw_and_not_its_thumbnail(tmp_path, within):
    first = tags_of(SMALL, t254=REDUCED), SMALL.tobytes()
    raw = tags_of(DEEP, photometric=CFA), DEEP.tobytes()
    canon = b"II*\0\x10\0\0\0CR\2\0" + bytes(60)
    for data in (tiff(first, raw, within=within), one(GREY, t50706=(1, [1, 4, 0, 0])), canon):
        with pytest.raises(ItemError, match="camera raw is not supported; develop it") as caught:
            seen(tmp_path, data)
        assert caught.value.cause is Cause.NOT_SUPPORTED


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_odd_depths_fill_the_range(tmp_path, bits, order):
    values = (GREY.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    strip = packed(values, bits)
    photo = seen(tmp_path, one(values, strip, order, bits=bits))
    assert (photo.depth, photo.note) == (bits, "")
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels / 257 - GREY).max() < 1.1


def test_10_bit_colour(tmp_path):
    values = np.dstack([GREY] * 3).astype(np.uint16) * 4
    photo = seen(tmp_path, one(values, packed(values, 10), bits=10))
    assert np.abs(photo.pixels / 257 - values / 1023 * 255).max() < 0.3


WHOLE = GREY.astype(np.int64)
MEANT = {
    "int8": (WHOLE - 128, np.int8, "signed"),
    "int16": (WHOLE * 257 - 32768, np.int16, "signed"),
    "int16 without signs": (WHOLE * 128, np.int16, "32767"),
    "int32": (WHOLE * 16843009 - (1 << 31), np.int32, "signed"),
    "uint32": (WHOLE * 16843009, np.uint32, "4294967295"),
    "16 bits in uint32": (WHOLE * 257, np.uint32, "65535"),
    "12 bits in 16": (WHOLE * 16, np.uint16, "4095"),
    "10 bits in 16": (WHOLE * 4, np.uint16, "1023"),
    "float32": (WHOLE / 255, np.float32, ""),
    "float64": (WHOLE / 255, np.float64, ""),
    "float of 8 bits": (WHOLE, np.float32, "white at 255"),
    "float of 16 bits": (WHOLE * 257, np.float32, "white at 65535"),
}


@pytest.mark.parametrize("white", [1, 0])
@pytest.mark.parametrize("name", MEANT)
def test_numbers_of_every_kind_come_out_as_the_same_picture(tmp_path, name, white):
    values, dtype, said = MEANT[name]
    photo = seen(tmp_path, one(values.astype(dtype), photometric=white))
    shown = photo.pixels / (257 if photo.pixels.dtype == np.uint16 else 1)
    assert np.abs(shown - (GREY if white else 255 - GREY.astype(int))).max() < 1.1
    assert said in photo.note
    assert bool(said) == bool(photo.note)


@pytest.mark.parametrize("outlier", [1.02, 270.0, -3.0])
def test_one_sample_beside_the_range_does_not_change_the_picture(tmp_path, outlier):
    values = (GREY * (1 if outlier == 270 else 1 / 255)).astype(np.float32)
    values[3, 5] = outlier
    photo = seen(tmp_path, one(values))
    assert np.abs(photo.pixels / 257 - GREY)[10:].max() < 0.51
    assert "clipped" in photo.note


def test_max_sample_value_says_where_white_is_but_a_statistic_does_not(tmp_path):
    photo = seen(tmp_path, one(DEEP // 4, t281=(3, [16383])))
    assert np.abs(photo.pixels / 257 - GREY).max() < 0.3
    assert "white is taken at 16383" in photo.note
    photo = seen(tmp_path, one(DEEP, t281=(3, [255])))  # many write what 8 bits would have
    np.testing.assert_array_equal(photo.pixels, DEEP)


def test_smin_and_smax_say_black_and_white(tmp_path):
    photo = seen(tmp_path, one((GREY * 2.0 + 100).astype(np.float32), t340=(11, [100.0]), t341=(11, [610.0])))
    assert np.abs(photo.pixels / 257 - GREY).max() < 0.51
    assert "SMin" in photo.note


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_infrared_is_no_transparency_and_alpha_is(tmp_path, dtype):
    colour = np.dstack([GREY, GREY, GREY, 255 - GREY]).astype(dtype) * (257 if dtype is np.uint16 else 1)
    photo = seen(tmp_path, one(colour, t338=(3, [0])))
    assert photo.alpha is None
    assert "no transparency" in photo.note
    np.testing.assert_array_equal(photo.pixels, colour[:, :, :3])
    photo = seen(tmp_path, one(colour, t338=(3, [2])))
    np.testing.assert_array_equal(photo.alpha, colour[:, :, 3])


@pytest.mark.parametrize("order", ["<", ">"])
def test_bigtiff_of_either_order(tmp_path, order):
    photo = seen(tmp_path, one(GREY, order=order, big=True))
    np.testing.assert_array_equal(photo.pixels, GREY)
    assert photo.note == ("" if order == "<" else "read by OpenCV: Pillow cannot")


def test_what_is_not_understood_is_refused_in_words(tmp_path):
    for tags, reason in (({"t339": (3, [6])}, "complex"), ({"photometric": 32844}, "LogLuv")):
        with pytest.raises(ItemError, match=reason) as caught:
            seen(tmp_path, one(GREY, **tags))
        assert caught.value.cause is Cause.NOT_SUPPORTED


@pytest.mark.parametrize("compression", [12345, 34925, 65432])
def test_a_compression_that_nobody_here_knows_gives_no_black_picture(tmp_path, compression):
    with pytest.raises(ItemError, match="kind of TIFF that is not supported") as caught:
        seen(tmp_path, one(GREY, t259=(3, [compression])))
    assert caught.value.cause is Cause.NOT_SUPPORTED


def test_cut_short_is_truncated_wherever_it_is_cut(tmp_path):
    whole = one(GREY)
    for at in (6, 20, 1000, len(whole) - 60, len(whole) - 4):
        with pytest.raises(ItemError, match="truncated"):
            seen(tmp_path, whole[:at])


@pytest.mark.parametrize("left", [200, 1000, 3000])
def test_a_file_that_ends_before_the_directory_of_its_picture_is_truncated(tmp_path: Path, left: int) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(PLAIN["TIFF with SubIFDs"][:left])
    with pytest.raises(ItemError, match=r"^truncated"):
        read(path, max_megapixels=1)
