"""The newest frame, and no other: between the thread that reads and the one that colours."""

from __future__ import annotations

import threading

from pipeline.web.live.frame import Frame


class Newest:
    """Holds one frame; a newer one takes its place, so that nothing ever lags behind."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False
        self.error: Exception | None = None
        self.given = 0
        self.dropped = 0

    @property
    def ended(self) -> bool:
        """Whether nothing is there and nothing will come."""
        with self._changed:
            return self._ended and self._frame is None

    def put(self, frame: Frame, *, wait: bool = False) -> None:
        """Take the place of what is there; with `wait`, wait until it was taken instead."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._frame is None or self._ended)
            if self._ended:
                return
            self.dropped += self._frame is not None
            self._frame = frame
            self.given = frame.number + 1
            self._changed.notify_all()

    def take(self, seconds: float) -> Frame | None:
        """Return the newest frame once; None where none came in time or none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, seconds)
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    def end(self, error: Exception | None = None) -> None:
        """Say that nothing more will come, and why."""
        with self._changed:
            self._ended = True
            self.error = error
            self._changed.notify_all()
