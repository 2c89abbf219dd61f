"""What a coloured copy keeps of its source, read back with tools that are not ours."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from pipeline.media.photo.decode import upright
from pipeline.media.photo.jpeg import turbo
from pipeline.media.photo.jpeg.record import is_record, original
from pipeline.media.photo.jpeg.segments import parse
from pipeline.media.photo.metadata import orientation_of
from pipeline.media.photo.orientation import as_stored
from tests.conftest import landscape
from tests.media.conftest import Make, exif, grey_source, luma_of

FORMATS = ["jpg", "png", "tif", "webp"]
needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")


def told(path: Path) -> dict[str, object]:
    """All that exiftool reads in a file."""
    run = subprocess.run(["exiftool", "-j", "-G0", "-n", "-a", str(path)], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(run.stdout)[0]
    return found


@pytest.mark.parametrize("format", FORMATS)
def test_the_luma_is_the_sources_own(make: Make, format: str) -> None:
    data = grey_source(format)
    _, output = make(data, f"scan.{format}")
    source = output.parent.parent / f"scan.{format}"
    np.testing.assert_array_equal(luma_of(output), luma_of(source))
    colour = np.asarray(Image.open(output).convert("RGB")).astype(int)
    assert np.abs(colour[..., 0] - colour[..., 2]).max() > 3


@pytest.mark.parametrize("format", FORMATS)
@needs_exiftool
def test_exiftool_reads_what_the_source_said(make: Make, format: str) -> None:
    result, output = make(grey_source(format), f"scan.{format}")
    found = told(output)
    assert found["EXIF:ImageDescription"] in ("a street", "hello")
    assert found["EXIF:Artist"] == "somebody"
    assert found["XMP:Source"] == "box 7"
    assert str(found["XMP:DigitalSourceType"]).endswith("/compositeWithTrainedAlgorithmicMedia")
    assert found["XMP:SourceSha256"] == result.seen.source_sha256
    if format in ("jpg", "png", "tif"):
        assert found["IPTC:Caption-Abstract"] == "a caption"
        assert found["ICC_Profile:ColorSpaceData"] == "RGB "
        assert found["ICC_Profile:RedTRC"]
        assert result.metadata == ""
    if format in ("jpg", "png"):
        assert found["EXIF:DateTimeOriginal"] == "1931:05:12 10:00:00"
    assert "Warning" not in str(found.keys()), found


@pytest.mark.parametrize("format", ["jpg", "png", "tif"])
def test_resolution_is_kept(make: Make, format: str) -> None:
    _, output = make(grey_source(format), f"scan.{format}")
    assert [round(float(each)) for each in Image.open(output).info["dpi"]] == [300, 300]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("sampling", ["420", "444"])
def test_a_jpeg_keeps_its_orientation_and_the_original_inside(make: Make, orientation: int, sampling: str) -> None:
    data = grey_source("jpg", orientation)
    _, output = make(data, "scan.jpg", chroma_sampling=sampling)
    assert original(output.read_bytes()) == data
    assert orientation_of(output.read_bytes()) == orientation
    shown = np.asarray(ImageOps.exif_transpose(Image.open(output))).astype(float)
    # The same picture without a tag, its pixels upright already, has the same colours.
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    _, plain = make(cv2.imencode(".png", upright)[1].tobytes(), "upright.png")
    wanted = np.asarray(Image.open(plain)).astype(float)
    assert shown.shape == wanted.shape
    assert np.abs(cv2.blur(shown - wanted, (9, 9))).max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_back_is_the_inverse_of_turning_upright(orientation: int) -> None:
    picture = landscape(1, 7, 11)
    np.testing.assert_array_equal(as_stored(upright(picture, orientation), orientation), picture)


@pytest.mark.parametrize("format", ["png", "webp"])
def test_where_pixels_are_turned_the_tag_says_upright(make: Make, format: str) -> None:
    _, output = make(grey_source(format, 6), f"scan.{format}")
    with Image.open(output) as image:
        assert image.size == (61, 83)
        image.load()
        assert image.getexif().get(0x0112) == 1
        assert b'tiff:Orientation="1"' in (image.info.get("xmp") or b"")


def test_a_toned_jpeg_keeps_its_luma(make: Make) -> None:
    buffer = io.BytesIO()
    grey = landscape(5, 64, 90)
    toned = np.dstack([grey, grey * 0.85, grey * 0.7]).astype(np.uint8)
    Image.fromarray(toned).save(buffer, "JPEG", quality=90, exif=exif(8).tobytes())
    result, output = make(buffer.getvalue(), "sepia.jpg")
    source = output.parent.parent / "sepia.jpg"
    if result.metadata:
        assert "luma was coded anew" in result.metadata
    else:
        np.testing.assert_array_equal(luma_of(output), luma_of(source))
        assert orientation_of(output.read_bytes()) == 8


def test_what_a_jpeg_cannot_keep_is_said(make: Make) -> None:
    buffer = io.BytesIO()
    Image.fromarray(landscape(5)).convert("CMYK").save(buffer, "JPEG")
    assert "luma was coded anew: stored as CMYK" in make(buffer.getvalue(), "print.jpg")[0].metadata
    assert "luma was coded anew" in make(grey_source("png"), "misnamed.jpg")[0].metadata
    veiled = np.dstack([landscape(5)] * 3 + [np.full((60, 80), 99, np.uint8)])
    result, _ = make(cv2.imencode(".png", veiled)[1].tobytes(), "veil.png", "veil.jpg")
    assert "transparency" in result.metadata


def test_tone_and_colour_of_the_tutorial_are_still_to_be_had(make: Make) -> None:
    _, output = make(grey_source("jpg"), "scan.jpg", lightness="lab", provenance=False)
    assert "DigitalSourceType" not in output.read_bytes().decode("latin-1")
    assert [part[1:3] for part in Image.open(output).layer] == [(1, 1)] * 3


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_input_gives_the_same_bytes(make: Make, format: str) -> None:
    data = grey_source(format)
    first = make(data, f"scan.{format}")[1].read_bytes()
    assert make(data, f"scan.{format}")[1].read_bytes() == first


@pytest.mark.skipif(not shutil.which("djpeg"), reason="djpeg is not installed")
def test_djpeg_sees_the_same_grey(make: Make) -> None:
    data = grey_source("jpg")
    _, output = make(data, "scan.jpg")
    greys = [
        subprocess.run(["djpeg", "-grayscale", str(path)], capture_output=True, check=True).stdout
        for path in (output, output.parent.parent / "scan.jpg")
    ]
    assert greys[0] == greys[1]


@pytest.mark.skipif(not turbo.available(), reason="libturbojpeg is not installed")
@pytest.mark.parametrize("progressive", [False, True])
def test_interleaved_scans_keep_luma_and_markers(make: Make, progressive: bool) -> None:
    data = grey_source("jpg", 6)
    if progressive:
        data = turbo.rewrite(data, progressive=True)
    result, output = make(data, "scan.jpg", jpeg_scans="interleaved")
    source = output.parent.parent / "scan.jpg"
    np.testing.assert_array_equal(luma_of(output), luma_of(source))
    assert orientation_of(output.read_bytes()) == 6
    assert parse(output.read_bytes()).frame.progressive == progressive
    assert not any(is_record(output.read_bytes(), part) for part in parse(output.read_bytes()).segments)
    assert b"compositeWithTrainedAlgorithmicMedia" in output.read_bytes()
    assert result.metadata == ""


def test_scans_that_cannot_be_interleaved_are_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turbo, "_library", lambda: None)
    result, output = make(grey_source("jpg"), "scan.jpg", jpeg_scans="interleaved")
    assert result.metadata == "scans: left separate, libturbojpeg is not installed"
    assert len(parse(output.read_bytes()).scans) == 3


@pytest.mark.parametrize(
    ("stored", "kept"),
    [("raw", 1), ("tiff_lzw", 5), ("tiff_adobe_deflate", 8), ("tiff_deflate", 8), ("packbits", 32773), ("jpeg", 5)],
)
def test_a_tiff_keeps_its_compression(make: Make, stored: str, kept: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(landscape(3, 61, 83)).save(buffer, "TIFF", compression=stored)
    _, output = make(buffer.getvalue(), "scan.tif")
    with Image.open(output) as image:
        assert image.tag_v2[259] == kept
    np.testing.assert_array_equal(luma_of(output), luma_of(output.parent.parent / "scan.tif"))


@pytest.mark.parametrize("grain", [0, 2000])
def test_a_compression_that_would_swell_the_samples_is_not_kept(make: Make, grain: int) -> None:
    noise = np.random.default_rng(1).integers(-grain, grain + 1, (256, 320))
    smooth = np.linspace(9000, 50000, 320, dtype=np.int64)[np.newaxis] + np.zeros((256, 1), np.int64)
    pixels = np.clip(smooth + noise, 0, 65535).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF", compression="tiff_lzw")
    _, output = make(buffer.getvalue(), "scan.tif")
    with Image.open(output) as image:
        assert image.tag_v2[259] == (1 if grain else 5)
    assert output.stat().st_size < 3 * pixels.nbytes + 4096
    made = cv2.imread(str(output), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), pixels)


@pytest.mark.parametrize(("gamma", "named"), [(100000, True), (55556, True), (45455, False)])
@pytest.mark.parametrize("format", ["png", "jpg", "tif"])
def test_a_pngs_gamma_keeps_its_tones(make: Make, gamma: int, named: bool, format: str) -> None:
    chunk = b"gAMA" + gamma.to_bytes(4, "big")
    data = cv2.imencode(".png", np.arange(4096, dtype=np.uint32).reshape(64, 64).astype(np.uint8))[1].tobytes()
    data = data[:33] + b"\0\0\0\4" + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[33:]
    _, output = make(data, "scan.png", f"scan.{format}", saturation=0.0)
    with Image.open(output) as image:
        profile = image.info.get("icc_profile")
        assert bool(profile) == named
        if profile:
            shown = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("LAB"), outputMode="LAB"
            )
            middle = np.asarray(shown)[..., 0][luma_of(output) == 128]
            linear = (128 / 255) ** (100000 / gamma)
            wanted = 116 * linear ** (1 / 3) - 16
            assert abs(float(middle.mean()) / 255 * 100 - wanted) < 1
