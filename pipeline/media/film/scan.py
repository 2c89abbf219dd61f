"""The first pass over a film: every frame is decoded once and described."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.colour.verdict import judge
from pipeline.ground.errors import ItemError
from pipeline.media.film.clock import Times
from pipeline.media.film.ending import ends_early
from pipeline.media.film.index import KINDS, Geometry, Index
from pipeline.media.film.planes import Layout, layout_of, luma_of, plane, settled_matrix, settled_range
from pipeline.media.film.shots import CutScores, cuts
from pipeline.media.film.source import Faults, decoded, moving_picture, open_film

_JUDGED_EVERY: Final = 12
_JUDGED_SIDE: Final = 192
_PERHAPS_A_CUT: Final = 0.4
FASTEST: Final = 121
MOST: Final = 1000  # frames a second that an average may be, if it is one
_UNKNOWN_RATE: Final = Fraction(25)


def scan(path: Path, watch: Callable[[int], None] | None = None) -> Index:
    """Decode a film once and say what it holds: the frames, their times and checksums, shots, and damage.

    Args:
        path: the film, only read.
        watch: called after each frame with the number of frames so far.

    Raises:
        ItemError: not a film that can be worked on; the message says why.
        FileNotFoundError, PermissionError: as for any file.
    """
    with open_film(path) as container:
        stream = moving_picture(container)
        faults = Faults()
        notes = Notes(stream)
        for frame in decoded(container, stream, faults):
            notes.take(frame)
            if watch is not None:
                watch(notes.count)
        if not notes.count:
            empty = "damaged or cut short: the film holds no frames"
            raise ItemError("no frame of the film can be decoded" if faults.count else empty)
        index = notes.index(container, stream, faults.count)
    return replace(index, cut_short=ends_early(path, index.container))


class Notes:
    """What is remembered of the frames: about 30 bytes each."""

    def __init__(self, stream: VideoStream) -> None:
        self.count = 0
        self._stream = stream
        self._rate = rate_of(stream)
        self._step = max(1, round(1 / (self._rate * (stream.time_base or Fraction(1, 90000)))))
        self._times = Times(self._step)
        self._checksums = array("I")
        self._scores = array("f")
        self._judged: list[tuple[int, int, float]] = []
        self._cut_scores = CutScores()
        self._damaged = 0
        self._said: dict[str, str] = {}
        self._changes: dict[str, str] = {}
        self._layout: Layout | None = None
        self._geometry: Geometry | None = None
        self._interlaced = False

    def take(self, frame: VideoFrame) -> None:
        """Note the next frame."""
        layout = self._checked(frame)
        self._times.take(frame.pts, frame.dts, frame.duration)
        self._damaged += frame.is_corrupt
        self._interlaced |= frame.interlaced_frame
        luma = luma_of(frame, layout)
        self._checksums.append(checksum(luma))
        near = self._cut_scores.add(luma, layout.bits)
        score = self._cut_scores.latest()
        self._scores.append(score or 0.0)
        if self.count % _JUDGED_EVERY == 0 or near > _PERHAPS_A_CUT:
            self._judge(frame, layout)
        self.count += 1

    def _checked(self, frame: VideoFrame) -> Layout:
        """Describe the first frame; refuse those that differ from it."""
        if self._geometry is None or self._layout is None:
            self._layout = layout_of(frame.format.name)
            self._geometry = _geometry(frame, self._stream)
            self._watch(frame)
            return self._layout
        size = self._geometry.width, self._geometry.height
        if (frame.width, frame.height) != size:
            raise ItemError(
                f"the picture's size changes from {size[0]} x {size[1]} to {frame.width} x {frame.height} "
                f"at frame {self.count}: cut the film there"
            )
        if frame.format.name != self._layout.pix_fmt:
            raise ItemError(
                f"the pixel format changes from {self._layout.pix_fmt} to {frame.format.name} at frame {self.count}: "
                "cut the film there"
            )
        self._watch(frame)
        return self._layout

    def _watch(self, frame: VideoFrame) -> None:
        """Notice what changes and is written once for the whole film."""
        assert self._geometry is not None
        codec = self._stream.codec_context
        now = {
            "sample aspect": str(codec.sample_aspect_ratio or ""),
            "range": str(settled_range(frame, codec.codec.canonical_name)),
            "matrix": str(settled_matrix(frame)),
        }
        for name, value in now.items():
            if self._said.setdefault(name, value) != value and name not in self._changes:
                self._changes[name] = f"its {name} changes about frame {self.count:,}: the first is taken for all"

    def _judge(self, frame: VideoFrame, layout: Layout) -> None:
        if not layout.colour or _without_chroma(frame, layout):
            self._judged.append((self.count, 0, 0.0))
            return
        scale = min(1.0, _JUDGED_SIDE / max(frame.width, frame.height))
        width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
        picture: Any = frame.reformat(width, height, "bgr24", interpolation="AREA", threads=1).to_ndarray()
        verdict = judge(picture)
        self._judged.append((self.count, KINDS.index(verdict.kind), verdict.chroma))

    def _end(self, container: InputContainer, stream: VideoStream, last: int) -> int:
        """Return how long the last frame is shown."""
        usual = int(self._times.duration or self._step)
        # In MP4 a packet lasts until the next one is decoded: behind B-frames the track's own length says more.
        if container.format.name.startswith("mov,mp4") and stream.duration:
            left = int((stream.start_time or 0) + stream.duration - last)
            if usual <= 4 * left <= 16 * usual:
                return left
        return usual

    def index(self, container: InputContainer, stream: VideoStream, faults: int) -> Index:
        """Put all that was noted together, once the last frame was taken."""
        assert self._geometry is not None
        times, clock, by_dts = self._times.settled(stream.time_base or Fraction(1, 90000))
        scores = np.frombuffer(self._scores, np.float32)
        # A score is known three frames after its own: CutScores.latest.
        scores = np.concatenate((scores[2:], np.zeros(min(2, len(scores)), np.float32)))
        shots = np.concatenate((np.zeros(1, np.int64), cuts(scores)))
        kinds, chroma = _of_shots(shots, self.count, self._judged)
        geometry = replace(self._geometry, interlaced=self._interlaced)
        return Index(
            geometry=geometry,
            container=container.format.name,
            time_base=stream.time_base or Fraction(1, 90000),
            rate=self._rate,
            start_time=container.start_time or 0,
            timestamps=np.array(times, np.int64),
            checksums=np.array(self._checksums, np.uint32),
            last_duration=self._end(container, stream, times[-1]),
            shots=shots,
            kinds=kinds,
            chroma=chroma,
            faults=faults + self._damaged,
            mended=clock.mended,
            by_dts=by_dts,
            restarts=tuple(clock.restarts),
            changes=tuple(self._changes.values()),
            streams=tuple(_line(each) for each in container.streams),
        )


def stamp(frame: VideoFrame, *, by_dts: bool = False) -> int | None:
    """Return a frame's time in its stream's unit, as well as the film says it: see `clock.Times`."""
    return frame.dts if by_dts or frame.pts is None else frame.pts


def checksum(luma: NDArray[Any]) -> int:
    """Return the CRC-32 of a frame's luma (H, W), padding left out."""
    return zlib.crc32(np.ascontiguousarray(luma).data)


def rate_of(stream: VideoStream) -> Fraction:
    """Return the frames a second that an encoder is told; the true times are put back at the join."""
    guessed = stream.guessed_rate  # the base rate of raw H.264 counts fields
    if guessed and guessed <= FASTEST:
        return guessed
    average = stream.average_rate
    return average.limit_denominator(1001) if average and average <= MOST else _UNKNOWN_RATE


def _geometry(frame: VideoFrame, stream: VideoStream) -> Geometry:
    matrix = _display_matrix(frame)
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Geometry(
        width=frame.width,
        height=frame.height,
        pix_fmt=frame.format.name,
        codec=stream.codec_context.codec.canonical_name,
        frame_range=settled_range(frame, stream.codec_context.codec.canonical_name),
        range_said=int(frame.color_range),
        matrix=settled_matrix(frame),
        matrix_said=int(stream.codec_context.colorspace),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        rotation=int(frame.rotation) if matrix else 0,
        display_matrix=matrix,
        aspect=str(aspect) if aspect else "",
        field_order=int(stream.codec_context.field_order),
        interlaced=bool(frame.interlaced_frame),
    )


def _display_matrix(frame: VideoFrame) -> tuple[int, ...]:
    side: Any = frame.side_data.get("DISPLAYMATRIX")
    return tuple(int(each) for each in np.frombuffer(bytes(side), np.int32)[:9]) if side is not None else ()


def _without_chroma(frame: VideoFrame, layout: Layout) -> bool:
    """Say whether U and V are grey all over, which spares the conversion of most black-and-white films."""
    if layout.read != layout.pix_fmt or layout.pix_fmt.startswith("nv"):
        return False
    middle = 1 << (layout.bits - 1)
    reach = 1 << (layout.bits - 8)
    u, v = (plane(frame, number, layout.bits) for number in (1, 2))
    return all(int(each.min()) >= middle - reach and int(each.max()) <= middle + reach for each in (u, v))


def _of_shots(
    shots: NDArray[np.int64], frames: int, judged: list[tuple[int, int, float]]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return for each shot what most of its judged frames are, and their mean chroma."""
    numbers = np.array([each[0] for each in judged])
    kinds = np.array([each[1] for each in judged])
    chroma = np.array([each[2] for each in judged], np.float32)
    found, means = [], []
    for start, stop in zip(shots, [*shots[1:], frames], strict=True):
        inside = (numbers >= start) & (numbers < stop)
        if not inside.any():  # a cut between two frames alike is judged by the frame before it
            inside = numbers == numbers[numbers <= start].max()
        found.append(int(np.bincount(kinds[inside], minlength=len(KINDS)).argmax()))
        means.append(float(chroma[inside].mean()))
    return np.array(found, np.uint8), np.array(means, np.float32)


def _line(stream: Stream) -> str:
    context: Any = stream.codec_context
    name = context.codec.canonical_name if context is not None else "unknown"
    words = [str(stream.index), str(stream.type), name]
    if stream.type == "audio" and context is not None:
        words += [f"{context.sample_rate} Hz", context.layout.name]
    if stream.language:
        words.append(f"({stream.language})")
    return " ".join(words)
