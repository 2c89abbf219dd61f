"""Interlaced films: as they are without a wish, progressive with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from pipeline.ground.errors import ItemError  # noqa: E402
from pipeline.media.film.options import FilmOptions  # noqa: E402
from pipeline.media.film.scan import scan  # noqa: E402
from tests.film.clips import FakeNet, interlaced_clip, luma, pictures, scenes, times_of, write_clip  # noqa: E402
from tests.film.whole import colorize_film  # noqa: E402

WOVEN = FilmOptions(encoder="ffv1", container="mkv", deinterlace=True)


def combing(picture: np.ndarray) -> float:
    """How much more a line differs from its neighbour than from the one after: high where fields are two moments."""
    lines = picture.astype(int)
    return float(np.abs(lines[1:] - lines[:-1]).mean() - np.abs(lines[2:] - lines[:-2]).mean())


def made(source: Path, options: FilmOptions, length: int = 240) -> Path:
    target = source.with_name(f"colour-{length}.mkv")
    colorize_film(source, target, FakeNet(), options, length=length)
    return target


def test_fields_are_woven_and_every_frame_keeps_its_time(tmp_path: Path) -> None:
    source = interlaced_clip(tmp_path / "a.mkv", 24)
    target = made(source, WOVEN)
    before, after = pictures(source), pictures(target)
    assert len(before) == len(after)
    assert times_of(source) == times_of(target)
    assert not any(frame.interlaced_frame for frame in after)
    assert combing(luma(before[12])) > 10 * max(combing(luma(after[12])), 0.1)
    with av.open(str(target)) as film:
        assert film.streams.video[0].codec_context.field_order in (0, 1)


def test_pieces_of_any_length_are_woven_alike(tmp_path: Path) -> None:
    source = interlaced_clip(tmp_path / "a.mkv", 40)
    once = [frame.to_ndarray().tobytes() for frame in pictures(made(source, WOVEN))]
    assert [frame.to_ndarray().tobytes() for frame in pictures(made(source, WOVEN, 11))] == once


def test_a_woven_film_can_be_scaled_and_an_interlaced_one_cannot(tmp_path: Path) -> None:
    source = interlaced_clip(tmp_path / "a.mkv", 6)
    assert pictures(made(source, FilmOptions(width=48, deinterlace=True)))[0].width == 48
    with pytest.raises(ItemError, match="unless it is deinterlaced"):
        made(source, FilmOptions(width=48))


def test_a_progressive_film_is_not_touched(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(8, 96, 64))
    assert (
        made(source, WOVEN, 4).read_bytes()
        == made(source, FilmOptions(encoder="ffv1", container="mkv"), 4).read_bytes()
    )


def test_colour_of_an_interlaced_film_does_not_comb(tmp_path: Path) -> None:
    source = interlaced_clip(tmp_path / "a.mkv", 8)
    assert scan(source).geometry.interlaced
    frame = pictures(made(source, FilmOptions(encoder="ffv1", container="mkv")))[4]
    assert np.array_equal(luma(frame), luma(pictures(source)[4]))
    for number in (1, 2):
        plane = np.frombuffer(frame.planes[number], np.uint8).reshape(frame.planes[number].height, -1)
        chroma = plane[:, : frame.planes[number].width]
        assert combing(chroma) < 1.5, "luma combs by far more"
    assert combing(luma(frame)) > 15


@pytest.mark.parametrize("order", ["top", "bottom"])
def test_chroma_is_one_for_both_fields(order: str, tmp_path: Path) -> None:
    source = interlaced_clip(tmp_path / f"{order}.mkv", 4)
    options = FilmOptions(encoder="ffv1", container="mkv", steady="off")
    plane = pictures(made(source, options))[1].planes[1]
    chroma = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].astype(int)
    assert np.abs(np.diff(chroma, n=2, axis=0)).mean() < 3
