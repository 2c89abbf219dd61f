"""Ways inside one folder, OUTPUT: no symbolic link on them is followed, and no name leads out of it.

The folder itself may be reached through a link (OUTPUT on another disk), once: while a run works it is `pinned`. Below
it each step is taken from the open folder above it, so what was checked is what is written to, whatever is put in its
place meanwhile.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN: Final = "/dev/fd"
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LinkInTheWay(OSError):
    """A symbolic link stands where a folder or file of OUTPUT belongs."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ELOOP, "a symbolic link is in the way", name)


def parts_of(place: str) -> list[str]:
    """Return the parts of a path relative to a folder, "/" between them; the one judge of paths that were stored.

    Raises:
        OSError: it is absolute, empty, or leads out of the folder.
    """
    parts = place.split("/")
    if "\0" in place or not {"", ".", ".."}.isdisjoint(parts):
        raise OSError(errno.EINVAL, "its name leads out of the output", place)
    return parts


def is_inside(place: str) -> bool:
    """Tell whether a stored path stays in its folder; see `parts_of`."""
    return "\0" not in place and {"", ".", ".."}.isdisjoint(place.split("/"))


Identity = tuple[int, int]  # of a folder: its disk and its number there, as long as somebody has it open
_pins: Final = dict[
    Path, list[tuple[int, Identity]]
]()  # by each who wants it so: the open folder, and which it must be


def pin(root: Path, known: Identity | None = None) -> int:
    """Hold on to the folder that has this name now, until `unpin`: another that gets the name is not used.

    Args:
        root: the folder.
        known: which one it must be, says the process that held it first; where it is another, it is not used either.

    Returns:
        It, open.

    Raises:
        OSError: it is not there.
    """
    descriptor = os.open(root, _FOLDER)
    _pins.setdefault(root, []).append((descriptor, known or _identity(os.fstat(descriptor))))
    return descriptor


def unpin(root: Path, descriptor: int) -> None:
    """Let go of what `pin` returned."""
    left = [each for each in _pins.pop(root) if each[0] != descriptor]
    if left:
        _pins[root] = left
    os.close(descriptor)


@contextmanager
def pinned(root: Path) -> Iterator[None]:
    """`pin` a folder for the length of the block."""
    descriptor = pin(root)
    try:
        yield
    finally:
        unpin(root, descriptor)


def pinned_as(root: Path) -> Identity | None:
    """Return which folder is pinned, for `pin` in another process of this machine; None: none is."""
    return _pins[root][0][1] if root in _pins else None


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def _open_root(root: Path) -> int:
    if root not in _pins:
        return os.open(root, _FOLDER)
    descriptor, known = _pins[root][0]
    # It is asked for by name, too: a disk that was unmounted is not written to because somebody still holds it.
    if not known == _identity(os.stat(root)) == _identity(os.fstat(descriptor)):  # noqa: PTH116
        raise OSError(errno.ESTALE, "another folder has taken its place", str(root))
    return os.open(".", _FOLDER, dir_fd=descriptor)


@contextmanager
def opened(root: Path, place: str, *, make: bool = False) -> Iterator[int]:
    """Open the folder at `place` inside `root` ("" for that itself) for the length of the block.

    Args:
        root: may be a link, must be there.
        place: relative to it.
        make: make what is missing below `root`.

    Raises:
        OSError: it is not there, or no folder, or `root` is pinned and another now; `LinkInTheWay` where a part of
            the way is a link.
    """
    descriptor = _open_root(root)
    try:
        for part in parts_of(place) if place else ():
            below = _step(part, descriptor, make=make)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _step(part: str, descriptor: int, *, make: bool) -> int:
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
    except FileNotFoundError:
        if not make:
            raise
        with suppress(FileExistsError):  # another worker was faster
            os.mkdir(part, dir_fd=descriptor)
        return _step(part, descriptor, make=False)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP) and _is_link(part, descriptor):
            raise LinkInTheWay(part) from None
        raise


def _is_link(name: str, descriptor: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
    except OSError:
        return False


@contextmanager
def _at(root: Path, place: str) -> Iterator[tuple[str, int]]:
    """Give a file's name and its folder, open."""
    *above, name = parts_of(place)
    with opened(root, "/".join(above)) as descriptor:
        yield name, descriptor


def create(name: str, folder: int) -> int:
    """Make a new file in an open folder and open it to write; nothing that is there is taken or followed."""
    return os.open(name, _NEW, 0o666, dir_fd=folder)


def has_open(name: str, folder: int) -> bool:
    """Tell whether this process has a file of an open folder open: a library that was given its path opened that one.

    Where the system does not say what is open, the answer is yes.
    """
    try:
        wanted = os.stat(name, dir_fd=folder, follow_symlinks=False)
        numbers = os.listdir(_OPEN)  # noqa: PTH208 - names, of a folder that is none
    except FileNotFoundError:
        return not os.path.isdir(_OPEN)  # noqa: PTH112
    for number in numbers:
        with suppress(OSError):  # the folder's own, which is closed by now
            if os.path.samestat(os.fstat(int(number)), wanted):
                return True
    return False


def read(root: Path, place: str) -> int:
    """Open a file inside `root` to read; see `opened`."""
    with _at(root, place) as (name, folder):
        try:
            return os.open(name, _READ, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise LinkInTheWay(name) from None
            raise


def sha256(root: Path, place: str) -> str:
    """Return the hash of a file inside `root`, in hexadecimal; see `opened`."""
    with os.fdopen(read(root, place), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def look(root: Path, place: str) -> os.stat_result:
    """Return what the system says of a file inside `root`, a link itself; see `opened`."""
    with _at(root, place) as (name, folder):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)


def remove(root: Path, place: str) -> None:
    """Remove a file inside `root`, or a link itself; see `opened`."""
    with _at(root, place) as (name, folder):
        os.unlink(name, dir_fd=folder)


def remove_tree(root: Path, place: str) -> None:
    """Remove a folder inside `root` and all in it, as far as it can be; a link is left alone."""
    with suppress(OSError), _at(root, place) as (name, folder):
        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)


def withdraw(root: Path, place: str, patience: float = 10.0) -> None:
    """Remove a folder inside `root` until it is gone, also while another host still writes into it.

    Once it is, nothing that was begun in it can be given a name any more, wherever its process lives.

    Args:
        root, place: see `opened`.
        patience: seconds.

    Raises:
        OSError: it is still there after that.
    """
    until = time.monotonic() + patience
    while True:
        remove_tree(root, place)
        try:
            look(root, place)
        except (FileNotFoundError, NotADirectoryError):
            return
        if time.monotonic() > until:
            raise OSError(errno.ENOTEMPTY, "it cannot be removed, or something still writes into it", place)
        time.sleep(0.05)


def move(root: Path, place: str, to: str) -> None:
    """Give a file inside `root` another name there; folders are made, nothing that is there is replaced.

    Raises:
        OSError: `FileExistsError` where something else has that name; else see `opened`.
    """
    *above, name = parts_of(to)
    with _at(root, place) as (old, here), opened(root, "/".join(above), make=True) as there:
        try:
            os.link(old, name, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
        except OSError:  # something has that name, or a file system without links; the driver alone writes here now
            known = os.stat(old, dir_fd=here, follow_symlinks=False)
            found = _found(name, there)
            if found is None or (os.path.samestat(found, known) and found.st_nlink == 1):  # it differs by case alone
                os.rename(old, name, src_dir_fd=here, dst_dir_fd=there)
                return
            if not os.path.samestat(found, known):
                raise FileExistsError(errno.EEXIST, "something has that name", to) from None
        os.unlink(old, dir_fd=here)


def _found(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def respell(root: Path, place: str, name: str) -> None:
    """Let a file inside `root` be listed as `name`, which its folder takes for the name it has: it tells no case."""
    with _at(root, place) as (old, folder):
        if old == name:  # the folder alone is spelled otherwise
            return
        os.rename(old, name, src_dir_fd=folder, dst_dir_fd=folder)
        if name in os.listdir(folder):  # noqa: PTH208 - names
            return
        aside = f"{uuid.uuid4().hex}.part"  # to the system nothing was to be renamed
        os.rename(old, aside, src_dir_fd=folder, dst_dir_fd=folder)
        try:
            os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.rename(aside, old, src_dir_fd=folder, dst_dir_fd=folder)
            raise


def remove_empty(root: Path, place: str) -> None:
    """Remove the folder at `place` and those above it inside `root`, as long as they are empty."""
    parts = place.split("/") if place else []
    with suppress(OSError):
        for end in range(len(parts), 0, -1):
            with _at(root, "/".join(parts[:end])) as (name, folder):
                os.rmdir(name, dir_fd=folder)
