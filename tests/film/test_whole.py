from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

av = pytest.importorskip("av")

from pipeline.ground.errors import ItemError  # noqa: E402
from pipeline.media.film.containers import container_for, named  # noqa: E402
from pipeline.media.film.encoders import ENCODERS, available  # noqa: E402
from pipeline.media.film.join import join  # noqa: E402
from pipeline.media.film.options import FilmOptions  # noqa: E402
from pipeline.media.film.scan import scan  # noqa: E402
from pipeline.media.film.segment import piece  # noqa: E402
from tests.conftest import environment  # noqa: E402
from tests.film.clips import (  # noqa: E402
    FakeNet,
    luma,
    packets_of,
    pictures,
    remux,
    scenes,
    times_of,
    write_clip,
)
from tests.film.whole import Colored, colorize_film  # noqa: E402

QUARTER = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
ASS = """[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,0:00:00.50,Default,,0,0,0,,First
Dialogue: 0,0:00:00.60,0:00:00.90,Default,,0,0,0,,Second
"""


def colored(source: Path, options: FilmOptions | None = None, **more: Any) -> tuple[Path, Colored]:
    options = options or FilmOptions()
    index = scan(source)
    target = source.with_name(f"colour-{source.stem}{container_for(source, index, options).suffix}")
    return target, colorize_film(source, target, FakeNet(), options, **more)


def is_colour(path: Path) -> bool:
    frame = pictures(path)[0].to_ndarray(format="bgr24").astype(int)
    return bool(np.abs(frame[:, :, 0] - frame[:, :, 2]).mean() > 3)


def odd_clip(name: str, folder: Path) -> Path:
    """Make one of the odd films by its name."""
    frames = scenes(30, 128, 96)
    if name == "5.1 and stereo":
        return write_clip(folder / "a.mkv", frames, sound=[("ac3", "5.1"), ("aac", "stereo")])
    if name == "ass and font":
        (folder / "a.ass").write_text(ASS)
        return write_clip(folder / "a.mkv", frames, subtitles=folder / "a.ass", attachment=b"font" * 50)
    if name == "chapters and tags":
        tags = {"title": "A reel", "artist": "Somebody"}
        return write_clip(folder / "a.mkv", frames, tags=tags, chapters=[(0, 500, "One"), (500, 1200, "Two")])
    if name == "rotation":
        return write_clip(folder / "a.mp4", frames, matrix=QUARTER, sound=[("aac", "mono")])
    if name == "variable rate":
        times = np.cumsum([40, 80, 40, 200, 40] * 6)
        return write_clip(folder / "a.mkv", frames, times=times.tolist(), time_base=Fraction(1, 1000))
    if name == "ntsc":
        return write_clip(folder / "a.mov", frames, rate=Fraction(30000, 1001))
    if name == "10 bit":
        return write_clip(folder / "a.mkv", frames, pix_fmt="yuv420p10le")
    if name == "grey":
        return write_clip(folder / "a.mkv", frames, codec="ffv1", pix_fmt="gray")
    if name == "odd size":
        return write_clip(folder / "a.avi", scenes(20, 101, 75), codec="mjpeg", pix_fmt="yuvj444p")
    if name == "anamorphic":
        return write_clip(folder / "a.mp4", frames, picture={"sample_aspect_ratio": Fraction(16, 11)})
    if name == "large start":
        return write_clip(
            folder / "a.ts", frames, sound=[("mp2", "stereo")], container_options={"output_ts_offset": "50000"}
        )
    if name == "late sound":
        return write_clip(folder / "a.mp4", frames, sound=[("aac", "stereo")], sound_from=0.4)
    if name == "raw":
        return remux(write_clip(folder / "b.mp4", frames), folder / "a.h264", format="h264")
    if name == "one frame":
        return write_clip(folder / "a.mp4", frames[:1])
    if name == "4:2:2":
        return write_clip(folder / "a.mov", frames, codec="prores_ks", pix_fmt="yuv422p10le")
    raise ValueError(name)


ODD = (
    "5.1 and stereo",
    "ass and font",
    "chapters and tags",
    "rotation",
    "variable rate",
    "ntsc",
    "10 bit",
    "grey",
    "odd size",
    "anamorphic",
    "large start",
    "late sound",
    "raw",
    "one frame",
    "4:2:2",
)


@pytest.mark.parametrize("name", ODD)
def test_everything_of_an_odd_film_is_kept(name: str, tmp_path: Path) -> None:
    source = odd_clip(name, tmp_path)
    target, result = colored(source)
    assert result.joined.lost == ()
    before, after = times_of_raw(source), times_of(target)
    assert len(before) == len(after)
    assert np.allclose(np.array(after) - after[0], np.array(before) - before[0], atol=0.0011)
    if name != "large start":
        assert after[0] == pytest.approx(before[0], abs=0.0011)
    assert packets_of(target, "audio") == packets_of(source, "audio")
    assert packets_of(target, "subtitle") == packets_of(source, "subtitle")
    with av.open(str(source)) as one, av.open(str(target)) as other:
        a, b = one.streams.video[0], other.streams.video[0]
        assert (a.width, a.height) == (b.width, b.height)
        if name not in ("grey", "odd size"):
            assert a.pix_fmt == b.pix_fmt
        assert (a.sample_aspect_ratio or 1) == (b.sample_aspect_ratio or 1)
        assert [each.type for each in one.streams] == [each.type for each in other.streams]
        assert [each.language for each in one.streams.audio] == [each.language for each in other.streams.audio]
        kept = [(each["start"] * each["time_base"], each["metadata"]) for each in one.chapters()]
        assert kept == [(each["start"] * each["time_base"], each["metadata"]) for each in other.chapters()]
        lower = {key.lower(): value for key, value in other.metadata.items()}
        assert {
            k.lower(): v for k, v in one.metadata.items() if k.lower() in ("title", "artist")
        }.items() <= lower.items()
    assert pictures(source)[0].rotation == pictures(target)[0].rotation
    assert is_colour(target)


def times_of_raw(path: Path) -> list[float]:
    """Return the times that a film's frames should have; a raw stream has none of its own."""
    if path.suffix == ".h264":
        return [number / 25 for number in range(len(pictures(path)))]
    return times_of(path)


def checksums(path: Path) -> list[bytes]:
    return [frame.to_ndarray().tobytes() for frame in pictures(path)]


def test_pieces_of_any_length_give_the_same_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(90, 128, 96, cut=41), options={"bf": "2"})
    lossless = FilmOptions(encoder="ffv1")
    target, whole = colored(source, lossless, length=1000)
    once = checksums(target)
    assert len(whole.pieces) == 1
    assert whole.index.shots.tolist() == [0, 41]
    for length in (13, 30):
        target, cut = colored(source, lossless, length=length)
        assert len(cut.pieces) > 2
        assert checksums(target) == once


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p", "gray"])
def test_lossless_output_holds_the_luma_of_the_source(pix_fmt: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(12, 102, 76), codec="ffv1", pix_fmt=pix_fmt)
    target, _ = colored(source, FilmOptions(encoder="ffv1"))
    before, after = pictures(source), pictures(target)
    assert len(before) == len(after)
    assert all(np.array_equal(luma(one), luma(other)) for one, other in zip(before, after, strict=True))
    assert is_colour(target)


@pytest.mark.parametrize("encoder", ["h264", "h265", "av1", "vp9", "prores", "ffv1"])
def test_every_encoder_gives_the_same_bytes_twice(encoder: str, tmp_path: Path) -> None:
    if not available()[encoder]:
        pytest.skip(f"{encoder} is not in this PyAV")
    source = write_clip(tmp_path / "a.mkv", scenes(24, 128, 96), sound=[("ac3", "stereo")])
    options = FilmOptions(encoder=encoder, provenance="Colour was invented.")
    target, _ = colored(source, options, length=12)
    first = target.read_bytes()
    colored(source, options, length=12)
    assert target.read_bytes() == first
    if sys.platform == "linux":
        assert os.sched_getscheduler(0) == os.SCHED_OTHER  # SVT-AV1 takes a realtime one where root runs it
    with av.open(str(target)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert tags["comment"] == "Colour was invented."


def test_luma_of_a_full_range_film_survives_prores(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.avi", scenes(6, 128, 96), codec="mjpeg", pix_fmt="yuvj420p")
    target, result = colored(source, FilmOptions(encoder="prores"))
    assert "full range became limited range" in result.joined.lost
    before = pictures(source)[0].to_ndarray(format="gray")
    after = luma(pictures(target)[0]).astype(float)
    assert np.abs((after - 64) / 876 * 255 - before).mean() < 2


def test_shots_in_colour_keep_it_and_a_film_in_colour_is_copied(tmp_path: Path) -> None:
    grey = scenes(24, 128, 96)
    ramp = np.linspace(0, 255, 128, dtype=np.uint8)[np.newaxis].repeat(96, axis=0)
    colour = [np.dstack([ramp, np.roll(each[::-1], 9, axis=0), 255 - ramp]) for each in grey]
    bgr = [np.dstack([each] * 3) for each in grey]
    mixed = write_clip(tmp_path / "mixed.mkv", bgr + colour, codec="ffv1")
    target, result = colored(mixed, FilmOptions(encoder="ffv1"), length=20)
    assert result.index.shots.tolist() == [0, 24]
    assert [result.index.kind_of(number) for number in (0, 23, 24, 47)] == ["neutral", "neutral", "color", "color"]
    assert checksums(target)[24:] == checksums(mixed)[24:]
    assert checksums(target)[23] != checksums(mixed)[23]
    whole = write_clip(tmp_path / "whole.mkv", colour, codec="ffv1")
    target, result = colored(whole)
    assert result.copied
    assert target.read_bytes() == whole.read_bytes()
    _, result = colored(whole, FilmOptions(on_color="recolor"))
    assert not result.copied


def test_interlaced_film_stays_interlaced(tmp_path: Path) -> None:
    frames = scenes(20, 128, 96)
    woven = [np.where(np.arange(96)[:, None] % 2, b, a) for a, b in zip(frames[::2], frames[1::2], strict=True)]
    source = write_clip(
        tmp_path / "a.mkv",
        [np.ascontiguousarray(each) for each in woven],
        picture={"flags": (1 << 18) | (1 << 29), "field_order": 2},
        options={"x264-params": "tff=1"},
    )
    assert pictures(source)[3].interlaced_frame
    target, result = colored(source)
    assert result.index.geometry.interlaced
    assert all(frame.interlaced_frame for frame in pictures(target))
    with av.open(str(source)) as one, av.open(str(target)) as other:
        assert one.streams.video[0].codec_context.field_order == other.streams.video[0].codec_context.field_order


def test_covers_stay_covers(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "plain.mp4", scenes(10, 128, 96))
    picture = cv2.imencode(".jpg", scenes(1, 64, 64)[0])[1].tobytes()
    (tmp_path / "cover.jpg").write_bytes(picture)
    source = tmp_path / "a.mp4"
    with av.open(str(plain)) as film, av.open(str(tmp_path / "cover.jpg")) as still, av.open(str(source), "w") as out:
        copy = out.add_stream_from_template(film.streams.video[0], opaque=True)
        cover = out.add_stream_from_template(still.streams.video[0], opaque=True)
        cover.disposition = 1024
        for stream, packets in ((cover, still.demux()), (copy, film.demux())):
            for packet in packets:
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    for container in ("mp4", "mkv"):
        target, result = colored(source, FilmOptions(container=container))
        assert result.joined.lost == ()
        with av.open(str(target)) as film:
            covers = [each for each in film.streams.video if each.disposition & 1024]
            assert len(covers) == 1
            assert bytes(next(film.demux(covers[0]))) == picture
        target.unlink()


def test_what_a_container_cannot_hold_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.ass").write_text(ASS)
    source = write_clip(tmp_path / "a.mkv", scenes(10, 128, 96), subtitles=tmp_path / "a.ass")
    _, result = colored(source, FilmOptions(container="mp4"))
    assert result.joined.lost == ("subtitle stream 1 is left out: .mp4 files cannot hold it",)


def test_transparency_behind_the_picture_is_said_to_be_lost(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "b.webm", scenes(5, 64, 48), codec="libvpx-vp9")
    source = tmp_path / "a.webm"
    with av.open(str(plain)) as film, av.open(str(source), "w") as out:
        copy = out.add_stream_from_template(film.streams.video[0], opaque=True)
        copy.metadata["alpha_mode"] = "1"
        for packet in film.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    target, result = colored(source)
    assert result.joined.lost == ("transparency is lost",)
    with av.open(str(target)) as film:
        assert "alpha_mode" not in {name.lower() for name in film.streams.video[0].metadata}


def test_a_damaged_film_is_colored_and_its_faults_counted(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(60, 128, 96), options={"g": "20"})
    data = bytearray(source.read_bytes())
    for place in np.random.default_rng(2).integers(len(data) // 5, len(data) * 4 // 5, 12):
        data[int(place)] ^= 0x10
    source.write_bytes(data)
    target, result = colored(source, length=25)
    assert result.index.faults > 0
    assert len(pictures(target)) == result.index.frames


def test_a_film_whose_end_is_missing_is_colored_as_far_as_it_goes(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(60, 128, 96))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    target, result = colored(source)
    assert 2 < result.index.frames < 60
    assert len(pictures(target)) == result.index.frames


def test_a_film_that_changed_since_its_scan_is_refused(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(10, 128, 96))
    index = scan(source)
    write_clip(source, scenes(10, 128, 96, seed=5))
    with pytest.raises(ItemError, match="changed since it was scanned"):
        piece(source, index, range(0, 10), FakeNet(), FilmOptions(), tmp_path / "part")


def test_missing_parts_are_noticed(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(20, 128, 96))
    index = scan(source)
    part = tmp_path / "part"
    piece(source, index, range(0, 10), FakeNet(), FilmOptions(), part)
    with pytest.raises(ItemError, match="the parts hold 10 frames, and the film has 20"):
        join(source, index, [part], tmp_path / "out", FilmOptions())
    part.write_bytes(part.read_bytes()[:200])
    with pytest.raises(ItemError, match="part of the film"):
        join(source, index, [part, part], tmp_path / "out", FilmOptions())


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "gray"])
def test_a_film_can_be_scaled(pix_fmt: str, tmp_path: Path) -> None:
    frames = scenes(12, 128, 96)
    source = write_clip(tmp_path / "a.mkv", frames, codec="ffv1", pix_fmt=pix_fmt)
    target, result = colored(source, FilmOptions(width=65), length=6)
    first = pictures(target)[0]
    assert (first.width, first.height) == (64, 48)
    assert result.index.geometry.width == 128
    wanted = cv2.resize(frames[0], (64, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(first.to_ndarray(format="gray").astype(int) - wanted).mean() < 4
    assert is_colour(target)


REPEATED = """
import hashlib, sys
from pathlib import Path
from pipeline.media.film.options import FilmOptions
from tests.film.clips import FakeNet
from tests.film.whole import colorize_film
source = Path(sys.argv[1])
target = source.with_name(f"{sys.argv[2]}.mkv")
colorize_film(source, target, FakeNet(), FilmOptions(encoder=sys.argv[3], container="mkv"))
print(hashlib.sha256(target.read_bytes()).hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tells glibc what unwritten memory holds")
@pytest.mark.parametrize("encoder", [name for name, there in available().items() if there])
def test_no_byte_depends_on_what_memory_held_before(tmp_path: Path, encoder: str) -> None:
    source = write_clip(tmp_path / "reel.mkv", scenes(12, 208, 160), options={"preset": "ultrafast"})
    made = set()
    for fill in ("85", "170"):
        call = [sys.executable, "-c", REPEATED, str(source), fill, encoder]
        run = subprocess.run(call, env=environment(MALLOC_PERTURB_=fill), capture_output=True, text=True, check=True)
        made.add(run.stdout)
    assert len(made) == 1


@pytest.mark.parametrize(("suffix", "encoder", "expected"), [(".mov", "ffv1", ".mkv"), (".mov", "prores", ".mov")])
def test_a_container_that_cannot_hold_the_pictures_is_not_chosen(suffix: str, encoder: str, expected: str) -> None:
    if not available()[encoder]:
        pytest.skip(f"no {encoder} here")
    assert named(suffix, encoder, "auto").suffix == expected


def test_every_encoder_s_pictures_fit_into_each_of_its_containers(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "reel.mkv", scenes(3, 64, 48))
    for encoder in (name for name, there in available().items() if there):
        for container in ENCODERS[encoder].containers:
            colorize_film(
                source,
                tmp_path / f"{encoder}.{container}",
                FakeNet(),
                FilmOptions(encoder=encoder, container=container),
            )
