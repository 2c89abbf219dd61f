"""Is a file what its name says: its sha256, and the impostors that a failed download leaves behind."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from pipeline.ground import files
from pipeline.ground.errors import ModelError
from pipeline.ground.files import words
from pipeline.nets.content import read_file

_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")


def impostor(head: bytes) -> str:
    """Say what the first bytes (a few hundred) of a would-be model really are, or return an empty text."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:16].lower().startswith(_PAGES):
        return "a page of HTML, not a model (a download that failed)"
    if start.startswith(b"version https://git-lfs"):
        return "a Git-LFS pointer, not the model itself"
    return ""


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal text; each file is hashed once a process.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        status = path.stat()
        return _hash(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {words(error)}.") from None


@lru_cache(maxsize=64)
def _hash(path: Path, size: int, mtime_ns: int) -> str:  # size and time are part of the key: a changed file is new
    return files.sha256(path)


def check(path: Path, *, sha256: str = "", size: int | None = None, remedy: str = "") -> str:
    """Check a model file's first bytes, size and sha256, and return its sha256.

    Args:
        path: the file.
        sha256: what it must be; empty when nobody knows.
        size: bytes it must have; None when nobody knows.
        remedy: a sentence that says what to do, added to every message.

    Raises:
        ModelError: unreadable, an impostor, or not the file that was meant.
    """
    remedy = f" {remedy}" if remedy else ""
    try:
        found_size = path.stat().st_size
        if not path.is_file():  # opening a named pipe would wait for ever
            raise ModelError(f"The model {path} is not a file.{remedy}")
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {words(error)}.{remedy}") from None
    _check_head(path, head, found_size, size, remedy)
    return _matching(path, sha256_of(path), sha256, remedy)


def read(path: Path, *, sha256: str = "", size: int | None = None, remedy: str = "") -> tuple[bytes, str]:
    """Read a model file once, and check those very bytes; arguments and errors are those of `check`.

    Returns:
        Its bytes and their sha256.
    """
    content = read_file(path, remedy=remedy)
    remedy = f" {remedy}" if remedy else ""
    _check_head(path, content[:512], len(content), size, remedy)
    return content, _matching(path, hashlib.sha256(content).hexdigest(), sha256, remedy)


def _check_head(path: Path, head: bytes, found: int, size: int | None, remedy: str) -> None:
    if not head:
        raise ModelError(f"The model file {path} is empty.{remedy}")
    if what := impostor(head):
        raise ModelError(f"{path} is {what}.{remedy}")
    if size is not None and found != size:
        raise ModelError(f"{path} has {found:,} bytes where the model has {size:,}.{remedy}")


def _matching(path: Path, found: str, sha256: str, remedy: str) -> str:
    if sha256 and found != sha256:
        raise ModelError(f"{path} does not match its checksum: sha256 {found}, not {sha256}.{remedy}")
    return found
