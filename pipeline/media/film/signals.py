"""What a film says of its numbers where colour cannot be made for them, or only in part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.film.index import KINDS, Index

# ITU-T H.273 transfer characteristics and matrices that are far from those of a display for luma and its differences.
_TRANSFERS: Final = {8: "linear", 9: "logarithmic", 10: "logarithmic", 16: "PQ (HDR)", 17: "DCI"}
_HLG: Final = 18
_MATRICES: Final = {
    8: "YCgCo", 10: "BT.2020 constant luminance", 11: "Y'D'zD'x", 12: "derived", 13: "derived, constant luminance",
    14: "ICtCp", 15: "IPT-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro",
}  # fmt: skip


def refuse_unknown_signals(index: Index, *, keep_colour: bool) -> None:
    """Refuse a film whose luma means something else than a display's, or whose own colour cannot be read.

    Args:
        index: of the film.
        keep_colour: shots in colour keep theirs, which needs their matrix; grey is the same in all of them.

    Raises:
        ItemError: it is one.
    """
    geometry = index.geometry
    if transfer := _TRANSFERS.get(geometry.transfer):
        reason = f"its transfer characteristic is {transfer}: bring it to SDR (BT.709) first"
        raise ItemError(reason, Cause.FORMAT_LIMIT)
    coloured = any(KINDS[kind] != "neutral" for kind in index.kinds)
    if (matrix := _MATRICES.get(geometry.matrix_said)) and coloured and keep_colour:
        reason = f"some of it is in colour, in a matrix that is not known here ({matrix}): bring it to BT.709 first"
        raise ItemError(reason, Cause.FORMAT_LIMIT)


def remarks(index: Index) -> Iterator[str]:
    """Yield what a person should know of how a film's signal was taken."""
    if index.geometry.transfer == _HLG:
        yield "HLG is taken as a display without HDR shows it"
    yield from index.changes
