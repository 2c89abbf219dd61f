"""SFTP: `posix-rename` replaces, `rename` takes no name that something has."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from typing import Any, BinaryIO

from pipeline.ground.storage import Origin, Taken, tried
from pipeline.ground.uploads.parts import Renaming


class Sftp(Renaming):
    """By paramiko."""

    def _make(self, fs: Any, folder: str) -> None:
        try:
            found = fs.ftp.stat(folder)
        except FileNotFoundError:
            self._make(fs, folder.rpartition("/")[0] or "/")
            try:
                fs.ftp.mkdir(folder)
            except OSError:
                fs.ftp.stat(folder)  # another worker was faster
        else:
            if not stat.S_ISDIR(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "a file is in the way")

    def _send(self, fs: Any, file: BinaryIO, part: str, size: int) -> int:
        fs.ftp.putfo(file, part, file_size=size, confirm=False)
        return int(fs.ftp.stat(part).st_size)

    def _rename(self, fs: Any, old: str, new: str, *, replacing: bool) -> None:
        if replacing:
            fs.ftp.posix_rename(old, new)
            return
        try:
            fs.ftp.rename(old, new)
        except OSError:
            with suppress(FileNotFoundError):
                fs.ftp.lstat(new)
                raise Taken from None
            raise

    def _drop(self, fs: Any, path: str) -> None:
        fs.ftp.remove(path)

    def remove_empty(self, folder: Origin) -> None:
        """See `uploads.remove_empty`."""
        tried(folder, lambda fs: fs.ftp.rmdir(folder.inner))
