"""Which medium works on which kind of items, with which verb it begins, and how its outputs end."""

from __future__ import annotations

from typing import Final

from pipeline.ground.items import Kind, Result, Unit, Verb
from pipeline.ground.settings import Settings, treated_as
from pipeline.media.medium import InPieces, Tools, Whole
from pipeline.media.pages import Pages
from pipeline.media.photo.read import guard_stored
from pipeline.media.photo.write import FORMATS, SUFFIXES
from pipeline.media.reels import INSTALLED, Films, suffix_of
from pipeline.media.stills import Stills
from pipeline.media.twins import look, repeat

_STILLS: Final = Stills()
WHOLE: Final[dict[Kind, Whole]] = {Kind.PHOTO: _STILLS, Kind.PAGES: _STILLS}
IN_PIECES: Final[dict[Kind, InPieces]] = {Kind.PAGES: Pages(), Kind.FILM: Films()}
WORKABLE: Final = frozenset(kind for kind in (*WHOLE, *IN_PIECES) if kind is not Kind.FILM or INSTALLED)


def first_verb(kind: Kind, settings: Settings) -> Verb:
    """Return what is done first with an item."""
    return Verb.SCAN if treated_as(kind, settings) in IN_PIECES else Verb.MAKE


def suffix(kind: Kind, own: str, settings: Settings) -> str:
    """Return how the name of an item's output ends, with its dot; told by names alone, so that no file is opened.

    Args:
        kind: the item's.
        own: the suffix of its source, with its dot; "" for none.
        settings: the run's.
    """
    if kind is Kind.FILM:
        return suffix_of(own, settings)
    if treated_as(kind, settings) is Kind.PAGES:
        return own if FORMATS.get(own.lower()) == "tif" and settings.format == "keep" else SUFFIXES["tif"]
    if settings.format != "keep":
        return SUFFIXES[settings.format]
    return own if own.lower() in FORMATS else SUFFIXES["png"]


def work(unit: Unit, tools: Tools) -> Result:
    """Do one unit; raises as `Whole` and `InPieces` say."""
    if unit.kind is Kind.PHOTO:  # before it is hashed, which would take days
        guard_stored(unit.size, tools.settings.max_megapixels)
    if unit.verb in (Verb.LOOK, Verb.REPEAT):
        return look(unit, tools) if unit.verb is Verb.LOOK else repeat(unit, tools)
    if unit.verb is Verb.MAKE:
        return WHOLE[unit.kind].make(unit, tools)
    medium = IN_PIECES[unit.kind]
    return {Verb.SCAN: medium.scan, Verb.PIECE: medium.piece, Verb.JOIN: medium.join}[unit.verb](unit, tools)
