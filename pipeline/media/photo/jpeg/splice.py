"""A grey JPEG becomes a colour JPEG, its luma being left as it is: not one of its coded bits is touched.

The entropy-coded data of a one-component JPEG are those of component 1 of a colour JPEG whose scans are not interleaved
(ITU-T T.81, A.2.2: blocks from left to right, whatever the sampling factors). So the frame header gets two components
more, and scans of Cb and Cr follow those of Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg.chroma_scans import ChromaScans, chroma_scans
from pipeline.media.photo.jpeg.record import Edit, apply, is_record, record, segment
from pipeline.media.photo.jpeg.segments import DQT, DRI, Jpeg, Segment, body_of, incomplete, is_index, parse, unusual

_APP14: Final = 0xEE
_ADOBE_TRANSFORM: Final = 11


def refusal(jpeg: Jpeg) -> str:
    """Return why colour can't be put beside the luma of this file, as a phrase; empty when it can."""
    frame = jpeg.frame
    if reason := unusual(jpeg):
        return reason
    if len(frame.components) != 1:
        return f"stored with {len(frame.components)} components"
    if not frame.progressive:
        return "more than one scan" if len(jpeg.scans) > 1 else ""
    return incomplete(jpeg)


def splice(
    source: bytes,
    cb: NDArray[np.uint8],
    cr: NDArray[np.uint8],
    *,
    quality: int = 85,
    edits: Sequence[Edit] = (),
    digest: bytes | None = None,
    keep: bool = True,
) -> bytes:
    """Put colour beside the luma of a grey JPEG.

    Every segment and every byte after the end of the picture is kept, but for: the frame header; component ids other
    than 1; Adobe's transform flag, which would make it RGB; the index of a multi-picture file, whose offsets would be
    wrong. What was replaced travels in an APP15 segment, so that `original` gives back the source.

    Args:
        source: the whole file: one component, 8 bits, baseline or progressive (`refusal` says).
        cb, cr: uint8, JFIF's full range, 128 is grey: (ceil(H / 2), ceil(W / 2)) for 4:2:0 or (H, W) for 4:4:4.
        quality: of the chroma, 1 to 100.
        edits: further changes of marker segments, in order, offsets in `source`: metadata replaced or added.
        digest: sha256 of `source`, 32 bytes, where it is known already.
        keep: write down what was replaced; not when `source` isn't the original but was made from it (`luma_of`).

    Returns:
        The colour JPEG; decoded to grey it is what `source` is, to the last bit.

    Raises:
        ItemError: damaged, or of a kind that this can't be done with.
        ValueError: planes of the wrong shape, edits that overlap.
    """
    made = colour(source, parse(source), cb, cr, quality=quality)
    return joined(source, made, edits=edits, digest=digest, keep=keep)


class Colour(NamedTuple):
    """What is put beside the luma of one file, coded.

    Attributes:
        jpeg: the file.
        scans: of its chroma.
        sampling: the factors of Y, both in one byte.
        slot: of the chroma's quantization table.
    """

    jpeg: Jpeg
    scans: ChromaScans
    sampling: int
    slot: int


def colour(source: bytes, jpeg: Jpeg, cb: NDArray[np.uint8], cr: NDArray[np.uint8], *, quality: int = 85) -> Colour:
    """Code the chroma for a file, so that its planes need not be kept; `jpeg` is what `parse` makes of it.

    Other arguments and errors as `splice`.
    """
    if reason := refusal(jpeg):
        raise ItemError(f"its luma cannot be kept as it is: {reason}")
    sampling, slot = _sampling(jpeg, cb, cr), _free_slot(source, jpeg)
    chroma = chroma_scans(cb, cr, quality=quality, progressive=jpeg.frame.progressive, slot=slot)
    return Colour(jpeg, chroma, sampling, slot)


def joined(
    source: bytes, colour: Colour, *, edits: Sequence[Edit] = (), digest: bytes | None = None, keep: bool = True
) -> bytes:
    """Put chroma that is coded beside the luma of a file; arguments and result as `splice`."""
    jpeg, chroma, sampling, slot = colour
    restart = segment(DRI, b"\0\0") if jpeg.restart else b""
    header = _frame_header(jpeg, sampling, slot)
    start, end = jpeg.frame.segment.body - 4, jpeg.frame.segment.end  # fill bytes before the marker stay
    done = sorted(
        (
            *edits,
            *_small_edits(source, jpeg),
            Edit(start, end, chroma.quantization + header),
            Edit(jpeg.end_marker, jpeg.end_marker, restart + chroma.scans),
        )
    )
    note = record(source, done, digest) if keep else b""
    return apply(source, sorted((*done, Edit(start, start, note))))


def _sampling(jpeg: Jpeg, cb: NDArray[np.uint8], cr: NDArray[np.uint8]) -> int:
    """Return the sampling factors of Y, both in one byte."""
    full = jpeg.frame.height, jpeg.frame.width
    half = (full[0] + 1) // 2, (full[1] + 1) // 2
    if cb.shape != cr.shape or cb.shape not in (full, half):
        raise ValueError(f"chroma has the shapes {cb.shape} and {cr.shape}; the picture's is {full}")
    return 0x11 if cb.shape == full else 0x22


def _free_slot(source: bytes, jpeg: Jpeg) -> int:
    """Return a slot for the quantization table of the chroma that the source leaves alone, to its end."""
    taken = {jpeg.frame.components[0].table}
    for part in jpeg.segments:
        if part.marker == DQT:
            taken |= _slots(body_of(source, part))
    free = [slot for slot in (1, 2, 3, 0) if slot not in taken]
    if not free:
        raise ItemError("its luma cannot be kept as it is: all quantization tables are taken")
    return free[0]


def _slots(body: bytes) -> set[int]:
    """Return the slots that a DQT segment fills (T.81, B.2.4.1)."""
    slots, at = set[int](), 0
    while at < len(body):
        slots.add(body[at] & 15)
        at += 129 if body[at] >> 4 else 65
    return slots


def _frame_header(jpeg: Jpeg, sampling: int, slot: int) -> bytes:
    frame = jpeg.frame
    size = frame.height.to_bytes(2, "big") + frame.width.to_bytes(2, "big")
    components = bytes((1, sampling, frame.components[0].table, 2, 0x11, slot, 3, 0x11, slot))
    return segment(frame.segment.marker, bytes((8,)) + size + b"\3" + components)


def _small_edits(source: bytes, jpeg: Jpeg) -> list[Edit]:
    edits = [Edit(part.body - 4, part.end, b"") for part in jpeg.segments if _misleading(source, part)]
    for part in jpeg.segments:
        flag = part.body + _ADOBE_TRANSFORM
        adobe = part.marker == _APP14 and source.startswith(b"Adobe", part.body) and flag < part.end
        if adobe and source[flag] != 1:
            edits.append(Edit(flag, flag + 1, b"\1"))
    if jpeg.frame.components[0].id != 1:
        edits += (Edit(scan.segment.body + 1, scan.segment.body + 2, b"\1") for scan in jpeg.scans)
    return edits


def _misleading(source: bytes, part: Segment) -> bool:
    """Say whether a segment would be wrong in the colour file: offsets to further pictures, an older record."""
    return is_record(source, part) or is_index(source, part)
