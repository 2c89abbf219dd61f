"""Photographs: what the settings and the picture itself hand on to the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.colour.verdict import Verdict
from pipeline.ground.items import Kind, Result, Seen
from pipeline.ground.settings import Settings
from pipeline.media import stills
from pipeline.run.worker import Worker
from tests.conftest import in_colour, landscape, pages_of, write_tiff
from tests.media.specimens import Painted, first_unit, job

VEIL = np.tile(np.arange(80, dtype=np.uint8) * 3, (60, 1))


@pytest.fixture(autouse=True)
def _painted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.media.medium.open_net", lambda *_: Painted())


def made(source: Path, folder: Path, kind: Kind = Kind.PHOTO, **settings: object) -> tuple[Result, Path]:
    wished = replace(Settings(), **settings)
    result = Worker(job(folder, wished)).do(first_unit(source, kind, wished))
    assert isinstance(result, Result)
    assert result.filed is not None, result.reason
    return result, folder / result.filed.place


def veiled(path: Path) -> Path:
    Image.fromarray(np.dstack([landscape(1)] * 3 + [VEIL])).save(path)
    return path


@pytest.mark.parametrize("format", ["jpg", "webp"])
def test_quality_comes_through(tmp_path: Path, format: str) -> None:
    source = write_tiff(tmp_path / "a.tif", landscape(1, 200, 300))
    sizes = [
        made(source, tmp_path / "out", format=format, quality=q, lightness="lab")[1].stat().st_size
        for q in (10, 60, 95)
    ]
    assert sizes[0] * 1.5 < sizes[1] < sizes[2] / 1.5


@pytest.mark.parametrize(("format", "kind"), [("jpg", "JPEG"), ("png", "PNG"), ("tif", "TIFF"), ("webp", "WEBP")])
def test_the_format_comes_through(tmp_path: Path, format: str, kind: str) -> None:
    _, path = made(write_tiff(tmp_path / "a.tif", landscape(1)), tmp_path / "out", format=format)
    assert path.suffix == f".{format}"
    with Image.open(path) as image:
        assert (image.format, image.size) == (kind, (80, 60))


@pytest.mark.parametrize("format", ["png", "tif"])
def test_alpha_comes_through(tmp_path: Path, format: str) -> None:
    _, path = made(veiled(tmp_path / "a.png"), tmp_path / "out", format=format)
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(image)[:, :, 3], VEIL)


def test_alpha_of_a_page_comes_through(tmp_path: Path) -> None:
    clear = np.dstack([landscape(2)] * 3)
    source = write_tiff(tmp_path / "a.tif", np.dstack([landscape(1)] * 3 + [VEIL]), clear)
    unit, worker = first_unit(source, Kind.PAGES, Settings()), Worker(job(tmp_path / "out", Settings()))
    from tests.media.specimens import whole

    result = whole(worker, unit)
    assert isinstance(result, Result)
    assert result.filed is not None, result.reason
    first, second = pages_of(tmp_path / "out" / result.filed.place)
    np.testing.assert_array_equal(first[:, :, 3], VEIL)
    assert second.shape == (60, 80, 3)


def test_what_was_seen_of_the_picture_is_told(tmp_path: Path) -> None:
    sepia = np.dstack([landscape(1) * share for share in (1.0, 0.85, 0.7)]).astype(np.uint8)
    result, _ = made(write_tiff(tmp_path / "a.tif", sepia), tmp_path / "out")
    assert result.seen.verdict == "toned"
    assert result.seen.chroma is not None
    assert 5 < result.seen.chroma < 40
    assert result.seen.chroma == round(result.seen.chroma, 2)
    deep, _ = made(write_tiff(tmp_path / "b.tif", landscape(1).astype(np.uint16) * 257), tmp_path / "out")
    assert (deep.seen.bits, deep.seen.verdict, deep.seen.chroma) == (16, "neutral", 0.0)
    assert deep.seen.frames == Seen().frames == 0


def test_of_several_pages_the_first_says_so(tmp_path: Path) -> None:
    source = write_tiff(tmp_path / "a.tif", landscape(1), landscape(2))
    result, path = made(source, tmp_path / "out", Kind.PAGES, pages="first", format="png")
    assert result.reason == "first of 2 pages"
    assert path.name == "a.png"


@pytest.mark.parametrize(("kind", "on_color", "status", "reason"), [
    ("color", "copy", "copied", "already in colour (doubtful)"),
    ("color", "skip", "skipped", "already in colour (doubtful)"),
    ("color", "recolor", "done", "taken for colour (doubtful)"),
    ("toned", "copy", "done", "taken for black-and-white (doubtful)"),
])  # fmt: skip
@pytest.mark.parametrize("listed", ["", "recolor"])
def test_a_doubtful_verdict_is_named_unless_a_person_has_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, on_color: str, status: str, reason: str, listed: str
) -> None:
    monkeypatch.setattr(stills, "judge", lambda pixels, alpha: Verdict(kind, 9.0, doubtful=True))  # type: ignore[arg-type]
    source = write_tiff(tmp_path / "a.tif", np.dstack([landscape(1)] * 3))
    settings = Settings(on_color=on_color)
    unit = replace(first_unit(source, Kind.PHOTO, settings), on_color=listed)
    result = Worker(job(tmp_path / "out", settings)).do(unit)
    assert isinstance(result, Result)
    assert (result.status, result.reason) == (("done", "") if listed else (status, reason))


def test_what_is_transparent_does_not_count_for_the_verdict(tmp_path: Path) -> None:
    picture = in_colour()
    picture[:, :40] = picture[:, :40, :1]
    opaque = np.where(np.arange(picture.shape[1]) < 38, 255, 0).astype(np.uint8)
    alpha = np.broadcast_to(opaque, picture.shape[:2])
    result, _ = made(write_tiff(tmp_path / "a.tif", np.dstack([picture, alpha])), tmp_path / "out")
    assert result.seen.verdict == "neutral"
