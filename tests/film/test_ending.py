"""Films that were cut off: coloured as far as they go, and never without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.ground.errors import ItemError
from pipeline.media.film.ending import ends_early
from pipeline.media.film.index import Index
from pipeline.media.film.scan import scan
from pipeline.media.reels import _notes
from tests.film.clips import scenes, write_clip

_SOUND = [("mp2", "stereo")]
FORMATS: dict[str, dict[str, Any]] = {
    "a.mp4": {"sound": [("aac", "stereo")]},
    "front.mp4": {"sound": [("aac", "stereo")], "container_options": {"movflags": "+faststart"}},
    "fragments.mp4": {"container_options": {"movflags": "+frag_keyframe+empty_moov"}, "options": {"g": "10"}},
    "a.mkv": {"sound": _SOUND, "options": {"g": "10"}},
    "as-it-came.mkv": {"sound": _SOUND, "container_options": {"live": "1", "cluster_time_limit": "300"}},
    "a.webm": {"codec": "libvpx"},
    "a.ts": {"sound": _SOUND},
    "a.mpg": {"codec": "mpeg2video", "format": "mpeg", "sound": _SOUND},
    "a.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "sound": _SOUND},
    "a.flv": {"codec": "flv"},
    "a.wmv": {"codec": "wmv2", "format": "asf"},
    "a.mxf": {"codec": "mpeg2video", "format": "mxf"},
    "a.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "a.ogv": {"codec": "libvpx", "format": "ogg"},
}


def made(name: str, folder: Path) -> Path:
    frames = [np.dstack([each] * 3) for each in scenes(20, 64, 48)]
    return write_clip(folder / name, frames, **FORMATS[name])


@pytest.mark.parametrize("name", FORMATS)
def test_a_film_that_was_cut_off_is_refused_or_said_to_be(name: str, tmp_path: Path) -> None:
    source = made(name, tmp_path)
    whole = scan(source)
    assert not whole.cut_short
    assert "cut short" not in _notes(whole)
    data = source.read_bytes()
    heard = 0
    for place in range(1, 24):
        cut = tmp_path / f"cut-{name}"
        cut.write_bytes(data[: len(data) * place // 24 + place % 7 - 3])  # seldom where a packet ends
        try:
            index = scan(cut)
        except ItemError:
            continue
        heard += index.cut_short and _notes(index).startswith("cut short: the file ends in the middle")
        assert index.cut_short or _nothing_is_missing(index, whole), place
    assert heard or name == "a.mp4"  # whose table of contents is behind everything


def _nothing_is_missing(index: Index, whole: Index) -> bool:
    return index.frames == whole.frames and bool((index.checksums == whole.checksums).all())


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts", "a.avi"])
def test_what_a_disk_fills_up_behind_a_film_is_no_damage(name: str, tmp_path: Path) -> None:
    source = made(name, tmp_path)
    container = scan(source).container
    for left in (bytes(512), bytes(3), b"\0\0\0\0\0\0\0\0more", b"\xff" * 512 if name.endswith(".mp4") else b""):
        longer = tmp_path / "longer"
        longer.write_bytes(source.read_bytes() + left)
        assert not ends_early(longer, container), left


def _borders(name: str, data: bytes) -> list[int]:
    """Return where something ends and the next thing begins."""
    if name == "a.flv":
        at, found = 13, []
        while at < len(data):
            at += 15 + int.from_bytes(data[at + 1 : at + 4], "big")
            found.append(at)
        return found[2:-1]
    mark, ahead = {"a.ogv": (b"OggS", 0), "a.mxf": (b"\x06\x0e\x2b\x34\x01\x02", 0), "announced.mp4": (b"moof", 4)}[
        name
    ]
    found = [each - ahead for each in range(len(data)) if data.startswith(mark, each)]
    return found[len(found) // 2 :]


@pytest.mark.parametrize("name", ["a.flv", "a.ogv", "a.mxf", "announced.mp4"])
def test_a_cut_between_two_packets_is_heard_where_the_file_says_how_it_ends(name: str, tmp_path: Path) -> None:
    if name == "announced.mp4":
        told = {"movflags": "+frag_keyframe+dash+global_sidx+delay_moov"}
        source = write_clip(tmp_path / name, scenes(40, 64, 48), container_options=told, options={"g": "10"})
    else:
        source = made(name, tmp_path)
    container = scan(source).container
    assert not ends_early(source, container)
    data = source.read_bytes()
    cuts = _borders(name, data)
    assert cuts
    for place in cuts:
        cut = tmp_path / f"cut-{name}"
        cut.write_bytes(data[:place])
        assert ends_early(cut, container), place


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "fast.mp4", "a.avi", "a.wmv"])
def test_a_film_whose_rest_is_zeros_is_said_to_be_cut(name: str, tmp_path: Path) -> None:
    """Room was made for a copy that broke off: the file is as long as it says, and FFmpeg is silent."""
    told = {"container_options": {"movflags": "faststart"}} if name == "fast.mp4" else FORMATS[name]
    frames = np.random.default_rng(7).integers(0, 255, (30, 128, 128, 3), np.uint8)
    source = write_clip(tmp_path / name, list(frames), **told)
    data = source.read_bytes()
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    assert (scan(source).cut_short, scan(cut).cut_short) == (False, True)
    source.write_bytes(data + bytes(2 * len(data)))  # a disk gives whole blocks
    assert not ends_early(source, scan(source).container)
