"""A source, open to read: what the disk says is heard, even where a decoder takes it for damage of the picture."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.ground.storage import Origin, Reading


class _Source(io.FileIO):
    """A file that remembers the fault that the system met in it.

    It gives out no descriptor: libtiff would map it into memory, and where the disk of a mapping is lost the process
    ends instead of the reading.
    """

    fault: OSError | None = None

    def readinto(self, buffer: Any, /) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            self.fault = error
            raise

    def read(self, size: int | None = -1, /) -> Any:
        try:
            return super().read(-1 if size is None else size)
        except OSError as error:
            self.fault = error
            raise

    def readall(self) -> Any:
        try:
            return super().readall()
        except OSError as error:
            self.fault = error
            raise

    def fileno(self) -> int:
        raise io.UnsupportedOperation("a source gives out no descriptor")


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader[Any]]:
    """Open a file for the length of the block.

    Raises:
        OSError: it cannot be opened; or the system failed while it was read, whatever the block made of that.
    """
    raw: Any = Reading(path) if isinstance(path, Origin) else _Source(path)
    with io.BufferedReader(raw) as file:
        try:
            yield file
        except Exception:
            if raw.fault is None:
                raise
        if raw.fault is not None:
            raise raw.fault


def status_of(file: io.BufferedReader) -> os.stat_result:
    """Return what the system says of an open file, also of one that gives out no descriptor; a fault is heard."""
    raw: Any = file.raw
    try:
        if isinstance(raw, Reading):
            return raw.origin.stat()
        return os.fstat(io.FileIO.fileno(raw))
    except OSError as error:
        if isinstance(raw, _Source | Reading):
            raw.fault = error
        raise


def size_of(file: io.BufferedReader) -> int:
    """Return the bytes of an open file, which stays where it is."""
    at = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(at)
    return size
