"""Reading a stretch of a film again, and making sure that it is the same stretch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.ground.errors import ItemError
from pipeline.media.film.index import Index
from pipeline.media.film.planes import layout_of, luma_of
from pipeline.media.film.scan import checksum, stamp
from pipeline.media.film.source import decoded, moving_picture, open_film

# Seconds before the first frame that a seek aims at; None: no seek, from the film's beginning. Containers lie about
# where a seek ends, and some decoders need a run-up.
_RUN_UPS: Final = (0.0, 1.0, 5.0, None)


def frames_of(source: Path, index: Index, wanted: range) -> Iterator[tuple[int, VideoFrame]]:
    """Decode the frames `wanted`, each checked against the index.

    Yields:
        Number and frame, in order, each exactly once.

    Raises:
        ItemError: the film is no longer what was scanned, or does not decode twice alike.
    """
    for run in index.runs(wanted):
        yield from _run(source, index, run)


def _run(source: Path, index: Index, wanted: range) -> Iterator[tuple[int, VideoFrame]]:
    layout = layout_of(index.geometry.pix_fmt)
    following = wanted.start
    for run_up in (None,) if index.ahead(wanted.start) == 0 else _RUN_UPS:
        with open_film(source) as container:
            stream = moving_picture(container)
            for number, frame in _from(container, stream, index, following, run_up):
                if checksum(luma_of(frame, layout)) != int(index.checksums[number]):
                    break
                yield number, frame
                following = number + 1
                if following >= wanted.stop:
                    return
    raise ItemError("the film has changed since it was scanned, or does not decode twice alike")


def _from(
    container: InputContainer, stream: VideoStream, index: Index, first: int, run_up: float | None
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield frames from number `first` on, as well as they are found; ends where they are not."""
    ahead = index.ahead(first)
    if run_up is None and ahead >= 0:
        counted = enumerate(decoded(container, stream), first - ahead)
        yield from ((number, each) for number, each in counted if number >= first)
        return
    if run_up is not None and not moved(container, stream, int(index.timestamps[first]), run_up):
        return
    number = -1
    for frame in decoded(container, stream):
        at = stamp(frame, by_dts=index.by_dts)
        if number < 0:
            if at is None or at > index.timestamps[first]:
                return
            if at < index.timestamps[first]:
                continue
            number = first
        yield number, frame
        number += 1
        if number >= index.frames:
            return


def moved(container: InputContainer, stream: VideoStream, to: int, run_up: float) -> bool:
    """Seek to some seconds before a time; False where the container cannot."""
    # x264 writes its version into the first packet alone, and the decoder mends that version's faults.
    next(decoded(container, stream), None)
    try:
        container.seek(to - round(run_up / (stream.time_base or 1)), stream=stream)
    except (FFmpegError, OverflowError):
        return False
    return True
