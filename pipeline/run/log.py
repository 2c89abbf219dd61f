"""A run's log file: a line for each item and each event, as text or as JSON, with the time.

What is wrong with the log is said once, and no picture is lost by it: the run goes on without.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Final

from pipeline.archive.spelling import printable
from pipeline.ground.errors import OutputError
from pipeline.ground.files import words
from pipeline.run.facts import facts, sentence
from pipeline.run.voice import Broken, Ended, Event

# What a log of ours begins with.
_OURS: Final = re.compile(rb"\d{4}-\d\d-\d\dT|\{\"time\": ")


def check_log(path: Path) -> None:
    """Refuse to write behind what is no log: a mistyped name may be that of an original.

    Raises:
        OutputError: it is there, and something else.
    """
    if not path.is_file():  # not there, or a device
        return
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError:
        return  # said when it is to be written
    if head and not _OURS.match(head):
        raise OutputError(f"The log file {path} is there and is no log of this program: give another name.")


class Log:
    """A listener (`Voice.listeners`) that writes a file, opened at the first event, and anew where it was rotated."""

    def __init__(self, path: Path, form: str, warn: Callable[[str], None]) -> None:
        """Take a path, "text" or "json", and who is told, once, that the log cannot be written."""
        self._handler = _Handler(path, warn)
        self._handler.setFormatter(_Json() if form == "json" else _Text())

    def __call__(self, event: Event) -> None:
        """Write an event."""
        record = logging.LogRecord("colorize", _level(event), "", 0, "%s", (sentence(event),), None)
        record.event = event
        self._handler.handle(record)

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # of what could not be written
            self._handler.close()


def _level(event: Event) -> int:
    if isinstance(event, Broken):
        return logging.ERROR
    return logging.WARNING if isinstance(event, Ended) and event.problem else logging.INFO


class _Handler(WatchedFileHandler):
    """Says once what is wrong, and tries again with each line: a full disk may be emptied."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        super().__init__(path, encoding="utf-8", delay=True, errors="backslashreplace")
        self._path, self._warn, self._said = path, warn, False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError as error:  # of opening it; what writing raises comes by `handleError`
            self._complain(error)

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=_at_once)

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            raise
        self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            self._warn(f"The log file {self._path} cannot be written: {words(error)}. The run goes on without it.")


def _at_once(path: str, flags: int) -> int:
    """Open a file; a named pipe that nobody reads, or reads no more, is an error instead of the end of the night."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def stamp(seconds: float) -> str:
    """Return a time as a log spells it: UTC, ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(f"{stamp(record.created)} {record.levelname} {record.getMessage()}")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        head = {"time": stamp(record.created), "level": record.levelname.lower()}
        return json.dumps(head | facts(record.event))  # type: ignore[attr-defined]
