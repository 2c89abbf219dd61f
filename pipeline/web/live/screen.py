"""What the page shows: the newest coloured frame, and how fast and how late it is."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np

from pipeline.web.live.frame import Pixels

_QUALITY: Final = 85
_LATELY: Final = 2.0  # seconds that figures are taken over


@dataclass(frozen=True, slots=True)
class Figures:
    """How well it keeps pace.

    Attributes:
        rate: frames shown a second, lately.
        latency: milliseconds from a frame's coming to its being shown, the mean of lately.
        behind: frames of the source that had come since the one that is shown came.
        shown, dropped: frames so far.
        slowest: the most that `behind` ever was.
    """

    rate: float = 0.0
    latency: float = 0.0
    behind: int = 0
    shown: int = 0
    dropped: int = 0
    slowest: int = 0


@dataclass(slots=True)
class Pace:
    """Keeps the figures."""

    figures: Figures = Figures()
    _times: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, arrived: float, behind: int, dropped: int) -> Figures:
        """Count a frame that is shown now."""
        now = time.monotonic()
        self._times.append((now, now - arrived))
        while self._times[0][0] < now - _LATELY:
            self._times.popleft()
        span = now - self._times[0][0]
        rate = (len(self._times) - 1) / span if span > 0 else 0.0
        latency = sum(late for _, late in self._times) / len(self._times) * 1000
        before = self.figures
        self.figures = Figures(rate, latency, behind, before.shown + 1, dropped, max(before.slowest, behind))
        return self.figures


class Shown:
    """One frame for the page: encoded once, and only when a page asks for it."""

    def __init__(self, number: int, pictures: tuple[Pixels, ...], figures: Figures, title: str) -> None:
        self.number = number
        self._pictures = pictures
        self._figures = figures
        self._title = title
        self._lock = threading.Lock()
        self._body = b""

    def body(self) -> bytes:
        """Return the JSON that the page takes."""
        with self._lock:
            self._body = self._body or json.dumps(self._content()).encode()
            return self._body

    def _content(self) -> dict[str, Any]:
        height, width = self._pictures[0].shape[:2]
        return {
            "number": self.number,
            "title": self._title,
            "rate": round(self._figures.rate, 1),
            "latency": round(self._figures.latency, 1),
            "behind": self._figures.behind,
            "dropped": self._figures.dropped,
            "width": width,
            "height": height,
            "pictures": [_jpeg(each) for each in self._pictures],
        }


def _jpeg(picture: Pixels) -> str:
    data: Any = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1]
    return base64.b64encode(np.asarray(data).tobytes()).decode()


class Screen:
    """Holds what is shown; pages wait here for the next frame."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shown: Shown | None = None
        self.ended = False
        self.watched = False

    def show(self, shown: Shown) -> None:
        """Show a frame in place of the one before."""
        with self._changed:
            self._shown = shown
            self._changed.notify_all()

    def end(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def after(self, number: int, seconds: float) -> Shown | None:
        """Wait for a frame with a higher number; None where none came in time or none will come."""
        with self._changed:
            self.watched = True
            self._changed.wait_for(lambda: self.ended or self._newer(number), seconds)
            return None if self.ended or not self._newer(number) else self._shown

    def _newer(self, number: int) -> bool:
        return self._shown is not None and self._shown.number > number
