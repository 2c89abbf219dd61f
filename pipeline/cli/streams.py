"""Standard streams that outlive their other end: a night's work does not end because nobody reads along any more."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from pipeline.ground.errors import OutputError
from pipeline.ground.files import words

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Lasting(io.FileIO):
    """A stream whose reader may go away (`colorize run | head -1`, a terminal that was closed)."""

    _said = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what can be written; what nobody is there to read counts as written."""
        try:
            return super().write(data)
        except OSError as error:
            if self.fileno() != 2 and error.errno != errno.EPIPE and not self._said:
                self._said = True  # Python flushes once more at its end
                raise OutputError(f"Standard output cannot be written: {words(error)}.") from None
            return memoryview(data).nbytes


def speak_utf8() -> None:
    """Begin anew in Python's UTF-8 mode, where the locale spells names of files in another way.

    The journal has names as UTF-8. Under an old locale the same bytes would be other letters, or none at all: what one
    night has made the next would not know again. The terminal keeps its own encoding.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1" or not sys.executable:
        return
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    environment = {"PYTHONIOENCODING": f"{encoding}:backslashreplace", **os.environ, "PYTHONUTF8": "1"}
    with contextlib.suppress(OSError):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


_CLOSED: set[int] = set()  # what was closed when the program began


def is_closed(number: int) -> bool:
    """Tell whether a standard stream was closed when the program began: what is written there is lost."""
    return number in _CLOSED


def make_streams_last() -> None:
    """Let writing to standard error never fail, nor writing to a standard output that nobody reads.

    A file name need not be valid in the terminal's encoding: it is escaped. Where a stream was closed (`2>&-`), the
    null device takes its place, before some other file gets its number and the messages of C libraries with it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _CLOSED.add(number)
            with contextlib.suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _lasting(sys.stdout, 1)
    sys.stderr = _lasting(sys.stderr, 2)


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    encoding = "utf-8"
    if stream is not None:
        try:
            if stream.fileno() != number:
                return stream
        except (OSError, AttributeError):  # a test's, or another program's, that is no file
            return stream
        encoding = stream.encoding or encoding
    buffer = io.BufferedWriter(_Lasting(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=number == 2)
