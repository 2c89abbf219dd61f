"""Sound that a container cannot hold as it is: decoded, and packed again without loss."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

_LOSSLESS: Final = ("flac", "alac")
_IN_MOV: Final = ("alac",)  # FFmpeg names FLAC among MOV's codecs, and refuses to write it
# Decoders' formats of more than 16 bits, if only in whole numbers: what comes in floats is a lossy codec's, or louder
# than any sample.
_DEEP: Final = ("s32", "s32p")
_MOST_CHANNELS: Final = 8
# Where a film says how many there are, and not which.
_USUAL: Final = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
# Seconds by which times may be off without a gap in the sound: containers round them.
_JITTER: Final = 0.1


@functools.cache
def held(format: str) -> frozenset[str]:
    """Return FFmpeg's names of the codecs that a format holds, as `Codec.canonical_name` has them."""
    found = set()
    for name in av.open(io.BytesIO(), "w", format).supported_codecs:
        for mode in ("r", "w"):
            try:
                found.add(Codec(name, mode).canonical_name)
            except UnknownCodecError:
                continue
    return frozenset(found)


def packed(format: str, codec: str) -> str:
    """Return the lossless codec in which a format holds a sound that it cannot hold as it is; empty: in none."""
    try:
        Codec(codec, "r")
    except UnknownCodecError:
        return ""
    return next((each for each in (_IN_MOV if format == "mov" else _LOSSLESS) if each in held(format)), "")


class Repacked:
    """A sound track that is decoded, and packed again."""

    def __init__(self, track: AudioStream, out: OutputContainer, codec: str) -> None:
        """Add the track to an output.

        Raises:
            ValueError: it has no samples that can be packed.
        """
        source = track.codec_context
        if not source.sample_rate or not 0 < source.layout.nb_channels <= _MOST_CHANNELS:
            raise ValueError("not known enough to be packed")
        channels = source.layout.nb_channels
        layout: Any = source.layout.name if "channels" not in source.layout.name else _USUAL[channels]
        stream = out.add_stream(codec, rate=source.sample_rate, layout=layout)
        assert isinstance(stream, AudioStream)
        offered = [each.name for each in Codec(codec, "w").audio_formats or ()]
        wished = ("s32", "s32p") if source.format.name in _DEEP else ("s16", "s16p")
        stream.codec_context.format = next(each for each in wished if each in offered)
        self.stream = stream
        self.lost = 0
        self._track = track
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        self._next: int | None = None

    def packets(self, packet: Packet[Any] | None) -> Iterator[Packet[AudioStream]]:
        """Yield what becomes of a packet of the track; None: there are no more."""
        try:
            frames = self._track.codec_context.decode(packet)
        except FFmpegError:
            self.lost += packet is not None
            frames = []
        for frame in frames:
            for each in self._alike(frame):
                yield from self._encoded(self._timed(each))
        if packet is None:
            for each in self._resampler.resample(None) if self._resampler else ():
                yield from self._encoded(self._timed(each))
            yield from self._encoded(None)

    def _timed(self, frame: AudioFrame) -> AudioFrame:
        """Count a frame's time in samples, so that one follows the other where there is no gap between them."""
        rate = self.stream.codec_context.sample_rate
        follows = self._next or 0
        at = follows if frame.pts is None or frame.time_base is None else round(frame.pts * frame.time_base * rate)
        if self._next is not None and at < follows + _JITTER * rate:
            at = follows
        frame.pts, frame.time_base = at, Fraction(1, rate)
        self._next = at + frame.samples
        return frame

    def _alike(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """Yield the samples in the one form in which they are packed; a track may change its own in the middle."""
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind != self._kind:
            if self._resampler is not None:
                yield from self._resampler.resample(None)
            context = self.stream.codec_context
            self._resampler = AudioResampler(context.format, context.layout, context.sample_rate)
            self._kind = kind
        assert self._resampler is not None
        yield from self._resampler.resample(frame)

    def _encoded(self, frame: AudioFrame | None) -> Iterator[Packet[AudioStream]]:
        for packet in self.stream.encode(frame):
            packet.stream = self.stream
            yield packet
