"""Every finished picture of an archive held to what was promised: whole, its original inside, its luma the source's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.journal import Journal
from pipeline.archive.places import places_of, source_path
from pipeline.archive.row import Row
from pipeline.archive.schema import Run
from pipeline.archive.spelling import unescape
from pipeline.ground import files, inside, shelf
from pipeline.ground.errors import ItemError
from pipeline.ground.items import MADE, Kind, Status
from pipeline.ground.pixels import eight_bits, grey_of
from pipeline.ground.storage import Origin, brought
from pipeline.media.develop import NO_LUMA
from pipeline.media.photo.decoders import JPEG
from pipeline.media.photo.jpeg.luma import decoded
from pipeline.media.photo.jpeg.record import is_record, original
from pipeline.media.photo.jpeg.segments import parse
from pipeline.media.photo.pages import pages
from pipeline.media.photo.read import read

_NO_LIMIT = 100_000.0


class Luma(StrEnum):
    """What was found of an output's luma."""

    EXACT = "luma is the source's, exactly"
    ANEW = "luma coded anew, as the manifest says"
    COPY = "copied byte for byte"
    FILM = "a film, as it was written; its luma was coded anew"
    UNSEEN = "source not at hand, luma not compared"
    WRONG = "luma differs from the source's"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one output.

    Attributes:
        output: its name, as in the manifest.
        luma: what its luma is; None where the file itself is wrong.
        restorable: its original is inside and came out with the source's hash.
        problems: what is wrong, as phrases; empty when all is well.
    """

    output: str
    luma: Luma | None
    restorable: bool
    problems: list[str] = field(default_factory=list)


def verify(output: Path) -> Iterator[Finding]:
    """Look at every finished output of an archive, in the order of the manifest; nothing is written.

    Raises:
        OutputError: OUTPUT holds no journal.
    """
    with Journal(output, read_only=True) as journal:
        runs = journal.runs()
        inputs = places_of(runs.values(), output)
        for row in journal.rows():
            if row.status in MADE and row.output:
                run = runs.get(row.run_id)
                key = unescape(row.key)
                known = inputs[run.inputs] if run is not None and inside.is_inside(key) else []
                yield _finding(row, output, source_path(known, key) if known else None, run)


def _finding(row: Row, output: Path, source: Path | None, run: Run | None) -> Finding:
    try:
        with shelf.as_file(output, unescape(row.output)) as path:
            digest = files.sha256(path) if shelf.of(output) else inside.sha256(output, unescape(row.output))
            return _of_file(row, path, digest, source, run)
    except OSError as error:
        return Finding(row.output, None, False, [files.words(error)])


def _of_file(row: Row, path: Path, digest: str, source: Path | None, run: Run | None) -> Finding:
    if digest != row.output_sha256:
        return Finding(row.output, None, False, ["it was changed since it was written"])
    if row.status == Status.COPIED:
        same = digest == row.source_sha256
        return Finding(row.output, Luma.COPY, False, [] if same else ["the copy is not the source"])
    if row.kind == Kind.FILM:  # decoded from its first to its last frame before it got its name
        return Finding(row.output, Luma.FILM, False)
    try:
        before = _restored(path, row)
        kept = run is not None and run.settings.get("lightness") == "luma" and NO_LUMA not in row.metadata
        luma = _luma(path, source, row, before) if kept else Luma.ANEW
    except (ItemError, OSError) as error:
        return Finding(row.output, None, False, [str(error)])
    problems = [str(luma)] if luma is Luma.WRONG else []
    return Finding(row.output, luma, bool(before), problems)


def _restored(path: Path, row: Row) -> bytes:
    """Return the original inside, its hash checked against the manifest's; nothing where there is none."""
    with path.open("rb") as file:
        data = file.read() if JPEG.begins.match(file.peek(3)) else b""
    if not data or not any(is_record(data, part) for part in parse(data).segments):
        return b""
    found = original(data)
    if hashlib.sha256(found).hexdigest() != row.source_sha256:
        raise ItemError("the original inside is not the source that the manifest names")
    return found


def _luma(path: Path, source: Path | None, row: Row, before: bytes) -> Luma:
    if before:
        return _same(decoded(path.read_bytes()), decoded(before))
    if source is None or not (isinstance(source, Origin) or source.is_file()):
        return Luma.UNSEEN
    with ExitStack() as stack:
        try:
            near = stack.enter_context(brought(source))
        except OSError:
            return Luma.UNSEEN
        return _compared(path, near, row) if files.sha256(near) == row.source_sha256 else Luma.UNSEEN


def _compared(path: Path, source: Path, row: Row) -> Luma:
    if row.kind == Kind.PAGES:
        return _same_pages(path, source)
    data = source.read_bytes()
    made = path.read_bytes()
    if JPEG.begins.match(data) and JPEG.begins.match(made):
        return _same(decoded(made), decoded(data))
    return _same(_grey(path), _grey(source))


def _same_pages(path: Path, source: Path) -> Luma:
    of_source, made = pages(source), pages(path)
    if len(of_source) != len(made):  # the first alone was asked for
        of_source = of_source[: len(made)]
    pairs = zip(made, of_source, strict=True)
    same = all(_same(_grey(path, here), _grey(source, there)) is Luma.EXACT for here, there in pairs)
    return Luma.EXACT if same else Luma.WRONG


def _same(one: NDArray[Any], other: NDArray[Any]) -> Luma:
    if one.dtype != other.dtype:  # the format of one holds 8 bits alone
        one, other = grey_of(eight_bits(one)), grey_of(eight_bits(other))
    return Luma.EXACT if np.array_equal(one, other) else Luma.WRONG


def _grey(path: Path, page: int | None = None) -> NDArray[Any]:
    return grey_of(read(path, max_megapixels=_NO_LIMIT, page=page, damaged=True).pixels)
