"""What decoders make of odd files in silence: it is right, or it is said."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import ItemError
from pipeline.ground.items import Picture
from pipeline.ground.pixels import eight_bits
from pipeline.media.photo.jpeg.segments import parse
from pipeline.media.photo.precision import from_video
from pipeline.media.photo.read import read
from pipeline.media.photo.read_tiff import _as_signed
from pipeline.media.photo.samples import Meaning, scaled
from pipeline.media.photo.strips import _MIRRORED
from pipeline.media.photo.tiff import Directory
from tests.conftest import landscape
from tests.photo.tiffs import tags_of, tiff

GREY = landscape(3, 61, 83)
VEIL = np.tile(np.linspace(60, 255, 83).astype(np.uint8), (61, 1))


def seen(tmp_path: Path, data: bytes, *, damaged: bool = False) -> Picture[Any]:
    (tmp_path / "a").write_bytes(data)
    return read(tmp_path / "a", max_megapixels=1, damaged=damaged)


def jpeg(pixels: np.ndarray = GREY, mode: str = "L", **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", quality=92, **how)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels: np.ndarray, kind: int, more: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    packed = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + packed


def apart(picture: Picture[Any], wanted: np.ndarray = GREY) -> float:
    shown = eight_bits(picture.pixels)
    return float(np.abs(shown.astype(int) - (wanted if shown.ndim == 2 else wanted[:, :, np.newaxis])).mean())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("how", ["beside it", "numbers", "light"])
def test_transparency_beside_grey_whose_0_is_white(tmp_path: Path, dtype: type, how: str) -> None:
    light, veil = GREY / 255, VEIL / 255
    stored = {"beside it": 1 - light, "numbers": (1 - light) * veil, "light": 1 - light * veil}[how]
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    both = np.dstack([stored, veil]) * top
    both = both.astype(dtype) if dtype is np.float32 else np.rint(both).astype(dtype)
    tags = tags_of(both, photometric=0) | {338: (3, [2 if how == "beside it" else 1])}
    picture = seen(tmp_path, tiff((tags, both.tobytes())))
    assert apart(picture) < (0.1 if how == "beside it" else 1.5)
    assert picture.alpha is not None
    assert np.abs(eight_bits(picture.alpha).astype(int) - VEIL).max() <= 1
    assert ("it is taken that" in picture.note) == (how != "beside it")


@pytest.mark.parametrize("order", ["<", ">"])
def test_compressed_floats_of_either_order(tmp_path: Path, order: str) -> None:
    floats = (GREY / 255).astype(np.float32)
    tags = tags_of(floats) | {259: (3, [8])}
    picture = seen(tmp_path, tiff((tags, zlib.compress(floats.astype(f"{order}f4").tobytes())), order=order))
    assert apart(picture) < 0.1
    assert picture.note == ""


def test_signed_samples_that_pillow_widens_stay_signed() -> None:
    wide = np.array([[-32768, 0, 32767]], np.int32)
    made = _as_signed(wide, Directory(0, 0, {258: 16, 339: 2}, 1))
    assert scaled(made, Meaning(16))[0].tolist() == [[0, 32768, 65535]]


def test_24_bits_moved_up_are_not_clipped() -> None:
    moved = np.array([[0, 0x800000, 0xFFFFFF]], np.uint32)
    for samples in (moved, moved << 8):
        assert np.abs(scaled(samples, Meaning(24))[0].astype(int) - [[0, 32768, 65535]]).max() <= 1


def test_without_a_word_of_what_0_is_it_is_black(tmp_path: Path) -> None:
    tags = {tag: each for tag, each in tags_of(GREY).items() if tag != 262}
    picture = seen(tmp_path, tiff((tags, GREY.tobytes())))
    assert apart(picture) == 0
    assert "it is taken as black" in picture.note


def test_planes_in_tiles_that_only_tifffile_reads(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for kind, wanted in (("minisblack", GREY), ("miniswhite", 255 - GREY)):
        how = {"photometric": kind, "planarconfig": "separate", "tile": (32, 48), "extrasamples": ["unassalpha"]}
        tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY, VEIL]), metadata=None, **how)
        picture = read(tmp_path / "a.tif", max_megapixels=1)
        assert apart(picture, wanted) == 0
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, VEIL)


@pytest.mark.parametrize("compression", [8, 32773])
def test_bytes_whose_bits_are_mirrored_are_not_damaged(tmp_path: Path, compression: int) -> None:
    rows = [bytes((len(row) - 1,)) + row.tobytes() for row in GREY]
    data = zlib.compress(GREY.tobytes()) if compression == 8 else b"".join(rows)
    tags = tags_of(GREY) | {259: (3, [compression]), 266: (3, [2])}
    assert apart(seen(tmp_path, tiff((tags, data.translate(_MIRRORED))))) == 0


def test_transparency_that_no_decoder_hands_out_is_said(tmp_path: Path) -> None:
    both = np.dstack([GREY, VEIL])
    tags = tags_of(both, photometric=3) | {320: (3, [level * 257 for level in range(256)] * 3), 338: (3, [2])}
    picture = seen(tmp_path, tiff((tags, both.tobytes())))
    assert picture.alpha is not None or "its transparency was left out" in picture.note


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "JPEG"])
def test_what_xmp_says_of_turns_counts_for_nothing(tmp_path: Path, kind: str) -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    buffer, how = io.BytesIO(), {"tiffinfo": {700: packet}} if kind == "TIFF" else {"xmp": packet, "quality": 95}
    Image.fromarray(GREY).convert("L" if kind == "TIFF" else "RGB").save(buffer, kind, **how)
    assert seen(tmp_path, buffer.getvalue()).pixels.shape[:2] == GREY.shape


@pytest.mark.parametrize("kept", range(1, 5))
def test_a_progressive_jpeg_without_its_last_scans_is_damaged(tmp_path: Path, kept: int) -> None:
    whole = jpeg(progressive=True)
    cut = whole[: parse(whole).scans[kept - 1].end] + b"\xff\xd9"
    with pytest.raises(ItemError, match="damaged inside: scans of it are missing"):
        seen(tmp_path, cut)
    assert "scans of it are missing" in seen(tmp_path, cut, damaged=True).note
    assert seen(tmp_path, whole).note == ""


def test_a_lossless_jpeg_is_refused_by_its_frame(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match="lossless JPEG is not supported"):
        seen(tmp_path, jpeg(mode="RGB").replace(b"\xff\xc0", b"\xff\xc3", 1))


@pytest.mark.parametrize(("kind", "opaque"), [(0, 0), (2, 0), (6, 1), (4, 1)])
def test_12_bits_in_16_of_a_png_are_not_dark(tmp_path: Path, kind: int, opaque: int) -> None:
    level = GREY.astype(np.uint16) * np.uint16(16) + np.uint16(15)
    channels = [level] * (3 if kind & 2 else 1) + [np.full_like(level, 65535)] * opaque
    picture = seen(tmp_path, png(np.dstack(channels), kind))
    assert apart(picture) < 1
    assert "white is taken at 4095" in picture.note


@pytest.mark.parametrize(
    ("said", "note"), [((9, 16, 0, 1), "HDR"), ((1, 13, 0, 0), "those of video"), ((1, 13, 0, 1), "")]
)
def test_what_a_png_says_of_its_coding(tmp_path: Path, said: tuple[int, ...], note: str) -> None:
    picture = seen(tmp_path, png(GREY.astype(np.uint16) * np.uint16(257), 0, chunk(b"cICP", bytes(said))))
    assert note in picture.note
    assert bool(note) == bool(picture.note)


def test_inks_without_a_word_of_what_they_mean_are_said(tmp_path: Path) -> None:
    data = jpeg(np.dstack([GREY] * 3), "CMYK")
    at = data.index(b"\xff\xee")
    bare = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    assert "taken as inverted" in seen(tmp_path, bare).note
    assert "taken as inverted" not in seen(tmp_path, data).note


def test_of_fits_the_first_plane_is_said(tmp_path: Path) -> None:
    cards = ("SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    3",
             "NAXIS1  =                   83", "NAXIS2  =                   61", "NAXIS3  =                    3",
             "END")  # fmt: skip
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    assert "first of 3 planes" in seen(tmp_path, head + (GREY.tobytes() * 3).ljust(2880 * 6, b"\0")).note


def test_sun_raster_of_32_bits_is_refused(tmp_path: Path) -> None:
    head = struct.pack(">8I", 0x59A66A95, 83, 61, 32, 83 * 61 * 4, 1, 0, 0)
    with pytest.raises(ItemError, match="not supported"):
        seen(tmp_path, head + np.dstack([VEIL, GREY, GREY, GREY]).tobytes())


@pytest.mark.parametrize("deep", [False, True])
def test_a_grey_avif_in_the_range_of_video_reaches_black_and_white(
    tmp_path: Path, deep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer, ramp = io.BytesIO(), np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    Image.fromarray(ramp).save(buffer, "AVIF", quality=95, range="limited", subsampling="4:0:0")
    if deep:  # as OpenCV hands it out
        video = np.rint(ramp * (876 / 255) + 64).astype(np.uint16)
        monkeypatch.setattr("pipeline.media.photo.precision.bits_of", lambda format, data: 10)
        assert np.abs(from_video(video, buffer.getvalue()).astype(int) - np.rint(ramp * (1023 / 255))).max() <= 1
        return
    shown = seen(tmp_path, buffer.getvalue()).pixels
    assert shown.min() < 8
    assert shown.max() > 247


def test_bits_that_were_lost_on_the_way_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "AVIF")
    assert "decoded in 8" not in seen(tmp_path, buffer.getvalue()).note
    monkeypatch.setattr("pipeline.media.photo.precision.bits_of", lambda format, data: 12)
    assert "decoded in 8 of its 12 bits" in seen(tmp_path, buffer.getvalue()).note


@pytest.mark.parametrize("channels", [1, 2])
def test_of_photoshop_channels_beside_the_colours_are_said(tmp_path: Path, channels: int) -> None:
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, 61, 83, 8, 1) + bytes(12) + b"\0\0"
    picture = seen(tmp_path, head + GREY.tobytes() + VEIL.tobytes() * (channels - 1))
    assert apart(picture) == 0
    assert ("left out" in picture.note) == (channels > 1)
