"""Thumbnails: small, upright, in sRGB, of whatever can be decoded."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.media.photo.xmp import Provenance, with_provenance
from pipeline.web.gallery.rendition import Rendition, Said, colourfulness, render, said_by
from tests.conftest import CHECKOUT, in_colour, landscape
from tests.gallery.conftest import write_film

FIXTURES = CHECKOUT / "tests" / "fixtures"


def made(path: Path, side: int = 64, **options: object) -> Rendition:
    return render(path, **{"film": False, "side": side, "max_megapixels": 500.0, **options})  # type: ignore[arg-type]


def pixels(rendition: Rendition) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(rendition.jpeg)).convert("RGB"))


def test_a_large_picture_is_made_small_and_a_small_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(cv2.imencode(".jpg", landscape(1, 300, 400))[1].tobytes())
    assert (made(path).width, made(path).height) == (64, 48)
    assert (made(path, 1000).width, made(path, 1000).height) == (400, 300)
    assert pixels(made(path)).shape == (48, 64, 3)


@pytest.mark.parametrize(
    "name",
    [
        "16_bit.pgm",
        "bigtiff.tif",
        "cmyk.tif",
        "lossy.webp",
        "1_bit.png",
        "grey_alpha.tif",
        "16_bit_grey.jp2",
        "rle8.bmp",
    ],
)
def test_what_photo_reads_has_a_thumbnail(name: str) -> None:
    found = made(FIXTURES / "odd" / name)
    assert found.problem == ""
    assert max(found.width, found.height) <= 64
    assert pixels(found).std() > 1


@pytest.mark.parametrize("name", ["exif_orientation_6.jpg", "exif_orientation_5_grey.jpg"])
def test_it_stands_upright(name: str) -> None:
    stored = Image.open(FIXTURES / "odd" / name).size
    found = made(FIXTURES / "odd" / name, 5000)
    assert (found.width, found.height) == (stored[1], stored[0])


def test_a_wide_gamut_is_brought_to_srgb(tmp_path: Path) -> None:
    # A profile whose red and blue are exchanged: without conversion the picture would stay red.
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    for suffix in ("jpg", "png"):
        path = tmp_path / f"a.{suffix}"
        Image.new("RGB", (40, 30), (220, 30, 30)).save(path, icc_profile=swapped)
        red, _, blue = pixels(made(path)).mean(axis=(0, 1))
        assert blue > 150 > 100 > red


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = np.zeros((20, 20, 4), np.uint8)
    image[:, 10:, 3] = 255
    cv2.imwrite(str(path), image)
    found = pixels(made(path))
    assert found[:, :8].min() > 240
    assert found[:, 12:].max() < 15


def test_a_picture_that_cannot_be_read_says_why() -> None:
    assert made(FIXTURES / "odd" / "lossless.jpg").problem.startswith("lossless JPEG is not supported")
    assert made(FIXTURES / "odd" / "truncated.jpg").problem.startswith("truncated")
    assert made(FIXTURES / "missing.jpg").problem
    assert made(FIXTURES / "SOURCES.md").problem


def test_a_bomb_is_not_opened(tmp_path: Path) -> None:
    for suffix in ("jpg", "png"):
        path = tmp_path / f"a.{suffix}"
        Image.new("L", (2000, 1000)).save(path)
        assert made(path, max_megapixels=1.0).problem.startswith("too large")


def test_colourfulness_is_nothing_for_grey_and_grows() -> None:
    grey = np.repeat(landscape(1)[..., None], 3, 2)
    rgb = cv2.cvtColor(in_colour(), cv2.COLOR_BGR2RGB)
    half = ((rgb.astype(int) + rgb.mean(axis=2, keepdims=True).astype(int)) // 2).astype(np.uint8)
    assert colourfulness(grey) == pytest.approx(0, abs=1e-4)
    assert 20 < colourfulness(half) < colourfulness(rgb)


def test_the_output_says_where_its_colour_is_from(tmp_path: Path) -> None:
    said = Provenance("colorize 9", "tiny", "ab" * 32, "cd" * 32)
    path = tmp_path / "a.png"
    path.write_bytes(b"picture" + with_provenance(b"", said))
    assert said_by(path) == Said(True, "colorize 9", "tiny", "ab" * 32, "cd" * 32)
    path.write_bytes(b"picture")
    assert said_by(path) == Said()


def test_a_film_is_seen_by_its_first_good_frame(tmp_path: Path) -> None:
    found = made(write_film(tmp_path / "a.avi"), 40, film=True)
    assert (found.width, found.height) == (40, 30)
    assert pixels(found).mean() > 50
    loop = Image.open(io.BytesIO(found.loop))
    assert loop.n_frames >= 8


def test_a_film_that_is_black_throughout_has_its_first_frame(tmp_path: Path) -> None:
    found = made(write_film(tmp_path / "a.avi", frames=5, black=5), film=True)
    assert pixels(found).max() < 20


def test_a_film_that_is_none_says_why(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="opens a film; extra: film")
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no film at all" * 100)
    assert made(path, film=True).problem
