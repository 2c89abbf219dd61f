"""A camera of this machine, by OpenCV, which needs no extra for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from pipeline.ground.errors import InputError
from pipeline.web.live.frame import Pixels, working_size


class CameraSource:
    """Implements `Source` for a camera's number or device."""

    def __init__(self, text: str, width: int) -> None:
        self._text = text
        self._width = width
        self.name = f"camera {text}" if text.isdigit() else text

    def pictures(self) -> Iterator[tuple[float | None, Pixels]]:
        """See `Source.pictures`."""
        self._check()
        with _opened(int(self._text) if self._text.isdigit() else self._text) as capture:
            if not capture.isOpened():
                raise InputError(f"There is no {self.name} here, or another program has it.")
            size: tuple[int, int] | None = None
            while True:
                there, picture = capture.read()
                if not there and size is None:
                    raise InputError(f"The {self.name} gives no picture.")
                if not there:
                    return
                size = size or working_size(picture.shape[1], picture.shape[0], self._width)
                yield None, cv2.resize(picture, size, interpolation=cv2.INTER_AREA)

    def _check(self) -> None:
        # OpenCV looks for as long as a second, and prints its own warnings.
        device = Path(f"/dev/video{self._text}") if self._text.isdigit() else Path(self._text)
        if sys.platform == "linux" and not device.exists():
            raise InputError(f"There is no {self.name} here ({device} is missing).")
        if sys.platform == "linux" and not os.access(device, os.R_OK | os.W_OK):
            raise InputError(f"The {self.name} cannot be opened: no permission for {device}.")


@contextmanager
def _opened(which: int | str) -> Iterator[Any]:
    capture = cv2.VideoCapture(which)
    try:
        # As few as can be wait in the driver: the newest is wanted. Not every driver listens.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        yield capture
    finally:
        capture.release()
