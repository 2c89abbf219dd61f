"""The whole of `colorize live`: a source is read, coloured, shown on a page, and kept where that is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2

from pipeline.web.live.frame import Frame
from pipeline.web.live.keys import listening
from pipeline.web.live.newest import Newest
from pipeline.web.live.painter import Painter
from pipeline.web.live.reader import reading
from pipeline.web.live.screen import Figures, Pace, Screen, Shown
from pipeline.web.live.server import serving
from pipeline.web.live.source import Source

if TYPE_CHECKING:
    from pipeline.web.live.save import Recorder

_GLANCE: Final = 0.1  # seconds after which it is looked whether to stop


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is served.

    Attributes:
        host: address that is listened at.
        port: 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: int = 8765


class Show:
    """One call of `colorize live`."""

    def __init__(self, source: Source, painter: Painter, recorder: Recorder | None = None, *, fast: bool = False):
        self._source = source
        self._painter = painter
        self._recorder = recorder
        self._fast = fast
        self._quit = threading.Event()
        self._screen = Screen()
        self._pace = Pace()

    def run(self, address: Address, announce: Callable[[str], None], stopped: Callable[[], bool]) -> Figures:
        """Show the source until it ends, somebody presses `q`, or `stopped` says so.

        Args:
            address: where the page is served.
            announce: told the page's address, once there is something to see.
            stopped: asked ten times a second.

        Raises:
            InputError: the source is not there, does not answer, or broke off; what came before is kept.
            OutputError: the port is taken, or the film cannot be written.
            ModelError: the net failed.
        """
        cv2.setNumThreads(1)  # the net and the reader have their threads; one more for each strip only crowds them
        kept: AbstractContextManager[object] = self._recorder or nullcontext()
        with (
            serving(address.host, address.port, self._screen, self._quit.set) as url,
            listening(self._quit.set),
            reading(self._source, fast=self._fast) as newest,
            kept,
        ):
            self._loop(newest, lambda: announce(url), stopped)
        if newest.error is not None:
            raise newest.error
        return self._pace.figures

    def _loop(self, newest: Newest, announce: Callable[[], None], stopped: Callable[[], bool]) -> None:
        while not (newest.ended or self._quit.is_set() or stopped()):
            frame = newest.take(_GLANCE)
            if frame is None:
                continue
            self._show(frame, newest)
            if self._pace.figures.shown == 1:
                announce()

    def _show(self, frame: Frame, newest: Newest) -> None:
        grey, coloured = self._painter.paint(frame.picture)
        figures = self._pace.add(frame.arrived, newest.given - 1 - frame.number, newest.dropped)
        self._screen.show(Shown(frame.number, (frame.picture, grey, coloured), figures, self._source.name))
        if self._recorder is not None:
            self._recorder.add(frame, coloured)
