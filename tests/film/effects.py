"""What each option of films changes in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from tests.film.clips import interlaced_clip, pictures, scenes, write_clip


def _reel(bench: Any, frames: int = 12, name: str = "reel.mp4") -> Path:
    bench.scans.mkdir(exist_ok=True)
    return write_clip(bench.scans / name, scenes(frames, 96, 64), options={"preset": "ultrafast"})


def _codec(path: Path) -> str:
    with av.open(str(path)) as film:
        return film.streams.video[0].codec_context.name


def encoder(bench: Any) -> None:
    _reel(bench)
    bench.run("--encoder", "ffv1")
    assert _codec(bench.colour / "reel.mkv") == "ffv1"
    assert bench.worked("--encoder", "h265") == 1
    assert _codec(bench.colour / "reel.mp4") == "hevc"
    assert not (bench.colour / "reel.mkv").exists(), "the earlier one is superseded"


def film_quality(bench: Any) -> None:
    _reel(bench)
    sizes = []
    for value in (10, 45):
        assert bench.worked("--film-quality", value) == 1
        sizes.append((bench.colour / "reel.mp4").stat().st_size)
    assert sizes[1] < sizes[0] / 2


def preset(bench: Any) -> None:
    _reel(bench)
    made = set()
    for value in ("ultrafast", "medium"):
        assert bench.worked("--preset", value) == 1
        made.add((bench.colour / "reel.mp4").read_bytes())
    assert len(made) == 2


def container(bench: Any) -> None:
    _reel(bench)
    bench.run()
    assert bench.worked("--container", "mkv") == 1
    assert [path.name for path in bench.colour.glob("reel.*")] == ["reel.mkv"]
    with av.open(str(bench.colour / "reel.mkv")) as film:
        assert "matroska" in film.format.name


def width(bench: Any) -> None:
    _reel(bench)
    bench.run("--width", "48")
    frame = pictures(bench.colour / "reel.mp4")[0]
    assert (frame.width, frame.height) == (48, 32)


def deinterlace(bench: Any) -> None:
    bench.scans.mkdir(exist_ok=True)
    interlaced_clip(bench.scans / "reel.mp4")
    bench.run()
    assert all(frame.interlaced_frame for frame in pictures(bench.colour / "reel.mp4"))
    assert bench.worked("--deinterlace") == 1
    assert not any(frame.interlaced_frame for frame in pictures(bench.colour / "reel.mp4"))


def steady(bench: Any) -> None:
    _reel(bench, 40)
    made = set()
    for value in ("off", "normal"):
        assert bench.worked("--steady", value) == 1
        made.add((bench.colour / "reel.mp4").read_bytes())
    assert len(made) == 2


def keyframes(bench: Any) -> None:
    _reel(bench, 40)
    made = set()
    for value in (1, 16):
        assert bench.worked("--keyframes", value) == 1
        made.add((bench.colour / "reel.mp4").read_bytes())
    assert len(made) == 2
