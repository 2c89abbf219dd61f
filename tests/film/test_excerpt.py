"""Parts of a film, grey beside colour, and the contact sheet."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

av = pytest.importorskip("av")

from pipeline.ground.errors import ItemError  # noqa: E402
from pipeline.ground.items import Viewing  # noqa: E402
from pipeline.media.film.excerpt import scan_part, windows  # noqa: E402
from pipeline.media.film.index import load, save, spans  # noqa: E402
from pipeline.media.film.join import Joined, join  # noqa: E402
from pipeline.media.film.options import FilmOptions  # noqa: E402
from pipeline.media.film.reading import frames_of  # noqa: E402
from pipeline.media.film.scan import scan  # noqa: E402
from pipeline.media.film.segment import piece  # noqa: E402
from pipeline.media.film.sheet import contact_sheet, moment  # noqa: E402
from tests.film.clips import FakeNet, luma, packets_of, pictures, remux, scenes, times_of, write_clip  # noqa: E402

Colorize = Callable[..., subprocess.CompletedProcess[str]]
ENGINE = ("--engine", "opencv", "--precision", "float32", "--executor", "serial")
LOSSLESS = FilmOptions(encoder="ffv1", container="mkv")
QUARTER = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
HALF = (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30)
THREE_QUARTERS = (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30)


def made(source: Path, viewing: Viewing, options: FilmOptions = LOSSLESS, length: int = 15) -> tuple[Path, Joined]:
    index = scan_part(source, viewing)
    parts = []
    for number, (start, stop) in enumerate(spans(index, length)):
        parts.append(source.with_name(f"{number}.part"))
        piece(source, index, range(start, stop), FakeNet(), options, parts[-1])
    target = source.with_name("part.mkv")
    return target, join(source, index, parts, target, options)


def test_where_a_sample_is_taken() -> None:
    assert windows(Viewing(sample=20), 100) == [(8 + 20 * n, 12 + 20 * n) for n in range(5)]
    assert windows(Viewing(10, 30, sample=4), 100) == [(18, 22)]
    assert windows(Viewing(sample=20), 15) == [(0, 20)], "a short film is its own sample"
    assert windows(Viewing(3, 9), 100) == [(3, 9)]
    assert windows(Viewing(3, sample=5), math.inf) == [(3, 8)], "of unknown length: from the beginning"
    with pytest.raises(ItemError, match=r"ends at 2\.0 s, before the part"):
        windows(Viewing(3, 9), 2)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts", "a.mpg", "a.h264"])
@pytest.mark.parametrize("viewing", [Viewing(1, 2.2), Viewing(sample=1.2), Viewing(0, 0.52), Viewing(3.4)])
def test_an_excerpt_holds_the_very_frames_of_its_time(name: str, viewing: Viewing, tmp_path: Path) -> None:
    codec = "mpeg2video" if name == "a.mpg" else "libx264"
    clip = write_clip(
        tmp_path / ("b.mp4" if name == "a.h264" else name),
        scenes(100, 64, 48, cut=31),
        codec=codec,
        options={"bf": "2", "g": "12"},
    )
    source = remux(clip, tmp_path / name, format="h264") if name == "a.h264" else clip
    everything = pictures(source)
    begin = [
        (int(each.start * 25 + 0.999), min(100, int(each.stop * 25 + 0.999))) for each in _expected(viewing, source)
    ]
    wanted = [number for a, b in begin for number in range(a, b)]

    target, joined = made(source, viewing)

    got = pictures(target)
    assert joined.frames == len(got) == len(wanted)
    assert all(np.array_equal(luma(a), luma(everything[n])) for a, n in zip(got, wanted, strict=True))
    assert np.allclose(times_of(target), np.arange(len(wanted)) / 25, atol=0.0011)


def _expected(viewing: Viewing, source: Path) -> list[Viewing]:
    with av.open(str(source)) as film:  # some say that they are shorter, and a raw stream says nothing
        seconds = film.duration / 1e6 if film.duration else math.inf
    return [Viewing(a, min(b, 4.0)) for a, b in windows(viewing, seconds)]


def test_stretches_are_read_again_after_their_index_was_kept(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", scenes(300, 64, 48), options={"g": "20"})
    index = scan_part(source, Viewing(sample=8))
    assert [each.first for each in index.stretches] == [0, 100]
    assert 100 in index.shots, "no colour crosses a gap"
    assert index.seconds == pytest.approx(8)
    save(index, tmp_path / "index")
    again = load(tmp_path / "index")
    assert again.stretches == index.stretches
    whole = pictures(source)
    assert all(
        np.array_equal(luma(frame), luma(whole[25 + number + (50 if number >= 100 else 0)]))
        for number, frame in frames_of(source, again, range(90, 110))
    )


def test_sound_and_chapters_of_an_excerpt(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "a.mkv",
        scenes(100, 64, 48),
        sound=[("ac3", "stereo")],
        chapters=[(0, 900, "One"), (900, 2600, "Two"), (2600, 4000, "Three")],
    )
    target, _ = made(source, Viewing(1, 2))
    whole, part = packets_of(source, "audio")[0], packets_of(target, "audio")[0]
    first = whole.index(part[0])
    assert whole[first : first + len(part)] == part
    assert len(part) == pytest.approx(48000 / 1536, abs=1.5)
    with av.open(str(target)) as film:
        (chapter,) = film.chapters()
        assert chapter["metadata"]["title"] == "Two"
        assert (chapter["start"], chapter["end"] * chapter["time_base"]) == (0, 1)
        assert 0 <= next(film.demux(film.streams.audio[0])).pts * Fraction(1, 1000) < 0.04


@pytest.mark.parametrize("width", [0, 66])
@pytest.mark.parametrize("size", [(128, 96), (101, 75)])
def test_grey_beside_colour(size: tuple[int, int], width: int, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(9, *size), codec="ffv1")
    options = FilmOptions(encoder="ffv1", container="mkv", beside=True, width=width)
    target, _ = made(source, Viewing(), options, length=4)
    picture = pictures(target)[3].to_ndarray(format="bgr24").astype(int)
    half = width or size[0] - size[0] % 2
    assert picture.shape[1] == 2 * half
    left, right = picture[:, :half], picture[:, half:]
    assert np.ptp(left, axis=2).max() <= 3
    assert np.ptp(right, axis=2).mean() > 10
    assert np.abs(cv2.cvtColor(right.astype(np.uint8), cv2.COLOR_BGR2GRAY) - left[:, :, 0].astype(float)).mean() < 4


@pytest.mark.parametrize("matrix", [QUARTER, HALF, THREE_QUARTERS])
def test_grey_is_on_the_left_as_players_turn_the_picture(matrix: tuple[int, ...], tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", scenes(3, 128, 96), matrix=matrix)
    target = made(source, Viewing(), FilmOptions(container="mkv", beside=True))[0]
    frame = pictures(target)[1]
    upright = np.rot90(frame.to_ndarray(format="bgr24"), round(frame.rotation / 90) % 4).astype(int)
    left, right = np.array_split(upright, 2, axis=1)
    assert np.ptp(left, axis=2).mean() < 3
    assert np.ptp(right, axis=2).mean() > 10


def test_a_contact_sheet_shows_each_shot(tmp_path: Path) -> None:
    dark, light = np.full((48, 64), 40, np.uint8), np.full((48, 64), 220, np.uint8)
    ramp = np.linspace(0, 30, 64, dtype=np.uint8)[np.newaxis]
    frames = [(dark if number < 20 else light) + (ramp if number < 20 else -ramp) for number in range(50)]
    source = write_clip(tmp_path / "a.mp4", frames, picture={"sample_aspect_ratio": Fraction(2, 1)})
    index = scan(source)
    assert index.shots.tolist() == [0, 20]
    sheet = contact_sheet(source, index)
    assert sheet.shape == (240 * 48 // 128 + 20, 480, 3)
    assert sheet[10:80, :240].mean() < 80
    assert sheet[10:80, 240:].mean() > 180
    assert moment(3725.204) == "1:02:05.20"


def test_the_command_shows_parts_of_a_film(tmp_path: Path, colorize: Colorize) -> None:
    source = write_clip(tmp_path / "reel.mp4", scenes(100, 96, 64, cut=50), sound=[("aac", "stereo")])
    look, sheet = tmp_path / "look.mp4", tmp_path / "sheet.jpg"
    run = colorize(
        "video", source, look, "--from", "0:01", "--to", "3s", "--side-by-side", "--contact-sheet", sheet, *ENGINE
    )
    assert run.returncode == 0, run.stderr
    frame = pictures(look)[0]
    assert (frame.width, frame.height, len(pictures(look))) == (192, 64, 50)
    assert cv2.imread(str(sheet)).shape[1] % 240 == 0
    with av.open(str(look)) as film:
        assert "excerpt" in film.metadata["comment"]
    again = colorize("video", source, tmp_path / "b.mp4", "--contact-sheet", sheet, *ENGINE)
    assert again.returncode == 5
    assert "is there already" in again.stderr
    for wrong in (("--from", "3", "--to", "2"), ("--sample", "much")):
        assert colorize("video", source, tmp_path / "b.mp4", *wrong, *ENGINE).returncode == 2
    late = colorize("video", source, tmp_path / "b.mp4", "--from", "9", *ENGINE)
    assert (late.returncode, "ends at 4.0 s" in late.stderr) == (5, True)
    assert not (tmp_path / "b.mp4").exists()


def test_a_part_of_a_film_in_colour_is_a_part(tmp_path: Path, colorize: Colorize) -> None:
    ramp = np.linspace(0, 255, 96, dtype=np.uint8)[np.newaxis].repeat(64, axis=0)
    source = write_clip(
        tmp_path / "reel.mkv",
        [np.dstack([ramp, np.roll(each, 9, axis=0), 255 - ramp]) for each in scenes(50, 96, 64)],
    )
    run = colorize("video", source, tmp_path / "part.mp4", "--to", "1", *ENGINE)
    assert run.returncode == 0, run.stderr
    assert len(pictures(tmp_path / "part.mp4")) == 25
