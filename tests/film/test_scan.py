from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from pipeline.ground.errors import ItemError  # noqa: E402
from pipeline.media.film.reading import frames_of  # noqa: E402
from pipeline.media.film.scan import scan  # noqa: E402
from tests.conftest import in_colour  # noqa: E402
from tests.film.clips import luma, pictures, scenes, write_clip  # noqa: E402


def test_a_scan_finds_frames_times_and_cuts(tmp_path: Path) -> None:
    seen: list[int] = []
    source = write_clip(tmp_path / "a.mp4", scenes(40, 128, 96, cut=23), rate=Fraction(24000, 1001))
    index = scan(source, seen.append)
    assert index.frames == len(pictures(source)) == 40
    assert seen == list(range(1, 41))
    assert index.rate == Fraction(24000, 1001)
    assert index.shots.tolist() == [0, 23]
    assert index.verdict == "neutral"
    assert (index.faults, index.mended) == (0, 0)
    assert index.seconds == pytest.approx(40 * 1001 / 24000)
    assert index.streams[0].startswith("0 video h264")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "playlist"),
        (b"#EXTM3U\n#EXTINF:4,\nother.mp4\n", "playlist"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\n", "playlist"),
        (b"some words, no film at all\n" * 40, "not a film"),
    ],
)
def test_what_is_no_film_is_refused_with_a_reason(text: bytes, reason: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "other.mp4", scenes(3, 64, 48))
    path = tmp_path / "film.mp4"
    path.write_bytes(text)
    with pytest.raises(ItemError, match=reason) as caught:
        scan(path)
    assert str(tmp_path) not in str(caught.value)


def test_a_packet_that_only_says_that_a_frame_is_shown_on_is_no_damage() -> None:
    index = scan(Path(__file__).parents[1] / "fixtures" / "films" / "theora_repeated.ogv")
    assert (index.timestamps.tolist(), index.faults) == ([0, 2, 11], 0)
    assert index.seconds == pytest.approx(12 / 25)


def test_a_film_without_table_of_contents_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", scenes(20, 128, 96))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ItemError, match="moov"):
        scan(path)


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("flac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), "s16", "mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(ItemError, match="sound only"):
        scan(path)


def test_a_picture_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.ts", scenes(12, 128, 96))
    other = write_clip(tmp_path / "other.ts", scenes(12, 96, 64))
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() + other.read_bytes())
    with pytest.raises(ItemError, match=r"size changes from 128 x 96 to 96 x 64 at frame \d+"):
        scan(both)


def test_a_name_like_an_address_is_a_name(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", scenes(3, 64, 48)).rename(tmp_path / "concat:a|http:b%20.mkv")
    assert scan(path).frames == 3


def test_toned_and_coloured_films_are_told_apart(tmp_path: Path) -> None:
    grey = scenes(13, 128, 96)
    amber = [np.dstack([each * 0.55, each * 0.8, each * 1.0]).astype(np.uint8) for each in grey]
    colour = [np.dstack([each, np.roll(each, 40, 1), 255 - each[:, ::-1]]) for each in grey]
    colour = [np.clip(each * 0.6 + in_colour(96, 128) * 0.4, 0, 255).astype(np.uint8) for each in colour]
    verdicts = [
        scan(write_clip(tmp_path / f"{number}.mkv", frames)).verdict
        for number, frames in enumerate([grey, amber, colour])
    ]
    assert verdicts == ["neutral", "toned", "color"]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mkv", "libx264", {"bf": "2", "g": "25"}),
        ("a.mp4", "libx264", {"bf": "3"}),
        ("a.ts", "libx264", {"bf": "2", "g": "25"}),
        ("a.mpg", "mpeg2video", {"bf": "2"}),
        ("a.avi", "mpeg4", {"bf": "2", "g": "12"}),
        ("a.mkv", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
        ("a.mov", "prores_ks", {}),
    ],
)
def test_any_stretch_is_read_again_as_it_was(name: str, codec: str, options: dict[str, str], tmp_path: Path) -> None:
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    source = write_clip(tmp_path / name, scenes(70, 64, 48), codec=codec, pix_fmt=pix_fmt, options=options)
    index = scan(source)
    whole = pictures(source)
    for wanted in (range(0, 3), range(1, 4), range(31, 35), range(68, index.frames)):
        got = list(frames_of(source, index, wanted))
        assert [number for number, _ in got] == list(wanted)
        assert all(np.array_equal(luma(frame), luma(whole[number])) for number, frame in got)
