"""A file brought into a storage: it appears there whole or not at all, and replaces only what it was told to.

Which way that goes depends on the storage; each has a file of its own here. Nothing here decides; see `shelf`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pipeline.ground.storage import Origin
from pipeline.ground.uploads.gs import Google
from pipeline.ground.uploads.s3 import S3
from pipeline.ground.uploads.sftp import Sftp
from pipeline.ground.uploads.way import Body, Stood, Way
from pipeline.ground.uploads.webdav import WebDav

__all__ = ["WRITABLE", "Body", "Stood", "abandoned", "carry", "look", "remove", "remove_empty", "rename", "sweep"]

_WAYS: Final[dict[str, Way]] = {"s3": S3(), "gs": Google(), "sftp": Sftp(), "webdav": WebDav(), "webdavs": WebDav()}
WRITABLE: Final = tuple(_WAYS)


def look(at: Origin) -> Stood | None:
    """Return what stands there; None where nothing does.

    Raises:
        IsADirectoryError: a folder does.
        OSError: nobody knows.
    """
    return _WAYS[at.scheme].look(at)


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
    return _WAYS[to.scheme].carry(body, to, over, tmp)


def remove(at: Origin) -> None:
    """Remove a file, which must be one; raises `OSError`."""
    _WAYS[at.scheme].remove(at)


def rename(old: Origin, new: Origin) -> None:
    """Give a file another name, which nothing has; raises `Taken`, `OSError`."""
    _WAYS[old.scheme].rename(old, new)


def remove_empty(folder: Origin) -> None:
    """Remove a folder that is empty, where that can be done without a look before it; raises `OSError`."""
    _WAYS[folder.scheme].remove_empty(folder)


def sweep(tmp: Origin) -> None:
    """Remove what is unfinished of earlier runs: nobody can finish it any more; raises `OSError`."""
    _WAYS[tmp.scheme].sweep(tmp)


def abandoned(folder: Origin) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what was begun in parts below a folder and not completed: its place there, and what takes it back."""
    return _WAYS[folder.scheme].abandoned(folder)
