"""Sources against outputs, as another program sees them: ffprobe, where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

av = pytest.importorskip("av")

from tests.film.clips import interlaced_clip, scenes, write_clip  # noqa: E402
from tests.film.test_whole import ODD, colored, odd_clip  # noqa: E402

# What the picture's stream has to say as before. FFmpeg's names; "unknown" is what a film does not say.
_PICTURE = ("width", "height", "pix_fmt", "sample_aspect_ratio", "field_order", "color_range", "r_frame_rate")
# What is said now and was not before, or cannot be the same: the reason.
_MAY_DIFFER: dict[str, dict[str, str]] = {
    "grey": {"pix_fmt": "colour needs chroma"},
    "odd size": {"pix_fmt": "yuvj444p is yuv444p of full range"},
    "gif": {"pix_fmt": "a palette has no luma", "color_range": "RGB has none"},
    "raw": {"r_frame_rate": "a raw stream counts fields"},
    "variable rate": {"r_frame_rate": "a guess, of ticks"},
}
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


def probed(path: Path) -> dict[str, Any]:
    call = [
        "ffprobe",
        "-v",
        "error",
        "-count_packets",
        "-show_streams",
        "-show_chapters",
        "-show_format",
        "-of",
        "json",
    ]
    run = subprocess.run([*call, str(path)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def facts(path: Path) -> dict[str, Any]:
    """What has to be the same before and after, by name."""
    found = probed(path)
    told: dict[str, Any] = {"chapters": [each["tags"].get("title") for each in found["chapters"]]}
    told["chapter times"] = [(each["start_time"], each["end_time"]) for each in found["chapters"]]
    streams = found["streams"]
    picture = next(each for each in streams if each["codec_type"] == "video" and not _cover(each))
    told |= {name: picture.get(name, "unknown") for name in _PICTURE}
    told["sample_aspect_ratio"] = told["sample_aspect_ratio"].replace("unknown", "1:1").replace("0:1", "1:1")
    told["frames"] = picture["nb_read_packets"]
    told["rotation"] = [each["rotation"] for each in picture.get("side_data_list", []) if "rotation" in each]
    for kind in ("audio", "subtitle"):
        told[kind] = [_track(each) for each in streams if each["codec_type"] == kind]
    told["covers"] = sum(map(_cover, streams))
    told["attachments"] = [
        (each["tags"]["filename"], each["extradata_size"])
        for each in streams
        if each["codec_type"] == "attachment" and not _cover(each)
    ]
    return told


def _cover(stream: dict[str, Any]) -> bool:
    return bool(stream["disposition"]["attached_pic"])


def _track(stream: dict[str, Any]) -> tuple[Any, ...]:
    names = ("codec_name", "channels", "channel_layout", "sample_rate", "nb_read_packets")
    language = stream.get("tags", {}).get("language", "und")
    return (*(stream.get(name) for name in names), language, stream["disposition"]["default"])


def seconds_of(path: Path) -> float:
    return float(probed(path)["format"].get("duration", 0))


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("name", MADE)
def test_another_program_sees_the_same_film(name: str, tmp_path: Path) -> None:
    source = clip(name, tmp_path)
    target, result = colored(source)
    before, after = facts(source), facts(target)
    may = _MAY_DIFFER.get(name, {})
    differ = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    said_now = {key for key in differ if before[key] in ("unknown", "progressive") and key in _PICTURE}
    print(
        f"\n{name:<18} {source.suffix} -> {target.suffix} {after['frames']} frames, differs: {differ or 'in nothing'}"
    )
    assert set(differ) - set(may) - said_now == set()
    assert result.joined.lost == () or may
    if name not in ("raw", "large start"):  # which say nothing, or count from their clock's beginning
        assert seconds_of(target) == pytest.approx(seconds_of(source), abs=0.06)
