"""Storages that have folders: a file goes up under a temporary name, and is renamed when it is whole."""

from __future__ import annotations

import errno
import uuid
from abc import abstractmethod
from contextlib import suppress
from typing import Any, BinaryIO, Final

from pipeline.ground.storage import Origin, Taken, tried
from pipeline.ground.storages import information
from pipeline.ground.uploads.way import Body, Stood, Way, opened

_NOT_WHOLE: Final = "it does not arrive whole"


class Renaming(Way):
    """What SFTP and WebDAV do alike; each says how it makes, sends, renames and removes. `fs` is fsspec's."""

    @abstractmethod
    def _make(self, fs: Any, folder: str) -> None:
        """Make a folder and those above it; one that is there does no harm."""

    @abstractmethod
    def _send(self, fs: Any, file: BinaryIO, part: str, size: int) -> int:
        """Write a file of this name anew; return the size that it has there."""

    @abstractmethod
    def _rename(self, fs: Any, old: str, new: str, *, replacing: bool) -> None:
        """Rename a file; raises `Taken` where something has that name and is not to be replaced."""

    @abstractmethod
    def _drop(self, fs: Any, path: str) -> None:
        """Remove a file."""

    def look(self, at: Origin) -> Stood | None:
        """See `uploads.look`."""
        try:
            info = tried(at, lambda fs: fs.info(at.inner))
        except FileNotFoundError:
            return None
        if info.get("type") == "directory":
            raise IsADirectoryError(errno.EISDIR, "a folder is in the way")
        return Stood(*information(info), str(info.get("ETag") or info.get("etag") or ""))

    def carry(self, body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
        """See `uploads.carry`."""
        tried(to, lambda fs: self._put(fs, body, to, tmp, replacing=over is not None))
        return ""

    def _put(self, fs: Any, body: Body, to: Origin, tmp: Origin, *, replacing: bool) -> None:
        part = f"{tmp.inner}/{uuid.uuid4().hex}.part"
        for folder in (tmp, to.parent):
            self._make(fs, folder.inner)
        try:
            with opened(body) as (file, size):
                if self._send(fs, file, part, size) != size:
                    raise OSError(errno.EIO, _NOT_WHOLE)
            self._rename(fs, part, to.inner, replacing=replacing)
        finally:
            with suppress(Exception):
                self._drop(fs, part)

    def remove(self, at: Origin) -> None:
        """See `uploads.remove`."""
        if self.look(at) is not None:  # a WebDAV server removes folders, with all that is in them, as gladly
            tried(at, lambda fs: self._drop(fs, at.inner))

    def rename(self, old: Origin, new: Origin) -> None:
        """See `uploads.rename`."""
        if self.look(new) is not None:
            raise Taken

        def moved(fs: Any) -> None:
            self._make(fs, new.parent.inner)
            self._rename(fs, old.inner, new.inner, replacing=False)

        tried(old, moved)

    def sweep(self, tmp: Origin) -> None:
        """See `uploads.sweep`."""
        with suppress(FileNotFoundError):
            for each in tried(tmp, lambda fs: fs.ls(tmp.inner, detail=True)):
                name = str(each["name"]).rstrip("/").rpartition("/")[2]
                if name.endswith(".part"):
                    self.remove(tmp / name)
