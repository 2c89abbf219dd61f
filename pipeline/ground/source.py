"""A source, opened so that a fault of the disk is never taken for damage of the picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast


class _Remembering(io.FileIO):
    """Keeps the first error of the system. It shows no descriptor: what C code reads by itself, it meets alone."""

    fault: OSError | None = None

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")

    def readinto(self, buffer: Any, /) -> int:
        try:
            return super().readinto(buffer)
        except OSError as error:
            self.fault = self.fault or error
            raise

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            self.fault = self.fault or error
            raise


@contextmanager
def reading(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file to read.

    Decoders and parsers take an error of the system for the end of the file, or for damage, and go on; so it is raised
    at the end of the block, whatever they made of it.

    Raises:
        OSError: the file cannot be opened, or could not be read at some moment inside the block.
    """
    raw = _Remembering(path)
    with cast(io.BufferedReader, io.BufferedReader(raw)) as file:
        try:
            yield file
        except Exception:
            if raw.fault is not None:
                raise raw.fault from None
            raise
        if raw.fault is not None:
            raise raw.fault
