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
    for left in (bytes(512), bytes(3), b"\0\0\0\0\0\0\0\0more"):
        longer = tmp_path / "longer"
        longer.write_bytes(source.read_bytes() + left)
        assert not ends_early(longer, container), left
