"""One piece of a film: a span of frames, coloured and encoded into a part file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame

from pipeline.colour.doubt import Doubting
from pipeline.media.film.check import check_part
from pipeline.media.film.encoders import add_picture, fed_format, fed_range, settle_encoder, unwritten
from pipeline.media.film.fields import REACH, progressive
from pipeline.media.film.index import Index
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.paint import Canvas, beside, canvas, coloured, kept, lightness_of, upright
from pipeline.media.film.planes import luma_of, sized
from pipeline.media.film.priority import stay_ordinary
from pipeline.media.film.reading import frames_of
from pipeline.media.film.shape import deinterlaced, painted, written
from pipeline.media.film.source import BITEXACT
from pipeline.media.film.steady import Plan, Seen, plan, small_luma, steadied
from pipeline.nets.net import Net


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of one piece.

    Attributes:
        frames: written.
        decoded: frames that were decoded for it, those beyond its borders included.
        nets: how often the net was asked.
        size: bytes of the part file.
        doubt: of the most doubtful of its shots, 0..100; None where the net was not asked.
    """

    frames: int
    decoded: int
    nets: int
    size: int
    doubt: int | None = None


def piece(source: Path, index: Index, span: range, net: Net, options: FilmOptions, part: Path) -> Piece:
    """Colour a span of frames and encode it into a part file; the same arguments give the same bytes.

    Args:
        source: the film, only read.
        index: its scan.
        span: the frames, within 0..index.frames.
        net: asked for ab.
        options: of the film.
        part: is written; the caller gives it its name once it is whole.

    Raises:
        ItemError: the film has changed since the scan, does not decode twice alike, or the encoder refuses it.
        OutputError: the part cannot be written: no space, no permission.
    """
    if not (0 <= span.start < span.stop <= index.frames and span.step == 1):
        raise ValueError(f"{span} is no span of a film of {index.frames} frames")
    _, encoder = settle_encoder(options)
    found, whole, index = index, written(index, options), painted(index, options)
    picture = canvas(
        index.geometry, fed_format(whole, encoder), fed_range(index, encoder), options.saturation, options.hints
    )
    painter = _Painter(index, net, options, picture, weave=deinterlaced(found, options))
    unshifted = {"avoid_negative_ts": "disabled"}
    try:
        with av.open(str(part), "w", format=encoder.part, container_options=unshifted) as out:
            out.flags |= BITEXACT
            stream = add_picture(out, whole, encoder, options)
            for number, frame in painter.frames(source, span):
                if options.beside:
                    frame = beside(frame, picture)
                frame.pts, frame.dts, frame.time_base = number - span.start, None, 1 / index.rate
                frame.duration = 1
                out.mux(stream.encode(frame))
                stay_ordinary()
            out.mux(stream.encode(None))
    except FFmpegError as error:
        raise unwritten(error, "A part of the film", "the encoder refuses the film: ") from None
    check_part(part, whole, len(span))
    return Piece(len(span), painter.decoded, painter.nets, part.stat().st_size, painter.doubt)


class _Painter:
    """Decodes, shows key frames to the net, and colours."""

    def __init__(self, index: Index, net: Net, options: FilmOptions, painted: Canvas, *, weave: bool) -> None:
        self.decoded = 0
        self.nets = 0
        self._index = index
        self._net = net
        self._options = options
        self._canvas = painted
        self._weave = weave
        self._doubting = Doubting(net)
        self._predict = upright(self._doubting.predict_of_shot, index.geometry.rotation)

    @property
    def doubt(self) -> int | None:
        return self._doubting.doubt

    def frames(self, source: Path, span: range) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the coloured frames of a span, in order."""
        works = self._works(span)
        everything = range(works[0].frames.start, works[-1].frames.stop)
        reading = self._counted(self._read(source, everything))
        for work in works:
            stretch = (next(reading) for _ in work.frames)
            if self._kept(work.shot):
                yield from ((number, kept(frame, self._canvas)) for number, frame in stretch)
            else:
                yield from self._shot(work, stretch)

    def _read(self, source: Path, wanted: range) -> Iterator[tuple[int, VideoFrame]]:
        if not self._weave:
            return frames_of(source, self._index, wanted)
        wider = range(max(0, wanted.start - REACH), min(self._index.frames, wanted.stop + REACH))
        return (each for each in progressive(frames_of(source, self._index, wider)) if each[0] in wanted)

    def _works(self, span: range) -> list[Plan]:
        works = []
        at = span.start
        while at < span.stop:
            shot = self._index.shot_of(at)
            wanted = range(at, min(shot.stop, span.stop))
            if self._kept(shot):
                works.append(Plan(shot, wanted, 1, 0))
            else:
                works.append(plan(shot, wanted, self._options.steady, self._options.keyframes))
            at = wanted.stop
        return works

    def _kept(self, shot: range) -> bool:
        return self._options.on_color == "keep" and self._index.kind_of(shot.start) == "color"

    def _counted(self, frames: Iterator[tuple[int, VideoFrame]]) -> Iterator[tuple[int, VideoFrame]]:
        geometry = self._index.geometry
        for number, frame in frames:
            self.decoded += 1
            yield number, sized(frame, geometry.width, geometry.height, geometry.frame_range)

    def _shot(self, work: Plan, stretch: Iterator[tuple[int, VideoFrame]]) -> Iterator[tuple[int, VideoFrame]]:
        held: deque[VideoFrame] = deque()

        def seen() -> Iterator[Seen]:
            for number, frame in stretch:
                if number in work.wanted:
                    held.append(frame)
                yield self._seen(number, frame, work)

        for number, ab in steadied(work, seen(), self._predict):
            yield number, coloured(held.popleft(), ab, self._canvas)
        self._doubting.end_shot()

    def _seen(self, number: int, frame: VideoFrame, work: Plan) -> Seen:
        layout = self._canvas.layout
        small = small_luma(luma_of(frame, layout), layout.bits)
        if not work.is_key(number):
            return Seen(number, small)
        self.nets += 1
        return Seen(number, small, lightness_of(frame, self._net.spec.input_size, self._canvas))
