"""What the C libraries print behind Python's back, kept from the user's terminal and kept for us."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO


@dataclass
class Said:
    """What was printed to file descriptor 2; complete once the context is left."""

    text: str = ""


def _scratch() -> BinaryIO:
    # In memory where the system can: a full or missing /tmp is no fault of the picture.
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("colorize-stderr"), "w+b")
    return tempfile.TemporaryFile()


@contextlib.contextmanager
def captured_stderr() -> Iterator[Said]:
    """Catch what C code writes to standard error.

    libjpeg, libpng and libtiff inside OpenCV report damage nowhere else. File descriptor 2 belongs to the whole
    process: callers hold a lock, and the time inside is one decode.
    """
    said = Said()
    try:
        saved = os.dup(2)
    except OSError:  # a daemon without standard error has nothing to protect
        yield said
        return
    with _scratch() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            said.text = caught.read(65536).decode(errors="replace")
