"""Samples of any depth reach the whole range, whoever decodes them; what Pillow alone takes otherwise is put right."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import ItemError
from pipeline.ground.items import Picture
from pipeline.media.photo.decoders import AVIF, HEIC, JPEG2000, PNG
from pipeline.media.photo.precision import bits_of
from pipeline.media.photo.read import read
from pipeline.media.photo.samples import Meaning, scaled
from tests.conftest import landscape

GREY = landscape(3, 61, 83)
DEEP = GREY.astype(np.uint16) * 256 + 7


def seen(tmp_path: Path, data: bytes) -> Picture[np.uint16]:
    (tmp_path / "a").write_bytes(data)
    return read(tmp_path / "a", max_megapixels=1)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_samples_that_were_moved_up_reach_white_and_are_exact(bits: int) -> None:
    values = np.arange(1 << bits, dtype=np.uint16)[np.newaxis]
    wanted = np.rint(values * (65535 / ((1 << bits) - 1)))
    for samples, shifted in ((values << (16 - bits), True), (values, False)):
        np.testing.assert_array_equal(scaled(samples, Meaning(bits, shifted=shifted))[0], wanted)


def test_less_than_8_bits_reach_white() -> None:
    values = np.arange(16, dtype=np.uint8)[np.newaxis]
    np.testing.assert_array_equal(scaled(values << 4, Meaning(4, shifted=True))[0], values * 17)


@pytest.mark.parametrize("colour", [False, True])
def test_a_jpeg_2000_of_16_bits_keeps_them(tmp_path: Path, colour: bool) -> None:
    data = cv2.imencode(
        ".jp2", np.dstack([DEEP] * 3) if colour else DEEP, (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
    )
    picture = seen(tmp_path, data[1].tobytes())
    assert (picture.pixels.dtype, picture.depth) == (np.uint16, 16)
    assert np.abs((picture.pixels[..., 0] if colour else picture.pixels).astype(int) - DEEP).max() < 512


def test_headers_say_how_deep_samples_are() -> None:
    siz = b"\xff\x4f\xff\x51" + bytes(36) + b"\0\3" + bytes((11, 1, 1, 0x8B, 1, 1, 7, 1, 1))
    assert bits_of(JPEG2000, b"jP  " + siz) == 12
    assert [bits_of(AVIF, b"\0\0\0\x0cav1C\x81\x00" + bytes((flag, 0))) for flag in (0x0C, 0x4C, 0x6C)] == [8, 10, 12]
    assert bits_of(HEIC, b"hvcC" + bytes(17) + b"\xfa\xfa\0\0") == 10
    assert bits_of(PNG, b"") == bits_of(JPEG2000, b"nothing") == 0


def png(pixels: np.ndarray, level: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    bits = pixels.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"tRNS", struct.pack(">H", level))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("pixels", [GREY, DEEP], ids=["8", "16"])
def test_a_grey_that_is_transparent_stays_so(tmp_path: Path, pixels: np.ndarray) -> None:
    level = int(pixels[3, 4])
    picture = seen(tmp_path, png(pixels, level))
    np.testing.assert_array_equal(picture.pixels, pixels)
    np.testing.assert_array_equal(picture.alpha == 0, pixels == level)


def test_the_ones_of_an_xbm_are_ink(tmp_path: Path) -> None:
    picture = seen(tmp_path, b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {\n0x0f};\n")
    assert picture.pixels.tolist() == [[0] * 4 + [255] * 4]


def test_fits_says_what_is_to_be_added(tmp_path: Path) -> None:
    def fits(zero: bytes, values: np.ndarray) -> bytes:
        cards = [
            b"SIMPLE  =                    T",
            b"BITPIX  =                   16",
            b"NAXIS   =                    2",
        ]
        cards += [b"NAXIS1  =                    4", b"NAXIS2  =                    1", zero, b"END"]
        return b"".join(card.ljust(80) for card in cards).ljust(2880) + values.astype(">i2").tobytes().ljust(
            2880, b"\0"
        )

    wanted = np.array([[0, 9000, 40000, 65535]])
    made = seen(tmp_path, fits(b"BZERO   =              32768.0", wanted - 32768))
    np.testing.assert_array_equal(made.pixels, wanted)


def test_sun_raster_in_run_lengths_of_odd_rows_is_refused(tmp_path: Path) -> None:
    head = struct.pack(">8I", 0x59A66A95, 3, 1, 24, 10, 2, 0, 0)
    with pytest.raises(ItemError, match="a kind of Sun raster that is not supported"):
        seen(tmp_path, head + bytes(range(1, 11)))


def test_who_alone_knows_a_format_does_not_make_a_file_damaged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "SGI")
    data = bytearray(buffer.getvalue())
    data[2] = 1  # run lengths, which are not there
    with pytest.raises(ItemError, match="damaged, or a kind of SGI that is not supported"):
        seen(tmp_path, bytes(data))
    with pytest.raises(ItemError, match="PFM in colour is not supported"):
        seen(tmp_path, b"PF\n4 4\n-1.0\n" + bytes(192))
