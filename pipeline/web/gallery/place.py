"""Where a gallery is written: one folder of OUTPUT that is ours alone, through no link, each file whole."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from pipeline.archive.own import FOLDER, GALLERY, GALLERY_LOCK, GALLERY_MARK, MANIFEST, check_own
from pipeline.archive.spelling import fold
from pipeline.ground import inside
from pipeline.ground.errors import ItemError, LockedError, OutputError, SettingsError
from pipeline.ground.files import Bytes, Room, is_special, publish, words

NAME: Final = "gallery"
THUMBS: Final = "thumbs"
DATA: Final = "data"
# What stands in a page of ours, by which one that lies in its place is known.
SIGN: Final = '<meta name="generator" content="colorize gallery">'
_FORMAT: Final = "colorize-gallery"
_PATIENCE: Final = 0.3  # seconds


@dataclass(frozen=True, slots=True)
class Place:
    """A gallery's folder, held by this process.

    Attributes:
        output: OUTPUT.
        name: of the folder in it.
        room: where its files are written.
    """

    output: Path
    name: str
    room: Room

    @property
    def folder(self) -> Path:
        """The folder."""
        return self.output / self.name

    def write(self, name: str, data: Bytes | str) -> None:
        """Write a file of the gallery, named relative to its folder, whole or not at all.

        Raises:
            OutputError: it can't be written.
        """
        self.write_beside(f"{self.name}/{name}", data)

    def write_beside(self, place: str, data: Bytes | str) -> None:
        """As `write`, of a file named relative to OUTPUT; raises `OutputError`."""
        raw = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
        try:
            publish(raw, place, self.room)
        except ItemError as error:
            raise OutputError(f"{self.output / place} {error}.") from None

    def thumbs(self) -> set[str]:
        """Return the names of the thumbnails that are there: "ab/cdef.jpg"."""
        found = set[str]()
        with suppress(OSError), os.scandir(self.folder / THUMBS) as shelves:
            for shelf in shelves:
                if shelf.is_dir(follow_symlinks=False):
                    with suppress(OSError), os.scandir(shelf.path) as files:
                        found.update(f"{shelf.name}/{each.name}" for each in files if each.is_file())
        return found

    def sweep(self, thumbs: Collection[str], generation: str) -> None:
        """Remove thumbnails that no item has any more, and the data of earlier generations."""
        for name in self.thumbs() - set(thumbs):
            with suppress(OSError):
                inside.remove(self.output, f"{self.name}/{THUMBS}/{name}")
        with suppress(OSError):
            for old in (self.folder / DATA).iterdir():
                if old.name != generation:
                    inside.remove_tree(self.output, f"{self.name}/{DATA}/{old.name}")


@contextmanager
def held(output: Path, name: str, taken: Collection[str], *, folder: bool = True) -> Iterator[Place]:
    """Hold a gallery's folder, made if need be, for the length of the block. A run may work meanwhile.

    Args:
        output: OUTPUT, which has a journal.
        name: of the folder.
        taken: first parts of the names of the archive's own outputs.
        folder: whether it is written; else the name is only held.

    Raises:
        SettingsError: the name is none for a folder of OUTPUT, or the archive's own.
        LockedError: another `colorize gallery` works on it.
        OutputError: something that is not ours is in its place, or it can't be written.
    """
    _check_name(name, taken)
    check_own(output)
    lock = FileLock(output / FOLDER / GALLERY_LOCK, timeout=_PATIENCE)
    try:
        lock.acquire(poll_interval=0.02)
    except Timeout:
        raise LockedError(f"Another `colorize gallery` works on {output}: wait for its end.") from None
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {words(error)}.") from None
    try:
        tmp = f"{FOLDER}/{GALLERY}/tmp"
        _sweep_tmp(output, tmp)
        room = Room(output, output / tmp)
        if folder:
            _claim(output, name, room)
        yield Place(output, name, room)
    finally:
        inside.remove_tree(output, f"{FOLDER}/{GALLERY}/tmp")
        lock.release()


def _check_name(name: str, taken: Collection[str]) -> None:
    if "/" in name or not inside.is_inside(name) or name in (FOLDER, MANIFEST) or name.startswith("."):
        raise SettingsError(f"--name {name}: give a name for a folder inside OUTPUT, such as {NAME}.")
    if fold(name) in map(fold, taken):
        raise SettingsError(
            f"The archive has a folder or file {name} of its own: give the gallery another one with --name."
        )


def _sweep_tmp(output: Path, tmp: str) -> None:
    try:
        inside.remove_tree(output, tmp)
        with inside.opened(output, tmp, make=True):
            return
    except OSError as error:
        raise OutputError(f"{output / tmp} cannot be written: {words(error)}.") from None


def _claim(output: Path, name: str, room: Room) -> None:
    """Make sure that the folder is ours, or make it ours where the name is free."""
    folder = output / name
    try:
        mode = os.lstat(folder).st_mode
    except FileNotFoundError:
        mode = 0
    except OSError as error:
        raise OutputError(f"{folder} cannot be looked at: {words(error)}.") from None
    if stat.S_ISLNK(mode):
        raise OutputError(f"{folder} is a symbolic link, and no link is written through: remove it and run again.")
    if mode and not _is_ours(output, name) and not (stat.S_ISDIR(mode) and not any(folder.iterdir())):
        raise OutputError(f"{folder} was not made by `colorize gallery`: move it away, or name another with --name.")
    if not mode or not _is_ours(output, name):
        Place(output, name, room).write(GALLERY_MARK, json.dumps({"format": _FORMAT, "version": 1}) + "\n")


def _is_ours(output: Path, name: str) -> bool:
    try:
        with os.fdopen(inside.read(output, f"{name}/{GALLERY_MARK}"), "rb") as file:
            return bool(json.loads(file.read(10_000))["format"] == _FORMAT)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def check_page(path: Path) -> None:
    """Refuse to replace a page that is not ours.

    Raises:
        OutputError: one lies there, or a link.
    """
    if path.is_symlink():
        raise OutputError(f"{path} is a symbolic link, and no link is written through: remove it and run again.")
    if is_special(path):
        raise OutputError(f"{path} is a pipe or a device, and no file: move it away, or name another with --name.")
    try:
        with path.open("rb") as file:
            ours = SIGN.encode() in file.read(4000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {words(error)}.") from None
    if not ours:
        raise OutputError(f"{path} was not made by `colorize gallery`: move it away, or name another with --name.")
