"""The last looks at a coloured film: each part decodes from start to end, and the finished film holds them, in time.

A part is decoded by the worker that has made it, so all workers share that; the finished film then has to hold the very
packets that were decoded.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.ground.errors import ItemError
from pipeline.media.film.index import Index
from pipeline.media.film.scan import stamp
from pipeline.media.film.source import Faults, decoded, moving_picture, open_film


class Written:
    """Checksums of the packets of a picture, in decoding order, as they go by: four bytes each."""

    def __init__(self) -> None:
        self.checksums = array("I")

    def noted(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Yield packets, and note them."""
        for packet in packets:
            self.checksums.append(zlib.crc32(packet))
            yield packet


def check_part(part: Path, index: Index, frames: int) -> None:
    """Decode a part as it lies on the disk, from start to end.

    Args:
        part: as it was written.
        index: at the size that is written.
        frames: that it has to hold.

    Raises:
        ItemError: frames are missing, or something does not decode.
    """
    try:
        with av.open(str(part)) as container:
            shown = sum(1 for _ in _shown(container, index, "a part of the film"))
    except FFmpegError as error:
        raise ItemError(f"a part of the film cannot be read back: {error.strerror or error}") from None
    if shown != frames:
        raise ItemError(f"a part of the film holds {shown} frames, not {frames}")


def check(output: Path, index: Index, shift: int, written: Written) -> None:
    """Compare a finished film with its source's frames and times, and its packets with those of the parts.

    Where a container keeps packets otherwise than it was given them, the film is decoded from start to end instead.

    Args:
        output: the finished film.
        index: scan of the source, at the size that is written.
        shift: subtracted from the source's times, in its time base.
        written: packets of parts that were decoded.

    Raises:
        ItemError: frames are missing, times are off by more than a tick, or something does not decode.
    """
    with open_film(output) as container:
        next(_shown(container, index, "the finished film"), None)  # its header opens the decoder
    with open_film(output) as container:
        unit = moving_picture(container).time_base
        assert unit is not None
        times = _of_the_same_packets(container, written)
    if times is None:
        with open_film(output) as container:
            times = [stamp(frame) for frame in _shown(container, index, "the finished film")]
    _compare(times, index, shift, float(unit))


def _of_the_same_packets(container: InputContainer, written: Written) -> list[int | None] | None:
    """Return the times of a film's frames, in order, where its packets are those that were written; else None."""
    checksums, times = array("I"), list[int | None]()
    for packet in container.demux(moving_picture(container)):
        if packet.size:
            checksums.append(zlib.crc32(packet))
            if not packet.is_discard:
                times.append(packet.pts)
    if checksums != written.checksums:
        return None
    return sorted(times, key=lambda time: -1 << 63 if time is None else time)


def _shown(container: InputContainer, index: Index, what: str) -> Iterator[VideoFrame]:
    """Decode a film of ours; yield its frames, each as large as it should be, and none of them damaged."""
    faults = Faults()
    size = index.geometry.width, index.geometry.height
    for frame in decoded(container, moving_picture(container), faults):
        if (frame.width, frame.height) != size:
            raise ItemError(f"{what} is {frame.width} x {frame.height}, not {size[0]} x {size[1]}")
        faults.count += frame.is_corrupt
        yield frame
    if faults.count:
        raise ItemError(f"{what} does not decode: {faults.count} faults")


def _compare(times: list[int | None], index: Index, shift: int, unit: float) -> None:
    if len(times) != index.frames:
        raise ItemError(f"the finished film holds {len(times)} frames, and the source {index.frames}")
    if None in times:
        raise ItemError("the finished film lacks times")
    written = np.array(times, np.int64)
    if len(written) > 1 and int(np.diff(written).min()) <= 0:
        raise ItemError("the finished film's times do not ascend")
    wanted = (index.timestamps - shift) * float(index.time_base)
    off = np.abs(written * unit - wanted)
    if float(off.max()) > unit + 1e-6:
        raise ItemError(f"the finished film's times are off by {float(off.max()):.4f} s")
