"""The parts of a coloured film, and everything else of the source, into one output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import AttachmentStream, Stream
from av.video.stream import VideoStream

from pipeline.media.film.check import Written, check
from pipeline.media.film.clock import Followers
from pipeline.media.film.containers import Container, container_for
from pipeline.media.film.encoders import Encoder, fed_format, fed_range, settle_encoder, unwritten
from pipeline.media.film.excerpt import place, place_chapters, together
from pipeline.media.film.index import Index
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.packets import Peekable, look_through, picture_packets
from pipeline.media.film.planes import layout_of
from pipeline.media.film.scan import FASTEST
from pipeline.media.film.shape import written
from pipeline.media.film.sounds import Repacked, held, packed
from pipeline.media.film.source import BITEXACT, is_cover, moving_picture, open_film, text_that_is_not_utf8

_STALE: Final = (
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "_statistics",
    "bps",
    "duration",
    "alpha_mode",
)
_STALE_COUNTS: Final = ("number_of_frames", "number_of_bytes")
# Their bitstreams say nothing of the sample aspect, and PyAV cannot write Matroska's own field.
_NO_ASPECT: Final = {"libvpx-vp9", "libsvtav1"}
# Formats whose clock begins anywhere: what is written begins at 0. In the others a late start is meant.
_ANY_START: Final = {"mpegts", "mpeg", "wtv", "mpegtsraw", "asf", "rm"}


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of a film.

    Attributes:
        size: bytes of the output.
        frames: of the picture.
        lost: what could not be kept, as phrases for a person.
    """

    size: int
    frames: int
    lost: tuple[str, ...] = ()


def join(source: Path, index: Index, parts: Sequence[Path], output: Path, options: FilmOptions) -> Joined:
    """Put the parts and the source's sound, subtitles, chapters, attachments and tags into one film, and check it.

    Args:
        source: the film, only read; its packets are copied.
        index: its scan.
        parts: of `segment.piece`, in order, together all frames.
        output: is written; the caller gives it its name once this returns. Its suffix does not count: the container is
            `containers.container_for(source, index, options)`.
        options: as given to the pieces.

    Raises:
        DamagedPart: a part has to be made again; the error names it.
        ItemError: parts are missing, or the finished film does not hold what it should.
        OutputError: the output cannot be written: no space, no permission.
    """
    kind = container_for(source, index, options)
    index = written(index, options)
    shown = together(index)
    depth = look_through(parts, shown)
    work = _Join(source, index, kind, options)
    written_down = Written()
    try:
        with (
            open_film(source) as whole,
            av.open(str(parts[0])) as first,
            av.open(
                str(output),
                "w",
                format=kind.format,
                container_options={**kind.told(whole.metadata), "avoid_negative_ts": "disabled"},
                **text_that_is_not_utf8("surrogateescape"),
            ) as out,
        ):
            work.describe(whole, first.streams.video[0], out)
            packets = written_down.noted(picture_packets(parts, shown, depth, work.picture, work.shift))
            work.copy(whole, Peekable(packets), out)
    except FFmpegError as error:
        raise unwritten(error, "The film", "the film cannot be put together: ") from None
    check(output, shown, work.shift, written_down)
    work.look_for_tags(output)
    return Joined(output.stat().st_size, index.frames, (*work.lost, *_losses(index, settle_encoder(options)[1], kind)))


@dataclass(slots=True)
class _Join:
    source: Path
    index: Index
    kind: Container
    options: FilmOptions
    lost: list[str] = field(default_factory=list)
    copied: dict[int, Stream] = field(default_factory=dict)
    repacked: dict[int, Repacked] = field(default_factory=dict)
    picture: Any = None
    tags: tuple[str, ...] = ()

    @property
    def start(self) -> Fraction:
        """Seconds that are subtracted from every stream; an excerpt's times are moved stretch by stretch instead."""
        if self.index.stretches:
            return Fraction(0)
        if self.index.container.split(",")[0] in _ANY_START or self.index.container in _ANY_START:
            return Fraction(self.index.start_time, 1_000_000)
        return Fraction(0)

    @property
    def shift(self) -> int:
        """The same, in units of the picture's time base."""
        return round(self.start / self.index.time_base)

    def describe(self, whole: InputContainer, picture: VideoStream, out: OutputContainer) -> None:
        """Write down all that stands ahead of the packets."""
        out.flags |= BITEXACT
        self.tags = tuple(_lasting(whole.metadata))
        out.metadata.update(_lasting(whole.metadata))
        if self.options.provenance:
            said = out.metadata.get("comment")
            out.metadata["comment"] = f"{said}; {self.options.provenance}" if said else self.options.provenance
        main = moving_picture(whole)
        # In WebM transparency is a second picture behind the first, which decoders here do not look at.
        if _said(main, "alpha_mode") == "1":
            self.lost.append("transparency is lost")
        for stream in whole.streams:
            if stream.index == main.index:
                self._add_picture(main, picture, out)
            else:
                self._add_copy(stream, out)
        chapters = [self._shifted(chapter) for chapter in whole.chapters()]
        out.set_chapters(place_chapters(self.index, chapters) if self.index.stretches else chapters)

    def look_for_tags(self, output: Path) -> None:
        """Say which tags of the source a finished film does not show."""
        with open_film(output) as film:
            kept = {name.lower() for name in film.metadata}
        missing = [name for name in self.tags if name.lower() not in kept]
        if missing:
            named = ", ".join(f'"{name}"' for name in missing)
            tags = "the tags" if len(missing) > 1 else "the tag"
            self.lost.append(f"{self.kind.suffix} files cannot hold {tags} {named}")

    def _add_picture(self, main: VideoStream, template: VideoStream, out: OutputContainer) -> None:
        stream = out.add_stream_from_template(template, opaque=True)
        geometry, context = self.index.geometry, stream.codec_context
        stream.metadata.update(_lasting(main.metadata))
        stream.disposition = main.disposition
        stream.time_base = self.index.time_base
        average = main.average_rate
        context.bit_rate = 0  # of the first part alone
        context.framerate = average if average and average <= FASTEST else self.index.rate
        context.color_range = fed_range(self.index, settle_encoder(self.options)[1])
        context.colorspace = geometry.matrix
        context.color_primaries, context.color_trc = geometry.primaries, geometry.transfer
        if geometry.aspect:
            context.sample_aspect_ratio = Fraction(geometry.aspect)
        if geometry.field_order:
            context.field_order = geometry.field_order
        if geometry.display_matrix:
            stream.set_display_matrix(geometry.display_matrix)
        self.picture = stream

    def _add_copy(self, stream: Stream, out: OutputContainer) -> None:
        what = f"{stream.type} stream {stream.index}"
        if stream.type == "data" and stream.name == "bin_data" and self.index.container.startswith("mov,mp4"):
            return  # the titles of chapters, which are written anew
        if "timecode" in stream.metadata:
            return  # the picture's tags say it, too; MOV and MP4 make a track of that
        if stream.type not in ("video", "audio", "subtitle", "attachment"):
            self.lost.append(f"{what} is left out: data that cannot be copied")
            return
        try:
            if is_cover(stream) and self.kind.format == "matroska":
                out.add_attachment(*_cover(self.source, stream))
                return
            if isinstance(stream, AttachmentStream):
                copy: Stream = out.add_attachment(
                    stream.metadata.get("filename", f"attachment {stream.index}"),
                    stream.metadata.get("mimetype", "application/octet-stream"),
                    stream.data,
                )
                copy.metadata.update(stream.metadata)
                return
            copy = self._repacked(stream, out) or out.add_stream_from_template(stream, opaque=True)
        except ValueError:
            self.lost.append(f"{what} is left out: {self.kind.suffix} files cannot hold it")
            return
        copy.metadata.update(_lasting(stream.metadata))
        copy.disposition = stream.disposition
        if stream.type == "video" and not is_cover(stream):
            self.lost.append(f"{what} is another picture, and is kept as it is")
        self.copied[stream.index] = copy

    def _repacked(self, stream: Stream, out: OutputContainer) -> Stream | None:
        """Add a sound that the container cannot hold as it is; None: it can, or there is no way."""
        if not isinstance(stream, AudioStream):
            return None
        own = stream.codec_context.codec.canonical_name
        codec = "" if own in held(self.kind.format) else packed(self.kind.format, own)
        if not codec:
            return None
        self.repacked[stream.index] = Repacked(stream, out, codec)
        self.lost.append(f"audio stream {stream.index} became {codec}: {self.kind.suffix} files cannot hold {own}")
        return self.repacked[stream.index].stream

    def copy(self, whole: InputContainer, picture: Peekable, out: OutputContainer) -> None:
        """Write all packets, the picture's among the copied ones by their decoding time."""
        sources = [whole.streams[number] for number in self.copied]
        if sources:
            for packet in self._copied_packets(whole, sources):
                for ready in picture.until(float(_when(packet))):
                    out.mux(ready)
                out.mux(packet)
        for ready in picture.until(float("inf")):
            out.mux(ready)

    def _copied_packets(self, whole: InputContainer, sources: list[Stream]) -> Any:
        last: dict[int, int] = {}
        followers = Followers(self.index.restarts, self.index.time_base)
        for packet in whole.demux(*sources):
            number = packet.stream.index
            if not packet.size:
                continue
            if packet.dts is None and packet.pts is None:
                if not is_cover(packet.stream):
                    continue
                packet.pts = packet.dts = round(self.start / packet.time_base)
            step = Fraction(0) if is_cover(packet.stream) else followers.step(number, _when(packet))
            moved = place(self.index, _when(packet) + step) if self.index.stretches else self.start
            if moved is None and not is_cover(packet.stream):
                continue
            shift = round(((moved or 0) - step) / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            if packet.dts is not None and number in last and packet.dts < last[number]:
                packet.dts = last[number]
            if packet.pts is not None and packet.dts is not None and packet.pts < packet.dts:
                packet.pts = packet.dts
            last[number] = packet.dts if packet.dts is not None else last.get(number, 0)
            if number in self.repacked:
                yield from self.repacked[number].packets(packet)
            else:
                packet.stream = self.copied[number]
                yield packet
        for number, track in self.repacked.items():
            yield from track.packets(None)
            if track.lost:
                self.lost.append(f"audio stream {number}: {track.lost:,} packets could not be decoded")

    def _shifted(self, chapter: Any) -> Any:
        unit: Fraction = chapter["time_base"] or Fraction(1, 1_000_000_000)
        shift = round(self.start / unit)
        return {**chapter, "start": chapter["start"] - shift, "end": chapter["end"] - shift}


def _said(stream: Stream, tag: str) -> str:
    return next((value for name, value in stream.metadata.items() if name.lower() == tag), "")


def _cover(source: Path, stream: Stream) -> tuple[str, str, bytes]:
    """Return name, kind and bytes of a cover picture, as Matroska attaches it."""
    kind = {"mjpeg": "jpeg"}.get(stream.codec_context.codec.canonical_name, stream.codec_context.codec.canonical_name)
    name = stream.metadata.get("filename", f"cover.{kind.replace('jpeg', 'jpg')}")
    with open_film(source) as container:
        packet = next(container.demux(container.streams[stream.index]))
        return name, stream.metadata.get("mimetype", f"image/{kind}"), bytes(packet)


def _when(packet: Packet[Stream]) -> Fraction:
    at = packet.dts if packet.dts is not None else packet.pts
    return (at or 0) * packet.time_base


def _lasting(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags that still hold for the output."""
    return {
        key: value
        for key, value in tags.items()
        if not key.lower().startswith(_STALE) and not key.lower().startswith(_STALE_COUNTS)
    }


def _losses(index: Index, encoder: Encoder, kind: Container) -> list[str]:
    """Say what of the picture itself could not be kept."""
    before, after = layout_of(index.geometry.pix_fmt), layout_of(fed_format(index, encoder))
    words = []
    if before.alpha:
        words.append("transparency is lost")
    if before.pix_fmt != before.read and "yuv444" in before.read and not before.pix_fmt.startswith("yuv"):
        words.append(f"{before.pix_fmt} became {after.pix_fmt}")
    if index.geometry.aspect not in ("", "1") and encoder.codec in _NO_ASPECT and kind.format in ("matroska", "webm"):
        words.append(f"the sample aspect {index.geometry.aspect} is not written")
    if fed_range(index, encoder) != index.geometry.frame_range:
        words.append("full range became limited range")
    if after.bits < before.bits:
        words.append(f"{before.bits} bits became {after.bits}")
    if before.colour and (after.across > before.across or after.down > before.down):
        words.append(f"chroma is stored coarser: {before.pix_fmt} became {after.pix_fmt}")
    return words
