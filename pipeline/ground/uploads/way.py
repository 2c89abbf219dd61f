"""What each way of bringing files to a storage can do, in the words of `uploads`."""

from __future__ import annotations

import base64
import io
import mimetypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.ground.storage import Origin

Body = Path | bytes


class Stood(NamedTuple):
    """A file that stands in a storage: as in `storage.Entry`; `tag` as the storage says it."""

    size: int
    mtime_ns: int
    md5: str
    tag: str


class Way(ABC):
    """The way of one kind of storage; see the functions of the same names in `uploads`."""

    @abstractmethod
    def look(self, at: Origin) -> Stood | None:
        """Return what stands there."""

    @abstractmethod
    def carry(self, body: Body, to: Origin, over: Stood | None, tmp: Origin) -> str:
        """Bring a file to its place."""

    @abstractmethod
    def remove(self, at: Origin) -> None:
        """Remove a file."""

    @abstractmethod
    def rename(self, old: Origin, new: Origin) -> None:
        """Give a file another name."""

    def remove_empty(self, folder: Origin) -> None:
        """Remove a folder that is empty: where there are none, nothing is to be done."""
        return

    def sweep(self, tmp: Origin) -> None:
        """Remove what is unfinished of earlier runs, where that lies in a folder."""
        return

    def abandoned(self, folder: Origin) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield what was begun in parts and not completed, where a storage tells."""
        return iter(())


@contextmanager
def opened(body: Body) -> Iterator[tuple[io.BytesIO | io.BufferedReader, int]]:
    """Give a file to be read, and its size."""
    if isinstance(body, bytes):
        yield io.BytesIO(body), len(body)
        return
    with body.open("rb") as file:
        yield file, body.stat().st_size


def kind_of(name: str) -> str:
    """Return the media type that a file of this name is served with."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def coded(digest: bytes) -> str:
    """Return a digest as storages take it."""
    return base64.b64encode(digest).decode()
