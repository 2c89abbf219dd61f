"""Files in a storage that is no file system here: S3, Google Cloud Storage, SFTP and WebDAV, by fsspec.

An `Origin` is the path of one: whoever walks, stats and reads paths takes it for any other. Originals are only read;
how outputs are written says `uploads`. Who may read and write there is said where its own tools look for it (the
environment, ~/.aws, ~/.ssh, ~/.netrc), never in an address, so that none gets into a journal or a log.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Any, Final, TypeVar

from pipeline.ground.addresses import spelled
from pipeline.ground.errors import SettingsError
from pipeline.ground.storages import elsewhere, file_system, forget, information, names_no_bucket, refusal

_PAUSES: Final = (0.5, 2.0, 6.0)  # seconds before what failed is tried again
_PASSED: Final = 8 << 20  # bytes that are asked for at once when a file is read through
_JUMPED: Final = 1 << 16  # when it is read here and there
_AT_ONCE: Final = 256  # beginnings of files that are asked for together
# What this machine says of its own disk, and what no second try makes otherwise.
_OF_DISKS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT})
_FINAL: Final = _OF_DISKS | {errno.EADDRNOTAVAIL, errno.ENOTDIR}

_sftp: Final = threading.RLock()

T = TypeVar("T")


class Taken(Exception):
    """Something stands where a file was to appear, or something else than was to be replaced."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a storage says of one thing; as `os.DirEntry`, as far as a walk asks.

    Attributes:
        name: in its folder.
        path: its address.
        folder, link: what it is; else a file.
        size: in bytes.
        mtime_ns: when it was changed, whole seconds; the rest is drawn from the storage's tag of its contents (ETag),
            where there is one, so that another content of the same second and size is another file.
        md5: of its contents, in hexadecimal; empty where the storage does not say.
    """

    name: str
    path: str
    folder: bool = False
    link: bool = False
    size: int = 0
    mtime_ns: int = 0
    md5: str = ""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder; a link is none."""
        return self.folder

    def is_symlink(self) -> bool:
        """Whether it is a link."""
        return self.link

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return it as a file system would."""
        kind = stat.S_IFLNK if self.link else stat.S_IFDIR if self.folder else stat.S_IFREG
        return status(kind | 0o444, self.size, self.mtime_ns, hash(self.path))


def status(mode: int, size: int, mtime_ns: int, identity: int = 0) -> os.stat_result:
    """Return what a file system would say of something; `identity` stands for its inode."""
    seconds = mtime_ns // 10**9
    plain = (mode, identity, 0, 1, 0, 0, size, seconds, seconds, seconds)
    return os.stat_result(plain, {"st_mtime_ns": mtime_ns, "st_atime_ns": mtime_ns})


def located(text: str) -> Path:
    """Return the path, or the `Origin`, that a person or a journal has named; raises `SettingsError`, see `spelled`."""
    address = spelled(text)
    return Path(text) if address is None else Origin(address)


class Origin(PosixPath):
    """The path of a folder or file in a storage; what fails there is an `OSError`, as it is of a disk."""

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join(self.parts[1:])}"

    def __fspath__(self) -> str:
        return str(self)

    @property
    def scheme(self) -> str:
        """Such as "s3"."""
        return self.parts[0].rstrip(":")

    @property
    def inner(self) -> str:
        """The path, as the storage calls it."""
        host, *rest = self.parts[1:]
        if self.scheme in ("s3", "gs"):
            return "/".join((host, *rest))
        return ("/" if self.scheme == "sftp" else "") + "/".join(rest)

    def entry(self) -> Entry:
        """Look at it; raises `OSError`."""
        return _entry(self.name, str(self), tried(self, lambda fs: fs.info(self.inner)))

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """See `Path.stat`."""
        return self.entry().stat()

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """See `Path.exists`; a fault is no answer, and raised."""
        try:
            self.entry()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """See `Path.is_dir`; a fault is raised."""
        try:
            return self.entry().folder
        except FileNotFoundError:
            return False

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """See `Path.is_file`; a fault is raised."""
        return self.exists() and not self.is_dir()

    def is_absolute(self) -> bool:
        """An address is."""
        return True

    def absolute(self) -> Origin:
        """Return itself."""
        return self

    def resolve(self, strict: bool = False) -> Origin:
        """Return itself: nobody here knows its links. `strict`: it is there, else `OSError`."""
        if strict:
            self.entry()
        return self

    def open(self, *_: Any, **__: Any) -> io.BufferedReader:  # type: ignore[override]
        """Open it to be read from its beginning to its end."""
        return io.BufferedReader(Reading(self, _PASSED))


def scan(folder: Origin) -> tuple[list[Entry], int]:
    """Return what lies in a folder, and how much lies there under names that no file can have; raises `OSError`."""
    inside, found, odd = folder.inner.strip("/"), dict[str, Entry](), 0
    for each in tried(folder, lambda fs: fs.ls(folder.inner, detail=True)):
        name = str(each["name"]).strip("/").removeprefix(inside).removeprefix("/")
        if "/" in name or "\0" in name or name in ("", ".", ".."):
            stands_for_it = name == "" and each["type"] != "directory" and not each.get("size")
            odd += not stands_for_it
            continue
        entry = _entry(name, f"{folder}/{name}", each)
        if name in found and found[name].folder != entry.folder:  # an object, and others below its name
            odd += 1
            entry = entry if entry.folder else found[name]
        found[name] = entry
    return list(found.values()), odd


def _entry(name: str, path: str, info: Mapping[str, Any]) -> Entry:
    kind = info["type"]
    size, mtime_ns, md5 = information(info)
    return Entry(name, path, kind == "directory", kind == "link", size, mtime_ns, md5)


def heads(addresses: Sequence[str], length: int) -> Iterator[dict[str, bytes | OSError]]:
    """Yield the first bytes of files of one storage, some hundred files at a time, or why they cannot be read."""
    for at in range(0, len(addresses), _AT_ONCE):
        yield _heads([Origin(each) for each in addresses[at : at + _AT_ONCE]], length)


def _heads(origins: Sequence[Origin], length: int) -> dict[str, bytes | OSError]:
    paths = [each.inner for each in origins]
    try:
        told = tried(origins[0], lambda fs: fs.cat_ranges(paths, 0, length, on_error="return"))
    except OSError as error:
        told = [error] * len(paths)
    found: dict[str, bytes | OSError] = {}
    for origin, head in zip(origins, told, strict=True):
        if isinstance(head, Exception):  # alone, it is tried again
            try:
                head = _head(origin, length)
            except OSError as error:
                head = error
        found[str(origin)] = head
    return found


def _head(origin: Origin, length: int) -> bytes:
    with Reading(origin) as file:
        return file.read(length) or b""


class Reading(io.RawIOBase):
    """A file of a storage, open to be read; it remembers the fault that was met in it."""

    def __init__(self, origin: Origin, block: int = _JUMPED) -> None:
        """Open it; `block` bytes are asked for at once. Raises `OSError`."""
        self.fault: OSError | None = None
        self.origin, self.name = origin, str(origin)
        self._block, self._at = block, 0
        self._file: Any = None
        tried(origin, self._open)

    def _open(self, fs: Any) -> Any:
        if self._file is None:
            self._file = fs.open(self.origin.inner, "rb", block_size=self._block)
        return self._file

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """See `io.RawIOBase`."""
        try:
            data = tried(self.origin, lambda fs: self._read(fs, len(buffer)))
        except OSError as error:
            self.fault = error
            raise
        self._at += len(data)
        buffer[: len(data)] = data
        return len(data)

    def _read(self, fs: Any, count: int) -> bytes:
        file = self._open(fs)
        try:
            file.seek(self._at)
            return bytes(file.read(count))
        except Exception:
            self._file = None  # the next try opens it anew
            raise

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See `io.IOBase`."""
        start = self.origin.entry().size if whence == io.SEEK_END else self._at if whence == io.SEEK_CUR else 0
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self._at

    def close(self) -> None:
        """See `io.IOBase`."""
        if self._file is not None:
            with _turn(self.origin):
                self._file.close()
            self._file = None
        super().close()


def fetch(origin: Origin, to: Path, known: tuple[int, int]) -> os.stat_result:
    """Copy a file of a storage into a new one here, all of it as it was at one moment.

    Args:
        origin: it.
        to: the file to make.
        known: its size and time as they were last seen.

    Returns:
        What the storage says of what was fetched.

    Raises:
        OSError: it cannot be read; or it did not arrive whole, or was changed on the way, time and again.
    """
    seen: set[str] = set()
    for _ in range(3):
        tried(origin, lambda fs: fs.get_file(origin.inner, str(to)))
        entry = origin.entry()
        if (entry.size, entry.mtime_ns) == known and to.stat().st_size == entry.size:
            digest = _md5(to) if entry.md5 else ""
            # A storage that encrypts has tags that look like hashes; bytes that come twice are those that are there.
            if digest == entry.md5 or digest in seen:
                return entry.stat()
            seen.add(digest)
        known = entry.size, entry.mtime_ns
    raise OSError(errno.EIO, "it was changed while it was fetched, or does not arrive whole")


@contextmanager
def brought(path: Path) -> Iterator[Path]:
    """Give the file of this machine that a path leads to, for the length of the block: of a storage's a copy in TMPDIR.

    Raises:
        OSError: it cannot be fetched.
    """
    if not isinstance(path, Origin):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder:
        known, copy = path.entry(), Path(folder, path.name)
        fetch(path, copy, (known.size, known.mtime_ns))
        yield copy


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _turn(origin: Origin) -> AbstractContextManager[Any]:
    """Let one thread after another speak by SFTP: paramiko gives each the answers of the others."""
    return _sftp if origin.scheme == "sftp" else nullcontext()


def tried(origin: Origin, call: Callable[[Any], T]) -> T:
    """Ask a storage, several times where what fails may pass.

    Args:
        origin: what is asked for.
        call: is given the storage's file system.

    Raises:
        OSError: it did not pass.
        SettingsError: what reads such a storage is not installed.
    """
    for pause in (*_PAUSES, None):
        try:
            with _turn(origin):
                return call(file_system(origin.scheme, origin.parts[1]))
        except (SettingsError, Taken):
            raise
        except Exception as error:
            fault = as_fault(error)
            if pause is None or fault.errno in _FINAL:
                fault.filename = fault.filename or str(origin)  # for whoever says it without knowing of what
                raise fault from None
            forget(origin.scheme, origin.parts[1])  # its connection may be what broke
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def as_fault(error: Exception) -> OSError:
    """Return what a storage's library raised as a system would have said it; signatures in addresses are left out."""
    if where := elsewhere(error):
        return OSError(errno.EADDRNOTAVAIL, where)
    if why := refusal(error):
        return PermissionError(errno.EACCES, f"permission denied ({why})")
    if isinstance(error, FileNotFoundError) or names_no_bucket(error):
        return FileNotFoundError(errno.ENOENT, "no such file or folder")
    if isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, "permission denied")
    if isinstance(error, NotADirectoryError):
        return NotADirectoryError(errno.ENOTDIR, "a file is in the way")
    if isinstance(error, OSError) and error.errno in _OF_DISKS:
        return error
    if type(error).__name__ == "InsufficientStorage":
        return OSError(errno.ENOSPC, "no space is left in the storage")
    said = re.sub(r"\[Errno -?\w+\] |(?<=//)[^/\s@]*@|\?\S*", "", " ".join(str(error).split()))[:200] or "no answer"
    tells_all = isinstance(error, OSError) or (type(error).__module__ != "builtins" and " " in said)
    return OSError(errno.EIO, said if tells_all else f"{said} ({type(error).__name__})")
