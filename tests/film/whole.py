"""A whole film in one go, in this process: scan, pieces, join."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.ground.errors import OutputError
from pipeline.media.film.index import Index, spans
from pipeline.media.film.join import Joined, join
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.scan import scan
from pipeline.media.film.segment import Piece, piece
from pipeline.nets.net import Net

_SPAN = 240


@dataclass(frozen=True, slots=True)
class Colored:
    """What became of a film.

    Attributes:
        index: its scan.
        pieces: how its pieces went; empty when it was copied.
        joined: the output.
        copied: every shot was in colour already, and the film was copied byte for byte.
    """

    index: Index
    pieces: tuple[Piece, ...]
    joined: Joined
    copied: bool = False


def colorize_film(
    source: Path,
    destination: Path,
    net: Net,
    options: FilmOptions | None = None,
    *,
    length: int = _SPAN,
    watch: Callable[[int, int], None] | None = None,
) -> Colored:
    """Colour one film.

    Args:
        source: only read.
        destination: appears when it is whole; an older file is replaced. Its suffix is left as it is:
            `containers.container_for` says which one fits.
        net: asked for ab.
        options: None: the defaults.
        length: frames of a piece, about.
        watch: called after each piece with the frames done and the frames in all.

    Raises:
        ItemError: the film cannot be coloured; the message says why.
        OutputError: the output cannot be written.
    """
    options = options or FilmOptions()
    index = scan(source)
    folder = destination.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        room = tempfile.TemporaryDirectory(prefix=".colorize-", dir=folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}.") from None
    with room as name:
        finished = Path(name) / "film"
        if index.all_color and options.on_color == "keep" and not options.width:
            shutil.copyfile(source, finished)
            finished.replace(destination)
            return Colored(index, (), Joined(destination.stat().st_size, index.frames), copied=True)
        pieces, parts = [], []
        for number, (start, stop) in enumerate(spans(index, length)):
            parts.append(Path(name) / f"{number}.part")
            pieces.append(piece(source, index, range(start, stop), net, options, parts[-1]))
            if watch is not None:
                watch(stop, index.frames)
        joined = join(source, index, parts, finished, options)
        finished.replace(destination)
        return Colored(index, tuple(pieces), joined)
