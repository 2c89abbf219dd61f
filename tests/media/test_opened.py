"""A source's disk is heard, whatever a decoder makes of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.ground.opened import opened, status_of


def test_a_disk_that_fails_while_a_file_is_looked_at_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next decoder would be asked, and the same picture come out otherwise (found by a fault at each call)."""
    (tmp_path / "a.tif").write_bytes(b"II*\0")

    def failing(descriptor: int) -> os.stat_result:
        raise OSError(errno.EIO, "input/output error")

    with pytest.raises(OSError, match="input/output error"):
        _looked_at(tmp_path / "a.tif", monkeypatch, failing)


def _looked_at(path: Path, monkeypatch: pytest.MonkeyPatch, fstat: Callable[[int], os.stat_result]) -> None:
    with opened(path) as file, monkeypatch.context() as patched, suppress(OSError):  # as decoders do
        patched.setattr(os, "fstat", fstat)
        status_of(file)
