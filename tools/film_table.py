"""Print what ffprobe, another program, sees of films before and after a run: a table in Markdown.

Usage: python -m tools.film_table INPUT OUTPUT   (INPUT and OUTPUT of `colorize run`)

A cell holds the value that both have, or `**before -> after**`; what an output says and its source leaves open is no
difference.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What the picture's stream has to say as before. FFmpeg's names; "unknown" is what a film does not say.
PICTURE = ("width", "height", "pix_fmt", "sample_aspect_ratio", "field_order", "color_range", "r_frame_rate")
_COLUMNS = {
    "size": ("width", "height"),
    "samples": ("pix_fmt", "color_range"),
    "aspect": ("sample_aspect_ratio",),
    "fields": ("field_order",),
    "turned": ("rotation",),
    "rate": ("r_frame_rate",),
    "frames": ("frames",),
    "first, last time": ("first time", "last time"),
    "sound": ("audio",),
    "texts": ("subtitle",),
    "chapters": ("chapters", "chapter times"),
    "covers, attachments": ("covers", "attachments"),
}


def probed(path: Path) -> dict[str, Any]:
    """Return all that ffprobe says of a film's streams, chapters and file."""
    shown = ("-show_streams", "-show_chapters", "-show_format")
    call = ["ffprobe", "-v", "error", "-count_packets", *shown, "-of", "json"]
    run = subprocess.run([*call, str(path)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def facts(path: Path) -> dict[str, Any]:
    """Return what has to be the same before and after, by name."""
    found = probed(path)
    told: dict[str, Any] = {"chapters": [each["tags"].get("title") for each in found["chapters"]]}
    told["chapter times"] = [(each["start_time"], each["end_time"]) for each in found["chapters"]]
    streams = found["streams"]
    picture = next(each for each in streams if each["codec_type"] == "video" and not _is_cover(each))
    told |= {name: picture.get(name, "unknown") for name in PICTURE}
    told["sample_aspect_ratio"] = told["sample_aspect_ratio"].replace("unknown", "1:1").replace("0:1", "1:1")
    told["frames"] = picture["nb_read_packets"]
    told["rotation"] = [each["rotation"] for each in picture.get("side_data_list", []) if "rotation" in each]
    for kind in ("audio", "subtitle"):
        told[kind] = [_track(each) for each in streams if each["codec_type"] == kind]
    told["covers"] = sum(map(_is_cover, streams))
    told["attachments"] = [
        (each["tags"]["filename"], each["extradata_size"])
        for each in streams
        if each["codec_type"] == "attachment" and not _is_cover(each)
    ]
    return told


def _is_cover(stream: dict[str, Any]) -> bool:
    return bool(stream["disposition"]["attached_pic"])


def _track(stream: dict[str, Any]) -> tuple[Any, ...]:
    names = ("codec_name", "channels", "channel_layout", "sample_rate", "nb_read_packets")
    language = stream.get("tags", {}).get("language", "und")
    return (*(stream.get(name) for name in names), language, stream["disposition"]["default"])


def times(path: Path) -> dict[str, str]:
    """Return the seconds from the file's beginning to its picture's first and last frame, to a hundredth."""
    wanted = ("-select_streams", "V:0", "-show_entries", "packet=pts_time:format=start_time")
    call = ["ffprobe", "-v", "error", *wanted, "-of", "json"]
    run = subprocess.run([*call, str(path)], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    start = float(found["format"].get("start_time", 0))
    shown = sorted(float(each["pts_time"]) for each in found["packets"] if "pts_time" in each)
    if not shown:
        return {"first time": "none", "last time": "none"}
    return {"first time": f"{shown[0] - start:.2f}", "last time": f"{shown[-1] - start:.2f}"}


def lines(pairs: list[tuple[str, Path, Path]]) -> Iterator[str]:
    """Yield the table's lines for films: name, source and output."""
    yield f"| film | {' | '.join(_COLUMNS)} |"
    yield "|---" * (len(_COLUMNS) + 1) + "|"
    for name, source, output in pairs:
        before, after = (facts(each) | times(each) for each in (source, output))
        before |= {key: after[key] for key in PICTURE if before[key] == "unknown"}
        cells = [
            _cell(*(_words([side[key] for key in keys]) for side in (before, after))) for keys in _COLUMNS.values()
        ]
        yield f"| {name} -> {output.suffix} | {' | '.join(cells)} |"


def same_version(page: str) -> bool:
    """Tell whether a page's table was drawn by this machine's ffprobe, by the version that it names: words differ."""
    named = re.search(r"What ffprobe ([\d.]+) sees", page)
    said = subprocess.run(["ffprobe", "-version"], capture_output=True, text=True, check=True).stdout
    return named is not None and said.startswith(f"ffprobe version {named[1]}.")


def _cell(before: str, after: str) -> str:
    return before if before == after else f"**{before} -> {after}**"


def _words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_words, value)))
    return str(value)


def pairs(source: Path, output: Path) -> list[tuple[str, Path, Path]]:
    """Return the films of a run that were made or copied, by its manifest."""
    with (output / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "film" and row["status"] in ("done", "copied")]
    return [(row["source"], source / row["source"], output / row["output"]) for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    print("\n".join(lines(pairs(asked.input, asked.output))))
