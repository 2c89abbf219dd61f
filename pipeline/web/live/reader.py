"""A thread that reads a source at its own speed, so that what is slow behind it drops frames instead of lagging."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pipeline.web.live.frame import Frame
from pipeline.web.live.newest import Newest
from pipeline.web.live.source import Source

_PATIENCE: Final = 2.0  # seconds that a reader is given to let go of its source


@contextmanager
def reading(source: Source, *, fast: bool = False) -> Iterator[Newest]:
    """Read a source in the background for the length of the block.

    Args:
        source: what is read.
        fast: a recording is read as fast as its frames are taken, and none is dropped.
    """
    newest, enough = Newest(), threading.Event()
    thread = threading.Thread(target=_read, args=(source, newest, enough, fast), name="reader", daemon=True)
    thread.start()
    try:
        yield newest
    finally:
        enough.set()
        newest.end(newest.error)
        thread.join(_PATIENCE)


def _read(source: Source, newest: Newest, enough: threading.Event, fast: bool) -> None:
    begun: float | None = None
    try:
        for number, (at, picture) in enumerate(source.pictures()):
            now = time.monotonic()
            begun = now if begun is None else begun
            if at is not None and not fast:
                enough.wait(max(0.0, begun + at - now))
            if enough.is_set():
                return
            arrived = time.monotonic()
            frame = Frame(number, arrived - begun if at is None else at, arrived, picture)
            newest.put(frame, wait=fast and at is not None)
    except Exception as error:  # said by the thread that takes the frames
        newest.end(error)
    else:
        newest.end()
