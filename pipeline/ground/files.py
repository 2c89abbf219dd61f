"""Files that appear whole or not at all, hashes, and words for what the system says."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from pipeline.ground import inside
from pipeline.ground.errors import Cause, ItemError, OutputError, inside_a_sentence
from pipeline.ground.storage import Origin

Bytes = bytes | bytearray | memoryview

_CHUNK: Final = 1 << 20
_NO_TIMES: Final = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # a share, whose files are another's
# The next file would meet the same: the run stops instead of failing ten thousand times.
_FATAL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV}


def words(error: OSError) -> str:
    """Return what the system said, to stand inside a sentence: "no space left on device"."""
    if error.errno == errno.ENAMETOOLONG:
        return "its path is too long"
    return inside_a_sentence(error.strerror or str(error))


def read_plain(path: Path, largest: int = 1 << 20) -> bytes:
    """Read a file that a person has named, whole; a pipe or a device, which may have no end, is not waited for.

    Args:
        path: the file.
        largest: bytes that it may have.

    Raises:
        OSError: it cannot be read, is no file, or larger.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, and no file")
        if found.st_size > largest:
            raise OSError(errno.EFBIG, f"it is larger than {largest:,} bytes")
        return file.read(found.st_size)


def may_be_there(look: Callable[[], object]) -> bool:
    """Tell whether a look finds something, or may have missed it: a disk that fails does not say that nothing is there.

    Args:
        look: such as `path.lstat`; raises `OSError`.
    """
    try:
        look()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def is_special(path: Path) -> bool:
    """Tell whether a pipe, a socket or a device has this name: what may have no end, and what no file replaces."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_destination(path: Path, *, source: Path | None = None, force: bool) -> None:
    """Refuse to write where something lies that must not go.

    Args:
        path: where a file is to appear.
        source: the original, which is there; None: there is none.
        force: what lies there is replaced.

    Raises:
        OutputError: it is a folder, the original, a pipe or a device; or anything, without `force`.
    """
    if not path.exists():
        return
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file.")
    if source is not None and path.samefile(source):
        raise OutputError(f"{path} is the original itself; originals are never written.")
    if is_special(path):
        raise OutputError(f"{path} is a pipe or a device; name a file.")
    if not force:
        raise OutputError(f"{path} is there already; --force replaces it.")


def lost_folder(path: Path) -> bool:
    """Tell whether a file that is gone went with its folder: that is not there, or empty, as a lost mount is."""
    if isinstance(path, Origin):  # a storage says by itself that it cannot be reached
        return False
    try:
        with os.scandir(path.parent) as entries:
            return next(entries, None) is None
    except OSError:
        return True


def sha256(path: Path) -> str:
    """Return the hash of a file's bytes, in hexadecimal; raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write whose bytes take the name `path` when the block ends well; else nothing is changed.

    Args:
        path: the file to make or to replace, in a folder that is there.

    Raises:
        OSError: it cannot be written; or a pipe or a device stands there, which a file must not replace.
    """
    if is_special(path):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:  # nothing that is there is taken or followed
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: Path, data: Bytes | str) -> None:
    """Write a file so that it appears whole or not at all; text as UTF-8. Raises `OSError`."""
    with replacing(path) as file:
        file.write(data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems can't, and lose nothing by it
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Room:
    """Where files of an output are written: the output, and a folder inside it for what is not finished.

    Attributes:
        root: OUTPUT; nothing leads out of it, and no link below it is followed.
        tmp_dir: an existing folder inside `root`; it is never made here, so that a worker whose run is over cannot
            publish any more.
    """

    root: Path
    tmp_dir: Path

    @contextmanager
    def unfinished(self) -> Iterator[int]:
        """Open `tmp_dir`."""
        with inside.opened(self.root, self.tmp_dir.relative_to(self.root).as_posix()) as folder:
            yield folder


class Written(NamedTuple):
    """What was written: size in bytes, sha256 in hexadecimal, and whether it has the times that it was to have."""

    size: int
    sha256: str
    dated: bool = True


@contextmanager
def appearing(place: str, room: Room) -> Iterator[BinaryIO]:
    """Give a file to write that takes its place when the block ends well; the rest as `publish`. Raises `OSError`."""
    with _part(place, room) as descriptor, os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(descriptor)


@contextmanager
def _part(place: str, room: Room) -> Iterator[int]:
    """Give the descriptor of a new file, to be closed in the block; it takes its place when that ends well."""
    name = f"{uuid.uuid4().hex}.part"
    with room.unfinished() as folder:
        try:
            yield inside.create(name, folder)
            _move(name, folder, place, room)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def publish(data: Bytes | Path, place: str, room: Room, times: os.stat_result | None = None) -> Written:
    """Write a file so that it appears whole or not at all: its bytes are on the disk before it has its name.

    Args:
        data: the bytes, or a finished file inside `room.tmp_dir`, which is moved.
        place: where it goes, relative to `room.root`; missing folders are made, an older file is replaced.
        room: where it is written.
        times: of a file whose access and modification time it is given, if OUTPUT allows that.

    Raises:
        OutputError: nothing can be written at all: no space, read-only, or `tmp_dir` is gone.
        ItemError: this file can't be written there: name too long, permission, something in the way.
    """
    if isinstance(data, Path):
        try:
            with data.open("r+b") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                dated = _date(file.fileno(), times)
                os.fsync(file.fileno())
            size = data.stat().st_size
            with room.unfinished() as folder:
                _move(data.name, folder, place, room)
        except OSError as error:
            raise unwritable(error, room.tmp_dir) from None
        return Written(size, digest, dated)
    view = memoryview(data).cast("B")
    return _place((view[at : at + _CHUNK] for at in range(0, len(view), _CHUNK)), place, room, times)


def copy_bytes(source: Path, place: str, room: Room) -> Written:
    """Copy a file byte for byte, with its modification time, as safely as `publish`.

    Raises:
        FileNotFoundError: the source is gone.
        ItemError: the source can't be read, or this file can't be written there.
        OutputError: nothing can be written at all.
    """
    try:
        file = source.open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(error) from None
    with file:
        return copy_open(file, place, room)


def copy_open(file: io.BufferedReader, place: str, room: Room) -> Written:
    """As `copy_bytes`, of a file that is open, whatever has its name by now."""
    return _place(_chunks(file), place, room, os.fstat(file.fileno()))


def repeat(place: str, to: str, room: Room, times: os.stat_result | None = None) -> Written:
    """Copy a file of `room.root` to another place there; as `publish`. Raises `OSError` where it cannot be read."""
    with os.fdopen(inside.read(room.root, place), "rb") as file:
        return _place(_chunks(file), to, room, times)


def unreadable(error: OSError) -> ItemError:
    """Return why a source cannot be read; a later run tries it again."""
    if isinstance(error, PermissionError):
        return ItemError("permission denied", Cause.SYSTEM)
    return ItemError(f"cannot be read: {words(error)}", Cause.SYSTEM)


def _chunks(file: io.BufferedReader) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(_CHUNK)
        except OSError as error:
            raise unreadable(error) from None
        if not chunk:
            return
        yield chunk


def _place(chunks: Iterable[Bytes], place: str, room: Room, times: os.stat_result | None) -> Written:
    try:
        with _part(place, room) as descriptor:
            return _write(chunks, descriptor, times)
    except OSError as error:
        raise unwritable(error, room.tmp_dir) from None


def _write(chunks: Iterable[Bytes], descriptor: int, times: os.stat_result | None) -> Written:
    digest, size = hashlib.sha256(), 0
    with open(descriptor, "wb", buffering=0) as file:
        for chunk in chunks:
            digest.update(chunk)
            rest = memoryview(chunk)
            size += len(rest)
            while rest:  # an unbuffered write may take less than it was given
                rest = rest[file.write(rest) or 0 :]
        dated = _date(descriptor, times)
        os.fsync(descriptor)
    return Written(size, digest.hexdigest(), dated)


def _date(descriptor: int, times: os.stat_result | None) -> bool:
    """Give a file its times; tell whether it has them."""
    if times is None:
        return True
    try:
        os.utime(descriptor, ns=(times.st_atime_ns, times.st_mtime_ns))
    except OSError as error:
        if error.errno not in _NO_TIMES:
            raise
        return False
    return True


def _move(name: str, unfinished: int, place: str, room: Room) -> None:
    # The folders are not fsynced: should a power cut undo a rename, the next run sees that the file is missing and
    # makes it again. Waiting for it took a fifth of the time of a small picture.
    *above, last = inside.parts_of(place)
    with inside.opened(room.root, "/".join(above), make=True) as there:
        os.replace(name, last, src_dir_fd=unfinished, dst_dir_fd=there)


def beyond_the_disk() -> ItemError:
    """Return what to raise where a file became larger than OUTPUT's file system lets one be: the next is smaller."""
    return ItemError("too large for one file where OUTPUT lies (FAT: 4 GB)", Cause.FORMAT_LIMIT)


def unwritable(error: OSError, tmp_dir: Path) -> OutputError | ItemError:
    """Return what to raise when OUTPUT took no file: `OutputError` where it will take no other either."""
    text = error.strerror or str(error)
    if error.errno in _FATAL:
        remedy = "Make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "See what became of it"
        return OutputError(f"The output cannot be written: {text}. {remedy} or choose another output, then run again.")
    if error.errno == errno.EFBIG:
        return beyond_the_disk()
    if not tmp_dir.is_dir():
        return OutputError(f"The folder {tmp_dir} is gone: another run has taken over this output, or it was removed.")
    if not os.access(tmp_dir, os.W_OK | os.X_OK):
        return OutputError(f"The folder {tmp_dir} cannot be written: {text}.")
    if error.errno == errno.EXDEV:
        reason = "its folder lies on another file system than the output"
        return ItemError(f"cannot be written: {reason}", Cause.SYSTEM)
    if isinstance(error, inside.LinkInTheWay):
        return ItemError("cannot be written: a symbolic link is in the way", Cause.IN_THE_WAY)
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY):
        return ItemError("cannot be written: a file or folder of the same name is in the way", Cause.IN_THE_WAY)
    return ItemError(f"cannot be written: {text}", Cause.SYSTEM)
