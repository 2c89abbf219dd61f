"""A part of a film: some stretches of it, scanned without the rest, and shown one behind the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.ground.errors import ItemError
from pipeline.ground.items import Viewing
from pipeline.media.film.index import Index, Stretch
from pipeline.media.film.reading import moved
from pipeline.media.film.scan import Notes, scan, stamp
from pipeline.media.film.source import Faults, decoded, moving_picture, open_film

# Seconds of one stretch of a sample: long enough to see whether colour is steady.
_STRETCH: Final = 4.0
# Seconds ahead of a stretch that a seek aims at; containers lie about where it ends.
_RUN_UPS: Final = (2.0, 15.0)

Window = tuple[float, float]


def windows(viewing: Viewing, seconds: float) -> list[Window]:
    """Return the stretches, in seconds of the film, that are wanted of one that lasts so long (infinity: unknown).

    Raises:
        ItemError: it ends before the part that is wanted.
    """
    start, stop = viewing.start, min(viewing.stop, seconds)
    if start >= stop:
        raise ItemError(f"the film ends at {seconds:.1f} s, before the part that is wanted begins")
    if not viewing.sample or viewing.sample >= stop - start or math.isinf(stop):
        return [(start, min(viewing.stop, start + viewing.sample) if viewing.sample else viewing.stop)]
    count = max(1, round(viewing.sample / _STRETCH))
    length, room = viewing.sample / count, (stop - start) / count
    begins = [start + number * room + (room - length) / 2 for number in range(count)]
    return [(begin, begin + length) for begin in begins]


def scan_part(path: Path, viewing: Viewing) -> Index:
    """Scan what is wanted of a film; what lies between is only read where the film cannot be entered there.

    Raises:
        ItemError: as `scan`, and where the film ends before the part that is wanted.
    """
    with open_film(path) as container:
        stream = moving_picture(container)
        wanted = windows(viewing, length_of(container, stream))
    quick = [_scan_there(path, window) for window in wanted]
    parts = [each for each in quick if each is not None]
    if len(parts) < len(wanted):
        whole = scan(path)
        parts = [part for window in wanted if (part := _slice(whole, window)) is not None]
    if not parts:
        raise ItemError("the film has no frame in the part that is wanted")
    return _in_a_row(parts)


def length_of(container: InputContainer, stream: VideoStream) -> float:
    """Return the seconds that a film lasts by its header; infinity where it does not say."""
    if container.duration:
        return container.duration / 1_000_000
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return math.inf


def _scan_there(path: Path, window: Window) -> Index | None:
    """Scan a stretch after a seek; None where that does not lead there."""
    for run_up in _RUN_UPS:
        with open_film(path) as container:
            stream = moving_picture(container)
            found = _scan_from(container, stream, window, run_up)
        if found is not None:
            return found
    return None


def _scan_from(container: InputContainer, stream: VideoStream, window: Window, run_up: float) -> Index | None:
    unit = stream.time_base or Fraction(1, 90000)
    begin, end = (_ticks(container.start_time, each, unit) for each in window)
    at_start = window[0] <= 0
    if not at_start and not moved(container, stream, max(int(stream.start_time or 0), int(begin)), run_up):
        return None
    faults, notes, early = Faults(), Notes(stream), at_start
    for frame in decoded(container, stream, faults):
        at = stamp(frame)
        if at is None:
            return None
        if at >= end:
            break
        if at < begin:
            early = True
        elif early:
            notes.take(frame)
        else:
            return None  # it came out too late
    if not notes.count:
        return None
    return replace(
        notes.index(container, stream, faults.count), stretches=(Stretch(0, 0 if at_start else -1, 0, 0, 0),)
    )


def _ticks(start_time: int | None, seconds: float, unit: Fraction) -> float:
    # Half a tick early: times in files are rounded.
    return (seconds + (start_time or 0) / 1_000_000) / float(unit) - 0.5


def _slice(whole: Index, window: Window) -> Index | None:
    begin, end = (_ticks(whole.start_time, each, whole.time_base) for each in window)
    first, last = (int(each) for each in np.searchsorted(whole.timestamps, (begin, end)))
    if first == last:
        return None
    shots = np.searchsorted(whole.shots, (first, last - 1), side="right")
    inside = slice(int(shots[0]) - 1, int(shots[1]))
    cut = last < whole.frames
    return replace(
        whole,
        timestamps=whole.timestamps[first:last],
        checksums=whole.checksums[first:last],
        last_duration=int(whole.timestamps[last] - whole.timestamps[last - 1]) if cut else whole.last_duration,
        shots=np.maximum(whole.shots[inside] - first, 0),
        kinds=whole.kinds[inside],
        chroma=whole.chroma[inside],
        stretches=(Stretch(0, first, 0, 0, 0),),
    )


def _in_a_row(parts: Sequence[Index]) -> Index:
    """Put the indexes of stretches behind each other: each begins a shot, so that no colour crosses a gap."""
    first = parts[0]
    stretches: list[Stretch] = []
    frames = length = 0
    for part in parts:
        if (part.geometry.width, part.geometry.height, part.geometry.pix_fmt) != _picture(first):
            raise ItemError("the picture changes its size or format between the parts that are wanted")
        start, stop = int(part.timestamps[0]), int(part.timestamps[-1]) + part.last_duration
        stretches.append(Stretch(frames, part.stretches[0].before, start, stop, start - length))
        frames, length = frames + part.frames, length + stop - start
    return replace(
        parts[-1],
        geometry=replace(first.geometry, interlaced=any(part.geometry.interlaced for part in parts)),
        timestamps=np.concatenate([part.timestamps for part in parts]),
        checksums=np.concatenate([part.checksums for part in parts]),
        shots=np.concatenate([part.shots + at.first for part, at in zip(parts, stretches, strict=True)]),
        kinds=np.concatenate([part.kinds for part in parts]),
        chroma=np.concatenate([part.chroma for part in parts]),
        faults=sum(part.faults for part in parts),
        mended=sum(part.mended for part in parts),
        stretches=tuple(stretches),
    )


def _picture(index: Index) -> tuple[int, int, str]:
    return index.geometry.width, index.geometry.height, index.geometry.pix_fmt


def together(index: Index) -> Index:
    """Return an index whose times are those of the output: an excerpt's stretches follow each other without gaps."""
    if not index.stretches:
        return index
    borders = [each.first for each in index.stretches[1:]]
    pieces = np.split(index.timestamps, borders)
    moved = [times - stretch.shift for times, stretch in zip(pieces, index.stretches, strict=True)]
    return replace(index, timestamps=np.concatenate(moved))


def place(index: Index, seconds: Fraction) -> Fraction | None:
    """Return the seconds to subtract from the times of what begins at `seconds` of the film; None: it is left out."""
    for stretch in index.stretches:
        if stretch.start * index.time_base <= seconds < stretch.stop * index.time_base:
            return stretch.shift * index.time_base
    return None


def place_chapters(index: Index, chapters: Sequence[dict[str, Any]]) -> list[Any]:
    """Return the chapters that an excerpt touches, from where they begin in it to where they end."""
    placed = []
    for chapter in chapters:
        unit = Fraction(chapter["time_base"] or Fraction(1, 1_000_000_000)) / index.time_base
        start, stop = chapter["start"] * unit, chapter["end"] * unit
        inside = [(max(start, s.start) - s.shift, min(stop, s.stop) - s.shift) for s in index.stretches]
        inside = [each for each in inside if each[0] < each[1]]
        if inside:
            placed.append({**chapter, "start": round(inside[0][0] / unit), "end": round(inside[-1][1] / unit)})
    return placed
