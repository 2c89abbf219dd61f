"""Files of several pages: one page a span, joined to a TIFF of as many pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pipeline.colour.doubt import Doubting
from pipeline.colour.verdict import judge
from pipeline.ground import files, inside
from pipeline.ground.errors import ItemError
from pipeline.ground.items import Part, Result, Seen, Span, Status, Unit
from pipeline.media.develop import Task, develop, uncoloured
from pipeline.media.medium import Tools
from pipeline.media.photo.metadata import gather
from pipeline.media.photo.pages import join_pages, pages
from pipeline.media.photo.read import read
from pipeline.media.stills import seen_of


class Pages:
    """Implements `InPieces`; frames are counted as the file's directories, of which some are no pages."""

    def scan(self, unit: Unit, tools: Tools) -> Result:
        """See `InPieces.scan`."""
        numbers = pages(unit.source)
        if not numbers:
            raise ItemError("damaged: a TIFF without a page")
        spans = tuple(Span(number, page, page + 1) for number, page in enumerate(numbers))
        return Result(unit.key, Status.DONE, seen=Seen(frames=len(spans)), spans=spans)

    def piece(self, unit: Unit, tools: Tools) -> Result:
        """See `InPieces.piece`."""
        assert unit.span is not None
        try:
            return self._page(unit, unit.span, tools)
        except ItemError as error:
            raise ItemError(f"page {unit.span.number + 1}: {error}", error.cause) from None

    def _page(self, unit: Unit, span: Span, tools: Tools) -> Result:
        settings = tools.settings
        take = settings.on_damage == "done"
        room = tools.room_for(unit, "tif")
        picture = read(unit.source, max_megapixels=settings.max_megapixels, page=span.start, damaged=take, room=room)
        verdict = judge(picture.pixels, picture.alpha)
        kept = tools.keeps(unit, in_colour=verdict.kind == "color")
        net = Doubting(tools.net)
        digest = _sha256(unit.source, unit.size, unit.mtime_ns)
        task = Task(unit.source, digest, picture, "tif", replace(tools, net=net), span.start)
        data, _ = uncoloured(task) if kept else develop(task)  # what is lost, the join sees
        filed = tools.publish(data, f"{unit.parts_place}/{span.number:06d}.tif")
        _leave_note(picture.note, unit, span, tools)
        result = tools.done(unit, filed, replace(seen_of(picture, verdict), doubt=net.doubt))
        return replace(result, status=Status.COPIED) if kept else result

    def join(self, unit: Unit, tools: Tools) -> Result:
        """See `InPieces.join`."""
        seen = _seen_of_all(unit.parts, sha256=_sha256(unit.source, unit.size, unit.mtime_ns))
        kept = sum(part.status is Status.COPIED for part in unit.parts)
        if kept == len(unit.parts):
            return tools.keep_colour(unit, seen)
        paths = tools.parts(unit)
        whole = tools.scratch(".tif")
        try:
            join_pages(paths, whole)
        except OSError as error:
            raise files.unwritable(error, tools.job.tmp_dir) from None
        reason = f"{kept} of {len(paths)} pages were in colour and kept theirs" if kept else ""
        reason = "; ".join(each for each in (reason, _notes(unit, tools)) if each)
        lost = _lost(unit.source, unit.parts, paths)
        return replace(tools.done(unit, tools.deliver(whole, unit), seen, reason), metadata=lost)


@lru_cache(maxsize=4)
def _sha256(source: Path, size: int, mtime_ns: int) -> str:
    """Hash a file once for all of its pages that a worker has before it."""
    return files.sha256(source)


def _leave_note(note: str, unit: Unit, span: Span, tools: Tools) -> None:
    """Write what a person should know of a page beside its part, for the join."""
    place = f"{unit.parts_place}/{span.number:06d}.txt"
    if note:
        tools.publish(note.encode(), place)
    else:
        with suppress(FileNotFoundError):
            inside.remove(tools.job.output, place)


def _notes(unit: Unit, tools: Tools) -> str:
    """Return what the pieces left to say, each with the pages that it is said of."""
    pages_of = dict[str, list[int]]()
    for part in unit.parts:
        path = tools.job.output / unit.parts_place / f"{part.span.number:06d}.txt"
        if path.is_file():
            pages_of.setdefault(path.read_text(), []).append(part.span.number + 1)
    return "; ".join(f"{_listed(numbers)}: {note}" for note, numbers in pages_of.items())


def _lost(source: Path, parts: Sequence[Part], paths: Sequence[Path]) -> str:
    """Return what pages say of themselves that their copies don't, as phrases with the pages' numbers."""
    pages_of = dict[str, list[int]]()
    for part, path in zip(parts, paths, strict=True):
        said = gather(source, part.span.start)
        for name in (*said.missing(gather(path)), *said.lost):
            pages_of.setdefault(name, []).append(part.span.number + 1)
    return "; ".join(f"{name} of {_listed(numbers)}" for name, numbers in pages_of.items())


def _listed(numbers: Sequence[int]) -> str:
    return f"page {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} pages, the first is {numbers[0]}"


def _seen_of_all(parts: Sequence[Part], sha256: str) -> Seen:
    """Return what the manifest says of the file: size of its first page, verdict and chroma of all, the worst doubt."""
    verdicts = [part.seen.verdict for part in parts]
    strongest = next((word for word in ("color", "toned") if word in verdicts), "neutral")
    chroma = sum(part.seen.chroma or 0.0 for part in parts) / len(parts)
    first, doubts = parts[0].seen, [part.seen.doubt for part in parts if part.seen.doubt is not None]
    seen = replace(first, source_sha256=sha256, verdict=strongest, chroma=round(chroma, 2), frames=len(parts))
    return replace(seen, doubt=max(doubts, default=None))
