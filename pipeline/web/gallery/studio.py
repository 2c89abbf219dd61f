"""Makes the thumbnails that are missing, in worker processes: a file that kills its decoder takes no other along."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Final

from joblib.externals.loky import ProcessPoolExecutor

from pipeline.ground.errors import ItemError, OutputError
from pipeline.ground.files import Room, publish, words
from pipeline.ground.storage import brought
from pipeline.web.gallery.facts import Fact, Facts
from pipeline.web.gallery.items import File
from pipeline.web.gallery.rendition import VERSION, Rendition, render

_CHUNK: Final = 16
_AHEAD: Final = 4  # chunks in the pool for each worker
_SAVE_EVERY: Final = 30.0  # seconds
DIED: Final = "its decoder crashed on it"


@dataclass(frozen=True, slots=True)
class Task:
    """One thumbnail that is to be made.

    Attributes:
        name: see `name_of`.
        file: of what.
        side: of the thumbnail, in pixels, at most.
    """

    name: str
    file: File
    side: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What a worker needs to know of where it works.

    Attributes:
        room: of OUTPUT.
        folder: of the thumbnails, relative to it.
        max_megapixels: larger pictures are not opened.
    """

    room: Room
    folder: str
    max_megapixels: float


def name_of(file: File, side: int) -> str:
    """Return a thumbnail's name, "ab/cdef.jpg": another one for other contents, sizes and versions."""
    said = f"{VERSION} {side} {file.film} {file.digest}"
    digest = hashlib.sha256(said.encode()).hexdigest()
    return f"{digest[:2]}/{digest[2:24]}.jpg"


def loop_of(name: str) -> str:
    """Return the name of the moving picture beside a thumbnail."""
    return f"{name.removesuffix('.jpg')}.webp"


def make_missing(
    tasks: Sequence[Task], facts: Facts, desk: Desk, workers: int, on_made: Callable[[int], None] = lambda count: None
) -> None:
    """Make thumbnails and put down what was learnt; what was made before an interruption stays known.

    Args:
        tasks: of different names.
        facts: grows.
        desk: where.
        workers: processes.
        on_made: told how many were made.

    Raises:
        OutputError: they can't be written.
    """
    saved = time.monotonic()
    try:
        for made in _made(tasks, desk, workers):
            facts.known.update(made)
            on_made(len(made))
            if time.monotonic() - saved > _SAVE_EVERY:
                facts.keep(desk.room)
                saved = time.monotonic()
    finally:
        if tasks:
            facts.keep(desk.room)


def _made(tasks: Sequence[Task], desk: Desk, workers: int) -> Iterator[dict[str, Fact]]:
    """Yield facts as they come; what was in the pool when a worker died is tried again, one by one."""
    left = [tasks[at : at + _CHUNK] for at in range(0, len(tasks), _CHUNK)]
    while left:
        chunks = iter(left)
        left = []
        suspects = yield from _in_pool(chunks, desk, min(workers, len(tasks)))
        for task in suspects:
            yield _alone(task, desk)
        left = list(chunks)


def _in_pool(
    chunks: Iterator[Sequence[Task]], desk: Desk, workers: int
) -> Generator[dict[str, Fact], None, list[Task]]:
    """Yield facts; return what was in the pool when a worker died."""
    with ProcessPoolExecutor(max_workers=workers) as pool:
        futures: dict[Future[dict[str, Fact]], Sequence[Task]] = {}
        due = list(islice(chunks, workers * _AHEAD))
        while due or futures:
            try:
                while due:
                    futures[pool.submit(work, due[-1], desk)] = due[-1]
                    due.pop()
                done = next(as_completed(futures))
                yield done.result()
            except BrokenProcessPool:
                return [task for chunk in (*due, *futures.values()) for task in chunk]
            del futures[done]
            due = list(islice(chunks, 1))
    return []


def _alone(task: Task, desk: Desk) -> dict[str, Fact]:
    with ProcessPoolExecutor(max_workers=1) as pool:
        try:
            future: Future[dict[str, Fact]] = pool.submit(work, [task], desk)
            return future.result()
        except BrokenProcessPool:
            return {task.name: _fact(Rendition(problem=DIED))}


def work(tasks: Sequence[Task], desk: Desk) -> dict[str, Fact]:
    """Make some thumbnails, in a worker; return what was learnt by their names. A file of a storage is fetched once."""
    made: dict[str, Fact] = {}
    for file, group in groupby(tasks, lambda task: task.file):
        alike = list(group)
        try:
            with nullcontext(file.path) if file.film else brought(file.path) as path:
                made |= {task.name: _one(task, path, desk) for task in alike}
        except OSError as error:
            made |= {task.name: _fact(Rendition(problem=words(error))) for task in alike}
    return made


def _one(task: Task, path: Path, desk: Desk) -> Fact:
    try:
        made = render(path, film=task.file.film, side=task.side, max_megapixels=desk.max_megapixels)
    except Exception as error:  # of one picture; all others go on
        return _fact(Rendition(problem=f"a fault of the program: {type(error).__name__}: {error}"))
    for name, data in ((task.name, made.jpeg), (loop_of(task.name), made.loop)):
        if data:
            _put(f"{desk.folder}/{name}", data, desk.room)
    return _fact(made)


def _put(place: str, data: bytes, room: Room) -> None:
    try:
        publish(data, place, room)
    except ItemError as error:
        raise OutputError(f"{room.root / place} {error}.") from None


def _fact(made: Rendition) -> Fact:
    return Fact(made.width, made.height, made.colourfulness, made.said, bool(made.loop), made.problem)
