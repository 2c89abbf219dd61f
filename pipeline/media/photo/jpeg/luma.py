"""The luma of a JPEG that is stored in colour, as a grey JPEG: a sepia print's own coefficients, ready for new chroma.

Its scans can't be cut apart: in baseline files the blocks of all components alternate inside one stream of bits, and in
progressive ones those of the lowest coefficient do. So the bits are coded anew, from the same coefficients.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg import coefficients, turbo
from pipeline.media.photo.jpeg.record import Edit, apply
from pipeline.media.photo.jpeg.segments import APP0, COM, Jpeg, incomplete, parse, unusual
from pipeline.media.photo.stderr import captured_stderr

_APP14: Final = 0xEE


def luma_refusal(data: bytes, jpeg: Jpeg) -> str:
    """Return why the luma of a file can't be taken out, as a phrase; empty when it can."""
    frame = jpeg.frame
    if reason := unusual(jpeg):
        return reason
    if len(frame.components) == 4:
        return "stored as CMYK"
    if len(frame.components) not in (1, 3):
        return f"stored with {len(frame.components)} components"
    first = frame.components[0]
    if any(part.across > first.across or part.down > first.down for part in frame.components):
        return "its luma has fewer samples than its chroma"
    if len(frame.components) == 3 and not _is_ycbcr(data, jpeg):
        return "stored as RGB"
    if frame.progressive and (reason := incomplete(jpeg)):
        return reason
    return "" if turbo.available() or coefficients.available() else "neither libturbojpeg nor jpeglib is installed"


def luma_of(data: bytes) -> bytes:
    """Return a grey JPEG with the first component of a colour JPEG, its coefficients and all else in the file kept.

    Args:
        data: the whole file: YCbCr or grey, 8 bits, baseline or progressive (`luma_refusal` says).

    Returns:
        Decoded, it is what decoding `data` to grey gives, to the last bit; `splice` takes it, without an original.
        Damage that no decoder notices may make coefficients that no file can hold: there the two differ.

    Raises:
        ItemError: damaged, or of a kind that this can't be done with.
    """
    jpeg = parse(data)
    if reason := luma_refusal(data, jpeg):
        raise ItemError(f"its luma cannot be kept as it is: {reason}")
    grey = turbo.rewrite(data, grey=True) if turbo.available() else coefficients.luma_coefficients(data)
    made = parse(grey)
    if (made.frame.height, made.frame.width) != (jpeg.frame.height, jpeg.frame.width):
        raise ItemError("its luma cannot be kept as it is: its size is not what its header says")
    kept = b"".join(data[part.body - 4 : part.end] for part in jpeg.segments if _is_metadata(part.marker))
    # The encoder's own JFIF header, if any, gives way to the source's.
    own = [Edit(part.start, part.end, b"") for part in made.segments if _is_metadata(part.marker)]
    return apply(grey, [Edit(2, 2, kept), *own]) + data[jpeg.end :]


def decoded(data: bytes) -> NDArray[np.uint8]:
    """Return the first component of a JPEG as it is stored, uint8 (H, W); orientation is not applied.

    Raises:
        ItemError: it cannot be decoded.
    """
    with captured_stderr():  # `read` has heard what there is to say
        grey = _decoded(data)
        if grey is None:  # only the marker of its end may be missing
            grey = _decoded(data + b"\xff\xd9")
    if grey is None:
        raise ItemError("its luma cannot be decoded by itself")
    return np.asarray(grey, np.uint8)


def _decoded(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)


def _is_metadata(marker: int) -> bool:
    return APP0 <= marker <= APP0 + 15 or marker == COM


def _is_ycbcr(data: bytes, jpeg: Jpeg) -> bool:
    """Decide as libjpeg does: JFIF is YCbCr; else Adobe's flag says; else the ids do."""
    for part in jpeg.segments:
        if part.marker == APP0 and data.startswith(b"JFIF\0", part.body):
            return True
    for part in jpeg.segments:
        if part.marker == _APP14 and data.startswith(b"Adobe", part.body) and part.end >= part.body + 12:
            return data[part.body + 11] != 0
    return tuple(part.id for part in jpeg.frame.components) != tuple(b"RGB")
