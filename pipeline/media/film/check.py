"""The last look at a finished film: whole, in time, and decodable from start to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.ground.errors import ItemError
from pipeline.media.film.index import Index
from pipeline.media.film.scan import stamp
from pipeline.media.film.source import Faults, decoded, moving_picture, open_film


def check(output: Path, index: Index, shift: int) -> None:
    """Decode a finished film, and compare its frames and times with the source's.

    Args:
        output: the finished film.
        index: scan of the source.
        shift: subtracted from the source's times, in its time base.

    Raises:
        ItemError: frames are missing, times are off by more than a tick, or something does not decode.
    """
    faults = Faults()
    size = index.geometry.width, index.geometry.height
    times = []
    with open_film(output) as container:
        stream = moving_picture(container)
        unit = stream.time_base
        assert unit is not None
        for frame in decoded(container, stream, faults):
            if (frame.width, frame.height) != size:
                raise ItemError(f"the finished film is {frame.width} x {frame.height}, not {size[0]} x {size[1]}")
            if frame.is_corrupt:
                faults.count += 1
            times.append(stamp(frame))
    if faults.count:
        raise ItemError(f"the finished film does not decode: {faults.count} faults")
    if len(times) != index.frames:
        raise ItemError(f"the finished film holds {len(times)} frames, and the source {index.frames}")
    if None in times:
        raise ItemError("the finished film lacks times")
    written = np.array(times, np.int64)
    if len(written) > 1 and int(np.diff(written).min()) <= 0:
        raise ItemError("the finished film's times do not ascend")
    wanted = (index.timestamps - shift) * float(index.time_base)
    off = np.abs(written * float(unit) - wanted)
    if float(off.max()) > float(unit) + 1e-6:
        raise ItemError(f"the finished film's times are off by {float(off.max()):.4f} s")
