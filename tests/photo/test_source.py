"""A fault of the disk while a decoder reads is the disk's, not the picture's."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from pipeline.ground import opened
from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.directories import compression
from pipeline.media.photo.metadata import gather
from pipeline.media.photo.pages import has_several_pages, pages
from pipeline.media.photo.read import read
from tests.photo.mutations import COMPRESSED, PLAIN

KINDS = ("JPEG", "PNG", "TIFF, LZW", "TIFF, JPEG", "TIFF", "WebP", "JPEG 2000", "GIF", "BMP", "TIFF of pages")


class _Failing(opened._Source):
    """A file whose n-th read fails, once."""

    left = 0

    def readinto(self, buffer: object, /) -> int:
        return self._tried(lambda: io.FileIO.readinto(self, buffer))  # type: ignore[arg-type]

    def readall(self) -> bytes:
        return self._tried(lambda: io.FileIO.readall(self))

    def _tried(self, do):  # type: ignore[no-untyped-def]
        type(self).left -= 1
        if type(self).left == 0:
            self.fault = OSError(errno.EIO, "Input/output error")
            raise self.fault
        return do()


@pytest.fixture(params=KINDS)
def picture(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "a"
    path.write_bytes({**COMPRESSED, **PLAIN}[request.param])
    monkeypatch.setattr(opened, "_Source", _Failing)
    return path


def reads(do) -> int:  # type: ignore[no-untyped-def]
    _Failing.left = 1 << 30
    do()
    return (1 << 30) - _Failing.left


def test_read_says_so_at_every_read(picture: Path) -> None:
    for nth in range(1, reads(lambda: read(picture, max_megapixels=1)) + 1):
        _Failing.left = nth
        with pytest.raises(ItemError, match="cannot be read: input/output error") as caught:
            read(picture, max_megapixels=1)
        assert caught.value.cause is Cause.SYSTEM


@pytest.mark.parametrize("what", [gather, compression, has_several_pages])
def test_no_metadata_are_lost_in_silence(picture: Path, what) -> None:  # type: ignore[no-untyped-def]
    for nth in range(1, reads(lambda: what(picture)) + 1):
        _Failing.left = nth
        with pytest.raises(OSError, match="Input/output error"):
            what(picture)


def test_pages_are_not_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(PLAIN["TIFF of pages"])
    monkeypatch.setattr(opened, "_Source", _Failing)
    for nth in range(1, reads(lambda: pages(path)) + 1):
        _Failing.left = nth
        with pytest.raises(OSError, match="Input/output error"):
            pages(path)
