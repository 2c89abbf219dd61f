"""Twenty odd films, each kept whole: for tests, and to look at.

Usage: python -m tests.film.made FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import cv2
import pytest

from tests.film.clips import interlaced_clip, scenes, write_clip
from tests.film.test_whole import ODD, odd_clip

MADE = (*ODD, "interlaced", "mov_text", "cover", "gif", "bottom first")


def clip(name: str, folder: Path) -> Path:
    if name == "interlaced":
        return interlaced_clip(folder / "a.mp4")
    if name == "bottom first":
        return interlaced_clip(folder / "a.mkv", top_first=False)
    if name == "gif":
        frames = [cv2.cvtColor(each, cv2.COLOR_GRAY2BGR) for each in scenes(8, 64, 48)]
        return write_clip(folder / "a.gif", frames, codec="gif", pix_fmt="rgb8")
    if name == "mov_text":
        return with_captions(folder)
    if name == "cover":
        return with_cover(folder)
    return odd_clip(name, folder)


def with_captions(folder: Path) -> Path:
    film = write_clip(folder / "b.mp4", scenes(30, 64, 48))
    (folder / "a.srt").write_text(
        "1\n00:00:00,200 --> 00:00:00,700\nFirst\n\n2\n00:00:00,800 --> 00:00:01,100\nSecond\n"
    )
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg makes mov_text, and is not installed")
    call = ["ffmpeg", "-v", "error", "-i", str(film), "-i", str(folder / "a.srt"), "-c:v", "copy", "-c:s", "mov_text"]
    subprocess.run([*call, str(folder / "a.mp4")], check=True)
    return folder / "a.mp4"


def with_cover(folder: Path) -> Path:
    film = write_clip(folder / "b.mp4", scenes(10, 64, 48))
    cv2.imwrite(str(folder / "cover.jpg"), scenes(1, 64, 64)[0])
    with (
        av.open(str(film)) as one,
        av.open(str(folder / "cover.jpg")) as still,
        av.open(str(folder / "a.mp4"), "w") as out,
    ):
        copies = [out.add_stream_from_template(each.streams.video[0], opaque=True) for each in (one, still)]
        copies[1].disposition = 1024
        for stream, packets in ((copies[1], still.demux()), (copies[0], one.demux())):
            for packet in packets:
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    return folder / "a.mp4"


def called(name: str) -> str:
    """Return what a clip is called among others, without its suffix."""
    return name.replace(" ", "-").replace(":", "")


def make_all(folder: Path) -> None:
    """Make every clip, each under its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in MADE:
        with tempfile.TemporaryDirectory() as room:
            film = clip(name, Path(room))
            shutil.move(film, folder / f"{called(name)}{film.suffix}")


if __name__ == "__main__":
    make_all(Path(sys.argv[1]))
