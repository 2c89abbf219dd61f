"""S3: one PUT, or several parts and their completion, under a condition (If-None-Match, If-Match)."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, Final

from pipeline.ground.storage import Origin, Taken, tried
from pipeline.ground.storages import file_system, information
from pipeline.ground.uploads.way import Body, Stood, Way, coded, kind_of, opened

_PART: Final = 32 << 20  # bytes that are held in memory; more go up in parts of this size
_MOST_PARTS: Final = 10_000  # of one object
_COPIED: Final = 5 << 30  # bytes that are copied within the storage by one call; more are by parts
_COPIED_PART: Final = 1 << 30
_NONE: Final = {"IfNoneMatch": "*"}


class S3(Way):
    """Amazon's, and what speaks as it does."""

    def look(self, at: Origin) -> Stood | None:
        """See `uploads.look`."""
        try:
            said = tried(at, lambda fs: fs.call_s3("head_object", **_object(at)))
        except FileNotFoundError:
            return None
        info = {"size": said["ContentLength"], "LastModified": said["LastModified"], "ETag": said["ETag"]}
        return Stood(*information(info), str(said["ETag"]))

    def carry(self, body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
        """See `uploads.carry`."""
        return tried(to, lambda fs: _put(fs, body, to, {"IfMatch": over.tag} if over else _NONE))

    def remove(self, at: Origin) -> None:
        """See `uploads.remove`."""
        tried(at, lambda fs: fs.call_s3("delete_object", **_object(at)))

    def rename(self, old: Origin, new: Origin) -> None:
        """See `uploads.rename`."""
        stood = self.look(old)
        if stood is None:
            raise FileNotFoundError(errno.ENOENT, "no such file or folder")
        if self.look(new) is not None:
            raise Taken
        try:
            _copy(old, new, stood)
        except (Taken, FileNotFoundError):
            found = self.look(new)
            if found is None or found.size != stood.size or _hash(old) != _hash(new):
                raise
            # The same bytes: the copy was made, and the answer was lost.
        with suppress(Taken):  # what somebody has written there since stays
            tried(old, lambda fs: _only(fs, "delete_object", {"IfMatch": stood.tag}, **_object(old)))

    def abandoned(self, folder: Origin) -> Iterator[tuple[str, Callable[[], None]]]:
        """See `uploads.abandoned`."""
        bucket, _, key = folder.inner.partition("/")
        prefix = f"{key}/" if key else ""
        said = tried(folder, lambda fs: fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix))
        for each in said.get("Uploads") or ():
            at = {"Bucket": bucket, "Key": each["Key"], "UploadId": each["UploadId"]}

            def abort(at: dict[str, str] = at) -> None:
                with suppress(FileNotFoundError):
                    tried(folder, lambda fs: fs.call_s3("abort_multipart_upload", **at))

            yield str(each["Key"]).removeprefix(prefix), abort


def _object(at: Origin) -> dict[str, str]:
    bucket, _, key = at.inner.partition("/")
    return {"Bucket": bucket, "Key": key}


def _put(fs: Any, body: Body, to: Origin, only: dict[str, str]) -> str:
    where, kind = _object(to), {"ContentType": kind_of(to.name)}
    with opened(body) as (file, size):
        if size > _PART:
            return _in_parts(fs, file, max(_PART, _in_as_many(size)), where, kind, only)
        data = file.read()
        digest = hashlib.md5(data, usedforsecurity=False)
        _only(fs, "put_object", only, **where, **kind, Body=data, ContentMD5=coded(digest.digest()))
        return digest.hexdigest()


def _hash(at: Origin) -> bytes:
    with at.open() as file:
        return hashlib.file_digest(file, "sha256").digest()


def _copy(old: Origin, new: Origin, stood: Stood) -> None:
    """Copy a file, all of it as it was seen, to a name that nothing has; raises `Taken`, `OSError`."""
    source = {"CopySource": _object(old), "CopySourceIfMatch": stood.tag}
    if stood.size > _COPIED:
        _copy_in_parts(source, stood.size, old, new)
    else:
        tried(new, lambda fs: _only(fs, "copy_object", _NONE, **source, **_object(new)))


def _copy_in_parts(source: dict[str, Any], size: int, old: Origin, new: Origin) -> None:
    said = tried(old, lambda fs: fs.call_s3("head_object", **_object(old)))
    told = {name: said[name] for name in ("ContentType", "Metadata") if said.get(name)}
    begun = tried(new, lambda fs: fs.call_s3("create_multipart_upload", **_object(new), **told))
    upload, step = _object(new) | {"UploadId": begun["UploadId"]}, max(_COPIED_PART, _in_as_many(size))
    parts = list[dict[str, Any]]()
    try:
        for number, start in enumerate(range(0, size, step), 1):
            span = source | {"CopySourceRange": f"bytes={start}-{min(start + step, size) - 1}", "PartNumber": number}
            copied = tried(new, partial(_only, call="upload_part_copy", only={}, **upload, **span))
            parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
        whole = upload | {"MultipartUpload": {"Parts": parts}}
        tried(new, lambda fs: _only(fs, "complete_multipart_upload", _NONE, **whole))
    except BaseException:
        with suppress(Exception):
            file_system(new.scheme, new.parts[1]).call_s3("abort_multipart_upload", **upload)
        raise


def _in_as_many(size: int) -> int:
    """Return how large parts are at least, for there are not more of them than one object may have."""
    return -(-size // _MOST_PARTS)


def _in_parts(
    fs: Any, file: BinaryIO, step: int, where: dict[str, str], kind: dict[str, str], only: dict[str, str]
) -> str:
    upload = where | {"UploadId": fs.call_s3("create_multipart_upload", **where, **kind)["UploadId"]}
    parts, digests = list[dict[str, Any]](), b""
    try:
        while data := file.read(step):
            digest, number = hashlib.md5(data, usedforsecurity=False).digest(), len(parts) + 1
            said = fs.call_s3("upload_part", **upload, PartNumber=number, Body=data, ContentMD5=coded(digest))
            parts.append({"PartNumber": number, "ETag": said["ETag"]})
            digests += digest
        _only(fs, "complete_multipart_upload", only, **upload, MultipartUpload={"Parts": parts})
    except BaseException:
        with suppress(Exception):
            fs.call_s3("abort_multipart_upload", **upload)
        raise
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _only(fs: Any, call: str, only: dict[str, str], **given: Any) -> Any:
    """Call S3 under a condition; a server that says it knows none is called without. Return what it says."""
    try:
        return fs.call_s3(call, **given, **only)
    except OSError as error:
        code = _code(error)
        if code in ("PreconditionFailed", "412") or (code == "NoSuchKey" and "IfMatch" in only):
            raise Taken from None
        if code not in ("NotImplemented", "501") or not only:
            raise
        return fs.call_s3(call, **given)


def _code(error: OSError) -> str:
    answer = getattr(error.__cause__, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""
