"""Fetching a model's files: mirrors in order, resumed, checked before a file has its name."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from pipeline.ground.errors import LockedError, ModelError, OutputError
from pipeline.ground.files import words
from pipeline.nets.store import integrity
from pipeline.nets.store.registry import ModelEntry, ModelFile, Registry, default_models_dir, load_registry

# Called with the file's name, the bytes that are here, and the bytes there will be (None where nobody knows).
Progress = Callable[[str, int, int | None], None]

_SILENCE = 30.0  # seconds without a byte until a server is given up
_WINDOW, _SLOWEST = 60.0, 1024  # seconds over which a server has to keep up so many bytes a second
_RESUMES = 5  # times that one mirror may break off and be taken up again, as long as it gets on
_CHUNK = 1 << 18


class _MirrorError(Exception):
    """Why one mirror did not work, in words; the next one is tried."""


class _BrokenOffError(_MirrorError):
    """The connection ended too early: the same mirror may go on from there."""


def fetch(
    name: str,
    *,
    models_dir: Path | None = None,
    from_folder: Path | None = None,
    progress: Progress | None = None,
    registry: Registry | None = None,
) -> list[Path]:
    """Get all files of a model that are not here yet; files that are here are checked.

    Args:
        name: registry name or alias.
        models_dir: where to; None: the user's cache.
        from_folder: copy from this folder, for machines without internet.
        progress: told of every piece that arrives.
        registry: None: the one that travels with the program.

    Returns:
        The paths of the model's files.

    Raises:
        ModelError: unknown model, no mirror works (with every reason, and what to do), or a file does not match.
        OutputError: the folder cannot be written, or the disk is full.
        LockedError: another process is fetching into the same folder.
    """
    entry = (registry or load_registry()).entry(name)
    folder = entry.folder(models_dir or default_models_dir())
    if entry.carried:
        for file in entry.files:
            integrity.check(folder / file.name, sha256=file.sha256, size=file.size, remedy="Install colorize again.")
        return [folder / file.name for file in entry.files]
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".fetch.lock", timeout=0)
        try:
            with lock:
                return [_get(entry, file, folder, from_folder, progress) for file in entry.files]
        except Timeout:
            raise LockedError(f"Another process is fetching models into {folder}.") from None


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of the check of one file: state is "ok", "missing" or "damaged" (the detail says how)."""

    model: str
    path: Path
    state: str
    detail: str = ""


def verify(name: str = "all", *, models_dir: Path | None = None, registry: Registry | None = None) -> list[Verified]:
    """Check the files of one model, or of all: first bytes, size and sha256.

    Raises:
        ModelError: there is no model of that name.
    """
    registry = registry or load_registry()
    entries = list(registry.entries.values()) if name == "all" else [registry.entry(name)]
    folder = models_dir or default_models_dir()
    return [_verified(entry, file, entry.folder(folder)) for entry in entries for file in entry.files]


def _verified(entry: ModelEntry, file: ModelFile, folder: Path) -> Verified:
    path = folder / file.name
    if not path.exists():
        return Verified(entry.name, path, "missing")
    try:
        integrity.check(path, sha256=file.sha256, size=file.size)
    except ModelError as error:
        return Verified(entry.name, path, "damaged", str(error))
    return Verified(entry.name, path, "ok")


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"The disk of {folder} is full: make room, or name another folder.") from None
        raise OutputError(f"The folder of models {folder} cannot be written: {words(error)}.") from None


def _get(entry: ModelEntry, file: ModelFile, folder: Path, source: Path | None, progress: Progress | None) -> Path:
    path = folder / file.name
    if _verified(entry, file, folder).state == "ok":
        return path
    part = path.with_name(f"{path.name}.part")
    if source is not None:
        _copy(source / file.name, part, file, progress)
        with part.open("rb") as ready:
            os.fsync(ready.fileno())
        part.replace(path)
        return path
    reasons: list[str] = []
    for mirror in file.mirrors:
        try:
            _from_mirror(mirror, part, file, progress)
            part.replace(path)
            return path
        except _MirrorError as error:
            reasons.append(f"{mirror}: {error}")
    told = "; ".join(reasons) or "the registry names no mirror"
    raise ModelError(
        f"{file.name} could not be fetched: {told}. "
        f"Get it by other means and run `colorize models fetch {entry.name} --from FOLDER`."
    )


def _copy(source: Path, part: Path, file: ModelFile, progress: Progress | None) -> None:
    if not source.is_file():
        raise ModelError(f"{source} is not there.")
    integrity.check(source, sha256=file.sha256, size=file.size)
    with source.open("rb") as old, part.open("wb") as new:
        shutil.copyfileobj(old, new, _CHUNK)
    if progress:
        size = part.stat().st_size
        progress(file.name, size, size)


def _from_mirror(url: str, part: Path, file: ModelFile, progress: Progress | None) -> None:
    """Bring `part` to the whole, checked file, or raise `_MirrorError`; what arrived stays for the next mirror."""
    stale = _size(part) > 0
    for _ in range(_RESUMES + 1):
        before = _size(part)
        try:
            _download(url, part, file, progress)
            break
        except _BrokenOffError:
            if _size(part) <= before:
                raise
    else:
        raise _MirrorError(f"it broke off {_RESUMES + 1} times")
    try:
        integrity.check(part, sha256=file.sha256, size=file.size)
    except ModelError:
        part.unlink()
        if stale:  # what lay here from before may have been another file: once more from the start
            _from_mirror(url, part, file, progress)
            return
        raise _MirrorError("it sent another file: the sha256 does not match") from None


def _download(url: str, part: Path, file: ModelFile, progress: Progress | None) -> None:
    offset = _size(part)
    if file.size is not None and offset >= file.size:
        if offset == file.size:
            return
        part.unlink()
        offset = 0
    request = urllib.request.Request(url, headers={"User-Agent": "colorize"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        # An opener of its own reads the proxy variables as they are now.
        with urllib.request.build_opener().open(request, timeout=_SILENCE) as response:
            _receive(response, offset, part, file, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416 and offset:  # nothing lies beyond what is here: it is not this file's beginning
            part.unlink()
            _download(url, part, file, progress)
            return
        raise _MirrorError(f"it answers {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _MirrorError(f"it cannot be reached ({error.reason})") from None
    except TimeoutError:
        raise _MirrorError(f"it sent nothing for {_SILENCE:.0f} seconds") from None
    except (http.client.HTTPException, ConnectionError, ssl.SSLError, EOFError) as error:
        raise _BrokenOffError(f"the connection broke ({type(error).__name__})") from None


def _receive(response: Any, offset: int, part: Path, file: ModelFile, progress: Progress | None) -> None:
    if offset and (response.status != 206 or not _starts_at(response, offset)):
        offset = 0  # a server that knows no ranges sends all of it again
    length = response.headers.get("Content-Length", "")
    total = offset + int(length) if length.isdigit() else None
    if file.size is not None and total is not None and total != file.size:
        raise _MirrorError(f"it offers {total:,} bytes where the model has {file.size:,}{_page(response)}")
    with part.open("r+b" if offset else "wb") as out:
        out.seek(offset)
        out.truncate()
        received = _pour(response, out, offset, total, file, progress)
        out.flush()
        os.fsync(out.fileno())
    if (total is not None and received < total) or (file.size is not None and received < file.size):
        raise _BrokenOffError(f"it broke off after {received:,} bytes")


def _pour(
    response: Any, out: BinaryIO, offset: int, total: int | None, file: ModelFile, progress: Progress | None
) -> int:
    """Write what arrives; returns how many bytes of the file are here."""
    received, limit = offset, file.size or total
    mark, marked = time.monotonic(), received
    head = b""
    while piece := response.read1(_CHUNK):
        if received == len(head) < 512:
            head += piece[:512]
            if what := integrity.impostor(head):
                out.truncate(0)
                raise _MirrorError(f"it sent {what}")
        if limit is not None and received + len(piece) > limit:
            out.truncate(0)
            raise _MirrorError(f"it sends more than the {limit:,} bytes there should be")
        out.write(piece)
        received += len(piece)
        if progress:
            progress(file.name, received, limit)
        now = time.monotonic()
        if now - mark > _WINDOW:
            if received - marked < _SLOWEST * (now - mark):
                raise _MirrorError(f"it is too slow: {received - marked:,} bytes in {now - mark:.0f} seconds")
            mark, marked = now, received
    return received


def _starts_at(response: Any, offset: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {offset}-")


def _page(response: Any) -> str:
    kind = str(response.headers.get("Content-Type", ""))
    what = integrity.impostor(response.read1(512))
    return f": {what}" if what else (": a page of HTML" if kind.startswith("text/html") else "")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
