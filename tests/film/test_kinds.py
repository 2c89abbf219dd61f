"""Kinds of films that came out wrong: sound that no container holds, times by decoding, names of telephones, crops."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av")

from pipeline.archive.content import kind_of  # noqa: E402
from pipeline.ground.items import Kind  # noqa: E402
from pipeline.media.film.clock import Times  # noqa: E402
from pipeline.media.film.options import FilmOptions  # noqa: E402
from pipeline.media.film.scan import scan  # noqa: E402
from pipeline.media.film.sounds import held, packed  # noqa: E402
from tests.film.clips import FakeNet, pictures, scenes, write_clip  # noqa: E402
from tests.film.whole import Colored, colorize_film  # noqa: E402


def colored(source: Path, container: str) -> tuple[Path, Colored]:
    target = source.with_name(f"colour.{container}")
    return target, colorize_film(source, target, FakeNet(), FilmOptions(container=container))


def samples(path: Path) -> tuple[float, np.ndarray]:
    """Return when a film's sound begins, in seconds, and its samples."""
    with av.open(str(path)) as film:
        frames = list(film.decode(audio=0))
        resampler = av.AudioResampler("fltp", frames[0].layout.name, frames[0].sample_rate)
        begins = float(frames[0].pts * frames[0].time_base)
        return begins, np.concatenate([each.to_ndarray() for old in frames for each in resampler.resample(old)], 1)


SOUNDS = {
    "a.wmv": ("wmav2", "wmv2", "asf"),
    "mulaw.avi": ("pcm_mulaw", "mjpeg", "avi"),
    "ms.avi": ("adpcm_ms", "mjpeg", "avi"),
    "swf.flv": ("adpcm_swf", "flv", "flv"),
}


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("container", ["mkv", "mp4", "mov"])
def test_sound_that_a_container_cannot_hold_is_packed_without_loss(name: str, container: str, tmp_path: Path) -> None:
    sound, codec, format = SOUNDS[name]
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    source = tmp_path / name
    layout, rate = ("mono", 22050) if sound == "adpcm_swf" else ("stereo", 44100)
    with av.open(str(source), "w", format=format) as out:
        picture = out.add_stream(codec, rate=25)
        track = out.add_stream(sound, rate=rate, layout=layout, bit_rate=128_000)
        picture.width, picture.height, picture.pix_fmt = 64, 48, pix_fmt
        for frame in scenes(25, 64, 48):
            out.mux(picture.encode(av.VideoFrame.from_ndarray(frame, "gray").reformat(format=pix_fmt)))
        out.mux(picture.encode(None))
        channels = 1 if layout == "mono" else 2
        wave = (8000 * np.sin(np.arange(rate) / 15)).astype(np.int16)
        for begin in range(0, rate - 1024, 1024):
            block = np.repeat(wave[begin : begin + 1024], channels)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(block, "s16", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    target, result = colored(source, container)
    kind = {"mkv": "matroska"}.get(container, container)
    said = f"became {packed(kind, sound)}: .{container} files cannot hold {sound}"
    assert (said in "; ".join(result.joined.lost)) == (sound not in held(kind))
    (begins, before), (begun, after) = samples(source), samples(target)
    assert begun == pytest.approx(begins, abs=0.002)
    assert before.shape == after.shape
    assert np.abs(before - after).max() <= 0.51 / (1 << 15)


def test_what_no_decoder_knows_or_no_container_packs_is_not_packed() -> None:
    assert packed("matroska", "wmav2") == "flac"
    assert packed("webm", "wmav2") == ""
    assert packed("matroska", "nothing of the kind") == ""
    assert "amr_nb" in held("mov")


def test_frames_stored_out_of_order_in_avi_are_shown_in_order(tmp_path: Path) -> None:
    """AVI has no times to show frames at, and FFmpeg's guesses go back and forth."""
    source = write_clip(
        tmp_path / "a.avi", scenes(60, 64, 48), codec="mpeg4", format="avi", options={"bf": "2", "g": "12"}
    )
    index = scan(source)
    assert index.mended <= 3
    assert index.restarts == ()
    steps = np.diff(index.timestamps)[:-1]
    assert steps.min() == steps.max() == round(1 / (25 * index.time_base))
    target, _ = colored(source, "mkv")
    assert len(pictures(target)) == index.frames


def test_times_of_decoding_are_taken_where_those_of_showing_go_back_and_forth() -> None:
    def settled(shown: list[int | None], decoded: list[int | None]) -> tuple[list[int], int, bool]:
        times = Times(1)
        for pair in zip(shown, decoded, strict=True):
            times.take(*pair, 0)
        found, clock, by_dts = times.settled(Fraction(1, 25))
        return list(found), clock.mended + len(clock.restarts), by_dts

    back_and_forth: list[int | None] = [4, 5, 7, 6, 8, 10, 9, 11, 13, 12, 14, 16, 15, 17]
    assert settled(back_and_forth, list(range(4, 18))) == (list(range(4, 18)), 0, True)
    assert settled([0, 1, 2, 3], [-2, -1, 0, 1]) == ([0, 1, 2, 3], 0, False)
    one_off = [*range(20), 5, *range(21, 40)]
    assert settled(one_off, list(range(40))) == (list(range(40)), 1, False), "damage, no disorder"


def test_numbers_that_are_no_times_are_counted() -> None:
    times = Times(48_000)
    for number in range(5):
        times.take(number, number, 0)
    found, clock, _ = times.settled(Fraction(1, 1_200_000))
    assert (list(found), clock.mended) == ([0, 48_000, 96_000, 144_000, 192_000], 5)


def test_what_a_film_hides_at_its_left_edge_stays_hidden(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "b.mp4", scenes(5, 160, 128))
    source = tmp_path / "a.mp4"
    cropping = "h264_metadata=crop_left=4:crop_right=10:crop_top=2:crop_bottom=8"
    with av.open(str(clip)) as film, av.open(str(source), "w") as out:
        copy = out.add_stream_from_template(film.streams.video[0], opaque=True)
        cropped = av.BitStreamFilterContext(cropping, film.streams.video[0], copy)
        for packet in [*film.demux(film.streams.video[0]), None]:
            for each in cropped.filter(packet if packet is None or packet.size else None):
                each.stream = copy
                out.mux(each)
            if packet is not None and not packet.size:
                break
    index = scan(source)
    assert (index.geometry.width, index.geometry.height) == (146, 118)
    target, _ = colored(source, "mp4")
    assert pictures(target)[0].width == 146


def test_pictures_behind_each_other_are_a_film(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mjpeg", scenes(7, 64, 48), codec="mjpeg", pix_fmt="yuvj420p", format="mjpeg")
    assert kind_of(source.read_bytes()[:4096], ".mjpeg") is Kind.FILM
    assert kind_of(source.read_bytes()[:4096], ".jpg") is Kind.PHOTO
    target, result = colored(source, "mkv")
    assert result.index.frames == len(pictures(target)) == 7


TAGS: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    ("phone.mov", {"com.apple.quicktime.make": "Somebody", "title": "T"}, {"movflags": "use_metadata_tags"}, ""),
    ("own.mp4", {"own": "x", "title": "T"}, {"movflags": "use_metadata_tags"}, '.mp4 files cannot hold the tag "own"'),
    ("usual.mp4", {"title": "T", "artist": "A", "date": "1931", "genre": "G", "comment": "C"}, {}, ""),
    ("usual.mkv", {"title": "T", "own": "x", "date": "1931", "COMMENT": "C"}, {}, ""),
]


@pytest.mark.parametrize(("name", "tags", "told", "lost"), TAGS)
def test_tags_are_kept_or_said_to_be_lost(
    name: str, tags: dict[str, str], told: dict[str, str], lost: str, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / name, scenes(4, 64, 48), tags=tags, container_options=told)
    target, result = colored(source, name.rpartition(".")[2])
    assert "; ".join(result.joined.lost) == lost
    with av.open(str(target)) as film:
        kept = {key.lower(): value for key, value in film.metadata.items()}
    wanted: dict[str, Any] = {key.lower(): value for key, value in tags.items()}
    assert {key for key in wanted if key not in kept} == ({"own"} if lost else set())
    assert all(wanted[key] in kept[key] for key in wanted if key in kept)
