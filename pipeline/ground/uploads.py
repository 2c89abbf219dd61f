"""A file brought into a storage: it appears there whole or not at all, and replaces only what it was told to.

S3: one PUT, or several parts and their completion, under a condition (If-None-Match, If-Match). SFTP and WebDAV: under
a temporary name, then renamed. Nothing here decides; see `shelf`.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import mimetypes
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from pipeline.ground.storage import Origin, Taken, tried
from pipeline.ground.storages import information

WRITABLE: Final = ("s3", "sftp", "webdav", "webdavs")
Body = Path | bytes

_PART: Final = 32 << 20  # bytes that are held in memory; more go up in parts of this size
_NOT_WHOLE: Final = "it does not arrive whole"


class Stood(NamedTuple):
    """A file that stands in a storage: as in `storage.Entry`; `tag` as the storage says it."""

    size: int
    mtime_ns: int
    md5: str
    tag: str


def look(at: Origin) -> Stood | None:
    """Return what stands there; None where nothing does.

    Raises:
        IsADirectoryError: a folder does.
        OSError: nobody knows.
    """
    try:
        info = tried(at, lambda fs: _head(fs, at) if at.scheme == "s3" else fs.info(at.inner))
    except FileNotFoundError:
        return None
    if info.get("type") == "directory":
        raise IsADirectoryError(errno.EISDIR, "a folder is in the way")
    return Stood(*information(info), str(info.get("ETag") or info.get("etag") or ""))


def _head(fs: Any, at: Origin) -> Mapping[str, Any]:
    said = fs.call_s3("head_object", **_object(at))
    return {"size": said["ContentLength"], "LastModified": said["LastModified"], "ETag": said["ETag"]}


def carry(body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
    """Bring a file to its place.

    Args:
        body: its bytes, or the file that holds them.
        to: where it goes; folders are made.
        over: what stands there and is replaced; None: nothing does.
        tmp: folder for what is not finished, on the same disk.

    Returns:
        The tag that the storage should give it; empty where that is not known.

    Raises:
        Taken: something else stands there.
        OSError: it did not work.
    """
    return tried(to, lambda fs: _BY_SCHEME[to.scheme](fs, body, to, over, tmp))


@contextmanager
def _opened(body: Body) -> Iterator[tuple[BinaryIO, int]]:
    if isinstance(body, bytes):
        yield io.BytesIO(body), len(body)
        return
    with body.open("rb") as file:
        yield file, body.stat().st_size


def _object(at: Origin) -> dict[str, str]:
    bucket, _, key = at.inner.partition("/")
    return {"Bucket": bucket, "Key": key}


def _to_s3(fs: Any, body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
    where = _object(to)
    kind = {"ContentType": mimetypes.guess_type(to.name)[0] or "application/octet-stream"}
    only = {"IfMatch": over.tag} if over else {"IfNoneMatch": "*"}
    with _opened(body) as (file, size):
        if size > _PART:
            return _in_parts(fs, file, where, kind, only)
        data = file.read()
        digest = hashlib.md5(data, usedforsecurity=False)
        _only(fs, "put_object", only, **where, **kind, Body=data, ContentMD5=_coded(digest.digest()))
        return digest.hexdigest()


def _in_parts(fs: Any, file: BinaryIO, where: dict[str, str], kind: dict[str, str], only: dict[str, str]) -> str:
    upload = where | {"UploadId": fs.call_s3("create_multipart_upload", **where, **kind)["UploadId"]}
    parts, digests = list[dict[str, Any]](), b""
    try:
        while data := file.read(_PART):
            digest, number = hashlib.md5(data, usedforsecurity=False).digest(), len(parts) + 1
            said = fs.call_s3("upload_part", **upload, PartNumber=number, Body=data, ContentMD5=_coded(digest))
            parts.append({"PartNumber": number, "ETag": said["ETag"]})
            digests += digest
        _only(fs, "complete_multipart_upload", only, **upload, MultipartUpload={"Parts": parts})
    except BaseException:
        with suppress(Exception):
            fs.call_s3("abort_multipart_upload", **upload)
        raise
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _coded(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _only(fs: Any, call: str, only: dict[str, str], **given: Any) -> None:
    """Call S3 under a condition; a server that says it knows none is called without."""
    try:
        fs.call_s3(call, **given, **only)
    except OSError as error:
        code = _code(error)
        if code in ("PreconditionFailed", "412") or (code == "NoSuchKey" and "IfMatch" in only):
            raise Taken from None
        if code not in ("NotImplemented", "501"):
            raise
        fs.call_s3(call, **given)


def _code(error: OSError) -> str:
    answer = getattr(error.__cause__, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def _to_sftp(fs: Any, body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
    part = f"{tmp.inner}/{uuid.uuid4().hex}.part"
    for folder in (tmp, to.parent):
        _make_sftp(fs, folder.inner)
    try:
        with _opened(body) as (file, size):
            fs.ftp.putfo(file, part, file_size=size, confirm=False)
            if fs.ftp.stat(part).st_size != size:
                raise OSError(errno.EIO, _NOT_WHOLE)
        _rename_sftp(fs, part, to.inner, replacing=over is not None)
    finally:
        with suppress(Exception):
            fs.ftp.remove(part)
    return ""


def _rename_sftp(fs: Any, old: str, new: str, *, replacing: bool) -> None:
    if replacing:
        fs.ftp.posix_rename(old, new)
        return
    try:
        fs.ftp.rename(old, new)  # which takes no name that something has
    except OSError:
        with suppress(FileNotFoundError):
            fs.ftp.lstat(new)
            raise Taken from None
        raise


def _make_sftp(fs: Any, folder: str) -> None:
    try:
        found = fs.ftp.stat(folder)
    except FileNotFoundError:
        _make_sftp(fs, folder.rpartition("/")[0] or "/")
        try:
            fs.ftp.mkdir(folder)
        except OSError:
            fs.ftp.stat(folder)  # another worker was faster
    else:
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "a file is in the way")


def _to_webdav(fs: Any, body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
    from webdav4.fsspec import translate_exceptions

    part = f"{tmp.inner}/{uuid.uuid4().hex}.part"
    for folder in (tmp, to.parent):
        if not fs.exists(folder.inner):
            fs.makedirs(folder.inner, exist_ok=True)
    try:
        with translate_exceptions(), _opened(body) as (file, size):
            fs.client.upload_fileobj(file, part, overwrite=True, size=size)
            if fs.client.content_length(part) != size:
                raise OSError(errno.EIO, _NOT_WHOLE)
        _rename_webdav(fs, part, to.inner, replacing=over is not None)
    finally:
        with suppress(Exception):
            fs.client.remove(part)
    return ""


def _rename_webdav(fs: Any, old: str, new: str, *, replacing: bool) -> None:
    from webdav4.client import ResourceAlreadyExists
    from webdav4.fsspec import translate_exceptions

    try:
        with translate_exceptions():
            fs.client.move(old, new, overwrite=replacing)
    except ResourceAlreadyExists:
        raise Taken from None


_BY_SCHEME: Final[dict[str, Callable[[Any, Body, Origin, Stood | None, Origin], str]]] = {
    "s3": _to_s3,
    "sftp": _to_sftp,
    "webdav": _to_webdav,
    "webdavs": _to_webdav,
}


def remove(at: Origin) -> None:
    """Remove a file, which must be one; raises `OSError`."""
    if at.scheme == "s3":
        tried(at, lambda fs: fs.call_s3("delete_object", **_object(at)))
    elif look(at) is not None:  # a WebDAV server removes folders, with all that is in them, as gladly
        tried(at, lambda fs: fs.ftp.remove(at.inner) if at.scheme == "sftp" else fs.rm_file(at.inner))


def rename(old: Origin, new: Origin) -> None:
    """Give a file another name, which nothing has; raises `Taken`, `OSError`."""
    if look(new) is not None:
        raise Taken
    if old.scheme == "s3":
        tried(old, lambda fs: fs.call_s3("copy_object", CopySource=_object(old), **_object(new)))
        remove(old)
        return

    def moved(fs: Any) -> None:
        if old.scheme == "sftp":
            _make_sftp(fs, new.parent.inner)
            _rename_sftp(fs, old.inner, new.inner, replacing=False)
        else:
            fs.makedirs(new.parent.inner, exist_ok=True)
            _rename_webdav(fs, old.inner, new.inner, replacing=False)

    tried(old, moved)


def remove_empty(folder: Origin) -> None:
    """Remove a folder that is empty, where that can be done without a look before it; raises `OSError`."""
    if folder.scheme == "sftp":
        tried(folder, lambda fs: fs.ftp.rmdir(folder.inner))


def sweep(tmp: Origin) -> None:
    """Remove what is unfinished of earlier runs: nobody can finish it any more; raises `OSError`."""
    if tmp.scheme == "s3":
        return
    with suppress(FileNotFoundError):
        for each in tried(tmp, lambda fs: fs.ls(tmp.inner, detail=True)):
            name = str(each["name"]).rstrip("/").rpartition("/")[2]
            if name.endswith(".part"):
                remove(tmp / name)


def abandoned(folder: Origin) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what was begun in parts below a folder and not completed: its place there, and what takes it back."""
    if folder.scheme != "s3":
        return
    bucket, _, key = folder.inner.partition("/")
    prefix = f"{key}/" if key else ""
    said = tried(folder, lambda fs: fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix))
    for each in said.get("Uploads") or ():
        at = {"Bucket": bucket, "Key": each["Key"], "UploadId": each["UploadId"]}

        def abort(at: dict[str, str] = at) -> None:
            with suppress(FileNotFoundError):
                tried(folder, lambda fs: fs.call_s3("abort_multipart_upload", **at))

        yield str(each["Key"]).removeprefix(prefix), abort
