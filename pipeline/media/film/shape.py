"""A film as it is painted and as it is written, where that is not as it was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipeline.media.film.index import Geometry, Index, scaled
from pipeline.media.film.options import FilmOptions

_PROGRESSIVE: Final = 1


def deinterlaced(index: Index, options: FilmOptions) -> bool:
    """Say whether a film's fields are to be woven together."""
    return options.deinterlace and index.geometry.interlaced


def painted(index: Index, options: FilmOptions) -> Index:
    """Return the index of the film at the size at which it is coloured."""
    if deinterlaced(index, options):
        index = replace(index, geometry=replace(index.geometry, interlaced=False, field_order=_PROGRESSIVE))
    index = scaled(index, options.width)
    if not options.beside:
        return index
    # Two pictures share one frame: each has to end where a sample of chroma ends.
    width, height = (max(2, side - side % 2) for side in (index.geometry.width, index.geometry.height))
    return replace(index, geometry=replace(index.geometry, width=width, height=height))


def written(index: Index, options: FilmOptions) -> Index:
    """Return the index of the film at the size at which it is encoded: two pictures beside each other need twice it."""
    index = painted(index, options)
    if not options.beside:
        return index
    geometry, turned = index.geometry, on_its_side(index.geometry)
    width, height = geometry.width * (1 if turned else 2), geometry.height * (2 if turned else 1)
    return replace(index, geometry=replace(geometry, width=width, height=height, interlaced=False))


def on_its_side(geometry: Geometry) -> bool:
    """Say whether players turn the picture by a quarter."""
    return geometry.rotation % 180 != 0
