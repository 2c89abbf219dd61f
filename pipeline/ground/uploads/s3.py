"""S3: one PUT, or several parts and their completion, under a condition (If-None-Match, If-Match)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Final

from pipeline.ground.storage import Origin, Taken, tried
from pipeline.ground.storages import information
from pipeline.ground.uploads.way import Body, Stood, Way, coded, kind_of, opened

_PART: Final = 32 << 20  # bytes that are held in memory; more go up in parts of this size


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
        return tried(to, lambda fs: _put(fs, body, to, {"IfMatch": over.tag} if over else {"IfNoneMatch": "*"}))

    def remove(self, at: Origin) -> None:
        """See `uploads.remove`."""
        tried(at, lambda fs: fs.call_s3("delete_object", **_object(at)))

    def rename(self, old: Origin, new: Origin) -> None:
        """See `uploads.rename`."""
        if self.look(new) is not None:
            raise Taken
        tried(old, lambda fs: fs.call_s3("copy_object", CopySource=_object(old), **_object(new)))
        self.remove(old)

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
            return _in_parts(fs, file, where, kind, only)
        data = file.read()
        digest = hashlib.md5(data, usedforsecurity=False)
        _only(fs, "put_object", only, **where, **kind, Body=data, ContentMD5=coded(digest.digest()))
        return digest.hexdigest()


def _in_parts(fs: Any, file: BinaryIO, where: dict[str, str], kind: dict[str, str], only: dict[str, str]) -> str:
    upload = where | {"UploadId": fs.call_s3("create_multipart_upload", **where, **kind)["UploadId"]}
    parts, digests = list[dict[str, Any]](), b""
    try:
        while data := file.read(_PART):
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
