"""The gallery's page as it is served: its files, the archive's pictures by their keys, and what is decided."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from pipeline.archive.hinting import decide
from pipeline.archive.journal import Journal
from pipeline.ground import inside
from pipeline.ground.errors import ColorizeError, ItemError
from pipeline.ground.files import words
from pipeline.ground.storage import Origin
from pipeline.web.gallery import pages
from pipeline.web.gallery.items import File, item_of
from pipeline.web.review.preview import Previews
from pipeline.web.review.said import said_of_all
from pipeline.web.site import NOT_HERE, Answer, Request

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}
# What the page shows of the archive itself; everything else is handed over as bytes, to be saved.
_PICTURES: Final = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".jfif": "image/jpeg", ".png": "image/png",
    ".webp": "image/webp", ".gif": "image/gif", ".avif": "image/avif", ".bmp": "image/bmp", ".mp4": "video/mp4",
    ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm", ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
}  # fmt: skip
_BYTES: Final = "application/octet-stream"


class Review:
    """Implements `Site`: one OUTPUT, for as long as it is looked through."""

    command = "colorize review"

    def __init__(self, output: Path, name: str, previews: Previews, refresh: Callable[[], object]) -> None:
        """Take an OUTPUT whose gallery is made.

        Args:
            output: OUTPUT.
            name: of the gallery's folder in it.
            previews: makes them.
            refresh: makes the gallery anew.
        """
        self._output, self._name, self._previews, self._refresh = output, name, previews, refresh
        self.decided = set[str]()
        """Keys of the pictures whose hints were changed."""

    def get(self, request: Request) -> Answer:
        """See `Site`."""
        try:
            path = unquote(request.path.removeprefix("/"), errors="strict")
            if path == "decisions":
                return _json({"pictures": said_of_all(self._output)})
            side, _, key = path.removeprefix("picture/").partition("/")
            if path.startswith("picture/"):
                return self._picture(side, key)
            return self._file(path or "index.html")
        except UnicodeDecodeError:
            return NOT_HERE
        except OSError:
            return NOT_HERE
        except ColorizeError as error:
            return _refused(error)

    def post(self, request: Request) -> Answer:
        """See `Site`."""
        work = {"/decide": self._decide, "/preview": self._preview, "/refresh": self._again}.get(request.path)
        if work is None:
            return NOT_HERE
        try:
            said = json.loads(request.body)
            if not isinstance(said, dict):
                raise ValueError
            return work(said)
        except (ColorizeError, ItemError) as error:
            return _refused(error)
        except OSError as error:
            return _said(HTTPStatus.CONFLICT, f"It cannot be read: {words(error)}.")
        except (ValueError, KeyError, TypeError, RecursionError):
            return _said(HTTPStatus.BAD_REQUEST, "That makes no sense.")

    def _file(self, path: str) -> Answer:
        """Answer a file of the gallery's folder; no link is followed, and no name leads out of it."""
        kind = _PAGES.get(Path(path).suffix)
        if kind is None:
            return NOT_HERE
        with os.fdopen(inside.read(self._output, f"{self._name}/{path}"), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return NOT_HERE
            data = file.read()
        if path == "index.html":
            data = pages.served(data.decode()).encode()
        return Answer(data, kind, policy=_POLICY)

    def _picture(self, side: str, key: str) -> Answer:
        with Journal(self._output, read_only=True) as journal:
            item = item_of(journal, key)
        if item is None or side not in ("before", "after"):
            return NOT_HERE
        if side == "after":
            if item.output is None:
                return NOT_HERE
            if isinstance(item.output.path, Origin):
                return _sent(item.output.path, item.output.size)
            return _opened(inside.read(self._output, item.place), item.place)
        known = item.source if item.source and _is_as_known(item.source, item.row.source_sha256) else None
        if known is None:
            return NOT_HERE
        if isinstance(known.path, Origin):
            return _sent(known.path, known.size)
        return _opened(os.open(known.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), known.path.name)

    def _decide(self, said: Mapping[str, Any]) -> Answer:
        key, sha256, change = str(said["key"]), str(said.get("sha256") or ""), said["change"]
        if not isinstance(change, dict) or {"key", "sha256"} & change.keys():
            raise ValueError
        now = decide(key, sha256, change, self._output)
        self.decided.add(key)
        return _json(now)

    def _preview(self, said: Mapping[str, Any]) -> Answer:
        told = said.get("said") or {}
        if not isinstance(told, dict):
            raise ValueError
        data = self._previews.of(str(said["key"]), told)
        return Answer(data, "image/jpeg") if data else Answer(status=HTTPStatus.NO_CONTENT)

    def _again(self, said: Mapping[str, Any]) -> Answer:
        self._refresh()
        return _json({})


def _is_as_known(file: File, sha256: str) -> bool:
    """Tell whether a source is what the journal knows; what lies in its place since is not handed out."""
    return not sha256 or file.digest == sha256


def _sent(path: Origin, size: int) -> Answer:
    """Answer a file of a storage."""
    return Answer(path.open(), _kind(path.name), size=size)


def _opened(descriptor: int, name: str) -> Answer:
    file = os.fdopen(descriptor, "rb")
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        file.close()
        return NOT_HERE
    return Answer(file, _kind(name), size=found.st_size)


def _kind(name: str) -> str:
    return _PICTURES.get(Path(name).suffix.lower(), _BYTES)


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value, allow_nan=False, default=str).encode(), "application/json")


def _refused(error: Exception) -> Answer:
    text = str(error) or type(error).__name__
    return _said(HTTPStatus.CONFLICT, text[0].upper() + text[1:] + ("" if text.endswith(".") else "."))


def _said(status: HTTPStatus, text: str) -> Answer:
    return Answer(text.encode("utf-8", "backslashreplace"), status=status)
