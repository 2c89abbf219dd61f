"""16 bits in, 16 bits out: more levels than 256, each with its luma; what cannot hold them says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.items import Kind, Unit, Verb, part_of
from pipeline.ground.pixels import eight_bits
from pipeline.ground.settings import Settings
from pipeline.media.medium import Tools
from pipeline.media.pages import Pages
from pipeline.media.photo.pages import pages
from pipeline.media.photo.read import read
from tests.conftest import landscape
from tests.media.conftest import Make
from tests.media.specimens import Painted, job
from tests.photo.tiffs import tags_of, tiff

# A picture of many levels: 8 bits, and noise below them.
NOISE = np.random.default_rng(4).integers(0, 200, (61, 83))
DEEP = (landscape(3, 61, 83).astype(np.int64) * 257 // 2 + 9000 + NOISE).astype(np.uint16)


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_stay_16_with_the_very_luma(make: Make, suffix: str, colour: bool) -> None:
    source = np.dstack([DEEP] * 3) if colour else DEEP
    result, path = make(encoded(source, suffix), f"a{suffix}")
    made = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert (made.dtype, made.shape, result.seen.bits) == (np.uint16, (61, 83, 3), 16)
    assert len(np.unique(made[:, :, 1])) > 1000
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), DEEP)
    assert np.abs(made[:, :, 0].astype(int) - made[:, :, 2]).max() > 0
    assert "depth" not in result.metadata


@pytest.mark.parametrize(("suffix", "name"), [(".jpg", "jpg"), (".webp", "webp")])
def test_a_format_of_8_bits_says_what_became_of_16(make: Make, suffix: str, name: str) -> None:
    result, path = make(encoded(DEEP, ".png"), "a.png", f"a{suffix}", format=name)
    assert "depth: 16 bits became 8" in result.metadata
    made = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY)
    limit = 0 if name == "webp" else 12
    assert np.abs(made.astype(int) - eight_bits(DEEP)).max() <= limit


def test_the_tutorial_knows_8_bits(make: Make) -> None:
    result, path = make(encoded(DEEP, ".png"), "a.png", lightness="lab")
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).dtype == np.uint8
    assert "depth: 16 bits became 8" in result.metadata


def test_alpha_of_16_bits_stays(make: Make) -> None:
    veil = np.tile(np.arange(83, dtype=np.uint16) * 700, (61, 1))
    _, path = make(encoded(np.dstack([DEEP] * 3 + [veil]), ".png"), "a.png")
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:, :, 3], veil)


def test_floats_become_16_bits(make: Make) -> None:
    source = (DEEP / 65535).astype(np.float32)
    result, path = make(encoded(source, ".tif"), "a.tif")
    made = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), DEEP)
    assert "depth: 32 bits became 16" in result.metadata


def test_pages_keep_their_16_bits(tmp_path: Path) -> None:

    source = tmp_path / "a.tif"
    assert cv2.imwritemulti(str(source), [DEEP, DEEP[::-1].copy()])
    tools = Tools(job(tmp_path / "out", Settings()), Painted())
    unit = Unit(Verb.SCAN, "a.tif", Kind.PAGES, source, "a.tif", "a.tif", parts_place="parts")
    for span in Pages().scan(unit, tools).spans:
        result = Pages().piece(replace(unit, verb=Verb.PIECE, span=span), tools)
        assert result.filed is not None
        part = tmp_path / "out" / result.filed.place
        assert pages(part) == [0]
        made = read(part, max_megapixels=1)
        assert made.pixels.dtype == np.uint16
        wanted = DEEP if span.number == 0 else DEEP[::-1]
        np.testing.assert_array_equal(cv2.cvtColor(made.pixels, cv2.COLOR_BGR2GRAY), wanted)


def test_the_thumbnail_before_a_photograph_gives_neither_picture_nor_metadata(make: Make) -> None:
    grey, small = landscape(1, 48, 64), landscape(2, 12, 16)
    first = tags_of(small, t254=(4, [1]), t270=(2, [b"t", b"\0"])), small.tobytes()
    second = tags_of(grey, t270=(2, [b"p", b"\0"])), grey.tobytes()
    _, path = make(tiff(first, second), "a.tif")
    made = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), grey)
    with Image.open(path) as image:
        assert image.tag_v2[270] == "p"


def test_what_is_said_of_pages_is_said_of_the_file(tmp_path: Path) -> None:
    grey = landscape(1, 48, 64)
    floats = (grey * 1.0).astype(np.float32)
    data = tiff((tags_of(grey), grey.tobytes()), *[(tags_of(floats), floats.tobytes())] * 2)
    source = tmp_path / "a.tif"
    source.write_bytes(data)
    tools = Tools(job(tmp_path / "out", Settings()), Painted())
    unit = Unit(Verb.SCAN, "a.tif", Kind.PAGES, source, "a.tif", "a.tif", parts_place=".colorize/parts/a")
    parts = []
    for span in Pages().scan(unit, tools).spans:
        piece = replace(unit, verb=Verb.PIECE, span=span)
        parts.append(part_of(piece, Pages().piece(piece, tools)))
    result = Pages().join(replace(unit, verb=Verb.JOIN, parts=tuple(parts)), tools)
    assert result.reason == "2 pages, the first is 2: float samples: black is taken at 0, white at 255"
