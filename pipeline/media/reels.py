"""Films: spans of frames, encoded one by one, joined with the source's sound and everything else it holds.

PyAV is an extra: nothing of `pipeline.media.film` is imported before a film is there.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.ground import files
from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.items import WHOLE, Forecast, Result, Seen, Span, Status, Unit, Viewing
from pipeline.ground.settings import Settings
from pipeline.media.medium import Tools, lost_part
from pipeline.media.photo.read import guard

if TYPE_CHECKING:
    from pipeline.media.film.index import Index
    from pipeline.media.film.options import FilmOptions

INSTALLED: Final = importlib.util.find_spec("av") is not None
MISSING: Final = "a film: `pip install 'colorize-archive[film]'` brings what colorizes them"
NEEDED: Final = "Films need the extra: pip install 'colorize-archive[film]'."
INDEX: Final = "index.npz"


class Films:
    """Implements `InPieces`; frames are counted as the film's index has them."""

    def scan(self, unit: Unit, tools: Tools) -> Result:
        """See `InPieces.scan`; the index of the film is kept beside its parts."""
        from pipeline.media.film.containers import unfit_sounds
        from pipeline.media.film.excerpt import scan_part
        from pipeline.media.film.index import save, spans
        from pipeline.media.film.scan import scan
        from pipeline.media.film.signals import refuse_unknown_signals

        index = scan_part(unit.source, unit.viewing) if unit.viewing.partial else scan(unit.source)
        seen = _seen(index)
        guard((seen.width, seen.height), tools.settings.max_megapixels)
        if unit.viewing == WHOLE and tools.keeps(unit, in_colour=index.all_color):
            return tools.keep_colour(unit, _with_hash(seen, unit.source))
        options = _options(unit, tools)
        refuse_unknown_signals(index, keep_colour=options.on_color == "keep")
        if unfit := unfit_sounds(index, options):
            reason = f"its sound ({', '.join(unfit)}) does not fit into {options.container}; choose container mkv"
            raise ItemError(reason, Cause.FORMAT_LIMIT)
        path = tools.scratch(".npz")
        try:
            save(index, path)
        except OSError as error:
            raise files.unwritable(error, tools.job.tmp_dir) from None
        filed = tools.publish(path, f"{unit.parts_place}/{INDEX}")
        found = tuple(Span(number, start, stop) for number, (start, stop) in enumerate(spans(index)))
        return Result(unit.key, Status.DONE, filed=filed, seen=seen, spans=found)

    def piece(self, unit: Unit, tools: Tools) -> Result:
        """See `InPieces.piece`."""
        from pipeline.media.film.segment import piece

        assert unit.span is not None
        span = unit.span
        options = _options(unit, tools)
        path = tools.scratch(".part")
        made = piece(unit.source, _index(unit, tools), range(span.start, span.stop), tools.net, options, path)
        filed = tools.publish(path, f"{unit.parts_place}/{span.number:06d}.part")
        return tools.done(unit, filed, Seen(frames=span.stop - span.start, doubt=made.doubt))

    def join(self, unit: Unit, tools: Tools) -> Result:
        """See `InPieces.join`."""
        from pipeline.media.film.join import join
        from pipeline.media.film.packets import DamagedPart

        index = _index(unit, tools)
        options = _options(unit, tools)
        whole = tools.scratch(".film")
        try:
            joined = join(unit.source, index, tools.parts(unit), whole, options)
        except DamagedPart as damaged:
            raise lost_part(damaged.part, tools.job.output) from None
        filed = tools.deliver(whole, unit)
        doubts = [part.seen.doubt for part in unit.parts if part.seen.doubt is not None]
        seen = replace(_with_hash(_seen(index), unit.source), doubt=max(doubts, default=None))
        result = tools.done(unit, filed, seen, _notes(index))
        return replace(result, metadata="; ".join(joined.lost))


def film_options(settings: Settings, suffix: str) -> FilmOptions:
    """Return what the film room is asked for; `suffix` is the output's and names the container."""
    from pipeline.media.film.options import FilmOptions

    return FilmOptions(
        encoder=settings.encoder,
        quality=settings.film_quality if isinstance(settings.film_quality, int) else None,
        preset=settings.preset,
        container=suffix.removeprefix("."),
        steady=settings.steady,
        keyframes=settings.keyframes,
        saturation=settings.saturation,
        on_color="recolor" if settings.on_color == "recolor" else "keep",
        width=settings.width,
        deinterlace=settings.deinterlace,
        provenance=_PROVENANCE,
    )


def _options(unit: Unit, tools: Tools) -> FilmOptions:
    options = film_options(tools.settings, Path(unit.output).suffix)
    excerpt = f"{options.provenance} An excerpt." if unit.viewing.partial else options.provenance
    return replace(options, provenance=excerpt, beside=unit.viewing.beside, hints=tools.hints)


def contact_sheet(film: Path, index_path: Path) -> bytes:
    """Return a contact sheet of a coloured film's shots, as JPEG.

    Args:
        film: the coloured film.
        index_path: of its source; where there is none (the film was copied), the film is its own source.
    """
    import cv2

    from pipeline.media.film.index import load
    from pipeline.media.film.scan import scan
    from pipeline.media.film.sheet import contact_sheet

    index = load(index_path) if index_path.exists() else scan(film)
    return cv2.imencode(".jpg", contact_sheet(film, index), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


_PROVENANCE: Final = "Colorized by colorize: the colours are invented by a neural net, the picture is the original's."


def forecast(source: Path, settings: Settings, viewing: Viewing = WHOLE) -> Forecast:
    """Estimate what colouring a film will take, by its header.

    Raises:
        ItemError, OSError: it cannot be opened as a film.
    """
    from pipeline.media.film.outline import forecast

    return forecast(source, film_options(settings, ".mkv"), viewing)


def suffix_of(own: str, settings: Settings) -> str:
    """Return how the name of a coloured film ends: as its source's where the encoder's pictures fit into that.

    Args:
        own: the source's suffix, with its dot.
        settings: `container` and `encoder`.
    """
    if not INSTALLED:
        return ".mp4"
    from pipeline.media.film.containers import named

    return named(own, settings.encoder, settings.container).suffix


def _index(unit: Unit, tools: Tools) -> Index:
    from pipeline.media.film.index import load

    try:
        return load(tools.job.output / unit.parts_place / INDEX)
    except FileNotFoundError:
        raise ItemError("the index of the film has gone; the next run makes it anew", Cause.SYSTEM) from None


def _seen(index: Index) -> Seen:
    from pipeline.media.film.planes import layout_of

    geometry = index.geometry
    return Seen(
        verdict=index.verdict,
        chroma=round(float(index.chroma.mean()), 2),
        width=geometry.width,
        height=geometry.height,
        bits=layout_of(geometry.pix_fmt).bits,
        frames=index.frames,
    )


def _with_hash(seen: Seen, source: Path) -> Seen:
    return replace(seen, source_sha256=files.sha256(source))


def _notes(index: Index) -> str:
    """Say what was damaged or guessed, or nothing."""
    from pipeline.media.film.index import KINDS
    from pipeline.media.film.signals import remarks

    notes = [*remarks(index)]
    if index.cut_short:
        notes.append("cut short: the file ends in the middle; what is there is colorized")
    if index.faults:
        notes.append(f"damaged inside: {index.faults:,} packets or frames were concealed by the decoder")
    if index.restarts:
        again = len(index.restarts)
        places = f"in {again:,} places" if again > 1 else "in the middle"
        notes.append(f"its clock starts again {places}: picture and sound go on where they were")
    if index.mended:
        notes.append(f"{index.mended:,} timestamps were missing or out of order and were filled in")
    kinds = {KINDS[kind] for kind in index.kinds}
    if len(kinds) > 1 and index.verdict != "color" and "color" in kinds:
        notes.append("shots already in colour keep theirs")
    return "; ".join(notes)
