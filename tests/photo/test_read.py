import io
import os
import re
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.pixels import eight_bits
from pipeline.media.photo.read import read

ODD = Path(__file__).parents[1] / "fixtures" / "odd"


def corners():
    """Four flat corners, each of its own grey: no two orientations look alike."""
    picture = np.zeros((40, 60), np.uint8)
    picture[:20, :30], picture[20:, :30], picture[:20, 30:] = 250, 120, 60
    return picture


# How a camera held in each orientation stores the upright picture.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}


def detailed(height=300, width=400):
    rng = np.random.default_rng(0)
    return cv2.blur(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), (3, 3))


def saved(path, pixels, **options):
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, **options)
    return path


def pixels_of(path):
    return eight_bits(read(path, max_megapixels=50).pixels)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["jpg", "rgb.jpg", "png", "16.png", "webp", "tif", "rgb.tif", "16.tif"])
def test_pictures_come_upright(tmp_path, orientation, kind):
    stored = STORED[orientation](corners())
    if kind.startswith("rgb") or kind == "webp":
        stored = np.dstack([stored] * 3)
    elif kind.startswith("16"):
        stored = stored.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if kind.endswith("tif") else {"exif": exif, "quality": 95}
    pixels = pixels_of(saved(tmp_path / f"a.{kind}", stored, **options))
    assert pixels.shape[:2] == (40, 60)
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    assert np.abs(grey.astype(int) - corners()).mean() < 3


def tiff_16_bit_colour(path, pixels, orientation):
    """OpenCV writes the picture; the tag SampleFormat, at its default, makes room for Orientation."""
    data = bytearray(cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes())
    at = struct.unpack("<I", data[4:8])[0]
    count = struct.unpack("<H", data[at : at + 2])[0]
    entries = [bytes(data[at + 2 + 12 * i : at + 14 + 12 * i]) for i in range(count)]
    entries = [entry for entry in entries if entry[:2] != struct.pack("<H", 339)]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    data[at + 2 : at + 2 + 12 * count] = b"".join(entries)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("orientation", STORED)
def test_16_bit_colour_tiff(tmp_path, orientation):
    stored = np.ascontiguousarray(np.dstack([STORED[orientation](corners())] * 3)).astype(np.uint16) * 257
    photo = read(tiff_16_bit_colour(tmp_path / "a.tif", stored, orientation), max_megapixels=1)
    assert photo.depth == 16
    np.testing.assert_array_equal(photo.pixels, np.dstack([corners()] * 3).astype(np.uint16) * 257)


def test_rubbish_in_exif_does_not_stop_a_picture(tmp_path):
    path = saved(tmp_path / "a.jpg", detailed(), exif=b"Exif\0\0MM\0*" + os.urandom(200))
    assert pixels_of(path).shape == (300, 400, 3)


def test_grey_stays_grey_and_colour_is_bgr(tmp_path):
    grey = saved(tmp_path / "a.png", corners())
    np.testing.assert_array_equal(pixels_of(grey), corners())
    red = np.zeros((5, 6, 3), np.uint8)
    red[:, :, 0] = 200
    for kind in ("png", "tif", "bmp", "ppm", "gif"):
        np.testing.assert_array_equal(pixels_of(saved(tmp_path / f"r.{kind}", red))[2, 2], (0, 0, 200))


@pytest.mark.parametrize("kind", ["png", "tif", "jp2"])
def test_16_bits_are_scaled_to_the_full_range(tmp_path, kind):
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    options = {"irreversible": False} if kind == "jp2" else {}
    photo = read(saved(tmp_path / f"a.{kind}", ramp, **options), max_megapixels=1)
    assert photo.depth == 16
    np.testing.assert_array_equal(photo.pixels, ramp)


def test_16_bit_min_is_white_is_turned(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    path = saved(tmp_path / "a.tif", ramp, tiffinfo={262: 0})
    assert np.abs(pixels_of(path) - (65535 - ramp.astype(int)) / 257).max() <= 0.51


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 1e6])
def test_float_tiff(tmp_path, white):
    ramp = np.linspace(0, white, 50 * 50, dtype=np.float32).reshape(50, 50)
    assert np.abs(pixels_of(saved(tmp_path / "a.tif", ramp)) - ramp / white * 255).max() <= 0.51


def test_float_tiff_with_nan_and_infinity(tmp_path):
    ramp = np.linspace(0, 1, 2500, dtype=np.float32).reshape(50, 50)
    ramp[0, :3] = np.nan, np.inf, -np.inf
    assert pixels_of(saved(tmp_path / "a.tif", ramp))[-1, -1] == 255


def test_one_bit_palette_cmyk(tmp_path):
    image = Image.fromarray(corners())
    image.convert("1", dither=Image.Dither.NONE).save(tmp_path / "one.png")
    assert set(np.unique(pixels_of(tmp_path / "one.png"))) == {0, 255}
    assert read(tmp_path / "one.png", max_megapixels=1).depth == 1
    Image.fromarray(np.dstack([corners()] * 3)).quantize(8).save(tmp_path / "palette.gif")
    assert np.abs(pixels_of(tmp_path / "palette.gif")[:, :, 0].astype(int) - corners()).mean() < 3
    Image.fromarray(np.dstack([corners()] * 3)).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(pixels_of(tmp_path / "cmyk.jpg")[:, :, 1].astype(int) - corners()).mean() < 4


@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_alpha_is_kept_and_dropped_where_opaque(tmp_path, kind):
    veil = np.tile(np.arange(60, dtype=np.uint8) * 4, (40, 1))
    path = saved(tmp_path / f"a.{kind}", np.dstack([corners()] * 3 + [veil]), lossless=True)
    photo = read(path, max_megapixels=1)
    assert photo.pixels.shape == (40, 60, 3)
    np.testing.assert_array_equal(photo.alpha, veil)
    path = saved(path, np.dstack([corners()] * 3 + [np.full_like(veil, 255)]), lossless=True)
    assert read(path, max_megapixels=1).alpha is None


def test_first_of_several_pages(tmp_path):
    first, second = Image.fromarray(corners()), Image.new("L", (10, 10))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second, second])
    photo = read(tmp_path / "a.tif", max_megapixels=1)
    assert photo.note == "first of 3 pages"
    np.testing.assert_array_equal(photo.pixels, corners())


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["jpg", "progressive.jpg", "png", "tif", "lzw.tif", "webp", "bmp", "jp2"])
def test_truncated_files_fail(tmp_path, capfd, kind, share):
    options = {"progressive.jpg": {"progressive": True}, "lzw.tif": {"compression": "tiff_lzw"}}.get(kind, {})
    path = saved(tmp_path / f"a.{kind}", detailed(), **options)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ItemError, match=r"truncated|damaged"):
        pixels_of(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_cut_and_closed_again_fails(tmp_path, capfd, progressive):
    path = saved(tmp_path / "a.jpg", detailed(), progressive=progressive)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    with pytest.raises(ItemError, match="truncated"):
        pixels_of(path)
    assert capfd.readouterr().err == ""


def test_trailing_bytes_do_no_harm(tmp_path):
    for kind in ("jpg", "png"):
        path = saved(tmp_path / f"a.{kind}", detailed())
        path.write_bytes(path.read_bytes() + b"appended by some camera" * 50)
        assert pixels_of(path).shape == (300, 400, 3)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = saved(tmp_path / "a.jpg", np.zeros((8, 8), np.uint8))
    data = path.read_bytes()
    at = data.index(b"\xff\xc0") + 5
    path.write_bytes(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])
    with pytest.raises(ItemError, match="too large: 65535 x 65535 is 4295 megapixels; raise max_megapixels"):
        read(path, max_megapixels=500)
    with pytest.raises(ItemError, match="too large"):
        read(saved(tmp_path / "b.png", detailed()), max_megapixels=0.1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"just a letter\n", "it is text"),
        (bytes(5000), "zero bytes"),
        (os.urandom(3) + bytes(range(256)) * 9, "not a picture"),
        (b"8BPS\0\1" + bytes(40), "Photoshop"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xff\xd8\xff\xc1\0\x11\x0c" + bytes(40), "12-bit JPEG"),
        (b"\xff\xd8\xff\xc3\0\x11\x10" + bytes(40), "lossless JPEG"),
        (b"\xff\xd8\xff\xe0\0\x02", "truncated"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0", "TIFF without a picture"),
        (b"II*\0", "truncated"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "truncated"),
    ],
)
def test_reasons_are_in_words(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ItemError, match=reason) as caught:
        pixels_of(path)
    assert str(tmp_path) not in str(caught.value)


def test_gone_forbidden_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        pixels_of(tmp_path / "none.jpg")
    with pytest.raises(ItemError, match="folder"):
        pixels_of(tmp_path)
    if os.geteuid():
        path = saved(tmp_path / "a.jpg", corners())
        path.chmod(0)
        with pytest.raises(ItemError, match="permission denied"):
            pixels_of(path)


def test_random_damage_never_escapes(tmp_path, capfd):
    rng = np.random.default_rng(0)
    buffers = []
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"):
        buffer = io.BytesIO()
        Image.fromarray(detailed(40, 50)).save(buffer, kind)
        buffers.append(buffer.getvalue())
    path = tmp_path / "a.img"
    for turn in range(120):
        data = bytearray(buffers[turn % len(buffers)])
        for at in rng.integers(0, len(data), 1 + turn % 8):
            data[at] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            photo = read(path, max_megapixels=1)
        except ItemError:
            continue
        assert photo.pixels.dtype == np.uint8
        assert photo.pixels.shape[:2] == (photo.height, photo.width)
    assert capfd.readouterr().err == ""


# The means are those of the pixels that the files were made from; only ink (CMYK) has no one way back to light.
@pytest.mark.parametrize(
    ("name", "height", "width", "bits", "mean"),
    [
        ("exif_orientation_6.jpg", 96, 72, 8, 127.6),
        ("exif_orientation_5_grey.jpg", 96, 72, 8, 133.7),
        ("progressive_restart.jpg", 72, 96, 8, 127.6),
        ("cmyk.jpg", 72, 96, 8, 136),
        ("cmyk.tif", 72, 96, 8, 136),
        ("1_bit.png", 72, 96, 1, 173.5),
        ("1_bit_min_is_white.tif", 72, 96, 1, 173.5),
        ("ccitt_g4.tif", 72, 96, 1, 173.5),
        ("float32_predictor_3.tif", 72, 96, 32, 133.7),
        ("16_bit.pgm", 72, 96, 16, 132.5),
        ("16_bit_grey.jp2", 72, 96, 16, 132.5),
        ("16_bit_grey_interlaced.png", 72, 96, 16, 132.5),
        ("16_bit_grey_big_endian.tif", 72, 96, 16, 132.5),
        ("grey_alpha.png", 72, 96, 8, 133.7),
        ("grey_alpha.tif", 72, 96, 8, 133.7),
        ("planar_lzw.tif", 72, 96, 8, 127.6),
        ("tiled.tif", 72, 96, 8, 127.6),
        ("bigtiff.tif", 72, 96, 8, 127.6),
        ("jpeg_inside.tif", 72, 96, 8, 127.6),
        ("two_pages.tif", 72, 96, 8, 133.7),
        ("lossy.webp", 72, 96, 8, 127.6),
        ("quick.qoi", 72, 96, 8, 127.6),
        ("hevc.heic", 72, 96, 8, 127.6),
        ("sun.ras", 72, 96, 8, 133.7),
    ],
)
def test_odd_files_that_other_programs_wrote(name, height, width, bits, mean):
    photo = read(ODD / name, max_megapixels=50)
    assert (photo.height, photo.width, photo.depth) == (height, width, bits)
    assert abs(eight_bits(photo.pixels).mean() - mean) < 1
    assert photo.pixels.dtype == (np.uint16 if bits > 8 else np.uint8)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("lossless.jpg", "lossless JPEG"), ("truncated.jpg", "truncated")],
)
def test_odd_files_that_nobody_here_reads_are_said(name, reason):
    with pytest.raises(ItemError, match=reason):
        pixels_of(ODD / name)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"v/1\x01\x02\0\0\0", "OpenEXR"),
        (b"SDPX\0\0\x08\0", "DPX"),
        (bytes(128) + b"DICM\x02\0", "DICOM"),
        (b"II\xbc\x01\x20\0\0\0", "JPEG XR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"\x8bJNG\r\n\x1a\n", "MNG and JNG"),
        (b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n", "PAM"),
    ],
)
def test_kinds_that_are_not_read_are_called_by_their_names(tmp_path: Path, head: bytes, said: str) -> None:
    (tmp_path / "a.xyz").write_bytes(head + bytes(range(256)))
    with pytest.raises(ItemError, match=f"^{said} (is|are) not supported; save it as"):
        read(tmp_path / "a.xyz", max_megapixels=1)


ODD_JPEGS = {
    "height at its end": (lambda frame: frame[:5] + b"\0\0" + frame[7:], "JPEG whose height is given at its end (DNL)"),
    "12 bits": (lambda frame: frame[:4] + b"\x0c" + frame[5:], "12-bit JPEG"),
    "lossless": (lambda frame: b"\xff\xc3" + frame[2:], "lossless JPEG"),
    "two": (lambda frame: b"\xff\xc0\0\x0e" + frame[4:9] + b"\2\1\x11\0\2\x11\0", "JPEG of 2 components"),
}


@pytest.mark.parametrize("before", [b"", b"\xff\xff\xff", b"\xff\xe1\x40\0" + bytes(0x3FFE)], ids=["", "fill", "EXIF"])
@pytest.mark.parametrize("kind", ODD_JPEGS)
def test_a_jpeg_of_a_kind_that_is_not_read_is_not_called_damaged(tmp_path: Path, kind: str, before: bytes) -> None:
    data = cv2.imencode(".jpg", np.arange(4096, dtype=np.uint32).reshape(64, 64).astype(np.uint8))[1].tobytes()
    at = data.index(b"\xff\xc0")
    change, name = ODD_JPEGS[kind]
    cut = data[:2] + before + data[2:at] + change(data[at : at + 13]) + data[at + 13 :]
    (tmp_path / "a.jpg").write_bytes(cut)
    with pytest.raises(ItemError, match=f"^{re.escape(name)} is not supported; save it as TIFF$") as refused:
        read(tmp_path / "a.jpg", max_megapixels=1)
    assert refused.value.cause is Cause.NOT_SUPPORTED
