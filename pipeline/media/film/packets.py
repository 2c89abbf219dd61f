"""The coloured picture's packets, from the parts, with the film's own times put back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.ground.errors import ItemError
from pipeline.media.film.index import Index


class DamagedPart(ItemError):
    """A part file that has to be made again."""

    def __init__(self, reason: str, part: Path) -> None:
        """Say what is wrong with the file `part`."""
        super().__init__(reason)
        self.part = part


def numbered(part: Path, index: Index) -> Iterator[tuple[Packet[VideoStream], int]]:
    """Yield a part's packets in decoding order, each with the number of its frame in the part."""
    with av.open(str(part)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                yield packet, round(packet.pts * stream.time_base * index.rate)


def look_through(parts: Sequence[Path], index: Index) -> int:
    """Check that the parts are whole, of one kind, and as many frames as the film; return the reorder depth.

    Raises:
        DamagedPart: one of them has to be made again.
        ItemError: they are not the film's.
    """
    extradata: set[bytes] = set()
    count = depth = 0
    for part in parts:
        try:
            with av.open(str(part)) as container:
                extradata.add(container.streams.video[0].codec_context.extradata or b"")
                if len(extradata) > 1:
                    raise DamagedPart("the parts of the film were encoded in different ways", part)
            numbers = [number for _, number in numbered(part, index)]
        except (FFmpegError, IndexError):
            raise DamagedPart("a part of the film is damaged", part) from None
        if sorted(numbers) != list(range(len(numbers))):
            raise DamagedPart("a part of the film is incomplete", part)
        # The n-th packet is decoded when frame n - depth is shown: it must not come after it is needed.
        depth = max(depth, max((place - number for place, number in enumerate(numbers)), default=0))
        count += len(numbers)
    if count != index.frames:
        raise ItemError(f"the parts hold {count} frames, and the film has {index.frames}")
    return depth


def picture_packets(
    parts: Sequence[Path], index: Index, depth: int, stream: VideoStream, shift: int
) -> Iterator[Packet[VideoStream]]:
    """Yield the whole film's packets for the output's `stream`, `shift` subtracted, in the film's own time base.

    Decoding times are the showing times of `depth` frames before; ahead of the film they go on in even steps.
    """
    times = index.timestamps
    ends = np.append(times[1:], times[-1] + index.last_duration)
    step = max(1, int(np.min(ends - times)))
    place = before = 0
    for part in parts:
        largest = -1
        for packet, number in numbered(part, index):
            largest = max(largest, number)
            frame = before + number
            packet.stream = stream
            packet.time_base = index.time_base
            packet.pts = int(times[frame]) - shift
            early = place - depth
            packet.dts = (int(times[early]) if early >= 0 else int(times[0]) + early * step) - shift
            packet.duration = int(ends[frame] - times[frame])
            place += 1
            if place == len(times) and stream.container.format.name in ("mp4", "mov"):
                # A track's length is counted there from decoding times: the last one decoded has to fill it.
                early = int(times[0]) - depth * step - shift
                packet.duration = max(1, int(ends[-1] - times[0]) + early - packet.dts)
            yield packet
        before += largest + 1


class Peekable:
    """An iterator of packets whose next decoding time, in seconds, can be asked for."""

    def __init__(self, packets: Iterator[Packet[VideoStream]]) -> None:
        self._packets = packets
        self._held: deque[Packet[VideoStream]] = deque()

    def until(self, seconds: float) -> Iterator[Packet[VideoStream]]:
        """Yield the packets that are decoded up to a time; infinity yields all that is left."""
        while True:
            packet = self._held.popleft() if self._held else next(self._packets, None)
            if packet is None:
                return
            assert packet.dts is not None
            if packet.dts * packet.time_base > seconds:
                self._held.appendleft(packet)
                return
            yield packet
