"""WebDAV: MOVE, with `Overwrite: F` where nothing may have the name."""

from __future__ import annotations

import errno
from typing import Any, BinaryIO

from pipeline.ground.storage import Taken
from pipeline.ground.uploads.parts import Renaming


class WebDav(Renaming):
    """By webdav4."""

    def _make(self, fs: Any, folder: str) -> None:
        try:
            found = fs.info(folder)
        except FileNotFoundError:
            fs.makedirs(folder, exist_ok=True)
        else:
            if found["type"] != "directory":
                raise NotADirectoryError(errno.ENOTDIR, "a file is in the way")

    def _send(self, fs: Any, file: BinaryIO, part: str, size: int) -> int:
        from webdav4.fsspec import translate_exceptions

        with translate_exceptions():
            fs.client.upload_fileobj(file, part, overwrite=True, size=size)
            return int(fs.client.content_length(part) or 0)

    def _rename(self, fs: Any, old: str, new: str, *, replacing: bool) -> None:
        from webdav4.client import ResourceAlreadyExists
        from webdav4.fsspec import translate_exceptions

        try:
            with translate_exceptions():
                fs.client.move(old, new, overwrite=replacing)
        except ResourceAlreadyExists:
            raise Taken from None

    def _drop(self, fs: Any, path: str) -> None:
        fs.rm_file(path)
