"""Damage is heard in every format, what is harmless stays done, and truncated is what is cut short."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo import webp
from pipeline.media.photo.read import read
from tests.conftest import landscape
from tests.photo.mutations import saved
from tests.photo.tiffs import tags_of, tiff

GREY = cv2.GaussianBlur(landscape(3, 256, 256), (0, 0), 1)
COLOUR = np.dstack([GREY, GREY // 2, GREY // 3])


SOURCES = {
    "JPEG": saved(GREY, "JPEG", quality=90),
    "JPEG in colour": saved(COLOUR, "JPEG", quality=90),
    "JPEG, progressive": saved(COLOUR, "JPEG", quality=90, progressive=True),
    "PNG": saved(GREY, "PNG"),
    "PNG of 16 bits": cv2.imencode(".png", GREY.astype(np.uint16) * 257)[1].tobytes(),
    "JPEG in TIFF": saved(GREY, "TIFF", compression="jpeg", quality=90),
    "Deflate TIFF": saved(GREY, "TIFF", compression="tiff_adobe_deflate"),
    "LZW TIFF": saved(GREY, "TIFF", compression="tiff_lzw"),
    "PackBits TIFF": saved(GREY, "TIFF", compression="packbits"),
    "fax TIFF": saved(GREY > 150, "TIFF", compression="group4"),
    "WebP": saved(COLOUR, "WEBP", quality=80),
    "WebP, lossless": saved(COLOUR, "WEBP", lossless=True),
    "JPEG 2000": saved(GREY, "JPEG2000", quality_mode="rates", quality_layers=[8], irreversible=True),
    "JPEG 2000, lossless": saved(GREY, "JPEG2000"),
    "GIF": saved(GREY, "GIF"),
}


def seen(tmp_path: Path, data: bytes, **options: object):
    path = tmp_path / "a"
    path.write_bytes(data)
    return read(path, max_megapixels=1, **options)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", SOURCES)
def test_a_file_whose_rest_is_zeros_is_said(tmp_path, capfd, name, share):
    """Room was made for a copy that broke off, or a disk lost what was written last: zeros can be read as blocks."""
    data = SOURCES[name]
    kept, whole = data[: int(len(data) * share)], seen(tmp_path, data).pixels
    for zeros in (len(data) - len(kept), 60_000):
        try:
            made = seen(tmp_path, kept + bytes(zeros)).pixels
        except ItemError as error:
            assert str(error).startswith(("damaged", "truncated"))  # noqa: PT017
        else:
            assert np.array_equal(made, whole)  # of a small fax the last bytes are padding


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture(tmp_path):
    thumbnail, picture = saved(GREY[::4, ::4], "JPEG"), saved(GREY, "JPEG", quality=95)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    data = picture[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + picture[2:]
    assert np.array_equal(seen(tmp_path, data).pixels, seen(tmp_path, picture).pixels)
    for share in (0.5, 0.7, 0.9):
        at = len(data) - int(len(picture) * (1 - share))
        with pytest.raises(ItemError, match="truncated"):
            seen(tmp_path, data[:at] + bytes(60_000))


def test_a_png_that_lacks_only_its_last_chunk_is_whole(tmp_path, capfd):
    assert np.array_equal(seen(tmp_path, SOURCES["PNG"][:-12]).pixels, GREY)


@pytest.mark.parametrize("name", SOURCES)
def test_a_lost_sector_is_said(tmp_path, capfd, name):
    data = bytearray(SOURCES[name])
    at = max(len(data) // 2, len(data) * 2 // 3 - 256)
    data[at : at + 512] = bytes(len(data[at : at + 512]))
    with pytest.raises(ItemError, match=r"damaged|truncated") as caught:
        seen(tmp_path, bytes(data))
    assert caught.value.cause in (Cause.DAMAGED, Cause.NOT_SUPPORTED)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", SOURCES)
def test_cut_short_is_truncated(tmp_path, name):
    data = SOURCES[name]
    for share in (0.3, 0.6, 0.95):
        with pytest.raises(ItemError, match="truncated: the file ends before the picture does"):
            seen(tmp_path, data[: int(len(data) * share)])


LEAST = {
    **dict.fromkeys(("JPEG", "JPEG, progressive", "JPEG in TIFF"), 0.25),
    **dict.fromkeys(("Deflate TIFF", "WebP", "PNG", "LZW TIFF"), 0.9),
    "GIF": 0.6,
}


@pytest.mark.parametrize("name", LEAST)
def test_a_flipped_bit_is_said(tmp_path, name):
    said, changed = 0, 0
    good = seen(tmp_path, SOURCES[name]).pixels
    for at in np.random.default_rng(2).integers(700, len(SOURCES[name]) - 30, 20):
        data = bytearray(SOURCES[name])
        data[at] ^= 4
        try:
            photo = seen(tmp_path, bytes(data), damaged=True)
        except ItemError:
            said, changed = said + 1, changed + 1
            continue
        different = photo.pixels != good
        if different.reshape(*good.shape[:2], -1).any(axis=2).mean() > 0.1:
            changed += 1
            said += photo.note.startswith("damaged inside: ")
    assert said >= changed * LEAST[name]


def test_what_is_left_can_be_had(tmp_path):
    data = bytearray(SOURCES["JPEG"])
    data[len(data) * 2 // 3 : len(data) * 2 // 3 + 512] = bytes(512)
    with pytest.raises(ItemError, match=r"damaged inside: .*; --on-damage done"):
        seen(tmp_path, bytes(data))
    photo = seen(tmp_path, bytes(data), damaged=True)
    assert photo.note.startswith("damaged inside: ")
    np.testing.assert_array_equal(photo.pixels[:64], seen(tmp_path, SOURCES["JPEG"]).pixels[:64])


def with_junk(data: bytes) -> dict[str, bytes]:
    at = data.index(b"\xff\xdb")
    return {
        "before a table": data[:at] + b"some junk" + data[at:],
        "zeros before the end": data[:-2] + bytes(64) + data[-2:],
        "behind the end": data + b"a trailer" * 40,
        "another JFIF": data[:11] + b"\x07" + data[12:],
    }


@pytest.mark.parametrize("kind", with_junk(SOURCES["JPEG"]))
@pytest.mark.parametrize("name", ["JPEG", "JPEG in colour", "JPEG, progressive"])
def test_what_is_harmless_stays_done_and_hides_nothing(tmp_path, name, kind):
    data = with_junk(SOURCES[name])[kind]
    np.testing.assert_array_equal(seen(tmp_path, data).pixels, seen(tmp_path, SOURCES[name]).pixels)
    hurt = bytearray(data)
    at = len(data) * 2 // 3 - 300
    hurt[at : at + 300] = b"\x55" * 300
    with pytest.raises(ItemError, match="damaged inside"):
        seen(tmp_path, bytes(hurt))


@pytest.mark.parametrize("quality", [10, 50, 80, 95, 100])
@pytest.mark.parametrize("method", [0, 3, 6])
@pytest.mark.parametrize("lossless", [False, True])
def test_no_sound_webp_is_taken_for_a_damaged_one(quality, method, lossless):
    noise = np.random.default_rng(quality).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    for pixels in (COLOUR[:77, :91], noise, np.full_like(noise, 9), noise[:1, :1]):
        assert webp.damage_of(saved(pixels, "WEBP", quality=quality, method=method, lossless=lossless)) == ""


def test_a_sound_tiff_whose_decoder_stumbles_is_not_called_truncated(tmp_path):
    """Tiled, uncompressed, 0 is white: Pillow says truncated, and tifffile reads it."""
    pytest.importorskip("tifffile", reason="extra: scans")
    tiles = np.pad(GREY[:50, :60], ((0, 14), (0, 4)))
    tags = tags_of(GREY[:50, :60], photometric=0, t322=(3, [64]), t323=(3, [64]), t32996=(3, [0]), t32997=(4, [1]))
    data = tiff((tags, tiles.tobytes()))
    data = data.replace(b"\x11\x01\x04\0\1\0\0\0", b"\x44\x01\x04\0\1\0\0\0").replace(
        b"\x17\x01\x04\0\1\0\0\0", b"\x45\x01\x04\0\1\0\0\0"
    )
    photo = seen(tmp_path, data)
    np.testing.assert_array_equal(photo.pixels, 255 - GREY[:50, :60])


def test_an_empty_jfif_segment_is_left_to_the_next_decoder(tmp_path):
    data = SOURCES["JPEG"]
    photo = seen(tmp_path, data[:2] + b"\xff\xe0\x00\x07JFIF\0" + data[20:])
    np.testing.assert_array_equal(photo.pixels, seen(tmp_path, data).pixels)
    assert photo.note in ("", "read by OpenCV: Pillow cannot")


def test_bmp_with_bitfields(tmp_path):
    """Masks in an order that Pillow does not know."""
    values = np.arange(256, dtype="<u4").reshape(16, 16)
    rows = (values | values << 8 | values << 16).astype("<u4").tobytes()
    header = b"BM" + (66 + len(rows)).to_bytes(4, "little") + bytes(4) + (66).to_bytes(4, "little")
    info = np.array([40, 16, 16, 1 | 32 << 16, 3, len(rows), 0, 0, 0, 0, 0xFF, 0xFF0000, 0xFF00], "<u4").tobytes()
    photo = seen(tmp_path, header + info + rows)
    np.testing.assert_array_equal(photo.pixels[::-1, :, 1], values)
    assert photo.note == "read by OpenCV: Pillow cannot"


@pytest.mark.parametrize("compression", ["packbits", "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("rows", [1, 7, 256])
def test_no_sound_strips_are_taken_for_damaged_ones(tmp_path, compression, rows):
    for pixels in (GREY, COLOUR[:77, :91], GREY > 150, np.full_like(GREY, 9), GREY.astype(np.uint16) * 257):
        photo = seen(tmp_path, saved(pixels, "TIFF", compression=compression, tiffinfo={278: rows}))
        assert photo.note == ""


@pytest.mark.parametrize("size", [(256, 256), (77, 91), (1, 1), (1, 33), (127, 129)])
def test_no_sound_gif_is_taken_for_a_damaged_one(tmp_path, size):
    noise = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
    for pixels in (cv2.resize(GREY, size[::-1]), noise, noise > 128, np.full_like(noise, 9)):
        for options in ({}, {"interlace": 0}, {"save_all": True, "append_images": [Image.fromarray(pixels[::-1])]}):
            assert "damaged" not in seen(tmp_path, data := saved(pixels, "GIF", **options)).note
            assert "damaged" not in seen(tmp_path, data[:-1]).note  # many writers leave the last byte out


def test_planes_of_several_strips_are_sound(tmp_path):
    """The last strip of each plane is lower than the others."""
    rows, width, height = 29, 50, 70
    for compression, code in (("packbits", 32773), ("tiff_lzw", 5)):
        parts = []
        for plane in np.dsplit(COLOUR[:height, :width], 3):
            for top in range(0, height, rows):
                strip = np.ascontiguousarray(plane[top : top + rows, :, 0])
                image = Image.open(io.BytesIO(made := saved(strip, "TIFF", compression=compression)))
                parts.append(made[image.tag_v2[273][0] :][: image.tag_v2[279][0]])
        starts = np.cumsum([0, *map(len, parts)])
        assert seen(tmp_path, _planar(parts, starts, width, height, rows, code)).note == ""
        filled = [*parts[:2], parts[1], *parts[3:]]  # some writers fill the last strip up
        starts = np.cumsum([0, *map(len, filled)])
        assert seen(tmp_path, _planar(filled, starts, width, height, rows, code)).note == ""


def _planar(parts: list[bytes], starts: np.ndarray, width: int, height: int, rows: int, code: int) -> bytes:
    count, where = len(parts), 8 + 2 + 12 * 10 + 4 + 6
    arrays, first = where, where + 8 * len(parts)
    entries = (
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, where - 6), (259, 4, 1, code), (262, 4, 1, 2),
        (273, 4, count, arrays), (277, 4, 1, 3), (278, 4, 1, rows), (279, 4, count, arrays + 4 * count), (284, 4, 1, 2),
    )  # fmt: skip
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    told = struct.pack(f"<{2 * count}I", *(first + starts[:-1]), *map(len, parts))
    return head + bytes(4) + struct.pack("<3H", 8, 8, 8) + told + b"".join(parts)


def test_no_sound_qoi_is_taken_for_a_damaged_one(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (60, 90, 4), dtype=np.uint8)
    for pixels in (COLOUR[:77, :91], noise, noise[:, :, :3], np.full_like(noise, 9), noise[:1, :1]):
        assert seen(tmp_path, saved(pixels, "QOI")).note == ""


@pytest.mark.parametrize("hurt", ["zeros", "a byte less", "a byte more", "a lower picture"])
@pytest.mark.parametrize("kind", ["QOI", "PackBits"])
def test_what_makes_more_or_fewer_pixels_is_damaged(tmp_path, kind, hurt):
    data = bytearray(saved(COLOUR, "QOI") if kind == "QOI" else SOURCES["PackBits TIFF"])
    at = len(data) // 3
    if hurt == "zeros":
        data[at : at + 200] = bytes(200)
    elif hurt == "a byte less":
        del data[at : at + 1]
        data += b"\0" * (kind != "QOI")
    elif hurt == "a byte more":
        data[at:at] = b"\x01"
    else:
        at = 10 if kind == "QOI" else data.index(b"\x01\x01\x03\0\1\0\0\0\0\x01") + 8
        data[at : at + 2] = b"\0\x63" if kind == "QOI" else b"\x63\0"  # its height
    with pytest.raises(ItemError, match=r"damaged|truncated"):
        seen(tmp_path, bytes(data))
