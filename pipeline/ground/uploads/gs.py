"""Google Cloud Storage: one upload, or a resumable one, which replaces the generation that it was told (or none)."""

from __future__ import annotations

import errno
import hashlib
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Final

from pipeline.ground.storage import Origin, Taken, tried
from pipeline.ground.storages import file_system, google_code, information
from pipeline.ground.uploads.way import Body, Stood, Way, coded, kind_of, opened

# Bytes that are held in memory; more go up in pieces of this size, a multiple of 256 KiB.
_PART: Final = 16 << 20
_OBJECT: Final = "b/{}/o/{}"
_NOTHING: Final = "0"  # the generation of a name that nothing has
_ANOTHER: Final = "another"  # the tag of what is not what was sent, or of what nobody says


class Google(Way):
    """By the JSON API, through gcsfs; a generation is the tag."""

    def look(self, at: Origin) -> Stood | None:
        """See `uploads.look`."""
        try:
            return tried(at, lambda fs: _stood(_only(fs, "GET", _OBJECT, *_object(at))))
        except FileNotFoundError:
            return None

    def carry(self, body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
        """See `uploads.carry`."""
        only = over.tag if over else _NOTHING
        with opened(body) as (file, size):
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
            file.seek(0)
            # The server compares the hash before anything appears; that it did shows its answer.
            told = {"contentType": kind_of(to.name), "md5Hash": coded(digest)}
            if size > _PART:
                said = _in_pieces(file, size, to, told, only)
            else:
                data = file.read()
                said = tried(to, lambda fs: _at_once(fs, data, to, told, only))
        return str(said.get("generation")) if said.get("md5Hash") == told["md5Hash"] else _ANOTHER

    def remove(self, at: Origin) -> None:
        """See `uploads.remove`; what was written there a moment ago stays."""
        stood = self.look(at)
        if stood is not None and not _removed(at, stood) and self.look(at) is not None:
            raise FileNotFoundError(errno.ENOENT, "something else has taken its name")

    def rename(self, old: Origin, new: Origin) -> None:
        """See `uploads.rename`."""
        stood = self.look(old)
        if stood is None:
            raise FileNotFoundError(errno.ENOENT, "no such file or folder")
        if self.look(new) is not None:
            raise Taken
        try:
            tried(old, lambda fs: _copy(fs, old, new, stood))
        except Taken:
            found = self.look(new)
            if found is None or not found.md5 or (found.size, found.md5) != (stood.size, stood.md5):
                raise
            # The same bytes: the copy was made, and the answer was lost.
        _removed(old, stood)


def _stood(said: Mapping[str, Any]) -> Stood:
    if "generation" not in said:
        raise OSError(errno.EIO, "what answers there does not speak as Google's storage does")
    return Stood(*information(said), str(said["generation"]))


def _object(at: Origin) -> tuple[str, str]:
    bucket, _, key = at.inner.partition("/")
    return bucket, key


def _only(fs: Any, method: str, path: str, *names: str, **given: Any) -> Mapping[str, Any]:
    """Ask Google, under a condition or none; return what is said."""
    _, said = _asked(fs, method, path, *names, **given)
    return said


def _asked(fs: Any, method: str, path: str, *names: str, **given: Any) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    try:
        headers, said = fs.call(method, path, *names, **given)
    except Exception as error:
        if isinstance(error, FileExistsError) or google_code(error) == "412":
            raise Taken from None
        raise
    return headers, json.loads(said) if said else {}


def _upload(fs: Any, to: Origin, only: str, **given: Any) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    bucket, key = _object(to)
    address = fs.base.removesuffix("storage/v1/") + "upload/storage/v1/b/{}/o"
    return _asked(fs, "POST", address, bucket, name=key, ifGenerationMatch=only, **given)


def _at_once(fs: Any, data: bytes, to: Origin, told: dict[str, str], only: str) -> Mapping[str, Any]:
    mark = uuid.uuid4().hex
    lines = (
        f"--{mark}", "Content-Type: application/json; charset=UTF-8", "", json.dumps(told),
        f"--{mark}", f"Content-Type: {told['contentType']}", "", "",
    )  # fmt: skip
    body = "\r\n".join(lines).encode() + data + f"\r\n--{mark}--\r\n".encode()
    headers = {"Content-Type": f"multipart/related; boundary={mark}"}
    return _upload(fs, to, only, uploadType="multipart", headers=headers, data=body)[1]


def _in_pieces(file: BinaryIO, size: int, to: Origin, told: dict[str, str], only: str) -> Mapping[str, Any]:
    """Send a large file by a session, which is no object before its last byte and goes by itself after a week."""
    offer = {"X-Upload-Content-Type": told["contentType"], "X-Upload-Content-Length": str(size)}
    session = tried(to, lambda fs: _upload(fs, to, only, uploadType="resumable", headers=offer, json=told))[0]
    pieces = _Pieces(file, size, session["Location"])
    try:
        while True:
            if said := tried(to, pieces.next):
                return said
    except BaseException:
        with suppress(Exception):
            file_system(to.scheme, to.parts[1]).call("DELETE", pieces.session)
        raise


class _Pieces:
    """What of a file the server has, and the rest; the session's address is a secret as long as it lives."""

    def __init__(self, file: BinaryIO, size: int, session: str) -> None:
        self._file, self._size, self.session = file, size, session
        self._at, self._is_sure = 0, True

    def next(self, fs: Any) -> Mapping[str, Any]:
        """Send a piece; after one that broke, from where the server says. Return its last word, before that nothing."""
        if not self._is_sure and (said := self._sent(fs, f"bytes */{self._size}")):
            return said
        self._is_sure = False
        before = self._at
        self._file.seek(before)
        piece = self._file.read(_PART)
        said = self._sent(fs, f"bytes {before}-{before + len(piece) - 1}/{self._size}", piece) if piece else {}
        if not said and self._at <= before:
            raise OSError(errno.EIO, "it does not arrive whole")
        self._is_sure = True
        return said

    def _sent(self, fs: Any, span: str, piece: bytes = b"") -> Mapping[str, Any]:
        try:
            headers, said = _asked(fs, "PUT", self.session, headers={"Content-Range": span}, data=piece)
        except FileNotFoundError:
            raise OSError(errno.EIO, "the storage has lost what was sent of it") from None
        if said.get("size") == str(self._size):  # some servers tell of an object that is not there yet, too
            return said
        self._at = int(headers.get("Range", "-").rpartition("-")[2] or -1) + 1
        return {}


def _copy(fs: Any, old: Origin, new: Origin, stood: Stood) -> None:
    only = {"ifSourceGenerationMatch": stood.tag, "ifGenerationMatch": _NOTHING}
    names = (*_object(old), *_object(new))
    said: Mapping[str, Any] = {}
    while not said.get("done"):  # a large one to another class of storage takes several calls
        token = {"rewriteToken": said["rewriteToken"]} if said else {}
        said = _only(fs, "POST", _OBJECT + "/rewriteTo/" + _OBJECT, *names, **only, **token)


def _removed(at: Origin, stood: Stood) -> bool:
    """Remove a file; return whether what stood there was that one still, or nothing, as after a lost answer."""
    try:
        with suppress(FileNotFoundError):
            tried(at, lambda fs: _only(fs, "DELETE", _OBJECT, *_object(at), ifGenerationMatch=stood.tag))
    except Taken:
        return False
    return True
